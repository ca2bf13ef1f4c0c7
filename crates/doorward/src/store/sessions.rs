//! Who is signed in. A token itself is never kept, only its SHA-256.

use doorward_core::policy::Person;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
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
    fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
        }
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
    /// Its end.
    pub ends: Timestamp,
    /// The address from which they signed in.
    pub origin: String,
    /// What ties it to the person's password: a digest keyed with the token, so it tells nothing by itself.
    pub bound: String,
}

/// Sessions that a person may have at once; the oldest go.
const AT_ONCE: i64 = 32;

fn digest(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Keeps a session under its token, and forgets those that are over.
    pub async fn keep_session(&self, token: &str, session: &Session) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool).await?;
        let done = keep(&mut writing, token, session).await;
        writing.end(done).await
    }

    /// The session of a token, unless it is over.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let row = sqlx::query(
            "SELECT person, kind, made, ends, origin, bound FROM sessions WHERE token = $1 AND ends > $2",
        )
        .bind(digest(token))
        .bind(now.as_millisecond())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let person: String = row.try_get(0)?;
        let kind: String = row.try_get(1)?;
        Ok(Some(Session {
            person: person.parse().map_err(|error| Error::damaged("session", error))?,
            kind: if kind == "api" { SessionKind::Api } else { SessionKind::Browser },
            made: instant(row.try_get(2)?),
            ends: instant(row.try_get(3)?),
            origin: row.try_get(4)?,
            bound: row.try_get(5)?,
        }))
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
}

async fn keep(connection: &mut AnyConnection, token: &str, session: &Session) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sessions (token, person, kind, made, ends, origin, bound) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(digest(token))
    .bind(session.person.as_str())
    .bind(session.kind.as_str())
    .bind(session.made.as_millisecond())
    .bind(session.ends.as_millisecond())
    .bind(&session.origin)
    .bind(&session.bound)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM sessions WHERE ends <= $1")
        .bind(session.made.as_millisecond())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE person = $1 AND token NOT IN \
         (SELECT token FROM sessions WHERE person = $2 ORDER BY made DESC, token LIMIT $3)",
    )
    .bind(session.person.as_str())
    .bind(session.person.as_str())
    .bind(AT_ONCE)
    .execute(&mut *connection)
    .await?;
    Ok(())
}
