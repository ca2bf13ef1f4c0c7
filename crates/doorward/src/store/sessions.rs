//! Sign-in sessions. A token itself is never stored, only its SHA-256.

use doorward_core::audit::{Event, KEPT_AFTER_EXPIRY, RowLeft, Table};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::coverage::{Bind, Turn};
use super::grants::instant;
use super::tables::{Kept, SESSIONS};
use super::{Error, Mark, Store};
use crate::clock::SKEW;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// The pages, through a cookie.
    Browser,
    /// The API, through an `Authorization` header.
    Api,
}

impl SessionKind {
    /// As it is kept and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
        }
    }

    fn read(text: &str) -> Self {
        if text == "api" { Self::Api } else { Self::Browser }
    }
}

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub person: Person,
    /// What it opens.
    pub kind: SessionKind,
    pub made: Timestamp,
    /// Its end, if it is used until then.
    pub ends: Timestamp,
    /// The address from which they signed in.
    pub origin: String,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// What ties it to the person's password: a digest keyed with the token, so it tells nothing by itself.
    pub bound: String,
}

/// A session as its person sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// By which it is ended: a part of the token's digest, from which the token cannot be learnt.
    pub id: String,
    /// What it opens.
    pub kind: SessionKind,
    pub made: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// Its end, if it is used until then.
    pub ends: Timestamp,
    /// The address from which they signed in.
    pub origin: String,
    /// The address from which it was last used.
    pub used_from: String,
}

/// Sessions that a person may have at once; the oldest go.
const AT_ONCE: usize = 32;

/// How many sessions that expired go with one that begins.
const EXPIRED_AT_ONCE: i64 = 256;

/// A use is written down when the last one that was is so old.
const COARSE: SignedDuration = SignedDuration::from_mins(1);

/// How many digits of the digest a session is called by.
const ID: usize = 12;

const PREFIX: &str = "s-";

/// Whether the use of a session is to be noted, or was a moment ago.
pub fn is_due(session: &Session, idle: SignedDuration, now: Timestamp) -> bool {
    let noted = now.duration_since(session.used);
    // A short time-out is not to be missed by the coarseness of the note.
    noted < SignedDuration::ZERO || noted >= COARSE.min(idle / 4)
}

