//! Fixes are true: each is a change that can be made, and what it fixes is gone afterwards.

use doorward_core::inventory::Inventory;
use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Blocker, Change, Fix, Flows, Reachability, Selector, Verdict, after};
use proptest::prelude::*;

use crate::accounts::accounts;
use crate::questions::hosts;
use crate::written::account;

/// A VPC with an internet gateway, and a group that is in nobody's way.
const BASE: &str = "
    vpc vpc-1 10.0.0.0/16
    subnet subnet-a vpc-1 a 10.0.1.0/24
    subnet subnet-b vpc-1 b 10.0.2.0/24
    igw igw-1 vpc-1
    group sg-open
    sg-open in all 0.0.0.0/0
    sg-open out all 0.0.0.0/0
    group sg-shut
    group sg-role
";

fn ask(inventory: &Inventory, from: &str, to: &str, flow: &str) -> Answer {
    let end = |text: &str| Selector::find(text, inventory).unwrap_or_else(|error| panic!("{text}: {error}"));
    let flow: Flow = flow.parse().expect("a flow");
    Reachability::of(inventory.clone()).ask(&end(from), &end(to), Some(&flow.into()))
}

/// The fixes of a question, in the order of their texts.
fn fixes(lines: &[&str], (from, to, flow): (&str, &str, &str)) -> Vec<String> {
    let answer = ask(&account(&lines.join("\n")), from, to, flow);
    let mut fixes: Vec<String> = answer.blockers.iter().map(|blocker| blocker.fix.to_string()).collect();
    fixes.sort();
    fixes
}

fn check(lines: &[&str], question: (&str, &str, &str), expected: &[&str]) {
    let mut expected: Vec<&str> = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(fixes(lines, question), expected, "{question:?} in{}", lines.join("\n"));
}

#[test]
fn a_fix_names_what_was_asked_and_not_the_address_that_stands_for_it() {
    let host = "eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-shut\ntable rtb-1 vpc-1 main";
    let (inward, outward) =
        ("add an inbound rule to sg-shut: tcp/22 from ", "add an outbound rule to sg-shut: tcp/22 to ");
    let route = "add a route to rtb-1: ";
    for (outside, prefix) in
        [("internet", "0.0.0.0/0"), ("8.8.8.8", "8.8.8.8/32"), ("198.51.100.0/24", "198.51.100.0/24")]
    {
        let by_gateway = format!("{route}{prefix} by igw-1");
        check(&[BASE, host], (outside, "eni-a", "tcp/22"), &[&format!("{inward}{prefix}"), &by_gateway]);
        check(&[BASE, host], ("eni-a", outside, "tcp/22"), &[&format!("{outward}{prefix}"), &by_gateway]);
        let answer = ask(&account(&[BASE, host].join("\n")), outside, "eni-a", "tcp/22");
        let text = format!("{:?}", answer.blockers);
        assert!(!text.contains("1.0.0.0"), "{text}");
    }
}

#[test]
fn a_route_leads_by_what_is_there() {
    let private = "eni eni-a subnet-a 10.0.1.10 sg-open\ntable rtb-a vpc-1 subnet-a\ntable rtb-1 vpc-1 main";
    let asked = ("eni-a", "internet", "tcp/443");
    check(&[BASE, private], asked, &["add a route to rtb-a: 0.0.0.0/0 by igw-1"]);
    // A private sender goes by the NAT gateway that has a way out itself.
    let nat = "nat nat-1 subnet-b 10.0.2.5=203.0.113.5";
    check(&[BASE, private, nat], asked, &["add a route to rtb-a: 0.0.0.0/0 by igw-1"]);
    check(
        &[BASE, private, nat, "rtb-1 0.0.0.0/0 igw-1"],
        asked,
        &["add a route to rtb-a: 0.0.0.0/0 by nat-1"],
    );
    // Without any gateway there is no change that would do it.
    let none = BASE.replace("igw igw-1 vpc-1", "");
    let [only] = &fixes(&[&none, private], asked)[..] else { panic!("one blocker") };
    assert!(only.contains("by a gateway that leads there"), "{only}");
    // A longer prefix passes a black hole by, and a black hole of that prefix is replaced.
    check(
        &[BASE, private, nat, "rtb-1 0.0.0.0/0 igw-1", "rtb-a 8.0.0.0/8 nat-9 blackhole"],
        ("eni-a", "8.8.8.8", "tcp/443"),
        &["add a route to rtb-a: 8.8.8.8/32 by nat-1"],
    );
    check(
        &[BASE, private, nat, "rtb-1 0.0.0.0/0 igw-1", "rtb-a 0.0.0.0/0 nat-9 blackhole"],
        asked,
        &["add a route to rtb-a: 0.0.0.0/0 by nat-1"],
    );
}

