//! A client that behaves: it acknowledges, resends, pings and resumes as the protocol asks.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use session_agent::message::{FIN, Kind, Message, SYN, payload};
use session_agent::{Credential, Stand, Uuid};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::aws;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Messages that wait for their acknowledgement before the client takes more.
const WINDOW: usize = 64;

/// A session, open. Payloads go in and come out; `None` comes out when the channel is closed.
pub struct Client {
    pub say: mpsc::Sender<(u32, Bytes)>,
    pub hear: mpsc::Receiver<(u32, Bytes)>,
    /// What `channel_closed` said.
    pub closed: tokio::sync::oneshot::Receiver<String>,
}

/// What a client is.
#[derive(Clone)]
pub struct Manner {
    pub version: &'static str,
    pub who: Credential,
    /// The data key that it generates, when it is asked to.
    pub encrypts: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { version: "1.2.764.0", who: aws::jon(), encrypts: false }
    }
}

/// Starts a session: its id, token and URL.
pub async fn start(
    stand: &Stand,
    who: &Credential,
    document: &str,
    parameters: Value,
) -> (String, String, String) {
    let body = json!({"Target": "i-0123456789abcdef0", "DocumentName": document, "Parameters": parameters});
    opened(&aws::call(stand, who, "AmazonSSM.StartSession", body).await.unwrap())
}

fn opened(answer: &Value) -> (String, String, String) {
    let part = |name: &str| answer[name].as_str().unwrap().to_owned();
    (part("SessionId"), part("TokenValue"), part("StreamUrl"))
}

