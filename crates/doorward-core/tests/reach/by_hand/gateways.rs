//! Egress-only gateways, NAT gateways and NAT instances: rules 15 and 16 of `SEMANTICS.md`.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// [15] IPv6, outward.
#[test]
fn egress_only() {
    let base = "
        eni eni-6 subnet-a 2001:db8:1:1::10 sg-open
        eni eni-p subnet-a 10.0.1.10=203.0.113.10 sg-open
        eigw eigw-1 vpc-1
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a ::/0 eigw-1
        rtb-a 0.0.0.0/0 eigw-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    check(
        &[&base],
        &[
            ("eni-6", "2600::1", "tcp/443", YES),
            ("2600::1", "eni-6", "tcp/443", NO),
            ("eni-p", "198.51.100.7", "tcp/443", NO),
        ],
    );
    check(&[&base, "eigw eigw-1"], &[("eni-6", "2600::1", "tcp/443", NO)]);
    check(&[&base, "block eu-west-1 both"], &[("eni-6", "2600::1", "tcp/443", NO)]);
    check(&[&base, "block eu-west-1 ingress"], &[("eni-6", "2600::1", "tcp/443", YES)]);
    check(
        &[
            &base,
            "acl acl-a vpc-1 subnet-a",
            "acl-a out 100 allow all ::/0",
            "acl-a in 100 allow tcp/32768-65535 2600::/16",
        ],
        &[("eni-6", "2600::1", "tcp/443", PARTLY), ("eni-6", "2a00::1", "tcp/443", NO)],
    );
}

/// A private subnet that leads to a NAT gateway in a public one.
const NAT: &str = "
    eni eni-a subnet-a 10.0.1.10 sg-open
    eni eni-p subnet-a 10.0.1.11=203.0.113.11 sg-open
    igw igw-1 vpc-1
    table rtb-a vpc-1 subnet-a
    rtb-a 0.0.0.0/0 nat-1
    table rtb-b vpc-1 subnet-b
    rtb-b 0.0.0.0/0 igw-1
";
const GATEWAY: &str = "nat nat-1 subnet-b 10.0.2.5=203.0.113.5";

/// [16] Out, and nothing unsolicited in; TCP, UDP and ICMP only; what has a public address goes out by it too.
#[test]
fn a_nat_gateway() {
    check(
        &[TWO_SUBNETS, OPEN, NAT, GATEWAY],
        &[
            ("eni-a", "198.51.100.7", "tcp/443", YES),
            ("eni-a", "198.51.100.7", "udp/443", YES),
            ("eni-a", "198.51.100.7", "icmp/8/0", YES),
            ("eni-a", "198.51.100.7", "proto/47", NO),
            ("eni-p", "198.51.100.7", "tcp/443", YES),
            ("198.51.100.7", "eni-a", "tcp/443", NO),
            // It comes in, but the answers leave by the NAT gateway and belong to nothing.
            ("198.51.100.7", "eni-p", "tcp/443", NO),
        ],
    );
}

/// [16] One that is not ready, one without a public address, one whose own table has no way out.
#[test]
fn a_nat_gateway_that_does_not_work() {
    let asked = [("eni-a", "198.51.100.7", "tcp/443", NO)];
    check(&[TWO_SUBNETS, OPEN, NAT, "nat nat-1 subnet-b 10.0.2.5=203.0.113.5 pending"], &asked);
    check(&[TWO_SUBNETS, OPEN, NAT, "nat nat-1 subnet-b 10.0.2.5 private"], &asked);
    check(&[TWO_SUBNETS, OPEN, NAT, "nat nat-1 subnet-b 10.0.2.5=203.0.113.5 private"], &asked);
    check(&[TWO_SUBNETS, OPEN, NAT, "nat nat-1 subnet-b 10.0.2.5"], &asked);
    check(&[TWO_SUBNETS, OPEN, NAT, "nat nat-1 subnet-a 10.0.1.5=203.0.113.5"], &asked);
    check(&[TWO_SUBNETS, OPEN, NAT, "igw igw-1", GATEWAY], &asked);
    // Through one NAT gateway to another.
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            NAT,
            GATEWAY,
            "subnet subnet-c vpc-1 c 10.0.3.0/24",
            "nat nat-2 subnet-c 10.0.3.5=203.0.113.6",
            "table rtb-c vpc-1 subnet-c",
            "rtb-c 0.0.0.0/0 nat-1",
            "rtb-a 198.51.100.0/24 nat-2",
        ],
        &asked,
    );
}

