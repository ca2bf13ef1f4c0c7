//! Every explanation code is given: an account and a question for each.

use std::collections::BTreeSet;

use doorward_core::net::Flow;
use doorward_core::reach::{Code, Reachability, Selector};

use super::{OPEN, TWO_SUBNETS};
use crate::written::account;

const BASE: &str = "
    eni eni-a subnet-a 10.0.1.10 sg-open
    eni eni-p subnet-a 10.0.1.11=203.0.113.11 2001:db8:1:1::11 sg-open
    eni eni-b subnet-b 10.0.2.10 sg-open
    table rtb-1 vpc-1 main
";

const IGW: &str = "igw igw-1 vpc-1\nrtb-1 0.0.0.0/0 igw-1";

const PEER: &str = "
    vpc vpc-2 10.2.0.0/16 2001:db8:2::/56
    subnet subnet-z vpc-2 a 10.2.1.0/24 2001:db8:2:1::/64
    eni eni-z subnet-z 10.2.1.10 sg-open
    table rtb-2 vpc-2 main
    rtb-1 10.2.0.0/16 pcx-1
    rtb-2 10.0.0.0/16 pcx-1
";

/// Two VPCs on one transit gateway, without its attachments.
const TRANSIT: &str = "
    vpc vpc-2 10.2.0.0/16 2001:db8:2::/56
    subnet subnet-z vpc-2 a 10.2.1.0/24 2001:db8:2:1::/64
    eni eni-z subnet-z 10.2.1.10 sg-open
    table rtb-2 vpc-2 main
    tgw tgw-1
    tgwtable tgw-rtb-1 tgw-1
    rtb-1 0.0.0.0/0 tgw-1
    rtb-1 ::/0 tgw-1
    rtb-2 10.0.0.0/16 tgw-1
";
const ONE: &str = "attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a";
const TWO: &str = "attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-z";
const ROUTES: &str = "
    tgw-rtb-1 10.0.0.0/16 tgw-attach-1
    tgw-rtb-1 0.0.0.0/0 tgw-attach-2
    tgw-rtb-1 ::/0 tgw-attach-2
";

/// A load balancer in one zone, without its listener and target group.
const BALANCER: &str = "
    lb lb-1 network subnet-a
    eni eni-n subnet-a 10.0.1.30 sg-open
    node eni-n lb-1
";

