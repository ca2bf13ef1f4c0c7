//! Security groups: rules 1 to 8 of `SEMANTICS.md`.

use super::{NO, OPEN, TWO_SUBNETS, YES, check};

/// Two interfaces in one subnet; `sg-c` is the client's and `sg-s` the server's.
const PAIR: &str = "
    vpc vpc-1 10.0.0.0/16
    subnet subnet-a vpc-1 a 10.0.1.0/24
    group sg-c
    group sg-s
    eni eni-c subnet-a 10.0.1.10 sg-c
    eni eni-s subnet-a 10.0.1.20 sg-s
";

/// [1] Nothing is admitted that no rule speaks of, in either direction.
#[test]
fn no_rule_is_no_way() {
    check(&[PAIR], &[("eni-c", "eni-s", "tcp/5432", NO)]);
    check(&[PAIR, "sg-s in tcp/5432 0.0.0.0/0"], &[("eni-c", "eni-s", "tcp/5432", NO)]);
    check(&[PAIR, "sg-c out all 0.0.0.0/0"], &[("eni-c", "eni-s", "tcp/5432", NO)]);
}

/// [1] [2] The client's egress and the server's ingress; replies are free, and the way back in is not opened.
#[test]
fn egress_and_ingress_both_admit_and_replies_are_free() {
    check(
        &[PAIR, "sg-c out tcp/5432 10.0.1.20/32", "sg-s in tcp/5432 10.0.1.10/32"],
        &[
            ("eni-c", "eni-s", "tcp/5432", YES),
            ("eni-c", "eni-s", "tcp/5431", NO),
            ("eni-c", "eni-s", "tcp/5433", NO),
            ("eni-c", "eni-s", "udp/5432", NO),
            ("eni-s", "eni-c", "tcp/5432", NO),
        ],
    );
}

/// [1] What several groups admit adds up.
#[test]
fn groups_add_up() {
    check(
        &[
            PAIR,
            "group sg-x",
            "sg-c out all 0.0.0.0/0",
            "sg-s in tcp/80 0.0.0.0/0",
            "sg-x in tcp/443 10.0.1.0/24",
            "eni eni-s subnet-a 10.0.1.20 sg-s sg-x",
        ],
        &[
            ("eni-c", "eni-s", "tcp/80", YES),
            ("eni-c", "eni-s", "tcp/443", YES),
            ("eni-c", "eni-s", "tcp/81", NO),
        ],
    );
}

#[test]
fn no_group_at_all_is_no_way() {
    check(
        &[PAIR, OPEN, "eni eni-c subnet-a 10.0.1.10 sg-open", "eni eni-s subnet-a 10.0.1.20"],
        &[("eni-c", "eni-s", "tcp/5432", NO), ("eni-s", "eni-c", "tcp/5432", NO)],
    );
}

/// [1] A range admits both of its ends and neither neighbour.
#[test]
fn ranges_have_both_ends() {
    check(
        &[PAIR, "sg-c out all 0.0.0.0/0", "sg-s in tcp/1000-2000 0.0.0.0/0"],
        &[
            ("eni-c", "eni-s", "tcp/999", NO),
            ("eni-c", "eni-s", "tcp/1000", YES),
            ("eni-c", "eni-s", "tcp/2000", YES),
            ("eni-c", "eni-s", "tcp/2001", NO),
        ],
    );
}

/// [4] A reference is who carries the group, whatever its rules.
#[test]
fn a_reference_is_who_carries_the_group() {
    check(
        &[
            PAIR,
            OPEN,
            "sg-c out all 0.0.0.0/0",
            "sg-s in tcp/5432 sg-c",
            "eni eni-d subnet-a 10.0.1.11 sg-open",
        ],
        &[("eni-c", "eni-s", "tcp/5432", YES), ("eni-d", "eni-s", "tcp/5432", NO)],
    );
}

