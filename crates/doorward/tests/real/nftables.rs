//! nftables in namespaces: real clients that are refused, admitted and refused again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use doorward::firewall::nftables::{NftError, Nftables, Replaced};
use doorward_core::firewall::nftables::Table;
use doorward_core::grant::Grant;
use doorward_core::policy::{Enforcement, Policy};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;

use crate::need::{Need, TIMED, named};
use crate::netns::{Netns, Probe};
use crate::policies::{grant, installation, policy, ruleset};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft];
    let bounded: [(&str, fn()); 3] = [
        ("the kernel closes by itself", the_kernel_closes),
        ("a live connection is cut", a_live_connection_is_cut),
        ("a live connection is cut when tracking begins in its middle", tracking_that_begins_late),
    ];
    let bounded = named("nftables", &needs, bounded).into_iter().map(|trial| trial.with_kind(TIMED));
    let others: [(&str, fn()); 12] = [
        ("refused, admitted, refused again", refused_admitted_refused),
        ("a static prefix is always in", statics),
        ("other tables are left alone", other_tables),
        ("a table of somebody else is never taken", foreign_table),
        ("two hundred replacements open and close nothing", no_window),
        ("ten thousand grants are one transaction", many),
        ("drift is found and put right", drift),
        ("a pass that changes nothing writes nothing", quiet),
        ("on a router, each destination is its own", router),
        ("a published port is guarded as it was dialled", published),
        ("an address of this machine guards the port at all of them", every_address_of_its_own),
        ("other flows, and the machine's own connections", other_flows),
    ];
    bounded.chain(named("nftables", &needs, others)).collect()
}

/// A server behind its own nftables, and two people elsewhere.
struct World {
    server: Netns,
    near: Netns,
    far: Netns,
    nft: Nftables,
    policy: Policy,
    runtime: tokio::runtime::Runtime,
}

const DOOR: &str = "10.77.1.1:5432";
const DOOR_FAR: &str = "10.77.2.1:5432";
const DOOR_V6: &str = "[2a77:0:0:1::1]:5432";
const DOOR_V6_FAR: &str = "[2a77:0:0:2::1]:5432";
const NEAR: &str = "10.77.1.2";
const FAR: &str = "10.77.2.2";

fn kind() -> Enforcement {
    Enforcement::Nftables { table: "doorward".into() }
}

impl World {
    fn new() -> Self {
        Self::with(policy(kind(), &[], &[("orders-db", "db.example.org", &["tcp/5432"])]))
    }

    fn with(policy: Policy) -> Self {
        let (server, near, far) = (Netns::new(), Netns::new(), Netns::new());
        server.cable(&["10.77.1.1/24", "2a77:0:0:1::1/64"], &near, &["10.77.1.2/24", "2a77:0:0:1::2/64"]);
        server.cable(&["10.77.2.1/24", "2a77:0:0:2::1/64"], &far, &["10.77.2.2/24", "2a77:0:0:2::2/64"]);
        let nft = Nftables::find().and_then(|nft| nft.in_namespace(server.name())).expect("nft");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { server, near, far, nft, policy, runtime }
    }

    /// A container at 10.77.9.2, to which the server forwards.
    fn container(&self) -> Netns {
        self.server.forwards();
        let container = Netns::new();
        self.server.cable(&["10.77.9.1/24"], &container, &["10.77.9.2/24"]);
        container.ip(&["route", "add", "default", "via", "10.77.9.1"]);
        container
    }

    fn serves(&self) -> Probe {
        let server = self.server.probe(&["serve", "[::]:5432"]);
        assert_eq!(server.line(), "listens");
        server
    }

    fn table(&self) -> Table {
        let firewall = self.policy.firewalls.values().next().expect("a firewall");
        let own = ["10.77.1.1", "10.77.2.1", "2a77:0:0:1::1", "2a77:0:0:2::1"];
        let is_local = |address: IpAddr| own.contains(&address.to_string().as_str());
        Table::new(firewall, self.policy.targets.values(), &installation(), is_local).expect("a table")
    }

    fn try_replace(&self, grants: &[&Grant]) -> Result<Replaced, NftError> {
        let ruleset = ruleset(&self.policy, grants);
        self.runtime.block_on(self.nft.replace(&self.table(), &ruleset, Timestamp::now()))
    }

    fn replace(&self, grants: &[&Grant]) -> Replaced {
        self.try_replace(grants).expect("nft takes it")
    }

