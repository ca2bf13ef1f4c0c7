//! Figures in the unit that suits them, and beside their limits.

use std::time::{Duration, Instant};

use crate::table::median;

/// A time with three digits or so.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..0.001 => rounded(seconds * 1e6, "µs"),
        0.001..1.0 => rounded(seconds * 1e3, "ms"),
        _ => rounded(seconds, "s"),
    }
}

fn rounded(number: f64, unit: &str) -> String {
    match number {
        ..10.0 if number.fract() != 0.0 => format!("{number:.2} {unit}"),
        10.0..100.0 if number.fract() != 0.0 => format!("{number:.1} {unit}"),
        _ => format!("{number:.0} {unit}"),
    }
}

/// A time beside its limit, like `0.14 s of 0.2 s, 0.70x`.
pub fn time_of(is: Duration, limit: Option<Duration>) -> String {
    beside(time(is), limit.map(|limit| (time(limit), is.as_secs_f64() / limit.as_secs_f64())))
}

/// Bytes in MB of a million, beside their limit.
pub fn bytes_of(is: u64, limit: Option<u64>) -> String {
    let megabytes = |bytes: u64| rounded(bytes as f64 / 1e6, "MB");
    beside(megabytes(is), limit.map(|limit| (megabytes(limit), is as f64 / limit as f64)))
}

fn beside(is: String, limit: Option<(String, f64)>) -> String {
    match limit {
        Some((limit, ratio)) => format!("{is} of {limit}, {ratio:.2}x"),
        None => is,
    }
}

/// Work is repeated for so long, but so often at least and at most.
const LASTS: Duration = Duration::from_secs(3);
const LEAST: usize = 3;
const MOST: usize = 25;

/// The middle of how long a piece of work takes, when it is repeated; it tells the time itself.
pub fn repeated(mut work: impl FnMut() -> Duration) -> Duration {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < LEAST || (times.len() < MOST && begun.elapsed() < LASTS) {
        times.push(work());
    }
    median(times)
}

/// How long a piece of work takes on a processor; what it makes is given away after that.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = busy();
    let done = work();
    (done, busy().saturating_sub(begun))
}

/// Time that this process had on a processor: what the rest of the machine does is not in it.
#[expect(unsafe_code, reason = "the standard library does not tell this clock")]
pub fn busy() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written to, and outlives the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "a kernel without the clock of a process");
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).expect("a time"));
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}
