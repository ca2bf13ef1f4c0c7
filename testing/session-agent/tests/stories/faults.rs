//! What goes wrong underway, and that a client that behaves loses nothing by it.

use std::time::Duration;

use session_agent::{AgentSettings, Blow, Faults, Resume, Road, Settings, Stand, What};
use tokio::time::timeout;

use crate::client::open;
use crate::ports::{Mux, REMOTE, to};
use crate::{bytes, echo};

async fn stand(faults: Faults) -> Stand {
    let agent = AgentSettings::default().place("db.internal", 5432, echo().await);
    Stand::start(Settings { agent, faults, ..Settings::default() }).await.unwrap()
}

/// Sends through an echo until this was done to it so often, and at least this many bytes; none is lost or doubled.
async fn survives(faults: Faults, least: usize, fault: &str, times: usize) {
    let stand = stand(faults).await;
    let done = || {
        let is_it = |what: &What| matches!(what, What::Fault { what } if what.contains(fault));
        stand.events().iter().filter(|it| is_it(&it.what)).count() >= times
    };
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    let piece = bytes(4000);
    let mut bytes = 0;
    while bytes < least || !done() {
        for _ in 0..4 {
            mux.push(3, piece.clone()).await;
        }
        for round in 0..4 {
            let mut said = mux.until_said(3, 4000).await;
            let more = said.split_off(4000);
            assert!(said == piece, "{bytes} {round}");
            mux.said.insert(3, more);
        }
        bytes += 16_000;
    }
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_bad_road_costs_time_and_no_byte() {
    let road = Road { drop: 0.02, duplicate: 0.05, reorder: 0.1, ..Road::default() };
    let faults = Faults { seed: 1, to_agent: road.clone(), to_client: road, ..Faults::default() };
    survives(faults, 200_000, "", 0).await;
}

fn slow() -> Road {
    Road { delay: Duration::from_millis(5)..Duration::from_millis(10), ..Road::default() }
}

#[tokio::test]
async fn closing_again_and_again_costs_no_byte() {
    let often = Duration::from_millis(200)..Duration::from_millis(600);
    let faults =
        Faults { seed: 2, bye: Some(often), to_agent: slow(), to_client: slow(), ..Faults::default() };
    survives(faults, 0, "1000 Bye", 5).await;
}

#[tokio::test]
async fn cutting_the_connection_costs_no_byte() {
    let often = Duration::from_millis(300)..Duration::from_millis(700);
    let faults =
        Faults { seed: 3, cut: Some(often), to_agent: slow(), to_client: slow(), ..Faults::default() };
    survives(faults, 0, "cut", 5).await;
}

#[tokio::test]
async fn a_pause_is_a_pause() {
    let often = Duration::from_millis(50)..Duration::from_millis(100);
    let faults = Faults {
        seed: 4,
        pause: Some(often),
        pause_lasts: Duration::from_millis(100),
        to_agent: slow(),
        ..Faults::default()
    };
    survives(faults, 0, "paused", 5).await;
}

#[tokio::test]
async fn a_blow_strikes_once_and_a_reason_is_told() {
    let stand = stand(Faults::default()).await;
    let mut mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    mux.syn(3).await;
    for blow in [Blow::Bye, Blow::Cut] {
        stand.strike(blow);
        mux.push(3, "still here").await;
        assert_eq!(mux.until_said(3, 10).await, b"still here");
    }
    let joined = stand.events().into_iter().filter(|it| matches!(it.what, What::Joined { .. })).count();
    assert_eq!(joined, 3);
    let session = stand.open_sessions().remove(0);
    assert!(stand.close_channel(&session, "idle for 20 minutes"));
    assert_eq!(mux.client.closed.await.unwrap(), "idle for 20 minutes");
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_payload_that_is_too_large_closes_the_connection() {
    let stand = stand(Faults::default()).await;
    let mux = Mux::new(open(&stand, REMOTE, to("db.internal", 5432)).await);
    stand.set_faults(Faults { payload_limit: Some(1024), resume: Resume::Empty, ..Faults::default() });
    mux.syn(3).await;
    mux.push(3, bytes(1017)).await;
    assert_eq!(mux.client.closed.await.unwrap(), "timed out");
    let left = |what| if let What::Left { why } = what { Some(why) } else { None };
    let left: Vec<String> = stand.events().into_iter().filter_map(|event| left(event.what)).collect();
    assert_eq!(left, ["refused a payload of 1025 bytes"]);
}

#[tokio::test]
async fn a_silent_gateway_answers_no_ping_and_comes_back() {
    use bytes::Bytes;
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message as Frame;

    let stand = stand(Faults::default()).await;
    let manner = crate::client::Manner::default();
    let (_, token, url) = crate::client::start(&stand, &manner.who, REMOTE, to("db.internal", 5432)).await;
    let mut socket = crate::client::join(&manner, &url, &token).await;
    let mut pong = async || {
        socket.send(Frame::Ping(Bytes::from_static(b"?"))).await.unwrap();
        let heard = async { while !matches!(socket.next().await, Some(Ok(Frame::Pong(_)))) {} };
        timeout(Duration::from_millis(300), heard).await.is_ok()
    };
    assert!(pong().await);
    stand.set_faults(Faults { silent: true, ..Faults::default() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!pong().await);
    stand.set_faults(Faults::default());
    assert!(pong().await);
}