/// [10] [16] The ACLs of both subnets see every packet, of both directions.
#[test]
fn a_nat_gateway_behind_acls() {
    let base = [TWO_SUBNETS, OPEN, NAT, GATEWAY].join("\n");
    let asked = |expected| [("eni-a", "198.51.100.7", "tcp/443", expected)];
    let acl = "
        acl acl-b vpc-1 subnet-b
        acl-b in 100 allow tcp/443 10.0.1.0/24
        acl-b out 100 allow tcp/443 198.51.100.0/24
    ";
    check(&[&base, acl], &asked(NO));
    check(&[&base, acl, "acl-b in 110 allow tcp/1024-65535 198.51.100.0/24"], &asked(NO));
    let back = "
        acl-b in 110 allow tcp/1024-65535 198.51.100.0/24
        acl-b out 110 allow tcp/1024-65535 10.0.1.0/24
    ";
    check(&[&base, acl, back], &asked(YES));
    check(
        &[
            &base,
            acl,
            back,
            "acl acl-a vpc-1 subnet-a",
            "acl-a out 100 allow all 0.0.0.0/0",
            "acl-a in 100 allow tcp/50000-60000 198.51.100.7/32",
        ],
        &asked(PARTLY),
    );
}

/// Block Public Access inward lets NAT gateways go on.
#[test]
fn a_nat_gateway_where_ingress_is_blocked() {
    let base = [TWO_SUBNETS, OPEN, NAT, GATEWAY].join("\n");
    let asked = |expected| [("eni-a", "198.51.100.7", "tcp/443", expected)];
    check(&[&base, "block eu-west-1 ingress"], &asked(YES));
    check(&[&base, "block eu-west-1 both"], &asked(NO));
    check(&[&base, "block eu-west-1 both", "except eu-west-1 subnet-a both"], &asked(NO));
    check(&[&base, "block eu-west-1 both", "except eu-west-1 subnet-b"], &asked(YES));
}

/// [5] [16] Within the VPC a NAT gateway is a stranger: its address is seen, and no group.
#[test]
fn a_nat_gateway_inside() {
    let base = "
        group sg-z
        subnet subnet-z vpc-1 c 10.0.3.0/24
        eni eni-z subnet-z 10.0.3.10 sg-z
        rtb-a 10.0.3.0/24 nat-1
    ";
    let base = [TWO_SUBNETS, OPEN, NAT, GATEWAY, base].join("\n");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected)];
    check(&[&base, "sg-z in all sg-open"], &asked(NO));
    check(&[&base, "sg-z in all 10.0.1.10/32"], &asked(NO));
    check(&[&base, "sg-z in all 10.0.2.5/32"], &asked(YES));
    check(&[&base, "sg-z in all 10.0.2.5/32"], &[("eni-a", "eni-z", "proto/47", NO)]);
}

/// [16] The interface of a NAT gateway takes in nothing.
#[test]
fn nothing_goes_to_a_nat_gateway() {
    check(
        &[TWO_SUBNETS, OPEN, NAT, GATEWAY, "eni eni-n subnet-b 10.0.2.5=203.0.113.5 kind=nat_gateway"],
        &[("eni-a", "eni-n", "tcp/443", NO), ("198.51.100.7", "eni-n", "tcp/443", NO)],
    );
}

/// [16] A NAT instance: it forwards, has a public address, and its groups admit both sides.
#[test]
fn a_nat_instance() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 eni-n
        table rtb-b vpc-1 subnet-b
        rtb-b 0.0.0.0/0 igw-1
        group sg-n
        sg-n in tcp/443 10.0.1.0/24
        sg-n out tcp/443 0.0.0.0/0
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let asked =
        |expected| [("eni-a", "198.51.100.7", "tcp/443", expected), ("eni-a", "198.51.100.7", "tcp/80", NO)];
    check(&[&base, "eni eni-n subnet-b 10.0.2.5=203.0.113.5 sg-n forwards"], &asked(YES));
    check(&[&base, "eni eni-n subnet-b 10.0.2.5=203.0.113.5 sg-n"], &asked(NO));
    check(&[&base, "eni eni-n subnet-b 10.0.2.5 sg-n forwards"], &asked(NO));
    check(
        &[
            &base,
            "eni eni-n subnet-b 10.0.2.5=203.0.113.5 sg-n forwards",
            "acl acl-b vpc-1 subnet-b",
            "acl-b in 100 allow all 0.0.0.0/0",
            "acl-b out 100 allow tcp/443 0.0.0.0/0",
        ],
        &asked(NO),
    );
}

