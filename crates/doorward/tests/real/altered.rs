//! The store under the hands of somebody who can write it and has no key: every change is found, and none lets anybody in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use doorward::policy_file::{Loaded, PolicyFile};
use doorward::store::{AuditFiles, Binding, Change, Mark, NotedRule, Session, SessionKind, Store};
use doorward_core::audit::{Event, Hash, Table, What, Who};
use doorward_core::decision::{Decision, Past, Request, approve, decide};
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::policy::Person;
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::need::{Need, trial};
use crate::server::House;
use crate::stores::new_database;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("altered: 1,000 changes of an SQLite store are found, and let nobody in", &[], sqlite),
        trial(
            "altered: 1,000 changes of a PostgreSQL store are found, and let nobody in",
            &[Need::Postgres],
            postgres,
        ),
        trial("altered: a store from before there was a key is sealed as it stands", &[], early),
    ]
}

const CHANGES: u64 = 1000;

const POLICY: &str = r#"
[firewall.door]
relay = "127.0.0.1:1"

[target.wiki]
address    = "wiki.internal"
ports      = ["tcp/80"]
groups     = ["staff"]
transports = ["direct"]
firewall   = "door"
lasts      = { usually = "1h", at-most = "8h" }
approval   = { from = ["ops"], above = "2h" }
"#;

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria", "eve"]), ("ops", &["maria", "richard"])];

/// A row of `grants`, one of `record`, and the head: what the store is made of.
type GrantRow = (String, String, String, String, i64, i64, String, String);
type RecordRow = (i64, i64, Option<String>, String);

/// Every table that says what is open, as somebody with a database client sees it.
#[derive(Debug, Clone, PartialEq)]
struct Tables {
    installation: String,
    grants: Vec<GrantRow>,
    record: Vec<RecordRow>,
    head: (i64, String),
}

impl Tables {
    async fn read(connection: &mut AnyConnection) -> Self {
        let all = "SELECT id, person, target, state, changed, settled, seal, body FROM grants ORDER BY id";
        let grants = sqlx::query(all).fetch_all(&mut *connection).await.expect("grants");
        let grant = |row: &AnyRow| {
            (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6), row.get(7))
        };
        let all = "SELECT seq, at, grant_id, line FROM record ORDER BY seq";
        let record = sqlx::query(all).fetch_all(&mut *connection).await.expect("a record");
        let head =
            sqlx::query("SELECT seq, hash FROM head").fetch_one(&mut *connection).await.expect("a head");
        let name =
            sqlx::query("SELECT name FROM installation").fetch_one(&mut *connection).await.expect("a name");
        Self {
            installation: name.get(0),
            grants: grants.iter().map(grant).collect(),
            record: record.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect(),
            head: (head.get(0), head.get(1)),
        }
    }

    async fn write(&self, connection: &mut AnyConnection) {
        let mut writing = connection.begin().await.expect("a transaction");
        for table in ["DELETE FROM grants", "DELETE FROM record", "DELETE FROM head"] {
            sqlx::query(table).execute(&mut *writing).await.expect("an empty table");
        }
        for (id, person, target, state, changed, settled, seal, body) in &self.grants {
            sqlx::query("INSERT INTO grants (id, person, target, state, changed, settled, seal, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
                .bind(id)
                .bind(person)
                .bind(target)
                .bind(state)
                .bind(changed)
                .bind(settled)
                .bind(seal)
                .bind(body)
                .execute(&mut *writing)
                .await
                .expect("a grant");
        }
        for (seq, at, grant, line) in &self.record {
            sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, $2, $3, $4)")
                .bind(seq)
                .bind(at)
                .bind(grant)
                .bind(line)
                .execute(&mut *writing)
                .await
                .expect("a line");
        }
        sqlx::query("INSERT INTO head (id, seq, hash) VALUES (1, $1, $2)")
            .bind(self.head.0)
            .bind(&self.head.1)
            .execute(&mut *writing)
            .await
            .expect("a head");
        sqlx::query("UPDATE installation SET name = $1")
            .bind(&self.installation)
            .execute(&mut *writing)
            .await
            .expect("a name");
        writing.commit().await.expect("a commit");
    }

    /// Chains the lines anew from one on, as anybody can, and puts the head behind them. `mac` says what each line bears
    /// as its MAC then.
    fn rechain(&mut self, from: usize, mut mac: impl FnMut(usize, Option<String>) -> Option<String>) {
        let mut prev = match from {
            0 => Hash::ZERO.to_string(),
            from => field(&self.record[from - 1].3, "hash").unwrap_or_default(),
        };
        for number in from..self.record.len() {
            let line = &mut self.record[number];
            let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(&line.3) else { return };
            object.remove("hash");
            let old = object.remove("mac").and_then(|mac| mac.as_str().map(str::to_owned));
            let seq = number as i64 + 1;
            object.insert("seq".into(), json!(seq));
            object.insert("prev".into(), json!(prev));
            let body = Value::Object(object).to_string();
            prev = Hash::of(body.as_bytes()).to_string();
            let mac = mac(number, old).map(|mac| format!(",\"mac\":\"{mac}\"")).unwrap_or_default();
            line.0 = seq;
            line.3 = format!("{},\"hash\":\"{prev}\"{mac}}}", body.strip_suffix('}').unwrap_or(&body));
        }
        self.head = (self.record.len() as i64, prev);
    }
}