#[test]
fn another_vpc_is_reached_by_the_peering_that_is_active() {
    let other = "
        vpc vpc-2 10.1.0.0/16
        subnet subnet-c vpc-2 a 10.1.1.0/24
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-c subnet-c 10.1.1.10 sg-open
        table rtb-1 vpc-1 main
        table rtb-2 vpc-2 main
        rtb-2 10.0.0.0/16 pcx-1
        pcx pcx-1 vpc-1 vpc-2
    ";
    let asked = ("eni-a", "eni-c", "tcp/443");
    check(&[BASE, other], asked, &["add a route to rtb-1: 10.1.0.0/16 by pcx-1"]);
    check(&[BASE, other, "rtb-1 0.0.0.0/0 igw-1"], asked, &["add a route to rtb-1: 10.1.0.0/16 by pcx-1"]);
}

#[test]
fn an_entry_stands_before_those_that_deny() {
    let hosts = "eni eni-a subnet-a 10.0.1.10 sg-open\neni eni-b subnet-b 10.0.2.10 sg-open";
    let acl = "
        acl acl-b vpc-1 subnet-b
        acl-b in 50 deny udp/53 0.0.0.0/0
        acl-b in 100 deny tcp/443 10.0.0.0/8
        acl-b in 200 allow all 0.0.0.0/0
        acl-b out 100 allow tcp/32768-65535 0.0.0.0/0
    ";
    check(
        &[BASE, hosts, acl],
        ("eni-a", "eni-b", "tcp/443"),
        &[
            "add an inbound entry 60 to acl-b that allows tcp/443 from 10.0.1.10/32",
            "add an outbound entry 110 to acl-b that allows tcp/1024-65535 to 10.0.1.10/32",
        ],
    );
    let tight = acl.replace("in 50 deny udp/53", "in 99 allow udp/53");
    let fixes = fixes(&[BASE, hosts, &tight], ("eni-a", "eni-b", "tcp/443"));
    assert!(fixes[0].starts_with("add an inbound entry 98 to acl-b"), "{fixes:?}");
}

#[test]
fn a_group_of_the_role_comes_before_an_address() {
    let hosts = "eni eni-a subnet-a 10.0.1.10 sg-open sg-role\neni eni-b subnet-b 10.0.2.10 sg-shut";
    check(
        &[BASE, hosts],
        ("eni-a", "eni-b", "tcp/443"),
        &["add an inbound rule to sg-shut: tcp/443 from sg-open"],
    );
}

