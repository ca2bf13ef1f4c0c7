//! The security headers of every answer, and the answers that cannot have them.

use super::*;

/// What came for some bytes: the first status, its head in lower case, and its body.
async fn answer(short: &Short, said: &str) -> (u16, String, String) {
    let (read, _) = until_it_ends(short.connect().await, &[said.as_bytes()]).await;
    let text = String::from_utf8_lossy(&read).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said:?}: {text:?}"));
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status");
    (status.parse().expect("a number"), head.to_lowercase(), body.to_owned())
}

const HEADERS: [&str; 6] = [
    "content-security-policy: default-src 'none'",
    "x-content-type-options: nosniff",
    "referrer-policy: same-origin",
    "cross-origin-opener-policy: same-origin",
    "permissions-policy: ",
    "cache-control: no-store",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_a_request_has_the_security_headers() {
    let short = Short::start("", false).await;
    let large = "x".repeat(70_000);
    let post = "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type";
    for (said, expected) in [
        ("GET /sign-in HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n", 421),
        ("GET http://evil.test/sign-in HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n", 421),
        ("GET http://evil.test/sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 400),
        ("GET /sign-in HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 404),
        ("PUT /sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 405),
        ("BREW /sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 405),
        ("CONNECT localhost:22 HTTP/1.1\r\nhost: localhost:22\r\nconnection: close\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 404),
        // A body that never comes whole.
        (&format!("{post}: application/json\r\ncontent-length: 50\r\n\r\n{{"), 400),
        (&format!("{post}: application/json\r\ntransfer-encoding: chunked\r\n\r\nno\r\n"), 400),
        (&format!("{post}: application/json\r\ncontent-length: 70000\r\n\r\n{large}"), 413),
        (&format!("{post}: text/plain\r\ncontent-length: 2\r\n\r\n{{}}"), 415),
    ] {
        let (status, head, _) = answer(&short, said).await;
        let said: String = said.chars().take(120).collect();
        assert_eq!(status, expected, "{said:?}: {head}");
        for header in HEADERS {
            assert!(head.contains(header), "no {header} for {said:?}: {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_what_is_no_request_has_no_body_and_ends_the_connection() {
    let short = Short::start("", false).await;
    let many = "x: y\r\n".repeat(100);
    let long = "y".repeat(20_000);
    for (said, expected) in [
        ("nonsense\r\n\r\n", 400),
        ("GET /sign-in\r\n\r\n", 400),
        ("GET /sign-in HTTP/9.9\r\nhost: localhost\r\n\r\n", 400),
        ("GET /sign-in HTTP/1.1\r\nhost localhost\r\n\r\n", 400),
        ("GET /sign in HTTP/1.1\r\nhost: localhost\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (&format!("GET /sign-in HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), 431),
        (&format!("GET /sign-in HTTP/1.1\r\nhost: localhost\r\nx: {long}{long}\r\n\r\n"), 431),
    ] {
        let (status, head, body) = answer(&short, said).await;
        let said: String = said.chars().take(60).collect();
        assert_eq!(status, expected, "{said:?}: {head}");
        // Nothing that a browser could read as a page, run, or keep: no header protects anything here.
        assert!(body.is_empty() && head.contains("content-length: 0"), "{said:?}: {head} {body}");
        for header in ["content-type", "location", "set-cookie", "access-control", "server"] {
            assert!(!head.contains(header), "{said:?}: {head}");
        }
    }
}
