//! People's requests, and the only writer of grants: every page, API call and command uses this.

mod answer;
mod capacity;
mod closes;
mod collateral;
mod connection_hint;
mod endpoints;
mod ends;
mod host_keys;
mod leftover;
mod open;
mod passwords;
mod relocate;
mod sign_ins;
mod through;
mod turns;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward_core::audit::{Event, Login, What, Who};
use doorward_core::decision::{Act, Reason, Refusal, Seen, authorise};
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
pub use connection_hint::{ConnectionHint, command};
pub use endpoints::look_up;
pub use relocate::Relocated;
pub use sign_ins::KnownSession;
pub use through::{By, Carried, Key, Machine, Names, Relay, Sessions, Through};
pub use view::{ClosedView, GrantView, Offer, OpenedView, State, Views};

use crate::app::App;
use crate::few_threads::FewThreads;
use crate::policy_file::Loaded;
use crate::status::SyncState;
use crate::store;
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
        sync_state: SyncState,
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
    pub sync_state: SyncState,
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
    TooManyBytes { grant: GrantId, most: u64 },
    /// A request is another than the one that was approved.
    #[error(
        "the request was changed since: {} now requests `{}` for {} from {}{}",
        .0.person(), .0.target(), asked_for(.0), .0.source(), quoted(.0.reason())
    )]
    Changed(Box<Grant>, Seen),
    /// By the policy it opens something else than what was approved.
    #[error("the policy was changed since: the request of {} for `{}` now opens {opens}", .grant.person(), .grant.target())]
    OpensOther {
        /// The request.
        grant: Box<Grant>,
        /// What it opens now, in words.
        opens: String,
        /// How that is called.
        seen: Seen,
    },
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

/// How many read the recorded account of the policy at once.
const RECORDED_AT_ONCE: usize = 4;

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
    app: App,
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
    // Rows that are not believed and that are being ended in the store.
    ending: tokio::sync::Mutex<Option<ends::EndingRows>>,
    // By the last reading: names and why.
    mistrusted: Mutex<BTreeMap<String, String>>,
    endpoints: Endpoints,
    host_keys: HostKeys,
    // Who read the recorded account of the policy.
    recorded: FewThreads,
    // Everybody's password as it was last seen, for when the store cannot be read.
    seen: Mutex<BTreeMap<Person, store::SeenPassword>>,
    // The policy and people for which the sessions of those who are gone were ended.
    swept: Arc<Mutex<Option<String>>>,
    // Who had a password when the last pass began.
    people_before: Mutex<Option<Arc<People>>>,
}

impl Requests {
    /// With nothing decided yet.
    pub fn new(app: App) -> Self {
        Self {
            closes: Closes::new(app.store().clone(), app.clock().clone(), app.nudge().clone()),
            sign_ins: SignIns::default(),
            app,
            people: Turns::default(),
            groups: Turns::default(),
            waits: Waits::default(),
            given_up: Mutex::default(),
            ending: tokio::sync::Mutex::default(),
            mistrusted: Mutex::default(),
            endpoints: Endpoints::default(),
            host_keys: HostKeys::default(),
            recorded: FewThreads::new(RECORDED_AT_ONCE),
            seen: Mutex::default(),
            swept: Arc::default(),
            people_before: Mutex::default(),
        }
    }

    /// The store, the policy and the clock that requests are decided by.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Grants and targets as they are shown to people.
    pub fn views(&self) -> Views<'_> {
        Views(self)
    }

    /// Closes a grant: the person's own, or anybody's for an operator. What has ended already stays ended.
    pub async fn close(&self, caller: &Caller, id: &GrantId) -> Result<Closed, Error> {
        let cut_before = self.app.nudge().status().cut;
        let before = self.to_be_ended(id).await?;
        let loaded = self.app.loaded();
        let asked = || format!("revoke {id} of {} to {}", before.person(), before.target());
        if let Err(refusal) = authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&before)) {
            // The person does not hear that there is one.
            drop(self.refused(self.app.reserved(), caller, asked(), vec![refusal]).await);
            return Err(Error::NoSuchGrant(id.clone()));
        }
        if let Err(refusal) = authorise(&loaded.policy, &loaded.people, &caller.person, Act::Close(&before)) {
            return Err(self.refused(self.app.reserved(), caller, asked(), vec![refusal]).await);
        }
        let grant = match before.ended() && !self.closes.is_decided(id) {
            true => before,
            false => self.decide_end(caller, &before, Ending::Closed { by: caller.person.clone() }).await?,
        };
        let sync_state = self.sync_state_at_end(&grant).await;
        let cut = self.app.nudge().status().cut.saturating_sub(cut_before);
        let still = self.still_admitted(&grant).await;
        let credentials = self.living_on(&grant).await;
        Ok(Closed { closing: self.closing(&grant), grant, sync_state, cut, still, credentials })
    }

    /// Appends events that change no grant.
    pub async fn record(&self, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.app.store().commit(&[], events).await?;
        }
        Ok(())
    }

    /// Likewise, for who ends grants.
    pub async fn record_first(&self, events: Vec<Event>) -> Result<(), Error> {
        if !events.is_empty() {
            self.app.reserved().commit(&[], events).await?;
        }
        Ok(())
    }

    /// An event by a caller, now.
    pub fn event(&self, caller: &Caller, what: What) -> Event {
        Event::new(self.app.clock().now(), caller.who(), what).from(caller.from)
    }

    async fn visible(&self, loaded: &Loaded, caller: &Caller, id: &GrantId) -> Result<Grant, Error> {
        let grant = self.grant(id).await?.ok_or_else(|| Error::NoSuchGrant(id.clone()))?;
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&grant))
            .map_err(|_| Error::NoSuchGrant(id.clone()))?;
        Ok(grant)
    }

    async fn refuse(&self, caller: &Caller, ask: &Ask, reasons: Vec<Refusal>) -> Error {
        self.refused(self.app.store(), caller, format!("open {} for {}", ask.target, ask.address), reasons)
            .await
    }

    /// Records a refusal; `asked` says what was refused, like `open wiki for 203.0.113.7`.
    async fn refused(
        &self,
        store: &store::Store,
        caller: &Caller,
        asked: String,
        reasons: Vec<Refusal>,
    ) -> Error {
        let why = reasons.iter().map(ToString::to_string).collect();
        let event = self.event(caller, What::Refused { asked, why });
        // A refusal is final although it could not be recorded: nothing was opened.
        match store.commit(&[], vec![event]).await {
            Ok(_) => Error::Refused(reasons),
            Err(error) => Error::Store(error),
        }
    }
}

#[cfg(test)]
mod tests;
