//! The built program beside another one, by the command line, on the same recordings.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use doorward_core::inventory::Inventory;

use crate::account::{Shape, account};
use crate::limit::time;
use crate::organisation::Organisation;
use crate::table::{self, median};

/// How often each program is asked the same; they take turns, and the middle one counts.
const TIMES: usize = 3;

/// How many interfaces.
const INTERFACES: usize = 10_000;

/// The most that all paths of an organisation may take beside the other program.
const ALL: f64 = 0.25;

/// A question, and the most that it may take beside the other program.
struct Asked {
    name: &'static str,
    words: Vec<String>,
    limit: Option<f64>,
}

/// Measures and prints; limits that were missed are added to `missed`.
pub fn measure(other: &Path, missed: &mut Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    println!(
        "This program beside {}, by the command line, reading the recording included:\n",
        other.display()
    );
    let mut rows = Vec::new();
    let organisation = folder.path().join("organisation");
    Organisation::of(INTERFACES).save(&organisation);
    let asked = questions(&Organisation::of(INTERFACES).inventory(), Some(ALL));
    rows.extend(compare("organisation", &organisation, asked, other, missed));
    let random = folder.path().join("account");
    let inventory = account(Shape::of(INTERFACES));
    doorward_aws::save(&inventory, &random, true).expect("saved");
    // Nearly all of its nine million paths' time is what it takes to write them.
    rows.extend(compare("account", &random, questions(&inventory, None), other, missed));
    table::print(&["recording", "asked", "this", "other", "ratio", "limit"], &rows);
    println!(
        "Both are recordings of 10,000 interfaces: of 20 accounts behind transit gateways, and of one account in which\n\
         almost every interface is a role of its own. Times are those on a clock, and the median of {TIMES} in turn.\n"
    );
}

fn questions(inventory: &Inventory, all: Option<f64>) -> Vec<Asked> {
    let mut interfaces =
        inventory.interfaces.values().filter(|it| it.kind == "interface").map(|it| it.id.to_string());
    let mut groups = inventory.groups.keys().map(ToString::to_string);
    let [one, other] = [interfaces.next(), interfaces.nth(40)].map(|id| id.expect("an interface"));
    let [from, to] = [groups.next(), groups.next()].map(|id| id.expect("a group"));
    let flow = || "tcp/8080".to_owned();
    vec![
        Asked { name: "all paths", words: vec!["--all".to_owned()], limit: all },
        Asked { name: "a question", words: vec![one, other, flow()], limit: Some(1.0) },
        Asked { name: "from group to group", words: vec![from, to, flow()], limit: Some(1.0) },
    ]
}

fn compare(
    recording: &str,
    folder: &Path,
    questions: Vec<Asked>,
    other: &Path,
    missed: &mut Vec<String>,
) -> Vec<Vec<String>> {
    let own = Path::new(env!("CARGO_BIN_EXE_doorward"));
    let mut rows = Vec::new();
    for Asked { name, words, limit } in questions {
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..TIMES {
            for (program, times) in [own, other].into_iter().zip(&mut took) {
                times.push(run(program, &words, folder));
            }
        }
        let [this, other] = took.map(median);
        let ratio = this.as_secs_f64() / other.as_secs_f64();
        if limit.is_some_and(|limit| ratio > limit) {
            missed.push(format!("{name} of the {recording} takes {ratio:.2} times as long as before"));
        }
        rows.push(vec![
            recording.to_owned(),
            name.to_owned(),
            time(this),
            time(other),
            format!("{ratio:.2}x"),
            limit.map_or(String::new(), |limit| format!("{limit:.2}x")),
        ]);
    }
    rows
}

fn run(program: &Path, words: &[String], folder: &Path) -> Duration {
    let mut command = Command::new(program);
    command.arg("reach").args(words).arg("--inventory").arg(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let begun = Instant::now();
    let status = command.status().expect("a process");
    let took = begun.elapsed();
    // From 64 on there is no answer.
    assert!(status.code().is_some_and(|code| code < 64), "{} {words:?}: {status}", program.display());
    took
}
