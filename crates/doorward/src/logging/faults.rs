//! Panics, which nothing here is meant to do: each is a line of the log as every other event, with its number.
//!
//! What a panic says may hold what a library was given (a slice that ends within a letter prints the text), so the line has
//! the place in the code alone.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

static FAULTS: AtomicU64 = AtomicU64::new(0);

/// Logs every panic from now on, instead of printing it.
pub(super) fn log_all() {
    std::panic::set_hook(Box::new(log));
}

fn log(panicked: &PanicHookInfo<'_>) {
    let faults = FAULTS.fetch_add(1, Ordering::Relaxed) + 1;
    let at = panicked.location().map(ToString::to_string);
    let thread = std::thread::current();
    tracing::error!(at, thread = thread.name(), faults, "internal fault aborted an operation");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::own::tests::Written;
    use crate::logging::{Form, Log};

    #[test]
    fn a_panic_is_logged_by_its_place_and_counted_and_says_nothing_else() {
        let written = Written::default();
        let log = Log { form: Form::Json, ..Log::default() };
        log_all();
        let faults = FAULTS.load(Ordering::Relaxed);
        let writer = written.clone();
        tracing::subscriber::with_default(log.to(move || writer.clone()), || {
            std::panic::catch_unwind(|| panic!("open-sesame")).expect_err("a panic");
        });
        let _ = std::panic::take_hook();
        let line = written.text();
        assert!(line.contains("internal fault") && line.contains("faults.rs:"), "{line}");
        assert!(!line.contains("open-sesame"), "{line}");
        assert!(FAULTS.load(Ordering::Relaxed) > faults);
        let read: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(read["level"], "error");
    }
}
