//! Network ACLs: rules 10 and 11 of `SEMANTICS.md`.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// An interface in each of two subnets, and a second one in the second.
const HOSTS: &str = "
    eni eni-a subnet-a 10.0.1.10 2001:db8:1:1::10 sg-open
    eni eni-b subnet-b 10.0.2.10 2001:db8:1:2::10 sg-open
    eni eni-c subnet-b 10.0.2.11 sg-open
";

const OUT_OPEN: &str = "acl-b out 100 allow all 0.0.0.0/0";
const IN_OPEN: &str = "acl-b in 100 allow all 0.0.0.0/0";

/// [10] The lowest number decides, in whatever order they are told.
#[test]
fn the_lowest_number_decides() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            HOSTS,
            "acl acl-b vpc-1 subnet-b",
            OUT_OPEN,
            "acl-b in 200 allow all 0.0.0.0/0",
            "acl-b in 110 allow tcp/443 10.0.1.0/24",
            "acl-b in 120 deny tcp/400-500 0.0.0.0/0",
        ],
        &[
            ("eni-a", "eni-b", "tcp/399", YES),
            ("eni-a", "eni-b", "tcp/400", NO),
            ("eni-a", "eni-b", "tcp/443", YES),
            ("eni-a", "eni-b", "tcp/500", NO),
            ("eni-a", "eni-b", "tcp/501", YES),
        ],
    );
}

/// [10] What no entry speaks of is denied.
#[test]
fn an_empty_acl_denies() {
    check(
        &[TWO_SUBNETS, OPEN, HOSTS, "acl acl-b vpc-1 subnet-b"],
        &[("eni-a", "eni-b", "tcp/443", NO), ("eni-b", "eni-a", "tcp/443", NO)],
    );
    check(
        &[TWO_SUBNETS, OPEN, HOSTS, "acl acl-b vpc-1 subnet-b", IN_OPEN],
        &[("eni-a", "eni-b", "tcp/443", NO), ("eni-a", "eni-b", "icmp/3/4", NO)],
    );
}

/// [10] Nobody asks an ACL inside its subnet.
#[test]
fn no_acl_inside_a_subnet() {
    check(
        &[TWO_SUBNETS, OPEN, HOSTS, "acl acl-b vpc-1 subnet-b"],
        &[("eni-b", "eni-c", "tcp/443", YES), ("eni-a", "eni-c", "tcp/443", NO)],
    );
}

/// [10] A subnet without an ACL of its own has its VPC's default one.
#[test]
fn the_default_acl_serves_the_rest() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            HOSTS,
            "acl acl-d vpc-1 default",
            "acl-d in 100 allow tcp/443 0.0.0.0/0",
            "acl-d in 101 allow tcp/1024-65535 0.0.0.0/0",
            "acl-d out 100 allow all 0.0.0.0/0",
        ],
        &[("eni-a", "eni-b", "tcp/443", YES), ("eni-a", "eni-b", "tcp/80", NO)],
    );
}

/// [11] Replies go to the client's own port: all of them, some, or none get back.
#[test]
fn replies_need_the_ephemeral_ports() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, "acl acl-b vpc-1 subnet-b", IN_OPEN].join("\n");
    for (out, expected) in [
        ("acl-b out 100 allow tcp/1024-65535 10.0.1.0/24", YES),
        ("acl-b out 100 allow tcp/32768-65535 10.0.1.0/24", PARTLY),
        ("acl-b out 100 allow tcp/65535 10.0.1.0/24", PARTLY),
        ("acl-b out 100 allow tcp/1024 10.0.1.10/32", PARTLY),
        ("acl-b out 100 allow tcp/0-1023 10.0.1.0/24", NO),
        ("acl-b out 100 allow tcp/443 10.0.1.0/24", NO),
        ("acl-b out 100 allow udp/1024-65535 10.0.1.0/24", NO),
        ("acl-b out 100 allow tcp/1024-65535 10.0.2.0/24", NO),
    ] {
        check(&[&base, out], &[("eni-a", "eni-b", "tcp/443", expected)]);
    }
}

/// [11] The client's own subnet is asked as well.
#[test]
fn replies_get_past_the_clients_acl() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, "acl acl-a vpc-1 subnet-a", "acl-a out 100 allow all 0.0.0.0/0"]
        .join("\n");
    check(&[&base], &[("eni-a", "eni-b", "tcp/443", NO)]);
    check(
        &[&base, "acl-a in 100 allow tcp/1024-49151 10.0.2.0/24"],
        &[("eni-a", "eni-b", "tcp/443", PARTLY), ("eni-a", "eni-b", "udp/443", NO)],
    );
    // Different parts at each end, and nothing that both let through.
    check(
        &[
            &base,
            "acl-a in 100 allow tcp/1024-40000 0.0.0.0/0",
            "acl acl-b vpc-1 subnet-b",
            IN_OPEN,
            "acl-b out 100 allow tcp/40001-65535 0.0.0.0/0",
        ],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
    check(
        &[
            &base,
            "acl-a in 100 allow tcp/1024-40000 0.0.0.0/0",
            "acl acl-b vpc-1 subnet-b",
            IN_OPEN,
            "acl-b out 100 allow tcp/40000-65535 0.0.0.0/0",
        ],
        &[("eni-a", "eni-b", "tcp/443", PARTLY)],
    );
}

/// [11] An echo is answered by an echo reply; an error message by nothing; other protocols by themselves.
#[test]
fn replies_without_ports() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, "acl acl-b vpc-1 subnet-b", IN_OPEN].join("\n");
    check(
        &[&base, "acl-b out 100 allow icmp/0 0.0.0.0/0", "acl-b out 110 allow proto/47 0.0.0.0/0"],
        &[
            ("eni-a", "eni-b", "icmp/8/0", YES),
            ("eni-a", "eni-b", "icmp/13/0", NO),
            ("eni-a", "eni-b", "icmp/3/4", NO),
            ("eni-a", "eni-b", "proto/47", YES),
            ("eni-a", "eni-b", "proto/50", NO),
            ("eni-b", "eni-a", "icmp/8/0", NO),
        ],
    );
    check(
        &[&base, "acl-b out 100 allow icmp/14/0 0.0.0.0/0"],
        &[("eni-a", "eni-b", "icmp/13/0", YES), ("eni-a", "eni-b", "icmp/13/1", NO)],
    );
}

/// [10] Entries of one family say nothing of the other.
#[test]
fn families_are_apart() {
    let hosts = "
        eni eni-a subnet-a 2001:db8:1:1::10 sg-open
        eni eni-b subnet-b 2001:db8:1:2::10 sg-open
    ";
    check(
        &[TWO_SUBNETS, OPEN, hosts, "acl acl-b vpc-1 subnet-b", IN_OPEN, OUT_OPEN],
        &[("eni-a", "eni-b", "tcp/443", NO)],
    );
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            hosts,
            "acl acl-b vpc-1 subnet-b",
            "acl-b in 101 allow all ::/0",
            "acl-b out 101 allow icmpv6/129 2001:db8:1:1::/64",
        ],
        &[("eni-a", "eni-b", "icmpv6/128/0", YES), ("eni-a", "eni-b", "tcp/443", NO)],
    );
}
