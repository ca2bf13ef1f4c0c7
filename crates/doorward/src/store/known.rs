//! Who signed in before, from where and with which device: it outlives a restart, so that a restart locks nobody out.

use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Row};

use super::writing::Writing;
use super::{Error, Store};

/// How long a sign-in is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Networks of one person, and devices; the oldest go.
const OF_ONE: i64 = 32;
/// The most that are read.
const READ: i64 = 100_000;

/// What is known of somebody who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub u128);

impl Mark {
    /// A person and the network that they signed in from.
    pub fn network(person: &Person, network: impl std::fmt::Display) -> Self {
        Self::of(&format!("network\0{person}\0{network}"))
    }

    /// A person and the secret that one of their devices got.
    pub fn device(person: &Person, secret: &str) -> Self {
        Self::of(&format!("device\0{person}\0{secret}"))
    }

    fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let first: [u8; 16] = digest.first_chunk().copied().unwrap_or_default();
        Self(u128::from_be_bytes(first))
    }
}

impl Store {
    /// All that is remembered.
    pub async fn known(&self, now: Timestamp) -> Result<Vec<Mark>, Error> {
        let since = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::UNIX_EPOCH);
        let rows = sqlx::query("SELECT mark FROM known WHERE at > $1 ORDER BY at DESC LIMIT $2")
            .bind(since.as_millisecond())
            .bind(READ)
            .fetch_all(&self.pool)
            .await?;
        let marks = rows.iter().map(|row| row.try_get::<String, _>(0));
        let marks: Vec<String> = marks.collect::<Result<_, _>>()?;
        Ok(marks.iter().filter_map(|mark| u128::from_str_radix(mark, 16).ok().map(Mark)).collect())
    }

    /// Remembers that a person signed in from a network and with a device.
    pub async fn remember(
        &self,
        person: &Person,
        network: Mark,
        device: Mark,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = async {
            remember(&mut writing, person, "network", network, now).await?;
            remember(&mut writing, person, "device", device, now).await
        }
        .await;
        writing.end(done).await
    }
}

async fn remember(
    connection: &mut AnyConnection,
    person: &Person,
    kind: &str,
    mark: Mark,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO known (mark, person, kind, at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (mark) DO UPDATE SET at = excluded.at",
    )
    .bind(format!("{:032x}", mark.0))
    .bind(person.as_str())
    .bind(kind)
    .bind(now.as_millisecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM known WHERE person = $1 AND kind = $2 AND mark NOT IN \
         (SELECT mark FROM known WHERE person = $3 AND kind = $4 ORDER BY at DESC, mark LIMIT $5)",
    )
    .bind(person.as_str())
    .bind(kind)
    .bind(person.as_str())
    .bind(kind)
    .bind(OF_ONE)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_known_outlives_the_program_and_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let (jon, lee): (Person, Person) = ("jon".parse().expect("a name"), "lee".parse().expect("a name"));
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().expect("an instant");
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (home, laptop) = (Mark::network(&jon, "203.0.113.7/32"), Mark::device(&jon, "secret"));
        store.remember(&jon, home, laptop, now).await.expect("remembered");
        for number in 0..100 {
            let (network, device) = (Mark::network(&lee, number), Mark::device(&lee, &number.to_string()));
            store.remember(&lee, network, device, now).await.expect("remembered");
        }
        store.close().await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let known = store.known(now).await.expect("read");
        assert!(known.contains(&home) && known.contains(&laptop), "nobody else takes it away");
        assert_eq!(known.len(), 2 + 2 * 32);
        assert_ne!(home, Mark::network(&lee, "203.0.113.7/32"));
        assert_eq!(store.known(now + REMEMBERED).await.expect("read"), []);
    }
}
