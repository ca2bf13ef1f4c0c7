//! What people ask for, and the only writer of grants: every page, call and command comes through here.

mod beside;
mod ends;
mod place;
mod through;
mod view;
mod way;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward_core::audit::{Event, What, Who};
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::policy::{
    Act, Closing, Decision, Person, Reason, Refusal, Request, TargetName, Transport, approve, authorise,
    decide,
};
use jiff::{SignedDuration, Timestamp};

pub use beside::Beside;
pub use through::{By, Carried, Key, Machine, Names, Sessions, Through};
pub use view::{ClosedView, GrantView, Offer, OpenedView, State};
pub use way::{Way, command};

use crate::clock::{Clock, random};
use crate::policy_file::{Loaded, PolicyFile};
use crate::reconciler::{Nudge, Standing};
use crate::store::{self, Change, Store};

/// Somebody who was recognised, and where they come from.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub person: Person,
    /// The address they come from, when they came over a network.
    pub from: Option<IpAddr>,
}

/// What somebody asks to be opened.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What they want to reach.
    pub target: TargetName,
    /// The address to admit.
    pub address: IpAddr,
    /// By which way; none: the first that the policy permits.
    pub transport: Option<Transport>,
    /// For how long; none: as is usual.
    pub lasts: Option<SignedDuration>,
    /// Why.
    pub reason: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Opened {
    /// It is open.
    Granted {
        /// The grant.
        grant: Grant,
        /// Whether it had been open before and has a later end now.
        extended: bool,
        /// Why it was allowed.
        reasons: Vec<Reason>,
        /// What its end will do to a connection.
        closing: Closing,
        /// Whether the firewall lets it in by now.
        standing: Standing,
    },
    /// Somebody else has to agree.
    Waiting {
        /// The grant.
        grant: Grant,
        /// Why.
        reasons: Vec<Reason>,
    },
}

/// What came of closing.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The grant, ended.
    pub grant: Grant,
    /// What that does to a connection that is still open.
    pub closing: Closing,
    /// Whether the firewall refuses it by now.
    pub standing: Standing,
    /// Live connections that were cut.
    pub cut: u64,
    /// Why the address is still let in, if it is: another grant, or the static list.
    pub still: Option<String>,
}

/// Why something was not done. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy says no, for all of these reasons.
    #[error("{}", in_lines(.0))]
    Refused(Vec<Refusal>),
    /// Nothing of that name that the person may see.
    #[error("there is no grant {0} that you may see")]
    NoSuchGrant(GrantId),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A grant was closed, and the store could not be told.
    #[error("{grant} is closed, but that is not recorded yet: it is written as soon as the store takes it")]
    Unwritten {
        /// Which.
        grant: GrantId,
        /// Why.
        source: store::Error,
    },
    /// The operating system had no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

