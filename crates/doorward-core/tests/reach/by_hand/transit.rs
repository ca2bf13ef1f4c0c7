//! Transit gateways: rule 18 of `SEMANTICS.md`, and the references of 5.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// Two VPCs on one gateway with one table; `subnet-t` and `subnet-u` are the attachments'.
const TRANSIT: &str = "
    subnet subnet-t vpc-1 a 10.0.9.0/24
    vpc vpc-2 10.2.0.0/16
    subnet subnet-z vpc-2 a 10.2.1.0/24
    subnet subnet-u vpc-2 a 10.2.9.0/24
    eni eni-a subnet-a 10.0.1.10 sg-open
    eni eni-b subnet-b 10.0.2.10 sg-open
    eni eni-z subnet-z 10.2.1.10 sg-z
    group sg-z
    sg-z in tcp/443 10.0.0.0/16
    sg-z in tcp/22 sg-open
    sg-z out all 0.0.0.0/0
    table rtb-1 vpc-1 main
    rtb-1 10.2.0.0/16 tgw-1
    table rtb-2 vpc-2 main
    rtb-2 10.0.0.0/16 tgw-1
    tgwtable tgw-rtb-1 tgw-1
    tgw-rtb-1 10.0.0.0/16 tgw-attach-1 propagated
";
const GATEWAY: &str = "tgw tgw-1";
const ONE: &str = "attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-t";
const TWO: &str = "attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-u";
const HOME: &str = "tgw-rtb-1 10.2.0.0/16 tgw-attach-2 propagated";

fn base() -> String {
    [TWO_SUBNETS, OPEN, TRANSIT, GATEWAY].join("\n")
}

/// [18] Attachments in the sender's zone, a table, a route there and back.
#[test]
fn a_transit_gateway() {
    check(
        &[&base(), ONE, TWO, HOME],
        &[
            ("eni-a", "eni-z", "tcp/443", YES),
            ("eni-a", "eni-z", "tcp/80", NO),
            ("eni-z", "eni-a", "tcp/80", YES),
            // Zone b has no attachment.
            ("eni-b", "eni-z", "tcp/443", NO),
            ("eni-z", "eni-b", "tcp/443", NO),
        ],
    );
}

/// [18] Reached from another zone, but the replies start in a zone without an attachment.
#[test]
fn replies_need_an_attachment_in_their_own_zone() {
    check(
        &[&base(), ONE, TWO, HOME],
        &[("eni-z", "eni-b", "icmp/3/4", NO), ("eni-z", "eni-b", "icmp/8/0", NO)],
    );
    let both = "attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-t subnet-b";
    check(
        &[&base(), both, TWO, HOME],
        &[("eni-z", "eni-b", "icmp/8/0", YES), ("eni-b", "eni-z", "tcp/443", YES)],
    );
}

/// [18] What is missing in the middle.
#[test]
fn no_table_no_route_no_attachment() {
    let asked = [("eni-a", "eni-z", "tcp/443", NO)];
    check(&[&base(), "attach tgw-attach-1 tgw-1 vpc-1 subnet-t", TWO, HOME], &asked);
    check(&[&base(), ONE, "attach tgw-attach-2 tgw-1 vpc-2 subnet-u", HOME], &asked);
    check(&[&base(), ONE, TWO], &asked);
    check(&[&base(), TWO, HOME], &asked);
    check(&[&base(), ONE, HOME, "attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-u pending"], &asked);
    check(&[&base(), HOME, TWO, "attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-t pending"], &asked);
    check(&[&base(), ONE, TWO, HOME, "rtb-1 10.2.1.0/24 tgw-1 blackhole"], &asked);
}

/// [18] The longest prefix, static before propagated, and black holes.
#[test]
fn the_gateways_own_routes() {
    let base = [&base(), ONE, TWO].join("\n");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected)];
    check(&[&base, HOME, "tgw-rtb-1 10.2.0.0/16 blackhole"], &asked(NO));
    check(&[&base, HOME, "tgw-rtb-1 10.2.1.0/24 blackhole"], &asked(NO));
    check(&[&base, HOME, "tgw-rtb-1 10.0.0.0/8 blackhole"], &asked(YES));
    check(&[&base, "tgw-rtb-1 0.0.0.0/0 tgw-attach-2"], &asked(YES));
    // Back into the sender's own VPC, where that address is not.
    check(&[&base, HOME, "tgw-rtb-1 10.2.0.0/16 tgw-attach-1"], &asked(NO));
}

