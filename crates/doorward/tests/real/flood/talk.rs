//! Whoever never pauses: small things without end, which cost the server more than whoever sends them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What is said, and whether what is answered is read.
pub const KINDS: [&str; 12] = [
    "settings",
    "settings-unread",
    "ping",
    "pong",
    "chunks",
    "pipeline",
    "pipeline-unread",
    "windows",
    "window-updates",
    "priorities",
    "unknown-frames",
    "empty-data",
];

/// About how many bytes are written at once.
const AT_ONCE: usize = 64 * 1024;

/// The preface of a client of HTTP/2 whose answers may be as long as there are.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0doorward";
const PONG: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0doorward";
/// Of the connection, by one byte; more than 2^31 in all is an error (RFC 9113, section 6.9.1).
const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01";
const PRIORITY: &[u8] = b"\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10";
/// Of a type that there is not, which is to be ignored (section 4.1).
const UNKNOWN: &[u8] = b"\0\0\0\x4d\0\0\0\0\0";
/// A POST whose body begins.
const POSTS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
    \0\0\x0e\x01\x04\0\0\0\x01\x83\x86\x84\x41\x09localhost";
const EMPTY: &[u8] = b"\0\0\0\0\0\0\0\0\x01";
const CHUNKED: &[u8] =
    b"POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
    transfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
const CHUNK: &[u8] = b"1;a=b\r\n \r\n";
const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Of `/`, by HPACK's static table (RFC 7541, appendix A).
const HEAD: &[u8] = b"\x82\x86\x84\x41\x09localhost";

/// Says that kind of thing until the server ends the connection.
pub async fn talk(kind: &str, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let (first, again) = match kind {
        "settings" | "settings-unread" => (PREFACE, SETTINGS),
        "ping" => (PREFACE, PING),
        "pong" => (PREFACE, PONG),
        "chunks" => (CHUNKED, CHUNK),
        "pipeline" | "pipeline-unread" => (GET, GET),
        "windows" => (PREFACE, &[][..]),
        "window-updates" => (PREFACE, WINDOW_UPDATE),
        "priorities" => (PREFACE, PRIORITY),
        "unknown-frames" => (PREFACE, UNKNOWN),
        "empty-data" => (POSTS, EMPTY),
        _ => return Err(io::Error::other("no such kind")),
    };
    stream.write_all(first).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let says = async {
        let many = again.repeat(AT_ONCE / again.len().max(1));
        for number in 0.. {
            match kind {
                "windows" => to.write_all(&requests(number)).await?,
                _ => to.write_all(&many).await?,
            }
        }
        Ok(())
    };
    let reads = async {
        if kind.ends_with("unread") {
            std::future::pending::<()>().await;
        }
        let mut bytes = vec![0; AT_ONCE];
        while from.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    tokio::select! {
        said = says => said,
        read = reads => read,
    }
}

/// A thousand requests of HTTP/2, as many as 16 of which are answered at a time.
fn requests(number: u32) -> Vec<u8> {
    let mut frames = Vec::new();
    for stream in (number * 1000..).map(|stream| 2 * stream + 1).take(1000) {
        frames.extend([0, 0, u8::try_from(HEAD.len()).expect("it fits"), 1, 5]);
        frames.extend(stream.to_be_bytes());
        frames.extend(HEAD);
    }
    frames
}
