//! Routes within a VPC and the order of routes: rules 12 and 13 of `SEMANTICS.md`, and the appliances of 16.

use super::{NO, OPEN, TWO_SUBNETS, YES, check};

/// An interface in each of two subnets, an appliance in a third.
const INSPECTED: &str = "
    subnet subnet-m vpc-1 a 10.0.3.0/24 2001:db8:1:3::/64
    eni eni-a subnet-a 10.0.1.10 sg-open
    eni eni-b subnet-b 10.0.2.10 sg-open
    table rtb-a vpc-1 subnet-a
    table rtb-b vpc-1 subnet-b
";

const APPLIANCE: &str = "eni eni-m subnet-m 10.0.3.10 sg-open forwards";

/// [12] `local` is there even where the recording lacks it.
#[test]
fn local_is_always_there() {
    check(
        &[TWO_SUBNETS, OPEN, INSPECTED],
        &[("eni-a", "eni-b", "tcp/443", YES), ("eni-b", "eni-a", "udp/53", YES)],
    );
}

/// [13] A route more specific than `local` leads through an appliance; replies come back directly or through it.
#[test]
fn an_appliance_on_the_way() {
    let base = [TWO_SUBNETS, OPEN, INSPECTED, APPLIANCE].join("\n");
    check(&[&base, "rtb-a 10.0.2.0/24 eni-m"], &[("eni-a", "eni-b", "tcp/443", YES)]);
    check(
        &[&base, "rtb-a 10.0.2.0/24 eni-m", "rtb-b 10.0.1.0/24 eni-m"],
        &[("eni-a", "eni-b", "tcp/443", YES), ("eni-b", "eni-a", "tcp/443", YES)],
    );
    // It went directly; an appliance that never saw it begin is no way back.
    check(&[&base, "rtb-b 10.0.1.0/24 eni-m"], &[("eni-a", "eni-b", "tcp/443", NO)]);
    check(&[&base, "instance i-m eni-m", "rtb-a 10.0.2.0/24 i-m"], &[("eni-a", "eni-b", "tcp/443", YES)]);
}

/// [16] An interface that checks takes only what is its own.
#[test]
fn an_appliance_must_forward() {
    check(
        &[TWO_SUBNETS, OPEN, INSPECTED, "eni eni-m subnet-m 10.0.3.10 sg-open", "rtb-a 10.0.2.0/24 eni-m"],
        &[("eni-a", "eni-b", "tcp/443", NO), ("eni-a", "eni-m", "tcp/443", YES)],
    );
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            INSPECTED,
            APPLIANCE,
            "eni eni-m subnet-m 10.0.3.10 sg-open forwards detached",
            "rtb-a 10.0.2.0/24 eni-m",
        ],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
}

/// The appliance's own groups are asked in both directions.
#[test]
fn an_appliance_has_groups() {
    let base = [TWO_SUBNETS, OPEN, INSPECTED, "rtb-a 10.0.2.0/24 eni-m", "group sg-m"].join("\n");
    let appliance = "eni eni-m subnet-m 10.0.3.10 sg-m forwards";
    for (rules, expected) in [
        ("sg-m in tcp/443 10.0.1.0/24\nsg-m out tcp/443 10.0.2.0/24", YES),
        ("sg-m in tcp/443 10.0.1.0/24", NO),
        ("sg-m out tcp/443 10.0.2.0/24", NO),
        ("sg-m in tcp/443 10.0.2.0/24\nsg-m out tcp/443 10.0.2.0/24", NO),
        ("sg-m in tcp/443 sg-open\nsg-m out tcp/443 10.0.2.0/24", YES),
    ] {
        check(&[&base, appliance, rules], &[("eni-a", "eni-b", "tcp/443", expected)]);
    }
}

/// [5] Behind an appliance nobody is known by a group.
#[test]
fn references_are_lost_behind_an_appliance() {
    let base = "
        subnet subnet-m vpc-1 a 10.0.3.0/24
        group sg-a
       sg-a out all 0.0.0.0/0
        group sg-b
        eni eni-a subnet-a 10.0.1.10 sg-a
        eni eni-b subnet-b 10.0.2.10 sg-b
        eni eni-m subnet-m 10.0.3.10 sg-open forwards
        table rtb-a vpc-1 subnet-a
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let by = "rtb-a 10.0.2.0/24 eni-m";
    check(&[&base, "sg-b in all sg-a"], &[("eni-a", "eni-b", "tcp/443", YES)]);
    check(&[&base, "sg-b in all sg-a", by], &[("eni-a", "eni-b", "tcp/443", NO)]);
    check(&[&base, "sg-b in all 10.0.1.10/32", by], &[("eni-a", "eni-b", "tcp/443", YES)]);
    check(&[&base, "sg-b in all sg-open", by], &[("eni-a", "eni-b", "tcp/443", NO)]);
}

