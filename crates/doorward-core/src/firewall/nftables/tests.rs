//! The texts of tables, kept as files, and recorded answers of nft compared with what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::SignedDuration;

use super::*;
use crate::decision::{Decision, Past, Request, decide};
use crate::grant::{Grant, GrantId};
use crate::policy::{
    Address, GrantDefaults, HashKind, Lasts, Limits, PasswordHash, People, PeopleFiles, Policy, Server,
    Transport,
};

fn now() -> Timestamp {
    "2026-11-22T10:00:00.25Z".parse().expect("an instant")
}

fn by() -> InstallationId {
    InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b])
}

fn policy(statics: &[&str], targets: &[(&str, &str, &[&str])]) -> Policy {
    let firewall = Firewall {
        name: "bastion".parse().expect("a name"),
        about: String::new(),
        kind: Enforcement::Nftables { table: "doorward".into() },
        statics: statics.iter().map(|cidr| cidr.parse().expect("a prefix")).collect(),
    };
    let target = |(name, address, ports): &(&str, &str, &[&str])| Target {
        name: name.parse().expect("a name"),
        about: String::new(),
        address: Address::Host((*address).into()),
        names: None,
        ports: ports.iter().map(|flow| flow.parse().expect("a flow")).collect(),
        groups: BTreeSet::from(["dbs".parse().expect("a group")]),
        transports: BTreeSet::from([Transport::Direct]),
        firewall: Some(firewall.name.clone()),
        lasts: Lasts { usually: SignedDuration::from_hours(2), at_most: SignedDuration::from_hours(8) },
        approval: None,
        reason_required: false,
        limit: None,
    };
    Policy {
        people: PeopleFiles {
            passwords: String::new(),
            groups: String::new(),
            operators: BTreeSet::new(),
            least_length: 10,
        },
        server: Server {
            listen: ([127, 0, 0, 1], 0).into(),
            url: None,
            tls: None,
            proxies: Vec::new(),
            insecure: false,
            proxy_protocol: false,
            store: String::new(),
            url_v4: None,
            url_v6: None,
            sessions: crate::policy::Sessions::default(),
        },
        grants: GrantDefaults {
            ipv6_prefix: 64,
            reason_required: false,
            // Tests have no other addresses than those for documentation.
            special_networks: ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
                .map(|network| network.parse().expect("a network"))
                .into(),
        },
        limits: Limits::default(),
        audit: Default::default(),
        aws: crate::inventory::AccountRegion::default(),
        ssm: None,
        ssh: None,
        topology: Default::default(),
        prices: None,
        intents: Vec::new(),
        inventory: None,
        targets: targets.iter().map(|given| (given.0.parse().expect("a name"), target(given))).collect(),
        firewalls: BTreeMap::from([(firewall.name.clone(), firewall)]),
    }
}

fn grants(policy: &Policy, wanted: &[(&str, &str, &str)]) -> Vec<Grant> {
    let mut people = People::default();
    for (person, ..) in wanted {
        let person: crate::policy::Person = person.parse().expect("a person");
        people.groups.entry("dbs".parse().expect("a group")).or_default().insert(person.clone());
        people.passwords.insert(person, PasswordHash::decoy(HashKind::Bcrypt, 4));
    }
    let open = |(index, (person, from, target)): (usize, &(&str, &str, &str))| {
        let request = Request {
            id: GrantId::from_random([u8::try_from(index).expect("few"); 8]),
            person: person.parse().expect("a person"),
            from: from.parse().expect("an address"),
            target: target.parse().expect("a target"),
            transport: None,
            lasts: None,
            reason: None,
        };
        match decide(policy, &people, &request, &Past::default(), now()) {
            Decision::Granted { grant, .. } => grant,
            other => panic!("{other:?}"),
        }
    };
    wanted.iter().enumerate().map(open).collect()
}

fn table(policy: &Policy) -> Table {
    let firewall = policy.firewalls.values().next().expect("a firewall");
    Table::new(firewall, policy.targets.values(), &by(), |_| false).expect("a table")
}

