//! Clients that do not behave, each caught.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use session_agent::message::{Kind, Message, payload};
use session_agent::{AgentSettings, Settings, Stand};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::client::{
    Manner, Socket, acknowledgement, first, handshake_response, input, join, start, upgrade,
};
use crate::ports::{REMOTE, to};

async fn stand() -> Stand {
    let agent = AgentSettings::default().place("db.internal", 5432, crate::echo().await);
    Stand::start(Settings { agent, ..Settings::default() }).await.unwrap()
}

fn blames(stand: &Stand, expected: &str) {
    let violations: Vec<String> = stand.violations().into_iter().map(|it| it.what).collect();
    assert!(violations.iter().any(|it| it.contains(expected)), "{violations:?} do not say `{expected}`");
}

async fn next(socket: &mut Socket) -> Message {
    loop {
        if let Frame::Binary(frame) = socket.next().await.unwrap().unwrap() {
            return Message::decode(&frame).unwrap();
        }
    }
}

async fn send(socket: &mut Socket, message: &Message) {
    socket.send(Frame::Binary(message.encode())).await.unwrap();
}

/// A session whose handshake is over; the client's next message is its second.
async fn ready(stand: &Stand) -> Socket {
    let manner = Manner::default();
    let (_, token, url) = start(stand, &manner.who, REMOTE, to("db.internal", 5432)).await;
    let mut socket = join(&manner, &url, &token).await;
    let request = next(&mut socket).await;
    send(&mut socket, &acknowledgement(&request)).await;
    let response = input(0, payload::HANDSHAKE_RESPONSE, handshake_response(&manner, &request, &[]));
    send(&mut socket, &response).await;
    loop {
        let message = next(&mut socket).await;
        if message.kind == Kind::Output && message.payload_type == payload::HANDSHAKE_COMPLETE {
            send(&mut socket, &acknowledgement(&message)).await;
            return socket;
        }
    }
}

/// After a message of the client's, whatever comes next was sent after it was looked at.
async fn looked_at(socket: &mut Socket) {
    socket.send(Frame::Ping(Bytes::new())).await.unwrap();
    while !matches!(socket.next().await, Some(Ok(Frame::Pong(_)))) {}
}

#[tokio::test]
async fn an_upgrade_that_is_not_signed_is_refused() {
    let stand = stand().await;
    let (_, _, url) = start(&stand, &Manner::default().who, REMOTE, to("db.internal", 5432)).await;
    let refused = tokio_tungstenite::connect_async(url.into_client_request().unwrap()).await;
    assert!(refused.unwrap_err().to_string().contains("403"));
    blames(&stand, "the upgrade is refused: the request is not signed");
}

#[tokio::test]
async fn a_token_admits_once() {
    let stand = stand().await;
    let manner = Manner::default();
    let (_, token, url) = start(&stand, &manner.who, REMOTE, to("db.internal", 5432)).await;
    let mut socket = join(&manner, &url, &token).await;
    next(&mut socket).await;
    let mut second = join(&manner, &url, &token).await;
    assert!(matches!(second.next().await, Some(Ok(Frame::Close(Some(_))))));
    blames(&stand, "bears no token that admits");
}

#[tokio::test]
async fn the_first_frame_is_text() {
    let stand = stand().await;
    let manner = Manner::default();
    let (_, token, url) = start(&stand, &manner.who, REMOTE, to("db.internal", 5432)).await;
    let (mut socket, _) = tokio_tungstenite::connect_async(upgrade(&manner.who, &url)).await.unwrap();
    socket.send(Frame::Binary(first(&manner, &token).into())).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Frame::Close(Some(_))))));
    blames(&stand, "the first frame is not text");
}

#[tokio::test]
async fn data_before_the_handshake_are_acknowledged_and_lost() {
    let stand = stand().await;
    let manner = Manner::default();
    let (_, token, url) = start(&stand, &manner.who, REMOTE, to("db.internal", 5432)).await;
    let mut socket = join(&manner, &url, &token).await;
    let early = input(0, payload::OUTPUT, Bytes::from_static(b"early"));
    send(&mut socket, &early).await;
    let acknowledged = loop {
        let message = next(&mut socket).await;
        if message.kind == Kind::Acknowledge {
            break message;
        }
    };
    assert!(String::from_utf8_lossy(&acknowledged.payload).contains(&early.id.to_string()));
    blames(&stand, "before HandshakeComplete");
}

#[tokio::test]
async fn every_frame_is_looked_at() {
    async fn check(messages: &[Message], expected: &str) {
        let stand = stand().await;
        let mut socket = ready(&stand).await;
        for message in messages {
            send(&mut socket, message).await;
        }
        looked_at(&mut socket).await;
        blames(&stand, expected);
    }
    let data = |sequence| input(sequence, payload::OUTPUT, Bytes::from_static(&[1, 0, 0, 0, 3, 0, 0, 0]));
    check(&[data(2)], "sequence 2 where 1 is the next").await;
    check(&[data(1), data(1)], "1 is sent again as another message").await;
    check(&[Message { flags: 1, ..data(1) }], "bears the flags 1").await;
    let never = Message { kind: Kind::Output, ..data(77) };
    check(&[acknowledgement(&never)], "77 is acknowledged and was never delivered").await;
    let stand = stand().await;
    let mut socket = ready(&stand).await;
    socket.send(Frame::Binary(Bytes::from_static(b"rubbish"))).await.unwrap();
    socket.send(Frame::text("again")).await.unwrap();
    looked_at(&mut socket).await;
    blames(&stand, "a message of 7 bytes is shorter than a header");
    blames(&stand, "a second text frame");
}

#[tokio::test]
async fn streams_are_numbered_as_smux_numbers_them() {
    let stand = stand().await;
    let mut socket = ready(&stand).await;
    send(&mut socket, &input(1, payload::OUTPUT, Bytes::from_static(&[1, 0, 0, 0, 1, 0, 0, 0]))).await;
    send(&mut socket, &input(2, payload::OUTPUT, Bytes::from_static(&[2, 0, 0, 0, 3, 0, 0, 0]))).await;
    while next(&mut socket).await.kind != Kind::ChannelClosed {}
    blames(&stand, "smux: SYN of stream 1 where 3 is the next");
    blames(&stand, "smux: smux version 2 is not 1");
}