fn field(line: &str, name: &str) -> Option<String> {
    serde_json::from_str::<Value>(line).ok()?.get(name)?.as_str().map(str::to_owned)
}

/// A generator of numbers, the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.next())).collect()
    }

    fn id(&mut self) -> String {
        GrantId::from_random(self.next().to_le_bytes()).to_string()
    }
}

/// A store with a history, and what it was like after each step of it.
struct Story {
    files: AuditFiles,
    noted: Vec<u8>,
    store: String,
    steps: Vec<Tables>,
    live: Vec<Grant>,
}

fn loaded(house: &House) -> Arc<Loaded> {
    PolicyFile::open(&house.policy()).expect("a policy").current()
}

fn wanted(
    loaded: &Loaded,
    person: &str,
    number: u64,
    lasts: Option<SignedDuration>,
    now: Timestamp,
) -> Grant {
    let request = Request {
        id: GrantId::from_random((number * 0x1234_5678_9abc).to_le_bytes()),
        person: person.parse().expect("a name"),
        from: format!("203.0.113.{}", number + 1).parse().expect("an address"),
        target: "wiki".parse().expect("a name"),
        transport: None,
        lasts,
        reason: Some(format!("ticket {number}")),
    };
    match decide(&loaded.policy, &loaded.people, &request, &Past::default(), now) {
        Decision::Granted { grant, .. } | Decision::NeedsApproval { grant, .. } => grant,
        Decision::Refused { reasons } => panic!("{reasons:?}"),
    }
}

fn opened(grant: &Grant) -> What {
    What::Opened {
        grant: grant.id().clone(),
        target: grant.target().clone(),
        transport: grant.transport(),
        source: grant.source(),
        until: grant.until().expect("an end"),
        reason: grant.reason().map(str::to_owned),
        because: "a test".into(),
        person: None,
    }
}

async fn told(store: &Store, before: Option<&Grant>, after: &Grant, by: &Person, now: Timestamp, what: What) {
    let change = Change { before: before.cloned(), after: after.clone() };
    let event = Event::new(now, Who::Person(by.clone()), what);
    store.commit(&[change], vec![event]).await.expect("a commit");
}