/// [4] It works for egress as well.
#[test]
fn a_reference_in_egress() {
    check(
        &[
            PAIR,
            OPEN,
            "sg-c out tcp/5432 sg-s",
            "eni eni-o subnet-a 10.0.1.30 sg-open",
            "sg-s in all 0.0.0.0/0",
        ],
        &[("eni-c", "eni-s", "tcp/5432", YES), ("eni-c", "eni-o", "tcp/5432", NO)],
    );
}

/// [4] It is not transitive: `s` admits `c`, `c` admits `d`, and `d` does not get to `s`.
#[test]
fn references_are_not_transitive() {
    check(
        &[
            PAIR,
            "group sg-d",
            "sg-d out all 0.0.0.0/0",
            "sg-c out all 0.0.0.0/0",
            "sg-c in all sg-d",
            "sg-s in all sg-c",
            "eni eni-d subnet-a 10.0.1.11 sg-d",
        ],
        &[
            ("eni-d", "eni-c", "tcp/5432", YES),
            ("eni-c", "eni-s", "tcp/5432", YES),
            ("eni-d", "eni-s", "tcp/5432", NO),
        ],
    );
}

/// [4] Carrying one group does not let two interfaces talk; a rule about itself does, to all that carry it.
#[test]
fn a_self_reference_is_explicit_and_opens_every_holder() {
    let two = "
        eni eni-c subnet-a 10.0.1.10 sg-s
        sg-s out all 0.0.0.0/0
    ";
    check(&[PAIR, two], &[("eni-c", "eni-s", "tcp/5432", NO)]);
    check(
        &[PAIR, two, "sg-s in tcp/5432 sg-s"],
        &[
            ("eni-c", "eni-s", "tcp/5432", YES),
            ("eni-s", "eni-c", "tcp/5432", YES),
            ("eni-c", "eni-s", "tcp/22", NO),
        ],
    );
}

/// [5] A group that is gone is nobody.
#[test]
fn a_stale_reference_matches_nothing() {
    check(&[PAIR, "sg-c out all 0.0.0.0/0", "sg-s in all sg-gone"], &[("eni-c", "eni-s", "tcp/5432", NO)]);
}

/// [5] A reference over a peering that is gone is stale, whoever has the group attached.
#[test]
fn a_reference_over_a_deleted_peering_matches_nothing() {
    let asked = |expected| [("eni-c", "eni-s", "tcp/5432", expected)];
    let all = "sg-c out all 0.0.0.0/0";
    check(&[PAIR, all, "sg-s in all sg-c peering=active"], &asked(YES));
    for state in ["deleted", "expired", "pending-acceptance"] {
        check(&[PAIR, all, &format!("sg-s in all sg-c peering={state}")], &asked(NO));
    }
}

/// [6] An interface carries a group of another VPC that is associated with its own.
#[test]
fn a_group_serves_an_associated_vpc() {
    check(
        &[
            "vpc vpc-9 10.9.0.0/16",
            TWO_SUBNETS,
            "group sg-far vpc-9",
            "sg-far in tcp/443 sg-far",
            "sg-far out tcp/443 sg-far",
            "eni eni-a subnet-a 10.0.1.10 sg-far",
            "eni eni-b subnet-b 10.0.2.10 sg-far",
        ],
        &[("eni-a", "eni-b", "tcp/443", YES), ("eni-a", "eni-b", "tcp/80", NO)],
    );
}

/// [7] ICMP by type and code; other protocols by their number alone; IPv6's own never for IPv4.
#[test]
fn protocols() {
    check(
        &[
            PAIR,
            "sg-c out all 0.0.0.0/0",
            "sg-s in icmp/8 0.0.0.0/0",
            "sg-s in icmp/3/4 0.0.0.0/0",
            "sg-s in icmpv6 0.0.0.0/0",
            "sg-s in proto/47 0.0.0.0/0",
        ],
        &[
            ("eni-c", "eni-s", "icmp/8/0", YES),
            ("eni-c", "eni-s", "icmp/8/1", YES),
            ("eni-c", "eni-s", "icmp/3/4", YES),
            ("eni-c", "eni-s", "icmp/3/3", NO),
            ("eni-c", "eni-s", "icmp/13/0", NO),
            ("eni-c", "eni-s", "icmpv6/128/0", NO),
            ("eni-c", "eni-s", "proto/47", YES),
            ("eni-c", "eni-s", "proto/50", NO),
            ("eni-c", "eni-s", "tcp/47", NO),
        ],
    );
}

