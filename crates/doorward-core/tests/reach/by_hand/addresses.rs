//! Addresses as ends of a question: public ones, private ones, those of delegated prefixes.

use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Code, Reachability, Selector};

use super::{NO, OPEN, TWO_SUBNETS, YES, check};
use crate::written::account;

fn ask(lines: &[&str], from: &str, to: &str, flow: &str) -> Answer {
    let real = Reachability::of(account(&lines.join("\n")));
    let end = |text| Selector::find(text, real.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"));
    real.ask(&end(from), &end(to), Some(&flow.parse::<Flow>().expect("a flow").into()))
}

/// Two public interfaces of one subnet, a private one behind a NAT gateway, and a way out.
const PUBLIC: &str = "
    igw igw-1 vpc-1
    table rtb-a vpc-1 subnet-a
    rtb-a 0.0.0.0/0 igw-1
    nat nat-1 subnet-a 10.0.1.5=203.0.113.200
    table rtb-b vpc-1 subnet-b
    rtb-b 0.0.0.0/0 nat-1
    eni eni-c subnet-a 10.0.1.10=203.0.113.10 sg-c
    eni eni-p subnet-b 10.0.2.10 sg-c
    eni eni-s subnet-a 10.0.1.20=203.0.113.20 sg-s
    group sg-c
    sg-c out all 0.0.0.0/0
    group sg-s
    sg-s out all 0.0.0.0/0
";

/// [14] A public address that was recorded is its interface, for whoever asks from outside and as a sender.
#[test]
fn a_public_address_is_its_interface() {
    check(
        &[TWO_SUBNETS, PUBLIC, "sg-s in tcp/22 0.0.0.0/0"],
        &[
            ("internet", "203.0.113.20", "tcp/22", YES),
            ("198.51.100.7", "203.0.113.20", "tcp/22", YES),
            ("198.51.100.7", "203.0.113.20", "tcp/23", NO),
            ("203.0.113.20", "internet", "tcp/443", YES),
            ("203.0.113.20", "198.51.100.7", "tcp/443", YES),
            ("203.0.113.10", "eni-s", "tcp/22", YES),
            ("203.0.113.10", "eni-s", "tcp/23", NO),
        ],
    );
    let shut = "sg-s in tcp/22 10.0.0.0/16";
    check(&[TWO_SUBNETS, PUBLIC, shut], &[("internet", "203.0.113.20", "tcp/22", NO)]);
}

/// [5] From inside, a public address is asked over the internet gateway: a reference to a group does not match there,
/// and the source is the sender's own public address or that of its NAT gateway.
#[test]
fn from_inside_a_public_address_is_asked_by_a_public_address() {
    let asked = |direct, by_nat| {
        [("eni-c", "203.0.113.20", "tcp/443", direct), ("eni-p", "203.0.113.20", "tcp/443", by_nat)]
    };
    check(&[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 sg-c"], &asked(NO, NO));
    check(&[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 10.0.0.0/16"], &asked(NO, NO));
    check(&[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 203.0.113.10/32"], &asked(YES, NO));
    check(&[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 203.0.113.200/32"], &asked(NO, YES));
    check(&[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 203.0.113.0/24"], &asked(YES, YES));
    // By its private address it is asked as ever.
    check(
        &[TWO_SUBNETS, PUBLIC, "sg-s in tcp/443 sg-c"],
        &[("eni-c", "10.0.1.20", "tcp/443", YES), ("10.0.2.10", "10.0.1.20", "tcp/443", YES)],
    );
}

/// Two senders of one class have public addresses of their own, and only one of them is admitted.
#[test]
fn senders_that_are_alike_inside_differ_by_their_public_addresses() {
    let lines = [
        TWO_SUBNETS,
        PUBLIC,
        "eni eni-d subnet-a 10.0.1.11=203.0.113.11 sg-c",
        "sg-s in tcp/443 203.0.113.11/32",
    ];
    check(&lines, &[("eni-c", "203.0.113.20", "tcp/443", NO), ("eni-d", "203.0.113.20", "tcp/443", YES)]);
    let both = ask(&lines, "sg-c", "203.0.113.20", "tcp/443");
    assert_eq!(both.verdict, super::PARTLY, "{both:#?}");
}

/// [10] [14] Every part of the way out and of the way in is asked: routes, ACLs, the gateway, Block Public Access.
#[test]
fn the_way_over_the_internet_gateway_is_asked_in_full() {
    let open = "sg-s in tcp/443 0.0.0.0/0";
    let asked = |expected| [("eni-c", "203.0.113.20", "tcp/443", expected)];
    check(&[TWO_SUBNETS, PUBLIC, open], &asked(YES));
    check(&[TWO_SUBNETS, PUBLIC, open, "rtb-a 203.0.113.20/32 igw-1 blackhole"], &asked(NO));
    check(&[TWO_SUBNETS, PUBLIC, open, "rtb-a 203.0.113.10/32 igw-1 blackhole"], &asked(NO));
    check(&[TWO_SUBNETS, PUBLIC, open, "block eu-west-1 both"], &asked(NO));
    for entry in ["in", "out"] {
        for address in ["203.0.113.20/32", "203.0.113.10/32"] {
            let deny = format!("acl-a {entry} 10 deny all {address}");
            let acl = "
                acl acl-a vpc-1 subnet-a
                acl-a in 100 allow all 0.0.0.0/0
                acl-a out 100 allow all 0.0.0.0/0
            ";
            check(&[TWO_SUBNETS, PUBLIC, open, acl, &deny], &asked(NO));
        }
    }
    check(&[TWO_SUBNETS, PUBLIC, open, "vgw vgw-1 vpc-1", "rtb-a 203.0.113.0/24 vgw-1"], &asked(NO));
}

/// [14] A private address means nothing on the internet; the answer names the public one.
#[test]
fn a_private_address_is_not_reached_from_the_internet() {
    let lines = [TWO_SUBNETS, PUBLIC, "sg-s in all 0.0.0.0/0"];
    check(&lines, &[("internet", "10.0.1.20", "tcp/22", NO), ("198.51.100.7", "10.0.1.20", "tcp/22", NO)]);
    check(&lines, &[("internet", "eni-s", "tcp/22", YES)]);
    let answer = ask(&lines, "internet", "10.0.1.20", "tcp/22");
    let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
    assert_eq!(blocker.why, "10.0.1.20 is a private address, which cannot be reached from the internet");
    assert_eq!(blocker.fix.to_string(), "use its public address 203.0.113.20");
}

/// [20] A VPN leads to private addresses, not to public ones.
#[test]
fn a_public_address_is_not_reached_by_a_vpn() {
    let vpn = "
        vgw vgw-1 vpc-1
        vpn vpn-1 vgw-1 192.168.0.0/16
        rtb-a 192.168.0.0/16 vgw-1
    ";
    check(
        &[TWO_SUBNETS, PUBLIC, vpn, "sg-s in all 0.0.0.0/0"],
        &[("vgw-1", "203.0.113.20", "tcp/22", NO), ("vgw-1", "10.0.1.20", "tcp/22", YES)],
    );
}

/// Public addresses of the account that nothing answers at are not the internet.
#[test]
fn an_address_that_nothing_answers_at_is_told_of() {
    let lines = [TWO_SUBNETS, PUBLIC, "eni eni-x subnet-a 10.0.1.99=203.0.113.99 sg-s detached"];
    for (address, code, why) in [
        (
            "203.0.113.200",
            Code::NatInward,
            "203.0.113.200 is an address of NAT gateway nat-1, which accepts no connections",
        ),
        (
            "10.0.1.99",
            Code::NotAttached,
            "eni-x is not attached to anything, so it neither sends nor receives",
        ),
        ("10.0.1.77", Code::Address, "no interface in subnet-a has the address 10.0.1.77"),
    ] {
        let answer = ask(&lines, "eni-c", address, "tcp/443");
        assert_eq!(answer.verdict, NO, "{answer:#?}");
        let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
        assert_eq!((blocker.code, blocker.why.as_str()), (code, why));
    }
}

/// An address of a prefix that is delegated to an interface is the interface's, and so is a second address.
#[test]
fn delegated_prefixes_and_second_addresses() {
    let base = "
        eni eni-n subnet-a 10.0.1.10 10.0.1.11 2001:db8:1:1::10 sg-n prefix=10.0.1.32/28 prefix=2001:db8:1:1:8000::/80
        eni eni-d subnet-b 10.0.2.10 2001:db8:1:2::10 sg-d
        group sg-n
        sg-n out all 0.0.0.0/0
        sg-n out all ::/0
        group sg-d
        sg-d out all 0.0.0.0/0
        sg-d in tcp/5432 sg-n
        sg-d in tcp/5433 10.0.1.32/28
        sg-n in tcp/8080 10.0.2.0/24
        sg-d in tcp/5434 2001:db8:1:1:8000::/80
    ";
    check(
        &[TWO_SUBNETS, base],
        &[
            ("10.0.1.40", "eni-d", "tcp/5432", YES),
            ("10.0.1.40", "eni-d", "tcp/5433", YES),
            ("10.0.1.11", "eni-d", "tcp/5432", YES),
            ("10.0.1.11", "eni-d", "tcp/5433", NO),
            ("eni-n", "eni-d", "tcp/5433", NO),
            ("eni-d", "10.0.1.40", "tcp/8080", YES),
            ("eni-d", "10.0.1.40", "tcp/8081", NO),
            ("2001:db8:1:1:8000::7", "2001:db8:1:2::10", "tcp/5434", YES),
            ("2001:db8:1:1::10", "2001:db8:1:2::10", "tcp/5434", NO),
        ],
    );
}

/// The parts of a delegated prefix that rules tell apart are told apart.
#[test]
fn the_parts_of_a_delegated_prefix_may_differ() {
    let base = "
        eni eni-n subnet-a 10.0.1.10 sg-open prefix=10.0.1.32/28
        eni eni-d subnet-b 10.0.2.10 sg-d
        group sg-d
        sg-d in tcp/5432 10.0.1.32/29
    ";
    let answer = ask(&[TWO_SUBNETS, OPEN, base], "10.0.1.32/28", "eni-d", "tcp/5432");
    assert_eq!(answer.verdict, super::PARTLY, "{answer:#?}");
    let parts: Vec<&str> = answer.parts.iter().map(|part| part.from.as_str()).collect();
    assert_eq!(parts, ["10.0.1.32/29 of eni-n", "10.0.1.40/29 of eni-n"]);
    assert_eq!(ask(&[TWO_SUBNETS, OPEN, base], "10.0.1.32/29", "eni-d", "tcp/5432").verdict, YES);
}
