//! What authentic entries report of the last days and the store must not be able to hide: whose grants ended, and for which
//! grants credentials were vended.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{Entry, Hash, What, Who};
use crate::export::iam;
use crate::grant::GrantId;
use crate::policy::Person;

/// How long ended grants are held. It is longer than any window in which they count for an approval, unless a policy lets a
/// grant last longer than this.
const HELD: SignedDuration = SignedDuration::from_hours(31 * 24);

/// How long after their end vended credentials are held: two clocks may differ.
const VENDED_HELD: SignedDuration = SignedDuration::from_hours(24);

/// What the clocks of AWS and of this machine may differ by.
const APART: SignedDuration = SignedDuration::from_mins(2);

/// A grant that ended lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedLately {
    pub grant: GrantId,
    /// The digest of its row.
    pub state: Hash,
    /// The entry that reports its end.
    pub seq: u64,
    /// Whose it was; none where no entry since the audit log was last sealed says so.
    person: Option<Person>,
    at: Timestamp,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Lately {
    /// Of grants that are open or wait.
    people: BTreeMap<GrantId, Person>,
    ended: VecDeque<EndedLately>,
    vended: BTreeMap<GrantId, Timestamp>,
}

impl Lately {
    /// Takes in the next entry; `is_known` says whether the audit log has a grant as open, waiting or ended before it.
    pub fn take(&mut self, entry: &Entry, is_known: impl Fn(&GrantId) -> bool) {
        let event = &entry.line.event;
        match &event.what {
            What::Asked { grant, .. } | What::Opened { grant, person: None, .. } => {
                if let Who::Person(name) | Who::Unproved { name, .. } = &event.who {
                    self.people.entry(grant.clone()).or_insert_with(|| name.clone());
                }
            }
            What::Opened { grant, person: Some(person), .. } | What::Moved { grant, person, .. } => {
                self.people.insert(grant.clone(), person.clone());
            }
            What::Ended { grant, .. } => {
                // A grant whose row does not take its end is ended once more.
                let at = self.ended.iter().position(|before| before.grant == *grant);
                let before = at.and_then(|at| self.ended.remove(at));
                let was_known = is_known(grant) || before.is_some();
                let person = self.people.remove(grant).or_else(|| before?.person);
                // One that nobody opened counts for nobody.
                if let Some(state) = entry.line.state.filter(|_| was_known || person.is_some()) {
                    let (grant, seq, at) = (grant.clone(), entry.head.seq, event.at);
                    self.ended.push_back(EndedLately { grant, state, seq, person, at });
                }
                let held = event.at.checked_sub(HELD).unwrap_or(Timestamp::MIN);
                while self.ended.front().is_some_and(|first| first.at < held) {
                    self.ended.pop_front();
                }
            }
            What::CredentialsVended { grant, until, .. } => {
                let lasts = SignedDuration::from_secs(i64::from(iam::LASTS));
                let here = event.at.checked_add(lasts).unwrap_or(*until);
                // AWS said the end by its own clock. Where this machine's is far ahead, its own counts.
                let end = if here.duration_since(*until) > APART { here } else { *until };
                let held = event.at.checked_sub(VENDED_HELD).unwrap_or(Timestamp::MIN);
                self.vended.retain(|_, end| *end >= held);
                let last = self.vended.entry(grant.clone()).or_insert(end);
                *last = end.max(*last);
            }
            // The rows of ended grants were accepted as they stand.
            What::LogSealed { .. } => self.ended.clear(),
            _ => {}
        }
    }

    pub fn ended(&self, person: &Person, since: Timestamp) -> impl Iterator<Item = &EndedLately> {
        let of =
            move |one: &&EndedLately| one.at >= since && one.person.as_ref().is_none_or(|of| of == person);
        self.ended.iter().filter(of)
    }

    pub fn vended_until(&self, grant: &GrantId) -> Option<Timestamp> {
        self.vended.get(grant).copied()
    }
}
