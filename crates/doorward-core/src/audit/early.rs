//! What entries from before there was a key say of grants, when such a record is sealed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Line, What, Who};
use crate::grant::{Grant, GrantId, Life};
use crate::net::Cidr;
use crate::policy::{Person, TargetName, Transport};

#[derive(Debug, Clone)]
struct Said {
    person: Who,
    target: TargetName,
    asked: bool,
    seconds: i64,
    opened: Option<(Transport, Cidr, Timestamp)>,
    approver: Option<Who>,
}

/// Grants as early entries tell of them: in words for people, without the digest of the row. A row that differs is not
/// taken over when the record is sealed.
#[derive(Debug, Clone, Default)]
pub struct Early(BTreeMap<GrantId, Said>);

impl Early {
    /// Takes the next line.
    pub fn take(&mut self, line: &Line) {
        let who = &line.event.who;
        match &line.event.what {
            What::Asked { grant, target, seconds, .. } => {
                let (person, target) = (who.clone(), target.clone());
                let said =
                    Said { person, target, asked: true, seconds: *seconds, opened: None, approver: None };
                self.0.insert(grant.clone(), said);
            }
            What::Opened { grant, target, transport, source, until, .. } => {
                let opened = Some((*transport, *source, *until));
                match self.0.get_mut(grant).filter(|said| said.target == *target) {
                    Some(said) => (said.opened, said.approver) = (opened, Some(who.clone())),
                    None => {
                        let (person, target) = (who.clone(), target.clone());
                        let said = Said { person, target, asked: false, seconds: 0, opened, approver: None };
                        self.0.insert(grant.clone(), said);
                    }
                }
            }
            What::Extended { grant, until, .. } => {
                if let Some((_, _, end)) = self.0.get_mut(grant).and_then(|said| said.opened.as_mut()) {
                    *end = *until;
                }
            }
            What::Ended { grant, .. } => {
                self.0.remove(grant);
            }
            _ => {}
        }
    }

    /// Whether a grant that is open or waits is what the entries say.
    pub fn tells_of(&self, grant: &Grant) -> bool {
        let Some(said) = self.0.get(grant.id()) else { return false };
        let by = |person: &Person| Who::Person(person.clone());
        let same = said.person == by(grant.person()) && said.target == *grant.target();
        let life = match grant.life() {
            Life::Waiting { seconds, .. } => said.asked && said.opened.is_none() && said.seconds == *seconds,
            Life::Open { until, approved_by, .. } => {
                said.opened == Some((grant.transport(), grant.source(), *until))
                    && said.approver == approved_by.as_ref().map(by)
            }
            Life::Ended { .. } => false,
        };
        same && life
    }
}
