//! The engine and the naive one agree: on random accounts, packet by packet.
//!
//! The ordinary run takes 2,000 accounts for the pairs of interfaces and fewer for what else is asked;
//! `PROPTEST_CASES` sets another number for all.

mod resolving;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;

use doorward_core::inventory::{Destination, Inventory, PrefixListId};
use doorward_core::net::{Flow, Ports};
use doorward_core::reach::{End, Flows, PathQuery, Reachability, RoleId, Selector, Verdict};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::accounts::{Account, accounts};
use crate::naive::{Packet, Point, is_internet};
use crate::questions::{
    Question, behind, clients, hosts, is_own, outside, packets, points_inside, points_outside, ports_back,
};

fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        rng_seed: crate::accounts::seed(),
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

/// An account ready to be asked.
struct Asked {
    real: Reachability,
    packets: Vec<Packet>,
    clients: Vec<u16>,
}

impl Asked {
    fn of(account: &Account) -> Self {
        Self {
            packets: packets(&account.inventory),
            clients: clients(&account.inventory),
            real: Reachability::of(account.inventory.clone()),
        }
    }

    fn inventory(&self) -> &Inventory {
        self.real.inventory()
    }

    fn end(&self, text: &str) -> Selector {
        Selector::find(text, self.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// What passes, of every packet.
    fn agrees(&self, question: &Question) -> Result<(), TestCaseError> {
        let (from, to) = (self.end(&question.from), self.end(&question.to));
        let answer = self.real.ask(&from, &to, None);
        if question.paths.is_empty() && question.handed.is_empty() {
            prop_assert!(
                answer.at_most.is_empty(),
                "{} -> {}: no way, but the engine says {}",
                question.from,
                question.to,
                answer.at_most
            );
        }
        for &packet in &self.packets {
            let passes = question.passes(self.inventory(), packet, &self.clients);
            prop_assert_eq!(
                answer.flows.covers(&packet.flow().into()),
                passes,
                "{} -> {}: {} passes: the engine says {}, the naive one {}",
                question.from,
                question.to,
                packet.flow(),
                !passes,
                passes
            );
            let may = question.may_pass(self.inventory(), packet, &self.clients);
            prop_assert_eq!(
                answer.at_most.covers(&packet.flow().into()),
                may,
                "{} -> {}: {} may pass: the engine says {}, the naive one {}",
                question.from,
                question.to,
                packet.flow(),
                !may,
                may
            );
        }
        Ok(())
    }

    /// The verdict on one flow, and the ports that its replies come back to.
    fn agrees_on_replies(&self, question: &Question, packet: Packet) -> Result<(), TestCaseError> {
        // Between several points the ports are those of the way that the answer shows; only one is compared.
        let ([path], []) = (question.paths.as_slice(), question.handed.as_slice()) else { return Ok(()) };
        let (from, to) = (self.end(&question.from), self.end(&question.to));
        let answer = self.real.ask(&from, &to, Some(&packet.flow().into()));
        let back = ports_back(self.inventory(), path, packet, &self.clients);
        if question.may_pass(self.inventory(), packet, &self.clients) && back.is_empty() {
            prop_assert_eq!(answer.verdict, Verdict::Unknown);
            return Ok(());
        }
        let whole = back.len() == self.clients.len() || !packet.has_ports() && !back.is_empty();
        let verdict = match (back.is_empty(), whole) {
            (true, _) => Verdict::No,
            (_, true) => Verdict::Yes,
            _ => Verdict::Partly,
        };
        prop_assert_eq!(
            answer.verdict,
            verdict,
            "{} -> {} {}: the naive one says {}, replies to {:?}",
            question.from,
            question.to,
            packet.flow(),
            verdict,
            back
        );
        if !packet.has_ports() || back.is_empty() {
            return Ok(());
        }
        let holds = |ports: &[Ports], client| ports.iter().any(|ports| ports.contains(client));
        for &client in &self.clients {
            prop_assert_eq!(
                holds(&answer.back.ports, client),
                back.contains(&client),
                "{} -> {} {}: the replies to port {}: the engine says {:?}",
                question.from,
                question.to,
                packet.flow(),
                client,
                answer.back.ports
            );
        }
        Ok(())
    }
}

/// The packets that one question in each account is asked about singly.
const SINGLY: [Packet; 6] = [
    Packet::Tcp(443),
    Packet::Tcp(5432),
    Packet::Udp(443),
    Packet::Icmp(8, 0),
    Packet::Icmpv6(128, 0),
    Packet::Other(47),
];

fn between_interfaces(inventory: &Inventory) -> Vec<Question> {
    let hosts = hosts(inventory);
    let pairs = hosts.iter().flat_map(|from| hosts.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from.0 != to.0);
    pairs.map(|(from, to)| Question::new(inventory, (&from.0, &from.1), (&to.0, &to.1))).collect()
}

/// Some addresses outside with every interface, both ways.
fn with_outside(inventory: &Inventory, seed: usize, most: usize) -> Vec<Question> {
    // Nobody has it, or it is at once public and behind a VPN: as one address it is then one or the other.
    let clear =
        |address| Some((address, points_outside(inventory, address))).filter(|(_, points)| points.len() == 1);
    let addresses = outside(inventory).into_iter().filter(|address| !is_own(inventory, *address));
    let addresses: Vec<_> = addresses.filter_map(clear).collect();
    let step = (addresses.len() / most).max(1);
    let mut questions = Vec::new();
    for (address, points) in addresses.iter().skip(seed % step).step_by(step).take(most) {
        let text = address.to_string();
        for host in hosts(inventory) {
            let (there, here) = ((text.as_str(), points.as_slice()), (host.0.as_str(), host.1.as_slice()));
            questions.push(Question::new(inventory, there, here));
            questions.push(Question::new(inventory, here, there));
        }
    }
    questions
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn on_every_pair_of_interfaces(account in accounts()) {
        let asked = Asked::of(&account);
        let questions = between_interfaces(&account.inventory);
        for question in &questions {
            asked.agrees(question)?;
        }
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn on_addresses_outside(account in accounts(), seed in 0..100_usize) {
        let asked = Asked::of(&account);
        for question in with_outside(&account.inventory, seed, 6) {
            asked.agrees(&question)?;
        }
    }
}

/// Every public address of an interface, to and from interfaces and some addresses outside.
fn with_public_addresses(inventory: &Inventory, seed: usize) -> Vec<Question> {
    let interfaces = inventory.interfaces.values().filter(|host| host.attached);
    let own = interfaces.flat_map(|host| host.addresses.iter().filter_map(|own| own.public));
    let mut others = hosts(inventory);
    let clear =
        |address: &IpAddr| !is_own(inventory, *address) && points_outside(inventory, *address).len() == 1;
    let outside = outside(inventory).into_iter().filter(clear).skip(seed % 7).step_by(9).take(3);
    others.extend(outside.map(|address| (address.to_string(), points_outside(inventory, address))));
    let mut questions = Vec::new();
    for public in own {
        let text = public.to_string();
        let sends = points_inside(inventory, public.into(), false);
        let receives = points_inside(inventory, public.into(), true);
        for other in &others {
            let other = (other.0.as_str(), other.1.as_slice());
            questions.push(Question::new(inventory, other, (&text, &receives)));
            questions.push(Question::new(inventory, (&text, &sends), other));
        }
        questions.push(Question::new(inventory, (&text, &sends), (&text, &receives)));
    }
    questions
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn on_public_addresses(account in accounts(), seed in 0..100_usize) {
        let asked = Asked::of(&account);
        for question in with_public_addresses(&account.inventory, seed) {
            asked.agrees(&question)?;
        }
    }

    /// What the entries of a prefix list decide that were not seen lies between an empty list and one of all addresses.
    #[test]
    fn on_a_list_whose_entries_were_not_seen(account in accounts()) {
        let mut lists = account.inventory.prefix_lists.keys();
        let Some(list) = lists.rfind(|list| !is_routed(&account.inventory, list)).cloned() else {
            return Ok(());
        };
        let with = |entries: Option<&[&str]>| {
            let mut inventory = account.inventory.clone();
            if let Some(list) = inventory.prefix_lists.get_mut(&list) {
                list.entries = entries.map(|all| all.iter().map(|cidr| cidr.parse().expect("a prefix")).collect());
            }
            inventory
        };
        let (none, all) = (with(Some(&[])), with(Some(&["0.0.0.0/0", "::/0"])));
        let real = Reachability::of(with(None));
        let packets = packets(&account.inventory);
        let clients = clients(&account.inventory);
        for (least, most) in between_interfaces(&none).iter().zip(between_interfaces(&all)) {
            let end = |text: &str| Selector::find(text, real.inventory()).expect("an interface");
            let answer = real.ask(&end(&least.from), &end(&least.to), None);
            for &packet in &packets {
                let flow: Flows = packet.flow().into();
                let bounds = (answer.flows.covers(&flow), answer.at_most.covers(&flow));
                let expected = (least.passes(&none, packet, &clients), most.may_pass(&all, packet, &clients));
                prop_assert_eq!(bounds, expected, "{} -> {}: {}", least.from, least.to, packet.flow());
            }
        }
    }
}

fn is_routed(inventory: &Inventory, list: &PrefixListId) -> bool {
    let routes = inventory.route_tables.values().flat_map(|table| &table.routes);
    let mut destinations = routes.map(|route| &route.destination);
    destinations.any(|destination| matches!(destination, Destination::PrefixList(id) if id == list))
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn on_replies_to_single_flows(account in accounts(), seed in 0..100_usize) {
        let asked = Asked::of(&account);
        let questions = between_interfaces(&account.inventory);
        for question in questions.iter().chain(&with_outside(&account.inventory, seed, 3)) {
            for packet in SINGLY {
                asked.agrees_on_replies(question, packet)?;
            }
        }
    }

    /// The internet and what is behind a VPN gateway, each as the set of its addresses.
    #[test]
    fn on_the_internet_and_vpn_gateways_as_sets(account in accounts()) {
        let asked = Asked::of(&account);
        let inventory = &account.inventory;
        let addresses = outside(inventory);
        let internet = addresses.iter().filter(|address| is_internet(inventory, **address));
        let mut sets: Vec<(String, Vec<Point>)> =
            vec![("internet".into(), internet.map(|address| Point::Internet(*address)).collect())];
        for id in inventory.vpn_gateways.keys() {
            sets.push((id.to_string(), behind(inventory, id.as_str())));
        }
        for host in hosts(inventory) {
            for (name, points) in &sets {
                asked.agrees(&Question::new(inventory, (name, points), (&host.0, &host.1)))?;
                asked.agrees(&Question::new(inventory, (&host.0, &host.1), (name, points)))?;
            }
        }
    }
}

proptest! {
    #![proptest_config(config(600))]

    /// All pairs at once are the pairs that are asked one by one, apart from what balancers hand on: a list shows both
    /// connections of that by themselves.
    #[test]
    fn all_pairs_are_every_pair(account in accounts()) {
        let asked = Asked::of(&account);
        let mut listed: BTreeMap<(String, String), Flows> = BTreeMap::new();
        let mut twice = None;
        asked.real.pairs(&PathQuery::default(), &mut |pair| {
            let ends = (pair.from.to_string(), pair.to.to_string());
            if listed.insert(ends.clone(), pair.flows.clone()).is_some() {
                twice = Some(ends);
            }
            ControlFlow::Continue(())
        });
        prop_assert_eq!(twice, None, "listed twice");
        for question in between_interfaces(&account.inventory) {
            let answer = asked.real.ask(&asked.end(&question.from), &asked.end(&question.to), None);
            let flows = listed.remove(&(question.from.clone(), question.to.clone())).unwrap_or_default();
            if question.handed.is_empty() {
                prop_assert_eq!(&flows, &answer.flows, "{} -> {}", question.from, question.to);
            } else {
                prop_assert!(answer.flows.covers(&flows), "{} -> {}", question.from, question.to);
            }
        }
        prop_assert_eq!(listed, BTreeMap::new());
    }
}

proptest! {
    #![proptest_config(config(300))]

    /// What may be allowed between two roles is what may be allowed between any two of their interfaces.
    #[test]
    fn roles_are_allowed_at_most_what_their_interfaces_are(account in accounts()) {
        let asked = Asked::of(&account);
        let mut listed: BTreeMap<(RoleId, RoleId), Flows> = BTreeMap::new();
        asked.real.paths(&PathQuery::default(), &mut |path| {
            if let (End::Role(from), End::Role(to)) = (path.from, path.to) {
                let at_most = listed.entry((from, to)).or_default();
                *at_most = at_most.union(&path.at_most);
            }
            ControlFlow::Continue(())
        });
        let roles = asked.real.roles().iter();
        let role_of: BTreeMap<String, RoleId> =
            roles.flat_map(|role| role.members.iter().map(|member| (member.to_string(), role.id))).collect();
        // What a load balancer hands on is no path between roles.
        let mut single: BTreeMap<(RoleId, RoleId), (Flows, bool)> = BTreeMap::new();
        for question in between_interfaces(&account.inventory) {
            let (Some(from), Some(to)) = (role_of.get(&question.from), role_of.get(&question.to)) else {
                continue;
            };
            let answer = asked.real.ask(&asked.end(&question.from), &asked.end(&question.to), None);
            let ends = (*from, *to);
            let (at_most, handed) = single.entry(ends).or_default();
            *at_most = at_most.union(&answer.at_most);
            *handed |= !question.handed.is_empty();
        }
        for (ends, (at_most, handed)) in single {
            let path = listed.remove(&ends).unwrap_or_default();
            let agree = if handed { at_most.covers(&path) } else { at_most == path };
            prop_assert!(agree, "{:?}: {} is listed, and {} is answered", ends, path, at_most);
        }
        prop_assert_eq!(listed, BTreeMap::new());
    }
}

proptest! {
    #![proptest_config(config(150))]

    /// A question about one flow is that flow of the question about all.
    #[test]
    fn one_flow_is_a_part_of_all(account in accounts()) {
        let asked = Asked::of(&account);
        let some: Flows =
            ["tcp/443-5432", "udp/0-1024", "icmp/8"].iter().map(|text| text.parse::<Flow>().expect("one")).collect();
        for (from, _) in hosts(&account.inventory) {
            for (to, _) in hosts(&account.inventory) {
                let (from, to) = (asked.end(&from), asked.end(&to));
                let all = asked.real.ask(&from, &to, None).flows;
                let part = asked.real.ask(&from, &to, Some(&some)).flows;
                prop_assert_eq!(part, all.and(&some));
            }
        }
    }
}

/// That the questions are worth asking: many a yes, many a no, and some that depend on the client's port.
#[test]
fn random_accounts_have_all_kinds_of_answers() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut packets_that: BTreeMap<&str, usize> = BTreeMap::new();
    let mut questions_that: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ways_by: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..300 {
        let account = accounts().new_tree(&mut runner).expect("an account").current();
        let inventory = &account.inventory;
        let (packets, clients) = (packets(inventory), clients(inventory));
        let mut all = between_interfaces(inventory);
        all.extend(with_outside(inventory, seed, 3));
        for question in &all {
            for (path, reply) in &question.paths {
                *ways_by.entry(kind_of(path, reply.is_ok())).or_default() += 1;
            }
            for handed in &question.handed {
                let kept = if handed.kept { "preserved" } else { "replaced" };
                let before = if handed.before.is_empty() { "" } else { ", behind another" };
                *ways_by.entry(format!("balancer, client {kept}{before}")).or_default() += 1;
                let straight = |path: &_, packet| ports_back(inventory, path, packet, &clients);
                if !handed.ports_back(handed.sending.sent, &straight).is_empty() {
                    *ways_by.entry(format!("allowed by a balancer, client {kept}")).or_default() += 1;
                }
            }
            let mut passing = 0;
            for &packet in &packets {
                let straight = |path: &_, packet| ports_back(inventory, path, packet, &clients);
                let backs = question.paths.iter().map(|path| straight(path, packet));
                let handed = question.handed.iter();
                let by_balancers = handed.map(|handed| handed.ports_back(packet, &straight));
                let best = backs.chain(by_balancers).max_by_key(|back| back.len()).unwrap_or_default();
                let (name, passes) = match best.len() {
                    0 => ("no", false),
                    some if packet.has_ports() && some < clients.len() => ("partly", true),
                    _ => ("yes", true),
                };
                if !question.paths.is_empty() {
                    *packets_that.entry(name).or_default() += 1;
                }
                passing += usize::from(passes);
            }
            let fitting =
                |packet: &&Packet| question.paths.iter().any(|(path, _)| packet.flow().fits(path.family));
            let name = match passing {
                0 => "no",
                all if all == packets.iter().filter(fitting).count() => "yes",
                _ => "partly",
            };
            *questions_that.entry(name).or_default() += 1;
        }
    }
    println!(
        "packets where there is a way: {packets_that:?}\nquestions: {questions_that:?}\nways: {ways_by:#?}"
    );
    let share = |of: &BTreeMap<&str, usize>, name: &str| {
        1000 * of.get(name).copied().unwrap_or(0) / of.values().sum::<usize>()
    };
    for (name, least) in [("yes", 100), ("no", 200), ("partly", 1)] {
        assert!(share(&packets_that, name) >= least, "too few packets that say {name}: {packets_that:?}");
    }
    for (name, least) in [("yes", 20), ("no", 200), ("partly", 20)] {
        assert!(
            share(&questions_that, name) >= least,
            "too few questions that say {name}: {questions_that:?}"
        );
    }
    for kind in [
        "Peering",
        "Transit",
        "Internet",
        "Outward",
        "Service",
        "Vpn",
        "inside",
        "NAT",
        "appliance",
        "behind another",
        "allowed by a balancer, client preserved",
        "allowed by a balancer, client replaced",
    ] {
        let there: usize =
            ways_by.iter().filter(|(path, _)| path.contains(kind)).map(|(_, times)| times).sum();
        assert!(there >= 10, "too few ways by {kind}: {ways_by:?}");
    }
}

fn kind_of(path: &crate::naive::PacketPath, answered: bool) -> String {
    let crossings: Vec<String> = path
        .crossings
        .iter()
        .map(|crossing| format!("{crossing:?}").split('(').next().unwrap_or_default().to_owned())
        .collect();
    let crossing = if crossings.is_empty() { "inside".to_owned() } else { crossings.join(" ") };
    let appliance = if path.appliances.is_empty() { "" } else { ", appliance" };
    let nat = if path.masks.len() > 1 { ", NAT" } else { "" };
    format!("{crossing}{appliance}{nat}, {}", if answered { "answered" } else { "not answered" })
}