    fn grant(&self, from: &str) -> Grant {
        grant(&self.policy, from, "orders-db", SignedDuration::from_hours(1))
    }
}

fn refused_admitted_refused() {
    let world = World::new();
    let _server = world.serves();
    assert_eq!(world.near.tries(DOOR), "open", "before there is a table");
    world.replace(&[]);
    for (client, door) in
        [(&world.near, DOOR), (&world.near, DOOR_V6), (&world.far, DOOR_FAR), (&world.far, DOOR_V6_FAR)]
    {
        assert_eq!(client.tries(door), "refused");
    }
    assert_eq!(world.server.tries(DOOR), "open", "the machine itself");

    let v4 = world.grant(NEAR);
    world.replace(&[&v4]);
    assert_eq!(world.near.tries(DOOR), "open");
    assert_eq!(world.near.tries(DOOR_V6), "refused", "the other family is another grant");
    assert_eq!(world.far.tries(DOOR_FAR), "refused");

    // Another address of the same /64, as privacy extensions change it.
    let v6 = world.grant("2a77:0:0:1:aaaa:bbbb:cccc:dddd");
    world.replace(&[&v4, &v6]);
    assert_eq!(world.near.tries(DOOR), "open");
    assert_eq!(world.near.tries(DOOR_V6), "open");
    assert_eq!(world.far.tries(DOOR_V6_FAR), "refused", "the neighbouring /64");

    world.replace(&[]);
    assert_eq!(world.near.tries(DOOR), "refused");
    assert_eq!(world.near.tries(DOOR_V6), "refused");
}

fn the_kernel_closes() {
    let world = World::new();
    let server = world.serves();
    let short = grant(&world.policy, NEAR, "orders-db", SignedDuration::from_secs(2));
    let until = short.until().expect("an end");
    world.replace(&[&short]);
    assert_eq!(world.near.tries(DOOR), "open");
    assert_eq!(server.line(), "closed");
    let talk = world.near.probe(&["talk", DOOR]);
    assert_eq!(talk.line(), "open");

    // From here on nobody does anything.
    assert_eq!(talk.line(), "reset");
    let late = Timestamp::now().duration_since(until);
    assert!(late > SignedDuration::from_millis(-50) && late < SignedDuration::from_millis(700), "{late}");
    assert_eq!(world.near.tries(DOOR), "refused");
    // What timed out is no drift, and with it nothing is left to write.
    assert_eq!(world.replace(&[]), Replaced::default());
}

fn a_live_connection_is_cut() {
    let world = World::new();
    for (from, door) in [(NEAR, DOOR), ("2a77:0:0:1::2", DOOR_V6)] {
        let server = world.serves();
        let jon = world.grant(from);
        world.replace(&[&jon]);
        let talk = world.near.probe(&["talk", door]);
        assert_eq!(talk.line(), "open");
        // This one is silent when it is cut, and is owed an answer.
        let wait = world.near.probe(&["wait", door, "1000"]);
        assert_eq!(wait.line(), "open");
        std::thread::sleep(Duration::from_millis(100));
        // Somebody else's grant comes and goes, and an extension: nothing happens to the two.
        let other = world.grant(FAR);
        world.replace(&[&jon, &other]);
        world.replace(&[&jon]);
        assert_eq!(talk.within(Duration::from_millis(100)), None);

        let closed = Instant::now();
        world.replace(&[]);
        assert_eq!(talk.line(), "reset");
        assert!(closed.elapsed() < Duration::from_millis(700), "{:?}", closed.elapsed());
        // The server's side of both learns of it as soon as it speaks, and nothing that it says gets out.
        assert_eq!(wait.within(Duration::from_millis(1500)), None, "no late answer");
        let ended: Vec<String> = (0..1).filter_map(|_| server.within(Duration::from_secs(3))).collect();
        assert_eq!(ended, ["reset"]);
    }
}

fn tracking_that_begins_late() {
    let world = World::new();
    let _server = world.serves();
    // No table yet and so no tracking; the server speaks last before the table comes.
    let talk = world.near.probe(&["talk", DOOR]);
    assert_eq!(talk.line(), "open");
    let wait = world.near.probe(&["wait", DOOR, "600"]);
    assert_eq!(wait.line(), "open");
    std::thread::sleep(Duration::from_millis(50));
    world.replace(&[]);
    assert_eq!(talk.line(), "reset");
    assert_eq!(wait.within(Duration::from_millis(1500)), None, "no late answer");
}

