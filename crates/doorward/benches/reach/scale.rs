//! What an organisation of 100,000 interfaces costs beside one of 10,000: each is loaded by a process of its own.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use doorward_core::reach::Reachability;

use crate::asking;
use crate::growth::count_paths;
use crate::limit::{busy, bytes_of, time, timed};
use crate::memory;
use crate::organisation::Organisation;
use crate::table::{self, thousands};

/// How many interfaces, and how often each is measured: the middle one counts.
const SIZES: [(usize, usize); 2] = [(10_000, 3), (100_000, 1)];

/// The most that ten times as many interfaces may cost.
const WAYS: f64 = 12.0;
const QUESTION: f64 = 3.0;

/// The most memory that a process may have had at 100,000 interfaces, in bytes.
const MEMORY: u64 = 3_000_000_000;

/// The argument by which the process of one measurement is started.
pub const ARGUMENT: &str = "--organisation-in";

/// Measures and prints; limits that were missed are added to `missed`.
pub fn measure(missed: &mut Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let measured = SIZES.map(|(interfaces, times)| {
        let path = folder.path().join(interfaces.to_string());
        Organisation::of(interfaces).save(&path);
        let all: Vec<BTreeMap<String, f64>> = (0..times).map(|_| child(&path)).collect();
        let keys = all.first().expect("one").keys();
        let middle = |key: &String| {
            let mut numbers: Vec<f64> = all.iter().map(|one| one[key]).collect();
            numbers.sort_by(f64::total_cmp);
            (key.clone(), numbers[numbers.len() / 2])
        };
        keys.map(middle).collect::<BTreeMap<String, f64>>()
    });
    print(&measured);
    let [small, large] = &measured;
    let mut limit = |what: &str, limit: f64| {
        let ratio = large[what] / small[what];
        let verdict = if ratio <= limit { "held" } else { "missed" };
        println!("{what}: {ratio:.1}x at ten times the size, limit {limit:.0}x: {verdict}");
        if ratio > limit {
            missed.push(format!("{what} costs {ratio:.1} times as much, and may cost {limit:.0} times"));
        }
    };
    limit("all ways", WAYS);
    limit("a question", QUESTION);
    limit("from group to group", QUESTION);
    let most = large["memory"] as u64;
    println!("memory: {}\n", bytes_of(most, Some(MEMORY)));
    if most > MEMORY {
        missed.push(format!("the process had {} in memory", bytes_of(most, Some(MEMORY))));
    }
}

fn print(measured: &[BTreeMap<String, f64>]) {
    let count = |key: &str| row(key, measured, |number| thousands(number as usize));
    let took = |key: &str| row(key, measured, |number| time(Duration::from_secs_f64(number)));
    let rows = [
        count("VPCs"),
        count("groups"),
        count("roles"),
        count("ways"),
        took("reading"),
        row("cores while reading", measured, |number| format!("{number:.1}")),
        took("preparing"),
        took("all ways"),
        took("a question"),
        took("from group to group"),
        row("memory", measured, |number| bytes_of(number as u64, None)),
    ];
    let titles = SIZES.map(|(interfaces, _)| thousands(interfaces));
    println!(
        "An organisation of 100 interfaces in each VPC, behind transit gateways of 25 VPCs each, as a recording with a\n\
         folder for each account and Region:\n"
    );
    table::print(&["interfaces", &titles[0], &titles[1]], &rows);
    println!(
        "Reading is on a clock, for cores share it; other times are those on a processor. That of a question is the median\n\
         of 1,000. Memory is VmHWM of a process that reads the recording and does nothing else than what is above.\n"
    );
}

fn row(key: &str, measured: &[BTreeMap<String, f64>], shown: impl Fn(f64) -> String) -> Vec<String> {
    [key.to_owned()].into_iter().chain(measured.iter().map(|one| shown(one[key]))).collect()
}

/// Measures in a process of its own, whose memory nothing else has touched.
fn child(folder: &Path) -> BTreeMap<String, f64> {
    let program = env::current_exe().expect("this program");
    let output = Command::new(program).arg(ARGUMENT).arg(folder).output().expect("a process");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let numbers = text.lines().filter_map(|line| line.rsplit_once(": "));
    numbers.map(|(key, number)| (key.to_owned(), number.parse().expect("a number"))).collect()
}

/// What the process of one measurement does.
pub fn run(folder: &Path) {
    let say = |key: &str, number: f64| println!("{key}: {number}");
    let (begun, busy_before) = (Instant::now(), busy());
    let inventory = doorward_aws::recorded(folder).expect("a recording");
    let reading = begun.elapsed().as_secs_f64();
    say("reading", reading);
    say("cores while reading", (busy() - busy_before).as_secs_f64() / reading);
    say("VPCs", inventory.vpcs.len() as f64);
    say("groups", inventory.groups.len() as f64);
    let (reachability, preparing) = timed(|| Reachability::of(inventory));
    say("preparing", preparing.as_secs_f64());
    say("roles", reachability.roles().len() as f64);
    let (paths, all) = timed(|| count_paths(&reachability));
    say("all ways", all.as_secs_f64());
    say("ways", paths as f64);
    let answered = asking::ask(&reachability);
    say("a question", answered.flow.median.as_secs_f64());
    say("from group to group", answered.groups.median.as_secs_f64());
    say("memory", memory::high_water().unwrap_or_default() as f64);
}
