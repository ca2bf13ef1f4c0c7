//! How the tests' second engine fares, which carries one packet at a time, on the smallest account.

use std::collections::HashMap;
use std::ops::ControlFlow;

use doorward_core::reach::{Flows, PathQuery, Reachability};

use crate::account::{Shape, account};
use crate::growth::count_pairs;
use crate::limit::{repeated, time, timed};
use crate::naive::{Packet, Point};
use crate::questions::{Question, clients, hosts, packets};
use crate::table::{self, thousands};

/// Measures and prints; packets that the two engines judge differently are added to `wrong`.
pub fn measure(wrong: &mut Vec<String>) {
    let inventory = account(Shape::of(100));
    let ours = repeated(|| {
        let copy = inventory.clone();
        timed(|| count_pairs(&Reachability::of(copy))).1
    });
    let mut told: HashMap<(String, String), Flows> = HashMap::new();
    Reachability::of(inventory.clone()).pairs(&PathQuery::default(), &mut |pair| {
        told.insert((pair.from.to_string(), pair.to.to_string()), pair.flows.clone());
        ControlFlow::Continue(())
    });
    let hosts = hosts(&inventory);
    let (packets, clients) = (packets(&inventory), clients(&inventory));
    let mut carried = 0;
    let (verdicts, theirs) = timed(|| {
        let mut verdicts: Vec<(&str, &str, Vec<Packet>)> = Vec::new();
        for (from, to) in apart(&hosts) {
            let question = Question::new(&inventory, (&from.0, &from.1), (&to.0, &to.1));
            let mut passing = packets.clone();
            passing.retain(|packet| question.passes(&inventory, *packet, &clients));
            verdicts.push((&from.0, &to.0, passing));
            let there_and_back: usize =
                packets.iter().map(|packet| if packet.has_ports() { clients.len() } else { 1 }).sum();
            carried += question.paths.len() * there_and_back;
        }
        verdicts
    });
    for (from, to, passing) in &verdicts {
        let flows = told.get(&((*from).to_owned(), (*to).to_owned())).cloned().unwrap_or_default();
        let differs =
            packets.iter().find(|packet| flows.covers(&packet.flow().into()) != passing.contains(packet));
        if let Some(packet) = differs {
            wrong.push(format!("{from} to {to}: the naive engine differs about {}", packet.flow()));
        }
    }
    println!("Beside the naive engine of the tests, on every pair of the account of 100 interfaces:\n");
    let titles = ["", "asked", "time", "", "exact"];
    let row = |name: &str, asked: String, took, ratio: String, exact: &str| {
        vec![name.to_owned(), asked, time(took), ratio, exact.to_owned()]
    };
    let rows = [
        row(
            "naive",
            format!("{} packets", thousands(carried)),
            theirs,
            "1x".to_owned(),
            "at the edges of rules",
        ),
        row(
            "Doorward",
            format!("{} pairs", thousands(verdicts.len())),
            ours,
            format!("{:.5}x", ours.as_secs_f64() / theirs.as_secs_f64()),
            "every packet",
        ),
    ];
    table::print(&titles, &rows);
    println!(
        "The naive engine carries {} kinds of packets, each to be answered to {} ports of the client; those on both\n\
         sides of every edge of every rule. Both agree on each, or the bench says where they do not.\n",
        packets.len(),
        clients.len()
    );
}

type Host = (String, Vec<Point>);

/// Every two hosts, either way.
fn apart(hosts: &[Host]) -> impl Iterator<Item = (&Host, &Host)> {
    let pairs = hosts.iter().flat_map(move |from| hosts.iter().map(move |to| (from, to)));
    pairs.filter(|(from, to)| from.0 != to.0)
}