/// Grants that are asked for, approved, opened, closed, settled, and some that are live at the end.
async fn story(house: &House, store: &str) -> Story {
    let (loaded, files) =
        (loaded(house), AuditFiles::beside(&house.folder().join("kept").display().to_string()));
    let open = Store::open_with(store, &files, [1, 2, 3, 4]).await.expect("a store");
    let mut connection = AnyConnection::connect(&url(store)).await.expect("a connection");
    let now = Timestamp::now();
    let mut steps = Vec::new();
    let maria: Person = "maria".parse().expect("a name");
    for number in 0..12_u64 {
        let person = ["jon", "eve", "maria"][number as usize % 3];
        let lasts = (number % 4 == 1).then(|| SignedDuration::from_hours(4));
        let mut grant = wanted(&loaded, person, number, lasts, now);
        let by = grant.person().clone();
        if grant.until().is_none() {
            let seconds = 4 * 3600;
            let (id, target, reason) = (grant.id().clone(), grant.target().clone(), None);
            told(&open, None, &grant, &by, now, What::Asked { grant: id, target, seconds, reason }).await;
            if number == 9 {
                continue;
            }
            let richard = "richard".parse().expect("a name");
            let Decision::Granted { grant: approved, .. } =
                approve(&loaded.policy, &loaded.people, &grant, &richard, now)
            else {
                panic!("no approval")
            };
            told(&open, Some(&grant), &approved, &richard, now, opened(&approved)).await;
            grant = approved;
        } else {
            told(&open, None, &grant, &by, now, opened(&grant)).await;
        }
        steps.push(Tables::read(&mut connection).await);
        if number < 7 {
            let how = Ending::Closed { by: maria.clone() };
            let (id, ended) = (grant.id().clone(), grant.end(how.clone(), now));
            told(&open, Some(&grant), &ended, &maria, now, What::Ended { grant: id.clone(), how }).await;
            steps.push(Tables::read(&mut connection).await);
            if number < 5 {
                open.settle(&[id].into()).await.expect("settled");
            }
        }
        open.commit(&[], vec![Event::new(now, Who::Person(by), What::SignedIn)]).await.expect("a commit");
    }
    let verified = open.verify_all(&[]).await.expect("a store");
    assert_eq!(verified.found, Vec::<String>::new());
    let standing = open.standing().await.expect("grants");
    assert!(standing.mistrusted.is_empty(), "{:?}", standing.mistrusted);
    let live: Vec<Grant> = standing.grants.into_iter().filter(|grant| !grant.ended()).collect();
    assert_eq!(live.len(), 5, "{live:?}");
    steps.push(Tables::read(&mut connection).await);
    open.close().await;
    let noted = fs::read(&files.head).expect("a head");
    Story { files, noted, store: store.to_owned(), steps, live }
}

fn url(store: &str) -> String {
    if store.contains("://") { store.to_owned() } else { format!("sqlite://{store}") }
}

/// A grant's body as it would have to be for what somebody wants.
fn forged(body: &str, chance: &mut Chance) -> String {
    let mut value: Value = serde_json::from_str(body).expect("a body");
    let later = (Timestamp::now() + SignedDuration::from_hours(7)).to_string();
    match chance.below(7) {
        0 => value["source"] = json!("0.0.0.0/0"),
        1 => value["source"] = json!("198.51.100.66/32"),
        2 => value["until"] = json!(later),
        3 => value["person"] = json!("eve"),
        4 => value["approved_by"] = json!("maria"),
        5 => value["reason"] = json!("because"),
        _ => value["transport"] = json!("ssm"),
    }
    if chance.below(2) == 0 {
        let life = ["life", "since", "until", "approved_by"];
        for name in ["how", "at", "asked", "seconds", "from"] {
            value.as_object_mut().expect("an object").remove(name);
        }
        for (name, text) in life.iter().zip(["open", &Timestamp::now().to_string(), &later, "maria"]) {
            value[*name] = json!(text);
        }
    }
    value.to_string()
}

