//! haproxy that does not read HTTP, in one tier and in two: what a client writes in the headers of a request is never its address.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::{Proxy, folder, house};
use crate::need::find;
use crate::server::free_address;

/// haproxy, which connects to the server from 127.0.0.9. The first address leads through a tier that names the client by a
/// Unix socket, and so not at all; the second straight to the tier that speaks the PROXY protocol.
fn tiers(server: SocketAddr) -> (Proxy, SocketAddr) {
    let (folder, two, one) = (folder(), free_address(), free_address());
    let socket = folder.path().join("between.sock");
    let socket = socket.display();
    let text = format!(
        "global\n  log stderr format raw local0 err\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  \
         timeout server 30s\nfrontend two\n  bind {two}\n  default_backend between\n\
         backend between\n  server one unix@{socket}\n\
         frontend between\n  bind unix@{socket}\n  default_backend unnamed\n\
         backend unnamed\n  server one {server} send-proxy source 127.0.0.9\n\
         frontend one\n  bind {one}\n  default_backend named\n\
         backend named\n  server one {server} send-proxy-v2 source 127.0.0.9\n"
    );
    fs::write(folder.path().join("haproxy.cfg"), text).expect("a configuration");
    let mut command = Command::new(find("haproxy").expect("haproxy"));
    command.arg("-db").arg("-f").arg(folder.path().join("haproxy.cfg"));
    (Proxy::start(command, folder, two), one)
}

/// The status and the body of a call with a header more.
fn call(at: SocketAddr, token: &str, request: &str, header: &str, body: &str) -> (u16, Value) {
    let mut stream = std::net::TcpStream::connect(at).expect("a connection");
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n{header}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (
        status.expect("a status"),
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")),
    )
}

pub(super) fn unread() -> Result<(), Failed> {
    let (house, wiki) = house();
    house.set_server("proxies = [\"127.0.0.9\"]\nproxy-protocol = true");
    let server = house.serve();
    let (proxy, named) = tiers(house.listen);
    let token = server.sign_in("jon");
    let wanted = json!({ "target": "wiki" }).to_string();
    for header in ["", "X-Forwarded-For: 203.0.113.8\r\n", "Forwarded: for=203.0.113.8;proto=https\r\n"] {
        let (status, me) = call(proxy.at, &token, "GET /api/v1/me", header, "");
        assert_eq!((status, &me["address"]), (200, &Value::Null), "{header}: {me}");
        let (status, refused) = call(proxy.at, &token, "POST /api/v1/grants", header, &wanted);
        assert_eq!(status, 422, "{header}: {refused}");
        assert!(refused["error"].as_str().is_some_and(|error| error.contains("PROXY header")), "{refused}");
        // Where the client is named, a header that says otherwise makes it a proxy that nobody listed.
        let (status, me) = call(named, &token, "GET /api/v1/me", header, "");
        let expected = if header.is_empty() { json!("127.0.0.1") } else { Value::Null };
        assert_eq!((status, &me["address"]), (200, &expected), "{header}: {me}");
    }
    assert!(!wiki.lets_in());
    Ok(())
}
