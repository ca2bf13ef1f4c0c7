//! Sessions over real sockets, to agents that echo.

mod gateway;
mod speed;

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::laws::model::{self, Habits};
use super::message::Flag;
use super::shell::{Outcome, Shell, Size, Terminal};
use super::*;
use crate::dial::{BoxedStream, Dial, DialError};
use crate::news::{News, Tell};
use crate::websocket::{Connector, Proxies};
use gateway::Gateway;

fn connector() -> Connector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Connector::new(tls, Proxies::default())
}

fn database() -> Destination {
    Destination { host: "db.internal".parse().unwrap(), port: 5432 }
}

struct Scene {
    gateway: Arc<Gateway>,
    ssm: Ssm,
    news: Arc<Mutex<Vec<News>>>,
}

impl Scene {
    async fn new(pool: Pool) -> Self {
        Self::with(pool, Habits::default()).await
    }

    async fn with(pool: Pool, habits: Habits) -> Self {
        let gateway = Gateway::start(habits).await;
        let news = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&news);
        let tell: Tell = Arc::new(move |what| told.lock().unwrap().push(what));
        let ssm = Ssm::new(Arc::clone(&gateway) as Arc<dyn Sessions>, connector(), pool, tell);
        Self { gateway, ssm, news }
    }

    async fn dial(&self) -> BoxedStream {
        self.ssm.dial(&database()).await.unwrap()
    }

    fn started(&self) -> usize {
        self.gateway.started.load(Ordering::SeqCst)
    }
}

/// Sends and reads back at the same time.
async fn echoes(stream: BoxedStream, bytes: &[u8]) -> BoxedStream {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut came = vec![0; bytes.len()];
    let (sent, received) = tokio::join!(write.write_all(bytes), read.read_exact(&mut came));
    sent.unwrap();
    received.unwrap();
    assert!(came == bytes, "what came back is not what was sent");
    read.unsplit(write)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| if at % 1017 == 1016 { b'\n' } else { (at as u32).wrapping_mul(31) as u8 ^ seed })
        .collect()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(15), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_connection_goes_there_and_back_and_aws_is_told_of_the_end() {
    let scene = Scene::new(Pool::default()).await;
    let stream = echoes(scene.dial().await, &bytes(100_000, 7)).await;
    drop(echoes(stream, b"\n").await);
    scene.ssm.close().await;
    assert_eq!(*scene.gateway.terminated.lock().unwrap(), ["jon-0"]);
    let to = "db.internal:5432".to_owned();
    let expected = [
        News::Connecting { to: to.clone() },
        News::Connected { to },
        News::Ended { why: "it was closed here".to_owned() },
    ];
    assert_eq!(*scene.news.lock().unwrap(), expected);
    assert!(matches!(scene.ssm.dial(&database()).await, Err(DialError::Closed { .. })));
}

#[tokio::test]
async fn a_gateway_that_says_bye_again_and_again_costs_no_byte() {
    let scene = Scene::new(Pool::default()).await;
    scene.gateway.bye_after.store(60, Ordering::SeqCst);
    echoes(scene.dial().await, &bytes(600_000, 7)).await;
    assert!(scene.gateway.resumed.load(Ordering::SeqCst) >= 3);
    let is_told = |news: &News| matches!(news, News::Reconnected { .. });
    assert!(scene.news.lock().unwrap().iter().any(is_told));
}

#[tokio::test]
async fn connections_are_striped_over_sessions_which_go_when_they_are_idle() {
    let scene = Scene::new(Pool { idle: Duration::from_millis(300), ..Pool::default() }).await;
    let dials = (0..10).map(|_| scene.dial());
    let streams = futures_util::future::join_all(dials).await;
    assert_eq!((scene.started(), scene.ssm.sessions(&database())), (4, 4));
    let echoed = streams
        .into_iter()
        .enumerate()
        .map(|(at, stream)| async move { echoes(stream, &bytes(20_000, at as u8)).await });
    let streams = futures_util::future::join_all(echoed).await;
    let carried: Vec<usize> = scene.gateway.agents().values().map(model::Agent::streams).collect();
    assert!(carried.iter().all(|carried| (2..=3).contains(carried)), "{carried:?}");
    drop(streams);
    until("the pool shrinks", || scene.ssm.sessions(&database()) == 1).await;
    until("AWS is told", || scene.gateway.terminated.lock().unwrap().len() == 3).await;
    echoes(scene.dial().await, b"the last one is still there").await;
    assert_eq!(scene.started(), 4);
}

