//! Small policies, and grants under them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use doorward_core::decision::{Decision, Past, Request, decide};
use doorward_core::firewall::{InstallationId, Ruleset, rulesets};
use doorward_core::grant::{Grant, GrantId};
use doorward_core::policy::{
    Address, Enforcement, Firewall, GrantDefaults, Lasts, Limits, People, PeopleFiles, Policy, Server,
    Target, Transport,
};
use jiff::{SignedDuration, Timestamp};

/// `{SHA}` of nothing at all: nobody signs in here.
const HASH: &str = "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=";

/// A policy of one firewall, `door`, and targets behind it: name, address, flows.
pub fn policy(kind: Enforcement, statics: &[&str], targets: &[(&str, &str, &[&str])]) -> Policy {
    let name: doorward_core::policy::FirewallName = "door".parse().expect("a name");
    let target = |(target, address, flows): &(&str, &str, &[&str])| Target {
        name: target.parse().expect("a name"),
        about: String::new(),
        address: Address::Host((*address).into()),
        names: None,
        ports: flows.iter().map(|flow| flow.parse().expect("a flow")).collect(),
        groups: BTreeSet::from(["dbs".parse().expect("a group")]),
        transports: BTreeSet::from([Transport::Direct]),
        firewall: Some(name.clone()),
        lasts: Lasts { usually: SignedDuration::from_hours(1), at_most: SignedDuration::from_hours(8) },
        approval: None,
        reason_required: false,
        limit: None,
    };
    let firewall = Firewall {
        name: name.clone(),
        about: String::new(),
        kind,
        statics: statics.iter().map(|cidr| cidr.parse().expect("a prefix")).collect(),
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
            sessions: doorward_core::policy::Sessions::default(),
        },
        grants: GrantDefaults {
            ipv6_prefix: 64,
            reason_required: false,
            // Tests have no other addresses than those for documentation, and those of networks of their own.
            special_networks: ["10.0.0.0/8", "127.0.0.0/8", "::1", "198.51.100.0/24", "203.0.113.0/24"]
                .map(|network| network.parse().expect("a network"))
                .into(),
        },
        limits: Limits::default(),
        audit: doorward_core::policy::Audit::default(),
        aws: doorward_core::inventory::AccountRegion::default(),
        ssm: None,
        ssh: None,
        topology: Default::default(),
        prices: None,
        intents: Vec::new(),
        inventory: None,
        targets: targets.iter().map(|given| (given.0.parse().expect("a name"), target(given))).collect(),
        firewalls: BTreeMap::from([(name.clone(), firewall)]),
    }
}

/// The installation of all tests.
pub fn installation() -> InstallationId {
    InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b])
}

/// A grant of `jon`'s from now on.
pub fn grant(policy: &Policy, from: &str, target: &str, lasts: SignedDuration) -> Grant {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let jon: doorward_core::policy::Person = "jon".parse().expect("a person");
    let people = People {
        passwords: BTreeMap::from([(jon.clone(), HASH.parse().expect("a hash"))]),
        locked: BTreeSet::new(),
        groups: BTreeMap::from([("dbs".parse().expect("a group"), BTreeSet::from([jon.clone()]))]),
    };
    let request = Request {
        id: GrantId::from_random(SERIAL.fetch_add(1, Ordering::Relaxed).to_le_bytes()),
        person: jon,
        from: from.parse().expect("an address"),
        target: target.parse().expect("a target"),
        transport: None,
        lasts: Some(lasts),
        reason: None,
    };
    match decide(policy, &people, &request, &Past::default(), Timestamp::now()) {
        Decision::Granted { grant, .. } => grant,
        other => panic!("{other:?}"),
    }
}

/// What the firewall admits for these grants now.
pub fn ruleset(policy: &Policy, grants: &[&Grant]) -> Ruleset {
    let live = grants.iter().filter_map(|grant| grant.live(Timestamp::now()));
    rulesets(policy, live).into_values().next().expect("one firewall")
}
