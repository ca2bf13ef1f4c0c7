//! Security groups by role, on the example's account: `db` on what holds data, `db_connect` on whoever needs it.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use doorward_core::inventory::{Inventory, SecurityGroupId};
use doorward_core::net::Flow;
use doorward_core::reach::{
    Answer, Change, Code, End, Flows, PathQuery, Reachability, Selector, Verdict, after,
};

const POSTGRES: &str = "tcp/5432";

/// Who carries `db_connect`: a service of ECS, a function, an instance, and a proxy beside `db`.
const CLIENTS: [&str; 4] = ["orders-api", "nightly-report", "web-1", "orders-proxy"];

fn account() -> Inventory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/account");
    doorward_aws::recorded(&folder).expect("the example's account")
}

fn ask(account: &Inventory, from: &str, to: &str, flow: &str) -> Answer {
    let end = |text: &str| Selector::find(text, account).expect(text);
    let flows = Flows::from(flow.parse::<Flow>().expect("a flow"));
    Reachability::of(account.clone()).ask(&end(from), &end(to), Some(&flows))
}

fn check(account: &Inventory, from: &str, to: &str, expected: Verdict) -> Answer {
    let answer = ask(account, from, to, POSTGRES);
    assert_eq!(answer.verdict, expected, "{from} to {to}: {answer:#?}");
    answer
}

fn groups(account: &Inventory, names: &[&str]) -> BTreeSet<SecurityGroupId> {
    let id = |name: &&str| {
        let group = account.groups.values().find(|group| group.name == **name).expect("a group");
        group.id.clone()
    };
    names.iter().map(id).collect()
}

/// The account with other groups on a proxy and on its interfaces.
fn proxy_with(mut account: Inventory, name: &str, names: &[&str]) -> Inventory {
    let groups = groups(&account, names);
    let proxy = account.database_proxies.values_mut().find(|proxy| proxy.name == name).expect("a proxy");
    proxy.groups = groups.clone();
    let mut changed = 0;
    for interface in account.interfaces.values_mut() {
        if interface.description == format!("Network interface for DBProxy {name}") {
            interface.groups = groups.clone();
            changed += 1;
        }
    }
    assert_eq!(changed, 2, "a proxy has an interface in each of two subnets");
    account
}