fn statics() {
    let door: &[(&str, &str, &[&str])] = &[("orders-db", "db.example.org", &["tcp/5432"])];
    let world = World::with(policy(kind(), &["10.77.2.0/25", "10.77.2.128/25", "2a77:0:0:2::/64"], door));
    let _server = world.serves();
    world.replace(&[]);
    assert_eq!(world.far.tries(DOOR_FAR), "open");
    assert_eq!(world.far.tries(DOOR_V6_FAR), "open");
    assert_eq!(world.near.tries(DOOR), "refused");
    assert!(!world.replace(&[]).wrote, "aggregated prefixes read back as they are");
    // A grant within a static prefix ends, and the office stays in.
    let short = grant(&world.policy, FAR, "orders-db", SignedDuration::from_secs(1));
    world.replace(&[&short]);
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(world.far.tries(DOOR_FAR), "open");

    let everyone = World::with(policy(kind(), &["0.0.0.0/0", "::/0"], door));
    let _server = everyone.serves();
    everyone.replace(&[]);
    assert_eq!(everyone.near.tries(DOOR), "open");
    assert_eq!(everyone.near.tries(DOOR_V6), "open");
    assert!(!everyone.replace(&[]).wrote);
}

const OTHERS: &str = "
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 9999 counter drop
    }
}
table ip nat {
    chain post {
        type nat hook postrouting priority 100; policy accept;
        ip saddr 192.0.2.0/24 masquerade
    }
}
table ip doorward {
    set s {
        type ipv4_addr
        elements = { 192.0.2.1 }
    }
}
table inet doorward2 {
    chain c {
    }
}
";

fn other_tables() {
    let world = World::new();
    world.server.nft(&["-f", "-"], OTHERS);
    let before = world.server.nft(&["list", "ruleset"], "");
    let without_ours = || {
        let mut tables: Vec<String> =
            world.server.nft(&["list", "tables"], "").lines().map(str::to_owned).collect();
        tables.retain(|table| table != "table inet doorward");
        let words = tables.iter().map(|table| table.split(' ').collect::<Vec<_>>());
        words.map(|words| world.server.nft(&["list", "table", words[1], words[2]], "")).collect::<String>()
    };
    let jon = world.grant(NEAR);
    for grants in [&[][..], &[&jon], &[]] {
        world.replace(grants);
        assert_eq!(without_ours(), before);
    }
    assert!(world.runtime.block_on(world.nft.remove(&world.table())).expect("nft deletes it"));
    assert_eq!(world.server.nft(&["list", "ruleset"], ""), before);
    assert!(
        !world.runtime.block_on(world.nft.remove(&world.table())).expect("nft deletes it"),
        "removed twice"
    );
}

fn foreign_table() {
    let world = World::new();
    world.server.nft(&["-f", "-"], "table inet doorward {\n chain theirs {\n }\n}\n");
    let before = world.server.nft(&["list", "ruleset"], "");
    let error = world.try_replace(&[]).expect_err("it is not ours");
    assert_eq!(error.to_string(), "table `inet doorward` is there and was not made by Doorward");
    assert!(error.hint().is_some());
    assert!(world.runtime.block_on(world.nft.remove(&world.table())).is_err());
    assert_eq!(world.server.nft(&["list", "ruleset"], ""), before);
}

fn no_window() {
    let world = World::new();
    let _server = world.serves();
    let jon = world.grant(NEAR);
    world.replace(&[&jon]);
    let mut admitted = world.near.probe(&["hammer", DOOR]);
    let mut refused = world.far.probe(&["hammer", DOOR_FAR]);
    assert_eq!((admitted.line(), refused.line()), ("began".into(), "began".into()));
    for round in 0..200 {
        let third = world.grant(if round % 2 == 0 { "51.15.7.1" } else { "51.15.7.2" });
        assert!(world.replace(&[&jon, &third]).wrote);
    }
    let count = |line: String, only: &str| -> u32 {
        let count = line.strip_prefix(only).and_then(|rest| rest.trim().parse().ok());
        count.unwrap_or_else(|| panic!("not only `{only}`: {line}"))
    };
    let (admitted, refused) = (count(admitted.ends(), "open"), count(refused.ends(), "refused"));
    assert!(admitted > 1000 && refused > 1000, "{admitted} {refused}");
}