fn ruleset(policy: &Policy, grants: &[Grant]) -> Ruleset {
    let live = grants.iter().filter_map(|grant| grant.live(now()));
    super::super::rulesets(policy, live).into_values().next().expect("one firewall")
}

/// Compares with a file of `golden/`, which `GOLDEN=write` writes.
fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/firewall/nftables/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&file, text).expect("a golden file is written");
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(golden == text, "{name} differs; see with GOLDEN=write and git diff");
}

const DATABASE: &[(&str, &str, &[&str])] = &[("orders-db", "db.example.org", &["tcp/5432"])];

#[test]
fn nobody_is_let_in_and_everything_stays_guarded() {
    let policy = policy(&[], DATABASE);
    check("nobody.nft", &table(&policy).transaction(&Ruleset::default(), now()));
}

#[test]
fn grants_and_statics_stand_in_their_sets() {
    let policy = policy(&["198.51.100.0/25", "198.51.100.128/25", "2001:db8:ffff::/48"], DATABASE);
    let wanted = [
        ("jon", "203.0.113.7", "orders-db"),
        ("rené", "::ffff:203.0.113.8", "orders-db"),
        ("maria", "2a00:db8:1:2:3:4:5:6", "orders-db"),
    ];
    let ruleset = ruleset(&policy, &grants(&policy, &wanted));
    check("database.nft", &table(&policy).transaction(&ruleset, now()));
}

const MANY: &[(&str, &str, &[&str])] = &[
    ("orders-db", "10.0.0.5", &["tcp/5432"]),
    ("tickets-db", "10.0.0.6", &["tcp/5432"]),
    ("names", "2001:db8::53", &["udp/53", "tcp/53"]),
    ("ping", "gateway.example.org", &["icmp/8/0", "icmpv6/128"]),
    ("tunnel", "10.0.0.7", &["proto/47"]),
    ("lab", "10.0.9.9", &["all", "icmpv6"]),
    ("passive", "ftp.example.org", &["tcp/21", "tcp/50000-51000", "tcp/0-65535"]),
];

#[test]
fn every_kind_of_flow_has_its_words() {
    let policy = policy(&["0.0.0.0/0"], MANY);
    let wanted = [("jon", "203.0.113.7", "orders-db"), ("jon", "203.0.113.7", "lab")];
    let ruleset = ruleset(&policy, &grants(&policy, &wanted));
    check("every-flow.nft", &table(&policy).transaction(&ruleset, now()));
}

#[test]
fn a_port_of_this_machine_is_refused_at_all_its_addresses() {
    let policy = policy(&[], &MANY[..6]);
    let firewall = policy.firewalls.values().next().expect("a firewall");
    let local = ["10.0.0.5", "2001:db8::53", "10.0.9.9"].map(|address| address.parse().expect("an address"));
    let is_local = |address: IpAddr| local.contains(&address);
    let table = Table::new(firewall, policy.targets.values(), &by(), is_local).expect("a table");
    let ruleset = ruleset(&policy, &grants(&policy, &[("jon", "203.0.113.7", "orders-db")]));
    check("local.nft", &table.transaction(&ruleset, now()));
    // Nobody but who is admitted to the target's own address.
    let sets = |table: &Table| table.sets(&ruleset, now()).into_keys().collect::<Vec<_>>();
    assert_eq!(sets(&table), sets(&self::table(&policy)));
}

#[test]
fn a_grant_to_one_target_opens_no_neighbour() {
    let policy = policy(&[], MANY);
    let grants =
        grants(&policy, &[("jon", "203.0.113.7", "orders-db"), ("jon", "203.0.113.7", "tickets-db")]);
    let one = ruleset(&policy, grants.get(..1).expect("the first"));
    let table = table(&policy);
    let admitted = |ruleset: &Ruleset| -> Vec<String> {
        let sets = table.sets(ruleset, now()).into_iter();
        sets.filter(|(_, set)| !set.elements.is_empty()).map(|(name, _)| name).collect()
    };
    assert_eq!(admitted(&one), ["tcp_5432_at_10.0.0.5.v4.32"]);
    assert_eq!(
        admitted(&ruleset(&policy, &grants)),
        ["tcp_5432_at_10.0.0.5.v4.32", "tcp_5432_at_10.0.0.6.v4.32"]
    );
}

