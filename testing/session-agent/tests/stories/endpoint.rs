//! An Instance Connect Endpoint, and what it refuses.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use session_agent::{ConnectEndpoint, Settings, Stand};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::aws::{jon, presigned};
use crate::{bytes, echo};

const ID: &str = "eice-0123456789abcdef0";

async fn stand() -> Stand {
    let ssh = echo().await;
    let places = BTreeMap::from([(("10.0.0.5".to_owned(), 22), ssh)]);
    let endpoint = ConnectEndpoint { id: ID.into(), vpc: "vpc-1".into(), subnet: "subnet-1".into(), places };
    Stand::start(Settings { endpoints: vec![endpoint], ..Settings::default() }).await.unwrap()
}

fn url(stand: &Stand, address: &str, port: &str, expires: u32, at: Timestamp) -> String {
    let host = stand.gateway_url.strip_prefix("ws://").unwrap();
    let query = [("instanceConnectEndpointId", ID), ("privateIpAddress", address), ("remotePort", port)];
    presigned(&jon(), host, &query, expires, at)
}

#[tokio::test]
async fn a_tunnel_carries_bytes_to_the_private_address() {
    let stand = stand().await;
    let (mut socket, _) = connect_async(url(&stand, "10.0.0.5", "22", 60, Timestamp::now())).await.unwrap();
    let all = bytes(200_000);
    let mut said = Vec::new();
    for piece in all.chunks(10_000) {
        socket.send(Frame::Binary(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    while said.len() < all.len() {
        match socket.next().await.unwrap().unwrap() {
            Frame::Binary(bytes) => said.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert!(said == all);
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_url_is_good_for_a_minute() {
    let stand = stand().await;
    let old = Timestamp::now() - SignedDuration::from_secs(61);
    assert!(
        connect_async(url(&stand, "10.0.0.5", "22", 60, old)).await.unwrap_err().to_string().contains("403")
    );
    let long = url(&stand, "10.0.0.5", "22", 61, Timestamp::now());
    assert!(connect_async(long).await.unwrap_err().to_string().contains("403"));
    let another = url(&stand, "10.0.0.5", "22", 60, Timestamp::now()).replace("10.0.0.5", "10.0.0.6");
    assert!(connect_async(another).await.unwrap_err().to_string().contains("403"));
    assert_eq!(stand.violations().len(), 2);
}

#[tokio::test]
async fn a_close_code_bears_the_reason() {
    async fn check(stand: &Stand, address: &str, port: &str, expected: &str) {
        let (mut socket, _) = connect_async(url(stand, address, port, 60, Timestamp::now())).await.unwrap();
        match socket.next().await.unwrap().unwrap() {
            Frame::Close(Some(frame)) => {
                assert_ne!(u16::from(frame.code), 1000);
                assert!(frame.reason.contains(expected), "{frame:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let stand = stand().await;
    check(&stand, "10.0.0.5", "5432", "Port 5432 is not allowed").await;
    check(&stand, "10.0.0.9", "22", "cannot be reached").await;
    let mut kept = Vec::new();
    for _ in 0..20 {
        let (mut socket, _) =
            connect_async(url(&stand, "10.0.0.5", "22", 60, Timestamp::now())).await.unwrap();
        socket.send(Frame::Binary(Bytes::from_static(b"x"))).await.unwrap();
        socket.next().await.unwrap().unwrap();
        kept.push(socket);
    }
    check(&stand, "10.0.0.5", "22", "Too many tunnels").await;
    let (mut socket, _) = (kept.pop().unwrap(), ());
    socket.send(Frame::text("hello")).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Frame::Close(Some(_))))));
    assert_eq!(stand.violations().len(), 1);
}
