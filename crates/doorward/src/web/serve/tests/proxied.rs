//! The PROXY protocol: from whom it is believed, plain and ahead of TLS.

use super::*;

/// What `/address` sees of a connection that begins with these bytes, from one of this machine's addresses; none where the
/// connection is ended instead.
async fn seen(short: &Short, from: [u8; 4], begins: &[u8]) -> Option<String> {
    seen_with(short, from, begins, "").await
}

/// The same with lines in the head of the request.
async fn seen_with(short: &Short, from: [u8; 4], begins: &[u8], lines: &str) -> Option<String> {
    let stream = from_address(short, from).await;
    let (head, end) = (asks(), "\r\n");
    let head = head.strip_suffix(end).expect("the end of a head");
    let (read, _) = until_it_ends(stream, &[begins, head.as_bytes(), lines.as_bytes(), end.as_bytes()]).await;
    seen_in(&read)
}

async fn from_address(short: &Short, from: [u8; 4]) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of the loopback");
    socket.connect(short.address).await.expect("a connection")
}

fn asks() -> String {
    let nonce = "n".repeat(43);
    format!("GET /address?nonce={nonce} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

fn seen_in(read: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(read).into_owned();
    let seen = text.split_once("\"address\":\"").and_then(|(_, rest)| rest.split_once('"'));
    match (seen, text.starts_with("HTTP/1.1 422") && text.contains("address is not known")) {
        (Some((address, _)), _) => Some(address.to_owned()),
        (None, true) => Some("nobody".into()),
        (None, false) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_is_believed_from_named_proxies_and_needed_from_them() {
    let short = Short::start("proxies = [\"127.0.0.9\"]\nproxy-protocol = true", false).await;
    let proxy = [127, 0, 0, 9];
    let line = b"PROXY TCP4 203.0.113.99 10.0.0.1 4711 443\r\n";
    let second = |command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).expect("it fits").to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, rest].concat()
    };
    let four = [203, 0, 113, 98, 10, 0, 0, 1, 0x12, 0x67, 1, 0xbb, 4, 0, 1, 0];
    for (begins, expected) in [
        (line.to_vec(), Some("203.0.113.99")),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".to_vec(), Some("2001:db8::7")),
        (second(0x21, 0x11, &four), Some("203.0.113.98")),
        // The proxy itself, or somebody whom it cannot name: nobody's address.
        (second(0x20, 0x00, &[]), Some("nobody")),
        (b"PROXY UNKNOWN\r\n".to_vec(), Some("nobody")),
        (Vec::new(), None),
        (b"PROXY TCP4 203.0.113.99\r\n".to_vec(), None),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), None),
        (second(0x21, 0x11, &four[..8]), None),
    ] {
        assert_eq!(
            seen(&short, proxy, &begins).await.as_deref(),
            expected,
            "{:?}",
            String::from_utf8_lossy(&begins)
        );
    }
    // Whoever is not named is nobody's proxy: its own address, or a request that cannot be read.
    assert_eq!(seen(&short, [127, 0, 0, 8], b"").await.as_deref(), Some("127.0.0.8"));
    assert_eq!(seen(&short, [127, 0, 0, 8], line).await, None);
    // In pieces, and never to its end.
    let pieces: Vec<&[u8]> = line.chunks(9).collect();
    let (read, took) = until_it_ends(from_address(&short, proxy).await, &pieces[..2]).await;
    assert!(read.is_empty());
    is_about(took, HEAD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_names_nobody_lets_the_client_name_nobody_either() {
    let short = Short::start("proxies = [\"127.0.0.9\", \"127.0.0.10\"]\nproxy-protocol = true", false).await;
    let second = |command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).expect("it fits").to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, rest].concat()
    };
    let nobodies = [
        b"PROXY UNKNOWN\r\n".to_vec(),
        second(0x20, 0, &[]),
        second(0x21, 0, &[]),
        second(0x21, 0x31, &[0; 216]),
    ];
    for lines in ["", "x-forwarded-for: 203.0.113.8\r\n", "forwarded: for=203.0.113.8;proto=https\r\n"] {
        for begins in &nobodies {
            let seen = seen_with(&short, [127, 0, 0, 9], begins, lines).await;
            assert_eq!(seen.as_deref(), Some("nobody"), "{lines} after {begins:?}");
        }
    }
    // A proxy that reads HTTP, behind the one that does not.
    let inner = b"PROXY TCP4 127.0.0.10 10.0.0.1 4711 443\r\n";
    let forwarded = seen_with(&short, [127, 0, 0, 9], inner, "x-forwarded-for: 203.0.113.8\r\n").await;
    assert_eq!(forwarded.as_deref(), Some("203.0.113.8"));
    let itself = seen_with(&short, [127, 0, 0, 9], inner, "x-forwarded-for: 127.0.0.10\r\n").await;
    assert_eq!(itself.as_deref(), Some("nobody"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_no_header_is_believed() {
    let short = Short::start("proxies = [\"127.0.0.9\"]", false).await;
    assert_eq!(seen(&short, [127, 0, 0, 9], b"PROXY TCP4 203.0.113.99 10.0.0.1 4711 443\r\n").await, None);
    assert_eq!(seen(&short, [127, 0, 0, 9], b"").await.as_deref(), Some("nobody"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_comes_ahead_of_tls() {
    let short = Short::start("proxies = [\"127.0.0.9\"]\nproxy-protocol = true", true).await;
    let (pem, proxy) = (short.certificate(), [127, 0, 0, 9]);
    let line = b"PROXY TCP4 203.0.113.99 10.0.0.1 4711 443\r\n";
    let ahead = |from: [u8; 4], begins: &'static [u8]| {
        let (pem, short) = (&pem, &short);
        async move {
            let mut stream = from_address(short, from).await;
            for piece in begins.chunks(11) {
                // It may have hung up.
                let _ = stream.write_all(piece).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let stream = handshake(pem, "http/1.1", stream).await.ok()?;
            seen_in(&until_it_ends(stream, &[asks().as_bytes()]).await.0)
        }
    };
    assert_eq!(ahead(proxy, line).await.as_deref(), Some("203.0.113.99"));
    assert_eq!(ahead(proxy, b"PROXY UNKNOWN\r\n").await.as_deref(), Some("nobody"));
    assert_eq!(ahead([127, 0, 0, 8], b"").await.as_deref(), Some("127.0.0.8"));
    // Without one from a proxy that has to, with one from whoever may not, and cut off in it.
    assert_eq!(ahead(proxy, b"").await, None);
    assert_eq!(ahead([127, 0, 0, 8], line).await, None);
    assert_eq!(ahead(proxy, &line[..20]).await, None);
    // Within TLS it is a request that cannot be read.
    let mut stream = from_address(&short, proxy).await;
    stream.write_all(line).await.expect("it is heard");
    let stream = handshake(&pem, "http/1.1", stream).await.expect("a handshake");
    let (read, _) = until_it_ends(stream, &[line, asks().as_bytes()]).await;
    assert_eq!(seen_in(&read), None);
}
