//! Small accounts whose answer is known, rule by rule of what AWS documents.
//!
//! The expected answers are written by hand from the documentation; both engines have to give them. A number in
//! brackets is the rule in `src/reach/SEMANTICS.md` that a test shows.

mod acls;
mod addresses;
mod amazon;
mod balancers;
mod codes;
mod endpoints;
mod found;
mod gateways;
mod groups;
mod hostnames;
mod internet;
mod names;
mod over_internet;
mod peering;
mod routing;
mod services;
mod transit;
mod unrecorded;
mod unseen;

use doorward_core::inventory::Inventory;
use doorward_core::net::{Flow, Icmp};
use doorward_core::reach::{Reachability, Selector, Verdict};

use crate::naive::{Packet, Point, is_internet};
use crate::questions::{
    Question, behind, clients, hosts, outside, points_inside, points_outside, ports_back,
};
use crate::written::account;

/// A group that is in nobody's way.
const OPEN: &str = "
    group sg-open
    sg-open in all 0.0.0.0/0
    sg-open in all ::/0
    sg-open out all 0.0.0.0/0
    sg-open out all ::/0
";

/// One VPC with two subnets.
const TWO_SUBNETS: &str = "
    vpc vpc-1 10.0.0.0/16 2001:db8:1::/56
    subnet subnet-a vpc-1 a 10.0.1.0/24 2001:db8:1:1::/64
    subnet subnet-b vpc-1 b 10.0.2.0/24 2001:db8:1:2::/64
";

/// A packet gets there and its reply back, whatever the client's port.
const YES: Verdict = Verdict::Yes;
/// It does not, or no reply does.
const NO: Verdict = Verdict::No;
/// What was not recorded decides.
const UNKNOWN: Verdict = Verdict::Unknown;
/// Replies get back to some of the client's ports.
const PARTLY: Verdict = Verdict::Partly;

/// Asks both engines: who, whom, with what packet, and what must come out.
fn check(lines: &[&str], questions: &[(&str, &str, &str, Verdict)]) {
    let inventory = account(&lines.join("\n"));
    let real = Reachability::of(inventory.clone());
    for &(from, to, flow, expected) in questions {
        let asked = format!("{from} -> {to} {flow}");
        assert_eq!(naive(&inventory, from, to, flow), expected, "{asked}, to the naive engine");
        let end = |text| Selector::find(text, &inventory).unwrap_or_else(|error| panic!("{text}: {error}"));
        let flow: Flow = flow.parse().expect("a flow");
        let answer = real.ask(&end(from), &end(to), Some(&flow.into()));
        let told = format!("{asked}\nhops: {:#?}\nblockers: {:#?}", answer.hops, answer.blockers);
        assert_eq!(answer.verdict, expected, "{told}\nin{}", lines.join("\n"));
        let nothing_surely = matches!(expected, NO | UNKNOWN);
        assert_eq!(answer.flows.is_empty(), nothing_surely, "{told}\nin{}", lines.join("\n"));
    }
}

/// What a text stands for, of who sends or of who receives.
fn points(inventory: &Inventory, text: &str, receives: bool) -> Vec<Point> {
    match text.parse() {
        Ok(address) => {
            let own = points_inside(inventory, address, receives);
            if own.is_empty() { points_outside(inventory, address) } else { own }
        }
        Err(_) if text == "internet" => {
            let addresses = outside(inventory).into_iter();
            addresses.filter(|address| is_internet(inventory, *address)).map(Point::Internet).collect()
        }
        Err(_) if text.starts_with("vgw-") || text.starts_with("pcx-") => behind(inventory, text),
        Err(_) => {
            let mut hosts = hosts(inventory).into_iter().filter(|(id, _)| id == text);
            hosts.next().unwrap_or_else(|| panic!("no {text}")).1
        }
    }
}

fn naive(inventory: &Inventory, from: &str, to: &str, flow: &str) -> Verdict {
    let asked = match flow.parse().expect("a flow") {
        Flow::Tcp(ports) => Packet::Tcp(ports.from()),
        Flow::Udp(ports) => Packet::Udp(ports.from()),
        Flow::Icmp(Icmp::Code(kind, code)) => Packet::Icmp(kind, code),
        Flow::Icmpv6(Icmp::Code(kind, code)) => Packet::Icmpv6(kind, code),
        Flow::Protocol(number) => Packet::Other(number),
        other => panic!("not one packet: {other}"),
    };
    assert_eq!(asked.flow().to_string(), flow, "one packet");
    let clients = clients(inventory);
    // A private address that is asked for means nothing on the internet.
    let receivers = points(inventory, to, true);
    let is_private = |point: &Point| matches!(point, Point::Host(_, own) if to.parse() == Ok(*own));
    let is_outside = |point: &Point| matches!(point, Point::Internet(address) if address.is_ipv4());
    let private = receivers.iter().any(is_private);
    let mut senders = points(inventory, from, false);
    senders.retain(|sender| !private || !is_outside(sender));
    let question = Question::new(inventory, (from, &senders), (to, &receivers));
    let straight = |path: &_, packet| ports_back(inventory, path, packet, &clients);
    let all = if asked.has_ports() { clients.len() } else { 1 };
    let direct = question.paths.iter().map(|path| straight(path, asked).len());
    let handed = question.handed.iter().map(|handed| {
        let back = handed.ports_back(asked, &straight).len();
        if handed.always(asked, &clients, &straight) { back } else { back.min(all - 1) }
    });
    match direct.chain(handed).max().unwrap_or(0) {
        0 if question.may_pass(inventory, asked, &clients) => UNKNOWN,
        0 => NO,
        some if some == all => YES,
        _ => PARTLY,
    }
}