#[test]
fn addresses_checks_blocks_and_gateways() {
    let host = "eni eni-a subnet-a 10.0.1.10 sg-open\ntable rtb-1 vpc-1 main\nrtb-1 0.0.0.0/0 igw-1";
    let asked = ("internet", "eni-a", "tcp/443");
    check(&[BASE, host], asked, &["associate an Elastic IP address with 10.0.1.10 of eni-a"]);
    let public = host.replace("10.0.1.10", "10.0.1.10=203.0.113.10");
    check(
        &[BASE, &public, "block eu-west-1 both"],
        asked,
        &["exclude subnet-a from VPC Block Public Access in both directions"],
    );
    let detached = BASE.replace("igw igw-1 vpc-1", "igw igw-1");
    check(&[&detached, &public], asked, &["attach igw-1 to vpc-1"]);
    let appliance = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-m subnet-b 10.0.2.10=203.0.113.11 sg-open
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 igw-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 eni-m
    ";
    check(
        &[BASE, appliance],
        ("eni-a", "internet", "tcp/443"),
        &["disable the source/destination check of eni-m"],
    );
}

/// An internet gateway translates the public addresses of its own VPC's interfaces (VPC user guide, "Internet gateways"): so
/// whatever sends to it from its own address needs one, and what another VPC hands over needs a NAT gateway.
#[test]
fn the_public_address_is_that_of_the_sender_in_the_gateways_own_vpc() {
    let routes = "table rtb-1 vpc-1 main\nrtb-1 0.0.0.0/0 igw-1";
    let asked = ("eni-a", "internet", "tcp/443");
    check(
        &[BASE, routes, "eni eni-a subnet-a 10.0.1.10 sg-open"],
        asked,
        &["associate an Elastic IP address with 10.0.1.10 of eni-a"],
    );
    let instance = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-m subnet-b 10.0.2.10 sg-open forwards
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 eni-m
    ";
    check(&[BASE, routes, instance], asked, &["associate an Elastic IP address with 10.0.2.10 of eni-m"]);
    let hub = "
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 tgw-1
        vpc vpc-2 10.2.0.0/16
        subnet subnet-u vpc-2 a 10.2.9.0/24
        subnet subnet-p vpc-2 a 10.2.1.0/24
        igw igw-2 vpc-2
        table rtb-2 vpc-2 subnet-u
        rtb-2 0.0.0.0/0 igw-2
        rtb-2 10.0.0.0/8 tgw-1
        table rtb-p vpc-2 subnet-p
        rtb-p 0.0.0.0/0 igw-2
        rtb-p 10.0.0.0/8 tgw-1
        nat nat-1 subnet-p 10.2.1.5=203.0.113.5
        tgw tgw-1
        tgwtable tgw-rtb-1 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-u
        tgw-rtb-1 0.0.0.0/0 tgw-attach-2
        tgw-rtb-1 10.0.0.0/16 tgw-attach-1 propagated
    ";
    check(&[BASE, hub], asked, &["add a route to rtb-2: 0.0.0.0/0 by nat-1"]);
}

/// [21] A zone is enabled by a subnet of it, and only one that was recorded can be named.
#[test]
fn a_zone_of_a_target_is_enabled_for_its_balancer() {
    let lines = "
        eni eni-a subnet-a 10.0.1.20 sg-open
        instance i-a eni-a
        lb lb-1 network subnet-b across
        eni eni-n subnet-b 10.0.2.30 sg-open
        node eni-n lb-1
        tg tg-1 vpc-1 instance TCP 8080 masked
        target tg-1 i-a
        listen lb-1 TCP 443 tg-1
    ";
    let [only] = &fixes(&[BASE, lines], ("eni-n", "eni-a", "tcp/8080"))[..] else { panic!("one blocker") };
    assert!(only.starts_with("enable subnet-a for arn:aws:elasticloadbalancing:"), "{only}");
}