/// [8] A prefix list stands for each of its entries.
#[test]
fn a_prefix_list_is_its_entries() {
    check(
        &[
            PAIR,
            OPEN,
            "list pl-a 10.0.1.10/32 192.168.0.0/16",
            "sg-c out all 0.0.0.0/0",
            "sg-s in tcp/443 pl-a",
            "eni eni-d subnet-a 10.0.1.11 sg-open",
        ],
        &[("eni-c", "eni-s", "tcp/443", YES), ("eni-d", "eni-s", "tcp/443", NO)],
    );
}

/// [8] Rules of one family say nothing of the other.
#[test]
fn families_are_apart() {
    let hosts = "
        eni eni-a subnet-a 2001:db8:1:1::10 sg-a
        eni eni-b subnet-b 2001:db8:1:2::10 sg-a
        eni eni-c subnet-a 10.0.1.10 sg-a
        eni eni-d subnet-b 10.0.2.10 sg-a
        group sg-a
    ";
    check(
        &[TWO_SUBNETS, hosts, "sg-a in tcp/443 0.0.0.0/0", "sg-a out all 0.0.0.0/0"],
        &[
            ("eni-c", "eni-d", "tcp/443", YES),
            ("eni-a", "eni-b", "tcp/443", NO),
            ("eni-a", "eni-d", "tcp/443", NO),
        ],
    );
    check(
        &[TWO_SUBNETS, hosts, "sg-a in tcp/443 ::/0", "sg-a out all ::/0", "sg-a in icmpv6/128 ::/0"],
        &[
            ("eni-c", "eni-d", "tcp/443", NO),
            ("eni-a", "eni-b", "tcp/443", YES),
            ("eni-a", "eni-b", "icmpv6/128/0", YES),
            ("eni-a", "eni-b", "icmpv6/129/0", NO),
        ],
    );
}

/// What is not attached sends and receives nothing; nothing is asked of an interface and itself.
#[test]
fn a_detached_interface_is_nobody() {
    check(
        &[
            PAIR,
            OPEN,
            "eni eni-c subnet-a 10.0.1.10 sg-open",
            "eni eni-s subnet-a 10.0.1.20 sg-open detached",
        ],
        &[("eni-c", "eni-s", "tcp/443", NO), ("eni-s", "eni-c", "tcp/443", NO)],
    );
}

/// One of several addresses is enough.
#[test]
fn every_address_counts() {
    check(
        &[
            PAIR,
            "eni eni-s subnet-a 10.0.1.20 10.0.1.21 sg-s",
            "sg-c out tcp/443 10.0.1.21/32",
            "sg-s in tcp/443 0.0.0.0/0",
        ],
        &[("eni-c", "eni-s", "tcp/443", YES)],
    );
    check(
        &[
            PAIR,
            "eni eni-c subnet-a 10.0.1.10 10.0.1.11 sg-c",
            "sg-c out all 0.0.0.0/0",
            "sg-s in tcp/443 10.0.1.11/32",
        ],
        &[("eni-c", "eni-s", "tcp/443", YES), ("eni-c", "eni-s", "tcp/80", NO)],
    );
}

/// [21] A network load balancer without groups admits all; with groups, what they admit.
#[test]
fn a_network_load_balancer_without_groups_admits_all() {
    check(
        &[
            PAIR,
            "sg-c out all 0.0.0.0/0",
            "eni eni-n subnet-a 10.0.1.30 kind=network_load_balancer",
            "eni eni-m subnet-a 10.0.1.31 kind=network_load_balancer sg-s",
            "eni eni-g subnet-a 10.0.1.32 kind=gateway_load_balancer",
        ],
        &[
            ("eni-c", "eni-n", "tcp/443", YES),
            ("eni-c", "eni-m", "tcp/443", NO),
            ("eni-c", "eni-g", "tcp/443", YES),
        ],
    );
}