/// The ACLs of the appliance's subnet are asked on the way in and out.
#[test]
fn an_appliance_is_behind_acls() {
    let base =
        [TWO_SUBNETS, OPEN, INSPECTED, APPLIANCE, "rtb-a 10.0.2.0/24 eni-m", "acl acl-m vpc-1 subnet-m"]
            .join("\n");
    for (entries, expected) in [
        ("acl-m in 100 allow tcp/443 10.0.1.0/24\nacl-m out 100 allow tcp/443 10.0.2.0/24", YES),
        ("acl-m in 100 allow tcp/443 10.0.1.0/24", NO),
        ("acl-m out 100 allow tcp/443 10.0.2.0/24", NO),
    ] {
        check(&[&base, entries], &[("eni-a", "eni-b", "tcp/443", expected)]);
    }
    // The replies come through it as well, and its ACL has no room for them.
    check(
        &[
            &base,
            "rtb-b 10.0.1.0/24 eni-m",
            "acl-m in 100 allow tcp/443 0.0.0.0/0",
            "acl-m out 100 allow tcp/443 0.0.0.0/0",
        ],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
}

/// Two appliances that lead to each other, and one whose own table leads back to it.
#[test]
fn a_loop_ends() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            INSPECTED,
            APPLIANCE,
            "table rtb-m vpc-1 subnet-m",
            "rtb-a 10.0.2.0/24 eni-m",
            "rtb-m 10.0.2.0/24 eni-m",
        ],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            INSPECTED,
            APPLIANCE,
            "subnet subnet-n vpc-1 a 10.0.4.0/24",
            "eni eni-n subnet-n 10.0.4.10 sg-open forwards",
            "table rtb-m vpc-1 subnet-m",
            "table rtb-n vpc-1 subnet-n",
            "rtb-a 10.0.2.0/24 eni-m",
            "rtb-m 10.0.2.0/24 eni-n",
            "rtb-n 10.0.2.0/24 eni-m",
        ],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
}

/// [12] The longest prefix decides, also a black hole's; `local` is longer than what is wider.
#[test]
fn the_longest_prefix_decides() {
    let base = [TWO_SUBNETS, OPEN, INSPECTED, APPLIANCE].join("\n");
    check(&[&base, "rtb-a 10.0.0.0/8 igw-gone"], &[("eni-a", "eni-b", "tcp/443", YES)]);
    check(&[&base, "rtb-a 10.0.2.0/24 eni-m blackhole"], &[("eni-a", "eni-b", "tcp/443", NO)]);
    check(
        &[&base, "rtb-a 10.0.2.0/24 eni-m blackhole", "rtb-a 10.0.2.10/32 eni-m"],
        &[("eni-a", "eni-b", "tcp/443", YES)],
    );
    // `local` of the whole VPC, led elsewhere.
    check(&[&base, "rtb-a 10.0.0.0/16 eni-m blackhole"], &[("eni-a", "eni-b", "tcp/443", NO)]);
    check(&[&base, "rtb-a 10.0.0.0/16 eni-m"], &[("eni-a", "eni-b", "tcp/443", YES)]);
}

/// [12] Of equal prefixes: static before propagated, a prefix before a list, a list before propagated.
#[test]
fn the_order_of_equal_routes() {
    let base = "
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
        igw igw-1 vpc-1
        vgw vgw-1 vpc-1
        list pl-a 198.51.100.0/24
        table rtb-a vpc-1 subnet-a
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let asked = |expected| [("eni-a", "198.51.100.7", "tcp/443", expected)];
    let gone = "rtb-a 198.51.100.0/24 igw-gone";
    check(
        &[&base, "rtb-a 198.51.100.0/24 igw-1", "rtb-a 198.51.100.0/24 vgw-1 propagated blackhole"],
        &asked(YES),
    );
    check(&[&base, "rtb-a pl-a igw-1", "rtb-a 198.51.100.0/24 vgw-1 propagated blackhole"], &asked(YES));
    check(&[&base, "rtb-a pl-a igw-1", gone], &asked(NO));
    check(&[&base, "rtb-a pl-a igw-gone", "rtb-a 198.51.100.0/24 igw-1"], &asked(YES));
    check(&[&base, "rtb-a pl-a igw-1", "rtb-a 198.51.100.0/25 igw-gone"], &asked(NO));
    check(&[&base, "rtb-a pl-a igw-1", "rtb-a 198.51.0.0/16 igw-gone"], &asked(YES));
}

/// [12] A subnet without a table of its own has the main one.
#[test]
fn the_main_table_serves_the_rest() {
    let base = "
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
        eni eni-b subnet-b 10.0.2.10=203.0.113.11 sg-open
        igw igw-1 vpc-1
        table rtb-m vpc-1 main
        rtb-m 0.0.0.0/0 igw-1
        table rtb-b vpc-1 subnet-b
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[("eni-a", "198.51.100.7", "tcp/443", YES), ("eni-b", "198.51.100.7", "tcp/443", NO)],
    );
}

/// Nobody has that address, or only in another VPC of the same prefix.
#[test]
fn an_address_is_of_its_vpc() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            INSPECTED,
            "vpc vpc-2 10.0.0.0/16",
            "subnet subnet-z vpc-2 a 10.0.9.0/24",
            "eni eni-z subnet-z 10.0.9.10 sg-open",
        ],
        &[("eni-a", "eni-z", "tcp/443", NO), ("eni-a", "eni-b", "tcp/443", YES)],
    );
}
