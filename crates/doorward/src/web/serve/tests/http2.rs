//! HTTP/2, frame by frame.

use super::*;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it fits").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The head of a `GET`, by HPACK's static table (RFC 7541, appendix A).
fn get(path: &str) -> Vec<u8> {
    let text = |name: u8, value: &str| {
        [&[0x40 | name, u8::try_from(value.len()).expect("it fits")], value.as_bytes()].concat()
    };
    [vec![0x82, 0x86], text(4, path), text(1, "localhost")].concat()
}

/// The kinds of the frames that came, each with its stream.
fn frames(mut read: &[u8]) -> Vec<(u8, u32)> {
    let mut found = Vec::new();
    while let Some((head, rest)) = read.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        found.push((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])));
        read = rest.get(length..).unwrap_or_default();
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_idle_after_a_request_is_told_and_ended_also_if_it_pings() {
    let short = Short::start("", false).await;
    let request = [PREFACE.to_vec(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/healthz"))].concat();
    let ping = frame(PING, 0, 0, b"doorward");
    let pinging: Vec<&[u8]> =
        std::iter::once(&request[..]).chain(std::iter::repeat_n(&ping[..], 400)).collect();
    for pieces in [&[&request[..]][..], &pinging] {
        let (read, took) = until_it_ends(short.connect().await, pieces).await;
        let came = frames(&read);
        assert!(came.contains(&(HEADERS, 1)) && came.contains(&(GO_AWAY, 0)), "{came:?}");
        is_about(took, IDLE);
    }
}
