//! Changes of the tables beside the grants, and rows that are put back, deleted and swapped while nothing runs.

use std::fs;

use doorward::store::{Binding, Mark, NotedRule, Session, SessionKind, Store};
use doorward_core::audit::{Event, Table, What, Who};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Connection as _};

use super::story::{Story, loaded, url};
use crate::server::House;

/// The columns of the tables beside the grants, and what tells one row of each from others.
pub(super) const BESIDE: [(&str, &str, &[&str], &[&str]); 4] = [
    ("doors", "place", &["place", "firewall", "seal"], &[]),
    ("passwords", "person", &["person", "seen", "own", "seal"], &[]),
    ("known", "mark", &["mark", "person", "kind", "seal"], &["at"]),
    (
        "sessions",
        "token",
        &["token", "person", "kind", "origin", "bound", "used_from", "seal"],
        &["made", "ends", "used"],
    ),
];

/// Edits each column of what is kept beside the grants, and adds rows: each is found by name of what it is about.
pub(super) async fn alter_beside(house: &House, story: &Story) {
    let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
    let (jon, now): (Person, _) = ("jon".parse().expect("a name"), Timestamp::now());
    let password = Binding::of(&loaded(house).people.passwords[&jon]);
    store.remember_group("group 1", "door", now).await.expect("kept");
    store.see_password(&jon, &password, now).await.expect("noted");
    let (network, device) = (Mark::network(&jon, "x"), Mark::device(&jon, "x"));
    let session = Session {
        person: jon.clone(),
        kind: SessionKind::Api,
        made: now,
        ends: now + SignedDuration::from_hours(12),
        origin: "203.0.113.1".into(),
        used: now,
        bound: "x".into(),
    };
    let event = Event::new(now, Who::Person(jon.clone()), What::SignedIn);
    store.keep_session("token", &session, Some([network, device]), event).await.expect("kept");
    let found = async || store.verify_all(&[]).await.expect("a store").found;
    assert_eq!(found().await, Vec::<String>::new());
    let mut connection = AnyConnection::connect(&url(&story.store)).await.expect("a connection");
    let mut run = async |statement: String| {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut connection).await;
        assert!(done.expect("a statement").rows_affected() > 0, "{statement}");
    };
    for (table, key, texts, numbers) in BESIDE {
        let edited = |column: &str, edit: &str| format!("UPDATE {table} SET {column} = {edit}");
        let one = if table == "known" { " WHERE kind = 'network'" } else { "" };
        let other = if table == "known" { " WHERE kind <> 'device'" } else { "" };
        for column in texts {
            run(edited(column, &format!("{column} || '!'")) + one).await;
            let told = found().await;
            // One that has another name is missing under its own as well.
            assert_eq!(told.len(), if *column == key { 2 } else { 1 }, "{table}.{column}: {told:?}");
            run(edited(column, &format!("replace({column}, '!', '')")) + other).await;
        }
        for column in numbers {
            run(edited(column, &format!("{column} + 1")) + one).await;
            let told = found().await;
            assert_eq!(told.len(), 1, "{table}.{column}: {told:?}");
            run(edited(column, &format!("{column} - 1")) + other).await;
        }
        assert_eq!(found().await, Vec::<String>::new(), "{table}");
        let columns: Vec<&str> = texts.iter().chain(numbers).copied().collect();
        let copied: Vec<String> = columns
            .iter()
            .map(|column| if *column == key { format!("{key} || '2'") } else { (*column).to_owned() })
            .collect();
        let (columns, copied) = (columns.join(", "), copied.join(", "));
        run(format!("INSERT INTO {table} ({columns}) SELECT {copied} FROM {table}{one}")).await;
        let told = found().await;
        assert_eq!(told.len(), 1, "{table}: {told:?}");
        run(format!("DELETE FROM {table} WHERE {key} IN (SELECT {key} || '2' FROM {table})")).await;
        assert_eq!(found().await, Vec::<String>::new(), "{table}");
    }
    store.close().await;
}

/// Of another password than anybody has.
pub(super) const OTHER: &str = "$2y$04$abcdefghijklmnopqrstuuLceGeskU4GolGQywMqjrYT0Gfi4ExSa";

/// The rows of a table that somebody kept a copy of, to put them back later.
pub(super) async fn copied(connection: &mut AnyConnection, table: &str, name: &str) {
    for statement in [
        format!("DROP TABLE IF EXISTS {name}_{table}"),
        format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.expect("a copy");
    }
}