fn digest(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the session of a token is called in a list.
pub fn session_id(token: &str) -> String {
    id_of(&digest(token))
}

fn id_of(digest: &str) -> String {
    format!("{PREFIX}{}", digest.get(..ID).unwrap_or(digest))
}

/// The digits of an id; none of a text that is no id.
fn digits(id: &str) -> Option<&str> {
    let good = |digits: &&str| digits.len() == ID && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.strip_prefix(PREFIX).filter(good)
}

/// The columns of a session's row.
fn fields(digest: String, session: &Session, used: Timestamp, from: &str) -> [String; 9] {
    [
        digest,
        session.person.to_string(),
        session.kind.as_str().to_owned(),
        session.made.as_millisecond().to_string(),
        session.ends.as_millisecond().to_string(),
        session.origin.clone(),
        session.bound.clone(),
        used.as_millisecond().to_string(),
        from.to_owned(),
    ]
}

/// A session as its row has it.
fn read(row: &Kept) -> Result<Session, Error> {
    Ok(Session {
        person: row.text(1).parse().map_err(|error| Error::damaged("session", error))?,
        kind: SessionKind::read(row.text(2)),
        made: instant(row.number(3)),
        ends: instant(row.number(4)),
        origin: row.text(5).to_owned(),
        bound: row.text(6).to_owned(),
        used: instant(row.number(7)),
    })
}

impl Store {
    /// Keeps a session under its token with the event that tells of it, and forgets those that have expired. `marks` are
    /// the network and the device that they signed in from, which are remembered.
    pub async fn keep_session(
        &self,
        token: &str,
        session: &Session,
        marks: Option<[Mark; 2]>,
        event: Event,
    ) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let mut rows = self.insert_session(&mut turn, token, session).await?;
            if let Some([network, device]) = marks {
                rows.extend(self.remember(&mut turn, &session.person, network, device, session.made).await?);
            }
            Ok(((), rows))
        }
        .await;
        self.finish(turn, done, vec![event], noted(&session.person, session.made)).await
    }

    async fn insert_session(
        &self,
        turn: &mut Turn,
        token: &str,
        session: &Session,
    ) -> Result<Vec<RowLeft>, Error> {
        let fields = fields(digest(token), session, session.used, &session.origin);
        let mut rows = vec![self.put_row(turn, &SESSIONS, &fields).await?];
        let expired = session.made.checked_sub(KEPT_AFTER_EXPIRY).unwrap_or(Timestamp::MIN);
        // Their entry says that they are gone: by a clock that was ahead they went too early, and would be missed.
        let expired = sqlx::query(
            "SELECT token FROM sessions WHERE ends <= $1 AND LENGTH(token) = 64 ORDER BY ends LIMIT $2",
        )
        .bind(expired.as_millisecond())
        .bind(EXPIRED_AT_ONCE)
        .fetch_all(&mut **turn)
        .await?;
        let expired = expired.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        rows.extend(self.delete_sessions(turn, expired).await?);
        let all = "SELECT token FROM sessions WHERE person = $1 AND ends > $2 AND LENGTH(token) = 64 ORDER BY used DESC, token LIMIT $3";
        let all = sqlx::query(all)
            .bind(session.person.as_str())
            .bind(session.made.as_millisecond())
            .bind(AT_ONCE as i64 + EXPIRED_AT_ONCE)
            .fetch_all(&mut **turn)
            .await?;
        let tokens = all.iter().skip(AT_ONCE).map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        rows.extend(self.delete_sessions(turn, tokens).await?);
        Ok(rows)
    }

    /// The session of a token, unless it has expired. One that somebody without the key has put into the store, or back
    /// into it, is none.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let binds = [Bind::Text(digest(token)), Bind::Number(now.as_millisecond())];
        let of_token = ("t.token = $1 AND t.ends > $2", "2");
        let measured = self.rows_where(None, &SESSIONS, of_token, &binds, now).await?;
        let Some((row, wrong)) = measured.rows.into_iter().next() else { return Ok(None) };
        if let Some(wrong) = wrong {
            tracing::error!("{wrong}: the session is not accepted");
            return Ok(None);
        }
        let session = read(&row)?;
        // By a clock that was set back since, one that is over would not be.
        if session.used.duration_since(now) > SKEW {
            tracing::warn!(person = %session.person, "a session was used later than it is now, so it is not accepted");
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// Notes that a session is used.
    pub async fn use_session(
        &self,
        token: &str,
        session: &Session,
        from: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let fields = fields(digest(token), session, now, from);
        sqlx::query("UPDATE sessions SET used = $1, used_from = $2, seal = $3 WHERE token = $4")
            .bind(now.as_millisecond())
            .bind(from)
            .bind(SESSIONS.seal(&self.trust.key, &fields))
            .bind(digest(token))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A person's sessions that are not over, the latest used first.
    pub async fn sessions_of(
        &self,
        person: &Person,
        idle: SignedDuration,
        now: Timestamp,
    ) -> Result<Vec<Listed>, Error> {
        let used = now.checked_sub(idle).unwrap_or(Timestamp::UNIX_EPOCH);
        let binds = [
            Bind::Text(person.to_string()),
            Bind::Number(now.as_millisecond()),
            Bind::Number(used.as_millisecond()),
        ];
        let of_person = ("t.person = $1 AND t.ends > $2 AND t.used > $3", "t.used DESC, t.token");
        let measured = self.rows_where(None, &SESSIONS, of_person, &binds, now).await?;
        measured.believed().map(|row| listed(&row)).collect()
    }

    /// Ends one of a person's sessions, with the event that reports it if there is one. Whether there was one: else nothing is
    /// recorded, so that it is safe to do twice.
    pub async fn end_session_of(
        &self,
        person: &Person,
        id: &str,
        event: Option<Event>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let Some(digits) = digits(id) else { return Ok(false) };
        self.find_hidden_sessions(now).await;
        let of_id = |one: &Token| one.digest.starts_with(digits);
        let ended = self.end_chosen(person, of_id, event.into_iter().collect(), now).await?;
        Ok(ended > 0)
    }

    /// Ends all of a person's sessions, with the events that report it. How many.
    pub async fn end_sessions_of(
        &self,
        person: &Person,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        self.find_hidden_sessions(now).await;
        self.end_chosen(person, |_| true, events, now).await
    }

    /// Ends a person's sessions that began until an instant, but for the one of an id, with the events that report it. How
    /// many: it is safe to do twice.
    ///
    /// `now` is when that is done. A session that began later than `now` by the clock did so before the clock was set back,
    /// and ends with the others.
    pub async fn end_sessions_until(
        &self,
        person: &Person,
        but: Option<&str>,
        events: Vec<Event>,
        (until, now): (Timestamp, Timestamp),
    ) -> Result<u64, Error> {
        self.find_hidden_sessions(until).await;
        let chosen = |one: &Token| began_by(one.made, until, now) && but != Some(id_of(&one.digest).as_str());
        self.end_chosen(person, chosen, events, until).await
    }

    async fn end_chosen(
        &self,
        person: &Person,
        chosen: impl Fn(&Token) -> bool,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let mut tokens = self.tokens_of(&mut turn, person).await?;
            tokens.retain(chosen);
            let ended = tokens.iter().filter(|one| one.ends > now).count() as u64;
            Ok((ended, self.delete_sessions(&mut turn, digests(tokens)).await?))
        }
        .await;
        let events = if matches!(done, Ok((1.., _))) { events } else { Vec::new() };
        self.finish(turn, done, events, noted(person, now)).await
    }

    /// Ends all of a person's sessions and begins another in place of the one of a token; `event` is told how many others
    /// there were.
    pub async fn replace_sessions(
        &self,
        old: &str,
        token: &str,
        session: &Session,
        event: impl FnOnce(u64) -> Event,
    ) -> Result<(), Error> {
        let old = digest(old);
        self.find_hidden_sessions(session.made).await;
        let mut turn = self.turn().await?;
        let done = async {
            let tokens = self.tokens_of(&mut turn, &session.person).await?;
            let others =
                tokens.iter().filter(|one| one.digest != old && one.ends > session.made).count() as u64;
            let mut rows = self.delete_sessions(&mut turn, digests(tokens)).await?;
            rows.extend(self.insert_session(&mut turn, token, session).await?);
            Ok((others, rows))
        }
        .await;
        let events = match &done {
            Ok((others, _)) => vec![event(*others)],
            Err(_) => Vec::new(),
        };
        self.finish(turn, done, events, noted(&session.person, session.made)).await?;
        Ok(())
    }

    /// Has the audit log say of sessions whose rows somebody took away that they are gone: whoever ends a person's sessions
    /// does not find those, and a row that comes back later must sign nobody in.
    async fn find_hidden_sessions(&self, now: Timestamp) {
        if let Err(error) = self.mend(Table::Sessions, now).await {
            tracing::warn!(%error, "could not check the store for missing sessions");
        }
    }

    /// A person's sessions, those too that have expired and whose rows are still there.
    async fn tokens_of(&self, turn: &mut Turn, person: &Person) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query(
            "SELECT token, made, ends FROM sessions WHERE person = $1 AND LENGTH(token) = 64 ORDER BY token",
        )
        .bind(person.as_str())
        .fetch_all(&mut **turn)
        .await?;
        let token = |row: &AnyRow| {
            Ok(Token {
                digest: row.try_get(0)?,
                made: instant(row.try_get(1)?),
                ends: instant(row.try_get(2)?),
            })
        };
        rows.iter().map(token).collect()
    }

    async fn delete_sessions(&self, turn: &mut Turn, tokens: Vec<String>) -> Result<Vec<RowLeft>, Error> {
        let mut gone = Vec::new();
        for token in tokens {
            sqlx::query("DELETE FROM sessions WHERE token = $1").bind(&token).execute(&mut **turn).await?;
            let told = self.trust.at(u64::MAX, |ledger| ledger.row(Table::Sessions, &token).is_some());
            if told == Some(true) {
                gone.push(RowLeft::gone(Table::Sessions, token));
            }
        }
        Ok(gone)
    }

    /// Whoever has a session, at most ten thousand of them.
    pub async fn signed_in(&self) -> Result<Vec<Person>, Error> {
        let all = "SELECT DISTINCT person FROM sessions WHERE LENGTH(person) <= 1000 LIMIT 10000";
        let rows = sqlx::query(all).fetch_all(&self.pool).await?;
        let names = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

/// Whether a session that began at `made` had begun by `until`, which was at `now` or before. What began in the future began
/// before the clock was set back.
pub(super) fn began_by(made: Timestamp, until: Timestamp, now: Timestamp) -> bool {
    made <= until || made > now
}

/// A session by its token's digest, its begin and its end.
struct Token {
    digest: String,
    made: Timestamp,
    ends: Timestamp,
}

fn digests(tokens: Vec<Token>) -> Vec<String> {
    tokens.into_iter().map(|token| token.digest).collect()
}

fn noted(person: &Person, now: Timestamp) -> (Timestamp, String) {
    (now, format!("that sign-in sessions of {person} ended"))
}

fn listed(row: &Kept) -> Result<Listed, Error> {
    let session = read(row)?;
    Ok(Listed {
        id: id_of(row.text(0)),
        kind: session.kind,
        made: session.made,
        used: session.used,
        ends: session.ends,
        origin: session.origin,
        used_from: row.text(8).to_owned(),
    })
}

#[cfg(test)]
mod tests;
