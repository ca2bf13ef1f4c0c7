//! Sign-in sessions as this process knows them: those that it verified lately, so that a store that cannot be read keeps nobody
//! from closing, and those that have ended although the store does not say so yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_core::audit::Event;
use doorward_core::policy::Person;
use jiff::Timestamp;

use super::Requests;
use crate::store::{self, KeptEnd, Listed, Session, session_id};

/// How long the store may take until a session is known by what was verified before.
const QUICKLY: Duration = Duration::from_millis(300);

/// How many sessions are known; the one that was verified longest ago goes first. Only sessions of the store are, of which a
/// person has no more than 32.
const MOST: usize = 4096;

/// A session that the store answered with.
#[derive(Debug)]
struct Verified {
    session: Session,
    /// The last second that it may be used in, by the clock that cannot be set back.
    until: Duration,
    /// Grows with each time that it was verified.
    turn: u64,
}

#[derive(Debug, Default)]
struct Inner {
    verified: BTreeMap<String, Verified>,
    turns: u64,
}

/// The sessions that this process verified, by their ids.
#[derive(Debug, Default)]
pub(super) struct SignIns(Mutex<Inner>);

/// A session, and how it is known.
#[derive(Debug, Clone)]
pub struct KnownSession {
    /// What the store said of it last.
    pub session: Session,
    /// Whether the store does not answer, so that it may only revoke and look.
    pub remembered: bool,
}

impl SignIns {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole when the guard goes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the store said of a session; whether it may still be used by the clock that cannot be set back.
    fn note(&self, id: &str, session: &Session, lasts: Duration, uptime: Duration) -> bool {
        let mut inner = self.inner();
        inner.turns += 1;
        let turn = inner.turns;
        let first = inner.verified.get(id).map(|before| before.until);
        let until = first.unwrap_or(Duration::MAX).min(uptime.saturating_add(lasts));
        inner.verified.insert(id.to_owned(), Verified { session: session.clone(), until, turn });
        if inner.verified.len() > MOST {
            let oldest = inner.verified.iter().min_by_key(|(_, one)| one.turn).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                inner.verified.remove(&oldest);
            }
        }
        uptime < until
    }

    fn get(&self, id: &str, uptime: Duration) -> Option<Session> {
        let inner = self.inner();
        inner.verified.get(id).filter(|one| uptime < one.until).map(|one| one.session.clone())
    }

    fn forget(&self, id: &str) {
        self.inner().verified.remove(id);
    }

    fn forget_all_of(&self, person: &Person, but: Option<&str>) {
        self.inner().verified.retain(|id, one| one.session.person != *person || Some(id.as_str()) == but);
    }
}

impl Requests {
    /// The session of a token, unless it has ended.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, store::Error> {
        let answer = self.app.store().session(token, self.app.clock().now()).await?;
        Ok(self.in_force(token, answer))
    }

    /// Likewise for a request that only revokes or looks: where the store does not answer at once, by what this process
    /// verified before.
    pub async fn session_to_revoke(&self, token: &str) -> Result<Option<KnownSession>, store::Error> {
        let asked = self.app.store().session(token, self.app.clock().now());
        let mut asked = std::pin::pin!(asked);
        let answer = tokio::time::timeout(QUICKLY, &mut asked).await.ok();
        if !matches!(answer, Some(Ok(_)))
            && let Some(session) = self.sign_ins.get(&session_id(token), self.app.clock().uptime())
        {
            let session = self.in_force(token, Some(session));
            return Ok(session.map(|session| KnownSession { session, remembered: true }));
        }
        let answer = match answer {
            Some(answer) => answer?,
            None => asked.await?,
        };
        let session = self.in_force(token, answer);
        Ok(session.map(|session| KnownSession { session, remembered: false }))
    }

    /// Notes a session that the store has just taken.
    pub fn know_session(&self, token: &str, session: &Session) {
        self.in_force(token, Some(session.clone()));
    }

    fn in_force(&self, token: &str, answer: Option<Session>) -> Option<Session> {
        let (id, now) = (session_id(token), self.app.clock().now());
        let session = answer.filter(|session| !self.closes.is_signed_out(&id, &session.person, session.made));
        let Some(session) = session else {
            self.sign_ins.forget(&id);
            return None;
        };
        let at_most = self.app.loaded().policy.server.sessions.at_most;
        let end = session.made.saturating_add(at_most).unwrap_or(session.ends).min(session.ends);
        let lasts = Duration::try_from(end.duration_since(now)).unwrap_or(Duration::ZERO);
        self.sign_ins.note(&id, &session, lasts, self.app.clock().uptime()).then_some(session)
    }

    /// A person's sessions that have not ended, the latest used first.
    pub async fn sessions_of(&self, person: &Person) -> Result<Vec<Listed>, store::Error> {
        let idle = self.app.loaded().policy.server.sessions.idle;
        let mut sessions = self.app.store().sessions_of(person, idle, self.app.clock().now()).await?;
        sessions.retain(|one| !self.closes.is_signed_out(&one.id, person, one.made));
        Ok(sessions)
    }

    /// Ends a sign-in session, of an id, whatever the store answers; with the event that reports it if there is one.
    pub async fn end_session(
        &self,
        person: &Person,
        id: &str,
        event: Option<Event>,
    ) -> Result<(), store::Error> {
        let at = self.app.clock().now();
        let end = KeptEnd::Session { session: id.to_owned(), person: person.clone(), event, at };
        let ended = self.closes.sign_out(end).await;
        self.sign_ins.forget(id);
        ended
    }

    /// Ends all sign-in sessions of a person but one, likewise.
    pub async fn end_other_sessions(
        &self,
        person: &Person,
        but: &str,
        events: Vec<Event>,
    ) -> Result<(), store::Error> {
        let (sessions_of, at) = (person.clone(), self.app.clock().now());
        let end = KeptEnd::Sessions { sessions_of, but: Some(but.to_owned()), events, at };
        let ended = self.closes.sign_out(end).await;
        self.sign_ins.forget_all_of(person, Some(but));
        ended
    }

    /// Ends all sign-in sessions of a person who has no password any more, likewise, and without waiting for the store.
    pub(super) fn sign_out_soon(&self, person: &Person, at: Timestamp) {
        let (sessions_of, events) = (person.clone(), Vec::new());
        self.closes.decide_soon(KeptEnd::Sessions { sessions_of, but: None, events, at });
        self.sign_ins.forget_all_of(person, None);
    }

    /// What a store does not answer to is not known any more of a person whose sessions ended otherwise.
    pub fn forget_sessions_of(&self, person: &Person) {
        self.sign_ins.forget_all_of(person, None);
    }
}
