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

const DATA: u8 = 0;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
/// No type of a frame, which is to be ignored (section 4.1).
const UNKNOWN: u8 = 0x4d;

/// Frames that no answer waits for keep no connection beyond its time, however many come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_idle_is_ended_also_if_it_sends_frames_without_a_request() {
    let short = Short::start("", false).await;
    let request = [PREFACE.to_vec(), frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/healthz"))].concat();
    for again in [
        frame(SETTINGS, 0, 0, b""),
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"),
        frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        frame(PRIORITY, 0, 3, b"\0\0\0\0\x10"),
        frame(UNKNOWN, 0, 0, b""),
        frame(UNKNOWN, 0, 1, b"what"),
    ] {
        let many = again.repeat(1000);
        for begins in [PREFACE, &request] {
            let pieces: Vec<&[u8]> =
                std::iter::once(begins).chain(std::iter::repeat_n(&many[..], 400)).collect();
            let (read, took) = until_it_ends(short.connect().await, &pieces).await;
            let asked = begins.len() > PREFACE.len();
            assert_eq!(frames(&read).contains(&(HEADERS, 1)), asked, "{:?}", frames(&read));
            is_about(took, if asked { IDLE } else { HEAD });
        }
    }
}

/// DATA without a byte is no body that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_data_keeps_a_request_no_longer_than_a_body_may_take() {
    let short = Short::start("", false).await;
    let post = [&[0x83, 0x86, 0x04, 0x10][..], b"/api/v1/sessions", &[0x41, 0x09], b"localhost"].concat();
    let request = [PREFACE.to_vec(), frame(HEADERS, END_HEADERS, 1, &post)].concat();
    let many = frame(DATA, 0, 1, b"").repeat(1000);
    let pieces: Vec<&[u8]> =
        std::iter::once(&request[..]).chain(std::iter::repeat_n(&many[..], 400)).collect();
    let (read, took) = until_it_ends(short.connect().await, &pieces).await;
    assert!(frames(&read).iter().any(|(kind, _)| *kind == GO_AWAY), "{:?}", frames(&read));
    assert!(took < (BODY + IDLE) * 8 + Duration::from_secs(2), "{took:?}");
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