fn in_lines(refusals: &[Refusal]) -> String {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// How long an answer waits for the firewall before it says that it is still on its way.
const WAITS: Duration = Duration::from_secs(10);

/// How often a change is decided anew when somebody else changed the same grant in that moment.
const TRIES: usize = 5;

/// Decides again when somebody else changed the same grant in the same moment.
///
/// A macro, because the future of an async closure that borrows is not known to be `Send`.
macro_rules! retried {
    ($decide:expr) => {{
        let mut tries = 1;
        loop {
            match $decide.await {
                Err(Error::Store(store::Error::Conflict)) if tries < TRIES => tries += 1,
                done => break done,
            }
        }
    }};
}

/// Decides requests and writes grants.
#[derive(Debug)]
pub struct Requests {
    store: Store,
    policy: Arc<PolicyFile>,
    clock: Clock,
    nudge: Nudge,
    // One opening at a time: two of one person must not both find that nothing is held.
    opening: tokio::sync::Mutex<()>,
    // What somebody closed while the store could not be told. It is over, and is written at the next pass that can.
    unwritten: Mutex<BTreeMap<GrantId, Ending>>,
}

impl Requests {
    /// Over a store and a policy; `nudge` wakes whoever reconciles.
    pub fn new(store: Store, policy: Arc<PolicyFile>, clock: Clock, nudge: Nudge) -> Self {
        Self {
            store,
            policy,
            clock,
            nudge,
            opening: tokio::sync::Mutex::new(()),
            unwritten: Mutex::default(),
        }
    }

    /// The policy in force.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.policy.current()
    }

    /// The policy file.
    pub fn policy_file(&self) -> &PolicyFile {
        &self.policy
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Wakes the reconciler.
    pub fn nudge(&self) -> &Nudge {
        &self.nudge
    }

    /// Opens a target, or extends what the person holds.
    pub async fn open(&self, caller: &Caller, ask: Ask) -> Result<Opened, Error> {
        let decided = {
            let _one_at_a_time = self.opening.lock().await;
            retried!(self.decide_open(caller, &ask))?
        };
        let (grant, extended, reasons) = match decided {
            Decided::Waiting(grant, reasons) => return Ok(Opened::Waiting { grant, reasons }),
            Decided::Granted { grant, extended, reasons } => (grant, extended, reasons),
        };
        let standing = self.standing(&grant).await;
        Ok(Opened::Granted { closing: self.closing(&grant), grant, extended, reasons, standing })
    }

    async fn decide_open(&self, caller: &Caller, ask: &Ask) -> Result<Decided, Error> {
        let loaded = self.policy.current();
        let (policy, people) = (&loaded.policy, &loaded.people);
        let now = self.clock.now();
        let request = Request {
            id: GrantId::from_random(random().map_err(Error::Random)?),
            person: caller.person.clone(),
            from: ask.address,
            target: ask.target.clone(),
            transport: ask.transport,
            lasts: ask.lasts,
            reason: ask.reason.clone(),
        };
        let unfinished = self.store.unfinished().await?;
        let same = |grant: &&Grant| {
            grant.person() == &caller.person
                && grant.target() == &ask.target
                // What is carried is reached from wherever its person is.
                && (grant.transport() != Transport::Direct || grant.source().contains(ask.address))
                && ask.transport.is_none_or(|transport| grant.transport() == transport)
        };
        let live = unfinished.iter().filter(same).filter(|grant| grant.live(now).is_some());
        // One that was agreed to stands beside the one that it was asked from.
        let held = live.max_by_key(|grant| grant.until());
        let decision = decide(policy, people, &request, held, now);
        let (grant, extended, reasons) = match decision {
            Decision::Refused { reasons } => return Err(self.refuse(caller, ask, reasons).await),
            Decision::NeedsApproval { grant, reasons } => {
                let waits = |grant: &&Grant| {
                    matches!(grant.life(), Life::Waiting { .. }) && grant.overdue(now).is_none()
                };
                if let Some(waiting) = unfinished.iter().filter(same).find(waits) {
                    return Ok(Decided::Waiting(waiting.clone(), reasons));
                }
                let what = What::Asked {
                    grant: grant.id().clone(),
                    target: grant.target().clone(),
                    seconds: match grant.life() {
                        Life::Waiting { seconds, .. } => *seconds,
                        Life::Open { .. } | Life::Ended { .. } => 0,
                    },
                    reason: grant.reason().map(str::to_owned),
                };
                let change = Change { before: None, after: grant.clone() };
                self.store.commit(&[change], vec![self.event(caller, what)]).await?;
                return Ok(Decided::Waiting(grant, reasons));
            }
            Decision::Granted { grant, reasons } => {
                let extended = held.is_some_and(|held| held.id() == grant.id());
                (grant, extended, reasons)
            }
        };
        if let Err(refusal) = self.room(&loaded, &unfinished, &grant, now).await {
            return Err(self.refuse(caller, ask, vec![refusal]).await);
        }
        let until = grant.until().unwrap_or(now);
        let reason = ask.reason.clone().filter(|reason| !reason.trim().is_empty());
        let what = if extended {
            What::Extended { grant: grant.id().clone(), until, reason }
        } else {
            opened(&grant, until, &reasons)
        };
        let change = Change { before: held.filter(|_| extended).cloned(), after: grant.clone() };
        self.store.commit(&[change], vec![self.event(caller, what)]).await?;
        Ok(Decided::Granted { grant, extended, reasons })
    }

    /// Closes a grant: the person's own, or anybody's for an operator. What has ended already stays ended.
    pub async fn close(&self, caller: &Caller, id: &GrantId) -> Result<Closed, Error> {
        let cut_before = self.nudge.status().cut;
        let grant = retried!(async {
            let loaded = self.policy.current();
            let grant = self.visible(&loaded, caller, id).await?;
            if let Err(refusal) =
                authorise(&loaded.policy, &loaded.people, &caller.person, Act::Close(&grant))
            {
                return Err(Error::Refused(vec![refusal]));
            }
            if grant.ended() {
                return Ok(grant);
            }
            let how = Ending::Closed { by: caller.person.clone() };
            let after = grant.end(how.clone(), self.clock.now());
            let event = self.event(caller, What::Ended { grant: id.clone(), how });
            match self
                .store
                .commit(&[Change { before: Some(grant), after: after.clone() }], vec![event])
                .await
            {
                Ok(_) => Ok(after),
                Err(error @ store::Error::Conflict) => Err(Error::Store(error)),
                Err(error) => {
                    self.unwritten().insert(id.clone(), Ending::Closed { by: caller.person.clone() });
                    self.standing_at_end(&after).await;
                    Err(Error::Unwritten { grant: id.clone(), source: error })
                }
            }
        })?;
        let standing = self.standing_at_end(&grant).await;
        let cut = self.nudge.status().cut.saturating_sub(cut_before);
        let still = self.still_admitted(&grant).await?;
        Ok(Closed { closing: self.closing(&grant), grant, standing, cut, still })
    }

    /// Agrees to a grant that waits, or refuses it.
    pub async fn answer(&self, caller: &Caller, id: &GrantId, agree: bool) -> Result<Opened, Error> {
        let (grant, reasons) = retried!(async {
            let loaded = self.policy.current();
            let now = self.clock.now();
            let grant = self.visible(&loaded, caller, id).await?;
            if let Err(refusal) =
                authorise(&loaded.policy, &loaded.people, &caller.person, Act::Answer(&grant))
            {
                return Err(Error::Refused(vec![refusal]));
            }
            if !agree {
                let how = Ending::Rejected { by: caller.person.clone() };
                let after = grant.end(how.clone(), now);
                let event = self.event(caller, What::Ended { grant: id.clone(), how });
                self.store
                    .commit(&[Change { before: Some(grant), after: after.clone() }], vec![event])
                    .await?;
                return Ok((after, Vec::new()));
            }
            let (after, reasons) = match approve(&loaded.policy, &loaded.people, &grant, &caller.person, now)
            {
                Decision::Granted { grant, reasons } => (grant, reasons),
                Decision::NeedsApproval { grant, reasons } => return Ok((grant, reasons)),
                Decision::Refused { reasons } => return Err(Error::Refused(reasons)),
            };
            let unfinished = self.store.unfinished().await?;
            if let Err(refusal) = self.room(&loaded, &unfinished, &after, now).await {
                return Err(Error::Refused(vec![refusal]));
            }
            let what = opened(&after, after.until().unwrap_or(now), &reasons);
            let change = Change { before: Some(grant), after: after.clone() };
            self.store.commit(&[change], vec![self.event(caller, what)]).await?;
            Ok((after, reasons))
        })?;
        if grant.until().is_none() {
            return Ok(Opened::Waiting { grant, reasons });
        }
        let standing = self.standing(&grant).await;
        Ok(Opened::Granted { closing: self.closing(&grant), grant, extended: false, reasons, standing })
    }

    /// Appends events that change no grant.
    pub async fn record(&self, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.store.commit(&[], events).await?;
        }
        Ok(())
    }

    /// An event by a caller, now.
    pub fn event(&self, caller: &Caller, what: What) -> Event {
        Event::new(self.clock.now(), Who::Person(caller.person.clone()), what).from(caller.from)
    }

    async fn visible(&self, loaded: &Loaded, caller: &Caller, id: &GrantId) -> Result<Grant, Error> {
        let grant = self.store.grant(id).await?.ok_or_else(|| Error::NoSuchGrant(id.clone()))?;
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&grant))
            .map_err(|_| Error::NoSuchGrant(id.clone()))?;
        Ok(grant)
    }

    async fn refuse(&self, caller: &Caller, ask: &Ask, reasons: Vec<Refusal>) -> Error {
        let what = What::Refused {
            asked: format!("open {} for {}", ask.target, ask.address),
            why: reasons.iter().map(ToString::to_string).collect(),
        };
        // A refusal stands although it could not be recorded: nothing was opened.
        match self.store.commit(&[], vec![self.event(caller, what)]).await {
            Ok(_) => Error::Refused(reasons),
            Err(error) => Error::Store(error),
        }
    }
}

enum Decided {
    Granted { grant: Grant, extended: bool, reasons: Vec<Reason> },
    Waiting(Grant, Vec<Reason>),
}

fn opened(grant: &Grant, until: Timestamp, reasons: &[Reason]) -> What {
    let because: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    What::Opened {
        grant: grant.id().clone(),
        target: grant.target().clone(),
        transport: grant.transport(),
        source: grant.source(),
        until,
        reason: grant.reason().map(str::to_owned),
        because: because.join("; "),
    }
}

#[cfg(test)]
mod tests;
