//! Asks for one page as often as it can, over connections that stay open, in a thread of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Connections that ask at once.
pub const CONNECTIONS: usize = 8;

/// The name of the thread that asks, whose time is not the server's.
pub const THREAD: &str = "asking";

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status and the headers.
    pub head: String,
    /// The page.
    pub body: String,
}

/// Asks for `request` until `lasts` is over: how many answers came, and in what time.
pub async fn run(to: SocketAddr, request: String, lasts: Duration) -> (u64, Duration) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let asking = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = runtime.block_on(async {
            let begun = Instant::now();
            let connections: Vec<_> = (0..CONNECTIONS)
                .map(|_| tokio::spawn(ask_until(to, request.clone(), begun + lasts)))
                .collect();
            let mut answers = 0;
            for connection in connections {
                answers += connection.await.expect("answers");
            }
            (answers, begun.elapsed())
        });
        tell.send(outcome).expect("somebody waits");
    });
    let asking = asking.expect("a thread");
    let outcome = told.await.expect("an outcome");
    asking.join().expect("a thread");
    outcome
}

async fn ask_until(to: SocketAddr, request: String, end: Instant) -> u64 {
    let mut connection = Connection::to(to).await;
    let mut answers = 0;
    while Instant::now() < end {
        let (head, _) = connection.ask(&request).await;
        assert!(connection.bytes[..head].starts_with(b"HTTP/1.1 200 "), "{}", connection.text(0, head));
        answers += 1;
    }
    answers
}

/// One request and its answer.
pub async fn once(to: SocketAddr, request: &str) -> Answer {
    let mut connection = Connection::to(to).await;
    let (head, whole) = connection.ask(request).await;
    Answer { head: connection.text(0, head), body: connection.text(head, whole) }
}

struct Connection {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Connection {
    async fn to(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        Self { stream, bytes: Vec::new() }
    }

    /// Sends a request and reads its answer: where the head ends, and where the answer does.
    async fn ask(&mut self, request: &str) -> (usize, usize) {
        self.stream.write_all(request.as_bytes()).await.expect("a request");
        self.bytes.clear();
        let head = loop {
            let from = self.bytes.len().saturating_sub(3);
            assert!(self.stream.read_buf(&mut self.bytes).await.expect("an answer") > 0, "half an answer");
            if let Some(end) = self.bytes[from..].windows(4).position(|four| four == b"\r\n\r\n") {
                break from + end + 4;
            }
        };
        let head_text = self.text(0, head).to_ascii_lowercase();
        let length = head_text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let whole = head + length.map_or(0, |length| length.parse::<usize>().expect("a length"));
        while self.bytes.len() < whole {
            assert!(self.stream.read_buf(&mut self.bytes).await.expect("an answer") > 0, "half an answer");
        }
        (head, whole)
    }

    fn text(&self, from: usize, to: usize) -> String {
        String::from_utf8_lossy(&self.bytes[from..to]).into_owned()
    }
}
