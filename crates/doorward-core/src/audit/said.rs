//! What entries say of grants in words: for a record that is sealed because it was begun before there was a key, and for a
//! row that is not what the record says.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Line, What, Who};
use crate::grant::{Grant, GrantId, Life};
use crate::net::Cidr;
use crate::policy::{Person, TargetName, Transport};

#[derive(Debug, Clone)]
struct Words {
    person: Who,
    target: TargetName,
    asked: bool,
    seconds: i64,
    opened: Option<(Transport, Cidr, Timestamp)>,
    approver: Option<Who>,
    ended: bool,
}

/// Grants as entries tell of them in words for people, without the digest of the row.
#[derive(Debug, Clone, Default)]
pub struct Said(BTreeMap<GrantId, Words>);

impl Said {
    /// Takes the next line.
    pub fn take(&mut self, line: &Line) {
        let who = &line.event.who;
        match &line.event.what {
            What::Asked { grant, target, seconds, .. } => {
                let (person, target) = (who.clone(), target.clone());
                let seconds = *seconds;
                let words = Words {
                    person,
                    target,
                    asked: true,
                    seconds,
                    opened: None,
                    approver: None,
                    ended: false,
                };
                self.0.insert(grant.clone(), words);
            }
            What::Opened { grant, target, transport, source, until, .. }
            | What::Moved { grant, target, transport, source, until, .. } => {
                let opened = Some((*transport, *source, *until));
                match self.0.get_mut(grant).filter(|said| said.target == *target) {
                    Some(words) => (words.opened, words.approver) = (opened, Some(who.clone())),
                    None => {
                        let (person, target) = (who.clone(), target.clone());
                        let (asked, seconds, approver, ended) = (false, 0, None, false);
                        let words = Words { person, target, asked, seconds, opened, approver, ended };
                        self.0.insert(grant.clone(), words);
                    }
                }
            }
            What::Extended { grant, until, approved, .. } => {
                if let Some(words) = self.0.get_mut(grant) {
                    if let Some((_, _, end)) = words.opened.as_mut() {
                        *end = *until;
                    }
                    if approved.is_some() {
                        words.approver = Some(who.clone());
                    }
                }
            }
            What::Ended { grant, .. } => {
                if let Some(words) = self.0.get_mut(grant) {
                    words.ended = true;
                }
            }
            _ => {}
        }
    }

    /// Whether a grant that is open or waits is what the entries say.
    pub fn tells_of(&self, grant: &Grant) -> bool {
        let Some(said) = self.0.get(grant.id()) else { return false };
        let by = |person: &Person| Who::Person(person.clone());
        let same = !said.ended && said.person == by(grant.person()) && said.target == *grant.target();
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

    /// A grant that ended, from the address that entries say it was opened for; none where they tell of no such grant that was
    /// opened.
    pub fn put_right(&self, grant: &Grant) -> Option<Grant> {
        let said = self.0.get(grant.id())?;
        let same = said.person.person() == Some(grant.person()) && said.target == *grant.target();
        let (_, source, _) = said.opened.filter(|_| same)?;
        Some(grant.with_source(source))
    }
}