/// What lacks on the way through a balancer is told of the balancer's own connection.
#[test]
fn the_second_leg_of_a_balancer_is_explained() {
    let lines = "
        eni eni-a subnet-a 10.0.1.20 sg-shut
        instance i-a eni-a
        lb lb-1 application subnet-b subnet-a
        eni eni-n subnet-b 10.0.2.30=203.0.113.30 sg-open sg-role
        node eni-n lb-1
        tg tg-1 vpc-1 instance HTTP 8080
        target tg-1 i-a
        listen lb-1 HTTPS 443 tg-1
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 igw-1
    ";
    let rule = "add an inbound rule to sg-shut: tcp/8080 from sg-open";
    check(&[BASE, lines], ("internet", "eni-a", "tcp/8080"), &[rule]);
    check(&[BASE, lines], ("eni-n", "eni-a", "tcp/8080"), &[rule]);
    let network = lines.replace("application", "network").replace("HTTP 8080", "TCP 8080 masked");
    let across = "turn cross-zone load balancing of arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/tg-1/1 on";
    check(&[BASE, &network], ("internet", "eni-a", "tcp/8080"), &[rule, across]);
    let codes: Vec<&str> = ask(&account(&[BASE, &network].join("\n")), "eni-n", "eni-a", "tcp/8080")
        .blockers
        .iter()
        .map(|blocker| blocker.code.as_str())
        .collect();
    assert_eq!(codes, ["SG_HAS_NO_RULES", "ELB_NOT_CROSSZONE"]);
}

fn repaired(lines: &[&str], (from, to, flow): (&str, &str, &str)) -> (Verdict, Verdict, Vec<String>) {
    let inventory = account(&lines.join("\n"));
    let end = |text: &str| Selector::find(text, &inventory).expect("an end");
    let (from, to) = (end(from), end(to));
    let flow: Flow = flow.parse().expect("a flow");
    let repair = Reachability::of(inventory).repair(&from, &to, &flow.into());
    let words = repair.changes.iter().map(|step| step.change.to_string());
    (repair.before, repair.verdict, words.collect())
}

#[test]
fn a_repair_is_all_that_lacks_and_no_more() {
    // A route, a public address and a rule; what each hides comes up behind it.
    let lines = "eni eni-a subnet-a 10.0.1.10 sg-shut\ntable rtb-1 vpc-1 main";
    let (before, after, mut words) = repaired(&[BASE, lines], ("internet", "eni-a", "tcp/22"));
    words.sort();
    assert_eq!((before, after), (Verdict::No, Verdict::Yes));
    assert_eq!(
        words,
        [
            "add a route to rtb-1: 0.0.0.0/0 by igw-1",
            "add an inbound rule to sg-shut: tcp/22 from 0.0.0.0/0",
            "associate an Elastic IP address with 10.0.1.10 of eni-a",
        ]
    );
    let open = "eni eni-b subnet-b 10.0.2.10 sg-open\neni eni-a subnet-a 10.0.1.10 sg-open";
    assert_eq!(repaired(&[BASE, open], ("eni-a", "eni-b", "tcp/22")), (Verdict::Yes, Verdict::Yes, vec![]));
}

#[test]
fn a_repair_tells_what_else_a_change_opens() {
    let lines = "
        eni eni-a subnet-a 10.0.1.10 sg-open sg-role
        eni eni-c subnet-a 10.0.1.11 sg-open sg-role
        eni eni-b subnet-b 10.0.2.10 sg-shut
    ";
    let inventory = account(&[BASE, lines].join("\n"));
    let end = |text: &str| Selector::find(text, &inventory).expect("an end");
    let flow: Flows = "tcp/22".parse::<Flow>().expect("a flow").into();
    let (one, both, to) = (end("eni-a"), end("sg-role"), end("eni-b"));
    let reach = Reachability::of(inventory.clone());
    let opens = |from: &Selector| {
        let repair = reach.repair(from, &to, &flow);
        assert_eq!(repair.verdict, Verdict::Yes);
        repair.changes.iter().map(|step| step.opens.len()).collect::<Vec<_>>()
    };
    // The other interface of the role gets through as well, and is meant where the role is.
    assert_eq!((opens(&one), opens(&both)), (vec![1], vec![0]));
}