/// Puts earlier rows of each table back, deletes rows, and has people swap theirs, each while nothing runs: the next start
/// believes none of it.
pub(super) async fn put_back(house: &House, story: &Story) {
    let mut connection = AnyConnection::connect(&url(&story.store)).await.expect("a connection");
    let now = Timestamp::now();
    let [jon, eve]: [Person; 2] = ["jon", "eve"].map(|name| name.parse().expect("a name"));
    let loaded = loaded(house);
    let password = |person: &Person| Binding::of(&loaded.people.passwords[person]);
    let session = |person: &Person| Session {
        person: person.clone(),
        kind: SessionKind::Api,
        made: now,
        ends: now + SignedDuration::from_hours(12),
        origin: "203.0.113.1".into(),
        used: now,
        bound: "x".into(),
    };
    let marks = |person: &Person, from: &str| [Mark::network(person, from), Mark::device(person, from)];
    let signed_in = |person: &Person| Event::new(now, Who::Person(person.clone()), What::SignedIn);
    let rule = |id: &str| NotedRule {
        id: id.parse().expect("an id"),
        group: "sg-00000000000000001".parse().expect("an id"),
        noted: now,
    };
    let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
    for table in Table::ALL {
        store.mend(table, now).await.expect("mended");
    }
    for person in [&jon, &eve] {
        let (token, begun, marks) = (format!("{person} ends"), session(person), marks(person, "before"));
        store.keep_session(&token, &begun, Some(marks), signed_in(person)).await.expect("kept");
        store.see_password(person, &password(person), now).await.expect("noted");
    }
    store.remember_group("group 2", "door", now).await.expect("kept");
    store
        .note_rules(&[rule("sgr-00000000000000001"), rule("sgr-00000000000000002")], now)
        .await
        .expect("noted");
    for table in ["sessions", "known", "passwords", "doors", "rules"] {
        copied(&mut connection, table, "copy").await;
    }
    // All of it is over by now, or another.
    for person in [&jon, &eve] {
        store.end_sessions_of(person, Vec::new(), now).await.expect("ended");
        let later = Session { made: now + SignedDuration::from_secs(1), ..session(person) };
        let (token, marks) = (format!("{person} stays"), marks(person, "before"));
        store.keep_session(&token, &later, Some(marks), signed_in(person)).await.expect("kept");
        let other = Binding::of(&OTHER.parse().expect("a hash"));
        store.see_password(person, &other, now).await.expect("noted");
    }
    store.forget_group("group 2", now).await.expect("forgotten");
    store.remember_group("group 3", "door", now).await.expect("kept");
    store.forget_rules(&[rule("sgr-00000000000000001")], now).await.expect("forgotten");
    store.close().await;
    let found = async || {
        let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
        assert_eq!(store.distrusted(), None);
        let found = store.verify_all(&[]).await.expect("a store").found;
        let signed_in = store.session("jon ends", now).await.expect("read").is_some();
        assert!(!signed_in, "a session that ended signs in");
        for person in [&jon, &eve] {
            let seen = store.seen_passwords(now).await.expect("read").remove(person);
            let old = password(person);
            assert!(seen.is_none_or(|seen| !seen.accepts(&old)), "a password that was replaced is taken");
        }
        store.close().await;
        found.into_iter().filter(|found| !found.contains("nobody has accepted yet")).collect::<Vec<_>>()
    };
    assert_eq!(found().await, Vec::<String>::new());
    for (table, key) in [
        ("sessions", "token"),
        ("known", "mark"),
        ("passwords", "person"),
        ("doors", "place"),
        ("rules", "id"),
    ] {
        copied(&mut connection, table, "now").await;
        let swapped = match table {
            "doors" | "rules" => None,
            _ => Some(format!(
                "UPDATE {table} SET person = CASE person WHEN 'jon' THEN 'eve#' ELSE 'jon#' END"
            )),
        };
        let edits = [
            Some(format!(
                "INSERT INTO {table} SELECT * FROM copy_{table} WHERE {key} NOT IN (SELECT {key} FROM {table})"
            )),
            Some(format!(
                "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM copy_{table}); \
                          INSERT INTO {table} SELECT * FROM copy_{table}"
            )),
            Some(format!("DELETE FROM {table}")),
            Some(format!("DELETE FROM {table} WHERE {key} = (SELECT max({key}) FROM {table})")),
            swapped.map(|swapped| format!("{swapped}; UPDATE {table} SET person = replace(person, '#', '')")),
        ];
        for edit in edits.into_iter().flatten() {
            let mut changed = 0;
            for statement in edit.split("; ") {
                let done =
                    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
                changed += done.unwrap_or_else(|error| panic!("{statement}: {error}")).rows_affected();
            }
            // Nobody's earlier sign-in is another: those rows stay under their names.
            if changed > 0 {
                assert!(!found().await.is_empty(), "{edit} was not found");
            }
            for statement in
                [format!("DELETE FROM {table}"), format!("INSERT INTO {table} SELECT * FROM now_{table}")]
            {
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("put back");
            }
            assert_eq!(found().await, Vec::<String>::new(), "{table}");
        }
    }
    // Without the head nobody can say what was cut off.
    fs::remove_file(&story.files.head).expect("a head");
    let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
    assert!(store.distrusted().is_some_and(|why| why.contains("is missing")));
    let open = store.unsettled().await.expect("grants").grants.into_iter().filter(|grant| !grant.ended());
    assert_eq!(open.count(), 0);
    let verified = store.verify_all(&[]).await.expect("a store");
    let accepted = |what| Event::new(now, Who::Doorward, what);
    store.accept(verified.head, accepted, verified.found).await.expect("accepted");
    assert_eq!(store.distrusted(), None);
    store.close().await;
}
