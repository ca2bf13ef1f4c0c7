//! Who is signed in. A token itself is never kept, only its SHA-256.

use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::grants::instant;
use super::writing::Writing;
use super::{Error, Store};

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
    /// Who.
    pub person: Person,
    /// What it opens.
    pub kind: SessionKind,
    /// Since when.
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
    /// Since when.
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
const AT_ONCE: i64 = 32;

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

/// The purpose of the MAC of a session's row.
pub(super) const SEALED: &str = "session";

/// What of a session's row is sealed: all of it.
fn sealed(digest: &str, session: &Session, used: Timestamp, from: &str) -> [String; 9] {
    [
        digest.to_owned(),
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

impl Store {
    /// Keeps a session under its token, and forgets those that are over.
    pub async fn keep_session(&self, token: &str, session: &Session) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let seal = self.session_seal(token, session, session.used, &session.origin);
        let done = keep(&mut writing, token, session, &seal).await;
        writing.end(done).await
    }

    /// The session of a token, unless it is over. One that somebody without the key has put into the store is none.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let row = sqlx::query(
            "SELECT person, kind, made, ends, origin, used, bound, used_from, seal FROM sessions WHERE token = $1 AND ends > $2",
        )
        .bind(digest(token))
        .bind(now.as_millisecond())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let person: String = row.try_get(0)?;
        let kind: String = row.try_get(1)?;
        let session = Session {
            person: person.parse().map_err(|error| Error::damaged("session", error))?,
            kind: SessionKind::read(&kind),
            made: instant(row.try_get(2)?),
            ends: instant(row.try_get(3)?),
            origin: row.try_get(4)?,
            used: instant(row.try_get(5)?),
            bound: row.try_get(6)?,
        };
        let (from, seal): (String, String) = (row.try_get(7)?, row.try_get(8)?);
        let fields = sealed(&digest(token), &session, session.used, &from);
        if !self.is_seal(&seal, SEALED, &fields.each_ref().map(String::as_str)) {
            tracing::error!(person = %session.person, "a session in the store was not made by Doorward: nobody is signed in by it");
            return Ok(None);
        }
        Ok(Some(session))
    }

    fn session_seal(&self, token: &str, session: &Session, used: Timestamp, from: &str) -> String {
        self.seal(SEALED, &sealed(&digest(token), session, used, from).each_ref().map(String::as_str))
    }

    /// Notes that a session is used.
    pub async fn use_session(
        &self,
        token: &str,
        session: &Session,
        from: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE sessions SET used = $1, used_from = $2, seal = $3 WHERE token = $4")
            .bind(now.as_millisecond())
            .bind(from)
            .bind(self.session_seal(token, session, now, from))
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
        let rows = sqlx::query(
            "SELECT token, kind, made, used, ends, origin, used_from FROM sessions \
             WHERE person = $1 AND ends > $2 AND used > $3 ORDER BY used DESC, token",
        )
        .bind(person.as_str())
        .bind(now.as_millisecond())
        .bind(used.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Ends a session, and forgets those that are over.
    pub async fn end_session(&self, token: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query("DELETE FROM sessions WHERE token = $1 OR ends <= $2")
            .bind(digest(token))
            .bind(now.as_millisecond())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends one of a person's sessions. Whether there was one.
    pub async fn end_session_of(&self, person: &Person, id: &str) -> Result<bool, Error> {
        let Some(digits) = digits(id) else { return Ok(false) };
        let done = sqlx::query("DELETE FROM sessions WHERE person = $1 AND token LIKE $2")
            .bind(person.as_str())
            .bind(format!("{digits}%"))
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Ends all of a person's sessions, but for the one of a token. How many.
    pub async fn end_sessions_of(&self, person: &Person, but: Option<&str>) -> Result<u64, Error> {
        let done = sqlx::query("DELETE FROM sessions WHERE person = $1 AND token <> $2")
            .bind(person.as_str())
            .bind(but.map(digest).unwrap_or_default())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    /// Whoever has a session.
    pub async fn signed_in(&self) -> Result<Vec<Person>, Error> {
        let rows = sqlx::query("SELECT DISTINCT person FROM sessions").fetch_all(&self.pool).await?;
        let names = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

fn listed(row: &AnyRow) -> Result<Listed, Error> {
    let token: String = row.try_get(0)?;
    let kind: String = row.try_get(1)?;
    Ok(Listed {
        id: id_of(&token),
        kind: SessionKind::read(&kind),
        made: instant(row.try_get(2)?),
        used: instant(row.try_get(3)?),
        ends: instant(row.try_get(4)?),
        origin: row.try_get(5)?,
        used_from: row.try_get(6)?,
    })
}

async fn keep(
    connection: &mut AnyConnection,
    token: &str,
    session: &Session,
    seal: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sessions (token, person, kind, made, ends, origin, bound, used, used_from, seal) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(digest(token))
    .bind(session.person.as_str())
    .bind(session.kind.as_str())
    .bind(session.made.as_millisecond())
    .bind(session.ends.as_millisecond())
    .bind(&session.origin)
    .bind(&session.bound)
    .bind(session.used.as_millisecond())
    .bind(&session.origin)
    .bind(seal)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM sessions WHERE ends <= $1")
        .bind(session.made.as_millisecond())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE person = $1 AND token NOT IN \
         (SELECT token FROM sessions WHERE person = $2 ORDER BY used DESC, token LIMIT $3)",
    )
    .bind(session.person.as_str())
    .bind(session.person.as_str())
    .bind(AT_ONCE)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_that_somebody_wrote_into_the_store_signs_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let session = Session {
            person: "jon".parse().expect("a name"),
            kind: SessionKind::Browser,
            made: now,
            ends: now + SignedDuration::from_hours(12),
            origin: "203.0.113.7".into(),
            used: now,
            bound: "x".into(),
        };
        store.keep_session("token", &session).await.expect("kept");
        assert_eq!(store.session("token", now).await.expect("read"), Some(session.clone()));
        for (edit, back) in [
            ("UPDATE sessions SET person = 'maria'", "UPDATE sessions SET person = 'jon'"),
            ("UPDATE sessions SET kind = 'api'", "UPDATE sessions SET kind = 'browser'"),
            ("UPDATE sessions SET ends = ends + 1", "UPDATE sessions SET ends = ends - 1"),
            ("UPDATE sessions SET bound = 'y'", "UPDATE sessions SET bound = 'x'"),
            ("UPDATE sessions SET used = used + 1", "UPDATE sessions SET used = used - 1"),
            ("UPDATE sessions SET used_from = 'y'", "UPDATE sessions SET used_from = origin"),
        ] {
            sqlx::query(edit).execute(&store.pool).await.expect("an edit");
            assert_eq!(store.session("token", now).await.expect("read"), None, "{edit}");
            sqlx::query(back).execute(&store.pool).await.expect("an edit");
            assert!(store.session("token", now).await.expect("read").is_some(), "{back}");
        }
        // Its use is sealed anew.
        let later = now + SignedDuration::from_mins(2);
        store.use_session("token", &session, "198.51.100.9", later).await.expect("noted");
        let used = store.session("token", later).await.expect("read");
        assert_eq!(used, Some(Session { used: later, ..session }));
        assert!(store.verify().await.expect("read").is_ok());
        // Another token, with the seal of one's own.
        let copy = "INSERT INTO sessions (token, person, kind, made, ends, origin, bound, used, used_from, seal) \
            SELECT $1, 'maria', kind, made, ends, origin, bound, used, used_from, seal FROM sessions";
        sqlx::query(copy).bind(digest("other")).execute(&store.pool).await.expect("a row");
        assert_eq!(store.session("other", now).await.expect("read"), None);
        let found = store.verify().await.expect("read").expect_err("a fault");
        assert_eq!(found, "a session of \"maria\" in the store was altered by somebody without the key");
    }
}
