//! A gateway on loopback with agents behind it that echo, and the calls of AWS that belong to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::dial::{Answer, Destination};
use crate::ssm::laws::model::{Agent, Habits};
use crate::ssm::{DataKey, Opened, SessionError, Sessions};

pub struct Gateway {
    address: std::net::SocketAddr,
    habits: Habits,
    agents: Mutex<BTreeMap<String, Agent>>,
    pub started: AtomicUsize,
    pub resumed: AtomicUsize,
    pub terminated: Mutex<Vec<String>>,
    /// How starting fails, and what resuming says.
    pub refuses: Mutex<Option<SessionError>>,
    pub times_out: AtomicBool,
    /// How many messages to the agent pass before the connection is closed with `1000 Bye`.
    pub bye_after: AtomicUsize,
    /// The agents are gone, and nobody says so.
    pub is_silent: AtomicBool,
    /// It is no gateway at all.
    pub is_elsewhere: AtomicBool,
    /// The agents cannot connect.
    pub has_no_port: AtomicBool,
    /// Connections to the gateway that are open.
    pub open: AtomicUsize,
    /// What is sent in place of everything else: the end.
    pub closes: Mutex<Option<Bytes>>,
}

impl Gateway {
    pub async fn start(habits: Habits) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            habits,
            agents: Mutex::default(),
            started: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            terminated: Mutex::default(),
            refuses: Mutex::default(),
            times_out: AtomicBool::new(false),
            bye_after: AtomicUsize::new(usize::MAX),
            is_silent: AtomicBool::new(false),
            is_elsewhere: AtomicBool::new(false),
            has_no_port: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            closes: Mutex::default(),
        });
        let weak = Arc::downgrade(&gateway);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(gateway) = weak.upgrade() else { return };
                tokio::spawn(async move { gateway.serve(stream).await });
            }
        });
        gateway
    }

    pub fn agents(&self) -> MutexGuard<'_, BTreeMap<String, Agent>> {
        self.agents.lock().unwrap()
    }

    fn opened(&self, session: &str, token: usize) -> Opened {
        let (session, token) = (session.to_owned(), format!("token-{token}"));
        let url = format!("ws://{}/v1/data-channel/{session}?role=publish_subscribe", self.address);
        Opened { session, token, url }
    }

    async fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut session = String::new();
        let named = |request: &http::Request<()>, response| {
            session = request.uri().path().rsplit('/').next().unwrap().to_owned();
            Ok(response)
        };
        if self.is_elsewhere.load(Ordering::SeqCst) {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
            return;
        }
        let accepted = tokio_tungstenite::accept_hdr_async(stream, named).await;
        let Ok(mut socket) = accepted else { return };
        let Some(Ok(Frame::Text(opening))) = socket.next().await else { panic!("no opening") };
        let opening: serde_json::Value = serde_json::from_str(&opening).unwrap();
        assert!(opening["TokenValue"].as_str().unwrap().starts_with("token-"));
        self.open.fetch_add(1, Ordering::SeqCst);
        self.carry(&session, &mut socket).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn carry(&self, session: &str, socket: &mut tokio_tungstenite::WebSocketStream<TcpStream>) {
        let mut passed = 0;
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                frame = socket.next() => match frame {
                    Some(Ok(Frame::Binary(frame))) => {
                        passed += 1;
                        if !self.is_silent.load(Ordering::SeqCst) {
                            self.agents().get_mut(session).unwrap().receive(frame, Instant::now());
                        }
                    }
                    Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => {}
                    _ => return,
                },
            }
            let closes = self.closes.lock().unwrap().take();
            if let Some(end) = closes {
                socket.send(Frame::Binary(end)).await.unwrap();
            }
            if passed > self.bye_after.load(Ordering::SeqCst) {
                let bye = CloseFrame { code: CloseCode::Normal, reason: "Bye".into() };
                let _ = socket.close(Some(bye)).await;
                return;
            }
            if self.is_silent.load(Ordering::SeqCst) {
                continue;
            }
            let out = {
                let mut agents = self.agents();
                let agent = agents.get_mut(session).unwrap();
                if self.has_no_port.load(Ordering::SeqCst) {
                    agent.refuse(Instant::now());
                } else {
                    agent.echo();
                }
                agent.tick(Instant::now());
                agent.take_out()
            };
            for frame in out {
                if socket.feed(Frame::Binary(frame)).await.is_err() {
                    return;
                }
            }
            if socket.flush().await.is_err() {
                return;
            }
        }
    }
}

impl Sessions for Gateway {
    fn start<'a>(&'a self, _: &'a Destination) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            if let Some(error) = self.refuses.lock().unwrap().clone() {
                return Err(error);
            }
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let session = format!("jon-{number}");
            self.agents().insert(session.clone(), Agent::new(self.habits.clone()));
            Ok(self.opened(&session, number))
        })
    }

    fn resume<'a>(&'a self, session: &'a str) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            if self.times_out.load(Ordering::SeqCst) {
                return Err(SessionError::TimedOut);
            }
            let number = self.resumed.fetch_add(1, Ordering::SeqCst);
            Ok(self.opened(session, number))
        })
    }

    fn terminate<'a>(&'a self, session: &'a str) -> Answer<'a, Result<(), SessionError>> {
        Box::pin(async move {
            self.terminated.lock().unwrap().push(session.to_owned());
            Ok(())
        })
    }

    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>> {
        Box::pin(async move { Ok(http::Request::get(url).body(()).unwrap()) })
    }

    fn data_key<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<DataKey, SessionError>> {
        Box::pin(async { Err(SessionError::Refused { why: "there is no key".to_owned() }) })
    }
}
