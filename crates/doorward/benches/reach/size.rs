//! What an account of one size costs: loading, all pairs, all ways, questions, a change, memory.

use std::time::Duration;

use doorward_core::inventory::{RuleIdentity, SecurityGroupId, Vpc};
use doorward_core::reach::{Change, Edit, Reachability};

use crate::account::{Chance, Shape, account};
use crate::agreement;
use crate::asking::{self, Answered, Took};
use crate::disk::{self, Recording};
use crate::growth::{count_pairs, count_paths};
use crate::limit::{bytes_of, repeated, time, time_of, timed};
use crate::memory::{self, Taken};
use crate::table::{self, median, thousands};

/// A question after loading may take that long.
const QUESTION: Duration = Duration::from_millis(1);

/// And the answer after one rule changed, at 10,000 interfaces.
const CHANGE: Duration = Duration::from_millis(10);

/// How many changes are tried.
const CHANGES: usize = 50;

/// What was measured at one size.
pub struct Size {
    shape: Shape,
    rules: usize,
    roles: usize,
    paths: usize,
    pairs: usize,
    sets: usize,
    load: Duration,
    all_ways: Duration,
    all_pairs: Duration,
    answered: Answered,
    change: Changed,
    memory: Taken,
    recording: Recording,
}

/// The most time and bytes that loading and all pairs may take.
fn limits(interfaces: usize) -> (Option<Duration>, Option<u64>) {
    match interfaces {
        1_000 => (Some(Duration::from_millis(200)), Some(100_000_000)),
        10_000 => (Some(Duration::from_secs(3)), Some(500_000_000)),
        _ => (None, None),
    }
}

impl Size {
    /// Measures an account of so many interfaces; what contradicts itself is added to `wrong`.
    pub fn measure(interfaces: usize, wrong: &mut Vec<String>) -> Self {
        let shape = Shape::of(interfaces);
        let inventory = account(shape);
        let rules = inventory.groups.values().map(|group| group.rules.len()).sum();
        let recording = disk::measure(&inventory, wrong);
        let load = repeated(|| {
            let copy = inventory.clone();
            timed(|| Reachability::of(copy)).1
        });
        let (_, memory) = memory::taken(|| {
            let reachability = Reachability::of(inventory.clone());
            count_pairs(&reachability);
        });
        let mut reachability = Reachability::of(inventory);
        let (mut pairs, mut paths) = (0, 0);
        let all_pairs = repeated(|| {
            let (counted, took) = timed(|| count_pairs(&reachability));
            pairs = counted;
            took
        });
        let all_ways = repeated(|| {
            let (counted, took) = timed(|| count_paths(&reachability));
            paths = counted;
            took
        });
        let answered = asking::ask(&reachability);
        let change = Changed::measure(&mut reachability, wrong);
        let sets = agreement::check(&reachability, wrong);
        let roles = reachability.roles().len();
        Self {
            shape,
            rules,
            roles,
            paths,
            pairs,
            sets,
            load,
            all_ways,
            all_pairs,
            answered,
            change,
            memory,
            recording,
        }
    }
}

/// How long it takes to change one rule where it stands, and to know what that opens or closes.
#[derive(Debug, Clone, Copy)]
struct Changed {
    /// A rule that admits another group.
    group: Duration,
    /// A rule that admits one address outside, as a grant does.
    address: Duration,
    /// A rule that admits a whole VPC.
    vpc: Duration,
}

