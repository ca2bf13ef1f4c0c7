//! Earlier sign-ins with their network and device: they survive a restart, so that a restart locks nobody out.

use doorward_core::audit::{RowLeft, Table};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row as _;

use super::coverage::{Bind, Turn};
use super::tables::KNOWN;
use super::{Error, Store};

/// How long a sign-in is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Networks of one person, and devices; the oldest go.
const OF_ONE: usize = 32;
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
    /// All that is remembered. Of a row that somebody without the key has put there, or back there, nobody is known.
    pub async fn known(&self, now: Timestamp) -> Result<Vec<Mark>, Error> {
        let since = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::UNIX_EPOCH);
        let binds = [Bind::Number(since.as_millisecond()), Bind::Number(READ)];
        let latest = ("t.at > $1", "t.at DESC LIMIT $2");
        let measured = self.rows_where(None, &KNOWN, latest, &binds, now).await?;
        Ok(measured
            .believed()
            .filter_map(|row| u128::from_str_radix(row.text(0), 16).ok().map(Mark))
            .collect())
    }

    /// Remembers that a person signed in from a network and with a device.
    pub(super) async fn remember(
        &self,
        turn: &mut Turn,
        person: &Person,
        network: Mark,
        device: Mark,
        now: Timestamp,
    ) -> Result<Vec<RowLeft>, Error> {
        let mut rows = Vec::new();
        for (kind, mark) in [("network", network), ("device", device)] {
            let mark = format!("{:032x}", mark.0);
            let fields = [mark, person.to_string(), kind.to_owned(), now.as_millisecond().to_string()];
            rows.push(self.put_row(turn, &KNOWN, &fields).await?);
            let all = "SELECT mark FROM known WHERE person = $1 AND kind = $2 ORDER BY at DESC, mark";
            let all = sqlx::query(all).bind(person.as_str()).bind(kind).fetch_all(&mut **turn).await?;
            for old in all.iter().skip(OF_ONE) {
                let mark: String = old.try_get(0)?;
                sqlx::query("DELETE FROM known WHERE mark = $1").bind(&mark).execute(&mut **turn).await?;
                rows.push(RowLeft::gone(Table::Known, mark));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};

    use super::super::{Session, SessionKind};
    use super::*;

    /// Somebody signs in from a network with a device.
    async fn sign_in(store: &Store, person: &Person, marks: [Mark; 2], now: Timestamp) {
        let session = Session {
            person: person.clone(),
            kind: SessionKind::Browser,
            made: now,
            ends: now + SignedDuration::from_hours(12),
            origin: "203.0.113.7".into(),
            used: now,
            bound: "x".into(),
        };
        let event = Event::new(now, Who::Person(person.clone()), What::SignedIn);
        let token = format!("{marks:?} {now}");
        store.keep_session(&token, &session, Some(marks), event).await.expect("kept");
    }

    #[tokio::test]
    async fn what_is_known_outlives_the_program_and_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let (jon, lee): (Person, Person) = ("jon".parse().expect("a name"), "lee".parse().expect("a name"));
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().expect("an instant");
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (home, laptop) = (Mark::network(&jon, "203.0.113.7/32"), Mark::device(&jon, "secret"));
        sign_in(&store, &jon, [home, laptop], now).await;
        for number in 0..100 {
            let (network, device) = (Mark::network(&lee, number), Mark::device(&lee, &number.to_string()));
            sign_in(&store, &lee, [network, device], now).await;
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
        for (number, edit) in [
            format!("UPDATE known SET mark = '{theirs}' WHERE kind = 'network'"),
            "UPDATE known SET at = at + 1 WHERE kind = 'network'".into(),
            "UPDATE known SET person = 'lee' WHERE kind = 'network'".into(),
            "UPDATE known SET seal = '' WHERE kind = 'network'".into(),
            "UPDATE known SET at = (SELECT at FROM copy), seal = (SELECT seal FROM copy) WHERE kind = 'network'".into(),
            "DELETE FROM known WHERE kind = 'network'".into(),
        ]
        .into_iter()
        .enumerate()
        {
            let now = now + SignedDuration::from_secs(number as i64);
            sign_in(&store, &jon, [home, laptop], now).await;
            if number == 0 {
                let copy = "CREATE TABLE copy AS SELECT * FROM known WHERE kind = 'network'";
                sqlx::query(copy).execute(&store.pool).await.expect("a copy");
            }
            assert_eq!(
                store.known(now - SignedDuration::from_secs(1)).await.expect("read").len(),
                2,
                "{edit}"
            );
            assert_eq!(store.wrong_rows(now, &mut Vec::new()).await.expect("read"), [""; 0]);
            sqlx::query(sqlx::AssertSqlSafe(edit.clone())).execute(&store.pool).await.expect("an edit");
            let found = store.wrong_rows(now, &mut Vec::new()).await.expect("read");
            assert!(!found.is_empty(), "{edit}");
            assert_eq!(store.known(now - SignedDuration::from_secs(9)).await.expect("read"), [laptop], "{edit}");
            store.mend(Table::Known, now).await.expect("mended");
            assert_eq!(store.wrong_rows(now, &mut Vec::new()).await.expect("read"), [""; 0], "{edit}");
            assert!(!store.alarms().is_empty());
        }
    }
}