#[tokio::test]
async fn two_hundred_at_once_and_a_thousand_in_a_row() {
    let scene = Scene::new(Pool::default()).await;
    let all = (0..200).map(|at| {
        let scene = &scene;
        async move { drop(echoes(scene.dial().await, &bytes(2000, at as u8)).await) }
    });
    futures_util::future::join_all(all).await;
    for at in 0..1000 {
        drop(echoes(scene.dial().await, &bytes(10, at as u8)).await);
    }
    assert_eq!(scene.started(), 4);
}

#[tokio::test]
async fn what_aws_refuses_is_said_at_once() {
    let scene = Scene::new(Pool::default()).await;
    let why = "i-1 is not connected".to_owned();
    *scene.gateway.refuses.lock().unwrap() = Some(SessionError::Refused { why });
    let refused = scene.ssm.open(&database()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the tunnel to `db.internal:5432` is closed: i-1 is not connected");
    *scene.gateway.refuses.lock().unwrap() = None;
    echoes(scene.dial().await, b"now it is").await;
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_the_reason_that_is_told() {
    let scene = Scene::new(Pool::default()).await;
    scene.gateway.is_elsewhere.store(true, Ordering::SeqCst);
    let error = scene.ssm.open(&database()).await.unwrap_err().to_string();
    let expected = "the tunnel to `db.internal:5432` is closed: no connection to Session Manager: \
                    `127.0.0.1` responded 404 Not Found instead of opening a websocket";
    assert_eq!(error, expected);
    let is_retried = |news: &News| matches!(news, News::Retrying { .. });
    assert_eq!(scene.news.lock().unwrap().iter().filter(|news| is_retried(news)).count(), 3);
}

#[tokio::test]
async fn a_session_that_timed_out_ends_its_connections_and_the_next_one_has_a_new_session() {
    let scene = Scene::new(Pool::default()).await;
    let mut stream = echoes(scene.dial().await, b"hello").await;
    scene.gateway.times_out.store(true, Ordering::SeqCst);
    scene.gateway.bye_after.store(0, Ordering::SeqCst);
    stream.write_all(b"hello?").await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(error.to_string(), Ending::TimedOut.to_string());
    let lost = News::Lost { why: Ending::TimedOut.to_string() };
    until("it is told", || scene.news.lock().unwrap().contains(&lost)).await;
    scene.gateway.bye_after.store(usize::MAX, Ordering::SeqCst);
    echoes(scene.dial().await, b"hello again").await;
    assert_eq!(scene.started(), 2);
}

#[tokio::test]
async fn after_a_failed_connection_the_name_is_looked_up_again_by_a_new_session() {
    let scene = Scene::new(Pool { stale: Duration::ZERO, ..Pool::default() }).await;
    scene.gateway.has_no_port.store(true, Ordering::SeqCst);
    let mut stream = scene.dial().await;
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    drop(stream);
    scene.gateway.has_no_port.store(false, Ordering::SeqCst);
    echoes(scene.dial().await, b"hello").await;
    assert_eq!(scene.started(), 2);
    until("the old one is ended", || *scene.gateway.terminated.lock().unwrap() == ["jon-0"]).await;
}

#[tokio::test]
async fn an_agent_that_dies_is_told_and_a_gateway_that_answers_is_not_blamed() {
    let limits = Limits { patience: Duration::from_secs(2), ..Limits::default() };
    let scene = Scene::new(Pool { limits, ..Pool::default() }).await;
    let mut stream = echoes(scene.dial().await, b"hello").await;
    scene.gateway.is_silent.store(true, Ordering::SeqCst);
    let start = Instant::now();
    stream.write_all(b"hello?").await.unwrap();
    let error = stream.read_u8().await.unwrap_err().to_string();
    assert!(error.starts_with("the agent stopped responding: it sent nothing for 2 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(scene.gateway.resumed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_session_is_over_when_nobody_holds_it() {
    let scene = Scene::new(Pool::default()).await;
    let stream = echoes(scene.dial().await, b"hello").await;
    drop(scene.ssm);
    let stream = echoes(stream, b"the connection lives on").await;
    drop(stream);
    let gateway = scene.gateway;
    until("AWS is told", || *gateway.terminated.lock().unwrap() == ["jon-0"]).await;
    until("the websocket is closed", || gateway.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn one_session_carries_one_connection_for_ssh() {
    let gateway = Gateway::start(Habits::plain("3.3.0.0", model::SSH)).await;
    let sessions = Arc::clone(&gateway) as Arc<dyn Sessions>;
    let raw = Raw::new(sessions, connector(), Limits::default(), crate::news::nobody());
    let first = echoes(raw.dial(&database()).await.unwrap(), &bytes(200_000, 1)).await;
    let mut second = echoes(raw.dial(&database()).await.unwrap(), b"SSH-2.0-x\r\n").await;
    assert_eq!(gateway.started.load(Ordering::SeqCst), 2);
    drop(first);
    until("AWS is told", || *gateway.terminated.lock().unwrap() == ["jon-0"]).await;
    *gateway.closes.lock().unwrap() = Some(model::closed(""));
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0, "the far side closed it");
}

/// The far side's own fault is no end of ours.
#[tokio::test]
async fn a_reason_that_is_given_is_no_proper_end() {
    let gateway = Gateway::start(Habits::plain("3.3.0.0", model::SSH)).await;
    let sessions = Arc::clone(&gateway) as Arc<dyn Sessions>;
    let raw = Raw::new(sessions, connector(), Limits::default(), crate::news::nobody());
    let mut stream = echoes(raw.dial(&database()).await.unwrap(), b"hello").await;
    *gateway.closes.lock().unwrap() = Some(model::closed("Your session timed out."));
    let error = stream.read_u8().await.unwrap_err().to_string();
    assert_eq!(error, "Session Manager closed the session: Your session timed out.");
}

#[tokio::test]
async fn an_old_agent_has_a_session_for_each_connection() {
    let pool = Pool { sessions: 2, alone: 4, ..Pool::default() };
    let scene = Scene::with(pool, Habits::plain("3.0.0.0", model::LOCAL)).await;
    let streams = futures_util::future::join_all((0..4).map(|_| scene.dial())).await;
    let error = scene.ssm.dial(&database()).await.err().unwrap().to_string();
    assert!(
        error.ends_with("supports one connection per session, and there are 4 sessions already"),
        "{error}"
    );
    let echoed = streams
        .into_iter()
        .enumerate()
        .map(|(at, stream)| async move { echoes(stream, &[at as u8; 3000]).await });
    drop(futures_util::future::join_all(echoed).await);
    until("AWS is told", || scene.gateway.terminated.lock().unwrap().len() == 4).await;
    let flags: Vec<_> = scene.gateway.agents().values().map(|agent| agent.flags.clone()).collect();
    assert_eq!(flags, vec![vec![Flag::DisconnectToPort, Flag::TerminateSession]; 4]);
    echoes(scene.dial().await, b"and again").await;
}

#[tokio::test]
async fn a_pool_that_may_not_grow_makes_do() {
    let scene = Scene::new(Pool::default()).await;
    let first = echoes(scene.dial().await, b"hello").await;
    let why = "too many sessions".to_owned();
    *scene.gateway.refuses.lock().unwrap() = Some(SessionError::Failed { why });
    let streams = futures_util::future::join_all((0..3).map(|_| scene.dial())).await;
    assert_eq!(scene.ssm.sessions(&database()), 1);
    drop((first, streams));
}

#[tokio::test]
async fn a_shell_types_shows_and_ends() {
    let gateway = Gateway::start(Habits::plain("3.3.0.0", model::SHELL)).await;
    let sessions = Arc::clone(&gateway) as Arc<dyn Sessions>;
    let opened = sessions.start(&database()).await.unwrap();
    let shell = Shell::new(sessions, connector(), Limits::default(), crate::news::nobody());
    let (resize, sizes) = tokio::sync::watch::channel(Size { columns: 80, rows: 24 });
    let (mut keys, input) = tokio::io::duplex(100);
    let (output, mut screen) = tokio::io::duplex(100);
    let run = tokio::spawn(async move { shell.run(opened, Terminal { input, output, sizes }).await });
    keys.write_all(b"ls\n\x03").await.unwrap();
    let mut shown = [0; 4];
    screen.read_exact(&mut shown).await.unwrap();
    assert_eq!(&shown, b"ls\n\x03");
    resize.send(Size { columns: 132, rows: 50 }).unwrap();
    let sizes = || gateway.agents()["jon-0"].sizes.clone();
    until("the terminal is resized", || sizes() == [(80, 24), (132, 50)]).await;
    drop(keys);
    screen.read_exact(&mut shown[..1]).await.unwrap();
    assert_eq!(shown[0], 4, "Ctrl-D at the end of what is typed");
    *gateway.closes.lock().unwrap() = Some(model::closed(""));
    let outcome = run.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome { exit: None, ending: Ending::Closed { reason: String::new() } });
}
