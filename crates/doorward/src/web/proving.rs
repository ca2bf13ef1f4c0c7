//! Verifies names and passwords: at a limited rate, and in the same time for every name.
//!
//! A refusal takes as long as the most expensive hash of all people: by work of that cost, so that a busy machine
//! reveals no more than an idle one, and by a fixed duration from the start of the verification, or from the start of
//! the request if there is none. So neither the time nor the text of a refusal reveals whether the name exists, whether
//! it has a password, or how the password is hashed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use doorward_core::audit::{Event, What, Who};
use doorward_core::net::Cidr;
use doorward_core::policy::{PasswordHash, Person};

use super::failure::Failure;
use super::guard::{Pass, Refused, SignInAttempt, TooMany, network, shortened};
use super::origin::Origin;
use super::verifying::tried;
use super::{Web, guard};
use crate::clock::random;
use crate::people::cost;
use crate::people::password::LONGEST;
use crate::store::Mark;

/// How long a known pair whose tries are used up waits for the next one.
const LINGERS: Duration = Duration::from_secs(12);
/// Tries that linger: of one site, and of all.
const LINGERING_OF_ONE: usize = 8;
const LINGERING: usize = 256;
/// What is remembered is read again so often, for what another server of the same store learnt.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// A person, and the hash that their password fitted.
#[derive(Debug)]
pub struct Proved {
    pub person: Person,
    /// Of their password.
    pub hash: PasswordHash,
}

/// What is remembered of those who signed in before.
#[derive(Debug, Default)]
pub struct Known {
    marks: Mutex<HashSet<Mark>>,
    read: tokio::sync::Mutex<Option<Duration>>,
}

impl Known {
    /// Whether something is remembered.
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).contains(&mark)
    }

    /// Remembers something that the store has as well.
    pub fn add(&self, marks: [Mark; 2]) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).extend(marks);
    }

    /// Reads what the store remembers, unless that was done a moment ago or is being done.
    async fn refresh(&self, web: &Web) {
        // The first ones wait for the first reading; nobody is turned away because it is slow.
        let mut read = match self.read.try_lock() {
            Ok(read) => read,
            Err(_) if self.marks.lock().unwrap_or_else(PoisonError::into_inner).is_empty() => {
                self.read.lock().await
            }
            Err(_) => return,
        };
        let clock = web.app().clock();
        let uptime = clock.uptime();
        if read.is_some_and(|read| uptime.saturating_sub(read) < KNOWN_FOR) {
            return;
        }
        *read = Some(uptime);
        match crate::store::in_time(web.app().store().known(clock.now())).await {
            Ok(marks) => {
                *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = marks.into_iter().collect();
            }
            Err(error) => tracing::warn!(%error, "could not read earlier sign-ins"),
        }
    }
}

/// Looks at a name and a password. `device` is the secret that a device sent along.
pub async fn prove(
    web: &Arc<Web>,
    name: &str,
    password: &str,
    origin: Origin,
    device: Option<&str>,
) -> Result<Proved, Failure> {
    let arrived = Instant::now();
    web.known().refresh(web).await;
    let loaded = web.app().loaded();
    let costs = web.verifying().costs(&loaded.people);
    let takes = costs.refusal(password.len().min(LONGEST));
    let address = origin.counted();
    let person = name.parse::<Person>().ok();
    let hash = person.as_ref().and_then(|person| loaded.people.passwords.get(person)).cloned();
    let proof = (name, network(address), password, hash.as_ref().map(|hash| (hash.salt(), hash.digest())));
    let asked = SignInAttempt {
        account: name,
        address,
        device: person
            .as_ref()
            .zip(device)
            .map(|(person, secret)| Mark::device(person, secret))
            .filter(|mark| web.known().has(*mark))
            .map(|mark| mark.0),
        known: person.as_ref().is_some_and(|person| web.known().has(Mark::network(person, network(address)))),
        fingerprint: web.verifying().fingerprint(proof),
    };
    let pass = match admitted(web, &asked).await {
        Ok(pass) => pass,
        Err(too_many) => {
            refused(web, name, origin, "too many tries").await?;
            hold(arrived, takes).await;
            return Err(Failure::too_many(too_many));
        }
    };
    let uptime = || web.app().clock().uptime();
    let Ok(turn) = web.verifying().turn(address, name).await else {
        web.guard().not_tried(&pass, uptime());
        tracing::warn!("busy with sign-ins, turned one away");
        return Err(Failure::busy());
    };
    let begun = Instant::now();
    let usable = usable(person.as_ref(), hash, password);
    let tries = usable.clone().unwrap_or_else(|| costs.decoy().clone());
    let good = tried(turn, tries, Arc::clone(&costs), shortened(password, LONGEST).to_owned()).await
        && password.len() <= LONGEST;
    if let (Some(person), Some(hash), true) = (person, usable, good) {
        web.guard().succeeded(&pass, uptime());
        return Ok(Proved { person, hash });
    }
    web.guard().failed(asked.fingerprint);
    let why = match pass.answered() {
        Some(_) => "too many tries, and the name or the password was wrong",
        None => "the name or the password was wrong",
    };
    refused(web, name, origin, why).await?;
    hold(begun, takes).await;
    Err(match pass.answered() {
        Some(too_many) => Failure::too_many(too_many),
        None => Failure::new(StatusCode::UNAUTHORIZED, "wrong name or password"),
    })
}