fn many() {
    let world = World::new();
    let _server = world.serves();
    let address = |n: u32| std::net::Ipv4Addr::from_bits(0xCB00_0000 + n * 7).to_string();
    let mut grants: Vec<Grant> = (0..10_000).map(|n| world.grant(&address(n))).collect();
    grants.push(world.grant(NEAR));
    let all: Vec<&Grant> = grants.iter().collect();
    let wrote = Instant::now();
    assert!(world.replace(&all).wrote);
    let wrote = wrote.elapsed();
    assert_eq!(world.near.tries(DOOR), "open");
    let looked = Instant::now();
    assert_eq!(world.replace(&all), Replaced::default());
    println!("10,001 grants: written in {wrote:?}, found as they should be in {:?}", looked.elapsed());
    world.replace(&[]);
    assert_eq!(world.near.tries(DOOR), "refused");
}

fn drift() {
    let world = World::new();
    let _server = world.serves();
    let jon = world.grant(NEAR);
    world.replace(&[&jon]);
    let by_hand = [
        (
            "delete element inet doorward tcp_5432.v4.32 { 10.77.1.2 }",
            "10.77.1.2/32 was not admitted to tcp/5432",
        ),
        (
            "add element inet doorward tcp_5432.v4.32 { 10.77.2.2 }",
            "10.77.2.2/32 was admitted to tcp/5432 without a mark",
        ),
        (
            "add element inet doorward tcp_5432.v4.static { 10.77.2.0/24 }",
            "10.77.2.0/24 was admitted to tcp/5432 without a mark",
        ),
        (
            "insert rule inet doorward input accept",
            "the rules of chain `input` were not the ones that we made",
        ),
        ("flush chain inet doorward guarded.input", "chain `guarded.input` was flushed"),
        ("flush table inet doorward", "chain `admitted.back` was flushed"),
        ("add chain inet doorward extra", "there was a chain `extra` that is not ours"),
        ("add set inet doorward extra { type ipv4_addr; }", "there was a set `extra` that is not ours"),
        ("add counter inet doorward extra", "there was a counter `extra` that is not ours"),
        (
            "add chain inet doorward input { policy drop; }",
            "chain `input` had another hook, priority or policy",
        ),
        ("delete table inet doorward", "the table was gone"),
        ("flush ruleset", "the table was gone"),
    ];
    for (command, expected) in by_hand {
        world.server.nft(&["-f", "-"], &format!("{command}\n"));
        let replaced = world.replace(&[&jon]);
        let words: Vec<String> = replaced.drift.iter().map(ToString::to_string).collect();
        assert!(words.iter().any(|words| words.starts_with(expected)), "{command}: {words:?}");
        assert!(replaced.wrote);
        assert_eq!(world.near.tries(DOOR), "open", "{command}");
        assert_eq!(world.far.tries(DOOR_FAR), "refused", "{command}");
        assert_eq!(world.replace(&[&jon]), Replaced::default(), "{command}");
    }

    // A rule that was edited and kept its comment: another port is guarded.
    let rules = world.server.nft(&["-a", "list", "chain", "inet", "doorward", "guarded.input"], "");
    let handle =
        rules.lines().find(|line| line.contains("dport 5432")).and_then(|line| line.rsplit(' ').next());
    let edit = format!(
        "replace rule inet doorward guarded.input handle {} tcp dport 5433 goto refused comment \"tcp/5432: orders-db\"\n",
        handle.expect("a handle")
    );
    world.server.nft(&["-f", "-"], &edit);
    assert_eq!(world.far.tries(DOOR_FAR), "timeout", "only the answer is still refused");
    let replaced = world.replace(&[&jon]);
    let words: Vec<String> = replaced.drift.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["the rules of chain `guarded.input` were not the ones that we made"]);
    assert_eq!(world.far.tries(DOOR_FAR), "refused");
}

fn quiet() {
    let world = World::new();
    let jon = world.grant(NEAR);
    let six = world.grant("2a77:0:0:1::2");
    assert!(world.replace(&[&jon, &six]).wrote);
    // A table that is deleted and made again gets another handle.
    let table = || {
        world.server.nft(&["-a", "list", "table", "inet", "doorward"], "").lines().next().map(str::to_owned)
    };
    let before = table();
    assert_eq!(world.replace(&[&jon, &six]), Replaced::default());
    assert_eq!(table(), before);
    let restarted = Nftables::find().and_then(|nft| nft.in_namespace(world.server.name())).expect("nft");
    let ruleset_now = ruleset(&world.policy, &[&jon, &six]);
    let again = world.runtime.block_on(restarted.replace(&world.table(), &ruleset_now, Timestamp::now()));
    assert_eq!(again.expect("nft answers"), Replaced::default(), "a restart writes nothing either");
    assert_eq!(table(), before);
    assert!(world.replace(&[&jon]).wrote);
    assert_ne!(table(), before);
}

