//! What memory a piece of work takes: bytes asked of the allocator, and pages that the kernel had to find.

#![expect(unsafe_code, reason = "an allocator that counts is unsafe by its trait, and passes everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

/// The system's allocator, which counts while it is told to.
pub struct Counting;

/// Counting costs time, so what is timed is not counted.
static COUNTS: AtomicBool = AtomicBool::new(false);
static HELD: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static ASKED: AtomicI64 = AtomicI64::new(0);

fn count(more: usize, less: usize) {
    if COUNTS.load(Relaxed) {
        let change = more as i64 - less as i64;
        let held = HELD.fetch_add(change, Relaxed) + change;
        if more > 0 {
            PEAK.fetch_max(held, Relaxed);
            ASKED.fetch_add(1, Relaxed);
        }
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What a piece of work took.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// The most bytes that were held at once, over what was held before.
    pub peak: u64,
    /// How often memory was asked for.
    pub asked: u64,
    /// The most bytes of this process that were in memory at once, `VmHWM`; none where Linux does not tell.
    pub resident: Option<u64>,
}

/// Does a piece of work and counts.
pub fn taken<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    // Sets the kernel's own mark back (proc_pid_clear_refs(5)).
    let reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    for counter in [&HELD, &PEAK, &ASKED] {
        counter.store(0, Relaxed);
    }
    COUNTS.store(true, Relaxed);
    let done = work();
    COUNTS.store(false, Relaxed);
    let [peak, asked] = [&PEAK, &ASKED].map(|counter| u64::try_from(counter.load(Relaxed)).unwrap_or(0));
    (done, Taken { peak, asked, resident: reset.then(high_water).flatten() })
}

pub fn high_water() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}