#[test]
fn an_element_lives_for_exactly_what_is_left() {
    let policy = policy(&[], DATABASE);
    let ruleset = ruleset(&policy, &grants(&policy, &[("jon", "203.0.113.7", "orders-db")]));
    let end = now() + SignedDuration::from_hours(2);
    for (at, expected) in [
        (now(), Some(" timeout 7200000ms ")),
        (end - SignedDuration::from_millis(1500), Some(" timeout 1500ms ")),
        (end - SignedDuration::from_nanos(1), None),
        (end, None),
        (end + SignedDuration::from_hours(1), None),
    ] {
        let text = table(&policy).transaction(&ruleset, at);
        match expected {
            Some(expected) => assert!(text.contains(expected), "{at}: {text}"),
            None => assert!(!text.contains("203.0.113.7"), "{at}: {text}"),
        }
    }
}

#[test]
fn a_comment_is_cut_where_it_hurts_least() {
    let long = "t".repeat(63);
    let policy = policy(&[], &[(&long, "db.example.org", &["tcp/5432"])]);
    let person = "é".repeat(31);
    let ruleset = ruleset(&policy, &grants(&policy, &[(&person, "203.0.113.7", &long)]));
    let comment = table(&policy).comment(ruleset.iter().next().expect("a rule"));
    assert!(comment.len() <= LONGEST_COMMENT, "{comment}");
    assert!(comment.starts_with("doorward 3f9c2a1b g-aaaaaaaaaaaa =C3=A9"), "{comment}");
    assert!(comment.ends_with(" to ttttttttttttttt* until 2026-11-22T12:00:01Z"), "{comment}");
}

#[test]
fn a_table_has_a_plain_name() {
    for name in ["", "9lives", "a b", "a;flush ruleset", "ä", "x\n", &"x".repeat(32)] {
        assert_eq!(name.parse::<TableName>(), Err(NotATable::Name(name.into())), "{name:?}");
    }
    assert!("doorward-2.test_1".parse::<TableName>().is_ok());
}

/// What nftables 1.0.6 answered for `standing.nft`, made of the same policy and grants a while before.
const ANSWER: &str = include_str!("golden/standing.json");

fn answered() -> (Policy, Vec<Grant>) {
    let policy = policy(&["198.51.100.0/24", "198.51.101.0/25", "2001:db8:ffff::/48"], DATABASE);
    let wanted = [("jon", "203.0.113.7", "orders-db"), ("maria", "2a00:db8:1:2:3:4:5:6", "orders-db")];
    let grants = grants(&policy, &wanted);
    (policy, grants)
}

#[test]
fn the_text_that_was_answered_is_still_ours() {
    let (policy, grants) = answered();
    check("standing.nft", &table(&policy).transaction(&ruleset(&policy, &grants), now()));
}

/// The differences that are found when the answer, or what is wanted of it, was changed.
fn differences(change: impl Fn(String) -> String, keep: usize) -> Vec<String> {
    let (policy, grants) = answered();
    let ruleset = ruleset(&policy, grants.get(..keep).expect("that many"));
    let existing = ExistingTable::read(&change(ANSWER.into())).expect("an answer");
    let found = table(&policy).difference(&ruleset, Some(&existing), now());
    found.iter().map(ToString::to_string).collect()
}

fn replaced(from: &str, to: &str, count: usize) -> impl Fn(String) -> String {
    move |answer: String| {
        assert_eq!(answer.matches(from).count(), count, "{from}");
        answer.replace(from, to)
    }
}

#[test]
fn what_stands_as_wanted_differs_in_nothing() {
    assert_eq!(differences(|answer| answer, 2), [""; 0]);
}

