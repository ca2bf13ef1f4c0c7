//! People's requests, and the only writer of grants: every page, API call and command uses this.

mod answer;
mod closes;
mod collateral;
mod endpoints;
mod ends;
mod host_keys;
mod leftover;
mod open;
mod passwords;
mod place;
mod relocate;
mod sign_ins;
mod through;
mod turns;
mod view;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward_core::audit::{Event, Login, What, Who};
use doorward_core::decision::{Act, Reason, Refusal, authorise};
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::inventory::SecurityGroupId;
use doorward_core::policy::{Closing, FirewallName, People, Person, TargetName, Transport, in_words};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use closes::Closes;
use turns::{Turns, Waits};

pub use answer::Answer;
pub use closes::Unrecorded;
pub use collateral::Collateral;
pub use endpoints::look_up;
pub use relocate::Relocated;
pub use sign_ins::KnownSession;
pub use through::{By, Carried, Key, Machine, Names, Relay, Sessions, Through};
pub use view::{ClosedView, GrantView, Offer, OpenedView, State};
pub use way::{Way, command};

use crate::clock::Clock;
use crate::policy_file::{Loaded, PolicyFile};
use crate::status::{Nudge, Standing};
use crate::store::{self, Store};
use endpoints::Endpoints;
use host_keys::HostKeys;
use sign_ins::SignIns;

/// Somebody who was recognised, and where they come from.
#[derive(Debug, Clone)]
pub struct Caller {
    pub person: Person,
    /// The address they come from, when they came over a network.
    pub from: Option<IpAddr>,
    /// Who says that they are this person, where nobody proved it: `--local --as`.
    pub claimed_by: Option<Login>,
}

impl Caller {
    /// A person who proved who they are.
    pub fn known(person: Person, from: Option<IpAddr>) -> Self {
        Self { person, from, claimed_by: None }
    }

    /// As events name them.
    pub fn who(&self) -> Who {
        let name = self.person.clone();
        match &self.claimed_by {
            Some(login) => Who::Unproved { name, login: login.clone() },
            None => Who::Person(name),
        }
    }
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
    pub reason: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Opened {
    /// It is open.
    Granted {
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
    /// Somebody else has to approve.
    Waiting {
        grant: Grant,
        /// Whether it had been asked for before, and is asked for otherwise now.
        changed: bool,
        reasons: Vec<Reason>,
    },
}

/// The outcome of a revocation.
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
    /// Why the address is still admitted, if it is: another grant, or the static list.
    pub still: Option<String>,
    /// Credentials that can still start sessions.
    pub credentials: Option<LivesOn>,
}

/// Credentials that outlive their grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivesOn {
    /// Their end.
    pub until: Timestamp,
    /// Why they are not denied.
    pub why: String,
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
    /// A grant was revoked, but the store could not be written.
    #[error("{grant} is {}, but the audit log does not have that yet: it is recorded as soon as the store can be written", if *.denied { "denied" } else { "closed" })]
    Unwritten {
        grant: GrantId,
        /// Whether it was a request that waited, and was denied.
        denied: bool,
        source: Arc<store::Error>,
    },
    /// A client reported more bytes than possible.
    #[error("{grant} cannot have transferred that much: at most {most} bytes since it was opened")]
    TooManyBytes {
        grant: GrantId,
        /// The most.
        most: u64,
    },
    /// A request is another than the one that was approved.
    #[error(
        "the request was changed since: {} now requests `{}` for {} from {}{}",
        .0.person(), .0.target(), asked_for(.0), .0.source(), quoted(.0.reason())
    )]
    Changed(Box<Grant>),
    /// The operating system had no random bytes.
    #[error("the operating system provided no random bytes")]
    Random(#[source] getrandom::Error),
}

fn in_lines(refusals: &[Refusal]) -> String {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

fn asked_for(grant: &Grant) -> String {
    match grant.life() {
        Life::Waiting { seconds, .. } => in_words(SignedDuration::from_secs(*seconds)),
        Life::Open { .. } | Life::Ended { .. } => "no time".into(),
    }
}

fn quoted(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason:?})"))
}

/// How long an answer waits for the firewall before it says that it is still on its way.
const WAITS: Duration = Duration::from_secs(10);

/// How often a change is decided again if somebody else changed the same grant at the same time.
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
use retried;

