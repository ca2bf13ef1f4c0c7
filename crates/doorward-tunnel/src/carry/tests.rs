//! Bytes both ways, and how either end ends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|number| u8::try_from(number % 251).unwrap()).collect()
}

/// What became of it, and what was carried up and down.
type Carried = (Result<(), Broken>, u64, u64);

/// A client and a server with a carrier between them, whose pipes hold so many bytes.
fn pipes(size: usize, buffer: usize) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<Carried>) {
    let (client, mut near) = duplex(size);
    let (mut far, server) = duplex(size);
    let carrying = tokio::spawn(async move {
        let bytes = Bytes::default();
        let carried = both_ways(&mut near, &mut far, &bytes, buffer).await;
        (carried, bytes.up.into_inner(), bytes.down.into_inner())
    });
    (client, server, carrying)
}

#[tokio::test]
async fn what_goes_in_comes_out_whatever_the_sizes() {
    for (size, buffer) in [(1, 1), (7, 3), (1000, 64), (100_000, 128 * 1024), (3, 128 * 1024)] {
        let (mut client, mut server, carrying) = pipes(size, buffer);
        let sent = text(if size < 10 { 5_000 } else { 1_000_000 });
        let answer = sent.iter().rev().copied().collect::<Vec<u8>>();
        let asking = async {
            let (mut read, mut write) = tokio::io::split(&mut client);
            let mut heard = Vec::new();
            let writing = async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            };
            tokio::join!(writing, async { read.read_to_end(&mut heard).await.unwrap() });
            heard
        };
        let answering = async {
            let mut heard = Vec::new();
            server.read_to_end(&mut heard).await.unwrap();
            server.write_all(&answer).await.unwrap();
            server.shutdown().await.unwrap();
            heard
        };
        let (back, there) = tokio::join!(asking, answering);
        assert!(there == sent && back == answer, "{size} {buffer}");
        let (carried, up, down) = carrying.await.unwrap();
        assert!(carried.is_ok());
        assert_eq!((up, down), (sent.len() as u64, sent.len() as u64));
    }
}

#[tokio::test]
async fn the_far_side_may_end_first() {
    let (mut client, mut server, carrying) = pipes(100, 100);
    server.write_all(b"goodbye").await.unwrap();
    server.shutdown().await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "goodbye");
    client.write_all(b"still").await.unwrap();
    client.shutdown().await.unwrap();
    heard.clear();
    server.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "still");
    assert!(carrying.await.unwrap().0.is_ok());
}

#[tokio::test]
async fn the_side_that_broke_is_named() {
    let (mut client, server, carrying) = pipes(100, 100);
    drop(server);
    // The far side takes nothing any more.
    let _ = client.write_all(&text(1000)).await;
    let (carried, ..) = carrying.await.unwrap();
    assert!(carried.unwrap_err().far);
}

#[test]
fn a_buffer_grows_with_what_comes_and_shrinks_again() {
    let mut direction = Direction::new(128 * 1024);
    let mut check = |read: usize, times: usize, expected: usize| {
        for _ in 0..times {
            direction.fit(read.min(direction.room));
        }
        assert_eq!(direction.room, expected);
    };
    check(100, 1000, SMALL);
    check(usize::MAX, 1, 4 * SMALL);
    check(usize::MAX, 5, 128 * 1024);
    check(100, usize::from(PATIENCE) - 1, 128 * 1024);
    check(100_000, 1, 128 * 1024);
    check(100, 10 * usize::from(PATIENCE), SMALL);
}

#[tokio::test]
async fn what_was_taken_makes_room_in_the_same_place() {
    let (mut client, mut near) = duplex(SMALL);
    let mut direction = Direction::new(SMALL);
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..100 {
        client.write_all(&text(SMALL)).await.unwrap();
        let read = poll_fn(|context| direction.poll_read(context, &mut near)).await.unwrap();
        assert_eq!(read, SMALL);
        assert!(direction.waiting == text(SMALL));
        places.insert(direction.waiting.as_ptr().addr());
    }
    assert_eq!(places.len(), 1);
}