/// What a MAC is replaced with by somebody who cannot make one.
fn mac(tables: &Tables, chance: &mut Chance) -> impl FnMut(usize, Option<String>) -> Option<String> + use<> {
    let (kind, random) = (chance.below(4), chance.hex());
    let others: Vec<Option<String>> = tables.record.iter().map(|row| field(&row.3, "mac")).collect();
    move |number, old| match kind {
        0 => old,
        1 => None,
        2 => Some(random.clone()),
        _ => others[(number + 1) % others.len()].clone(),
    }
}

/// One change by somebody who knows everything but the key.
fn change(story: &Story, chance: &mut Chance) -> (Tables, &'static str) {
    let mut tables = story.steps.last().expect("a step").clone();
    let (grants, lines) = (tables.grants.len(), tables.record.len());
    let (at, other) = (chance.below(grants), chance.below(grants));
    let (line, second) = (chance.below(lines), chance.below(lines));
    let what = match chance.below(22) {
        0 => {
            tables.grants[at].7 = forged(&tables.grants[at].7, chance);
            "a body"
        }
        1 => {
            let body = forged(&tables.grants[at].7, chance);
            let value: Value = serde_json::from_str(&body).expect("a body");
            tables.grants[at].3 = value["life"].as_str().unwrap_or_default().to_owned();
            tables.grants[at].1 = value["person"].as_str().unwrap_or_default().to_owned();
            (tables.grants[at].5, tables.grants[at].7) = (0, body);
            "a row, with its columns"
        }
        2 => {
            let mut row = tables.grants[at].clone();
            row.0 = chance.id();
            let mut value: Value = serde_json::from_str(&forged(&row.7, chance)).expect("a body");
            value["id"] = json!(row.0);
            (row.3, row.5, row.7) = ("open".into(), 0, value.to_string());
            tables.grants.push(row);
            "a row more"
        }
        3 => {
            tables.grants.remove(at);
            "a row less"
        }
        4 => {
            let body = tables.grants[at].7.clone();
            tables.grants[at].7 = std::mem::replace(&mut tables.grants[other].7, body);
            "two bodies swapped"
        }
        5 => {
            let name = tables.grants[at].0.clone();
            tables.grants[at].0 = std::mem::replace(&mut tables.grants[other].0, name);
            "two names swapped"
        }
        6 => {
            let earlier: Vec<&GrantRow> = story.steps.iter().flat_map(|step| &step.grants).collect();
            let row = (*chance.one(&earlier)).clone();
            tables.grants.retain(|kept| kept.0 != row.0);
            tables.grants.push(row);
            "an earlier row"
        }
        7 => {
            tables.grants[at].5 ^= 1;
            "whether a row is settled"
        }
        8 => {
            let row = &mut tables.grants[at];
            match chance.below(5) {
                0 => row.1 = "eve".into(),
                1 => row.2 = "safe".into(),
                2 => row.3 = ["open", "waiting", "ended", "x"][chance.below(4)].into(),
                3 => row.4 += 1000,
                _ => row.6 = chance.hex(),
            }
            "a column of a row"
        }
        9 => {
            let text = &mut tables.record[line].3;
            let place = chance.below(text.len());
            let letter = char::from(b'a' + (chance.next() % 26) as u8);
            text.replace_range(place..=place, &letter.to_string());
            "a letter of a line"
        }
        10 => {
            let text = tables.record[line].3.replacen("jon", "eve", 1).replacen("signed-in", "signed-out", 1);
            tables.record[line].3 = text;
            let mac = mac(&tables, chance);
            tables.rechain(line, mac);
            "a line, chained anew"
        }
        11 => {
            tables.record.remove(line);
            if chance.below(2) == 0 {
                let mac = mac(&tables, chance);
                tables.rechain(line, mac);
            }
            "a line less"
        }
        12 => {
            let new = tables.record[second].clone();
            tables.record.insert(line, new);
            let mac = mac(&tables, chance);
            tables.rechain(line, mac);
            "a line twice, chained anew"
        }
        13 => {
            let row = tables.record[line].clone();
            tables.record[line] = std::mem::replace(&mut tables.record[second], row);
            (tables.record[line].0, tables.record[second].0) = (line as i64 + 1, second as i64 + 1);
            if chance.below(2) == 0 {
                let mac = mac(&tables, chance);
                tables.rechain(line.min(second), mac);
            }
            "two lines swapped"
        }
        14 => {
            tables.record.truncate(line);
            let hash = tables.record.last().and_then(|row| field(&row.3, "hash"));
            tables.head = (line as i64, hash.unwrap_or_else(|| Hash::ZERO.to_string()));
            "the end cut off"
        }
        15 => {
            tables.rechain(0, |_, _| None);
            "a record without MACs"
        }
        16 => {
            let (one, two) = (field(&tables.record[line].3, "mac"), field(&tables.record[second].3, "mac"));
            let (one, two) = (one.unwrap_or_default(), two.unwrap_or_default());
            tables.record[line].3 = tables.record[line].3.replace(&one, &two);
            "the MAC of another line"
        }
        17 => {
            match chance.below(4) {
                0 => tables.head.0 += 1 + chance.below(3) as i64,
                1 => tables.head.0 -= 1 + chance.below(3) as i64,
                2 => tables.head.1 = chance.hex(),
                _ => tables.head.1 = "x".into(),
            }
            "the head"
        }
        18 => {
            tables = chance.one(&story.steps[..story.steps.len() - 1]).clone();
            "everything as it was before"
        }
        19 => {
            match chance.below(3) {
                0 => tables.record[line].1 += 1,
                1 => tables.record[line].2 = Some(chance.id()),
                _ => tables.record[line].0 += 1_000_000,
            }
            "a column of a line"
        }
        20 => {
            tables.installation = format!("{:08x}", chance.next() as u32);
            "the name of the installation"
        }
        _ => {
            // The whole thing: a row, and the line that tells of it, at the end or somewhere.
            let mut row = tables.grants[at].clone();
            row.0 = chance.id();
            let mut value: Value = serde_json::from_str(&forged(&row.7, chance)).expect("a body");
            value["id"] = json!(row.0);
            (row.3, row.5, row.7) = ("open".into(), 0, value.to_string());
            let opening = tables.record.iter().find(|row| row.3.contains("\"opened\"")).expect("an opening");
            let mut told: Value = serde_json::from_str(&opening.3).expect("a line");
            told["grant"] = json!(row.0);
            told["source"] = value["source"].clone();
            told["state"] = json!(Hash::of(row.7.as_bytes()).to_string());
            let new = (0, opening.1, Some(row.0.clone()), told.to_string());
            tables.grants.push(row);
            let at = if chance.below(2) == 0 { lines } else { line };
            tables.record.insert(at, new);
            let mac = mac(&tables, chance);
            tables.rechain(at, mac);
            "a row more, with its line"
        }
    };
    tables.grants.sort();
    (tables, what)
}