/// [18] Each attachment has its own table: one way does not make the other.
#[test]
fn the_way_back_has_its_own_table() {
    let split = "
        tgwtable tgw-rtb-2 tgw-1
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-2 subnet-u
    ";
    check(
        &[&base(), ONE, HOME, split],
        &[("eni-a", "eni-z", "tcp/443", NO), ("eni-a", "eni-z", "icmp/3/4", NO)],
    );
    check(
        &[&base(), ONE, HOME, split, "tgw-rtb-2 10.0.1.0/24 tgw-attach-1"],
        &[("eni-a", "eni-z", "tcp/443", YES)],
    );
}

/// [5] Group references over a transit gateway: where the gateway and both attachments carry them, for ingress.
#[test]
fn references_over_a_transit_gateway() {
    let asked = |expected| [("eni-a", "eni-z", "tcp/22", expected), ("eni-a", "eni-z", "tcp/443", YES)];
    check(&[&base(), ONE, TWO, HOME], &asked(NO));
    let on = [&base(), HOME, "tgw tgw-1 references"].join("\n");
    check(&[&on, ONE, TWO], &asked(YES));
    check(&[&on, TWO, "attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-t mute"], &asked(NO));
    check(&[&on, ONE, "attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-u mute"], &asked(NO));
    let egress = "
        group sg-a
        sg-a out all sg-z
        eni eni-a subnet-a 10.0.1.10 sg-a
    ";
    check(&[&on, ONE, TWO, egress], &[("eni-a", "eni-z", "tcp/443", NO)]);
}

/// [10] The ACLs of the attachments' subnets: inward where it is handed over, outward where it is handed on.
#[test]
fn acls_of_the_attachments_subnets() {
    let base = [&base(), ONE, TWO, HOME].join("\n");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected)];
    let first = "acl acl-t vpc-1 subnet-t\nacl-t out 100 allow all 0.0.0.0/0";
    check(&[&base, first], &asked(NO));
    check(&[&base, first, "acl-t in 100 allow tcp/443 10.0.1.0/24"], &asked(YES));
    let second = "acl acl-u vpc-2 subnet-u\nacl-u in 100 allow all 0.0.0.0/0";
    check(&[&base, second], &asked(NO));
    check(&[&base, second, "acl-u out 100 allow tcp/443 10.2.1.0/24"], &asked(YES));
    // The replies: into the far attachment's subnet, out of the near one's.
    let partly = "
        acl acl-t vpc-1 subnet-t
        acl-t in 100 allow all 0.0.0.0/0
        acl-t out 100 allow tcp/1024-5000 10.0.1.0/24
    ";
    check(&[&base, partly], &asked(PARTLY));
    // In one subnet with the attachment, only what leaves for the gateway is asked.
    let inside = "
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-z
        acl acl-z vpc-2 subnet-z
        acl-z out 100 allow all 0.0.0.0/0
    ";
    check(&[&base, inside], &asked(YES));
}

/// [18] The table of the far attachment's subnet leads it on.
#[test]
fn the_far_subnets_table_leads_on() {
    let base = [&base(), ONE, TWO, HOME, "table rtb-u vpc-2 subnet-u"].join("\n");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected)];
    check(&[&base, "rtb-u 10.2.1.0/24 eni-z"], &asked(YES));
    check(&[&base, "rtb-u 10.2.1.0/24 eni-z blackhole"], &asked(NO));
    check(&[&base, "rtb-u 10.2.1.0/24 eni-gone"], &asked(NO));
}

