//! What AWS serves in every VPC: rule 9 of `SEMANTICS.md`.

use doorward_core::net::Flow;
use doorward_core::reach::{Reachability, Selector};

use super::{NO, PARTLY, TWO_SUBNETS, YES, check};

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

/// [9] Each of them answers at its own addresses and ports: DHCP and DNS by the VPC user guide (subnet sizing), the activation of
/// Windows by the EC2 user guide, the endpoint of tasks by the ECS and the EKS guides.
#[test]
fn each_service_has_its_addresses_and_its_ports() {
    let base = "
        group sg-none
        eni eni-a subnet-a 10.0.1.10 sg-none
        acl acl-a vpc-1 subnet-a
    ";
    check(
        &[TWO_SUBNETS, base],
        &[
            ("eni-a", "169.254.169.250", "tcp/1688", YES),
            ("eni-a", "169.254.169.251", "tcp/1688", YES),
            ("eni-a", "169.254.169.251", "tcp/80", NO),
            ("eni-a", "169.254.170.2", "tcp/80", YES),
            ("eni-a", "169.254.170.23", "tcp/80", YES),
            ("eni-a", "169.254.170.23", "tcp/443", NO),
        ],
    );
    // At the base of a VPC's second range plus two there is a DNS server as well; an interface keeps its address.
    check(
        &["vpc vpc-1 10.0.0.0/16 10.9.0.0/16", "subnet subnet-a vpc-1 a 10.0.1.0/24", base],
        &[("eni-a", "10.9.0.2", "udp/53", YES), ("eni-a", "10.9.0.1", "udp/53", NO)],
    );
}

/// [9] The answer says what has the address, and when it does not answer.
#[test]
fn the_note_says_what_answers_and_when_it_does_not() {
    let lines = [TWO_SUBNETS, super::OPEN, "eni eni-a subnet-a 10.0.1.10 sg-open"].join("\n");
    let real = Reachability::of(crate::written::account(&lines));
    let end = |text: &str| Selector::find(text, real.inventory()).expect("an end");
    let rest = "security groups and network ACLs do not filter it, and no route leads there";
    for (address, name, unless) in [
        ("10.0.0.2", "the Amazon DNS server", ". It answers unless enableDnsSupport of the VPC is off"),
        (
            "169.254.169.253",
            "the Amazon DNS server",
            ". It answers unless enableDnsSupport of the VPC is off",
        ),
        (
            "169.254.169.254",
            "the instance metadata service",
            ". It answers unless the metadata options of the instance forbid it, which were not recorded",
        ),
        ("169.254.170.2", "the metadata endpoint of containers", ""),
        ("169.254.169.123", "the Amazon Time Sync Service", ""),
        ("169.254.169.250", "the licence activation of Windows", ""),
        ("10.0.1.1", "the DHCP server of the VPC router", ""),
    ] {
        let answer = real.ask(&end("eni-a"), &end(address), None);
        assert_eq!(answer.notes, [format!("{address} is {name}: {rest}{unless}")]);
    }
    // The router of each subnet answers DHCP.
    for (address, flow, expected) in
        [("10.0.1.1", "udp/67", YES), ("10.0.2.1", "udp/67", YES), ("10.0.1.1", "udp/53", NO)]
    {
        let flow = flow.parse::<Flow>().expect("a flow").into();
        assert_eq!(real.ask(&end("eni-a"), &end(address), Some(&flow)).verdict, expected, "{address}");
    }
}

/// [9] Of a prefix that AWS serves in part each address is asked by itself.
#[test]
fn a_prefix_that_aws_serves_in_part() {
    let lines = [TWO_SUBNETS, super::OPEN, "eni eni-a subnet-a 10.0.1.10 sg-open"].join("\n");
    let real = Reachability::of(crate::written::account(&lines));
    let end = |text: &str| Selector::find(text, real.inventory()).expect("an end");
    let ask = |prefix: &str, flow: &str| {
        let asked = flow.parse::<Flow>().expect("a flow").into();
        real.ask(&end("eni-a"), &end(prefix), Some(&asked))
    };
    for (prefix, flow, expected) in [
        ("169.254.169.252/31", "udp/53", PARTLY),
        ("169.254.169.252/31", "udp/123", NO),
        ("169.254.0.0/16", "tcp/80", PARTLY),
        ("169.254.169.123/32", "udp/123", YES),
        ("169.254.171.0/24", "udp/123", NO),
        ("fd00:ec2::/32", "udp/53", NO),
    ] {
        let answer = ask(prefix, flow);
        assert_eq!(answer.verdict, expected, "{prefix} {flow}: {answer:#?}");
    }
    let answer = ask("169.254.169.252/31", "udp/53");
    let parts: Vec<_> = answer.parts.iter().map(|part| (part.to.as_str(), part.verdict)).collect();
    assert_eq!(
        parts,
        [("outside: 169.254.169.252/32", NO), ("the Amazon DNS server: 169.254.169.253/32", YES)]
    );
    let note = "AWS serves some addresses of 169.254.169.252/31 itself, which security groups and network ACLs do not \
                filter: 169.254.169.253 (the Amazon DNS server)";
    assert_eq!(answer.notes, [note]);
}

/// [9] What AWS reserves is not forwarded by a wider route; what is beside it is.
#[test]
fn a_wider_route_leads_to_nothing_that_is_reserved() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        vgw vgw-1 vpc-1
        vpn vpn-1 vgw-1 0.0.0.0/0
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 vgw-1
    ";
    check(
        &[TWO_SUBNETS, super::OPEN, base],
        &[("eni-a", "169.254.168.7", "tcp/443", NO), ("eni-a", "192.168.1.7", "tcp/443", YES)],
    );
}

/// No fix adds a route to addresses that no route may lead to.
#[test]
fn no_route_to_what_is_reserved() {
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
