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

/// The purpose of the MAC of a row.
pub(super) const SEALED: &str = "known sign-in";

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
    /// All that is remembered. Of a row that somebody without the key has put there nobody is known, and it is deleted.
    pub async fn known(&self, now: Timestamp) -> Result<Vec<Mark>, Error> {
        let since = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::UNIX_EPOCH);
        let rows = sqlx::query(
            "SELECT mark, person, kind, at, seal FROM known WHERE at > $1 ORDER BY at DESC LIMIT $2",
        )
        .bind(since.as_millisecond())
        .bind(READ)
        .fetch_all(&self.pool)
        .await?;
        let mut marks = Vec::with_capacity(rows.len());
        for row in &rows {
            let (mark, person, kind): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let (at, seal): (i64, String) = (row.try_get(3)?, row.try_get(4)?);
            if self.is_seal(&seal, SEALED, &[&mark, &person, &kind, &at.to_string()]) {
                marks.extend(u128::from_str_radix(&mark, 16).ok().map(Mark));
                continue;
            }
            tracing::error!(%person, "that somebody signed in before was put into the store by somebody without the key: they are not known");
            sqlx::query("DELETE FROM known WHERE mark = $1 AND seal = $2")
                .bind(mark)
                .bind(seal)
                .execute(&self.pool)
                .await?;
        }
        Ok(marks)
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
            self.remember_one(&mut writing, person, "network", network, now).await?;
            self.remember_one(&mut writing, person, "device", device, now).await
        }
        .await;
        writing.end(done).await
    }

    async fn remember_one(
        &self,
        connection: &mut AnyConnection,
        person: &Person,
        kind: &str,
        mark: Mark,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (mark, at) = (format!("{:032x}", mark.0), now.as_millisecond());
        let seal = self.seal(SEALED, &[&mark, person.as_str(), kind, &at.to_string()]);
        sqlx::query(
            "INSERT INTO known (mark, person, kind, at, seal) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (mark) DO UPDATE SET \
         person = excluded.person, kind = excluded.kind, at = excluded.at, seal = excluded.seal",
        )
        .bind(mark)
        .bind(person.as_str())
        .bind(kind)
        .bind(at)
        .bind(seal)
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
    #[tokio::test]
    async fn by_a_row_that_somebody_wrote_into_the_store_nobody_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let jon: Person = "jon".parse().expect("a name");
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().expect("an instant");
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (home, laptop) = (Mark::network(&jon, "203.0.113.7/32"), Mark::device(&jon, "secret"));
        let theirs = format!("{:032x}", Mark::network(&jon, "198.51.100.66/32").0);
        for edit in [
            format!("UPDATE known SET mark = '{theirs}' WHERE kind = 'network'"),
            "UPDATE known SET at = at + 1 WHERE kind = 'network'".into(),
            "UPDATE known SET person = 'lee' WHERE kind = 'network'".into(),
            "UPDATE known SET seal = '' WHERE kind = 'network'".into(),
        ] {
            store.remember(&jon, home, laptop, now).await.expect("remembered");
            assert_eq!(
                store.known(now - SignedDuration::from_secs(1)).await.expect("read").len(),
                2,
                "{edit}"
            );
            assert!(store.verify().await.expect("read").is_ok());
            sqlx::query(sqlx::AssertSqlSafe(edit.clone())).execute(&store.pool).await.expect("an edit");
            let found = store.verify().await.expect("read").expect_err("a fault");
            assert!(found.contains("signed in before"), "{found}");
            assert_eq!(store.known(now).await.expect("read"), [laptop], "{edit}");
            assert!(store.verify().await.expect("read").is_ok(), "it was deleted");
        }
    }
}
