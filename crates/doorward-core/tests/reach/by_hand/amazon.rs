//! What AWS serves in every VPC: rule 9 of `SEMANTICS.md`.

use super::{NO, TWO_SUBNETS, YES, check};

/// [9] The DNS server, metadata and the time answer whatever groups, ACLs and routes say, and nothing else does.
#[test]
fn amazons_own_addresses() {
    let base = "
        group sg-none
        eni eni-a subnet-a 10.0.1.10 sg-none
        acl acl-a vpc-1 subnet-a
        vpc vpc-2 10.2.0.0/16
    ";
    check(
        &[TWO_SUBNETS, base],
        &[
            ("eni-a", "10.0.0.2", "udp/53", YES),
            ("eni-a", "10.0.0.2", "tcp/53", YES),
            ("eni-a", "10.0.0.2", "tcp/443", NO),
            ("eni-a", "169.254.169.253", "udp/53", YES),
            ("eni-a", "169.254.169.254", "tcp/80", YES),
            ("eni-a", "169.254.169.254", "tcp/22", NO),
            ("eni-a", "169.254.169.123", "udp/123", YES),
            ("169.254.169.254", "eni-a", "tcp/80", NO),
            // Another VPC's DNS server, and the address beside one's own.
            ("eni-a", "10.2.0.2", "udp/53", NO),
            ("eni-a", "10.0.0.3", "udp/53", NO),
        ],
    );
}

/// No fix adds a route to addresses that no route may lead to.
#[test]
fn no_route_to_what_is_reserved() {
    use doorward_core::reach::{Reachability, Selector};

    let account = crate::written::account(
        &[TWO_SUBNETS, super::OPEN, "eni eni-a subnet-a 10.0.1.10 sg-open"].join("\n"),
    );
    let end = |text: &str| Selector::find(text, &account).expect("an end");
    let (from, to) = (end("eni-a"), end("169.254.169.99"));
    let answer = Reachability::of(account.clone()).ask(&from, &to, None);
    assert!(!answer.blockers.is_empty());
    for blocker in answer.blockers {
        assert!(!blocker.fix.to_string().contains("add a route"), "{}", blocker.fix);
    }
}