/// The upgrade, signed.
pub fn upgrade(who: &Credential, url: &str) -> Request {
    let mut request = url.into_client_request().unwrap();
    let host = request.headers()["host"].to_str().unwrap().to_owned();
    let uri = request.uri().clone();
    let parts = (uri.path(), uri.query().unwrap());
    for (name, value) in aws::headers(who, "ssmmessages", "GET", parts, &[("host", &host)], b"") {
        let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

/// Joins the data channel.
pub async fn join(manner: &Manner, url: &str, token: &str) -> Socket {
    let (mut socket, _) = tokio_tungstenite::connect_async(upgrade(&manner.who, url)).await.unwrap();
    socket.send(Frame::text(first(manner, token))).await.unwrap();
    socket
}

pub fn first(manner: &Manner, token: &str) -> String {
    json!({"MessageSchemaVersion": "1.0", "RequestId": Uuid::random(), "TokenValue": token,
           "ClientId": Uuid::random(), "ClientVersion": manner.version})
    .to_string()
}

pub fn input(sequence: i64, payload_type: u32, payload: Bytes) -> Message {
    let created = Timestamp::now().as_millisecond() as u64;
    Message { kind: Kind::Input, created, sequence, flags: 0, id: Uuid::random(), payload_type, payload }
}

pub fn acknowledgement(of: &Message) -> Message {
    let payload = json!({"AcknowledgedMessageType": of.kind.name(), "AcknowledgedMessageId": of.id,
        "AcknowledgedMessageSequenceNumber": of.sequence, "IsSequentialMessage": true});
    Message {
        kind: Kind::Acknowledge,
        flags: SYN | FIN,
        payload_type: 0,
        ..input(0, 0, Bytes::from(payload.to_string()))
    }
}

pub fn handshake_response(manner: &Manner, request: &Message, results: &[Value]) -> Bytes {
    let request: Value = serde_json::from_slice(&request.payload).unwrap();
    let actions: Vec<Value> = request["RequestedClientActions"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(at, action)| {
            json!({"ActionType": action["ActionType"], "ActionStatus": 1,
                   "ActionResult": results.get(at), "Error": ""})
        })
        .collect();
    let response =
        json!({"ClientVersion": manner.version, "ProcessedClientActions": actions, "Errors": null});
    Bytes::from(response.to_string())
}

/// Opens a session and waits until it is ready.
pub async fn open(stand: &Stand, document: &str, parameters: Value) -> Client {
    open_as(stand, Manner::default(), document, parameters).await
}

pub async fn open_as(stand: &Stand, manner: Manner, document: &str, parameters: Value) -> Client {
    let (session, token, url) = start(stand, &manner.who, document, parameters).await;
    let socket = join(&manner, &url, &token).await;
    let (say, said) = mpsc::channel(8);
    let (heard, hear) = mpsc::channel(8);
    let (tell, closed) = tokio::sync::oneshot::channel();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let task = Task {
        api: stand.api_url.clone(),
        manner,
        session,
        socket,
        said,
        heard,
        ready: Some(ready),
        next: 0,
        sent: VecDeque::new(),
        expected: 0,
        early: BTreeMap::new(),
        paused: false,
        keys: None,
    };
    tokio::spawn(async move {
        let why = task.run().await;
        let _ = tell.send(why);
    });
    is_ready.await.unwrap();
    Client { say, hear, closed }
}

struct Sent {
    sequence: i64,
    frame: Bytes,
    at: Instant,
    acknowledged: bool,
}

struct Task {
    api: String,
    manner: Manner,
    session: String,
    socket: Socket,
    said: mpsc::Receiver<(u32, Bytes)>,
    heard: mpsc::Sender<(u32, Bytes)>,
    ready: Option<tokio::sync::oneshot::Sender<()>>,
    next: i64,
    sent: VecDeque<Sent>,
    expected: i64,
    early: BTreeMap<i64, Message>,
    paused: bool,
    keys: Option<super::client_keys::Keys>,
}

impl Task {
    async fn run(mut self) -> String {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pings = tokio::time::interval(Duration::from_secs(25));
        loop {
            let takes = self.ready.is_none() && !self.paused && self.sent.len() < WINDOW;
            let outcome = tokio::select! {
                frame = self.socket.next() => match frame {
                    Some(Ok(Frame::Binary(frame))) => match self.arrived(Message::decode(&frame).unwrap()).await {
                        Ok(Some(why)) => return why,
                        Ok(None) => Ok(()),
                        Err(error) => Err(error),
                    },
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => {
                        if let Some(why) = self.resume().await {
                            return why;
                        }
                        Ok(())
                    }
                    Some(Ok(_)) => Ok(()),
                },
                said = self.said.recv(), if takes => match said {
                    Some((payload_type, payload)) => self.send(payload_type, payload).await,
                    None => return "dropped".into(),
                },
                _ = ticks.tick() => self.resend().await,
                _ = pings.tick() => self.socket.send(Frame::Ping(Bytes::new())).await,
            };
            // What cannot be written shows as the end of reading.
            drop(outcome);
        }
    }

    async fn send(&mut self, payload_type: u32, payload: Bytes) -> Result<(), Broken> {
        let payload = match &self.keys {
            Some(keys) if payload_type == payload::OUTPUT => keys.seal(&payload),
            _ => payload,
        };
        let frame = input(self.next, payload_type, payload).encode();
        self.sent.push_back(Sent {
            sequence: self.next,
            frame: frame.clone(),
            at: Instant::now(),
            acknowledged: false,
        });
        self.next += 1;
        self.socket.send(Frame::Binary(frame)).await
    }

    async fn resend(&mut self) -> Result<(), Broken> {
        match self.sent.front_mut() {
            Some(head) if head.at.elapsed() > Duration::from_millis(200) => {
                head.at = Instant::now();
                let frame = head.frame.clone();
                self.socket.send(Frame::Binary(frame)).await
            }
            _ => Ok(()),
        }
    }

    async fn resume(&mut self) -> Option<String> {
        let stand = aws::Api(&self.api);
        let body = json!({"SessionId": self.session});
        let answer = stand.call(&self.manner.who, "AmazonSSM.ResumeSession", body).await.unwrap();
        let (_, token, url) = opened(&answer);
        if token.is_empty() {
            return Some("timed out".into());
        }
        self.socket = join(&self.manner, &url, &token).await;
        self.paused = false;
        None
    }

    /// The answer is why the channel was closed.
    async fn arrived(&mut self, message: Message) -> Result<Option<String>, Broken> {
        match message.kind {
            Kind::Acknowledge => {
                self.paused = false;
                let read: Value = serde_json::from_slice(&message.payload).unwrap();
                let sequence = read["AcknowledgedMessageSequenceNumber"].as_i64().unwrap();
                if let Some(sent) = self.sent.iter_mut().find(|it| it.sequence == sequence) {
                    sent.acknowledged = true;
                }
                while self.sent.front().is_some_and(|it| it.acknowledged) {
                    self.sent.pop_front();
                }
            }
            Kind::Output => {
                self.paused = false;
                self.socket.send(Frame::Binary(acknowledgement(&message).encode())).await?;
                if message.sequence >= self.expected {
                    self.early.insert(message.sequence, message);
                }
                while let Some(next) = self.early.remove(&self.expected) {
                    self.expected += 1;
                    self.process(next).await?;
                }
            }
            Kind::PausePublication => self.paused = true,
            Kind::StartPublication => self.paused = false,
            Kind::ChannelClosed => {
                let read: Value = serde_json::from_slice(&message.payload).unwrap();
                assert_eq!(read["SessionId"], self.session);
                return Ok(Some(read["Output"].as_str().unwrap().to_owned()));
            }
            Kind::Input => panic!("an agent sends no input"),
        }
        Ok(None)
    }

    async fn process(&mut self, message: Message) -> Result<(), Broken> {
        match message.payload_type {
            payload::HANDSHAKE_REQUEST => {
                let mut results = Vec::new();
                if self.manner.encrypts {
                    let (keys, result) = super::client_keys::Keys::generate(
                        &aws::Api(&self.api),
                        &self.manner.who,
                        &self.session,
                    )
                    .await;
                    self.keys = Some(keys);
                    results.push(result);
                }
                let response = handshake_response(&self.manner, &message, &results);
                self.send(payload::HANDSHAKE_RESPONSE, response).await
            }
            payload::CHALLENGE_REQUEST => {
                let answer = self.keys.as_ref().unwrap().answer(&message.payload);
                self.send(payload::CHALLENGE_RESPONSE, answer).await
            }
            payload::HANDSHAKE_COMPLETE => {
                let _ = self.ready.take().unwrap().send(());
                Ok(())
            }
            kind => {
                let secret = matches!(kind, payload::OUTPUT | payload::STDERR | payload::EXIT_CODE);
                let plain = match &self.keys {
                    Some(keys) if secret => keys.open(&message.payload),
                    _ => message.payload,
                };
                // A test that listens no more does not mind.
                let _ = self.heard.send((kind, plain)).await;
                Ok(())
            }
        }
    }
}

type Broken = tokio_tungstenite::tungstenite::Error;
