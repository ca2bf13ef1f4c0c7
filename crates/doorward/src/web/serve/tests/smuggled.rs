//! Requests whose length or form could be read in two ways: a proxy in front may have read the other.

use super::*;

/// What follows, which must not be answered.
const NEXT: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The statuses of the answers to some bytes.
async fn statuses(short: &Short, said: &str) -> Vec<String> {
    let (read, _) = until_it_ends(short.connect().await, &[said.as_bytes()]).await;
    let text = String::from_utf8_lossy(&read).into_owned();
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer.chars().take(3).collect()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let short = Short::start("", false).await;
    for (length, body) in [
        ("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity", "0\r\n\r\n"),
        ("transfer-encoding: chunked, identity", "0\r\n\r\n"),
        ("transfer-encoding: xchunked", "0\r\n\r\n"),
        ("transfer-encoding : chunked", "0\r\n\r\n"),
        ("transfer-encoding:\r\n chunked", "0\r\n\r\n"),
        ("transfer-encoding: chunked", "fffffffffffffffff\r\n"),
        ("transfer-encoding: chunked", "-1\r\n"),
        ("transfer-encoding: chunked", "2\n{}\n0\n\n"),
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("content-length: 5, 5", "hello"),
        ("content-length: +5", "hello"),
        ("content-length: -1", "hello"),
        ("content-length: 0x5", "hello"),
        ("content-length: 5\r\nx: a\0b", "hello"),
        ("content-length: 5\r\nx: a\r\n b", "hello"),
    ] {
        let head = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        let said = format!("{head}\r\n{length}\r\n\r\n{body}{NEXT}");
        assert_eq!(statuses(&short, &said).await, ["400"], "{length} {body:?}");
    }
    // A body that nobody reads is no request of its own.
    let get = "GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length";
    assert_eq!(statuses(&short, &format!("{get}: {}\r\n\r\n{NEXT}", NEXT.len())).await, ["200"]);
    assert_eq!(statuses(&short, &format!("{get}: 46000000000\r\n\r\n{NEXT}")).await, ["200"]);
    // No tunnel, and no other protocol on the same connection.
    let tunnel = format!("CONNECT localhost:22 HTTP/1.1\r\nhost: localhost:22\r\n\r\n{NEXT}");
    assert_eq!(statuses(&short, &tunnel).await, ["404", "200"]);
    let upgrade = format!("{}connection: upgrade\r\nupgrade: h2c\r\n\r\n", &NEXT[..NEXT.len() - 2]);
    assert_eq!(statuses(&short, &upgrade).await, ["200"]);
}
