//! How the time grows with interfaces when nothing else does.

use std::ops::ControlFlow;
use std::time::Duration;

use doorward_core::reach::{PathQuery, Reachability};

use crate::account::{Shape, account};
use crate::limit::{repeated, time, timed};
use crate::table::{self, thousands};

/// How many interfaces share the same roles.
const SIZES: [usize; 4] = [1_250, 2_500, 5_000, 10_000];

/// Measures and prints; roles and ways that grow are added to `wrong`.
pub fn measure(wrong: &mut Vec<String>) {
    println!("More and more interfaces in the same 100 roles (100 groups, 4 VPCs, 24 subnets):\n");
    let mut rows = Vec::new();
    let mut first: Option<(f64, (usize, usize))> = None;
    for interfaces in SIZES {
        let inventory = account(Shape::alike(interfaces));
        let load = repeated(|| {
            let copy = inventory.clone();
            timed(|| Reachability::of(copy)).1
        });
        let reachability = Reachability::of(inventory);
        let mut paths = 0;
        let all = repeated(|| {
            let (counted, took) = timed(|| count_paths(&reachability));
            paths = counted;
            took
        });
        let (pairs, each) = timed(|| count_pairs(&reachability));
        let n = interfaces as f64;
        let relative = (load + all).as_secs_f64() / (n * n.log2());
        let counts = (reachability.roles().len(), paths);
        let (base, expected) = *first.get_or_insert((relative, counts));
        if counts != expected {
            wrong.push(format!(
                "{} roles and {} ways became {} and {}",
                expected.0, expected.1, counts.0, counts.1
            ));
        }
        rows.push(vec![
            thousands(interfaces),
            thousands(counts.0),
            thousands(counts.1),
            time(load),
            time(all),
            format!("{:.2}x", relative / base),
            thousands(pairs),
            time(each),
            format!("{:.0} ns", nanoseconds(each, pairs)),
        ]);
    }
    let titles =
        ["interfaces", "roles", "ways", "load", "all ways", "per n·log n", "pairs", "all pairs", "a pair"];
    table::print(&titles, &rows);
    println!(
        "Per n·log n is the time of loading and of all ways, divided by interfaces times their logarithm, beside that of\n\
         the first row. Pairs are a square of the interfaces by their nature: what counts is the time of one.\n"
    );
}

fn nanoseconds(time: Duration, pairs: usize) -> f64 {
    time.as_secs_f64() * 1e9 / pairs.max(1) as f64
}

/// All ways, and how many there are.
pub fn count_paths(reachability: &Reachability) -> usize {
    let mut paths = 0;
    reachability.paths(&PathQuery::default(), &mut |_| {
        paths += 1;
        ControlFlow::Continue(())
    });
    paths
}

/// All pairs, and how many there are.
pub fn count_pairs(reachability: &Reachability) -> usize {
    let mut pairs = 0;
    reachability.pairs(&PathQuery::default(), &mut |_| {
        pairs += 1;
        ControlFlow::Continue(())
    });
    pairs
}