/// Makes changes, and looks each time what the check says and what would be let in.
async fn alter(story: &Story) {
    let mut connection = AnyConnection::connect(&url(&story.store)).await.expect("a connection");
    let whole = story.steps.last().expect("a step");
    let mut chance = Chance(9);
    let mut number = 0;
    while number < CHANGES {
        let (tables, what) = change(story, &mut chance);
        // A letter replaced with itself is no change. What is another text of the same is one.
        if tables == *whole || is_unsettled(whole, &tables) {
            continue;
        }
        number += 1;
        tables.write(&mut connection).await;
        fs::write(&story.files.head, &story.noted).expect("a head");
        // By the checkpoint, and from the first line.
        if number % 2 == 0 {
            let checkpoint = format!("{}.checkpoint", story.files.head.display());
            let _ = fs::remove_file(checkpoint);
        }
        let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
        let verified =
            store.verify_all(&[]).await.unwrap_or_else(|error| panic!("{number}, {what}: {error}"));
        assert!(!verified.found.is_empty(), "change {number} ({what}) was not found");
        let standing = store.standing().await.map(|standing| standing.grants).unwrap_or_default();
        let others = store.waiting().await.unwrap_or_default();
        for grant in standing.iter().chain(&others).filter(|grant| !grant.ended()) {
            assert!(story.live.contains(grant), "change {number} ({what}) lets in by {grant:?}");
        }
        store.close().await;
        assert_eq!(fs::read(&story.files.head).expect("a head"), story.noted, "change {number} ({what})");
    }
    whole.write(&mut connection).await;
    let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
    assert_eq!(store.verify_all(&[]).await.expect("a store").found, Vec::<String>::new());
    store.close().await;
}

