//! What a process costs: time on a processor, and memory, as Linux tells them in `/proc`.

use std::fs;
use std::time::Duration;

/// What the figures were measured on.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let model = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores of {model}, Linux {}", kernel.trim())
}

/// Time that the threads of this process spent on a processor, without those of one name.
pub fn busy(but: &str) -> Duration {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task").expect("/proc").flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if read("comm").trim() == but {
            continue;
        }
        // The first figure is nanoseconds; a thread that has just ended has none.
        let on_processor = read("schedstat").split(' ').next().and_then(|text| text.parse().ok());
        sum += Duration::from_nanos(on_processor.unwrap_or(0));
    }
    assert!(!sum.is_zero(), "this kernel does not count a thread's time (schedstat)");
    sum
}

/// What a process holds in memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All of it, in MB of a million bytes.
    pub resident: f64,
    /// Without what is only mapped from files, like the program itself.
    pub anonymous: f64,
}

/// What a process holds now.
pub fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024.0 / 1e6
    };
    Memory { resident: field("VmRSS:"), anonymous: field("RssAnon:") }
}