/// Decides requests and writes grants.
#[derive(Debug)]
pub struct Requests {
    store: Store,
    reserved: Store,
    policy: Arc<PolicyFile>,
    clock: Clock,
    nudge: Nudge,
    // One decision at a time about a person and a target: two must not both find that nothing is held.
    people: Turns<(Person, TargetName)>,
    // One decision at a time about a security group: two must not both find that there is room for one rule more.
    groups: Turns<SecurityGroupId>,
    // Requests that wait, by person and by the firewall that they wait for: one that does not answer takes no place from
    // another.
    waits: Waits<(Person, Option<FirewallName>)>,
    // What was ended and the store has not recorded.
    closes: Arc<Closes>,
    sign_ins: SignIns,
    // Rows that are not believed and that were ended already: the store does not take it.
    given_up: Mutex<BTreeSet<(String, String)>>,
    endpoints: Endpoints,
    host_keys: HostKeys,
    // Everybody's password as it was last seen, for when the store cannot be read.
    seen: Mutex<BTreeMap<Person, store::Seen>>,
    // The policy and people for which the sessions of those who are gone were ended.
    swept: Arc<Mutex<Option<String>>>,
    // Who had a password when the last pass began.
    people_before: Mutex<Option<Arc<People>>>,
}

impl Requests {
    /// Over a store and a policy; `nudge` wakes the reconciler.
    pub fn new(store: Store, policy: Arc<PolicyFile>, clock: Clock, nudge: Nudge) -> Self {
        Self {
            reserved: store.reserved(),
            closes: Closes::new(store.clone(), clock.clone(), nudge.clone()),
            sign_ins: SignIns::default(),
            store,
            policy,
            clock,
            nudge,
            people: Turns::default(),
            groups: Turns::default(),
            waits: Waits::default(),
            given_up: Mutex::default(),
            endpoints: Endpoints::default(),
            host_keys: HostKeys::default(),
            seen: Mutex::default(),
            swept: Arc::default(),
            people_before: Mutex::default(),
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

    /// The policy file, to be read by a thread of its own.
    pub fn policy_shared(&self) -> Arc<PolicyFile> {
        Arc::clone(&self.policy)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store for who ends grants: it waits for no request.
    pub fn reserved(&self) -> &Store {
        &self.reserved
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Wakes the reconciler.
    pub fn nudge(&self) -> &Nudge {
        &self.nudge
    }

    /// Closes a grant: the person's own, or anybody's for an operator. What has ended already stays ended.
    pub async fn close(&self, caller: &Caller, id: &GrantId) -> Result<Closed, Error> {
        let cut_before = self.nudge.status().cut;
        let before = self.to_be_ended(id).await?;
        let loaded = self.policy.current();
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&before))
            .map_err(|_| Error::NoSuchGrant(id.clone()))?;
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::Close(&before))
            .map_err(|refusal| Error::Refused(vec![refusal]))?;
        let grant = match before.ended() && !self.closes.is_decided(id) {
            true => before,
            false => self.decide_end(caller, &before, Ending::Closed { by: caller.person.clone() }).await?,
        };
        let standing = self.standing_at_end(&grant).await;
        let cut = self.nudge.status().cut.saturating_sub(cut_before);
        let still = self.still_admitted(&grant).await;
        let credentials = self.living_on(&grant).await;
        Ok(Closed { closing: self.closing(&grant), grant, standing, cut, still, credentials })
    }

    /// Appends events that change no grant.
    pub async fn record(&self, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.store.commit(&[], events).await?;
        }
        Ok(())
    }

    /// Likewise, for who ends grants.
    pub async fn record_first(&self, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.reserved.commit(&[], events).await?;
        }
        Ok(())
    }

    /// An event by a caller, now.
    pub fn event(&self, caller: &Caller, what: What) -> Event {
        Event::new(self.clock.now(), caller.who(), what).from(caller.from)
    }

    async fn visible(&self, loaded: &Loaded, caller: &Caller, id: &GrantId) -> Result<Grant, Error> {
        let grant = self.grant(id).await?.ok_or_else(|| Error::NoSuchGrant(id.clone()))?;
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&grant))
            .map_err(|_| Error::NoSuchGrant(id.clone()))?;
        Ok(grant)
    }

    async fn refuse(&self, caller: &Caller, ask: &Ask, reasons: Vec<Refusal>) -> Error {
        let what = What::Refused {
            asked: format!("open {} for {}", ask.target, ask.address),
            why: reasons.iter().map(ToString::to_string).collect(),
        };
        // A refusal is final although it could not be recorded: nothing was opened.
        match self.store.commit(&[], vec![self.event(caller, what)]).await {
            Ok(_) => Error::Refused(reasons),
            Err(error) => Error::Store(error),
        }
    }
}

#[cfg(test)]
mod tests;