fn router() {
    let targets: &[(&str, &str, &[&str])] = &[
        ("orders-db", "10.77.3.5", &["tcp/5432"]),
        ("tickets-db", "10.77.3.6", &["tcp/5432"]),
        ("six-db", "2a77:0:0:3::5", &["tcp/5432"]),
    ];
    let world = World::with(policy(kind(), &[], targets));
    world.server.forwards();
    let inside = Netns::new();
    let addresses = ["10.77.3.5/24", "10.77.3.6/24", "10.77.3.7/24", "2a77:0:0:3::5/64"];
    world.server.cable(&["10.77.3.1/24", "2a77:0:0:3::1/64"], &inside, &addresses);
    inside.ip(&["route", "add", "default", "via", "10.77.3.1"]);
    inside.ip(&["-6", "route", "add", "default", "via", "2a77:0:0:3::1"]);
    for (client, gateway) in [(&world.near, 1), (&world.far, 2)] {
        client.ip(&["route", "add", "default", "via", &format!("10.77.{gateway}.1")]);
        client.ip(&["-6", "route", "add", "default", "via", &format!("2a77:0:0:{gateway}::1")]);
    }
    let server = inside.probe(&["serve", "[::]:5432"]);
    assert_eq!(server.line(), "listens");
    let [orders, tickets, other, six] =
        ["10.77.3.5:5432", "10.77.3.6:5432", "10.77.3.7:5432", "[2a77:0:0:3::5]:5432"];
    assert_eq!(world.near.tries(six), "open", "before there is a table");
    world.replace(&[]);
    assert_eq!(world.near.tries(orders), "refused");
    assert_eq!(world.near.tries(six), "refused");
    assert_eq!(world.near.tries(other), "open", "an address that is no target is none of our business");

    let (jon, jon_six) =
        (world.grant(NEAR), grant(&world.policy, "2a77:0:0:1::2", "six-db", SignedDuration::from_hours(1)));
    world.replace(&[&jon, &jon_six]);
    assert_eq!(world.near.tries(orders), "open", "orders");
    assert_eq!(world.near.tries(six), "open", "six");
    assert_eq!(world.near.tries(tickets), "refused", "a neighbour on the same port");
    assert_eq!(world.far.tries(orders), "refused");

    // The first connections have said that they closed; the next are the talk and the wait.
    while server.within(Duration::from_millis(100)).is_some() {}
    let talk = world.near.probe(&["talk", orders]);
    let wait = world.near.probe(&["wait", orders, "800"]);
    assert_eq!((talk.line(), wait.line()), ("open".into(), "open".into()));
    std::thread::sleep(Duration::from_millis(100));
    world.replace(&[]);
    assert_eq!(talk.line(), "reset");
    assert_eq!(wait.within(Duration::from_millis(1500)), None, "no late answer");
    assert_eq!(server.within(Duration::from_secs(3)).as_deref(), Some("reset"), "the server learns of it");
}

fn published() {
    // The machine's own address and a port that is handed on to a container's.
    let world = World::with(policy(kind(), &[], &[("orders-db", "10.77.1.1", &["tcp/15432"])]));
    let container = world.container();
    let nat = "
        table ip nat {
            chain pre {
                type nat hook prerouting priority -100; policy accept;
                tcp dport 15432 dnat to 10.77.9.2:5432
            }
        }
    ";
    world.server.nft(&["-f", "-"], nat);
    let server = container.probe(&["serve", "0.0.0.0:5432"]);
    assert_eq!(server.line(), "listens");
    const PUBLISHED: &str = "10.77.1.1:15432";
    assert_eq!(world.near.tries(PUBLISHED), "open", "before there is a table");
    assert_eq!(server.line(), "closed");
    world.replace(&[]);
    assert_eq!(world.near.tries(PUBLISHED), "refused");
    let jon = world.grant(NEAR);
    world.replace(&[&jon]);
    assert_eq!(world.near.tries(PUBLISHED), "open");
    assert_eq!(server.line(), "closed");
    let talk = world.near.probe(&["talk", PUBLISHED]);
    let wait = world.near.probe(&["wait", PUBLISHED, "800"]);
    assert_eq!((talk.line(), wait.line()), ("open".into(), "open".into()));
    std::thread::sleep(Duration::from_millis(100));
    world.replace(&[]);
    assert_eq!(talk.line(), "reset");
    assert_eq!(wait.within(Duration::from_millis(1500)), None, "no late answer");
    assert_eq!(server.within(Duration::from_secs(3)).as_deref(), Some("reset"), "the server learns of it");
}