#[test]
fn drift_is_said_in_words() {
    assert_eq!(
        differences(replaced("203.0.113.7", "203.0.113.9", 1), 2),
        [
            "203.0.113.7/32 was not admitted to tcp/5432 (doorward 3f9c2a1b g-aaaaaaaaaaaa jon to orders-db until \
             2026-11-22T12:00:01Z)",
            "203.0.113.9/32 was admitted to tcp/5432 (doorward 3f9c2a1b g-aaaaaaaaaaaa jon to orders-db until \
             2026-11-22T12:00:01Z)",
        ]
    );
    assert_eq!(
        differences(|answer| answer, 1),
        [
            "2a00:db8:1:2::/64 was admitted to tcp/5432 (doorward 3f9c2a1b g-biacsaeabiac maria to orders-db until \
          2026-11-22T12:00:01Z)"
        ]
    );
    assert_eq!(
        differences(
            replaced(
                "\"expires\": 7199, \"comment\": \"doorward 3f9c2a1b g-aaa",
                "\"expires\": 900000, \"comment\": \"doorward 3f9c2a1b g-aaa",
                1
            ),
            2
        ),
        ["203.0.113.7/32 was admitted to tcp/5432 for 900000 s more instead of for 7200 s"]
    );
    assert_eq!(
        differences(
            replaced(
                "\"timeout\": 7200, \"expires\": 7199, \"comment\": \"doorward 3f9c2a1b g-aaa",
                "\"comment\": \"doorward 3f9c2a1b g-aaa",
                1
            ),
            2
        ),
        ["203.0.113.7/32 was admitted to tcp/5432 without an end instead of for 7200 s"]
    );
    assert_eq!(
        differences(replaced("198.51.100.0", "198.51.0.0", 1), 2),
        [
            "198.51.100.0/24 was not admitted to tcp/5432 (doorward 3f9c2a1b static bastion)",
            "198.51.0.0/24 was admitted to tcp/5432 (doorward 3f9c2a1b static bastion)",
        ]
    );
}

#[test]
fn rules_by_hand_are_found() {
    assert_eq!(
        differences(replaced("\"comment\": \"not admitted\", ", "", 2), 2),
        ["the rules of chain `refused` were not the ones that we made"]
    );
    assert_eq!(
        differences(replaced("\"policy\": \"accept\"", "\"policy\": \"drop\"", 3), 2),
        ["input", "forward", "output"]
            .map(|name| format!("chain `{name}` had another hook, priority or policy"))
    );
    assert_eq!(
        differences(replaced("{\"metainfo\"", "{\"map\": {\"name\": \"m\"}}, {\"metainfo\"", 1), 2),
        ["there was a map `m` that is not ours"]
    );
    assert_eq!(
        differences(replaced("{\"metainfo\"", "{\"chain\": {\"name\": \"c\"}}, {\"metainfo\"", 1), 2),
        ["there was a chain `c` that is not ours"]
    );
    assert_eq!(
        differences(replaced("doorward.3f9c2a1b.", "doorward.3f9c2a1b.0", 1), 2),
        ["the table was made for other targets or by another release"]
    );
    let (policy, grants) = answered();
    let found = table(&policy).difference(&ruleset(&policy, &grants), None, now());
    assert_eq!(found, [Difference::TableGone]);
}

#[test]
fn a_table_of_others_is_known() {
    let (policy, _) = answered();
    let table = table(&policy);
    let owned = |answer: &str| ExistingTable::read(answer).expect("an answer").owned(&table);
    assert_eq!(owned(ANSWER), Ok(()));
    let other = ANSWER.replace("doorward.3f9c2a1b.", "doorward.00000001.");
    assert_eq!(
        owned(&other).map_err(|error| error.to_string()),
        Err("table `inet doorward` was made by another installation of Doorward (00000001)".into())
    );
    let foreign = r#"{"nftables": [{"table": {"name": "doorward"}}, {"chain": {"name": "doorward.x"}}]}"#;
    assert_eq!(
        owned(foreign).map_err(|error| error.to_string()),
        Err("table `inet doorward` is there and was not made by Doorward".into())
    );
}

#[test]
fn strange_answers_are_errors() {
    for answer in ["", "nft: no", "[]", "{}", r#"{"nftables": 1}"#, r#"{"nftables": ["x"]}"#] {
        assert!(ExistingTable::read(answer).is_err(), "{answer}");
    }
}
