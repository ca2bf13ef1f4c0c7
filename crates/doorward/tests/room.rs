//! What is decided at once about one security group: its last places are given away once, and nobody waits for others.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod assembled;

use std::sync::Arc;
use std::time::Duration;

use assembled::{HASH, account, assembled};
use doorward::clock::Clock;
use doorward::requests::{Ask, Caller, Error, Opened};
use doorward_core::decision::Refusal;
use doorward_core::inventory::SecurityGroupId;
use jiff::Timestamp;

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"

[server]
store = "doorward.db"

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-00000000000000001"

[target.orders]
address    = "rds:orders"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"

[target.stock]
address    = "rds:stock"
ports      = ["tcp/5433"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"
"#;

const PEOPLE: u8 = 12;
const ROOM: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_places_of_a_group_are_given_away_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
    let passwords: String = people.iter().map(|person| format!("{person}:{HASH}\n")).collect();
    std::fs::write(folder.path().join("people.htpasswd"), passwords).expect("passwords");
    std::fs::write(folder.path().join("people.groups"), format!("dbs: {}\n", people.join(" ")))
        .expect("groups");
    std::fs::write(folder.path().join("doorward.toml"), POLICY).expect("a policy");
    let id: SecurityGroupId = "sg-00000000000000001".parse().expect("an id");
    let account = account(&[id.as_str()]);
    account.set_quota(ROOM);
    let clock = Clock::by_hand(
        || Timestamp::from_millisecond(1_800_000_000_000).expect("an instant"),
        || Duration::ZERO,
    );
    let (requests, mut reconciler) = assembled(&folder.path().join("doorward.toml"), &account, clock).await;
    reconciler.pass().await;
    let passes = tokio::spawn(async move {
        loop {
            reconciler.pass_when_nudged().await;
        }
    });

    // Different people and different targets, so that no turn of theirs is the same: only the group is.
    let opening = (0..PEOPLE).map(|number| {
        let requests = Arc::clone(&requests);
        let person = people[usize::from(number)].parse().expect("a person");
        let ask = Ask {
            target: if number % 2 == 0 { "orders" } else { "stock" }.parse().expect("a target"),
            address: [8, 8, 8, number].into(),
            transport: None,
            lasts: None,
            reason: None,
        };
        let caller = Caller::known(person, None);
        tokio::spawn(async move { requests.open(&caller, ask).await })
    });
    let opening: Vec<_> = opening.collect();
    let (mut open, mut full) = (0, 0);
    for one in opening {
        match one.await.expect("an answer") {
            Ok(Opened::Granted { .. }) => open += 1,
            Err(Error::Refused(reasons)) if matches!(reasons.as_slice(), [Refusal::NoRoom { .. }]) => {
                full += 1
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((open, full), (ROOM, u32::from(PEOPLE) - ROOM));
    passes.abort();
    assert_eq!(account.inventory().groups[&id].rules.len(), 3, "and what is granted stands");
}