/// Who, whom, with what packet, in which account, and the code that has to be among the blockers.
type Given = (Code, &'static [&'static str], [&'static str; 3]);

const GIVEN: &[Given] = &[
    (Code::BadState, &[PEER, "pcx pcx-1 vpc-1 vpc-2 pending"], ["eni-a", "eni-z", "tcp/443"]),
    (Code::BadStateAttachment, &["igw igw-1", "rtb-1 0.0.0.0/0 igw-1"], ["eni-p", "198.51.100.7", "tcp/443"]),
    (Code::BadStateRoute, &["rtb-1 0.0.0.0/0 igw-1 blackhole"], ["eni-p", "198.51.100.7", "tcp/443"]),
    (
        Code::BadStateVpn,
        &["vgw vgw-1 vpc-1", "rtb-1 192.168.0.0/16 vgw-1", "vpn vpn-1 vgw-1 192.168.0.0/16 down down"],
        ["eni-a", "192.168.1.7", "tcp/443"],
    ),
    (Code::NoRoute, &[], ["eni-a", "198.51.100.7", "tcp/443"]),
    (
        Code::NoDestination,
        &["vgw vgw-1 vpc-1", "rtb-1 0.0.0.0/0 vgw-1", "vpn vpn-1 vgw-1 0.0.0.0/0"],
        ["eni-a", "internet", "tcp/443"],
    ),
    (
        Code::SecurityGroup,
        &["group sg-b", "sg-b in tcp/22 0.0.0.0/0", "eni eni-b subnet-b 10.0.2.10 sg-b"],
        ["eni-a", "eni-b", "tcp/443"],
    ),
    (
        Code::SecurityGroupEmpty,
        &["group sg-b", "eni eni-b subnet-b 10.0.2.10 sg-b"],
        ["eni-a", "eni-b", "tcp/443"],
    ),
    (
        Code::ReferencesLost,
        &[
            PEER,
            "vpc vpc-2 10.2.0.0/16 in us-east-1",
            "pcx pcx-1 vpc-1 vpc-2",
            "group sg-z",
            "sg-z in all sg-open",
            "eni eni-z subnet-z 10.2.1.10 sg-z",
        ],
        ["eni-a", "eni-z", "tcp/443"],
    ),
    (Code::Acl, &["acl acl-b vpc-1 subnet-b"], ["eni-a", "eni-b", "tcp/443"]),
    (Code::SourceDestCheck, &["rtb-1 198.51.100.0/24 eni-b"], ["eni-a", "198.51.100.7", "tcp/443"]),
    (Code::NoPublicAddressOut, &[IGW], ["eni-a", "198.51.100.7", "tcp/443"]),
    (Code::NoPublicAddressIn, &[IGW], ["198.51.100.7", "eni-a", "tcp/443"]),
    (Code::PrivateDestination, &[IGW], ["eni-p", "192.168.1.7", "tcp/443"]),
    (Code::SharedDestination, &[IGW], ["eni-p", "100.64.1.7", "tcp/443"]),
    (
        Code::Spoofed,
        &[TRANSIT, ONE, TWO, ROUTES, "igw igw-2 vpc-2", "rtb-2 ::/0 igw-2"],
        ["eni-p", "2600::1", "tcp/443"],
    ),
    (
        Code::Redirected,
        &[IGW, "table rtb-i vpc-1 igw-1", "rtb-i 10.0.1.0/24 eni-gone"],
        ["198.51.100.7", "eni-p", "tcp/443"],
    ),
    (
        Code::NatSource,
        &[
            IGW,
            "table rtb-i vpc-1 igw-1",
            "rtb-i 10.0.1.0/24 eni-m",
            "subnet subnet-m vpc-1 a 10.0.3.0/24",
            "eni eni-m subnet-m 10.0.3.10 sg-open forwards",
            "table rtb-m vpc-1 subnet-m",
            "rtb-m 10.0.1.0/24 nat-1",
            "nat nat-1 subnet-b 10.0.2.5=203.0.113.5",
        ],
        ["198.51.100.7", "eni-p", "tcp/443"],
    ),
    (
        Code::NatInward,
        &["nat nat-1 subnet-b 10.0.2.5", "eni eni-n subnet-b 10.0.2.5 kind=nat_gateway"],
        ["eni-a", "eni-n", "tcp/443"],
    ),
    (
        Code::Protocol,
        &["rtb-1 0.0.0.0/0 nat-1", "nat nat-1 subnet-b 10.0.2.5=203.0.113.5"],
        ["eni-a", "198.51.100.7", "proto/47"],
    ),
    (
        Code::PeeringAddress,
        &[PEER, "pcx pcx-1 vpc-1 vpc-2", "rtb-1 10.3.0.0/16 pcx-1"],
        ["eni-a", "10.3.1.5", "tcp/443"],
    ),
    (Code::TransitZone, &[TRANSIT, ONE, TWO, ROUTES], ["eni-b", "eni-z", "tcp/443"]),
    (
        Code::TransitAttachmentZone,
        &[TRANSIT, ONE, ROUTES, "attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1"],
        ["eni-a", "eni-z", "tcp/443"],
    ),
    (
        Code::TransitNoTable,
        &[TRANSIT, TWO, ROUTES, "attach tgw-attach-1 tgw-1 vpc-1 subnet-a"],
        ["eni-a", "eni-z", "tcp/443"],
    ),
    (Code::TransitNoRoute, &[TRANSIT, ONE, TWO], ["eni-a", "eni-z", "tcp/443"]),
    (
        Code::TransitBadRoute,
        &[TRANSIT, ONE, TWO, ROUTES, "tgw-rtb-1 10.2.0.0/16 blackhole"],
        ["eni-a", "eni-z", "tcp/443"],
    ),
    (
        Code::TransitCannotRoute,
        &[
            TRANSIT,
            ONE,
            "vpn vpn-1 tgw-1",
            "attach tgw-attach-3 tgw-1 vpn-1 tgw-rtb-1",
            "tgw-rtb-1 0.0.0.0/0 tgw-attach-3",
        ],
        ["192.168.1.7", "eni-a", "tcp/443"],
    ),
    (
        Code::VpnAddressOut,
        &[TRANSIT, ONE, TWO, ROUTES, "vgw vgw-2 vpc-2", "rtb-2 192.168.0.0/16 vgw-2"],
        ["eni-a", "192.168.1.7", "tcp/443"],
    ),
    (
        Code::EndpointProtocol,
        &["vpce vpce-1 vpc-1 gateway", "list pl-1 198.51.100.0/24", "rtb-1 pl-1 vpce-1"],
        ["eni-a", "198.51.100.7", "udp/443"],
    ),
    (
        Code::EndpointAddress,
        &[
            TRANSIT,
            ONE,
            TWO,
            ROUTES,
            "vpce vpce-2 vpc-2 gateway",
            "list pl-1 198.51.100.0/24",
            "rtb-2 pl-1 vpce-2",
        ],
        ["eni-a", "198.51.100.7", "tcp/443"],
    ),
    (
        Code::ZoneNotEnabled,
        &[BALANCER, "tg tg-1 vpc-1 ip TCP 8080", "target tg-1 10.0.2.10", "listen lb-1 TCP 443 tg-1"],
        ["eni-n", "eni-b", "tcp/8080"],
    ),
    (
        Code::SourcePreservation,
        &[
            TRANSIT,
            ONE,
            TWO,
            ROUTES,
            BALANCER,
            "tg tg-1 vpc-1 ip TCP 8080 kept",
            "target tg-1 10.2.1.10 all",
            "listen lb-1 TCP 443 tg-1",
            "group sg-c",
            "sg-c out tcp/443 10.0.1.30/32",
            "eni eni-c subnet-b 10.0.2.30 sg-c",
        ],
        ["eni-c", "eni-z", "tcp/8080"],
    ),
    (Code::BlockPublicAccess, &[IGW, "block eu-west-1 both"], ["eni-p", "198.51.100.7", "tcp/443"]),
    (
        Code::EndpointInitiates,
        &["eni eni-e subnet-b 10.0.2.20 sg-open kind=vpc_endpoint"],
        ["eni-e", "eni-a", "tcp/443"],
    ),
    (
        Code::Reply,
        &[PEER, "pcx pcx-1 vpc-1 vpc-2", "pcx pcx-2 vpc-1 vpc-2", "rtb-2 10.0.1.0/24 pcx-2"],
        ["eni-a", "eni-z", "tcp/443"],
    ),
    (
        Code::Loop,
        &["eni eni-b subnet-b 10.0.2.10 sg-open forwards", "rtb-1 198.51.100.0/24 eni-b"],
        ["eni-a", "198.51.100.7", "tcp/443"],
    ),
];

/// Most of load balancers are given elsewhere, and these three only mark what is not known, of which a gap tells.
const ELSEWHERE: &[Code] = &[
    Code::Listener,
    Code::ListenerNoTargets,
    Code::ClassicListener,
    Code::NotATarget,
    Code::TargetPort,
    Code::NotCrossZone,
    Code::NotAttached,
    Code::Address,
    Code::VpnAddressIn,
    Code::UnknownDestination,
    Code::PeeredGroupsUnknown,
    Code::TransitRoutesUnknown,
];

#[test]
fn every_code_is_given() {
    for (code, lines, [from, to, flow]) in GIVEN {
        let lines = [&[TWO_SUBNETS, OPEN, BASE][..], lines].concat().join("\n");
        let account = account(&lines);
        let end = |text: &str| Selector::find(text, &account).expect("an end");
        let flow: Flow = flow.parse().expect("a flow");
        let answer = Reachability::of(account.clone()).ask(&end(from), &end(to), Some(&flow.into()));
        let codes: BTreeSet<Code> = answer.blockers.iter().map(|blocker| blocker.code).collect();
        assert!(codes.contains(code), "{code}: {from} -> {to} gives {codes:?}");
    }
    let given: BTreeSet<Code> =
        GIVEN.iter().map(|(code, ..)| *code).chain(ELSEWHERE.iter().copied()).collect();
    let missing: Vec<&Code> = Code::ALL.iter().filter(|code| !given.contains(code)).collect();
    assert!(missing.is_empty(), "no question gives {missing:?}");
}