fn every_address_of_its_own() {
    let world = World::with(policy(kind(), &[], &[("orders-db", "10.77.1.1", &["tcp/5432"])]));
    let _server = world.serves();
    // By another port of another address, on this machine and in a container.
    let container = world.container();
    let nat = "
        table ip nat {
            chain pre {
                type nat hook prerouting priority -100; policy accept;
                ip daddr 10.77.2.1 tcp dport 8888 redirect to :5432
                ip daddr 10.77.2.1 tcp dport 5432 dnat to 10.77.9.2:6000
            }
        }
    ";
    let inside = container.probe(&["serve", "0.0.0.0:6000"]);
    assert_eq!(inside.line(), "listens");
    let away = world.near.probe(&["serve", "[::]:5432"]);
    assert_eq!(away.line(), "listens");
    let by_another = [(&world.near, DOOR_V6), (&world.far, DOOR_FAR), (&world.far, DOOR_V6_FAR)];
    for (client, door) in by_another {
        assert_eq!(client.tries(door), "open", "{door} before there is a table");
    }
    let jon = world.grant(NEAR);
    for grants in [&[][..], &[&jon]] {
        world.replace(grants);
        for (client, door) in by_another {
            assert_eq!(client.tries(door), "refused", "{door}");
        }
        assert_eq!(world.near.tries(DOOR), if grants.is_empty() { "refused" } else { "open" });
        assert_eq!(world.server.tries(DOOR_FAR), "open", "the machine itself");
        assert_eq!(world.server.tries("10.77.1.2:5432"), "open", "what the machine itself begins");
    }
    world.server.nft(&["-f", "-"], nat);
    for door in ["10.77.2.1:8888", DOOR_FAR] {
        assert_eq!(world.far.tries(door), "refused", "{door}, rewritten");
    }
    assert!(!world.replace(&[&jon]).wrote, "it stands as it was written");
}

fn other_flows() {
    let targets: &[(&str, &str, &[&str])] = &[
        ("names", "ns.example.org", &["udp/53"]),
        ("everything", "10.77.1.1", &["all"]),
        ("six", "2a77:0:0:1::1", &["all"]),
    ];
    let world = World::with(policy(kind(), &[], targets));
    let _tcp = world.serves();
    let names = world.server.probe(&["answer", "[::]:53"]);
    assert_eq!(names.line(), "listens");
    let away = world.near.probe(&["serve", "[::]:5432"]);
    let away_names = world.near.probe(&["answer", "[::]:53"]);
    assert_eq!((away.line(), away_names.line()), ("listens".into(), "listens".into()));
    world.replace(&[]);
    assert_ne!(world.near.asks("10.77.1.1:53"), "open");
    assert_ne!(world.far.asks("10.77.2.1:53"), "open");
    assert_eq!(world.far.tries(DOOR_FAR), "open", "this address is guarded for udp/53 alone");
    assert_eq!(world.near.tries(DOOR), "refused");
    assert_eq!(world.near.tries(DOOR_V6), "refused");
    // The machine's own connections, from an address of which everything is guarded.
    assert_eq!(world.server.tries("10.77.1.2:5432"), "open");
    assert_eq!(world.server.tries("[2a77:0:0:1::2]:5432"), "open", "and IPv6 finds its neighbours");
    assert_eq!(world.server.asks("10.77.1.2:53"), "open");

    let hour = SignedDuration::from_hours(1);
    let names = grant(&world.policy, FAR, "names", hour);
    let everything = grant(&world.policy, NEAR, "everything", hour);
    world.replace(&[&names, &everything]);
    assert_eq!(world.far.asks("10.77.2.1:53"), "open");
    assert_eq!(world.near.tries(DOOR), "open");
    assert_eq!(world.near.asks("10.77.1.1:53"), "open", "either of two guards may admit");
    assert_ne!(world.near.asks("[2a77:0:0:1::1]:53"), "open");
    assert_eq!(world.near.tries(DOOR_V6), "refused");
}