/// The account without the rule by which `db_connect` admits itself.
fn without_self_reference(account: &Inventory) -> Inventory {
    let group = groups(account, &["db_connect"]).pop_first().expect("a group");
    let written = format!(r#"[{{"group": "{group}", "remove": "tcp/5432 from {group}"}}]"#);
    let changes: Vec<Change> = serde_json::from_str(&written).expect("a change");
    after(account, &changes).expect("the rule stands")
}

#[test]
fn the_example_is_whole() {
    let account = account();
    assert_eq!(account.gaps, Vec::new());
    assert_eq!((account.interfaces.len(), account.groups.len()), (11, 7));
}

#[test]
fn db_on_a_database_admits_nobody_else() {
    let account = account();
    let answer = check(&account, "shop", "orders-prod", Verdict::No);
    let codes: BTreeSet<Code> = answer.blockers.iter().map(|blocker| blocker.code).collect();
    assert!(codes.contains(&Code::SecurityGroup), "{:#?}", answer.blockers);
    let fixes: Vec<String> = answer.blockers.iter().map(|blocker| blocker.fix.to_string()).collect();
    assert!(fixes.iter().all(|fix| !fix.is_empty()), "{fixes:?}");
}

#[test]
fn db_connect_lets_every_kind_of_client_in_and_only_to_its_port() {
    let account = account();
    for client in CLIENTS {
        let answer = check(&account, client, "orders-prod", Verdict::Yes);
        let because: Vec<&str> = answer.hops.iter().map(|hop| hop.because.as_str()).collect();
        let by_role = groups(&account, &["db_connect"]).pop_first().expect("a group").to_string();
        assert!(because.iter().any(|because| because.contains(&by_role)), "{client}: {because:#?}");
        assert_eq!(ask(&account, client, "orders-prod", "tcp/22").verdict, Verdict::No, "{client}");
    }
}

#[test]
fn a_proxy_between_must_carry_both() {
    let account = without_self_reference(&account());
    check(&account, "nightly-report", "orders-proxy", Verdict::Yes);
    check(&account, "orders-proxy", "orders-prod", Verdict::Yes);
    // With `db` alone its clients reach it, and it reaches no database.
    let only_db = proxy_with(account.clone(), "orders-proxy", &["db"]);
    check(&only_db, "nightly-report", "orders-proxy", Verdict::Yes);
    check(&only_db, "orders-proxy", "orders-prod", Verdict::No);
    // With `db_connect` alone it reaches the database, and nobody reaches it.
    let only_connect = proxy_with(account, "orders-proxy", &["db_connect"]);
    check(&only_connect, "nightly-report", "orders-proxy", Verdict::No);
    check(&only_connect, "orders-proxy", "orders-prod", Verdict::Yes);
}

#[test]
fn a_self_reference_opens_ways_that_nobody_asked_for() {
    let account = account();
    // Any process that listens on 5432 on a client is reached by every other client.
    check(&account, "orders-api", "web-1", Verdict::Yes);
    check(&account, "nightly-report", "orders-api", Verdict::Yes);
    // It is what lets a proxy do with `db_connect` alone.
    check(&account, "nightly-report", "reports-proxy", Verdict::Yes);

    let without = without_self_reference(&account);
    check(&without, "orders-api", "web-1", Verdict::No);
    check(&without, "nightly-report", "orders-api", Verdict::No);
    check(&without, "nightly-report", "reports-proxy", Verdict::No);
    for client in CLIENTS {
        check(&without, client, "orders-prod", Verdict::Yes);
    }
}

#[test]
fn the_difference_is_the_ways_of_the_self_reference_and_nothing_else() {
    let account = account();
    let (before, after) =
        (Reachability::of(account.clone()), Reachability::of(without_self_reference(&account)));
    let difference = before.compare(&after);
    assert_eq!(difference.opened, Vec::new());
    let postgres = Flows::from(POSTGRES.parse::<Flow>().expect("a flow"));
    let mut closed = BTreeSet::new();
    for path in &difference.closed {
        assert_eq!(path.flows, postgres, "{path:?}");
        let (End::Role(from), End::Role(to)) = (&path.from, &path.to) else { panic!("{path:?}") };
        closed.insert((*from, *to));
    }
    // Whoever carried `db_connect` reached whoever carried it and not `db`.
    let connect = groups(&account, &["db_connect"]).pop_first().expect("a group");
    let db = groups(&account, &["db"]).pop_first().expect("a group");
    let clients: Vec<_> = before.roles().iter().filter(|role| role.groups.contains(&connect)).collect();
    let expected: BTreeSet<_> = clients
        .iter()
        .flat_map(|from| clients.iter().map(move |to| (from, to)))
        .filter(|(from, to)| !to.groups.contains(&db) && (from.id != to.id || from.members.len() > 1))
        .map(|(from, to)| (from.id, to.id))
        .collect();
    assert!(expected.len() > 8, "{expected:?}");
    assert_eq!(closed, expected);
}

#[test]
fn what_reaches_the_database_is_told_in_one_list() {
    let account = account();
    let to = Some(Selector::find("orders-prod", &account).expect("the database"));
    let reachability = Reachability::of(account);
    let mut senders = BTreeSet::new();
    reachability.paths(&PathQuery { to, ..PathQuery::default() }, &mut |path| {
        senders.insert(match path.from {
            End::Role(id) => reachability.roles()[id.0 as usize].name.clone(),
            End::Internet => {
                format!("internet {:?}", path.addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            End::Remote(id) => id.to_string(),
        });
        std::ops::ControlFlow::Continue(())
    });
    let expected = ["internet [\"192.0.2.44/32\"]", "db_connect", "orders-api", "orders-proxy", "web-1"];
    assert_eq!(senders, expected.map(str::to_owned).into());
}

#[test]
fn a_reader_who_has_read_enough_is_no_failure() {
    for words in [&["--all"][..], &["--all", "--json"], &["--all", "--pairs"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        command.current_dir(folder).args(["reach", "--inventory", "account"]).args(words);
        let mut running =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("doorward runs");
        drop(running.stdout.take());
        let output = running.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert!(output.status.success(), "{words:?}: {}", output.status);
    }
}
