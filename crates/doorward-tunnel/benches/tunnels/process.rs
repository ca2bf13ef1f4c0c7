//! What a process and those below it cost, and their end.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A process and all below it, parents first.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

/// Time that a process and those below it spent on a processor, in the kernel and outside.
pub fn busy(root: u32) -> Duration {
    tree(root).into_iter().map(busy_alone).sum()
}

fn busy_alone(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold anything, and stands in parentheses; then come the state (3), and utime (14) and stime (15).
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// What a process and those below it hold in memory that is theirs alone, in bytes.
pub fn memory(root: u32) -> u64 {
    let anonymous = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    tree(root).into_iter().map(anonymous).sum()
}

/// What else runs, in words: a ratio to raw TCP is worth little on a busy machine, where the kernel's own work comes before
/// that of programs.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("Load before: {}.", text.split(' ').next().unwrap_or("unknown"))
}

/// How TCP paces itself, which every figure depends on: `bbr` sets a timer for most of the packets, `cubic` for none.
pub fn congestion_control() -> String {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    text.trim().to_owned()
}

/// A process that is ended with all below it, when dropped.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        for pid in tree(self.0.id()).into_iter().rev() {
            let _ = Command::new("/bin/kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        let _ = self.0.wait();
    }
}