impl Changed {
    fn measure(reachability: &mut Reachability, wrong: &mut Vec<String>) -> Self {
        let mut chance = Chance::new(0xcc);
        let groups: Vec<SecurityGroupId> = reachability.inventory().groups.keys().cloned().collect();
        let vpcs: Vec<Vpc> = reachability.inventory().vpcs.values().cloned().collect();
        let mut admitting = |from: &dyn Fn(&mut Chance) -> String| {
            let times = (0..CHANGES).map(|_| {
                let rule: RuleIdentity =
                    format!("tcp/7000 from {}", from(&mut chance)).parse().expect("a rule");
                let group = chance.pick(&groups);
                let change = |edit| [Change::Rule { group: group.clone(), edit }];
                let (opened, took) =
                    timed(|| reachability.change(&change(Edit::Add(rule.clone()))).expect("it can be made"));
                let closed =
                    reachability.change(&change(Edit::Remove(rule.clone()))).expect("it can be taken back");
                if opened.opened != closed.closed || !opened.closed.is_empty() || !closed.opened.is_empty() {
                    wrong.push(format!("taking back `{rule}` of {group} does not undo it"));
                }
                took
            });
            median(times.collect())
        };
        Self {
            group: admitting(&|chance| chance.pick(&groups).to_string()),
            address: admitting(&|chance| format!("203.0.113.{}/32", 200 + chance.below(50))),
            vpc: admitting(&|chance| chance.pick(&vpcs).cidrs.first().expect("one").to_string()),
        }
    }
}

/// Prints all sizes beside each other.
pub fn print(sizes: &[Size]) {
    let row = |name: &str, cell: &dyn Fn(&Size) -> String| {
        [name.to_owned()].into_iter().chain(sizes.iter().map(cell)).collect::<Vec<_>>()
    };
    let count = |number: usize| thousands(number);
    let took = |took: Took| format!("{} (p99 {})", time_of(took.median, Some(QUESTION)), time(took.p99));
    let changed = |size: &Size, took| time_of(took, (size.shape.interfaces == 10_000).then_some(CHANGE));
    let both = |size: &Size| size.load + size.all_pairs;
    let rows = [
        row("groups", &|size| count(size.shape.groups)),
        row("rules", &|size| count(size.rules)),
        row("VPCs", &|size| count(size.shape.vpcs)),
        row("subnets", &|size| count(size.shape.vpcs * size.shape.tiers * 3)),
        row("roles", &|size| count(size.roles)),
        row("ways between roles", &|size| count(size.paths)),
        row("pairs", &|size| count(size.pairs)),
        row("different sets of flows", &|size| count(size.sets)),
        row("a recording on disk", &|size| bytes_of(size.recording.bytes, None)),
        row("writing it", &|size| time(size.recording.save)),
        row("reading it", &|size| time(size.recording.load)),
        row("load", &|size| time(size.load)),
        row("all pairs", &|size| time(size.all_pairs)),
        row("load and all pairs", &|size| time_of(both(size), limits(size.shape.interfaces).0)),
        row("all ways", &|size| time(size.all_ways)),
        row("a question with a flow", &|size| took(size.answered.flow)),
        row("a question without", &|size| took(size.answered.any)),
        row("from group to group", &|size| took(size.answered.groups)),
        row("finding an end by id", &|size| time(size.answered.by_id.median)),
        row("finding an end by name", &|size| time(size.answered.by_name.median)),
        row("one rule more, for a group", &|size| changed(size, size.change.group)),
        row("for an address outside", &|size| changed(size, size.change.address)),
        row("for a whole VPC", &|size| changed(size, size.change.vpc)),
        row("memory", &|size| bytes_of(size.memory.peak, limits(size.shape.interfaces).1)),
        row("allocations", &|size| count(usize::try_from(size.memory.asked).unwrap_or(usize::MAX))),
        row("VmHWM", &|size| size.memory.resident.map_or("?".to_owned(), |most| bytes_of(most, None))),
    ];
    let titles: Vec<String> = sizes.iter().map(|size| count(size.shape.interfaces)).collect();
    let titles: Vec<&str> = ["interfaces"].into_iter().chain(titles.iter().map(String::as_str)).collect();
    println!(
        "Three groups on each interface, chosen by chance, so that almost every interface is a role of its own:\n"
    );
    table::print(&titles, &rows);
    println!(
        "Loading is from an inventory in memory to the first question. Pairs are told with their flows, replies included.\n\
         A question is one of 1,000 by chance, answered with every hop and every blocker. One rule more is a rule of\n\
         one group in an account that is prepared already, until all that it opens is known, and the median of 50; taking\n\
         it back closes the same. Memory is the most that the inventory, its preparation and all pairs hold at once;\n\
         VmHWM is the whole process, which holds the inventory twice and what it freed before.\n\
         Times are those on a processor: what else the machine does is not in them.\n"
    );
}
