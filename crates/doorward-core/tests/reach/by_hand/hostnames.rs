//! Names in DNS that EC2 gives, and the DNS attributes of VPCs: rules 9 and 24 of `SEMANTICS.md`.

use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Code, Reachability, Selector};

use super::{NO, OPEN, UNKNOWN, YES, check};
use crate::written::account;

fn ask(lines: &[&str], from: &str, to: &str) -> Answer {
    let real = Reachability::of(account(&lines.join("\n")));
    let end = |text| Selector::find(text, real.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"));
    real.ask(&end(from), &end(to), Some(&"tcp/443".parse::<Flow>().expect("a flow").into()))
}

/// A public server that admits the private addresses of its VPC and of a peered one, and no others.
const SERVER: &str = "
    igw igw-1 vpc-1
    subnet subnet-a vpc-1 a 10.0.1.0/24
    table rtb-a vpc-1 subnet-a
    rtb-a 0.0.0.0/0 igw-1
    rtb-a 10.2.0.0/16 pcx-1
    eni eni-c subnet-a 10.0.1.10=203.0.113.10 sg-open
    eni eni-s subnet-a 10.0.1.20=203.0.113.20 sg-s
    instance i-0123456789abcdef0 eni-s
    group sg-s
    sg-s in tcp/443 10.0.0.0/8
    subnet subnet-p vpc-2 a 10.2.1.0/24
    eni eni-p subnet-p 10.2.1.10=203.0.113.30 sg-open
    igw igw-2 vpc-2
    table rtb-p vpc-2 subnet-p
    rtb-p 0.0.0.0/0 igw-2
    rtb-p 10.0.0.0/16 pcx-1
";
const PUBLIC: &str = "ec2-203-0-113-20.eu-west-1.compute.amazonaws.com";
const PRIVATE: &str = "ip-10-0-1-20.eu-west-1.compute.internal";
const RESOURCE: &str = "i-0123456789abcdef0.eu-west-1.compute.internal";

/// [24] A public name resolves to the private address in its own VPC, and in a peered one that it allows; private names
/// resolve where both attributes are on.
#[test]
fn a_name_resolves_by_who_asks() {
    let vpcs = |one: &str, two: &str, peering: &str| {
        format!("vpc vpc-1 10.0.0.0/16 {one}\nvpc vpc-2 10.2.0.0/16 {two}\npcx pcx-1 vpc-1 vpc-2 {peering}")
    };
    let verdicts = |vpcs: &str, expected: [[_; 2]; 3]| {
        for (name, expected) in [PUBLIC, PRIVATE, RESOURCE].into_iter().zip(expected) {
            for (client, expected) in ["eni-c", "eni-p"].into_iter().zip(expected) {
                let answer = ask(&[vpcs, OPEN, SERVER], client, name);
                assert_eq!(answer.verdict, expected, "{client} -> {name}\n{vpcs}\n{:#?}", answer.blockers);
            }
        }
    };
    verdicts(&vpcs("", "", ""), [[YES, NO], [YES, YES], [YES, YES]]);
    verdicts(&vpcs("", "", "resolves"), [[YES, YES], [YES, YES], [YES, YES]]);
    verdicts(&vpcs("nohostnames", "", "resolves"), [[NO, NO], [NO, YES], [NO, YES]]);
    verdicts(&vpcs("nodns", "", "resolves"), [[NO, NO], [NO, YES], [NO, YES]]);
    verdicts(&vpcs("", "nodns", "resolves"), [[YES, NO], [YES, NO], [YES, NO]]);
    verdicts(&vpcs("", "", "resolves pending"), [[YES, NO], [YES, NO], [YES, NO]]);
}

/// [22] The same holds for a database that is publicly accessible.
#[test]
fn a_public_database_resolves_by_who_asks() {
    let with = |attributes: &str| format!("vpc vpc-1 10.0.0.0/16 {attributes}\nvpc vpc-2 10.2.0.0/16");
    let database = "rds orders eni-s public";
    assert_eq!(ask(&[&with(""), OPEN, SERVER, database], "eni-c", "orders").verdict, YES);
    assert_eq!(ask(&[&with("nohostnames"), OPEN, SERVER, database], "eni-c", "orders").verdict, NO);
}

/// [21] [24] A load balancer sends to the private address of a target. Where the name resolves to the public one for a client,
/// the client's packets go there, and not by the load balancer.
#[test]
fn a_name_that_resolves_to_the_public_address_leads_past_a_load_balancer() {
    // The server admits the load balancer alone.
    let server = SERVER.replace("sg-s in tcp/443 10.0.0.0/8", "sg-s in tcp/443 10.0.1.30/32");
    let balancer = "
        lb lb-1 network subnet-a
        eni eni-n subnet-a 10.0.1.30 sg-open
        node eni-n lb-1
        tg tg-1 vpc-1 ip TCP 443 masked
        target tg-1 10.0.1.20
        listen lb-1 TCP 443 tg-1
    ";
    let verdict = |peering: &str| {
        let vpcs = format!("vpc vpc-1 10.0.0.0/16\nvpc vpc-2 10.2.0.0/16\npcx pcx-1 vpc-1 vpc-2 {peering}");
        ask(&[&vpcs, OPEN, &server, balancer], "eni-p", PUBLIC).verdict
    };
    assert_eq!(verdict("resolves"), YES);
    assert_eq!(verdict(""), NO);
}

/// What the name is blocked by is the attribute, and turning it on is the fix.
#[test]
fn the_fix_turns_the_attribute_on() {
    let vpcs = "vpc vpc-1 10.0.0.0/16 nohostnames\nvpc vpc-2 10.2.0.0/16";
    let answer = ask(&[vpcs, OPEN, SERVER], "eni-c", PRIVATE);
    let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
    assert_eq!(
        blocker.why,
        "enableDnsHostnames of the VPC is off, so its DNS server does not resolve private names"
    );
    assert_eq!(blocker.fix.to_string(), "turn enableDnsHostnames of vpc-1 on");
}

/// Names of other Regions, and of addresses that nothing has.
#[test]
fn a_name_of_nothing() {
    let vpcs = "vpc vpc-1 10.0.0.0/16\nvpc vpc-2 10.2.0.0/16";
    for (name, code) in [
        ("ip-10-0-1-20.us-west-2.compute.internal", Code::Address),
        ("ip-10-0-1-99.eu-west-1.compute.internal", Code::Address),
        ("i-00000000000000009.eu-west-1.compute.internal", Code::Address),
    ] {
        let answer = ask(&[vpcs, OPEN, SERVER], "eni-c", name);
        assert_eq!(answer.verdict, NO, "{name}: {answer:#?}");
        assert!(answer.blockers.iter().all(|blocker| blocker.code == code), "{name}: {:#?}", answer.blockers);
    }
    // A public name of nobody's is an address of the internet.
    let answer = ask(&[vpcs, OPEN, SERVER], "eni-c", "ec2-198-51-100-7.eu-west-1.compute.amazonaws.com");
    assert_eq!(answer.verdict, YES, "{answer:#?}");
    // From the internet a private name leads nowhere, and a public one to the public address.
    assert_eq!(ask(&[vpcs, OPEN, SERVER], "internet", PRIVATE).verdict, NO);
    assert_eq!(ask(&[vpcs, OPEN, SERVER, "sg-s in tcp/443 0.0.0.0/0"], "internet", PUBLIC).verdict, YES);
}

/// What was assumed of attributes that were not recorded is said.
#[test]
fn what_was_not_recorded_of_dns_is_said() {
    let vpcs = "vpc vpc-1 10.0.0.0/16\nvpc vpc-2 10.2.0.0/16";
    let answer = ask(&[vpcs, OPEN, SERVER], "eni-c", PRIVATE);
    let note = "whether enableDnsSupport and enableDnsHostnames of vpc-1 are on was not recorded: they are taken to be";
    assert!(answer.notes.iter().any(|own| own == note), "{:?}", answer.notes);
    assert_ne!(answer.verdict, UNKNOWN);
}

/// [9] The DNS server of a VPC does not answer where DNS support is off; metadata and the time do.
#[test]
fn without_dns_support_no_dns_server_answers() {
    let asked = |dns| {
        [
            ("eni-c", "10.0.0.2", "udp/53", dns),
            ("eni-c", "169.254.169.253", "tcp/53", dns),
            ("eni-c", "169.254.169.254", "tcp/80", YES),
            ("eni-c", "169.254.169.123", "udp/123", YES),
        ]
    };
    let other = "vpc vpc-2 10.2.0.0/16";
    check(&["vpc vpc-1 10.0.0.0/16", other, OPEN, SERVER], &asked(YES));
    check(&["vpc vpc-1 10.0.0.0/16 nohostnames", other, OPEN, SERVER], &asked(YES));
    check(&["vpc vpc-1 10.0.0.0/16 nodns", other, OPEN, SERVER], &asked(NO));
}