#[test]
fn what_no_change_fixes_is_left() {
    let lines = "
        vpc vpc-2 10.1.0.0/16
        subnet subnet-c vpc-2 a 10.1.1.0/24
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-c subnet-c 10.1.1.10 sg-open
        table rtb-1 vpc-1 main
        rtb-1 10.1.0.0/16 pcx-1
        pcx pcx-1 vpc-1 vpc-2 pending
    ";
    let inventory = account(&[BASE, lines].join("\n"));
    let end = |text: &str| Selector::find(text, &inventory).expect("an end");
    let (from, to) = (end("eni-a"), end("eni-c"));
    let flow: Flows = "tcp/22".parse::<Flow>().expect("a flow").into();
    let repair = Reachability::of(inventory.clone()).repair(&from, &to, &flow);
    assert_eq!((repair.verdict, repair.changes.len()), (Verdict::No, 0));
    assert!(repair.left.iter().any(|blocker| blocker.code.as_str() == "BAD_STATE"), "{:?}", repair.left);
}

/// Whether a blocker is still there: the same cause at the same resource.
fn stands(blocker: &Blocker, answer: &Answer) -> bool {
    let same = |other: &Blocker| {
        (other.code, &other.resource, &other.why, other.replies)
            == (blocker.code, &blocker.resource, &blocker.why, blocker.replies)
    };
    answer.blockers.iter().any(same)
}

const FLOWS: [&str; 4] = ["tcp/443", "udp/443", "icmp/8/0", "tcp/8080"];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(250),
        failure_persistence: None,
        rng_seed: crate::accounts::seed(),
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    })]

    /// Each fix that is a change can be made, and what it fixes is gone afterwards.
    #[test]
    fn a_fix_fixes(account in accounts(), seed in 0..1000_usize) {
        let inventory = &account.inventory;
        let real = Reachability::of(inventory.clone());
        let mut ends: Vec<String> = hosts(inventory).into_iter().map(|(id, _)| id).collect();
        ends.extend(["internet", "8.8.8.8", "198.51.100.0/24"].map(str::to_owned));
        let count = ends.len();
        for number in 0..12 {
            let (from, to) = (&ends[(seed + 7 * number) % count], &ends[(seed / 3 + 5 * number + 1) % count]);
            let end = |text: &str| Selector::find(text, inventory).expect("an end");
            let flow: Flows = FLOWS[(seed + number) % 4].parse::<Flow>().expect("a flow").into();
            let answer = real.ask(&end(from), &end(to), Some(&flow));
            for blocker in &answer.blockers {
                let Fix::Changes(changes) = &blocker.fix else { continue };
                let words: Vec<String> = changes.iter().map(Change::to_string).collect();
                let changed = match after(inventory, changes) {
                    Ok(changed) => changed,
                    Err(error) => panic!("{from} -> {to} {flow}: {words:?}: {error}"),
                };
                let again = Reachability::of(changed).ask(&end(from), &end(to), Some(&flow));
                prop_assert!(
                    !stands(blocker, &again),
                    "{from} -> {to} {flow}: {words:?} does not fix {} of {}: {}",
                    blocker.code,
                    blocker.resource,
                    blocker.why
                );
            }
        }
    }

    /// A change is the same after it was written to a file and read.
    #[test]
    fn a_change_outlives_its_file(account in accounts(), seed in 0..1000_usize) {
        let inventory = &account.inventory;
        let real = Reachability::of(inventory.clone());
        let hosts = hosts(inventory);
        let (from, to) = (&hosts[seed % hosts.len()].0, &hosts[(seed / 7) % hosts.len()].0);
        let end = |text: &str| Selector::find(text, inventory).expect("an end");
        let flow: Flows = "tcp/443".parse::<Flow>().expect("a flow").into();
        let answer = real.ask(&end(from), &end(to), Some(&flow));
        for change in answer.blockers.iter().flat_map(|blocker| blocker.fix.changes()) {
            let json = serde_json::to_string(change).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<Change>(&json).expect("a change"), change);
        }
    }
}
