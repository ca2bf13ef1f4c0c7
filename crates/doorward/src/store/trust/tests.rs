//! When the head is noted, and what a process does that cannot note it.

use std::time::Duration;

use doorward_core::audit::Who;

use super::*;

#[tokio::test]
async fn a_head_file_that_was_missing_at_the_start_is_not_noted_again_and_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let open = || Store::open(&path, [1; 4]);
    let store = open().await.expect("a store");
    let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
    store.commit(&[], vec![event]).await.expect("recorded");
    let head = folder.path().join("doorward.db.audit-head");
    // The running process knows the head without its file.
    std::fs::remove_file(&head).expect("removed");
    store.check_head().await.expect("read");
    while store.trust.is_noting() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(head.exists());
    store.close().await;

    std::fs::remove_file(&head).expect("removed");
    let store = open().await.expect("a store");
    assert!(store.distrusted().is_some_and(|why| why.contains("is missing")));
    store.check_head().await.expect("read");
    let noted = async {
        while store.trust.is_noting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noted).await.expect("it comes to an end");
    assert!(!head.exists(), "nobody knows what it said");
    tokio::time::timeout(Duration::from_secs(20), store.close()).await.expect("it is closed");
}

#[test]
fn a_head_that_a_runtime_did_not_begin_to_note_before_its_end_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doorward.db").display().to_string();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime")
    };
    let (own, ending) = (runtime(), runtime());
    let store = own.block_on(Store::open(&path, [1; 4])).expect("a store");
    own.block_on(async {
        while store.trust.is_noting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // The only thread that could note is busy until its runtime has been told to end.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    ending.spawn_blocking(move || wait.recv());
    store.trust.inner().noted = None;
    let entered = ending.enter();
    store.trust.note_soon();
    drop(entered);
    assert!(store.trust.is_noting());
    ending.shutdown_background();
    drop(go_on);
    let closed = async { tokio::time::timeout(Duration::from_secs(20), store.close()).await };
    own.block_on(closed).expect("it is closed");
}
