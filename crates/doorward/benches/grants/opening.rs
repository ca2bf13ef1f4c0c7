//! What it costs to open a store whose record is long, with a checkpoint and without one.

use std::time::{Duration, Instant};

use doorward::store::{AuditFiles, Store};
use doorward_core::audit::{Event, What, Who};
use jiff::Timestamp;

use crate::cost;
use crate::table;

/// Entries of the record.
const ENTRIES: usize = 1_000_000;
/// Entries that are appended in one transaction.
const AT_ONCE: usize = 10_000;
/// Entries behind the checkpoint, as after a crash.
const TAIL: usize = 1000;

struct Opened {
    took: Duration,
    lines: u64,
    /// In MB, beyond what was held before.
    held: f64,
}

/// Opens a record of a million entries.
pub async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let files = AuditFiles::beside(&path);
    let checkpoint = format!("{}.checkpoint", files.head.display());
    let event = || Event::new(Timestamp::now(), Who::Doorward, What::RecordRead);
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    for _ in 0..ENTRIES / AT_ONCE {
        store.commit(&[], vec![event(); AT_ONCE]).await.expect("recorded");
    }
    store.close().await;
    let kept = std::fs::read(&checkpoint).expect("a checkpoint");
    let store = Store::open(&path, [1; 4]).await.expect("a store");
    store.commit(&[], vec![event(); TAIL]).await.expect("recorded");
    store.close().await;
    std::fs::write(&checkpoint, kept).expect("a checkpoint");

    let with = opened(&path).await;
    std::fs::remove_file(&checkpoint).expect("a checkpoint");
    let without = opened(&path).await;
    let row = |name: &str, opened: &Opened| {
        let (took, held) = (opened.took.as_secs_f64() * 1000.0, opened.held);
        let lines = table::thousands(opened.lines as usize);
        vec![name.to_owned(), lines, format!("{took:.0} ms"), format!("{held:.1} MB")]
    };
    println!("Opening a store whose record has {} entries:", table::thousands(ENTRIES + TAIL));
    table::print(
        &["", "entries read", "takes", "holds"],
        &[row("with a checkpoint", &with), row("without one", &without)],
    );
}

async fn opened(path: &str) -> Opened {
    let before = cost::memory(std::process::id()).anonymous;
    let begun = Instant::now();
    let store = Store::open(path, [1; 4]).await.expect("a store");
    let took = begun.elapsed();
    assert_eq!(store.distrusted(), None);
    let (lines, held) = (store.lines_read(), cost::memory(std::process::id()).anonymous - before);
    store.close().await;
    Opened { took, lines, held }
}
