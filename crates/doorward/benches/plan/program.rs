//! The built program: `doorward plan` beside `doorward reach --all` of the same recording.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::table::{self, median, thousands};
use crate::{SIZES, roles};

/// How often each is run, in turn; the middle one counts.
const TIMES: usize = 3;

/// The most that a plan may take of what `reach --all` takes, of time and of memory. It analyses two accounts, as they are
/// and as they will be, and compares them.
const LIMIT: f64 = 3.0;

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Took {
    /// On a processor.
    time: Duration,
    /// The most that was in memory, in bytes.
    memory: u64,
}

/// Measures and prints; limits that were missed are added to `missed`.
pub fn measure(missed: &mut Vec<String>) {
    let mut rows = Vec::new();
    for size in SIZES {
        let folder = tempfile::tempdir().expect("a folder");
        roles::make(folder.path(), size);
        let (mut plans, mut all) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            plans.push(run(folder.path(), &["plan", "--inventory", "account", "--json"], 2));
            all.push(run(folder.path(), &["reach", "--all", "--inventory", "account", "--json"], 0));
        }
        let time = |runs: &[Took]| median(runs.iter().map(|took| took.time).collect());
        let memory = |runs: &[Took]| median(runs.iter().map(|took| took.memory).collect());
        let times = time(&plans).as_secs_f64() / time(&all).as_secs_f64();
        let memories = memory(&plans) as f64 / memory(&all) as f64;
        for (what, ratio) in [("time", times), ("memory", memories)] {
            if ratio > LIMIT {
                missed.push(format!(
                    "a plan of {size} roles takes {ratio:.2} times the {what} of `reach --all`, and may take {LIMIT} times"
                ));
            }
        }
        let seconds = |runs: &[Took]| format!("{:.2} s", time(runs).as_secs_f64());
        let megabytes = |runs: &[Took]| format!("{:.0} MB", memory(runs) as f64 / 1e6);
        rows.push(vec![
            thousands(size),
            seconds(&plans),
            seconds(&all),
            format!("{times:.2}x of {LIMIT}x"),
            megabytes(&plans),
            megabytes(&all),
            format!("{memories:.2}x of {LIMIT}x"),
        ]);
    }
    println!(
        "`doorward plan` of roles that an account does not have yet, on four instances each, beside `doorward reach --all` of\n\
         the same recording: with reading it, all paths before and after, and their difference.\n"
    );
    table::print(&["roles", "plan", "reach --all", "ratio", "plan", "reach --all", "ratio"], &rows);
    println!(
        "Times are those on a processor, memory is the most that was resident; the median of {TIMES} in turn.\n"
    );
}

/// Runs the program, which has to end so.
#[expect(unsafe_code, reason = "the standard library does not tell what a child took")]
#[expect(clippy::zombie_processes, reason = "`wait4` waits for it")]
fn run(folder: &Path, words: &[&str], code: i32) -> Took {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(words).current_dir(folder).env("DOORWARD_POLICY", "doorward.toml").env("HOME", folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("a process");
    let mut status = 0;
    // SAFETY: all of it is numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let id = libc::pid_t::try_from(child.id()).expect("an id");
    // SAFETY: both are there to be written to, and outlive the call; nobody else waits for this child.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, id, "the process is gone");
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == code, "{words:?}: {status}");
    let time = |time: libc::timeval| {
        let [seconds, micros] = [time.tv_sec, time.tv_usec].map(|part| u64::try_from(part).expect("a time"));
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    Took {
        time: time(usage.ru_utime) + time(usage.ru_stime),
        memory: u64::try_from(usage.ru_maxrss).expect("a size") * 1024,
    }
}