/// [18] From gateway to gateway, with a table at each.
#[test]
fn a_peered_gateway() {
    let peered = "
        tgw tgw-2
        attach tgw-attach-2 tgw-2 vpc-2 tgw-rtb-2 subnet-u
        attach tgw-attach-9 tgw-1 tgw-2 tgw-rtb-1
        attach tgw-attach-9 tgw-2 tgw-1 tgw-rtb-2
        tgwtable tgw-rtb-2 tgw-2
        tgw-rtb-2 10.2.0.0/16 tgw-attach-2 propagated
        table rtb-2 vpc-2 main
        rtb-2 10.0.0.0/16 tgw-2
    ";
    let base = [&base(), ONE, peered].join("\n");
    let (there, back) = ("tgw-rtb-1 10.2.0.0/16 tgw-attach-9", "tgw-rtb-2 10.0.0.0/16 tgw-attach-9");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected), ("eni-a", "eni-z", "tcp/22", NO)];
    check(&[&base, there, back], &asked(YES));
    check(&[&base, there], &asked(NO));
    check(&[&base, back], &asked(NO));
    // Two gateways that hand it to each other.
    check(&[&base, back, there, "tgw-rtb-2 10.2.1.0/24 tgw-attach-9"], &asked(NO));
}

/// What is behind a VPN of a transit gateway.
#[test]
fn a_vpn_of_a_transit_gateway() {
    let vpn = "
        vpn vpn-1 tgw-1 192.168.0.0/16
        attach tgw-attach-8 tgw-1 vpn-1 tgw-rtb-1
        tgw-rtb-1 192.168.0.0/16 tgw-attach-8 propagated
        rtb-1 192.168.0.0/16 tgw-1
    ";
    check(
        &[&base(), ONE, vpn],
        &[
            ("eni-a", "192.168.1.7", "tcp/443", YES),
            ("192.168.1.7", "eni-a", "tcp/443", YES),
            ("eni-b", "192.168.1.7", "tcp/443", NO),
        ],
    );
    check(
        &[&base(), ONE, vpn, "attach tgw-attach-8 tgw-1 vpn-1"],
        &[("eni-a", "192.168.1.7", "tcp/443", NO), ("eni-a", "192.168.1.7", "icmp/3/4", NO)],
    );
}

/// [18] Central egress: the route table of the attachment's subnet leads on, to a NAT gateway or a NAT instance.
#[test]
fn out_by_another_vpc() {
    let hub = "
        tgw tgw-1
        vpc vpc-2 10.2.0.0/16
        subnet subnet-u vpc-2 a 10.2.9.0/24
        subnet subnet-p vpc-2 a 10.2.1.0/24
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
        igw igw-1 vpc-1
        igw igw-2 vpc-2
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 tgw-1
        table rtb-2 vpc-2 subnet-u
        table rtb-p vpc-2 subnet-p
        rtb-p 0.0.0.0/0 igw-2
        tgwtable tgw-rtb-1 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-u
        tgw-rtb-1 0.0.0.0/0 tgw-attach-2
        tgw-rtb-1 10.0.0.0/16 tgw-attach-1 propagated
    ";
    let hub = [TWO_SUBNETS, OPEN, hub].join("\n");
    let asked = |expected| [("eni-a", "198.51.100.7", "tcp/443", expected)];
    let nat = "nat nat-1 subnet-p 10.2.1.5=203.0.113.5\nrtb-2 0.0.0.0/0 nat-1";
    let back = "rtb-p 10.0.0.0/8 tgw-1";
    check(&[&hub, nat, back], &asked(YES));
    check(
        &[&hub, nat, back],
        &[("eni-a", "198.51.100.7", "proto/47", NO), ("198.51.100.7", "eni-a", "tcp/443", NO)],
    );
    // The replies find no way from the NAT gateway to the sender.
    check(&[&hub, nat], &asked(NO));
    check(&[&hub, back], &asked(NO));
    // The sender's public address is of its own VPC's internet gateway.
    check(&[&hub, back, "rtb-2 0.0.0.0/0 igw-2"], &asked(NO));
    check(&[&hub, back, nat, "nat nat-1 subnet-p 10.2.1.5 private"], &asked(NO));
    check(&[&hub, back, "nat nat-2 vpc-2 203.0.113.6", "rtb-2 0.0.0.0/0 nat-2"], &asked(NO));
    let regional =
        "nat nat-2 vpc-2 203.0.113.6 rtb-n\ntable rtb-n vpc-2\nrtb-2 0.0.0.0/0 nat-2\nrtb-n 0.0.0.0/0 igw-2";
    check(&[&hub, regional, "rtb-n 10.0.0.0/8 tgw-1"], &asked(YES));
    let instance = "eni eni-n subnet-p 10.2.1.6=203.0.113.6 sg-n forwards\nrtb-2 0.0.0.0/0 eni-n\ngroup sg-n";
    check(&[&hub, instance, back, "sg-n in tcp/443 10.0.0.0/8\nsg-n out tcp/443 0.0.0.0/0"], &asked(YES));
    check(&[&hub, instance, "sg-n in tcp/443 10.0.0.0/8\nsg-n out tcp/443 0.0.0.0/0"], &asked(NO));
    check(&[&hub, instance, back, "sg-n in tcp/443 10.2.0.0/16\nsg-n out tcp/443 0.0.0.0/0"], &asked(NO));
    // A private NAT gateway in front of it: the replies go back by the one and then by the other.
    let first = "
        subnet subnet-n vpc-1 a 100.64.1.0/24
        vpc vpc-1 10.0.0.0/16 100.64.0.0/16
        nat nat-3 subnet-n 100.64.1.5 private
        table rtb-n vpc-1 subnet-n
        rtb-n 0.0.0.0/0 tgw-1
        rtb-1 198.51.100.0/24 nat-3
        tgw-rtb-1 100.64.0.0/16 tgw-attach-1
    ";
    check(&[&hub, nat, first, "rtb-p 100.64.0.0/16 tgw-1"], &asked(YES));
    check(&[&hub, nat, first, back], &asked(NO));
}