/// Looks at the password that a signed-in person types once more.
pub async fn prove_again(
    web: &Arc<Web>,
    person: &Person,
    password: &str,
    origin: Origin,
) -> Result<PasswordHash, Failure> {
    let uptime = || web.app().clock().uptime();
    web.guard().proof(person.as_str(), uptime()).map_err(Failure::too_many)?;
    let loaded = web.app().loaded();
    let costs = web.verifying().costs(&loaded.people);
    let hash = loaded.people.passwords.get(person).cloned();
    let Ok(turn) = web.verifying().turn(origin.counted(), person.as_str()).await else {
        web.guard().proved(person.as_str());
        return Err(Failure::busy());
    };
    let begun = Instant::now();
    let takes = costs.refusal(password.len().min(LONGEST));
    let usable = usable(Some(person), hash, password);
    let tries = usable.clone().unwrap_or_else(|| costs.decoy().clone());
    let good = tried(turn, tries, Arc::clone(&costs), shortened(password, LONGEST).to_owned()).await
        && password.len() <= LONGEST;
    match usable.filter(|_| good) {
        Some(hash) => {
            web.guard().proved(person.as_str());
            Ok(hash)
        }
        None => {
            hold(begun, takes).await;
            Err(Failure::new(StatusCode::FORBIDDEN, "the current password is wrong, so nothing was changed"))
        }
    }
}

/// The hash, unless it would keep a processor busy for longer than anybody waits.
fn usable(person: Option<&Person>, hash: Option<PasswordHash>, password: &str) -> Option<PasswordHash> {
    let hash = hash?;
    match cost::too_costly(&hash, password.len().min(LONGEST)) {
        None => Some(hash),
        Some(takes) => {
            let (takes, kind) = (cost::in_words(takes), hash.kind());
            let person = person.map(Person::as_str).unwrap_or_default();
            tracing::warn!(
                person, %kind, takes,
                "password hash too costly, person cannot sign in; `doorward user passwd` sets another"
            );
            None
        }
    }
}

/// Asks the guard; a known pair whose tries are used up waits a little for the next, at odds with whoever else waits
/// for it.
async fn admitted(web: &Web, asked: &SignInAttempt<'_>) -> Result<Pass, TooMany> {
    let uptime = || web.app().clock().uptime();
    let begun = Instant::now();
    let mut room = None;
    loop {
        let refused = match web.guard().attempt(asked, uptime()) {
            Ok(pass) => return Ok(pass),
            Err(refused) => refused,
        };
        if matches!(refused, Refused::Later(_)) || begun.elapsed() >= LINGERS {
            return Err(refused.too_many());
        }
        if room.is_none() {
            room = web.lingering().enter(guard::site(asked.address));
        }
        let odds = random::<1>().ok().filter(|_| room.is_some());
        let Some([odds]) = odds else { return Err(refused.too_many()) };
        tokio::time::sleep(Duration::from_millis(100 + u64::from(odds))).await;
    }
}

/// Waits until a refusal is as old as every other is.
async fn hold(begun: Instant, takes: Duration) {
    let took = begun.elapsed();
    let times = took.as_millis() / takes.as_millis().max(1) + 1;
    let until = takes.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
    tokio::time::sleep(until.saturating_sub(took)).await;
}

async fn refused(web: &Web, name: &str, origin: Origin, why: &str) -> Result<(), Failure> {
    let clock = web.app().clock();
    let uptime = clock.uptime();
    let summary = web.tally().summary(uptime, false);
    let told = web.tally().refused(origin.counted(), uptime);
    let mut events = Vec::new();
    if let Some(why) = summary {
        events.push(Event::new(clock.now(), Who::Doorward, What::SignInRefused { why }));
    }
    if told {
        let who = Who::Claimed(shortened(name, 63).to_owned());
        let event = Event::new(clock.now(), who, What::SignInRefused { why: why.into() });
        events.push(event.from(origin.client));
    }
    Ok(web.requests().record(events).await?)
}

/// Places for those who linger.
#[derive(Debug, Default)]
pub struct Lingering {
    places: Arc<Mutex<Vec<Cidr>>>,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
struct LingeringSlot {
    places: Arc<Mutex<Vec<Cidr>>>,
    site: Cidr,
}

impl Lingering {
    fn enter(&self, site: Cidr) -> Option<LingeringSlot> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = places.iter().filter(|place| **place == site).count();
        if mine >= LINGERING_OF_ONE || places.len() >= LINGERING {
            return None;
        }
        places.push(site);
        Some(LingeringSlot { places: Arc::clone(&self.places), site })
    }
}

impl Drop for LingeringSlot {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.iter().position(|place| *place == self.site) {
            places.swap_remove(place);
        }
    }
}
