//! From one VPC to another over the internet, by IPv6: rule 15 of `SEMANTICS.md`.

use doorward_core::net::Flow;
use doorward_core::reach::{Reachability, Selector};

use super::{NO, OPEN, PARTLY, YES, check};
use crate::written::account;

/// A VPC that leads out by an egress-only internet gateway, and one behind an internet gateway.
const TWO_VPCS: &str = "
    vpc vpc-1 10.1.0.0/16 2001:db8:1::/56
    subnet subnet-a vpc-1 a 10.1.1.0/24 2001:db8:1:1::/64
    eni eni-a subnet-a 10.1.1.10 2001:db8:1:1::10 sg-open
    eigw eigw-1 vpc-1
    table rtb-a vpc-1 subnet-a
    vpc vpc-2 10.2.0.0/16 2001:db8:2::/56
    subnet subnet-b vpc-2 a 10.2.1.0/24 2001:db8:2:1::/64
    eni eni-b subnet-b 10.2.1.10 2001:db8:2:1::10 sg-b
    group sg-b
    sg-b out all ::/0
    igw igw-2 vpc-2
    table rtb-b vpc-2 subnet-b
";

const OUT: &str = "rtb-a ::/0 eigw-1";
const BACK: &str = "rtb-b ::/0 igw-2";
const ADMITS: &str = "sg-b in tcp/443 2001:db8:1::/56";

/// [15] An egress-only internet gateway leads to what another VPC has behind its internet gateway, and nothing back.
#[test]
fn an_egress_only_gateway_leads_to_another_vpc() {
    let asked = |there, back| [("eni-a", "eni-b", "tcp/443", there), ("eni-b", "eni-a", "tcp/443", back)];
    check(&[OPEN, TWO_VPCS, OUT, BACK, ADMITS], &asked(YES, NO));
    check(&[OPEN, TWO_VPCS, BACK, ADMITS], &asked(NO, NO));
    check(&[OPEN, TWO_VPCS, OUT, ADMITS], &asked(NO, NO));
    check(&[OPEN, TWO_VPCS, OUT, BACK], &asked(NO, NO));
    // By an internet gateway each reaches the other.
    let gateway = "
        igw igw-1 vpc-1
        rtb-a ::/0 igw-1
    ";
    check(&[OPEN, TWO_VPCS, gateway, BACK, ADMITS], &asked(YES, YES));
}

/// [5] A rule that references a group matches nothing that comes over the internet.
#[test]
fn a_reference_does_not_match_over_the_internet() {
    let asked = |expected| [("eni-a", "eni-b", "tcp/443", expected)];
    check(&[OPEN, TWO_VPCS, OUT, BACK, "sg-b in tcp/443 sg-open"], &asked(NO));
    // Over a peering in the same Region it does.
    let peering = "
        pcx pcx-1 vpc-1 vpc-2
        rtb-a 2001:db8:2::/56 pcx-1
        rtb-b 2001:db8:1::/56 pcx-1
    ";
    check(&[OPEN, TWO_VPCS, OUT, BACK, "sg-b in tcp/443 sg-open", peering], &asked(YES));
}

/// [10] [14] The network ACLs of both subnets and Block Public Access of both Regions are asked.
#[test]
fn everything_on_the_path_over_the_internet_is_asked() {
    let asked = |expected| [("eni-a", "eni-b", "tcp/443", expected)];
    let base = [OPEN, TWO_VPCS, OUT, BACK, ADMITS].join("\n");
    let acl = |of: &str, subnet: &str, vpc: &str, extra: &str| {
        format!(
            "acl {of} {vpc} {subnet}
             {of} in 100 allow all ::/0
             {of} out 100 allow all ::/0
             {extra}"
        )
    };
    let (a, b) =
        (|extra| acl("acl-a", "subnet-a", "vpc-1", extra), |extra| acl("acl-b", "subnet-b", "vpc-2", extra));
    check(&[&base, &a(""), &b("")], &asked(YES));
    check(&[&base, &a("acl-a out 10 deny all 2001:db8:2::/56")], &asked(NO));
    check(&[&base, &b("acl-b in 10 deny all 2001:db8:1::/56")], &asked(NO));
    check(&[&base, &b("acl-b out 10 deny tcp/1024-40000 2001:db8:1::/56")], &asked(PARTLY));
    check(&[&base, &a("acl-a in 10 deny tcp/1024-65535 2001:db8:2::/56")], &asked(NO));
    check(&[&base, "block eu-west-1 both"], &asked(NO));
    check(&[&base, "block eu-west-1 ingress"], &asked(NO));
    check(&[&base, "block eu-west-1 ingress", "except eu-west-1 subnet-b both"], &asked(YES));
}

/// Without a peering the fix is the gateway that the VPC of the sender has.
#[test]
fn the_fix_leads_over_the_internet() {
    let real = Reachability::of(account(&[OPEN, TWO_VPCS, BACK, ADMITS].join("\n")));
    let end = |text: &str| Selector::find(text, real.inventory()).expect("an end");
    let asked = "tcp/443".parse::<Flow>().expect("a flow").into();
    let answer = real.ask(&end("2001:db8:1:1::10"), &end("2001:db8:2:1::10"), Some(&asked));
    let fixes: Vec<String> = answer.blockers.iter().map(|blocker| blocker.fix.to_string()).collect();
    assert_eq!(fixes, ["add a route to rtb-a: 2001:db8:2:1::10/128 by eigw-1"]);
}
