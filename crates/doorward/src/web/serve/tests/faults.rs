//! Faults of the program itself, which strangers might bring about.

use axum::routing::get;

use super::*;

async fn fault() {
    panic!("a fault of a page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_panics_ends_its_connection_and_nothing_else() {
    let short = Short::answering("", false, |router| router.route("/fault", get(fault))).await;
    let ask = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
    };
    // More than may be open at once: none of them is left over.
    for _ in 0..FILES {
        let (read, _) = until_it_ends(short.connect().await, &[&ask("/fault")]).await;
        assert!(read.is_empty(), "{}", String::from_utf8_lossy(&read));
    }
    let (read, _) = until_it_ends(short.connect().await, &[&ask("/healthz")]).await;
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
}
