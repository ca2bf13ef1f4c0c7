//! The store under the hands of somebody who can write it and has no key: every change is found, and none lets anybody in.

mod change;
mod rows;
mod story;
mod tables;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use doorward::store::Store;
use doorward_core::grant::Grant;
use jiff::Timestamp;
use libtest_mimic::{Failed, Trial};
use sqlx::{AnyConnection, Connection as _};

use crate::desk::{Desk, Wiki};
use crate::need::{Need, trial};
use crate::server::House;
use crate::stores::new_database;
use change::{Chance, change};
use rows::{alter_beside, put_back};
use story::{Story, story, url};
use tables::Tables;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("altered: 1,000 changes of an SQLite store are found, and let nobody in", &[], sqlite),
        trial(
            "altered: 1,000 changes of a PostgreSQL store are found, and let nobody in",
            &[Need::Postgres],
            postgres,
        ),
        trial(
            "altered: a grant that was altered ends when somebody reads it, and not at the next poll",
            &[],
            read,
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
        let unsettled = store.unsettled().await.map(|unsettled| unsettled.grants).unwrap_or_default();
        let others = store.waiting().await.unwrap_or_default();
        for grant in unsettled.iter().chain(&others).filter(|grant| !grant.ended()) {
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

/// How long a server that looks every 30 seconds may take to end what somebody has just read.
const AT_ONCE: Duration = Duration::from_secs(5);

fn read() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"1h\", at-most = \"8h\" }");
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let alter = |statement: &'static str| {
        let store = house.folder().join("doorward.db").display().to_string();
        runtime().block_on(async {
            let mut connection = AnyConnection::connect(&url(&store)).await.expect("a connection");
            sqlx::query(statement).execute(&mut connection).await.expect("altered");
        });
    };
    let later =
        "UPDATE grants SET body = replace(body, '\"until\":\"20', '\"until\":\"21') WHERE state = 'open'";
    let maria = Desk::new(&house, "maria");
    maria.signs_in(&server);
    // Of one that is missing nobody knows whose it was: whoever reads all of them notices.
    let deleted = "DELETE FROM grants WHERE state = 'open'";
    for (statement, reads) in [(later, (&jon, "--json")), (deleted, (&maria, "--all"))] {
        jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
        assert!(wiki.lets_in());
        // No pass is due from here on but the one of every half a minute.
        std::thread::sleep(Duration::from_secs(2));
        alter(statement);
        let altered = Instant::now();
        let (desk, option) = reads;
        assert_eq!(desk.run(&["list", option]).code, 0);
        while wiki.lets_in() {
            assert!(altered.elapsed() < AT_ONCE, "{statement}: {:?}", altered.elapsed());
        }
    }
    drop(server);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("nobody has accepted yet what was found before: the grant"), "{err}");
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
        let unsettled = sealed.unsettled().await.expect("grants");
        let live: Vec<Grant> = unsettled.grants.into_iter().filter(|grant| !grant.ended()).collect();
        assert_eq!(live, story.live, "what the lines tell of stays, and nothing else");
        assert_eq!(unsettled.mistrusted.len(), 1);
        sealed.end_mistrusted(&unsettled.mistrusted, Timestamp::now(), true).await.expect("ended");
        assert_eq!(sealed.alarms().len(), 1);
        let unsettled = sealed.verify_all(&[]).await.expect("a store").found;
        assert!(unsettled.len() == 1 && unsettled[0].ends_with(&sealed.alarms()[0]), "{unsettled:?}");
        sealed.close().await;

        // Once sealed it cannot be made an early one again.
        let mut after = Tables::read(&mut connection).await;
        after.rechain(0, |_, _| None);
        after.record.retain(|row| !row.3.contains("\"log-sealed\""));
        after.rechain(0, |_, _| None);
        after.write(&mut connection).await;
        let again = Store::open_with(&store, &story.files, [9; 4]).await.expect("a store");
        assert!(again.distrusted().is_some());
        let unsettled = again.unsettled().await.expect("grants");
        assert!(unsettled.grants.iter().all(Grant::ended), "{:?}", unsettled.grants);
        again.close().await;
        // Without its key nobody makes a new one behind the operator's back.
        gone(&story.files.key);
        let lost = Store::open_with(&store, &story.files, [9; 4]).await;
        assert!(lost.is_err_and(|error| error.to_string().contains("is missing")));
    });
    Ok(())
}
