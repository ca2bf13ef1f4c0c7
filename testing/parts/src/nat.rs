//! What stands between a client and the server: to the server all its clients come from one address of the internet.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The address that clients come from when they do not say another. A security group admits no loopback address.
pub const OUTSIDE: &str = "203.0.113.9";
/// The same of those who come by IPv6.
pub const OUTSIDE_V6: &str = "2001:db8::9";

/// A proxy that says where its clients come from; it ends with the test.
pub struct Nat {
    at: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Nat {
    /// Listens on a free port of the server's own address, before it.
    pub fn before(server: SocketAddr) -> Self {
        let outside = if server.is_ipv6() { OUTSIDE_V6 } else { OUTSIDE };
        let listener = TcpListener::bind((server.ip(), 0)).expect("a port");
        let (at, over) = (listener.local_addr().expect("an address"), Arc::<AtomicBool>::default());
        let ends = Arc::clone(&over);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                // A server that is gone breaks the connection off, as it would without this.
                std::thread::spawn(move || pass(&client, server, outside).ok());
            }
        });
        Self { at, over }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// What people type to come to it.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It looks whether it is over when somebody comes.
        let _ = TcpStream::connect(self.at);
    }
}

/// Passes one request on, and its answer back.
fn pass(mut client: &TcpStream, server: SocketAddr, outside: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length, mut named) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        named |= lower.starts_with("x-forwarded-for:");
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if !named {
        head.push_str(&format!("X-Forwarded-For: {outside}\r\n"));
    }
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(head.as_bytes())?;
    upstream.write_all(b"Connection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    client.write_all(&answer)
}