/// The columns of the tables beside the grants, and what tells one row of each from others.
const BESIDE: [(&str, &str, &[&str], &[&str]); 4] = [
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
async fn alter_beside(house: &House, story: &Story) {
    let store = Store::open_with(&story.store, &story.files, [9; 4]).await.expect("a store");
    let (jon, now): (Person, _) = ("jon".parse().expect("a name"), Timestamp::now());
    let password = Binding::of(&loaded(house).people.passwords[&jon]);
    store.keep_door("group 1", "door", now).await.expect("kept");
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
const OTHER: &str = "$2y$04$abcdefghijklmnopqrstuuLceGeskU4GolGQywMqjrYT0Gfi4ExSa";

/// The rows of a table that somebody kept a copy of, to put them back later.
async fn copied(connection: &mut AnyConnection, table: &str, name: &str) {
    for statement in [
        format!("DROP TABLE IF EXISTS {name}_{table}"),
        format!("CREATE TABLE {name}_{table} AS SELECT * FROM {table}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.expect("a copy");
    }
}

/// Puts earlier rows of each table back, deletes rows, and has people swap theirs, each while nothing runs: the next start
/// believes none of it.
async fn put_back(house: &House, story: &Story) {
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
    store.keep_door("group 2", "door", now).await.expect("kept");
    store
        .note_rules(&[rule("sgr-00000000000000001"), rule("sgr-00000000000000002")], now)
        .await
        .expect("noted");
    for table in ["sessions", "known", "passwords", "doors", "rules"] {
        copied(&mut connection, table, "copy").await;
    }
    // All of it is over by now, or another.
    for person in [&jon, &eve] {
        store.end_sessions_of(person, None, Vec::new(), now).await.expect("ended");
        let later = Session { made: now + SignedDuration::from_secs(1), ..session(person) };
        let (token, marks) = (format!("{person} stays"), marks(person, "before"));
        store.keep_session(&token, &later, Some(marks), signed_in(person)).await.expect("kept");
        let other = Binding::of(&OTHER.parse().expect("a hash"));
        store.see_password(person, &other, now).await.expect("noted");
    }
    store.forget_door("group 2", now).await.expect("forgotten");
    store.keep_door("group 3", "door", now).await.expect("kept");
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
    let open = store.standing().await.expect("grants").grants.into_iter().filter(|grant| !grant.ended());
    assert_eq!(open.count(), 0);
    let verified = store.verify_all(&[]).await.expect("a store");
    let accepted = |what| Event::new(now, Who::Doorward, what);
    store.accept(verified.head, accepted, verified.found).await.expect("accepted");
    assert_eq!(store.distrusted(), None);
    store.close().await;
}

/// Whether it was only taken back that the rules of ended grants were seen gone: they are looked for once more.
fn is_unsettled(whole: &Tables, tables: &Tables) -> bool {
    let mut again = tables.clone();
    for row in &mut again.grants {
        let before = whole.grants.iter().find(|before| before.0 == row.0);
        if let Some(before) = before.filter(|_| row.5 == 0 && row.6.is_empty()) {
            (row.5, row.6) = (before.5, before.6.clone());
        }
    }
    again == *whole
}

fn runtime() -> tokio::runtime::Runtime {
    sqlx::any::install_default_drivers();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn sqlite() -> Result<(), Failed> {
    let house = House::new(&GROUPS, POLICY);
    let store = house.folder().join("doorward.db").display().to_string();
    runtime().block_on(async {
        let story = story(&house, &store).await;
        alter(&story).await;
        alter_beside(&house, &story).await;
        put_back(&house, &story).await;
    });
    Ok(())
}

fn postgres() -> Result<(), Failed> {
    let house = House::new(&GROUPS, POLICY);
    let (_cluster, store) = new_database("altered");
    runtime().block_on(async {
        let story = story(&house, &store).await;
        alter(&story).await;
        alter_beside(&house, &story).await;
        put_back(&house, &story).await;
    });
    Ok(())
}

fn early() -> Result<(), Failed> {
    let house = House::new(&GROUPS, POLICY);
    let store = house.folder().join("doorward.db").display().to_string();
    runtime().block_on(async {
        let story = story(&house, &store).await;
        let mut connection = AnyConnection::connect(&url(&store)).await.expect("a connection");
        // As the version before wrote it: no MAC, no key, no head outside.
        let mut tables = story.steps.last().expect("a step").clone();
        tables.rechain(0, |_, _| None);
        for row in &mut tables.grants {
            row.6.clear();
        }
        // Somebody had put a grant of their own into it.
        let mut row = tables.grants.iter().find(|row| row.3 == "open").expect("an open grant").clone();
        let forged = "g-zzzzzzzzzzzz";
        (row.0, row.7) = (forged.into(), row.7.replace(&row.0, forged).replace("203.0.113.", "198.51.100."));
        tables.grants.push(row);
        tables.write(&mut connection).await;
        let gone = |path: &Path| fs::remove_file(path).expect("a file");
        let checkpoint = format!("{}.checkpoint", story.files.head.display());
        gone(&story.files.key);
        gone(&story.files.head);
        gone(Path::new(&checkpoint));

        let sealed = Store::open_with(&store, &story.files, [9; 4]).await.expect("a store");
        assert_eq!(sealed.distrusted(), None);
        let verified = sealed.verify_all(&[]).await.expect("a store");
        assert_eq!(verified.sealed.len(), 1, "{verified:?}");
        assert!(verified.found.iter().all(|found| found.contains(forged)), "{:?}", verified.found);
        let standing = sealed.standing().await.expect("grants");
        let live: Vec<Grant> = standing.grants.into_iter().filter(|grant| !grant.ended()).collect();
        assert_eq!(live, story.live, "what the lines tell of stays, and nothing else");
        assert_eq!(standing.mistrusted.len(), 1);
        sealed.end_mistrusted(&standing.mistrusted, Timestamp::now(), true).await.expect("ended");
        assert_eq!(sealed.alarms().len(), 1);
        let standing = sealed.verify_all(&[]).await.expect("a store").found;
        assert!(standing.len() == 1 && standing[0].ends_with(&sealed.alarms()[0]), "{standing:?}");
        sealed.close().await;

        // Once sealed it cannot be made an early one again.
        let mut after = Tables::read(&mut connection).await;
        after.rechain(0, |_, _| None);
        after.record.retain(|row| !row.3.contains("\"log-sealed\""));
        after.rechain(0, |_, _| None);
        after.write(&mut connection).await;
        let again = Store::open_with(&store, &story.files, [9; 4]).await.expect("a store");
        assert!(again.distrusted().is_some());
        let standing = again.standing().await.expect("grants");
        assert!(standing.grants.iter().all(Grant::ended), "{:?}", standing.grants);
        again.close().await;
        // Without its key nobody makes a new one behind the operator's back.
        gone(&story.files.key);
        let lost = Store::open_with(&store, &story.files, [9; 4]).await;
        assert!(lost.is_err_and(|error| error.to_string().contains("is missing")));
    });
    Ok(())
}
