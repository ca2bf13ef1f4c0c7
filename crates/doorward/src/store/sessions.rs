//! Sign-in sessions. A token itself is never stored, only its SHA-256.

use doorward_core::audit::{Event, RowLeft, Table};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row as _;

use super::grants::instant;
use super::tables::{Kept, SESSIONS};
use super::told::{Bind, Turn};
use super::{Error, Mark, Store};

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
    /// Keeps a session under its token with the event that tells of it, and forgets those that are over. `marks` are the
    /// network and the device that they signed in from, which are remembered.
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
        sqlx::query("DELETE FROM sessions WHERE ends <= $1")
            .bind(session.made.as_millisecond())
            .execute(&mut **turn)
            .await?;
        let all = sqlx::query("SELECT token FROM sessions WHERE person = $1 ORDER BY used DESC, token")
            .bind(session.person.as_str())
            .fetch_all(&mut **turn)
            .await?;
        let tokens = all.iter().skip(AT_ONCE).map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        rows.extend(self.delete_sessions(turn, tokens).await?);
        Ok(rows)
    }

    /// The session of a token, unless it is over. One that somebody without the key has put into the store, or back into it,
    /// is none.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let binds = [Bind::Text(digest(token)), Bind::Number(now.as_millisecond())];
        let of_token = ("t.token = $1 AND t.ends > $2", "2");
        let measured = self.rows_where(None, &SESSIONS, of_token, &binds, now).await?;
        let Some((row, wrong)) = measured.rows.into_iter().next() else { return Ok(None) };
        if let Some(wrong) = wrong {
            tracing::error!("{wrong}: the session is not accepted");
            return Ok(None);
        }
        read(&row).map(Some)
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

    /// Ends a session, with the event that tells of it if there is one.
    pub async fn end_session(&self, token: &str, now: Timestamp, event: Option<Event>) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let rows = self.delete_sessions(&mut turn, vec![digest(token)]).await?;
            Ok(((), rows))
        }
        .await;
        let noted =
            (now, "that a sign-in session ended by its time, or by a change of its person".to_owned());
        self.finish(turn, done, event.into_iter().collect(), noted).await
    }

    /// Ends one of a person's sessions, and tells of it. Whether there was one.
    pub async fn end_session_of(&self, person: &Person, id: &str, event: Event) -> Result<bool, Error> {
        let Some(digits) = digits(id) else { return Ok(false) };
        self.find_hidden_sessions(event.at).await;
        let mut turn = self.turn().await?;
        let done = async {
            let tokens = self.tokens_of(&mut turn, person).await?;
            let tokens: Vec<String> = tokens.into_iter().filter(|token| token.starts_with(digits)).collect();
            let there = !tokens.is_empty();
            Ok((there, self.delete_sessions(&mut turn, tokens).await?))
        }
        .await;
        let noted = noted(person, event.at);
        let events = if matches!(done, Ok((true, _))) { vec![event] } else { Vec::new() };
        self.finish(turn, done, events, noted).await
    }

    /// Ends all of a person's sessions, but for the one of a token, with the events that tell of it. How many.
    pub async fn end_sessions_of(
        &self,
        person: &Person,
        but: Option<&str>,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let but = but.map(digest);
        self.find_hidden_sessions(now).await;
        let mut turn = self.turn().await?;
        let done = async {
            let mut tokens = self.tokens_of(&mut turn, person).await?;
            tokens.retain(|token| Some(token) != but.as_ref());
            let ended = tokens.len() as u64;
            Ok((ended, self.delete_sessions(&mut turn, tokens).await?))
        }
        .await;
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
            let others = tokens.iter().filter(|token| **token != old).count() as u64;
            let mut rows = self.delete_sessions(&mut turn, tokens).await?;
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

    /// Has the record say of sessions whose rows somebody took away that they are gone: whoever ends a person's sessions does
    /// not find those, and a row that comes back later must sign nobody in.
    async fn find_hidden_sessions(&self, now: Timestamp) {
        if let Err(error) = self.mend(Table::Sessions, now).await {
            tracing::warn!(%error, "could not check the store for missing sessions");
        }
    }

    async fn tokens_of(&self, turn: &mut Turn, person: &Person) -> Result<Vec<String>, Error> {
        let rows = sqlx::query("SELECT token FROM sessions WHERE person = $1 ORDER BY token")
            .bind(person.as_str())
            .fetch_all(&mut **turn)
            .await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
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

    /// Whoever has a session.
    pub async fn signed_in(&self) -> Result<Vec<Person>, Error> {
        let rows = sqlx::query("SELECT DISTINCT person FROM sessions").fetch_all(&self.pool).await?;
        let names = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
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
mod tests {
    use doorward_core::audit::{What, Who};

    use super::*;

    fn signed_in(now: Timestamp) -> Event {
        Event::new(now, Who::Doorward, What::SignedIn)
    }

    fn session_of_jon(now: Timestamp) -> Session {
        Session {
            person: "jon".parse().expect("a name"),
            kind: SessionKind::Browser,
            made: now,
            ends: now + SignedDuration::from_hours(12),
            origin: "203.0.113.7".into(),
            used: now,
            bound: "x".into(),
        }
    }

    async fn run(store: &Store, statement: &'static str) {
        let done = sqlx::query(statement).execute(&store.pool).await.expect("a statement");
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }

    #[tokio::test]
    async fn a_session_that_ended_signs_nobody_in_although_its_row_is_put_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
        let session = session_of_jon(now);
        let copy = "CREATE TABLE copy AS SELECT * FROM sessions";
        let back = "INSERT INTO sessions SELECT * FROM copy";
        let begin = async || {
            store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
            sqlx::query(copy).execute(&store.pool).await.expect("a copy");
        };
        let is_refused = async || {
            run(&store, back).await;
            assert_eq!(store.session("token", now).await.expect("read"), None);
            assert_eq!(store.sessions_of(&jon, SignedDuration::from_hours(1), now).await.expect("read"), []);
            let found = store.verify().await.expect("read").expect_err("a fault");
            assert!(found.contains("a session of \"jon\" in the store is an earlier one"), "{found}");
            // A start finds it as well, by the checkpoint or by the whole record.
            let again = Store::open(&path, [1; 4]).await.expect("a store");
            assert_eq!(again.session("token", now).await.expect("read"), None);
            again.close().await;
            assert_eq!(store.mend(Table::Sessions, now).await.expect("mended").len(), 1);
            assert_eq!(store.alarms(), [found]);
            sqlx::query("DROP TABLE copy").execute(&store.pool).await.expect("dropped");
        };
        begin().await;
        store.end_session("token", now, None).await.expect("ended");
        is_refused().await;
        begin().await;
        store.end_sessions_of(&jon, None, Vec::new(), now).await.expect("ended");
        is_refused().await;
        begin().await;
        let id = session_id("token");
        assert!(store.end_session_of(&jon, &id, signed_in(now)).await.expect("ended"));
        is_refused().await;
        begin().await;
        let other = Session { bound: "y".into(), ..session.clone() };
        store.replace_sessions("token", "other", &other, |_| signed_in(now)).await.expect("replaced");
        assert!(store.session("other", now).await.expect("read").is_some());
        run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
        assert_eq!(store.session("token", now).await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_session_that_ended_signs_nobody_in_although_its_row_could_not_be_deleted_or_was_hidden() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (now, jon): (_, Person) = (Timestamp::now(), "jon".parse().expect("a name"));
        let session = session_of_jon(now);
        let run = async |statement: &'static str| {
            sqlx::query(statement).execute(&store.pool).await.expect("a statement");
        };
        let keeps = "CREATE TRIGGER keeps BEFORE DELETE ON sessions BEGIN SELECT RAISE(IGNORE); END";
        for token in ["signs out", "another", "all"] {
            store.keep_session(token, &session, None, signed_in(now)).await.expect("kept");
        }
        run(keeps).await;
        store.end_session("signs out", now, Some(signed_in(now))).await.expect("ended");
        assert_eq!(store.session("signs out", now).await.expect("read"), None);
        assert!(store.session("all", now).await.expect("read").is_some());
        assert!(store.end_session_of(&jon, &session_id("another"), signed_in(now)).await.expect("ended"));
        assert_eq!(store.session("another", now).await.expect("read"), None);
        store.end_sessions_of(&jon, None, vec![signed_in(now)], now).await.expect("ended");
        assert_eq!(store.session("all", now).await.expect("read"), None);
        assert_eq!(store.sessions_of(&jon, SignedDuration::from_hours(1), now).await.expect("read"), []);
        store.mend(Table::Sessions, now).await.expect("mended");
        assert!(
            store.alarms().iter().any(|alarm| alarm.contains("is an earlier one")),
            "{:?}",
            store.alarms()
        );
        run("DROP TRIGGER keeps").await;
        run("DELETE FROM sessions").await;
        // One whose row is away while the others end.
        store.keep_session("hidden", &session, None, signed_in(now)).await.expect("kept");
        run("CREATE TABLE copy AS SELECT * FROM sessions").await;
        run("DELETE FROM sessions").await;
        store.end_sessions_of(&jon, None, vec![signed_in(now)], now).await.expect("ended");
        run("INSERT INTO sessions SELECT * FROM copy").await;
        assert_eq!(store.session("hidden", now).await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_session_that_is_missing_is_found_and_an_earlier_use_of_one_ends_it_earlier() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let now = instant(Timestamp::now().as_millisecond());
        let session = session_of_jon(now);
        store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
        let head = store.head().await.expect("a head");
        sqlx::query("CREATE TABLE copy AS SELECT * FROM sessions")
            .execute(&store.pool)
            .await
            .expect("a copy");
        let later = now + SignedDuration::from_mins(30);
        store.use_session("token", &session, "198.51.100.9", later).await.expect("noted");
        assert_eq!(store.head().await.expect("a head"), head, "a use is no entry");
        assert_eq!(store.session("token", later).await.expect("read").expect("a session").used, later);
        run(&store, "DELETE FROM sessions").await;
        run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
        assert_eq!(store.session("token", later).await.expect("read").expect("a session").used, now);
        run(&store, "DELETE FROM sessions").await;
        let found = store.verify().await.expect("read").expect_err("a fault");
        assert!(found.contains("was deleted from the store (session)"), "{found}");
        store.close().await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        assert_eq!(store.mend(Table::Sessions, now).await.expect("mended"), std::slice::from_ref(&found));
        assert_eq!(store.mend(Table::Sessions, now).await.expect("mended"), [""; 0], "once");
        // It is gone by the record now, and stays so.
        run(&store, "INSERT INTO sessions SELECT * FROM copy").await;
        assert_eq!(store.session("token", now).await.expect("read"), None);
        assert_eq!(store.alarms(), [found]);
    }

    #[tokio::test]
    async fn sessions_that_are_over_leave_the_ledger() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let mut now = Timestamp::now();
        for number in 0..3000 {
            now += SignedDuration::from_mins(1);
            let session = Session {
                person: "jon".parse().expect("a name"),
                kind: SessionKind::Browser,
                made: now,
                ends: now + SignedDuration::from_mins(5),
                origin: "203.0.113.7".into(),
                used: now,
                bound: "x".into(),
            };
            let event = Event::new(now, Who::Doorward, What::SignedIn);
            store.keep_session(&number.to_string(), &session, None, event).await.expect("kept");
        }
        let rows = store.trust.inner().ledger.rows();
        assert!(rows < 1200, "{rows}");
        store.close().await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        assert!(store.trust.inner().ledger.rows() < 1200);
    }

    #[tokio::test]
    async fn a_session_that_somebody_wrote_into_the_store_signs_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let session = session_of_jon(now);
        store.keep_session("token", &session, None, signed_in(now)).await.expect("kept");
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