/// [16] A regional NAT gateway is in no subnet, meets no network ACL, and has a table of its own.
#[test]
fn a_regional_nat_gateway() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 nat-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let asked = |expected| [("eni-a", "198.51.100.7", "tcp/443", expected)];
    // Its table was not recorded: AWS makes it with a route to the internet gateway.
    check(&[&base, "nat nat-1 vpc-1 203.0.113.5"], &asked(YES));
    check(&[&base, "nat nat-1 vpc-1 203.0.113.5", "igw igw-1"], &asked(NO));
    check(&[&base, "nat nat-1 vpc-1 203.0.113.5 pending"], &asked(NO));
    let own = "nat nat-1 vpc-1 203.0.113.5 rtb-n\ntable rtb-n vpc-1";
    check(&[&base, own], &asked(NO));
    check(&[&base, own, "rtb-n 0.0.0.0/0 igw-1"], &asked(YES));
    check(&[&base, own, "rtb-n 0.0.0.0/0 igw-1", "block eu-west-1 ingress"], &asked(YES));
    check(
        &[&base, own, "rtb-n 0.0.0.0/0 igw-1"],
        &[("eni-a", "198.51.100.7", "proto/47", NO), ("198.51.100.7", "eni-a", "tcp/443", NO)],
    );
    // The ACL of the sender's subnet is asked for the replies.
    let acl = "acl acl-a vpc-1 subnet-a\nacl-a out 100 allow all 0.0.0.0/0";
    check(&[&base, own, "rtb-n 0.0.0.0/0 igw-1", acl], &asked(NO));
    check(
        &[&base, own, "rtb-n 0.0.0.0/0 igw-1", acl, "acl-a in 100 allow tcp/1024-65535 198.51.100.0/24"],
        &asked(YES),
    );
}

/// [16] A NAT gateway whose own subnet leads back to it says so, with the fix.
#[test]
fn a_nat_gateway_in_a_private_subnet() {
    use doorward_core::reach::{Code, Reachability, Selector};

    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        nat nat-1 subnet-a 10.0.1.5=203.0.113.5
    ";
    for (route, code) in
        [("rtb-a 0.0.0.0/0 nat-1", Code::NoRoute), ("rtb-a 198.51.0.0/16 nat-1", Code::NoRoute)]
    {
        let account = crate::written::account(&[TWO_SUBNETS, OPEN, base, route].join("\n"));
        let end = |text: &str| Selector::find(text, &account).expect("an end");
        let (from, to) = (end("eni-a"), end("198.51.100.7"));
        let flow: doorward_core::net::Flow = "tcp/443".parse().expect("a flow");
        let answer = Reachability::of(account.clone()).ask(&from, &to, Some(&flow.into()));
        let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
        assert_eq!(blocker.code, code);
        assert!(blocker.fix.to_string().contains("put nat-1 into a public subnet"), "{}", blocker.fix);
    }
}

/// [16] NAT64: what is sent to 64:ff9b::/96 goes on as IPv4, and the replies come back as IPv6.
#[test]
fn a_nat_gateway_translates_ipv6() {
    use doorward_core::reach::{Reachability, Selector, Verdict};

    let base = "
        eni eni-6 subnet-a 2001:db8:1:1::10 sg-open
        eni eni-b subnet-b 10.0.2.10 sg-b
        group sg-b
        sg-b in tcp/443 10.0.2.5/32
        igw igw-1 vpc-1
        nat nat-1 subnet-b 10.0.2.5=203.0.113.5
        table rtb-b vpc-1 subnet-b
        rtb-b 0.0.0.0/0 igw-1
        table rtb-a vpc-1 subnet-a
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let route = "rtb-a 64:ff9b::/96 nat-1";
    let there = "64:ff9b::c633:644d";
    check(
        &[&base, route],
        &[
            ("eni-6", there, "tcp/443", YES),
            ("eni-6", there, "icmpv6/128/0", YES),
            ("eni-6", there, "icmpv6/1/4", NO),
            ("eni-6", there, "proto/47", NO),
            ("eni-6", "2600::1", "tcp/443", NO),
            (there, "eni-6", "tcp/443", NO),
        ],
    );
    check(&[&base], &[("eni-6", there, "tcp/443", NO)]);
    let acl = "acl acl-b vpc-1 subnet-b\nacl-b in 100 allow all ::/0\nacl-b out 100 allow all ::/0";
    check(
        &[&base, route, acl, "acl-b out 110 allow all 198.51.100.0/24"],
        &[("eni-6", there, "tcp/443", NO)],
    );
    let answers = "acl-b out 110 allow all 198.51.100.0/24\nacl-b in 110 allow icmp/0 198.51.100.0/24";
    check(
        &[&base, route, acl, answers],
        &[("eni-6", there, "tcp/443", NO), ("eni-6", there, "icmpv6/128/0", YES)],
    );
    // An address of IPv4 is asked for by the one that DNS64 makes of it, and so is a host of the VPC.
    let account = crate::written::account(&[&base, route].join("\n"));
    let end = |text: &str| Selector::find(text, &account).expect("an end");
    let real = Reachability::of(account.clone());
    for (to, flow, expected) in [
        ("198.51.100.77", "tcp/443", Verdict::Yes),
        ("64:ff9b::a00:20a", "tcp/443", Verdict::Yes),
        ("64:ff9b::a00:20a", "tcp/22", Verdict::No),
    ] {
        let flow: doorward_core::net::Flow = flow.parse().expect("a flow");
        assert_eq!(real.ask(&end("eni-6"), &end(to), Some(&flow.into())).verdict, expected, "{to} {flow}");
    }
}