/// [18] An appliance in a third VPC sees what goes between two; in appliance mode also from another zone.
#[test]
fn inspected_by_another_vpc() {
    let base = "
        tgw tgw-1
        vpc vpc-2 10.2.0.0/16
        vpc vpc-3 10.3.0.0/16
        subnet subnet-z vpc-2 b 10.2.1.0/24
        subnet subnet-i vpc-3 a 10.3.1.0/24
        subnet subnet-j vpc-3 b 10.3.2.0/24
        subnet subnet-m vpc-3 a 10.3.3.0/24
        subnet subnet-n vpc-3 b 10.3.4.0/24
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-z subnet-z 10.2.1.10 sg-open
        eni eni-m subnet-m 10.3.3.10 sg-m forwards
        eni eni-n subnet-n 10.3.4.10 sg-m forwards
        group sg-m
        sg-m in tcp/443 0.0.0.0/0
        sg-m out all 0.0.0.0/0
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 tgw-1
        table rtb-2 vpc-2 main
        rtb-2 0.0.0.0/0 tgw-1
        table rtb-i vpc-3 subnet-i
        rtb-i 0.0.0.0/0 eni-m
        table rtb-j vpc-3 subnet-j
        rtb-j 0.0.0.0/0 eni-n
        table rtb-m vpc-3 main
        rtb-m 0.0.0.0/0 tgw-1
        tgwtable tgw-rtb-1 tgw-1
        tgwtable tgw-rtb-3 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a subnet-b
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-z
        tgw-rtb-1 0.0.0.0/0 tgw-attach-3
        tgw-rtb-3 10.0.0.0/16 tgw-attach-1 propagated
        tgw-rtb-3 10.2.0.0/16 tgw-attach-2 propagated
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let three = "attach tgw-attach-3 tgw-1 vpc-3 tgw-rtb-3 subnet-i subnet-j";
    // The request stays in zone a, the reply in zone b, and each has an appliance of its own.
    check(&[&base, three], &[("eni-a", "eni-z", "tcp/443", NO)]);
    let mode = format!("{three} appliance");
    check(&[&base, &mode], &[("eni-a", "eni-z", "tcp/443", YES), ("eni-a", "eni-z", "tcp/22", NO)]);
    check(&[&base, &mode, "eni eni-m subnet-m 10.3.3.10 sg-m"], &[("eni-a", "eni-z", "tcp/443", NO)]);
    // A loop ends.
    check(&[&base, &mode, "tgw-rtb-3 10.2.1.0/24 tgw-attach-3"], &[("eni-a", "eni-z", "tcp/443", NO)]);
}
