//! The gateway: websockets of the data channel and of Instance Connect Endpoints, and what goes wrong on them.

mod upgrade;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message as Frame, WebSocketConfig};

use crate::draw::Draw;
use crate::endpoint;
use crate::faults::{Blow, Faults, Lane};
use crate::message::{Kind, Message};
use crate::record::What;
use crate::session::Session;
use crate::stand::World;
use crate::uuid::Uuid;
pub(crate) use upgrade::signed;
use upgrade::{Upgraded, upgrade};

pub(crate) type Socket = WebSocketStream<TcpStream>;
type Incoming = futures_util::stream::SplitStream<Socket>;
type Outgoing = futures_util::stream::SplitSink<Socket, Frame>;

/// Frames underway in one direction before the road is full.
const UNDERWAY: usize = 4096;
/// How long the first frame may take.
const FIRST: Duration = Duration::from_secs(10);
/// How long a client has to answer a close frame.
const FAREWELL: Duration = Duration::from_secs(3);
/// Held up for longer, reading tells nothing of the client's pace …
const STALL: Duration = Duration::from_millis(40);
/// … for so long after it.
const AFTER_STALL: Duration = Duration::from_secs(2);

/// Serves websockets until it is dropped.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                let _ = tcp.set_nodelay(true);
                connections.spawn(connection(Arc::clone(&world), tcp));
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(world: Arc<World>, tcp: TcpStream) {
    let mut way = None;
    let decide = |request: &Request, response: Response| match upgrade(&world, request) {
        Ok(found) => {
            way = Some(found);
            Ok(response)
        }
        Err((status, why)) => {
            let mut refusal = ErrorResponse::new(Some(why));
            *refusal.status_mut() = status.try_into().unwrap_or_default();
            Err(refusal)
        }
    };
    let config = WebSocketConfig::default().max_message_size(Some(16 << 20));
    let upgraded =
        timeout(FIRST, tokio_tungstenite::accept_hdr_async_with_config(tcp, decide, Some(config))).await;
    let Ok(Ok(socket)) = upgraded else { return };
    match way {
        Some(Upgraded::Channel(session)) => channel(&world, &session, socket).await,
        Some(Upgraded::Tunnel(asked)) => endpoint::tunnel(&world, asked, socket).await,
        None => {}
    }
}

/// How a connection ends.
enum Leave {
    /// The client is gone, or another of its connections took over.
    Gone(String),
    /// With a close frame.
    Close { code: CloseCode, reason: &'static str, why: String },
    /// As if the cable were cut.
    Cut,
}

async fn channel(world: &World, session: &Session, mut socket: Socket) {
    let opening = match timeout(FIRST, socket.next()).await {
        Ok(Some(Ok(Frame::Text(text)))) => {
            let (opening, wrong) = session.conduct().joined(&text, Instant::now());
            for what in wrong {
                world.record.violation(&session.id, what);
            }
            opening
        }
        Ok(Some(Ok(_))) => {
            world.record.violation(&session.id, "the first frame is not text");
            None
        }
        // A client that leaves before it spoke did nothing wrong.
        Ok(Some(Err(_)) | None) => return,
        Err(_) => {
            world.record.violation(&session.id, "no first frame");
            None
        }
    };
    let admitted =
        opening.is_some_and(|it| session.is_admitted(&it.token_value, world.settings.single_use_tokens));
    if !admitted {
        world.record.violation(&session.id, "the first frame bears no token that admits");
        let frame = CloseFrame { code: CloseCode::Policy, reason: "Invalid token".into() };
        let _ = socket.close(Some(frame)).await;
        return;
    }
    let number = session.joins.fetch_add(1, Ordering::SeqCst) + 1;
    session.holder.send_replace(number);
    world.record.event(&session.id, What::Joined { times: number });
    session.attached.send_replace(true);
    let why = relay(world, session, socket, number).await;
    world.record.event(&session.id, What::Left { why });
    if *session.holder.borrow() == number {
        session.attached.send_replace(false);
    }
}

/// Relays until the connection ends; says why it did.
async fn relay(world: &World, session: &Session, socket: Socket, number: u32) -> String {
    let (mut sink, stream) = socket.split();
    let seed = world.faults.borrow().seed ^ (u64::from(number) << 8);
    let up = to_agent(world, session, stream, seed);
    tokio::pin!(up);
    let leave = tokio::select! {
        leave = &mut up => return farewell(leave, &mut sink).await,
        leave = to_client(world, session, &mut sink, number, seed ^ 1) => leave,
    };
    if let Leave::Close { code, reason, why } = leave {
        let _ = sink.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        // What the client sent before it saw the close frame still counts.
        let _ = timeout(FAREWELL, up).await;
        return why;
    }
    farewell(leave, &mut sink).await
}

async fn farewell(leave: Leave, sink: &mut Outgoing) -> String {
    match leave {
        Leave::Gone(why) => {
            let _ = timeout(FAREWELL, sink.close()).await;
            why
        }
        Leave::Close { code, reason, why } => {
            let _ =
                timeout(FAREWELL, sink.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))))
                    .await;
            why
        }
        Leave::Cut => "cut".into(),
    }
}

async fn to_agent(world: &World, session: &Session, mut stream: Incoming, seed: u64) -> Leave {
    let mut faults = world.faults.subscribe();
    let mut lane = Lane::new(seed);
    let mut stalled_until = Instant::now();
    // Shows whether this task is given its time.
    let mut beats = tokio::time::interval(STALL / 2);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beat = Instant::now();
    loop {
        if faults.borrow_and_update().silent {
            if faults.changed().await.is_err() {
                return Leave::Cut;
            }
            continue;
        }
        let next = lane.next();
        let full = lane.len() >= UNDERWAY;
        let now = Instant::now();
        if full || now.saturating_duration_since(beat) > STALL {
            stalled_until = now + AFTER_STALL;
        }
        tokio::select! {
            frame = stream.next(), if !full => {
                let now = Instant::now();
                match frame {
                    None => return Leave::Gone("the client's connection ended".into()),
                    Some(Err(error)) => return Leave::Gone(format!("the client's connection ended: {error}")),
                    Some(Ok(Frame::Close(frame))) => {
                        let said = frame.map(|it| format!(": {} {}", it.code, it.reason)).unwrap_or_default();
                        return Leave::Gone(format!("the client closed{said}"));
                    }
                    Some(Ok(Frame::Text(_))) => world.record.violation(&session.id, "a second text frame"),
                    Some(Ok(Frame::Ping(_))) => session.conduct().pinged(now),
                    Some(Ok(Frame::Pong(_) | Frame::Frame(_))) => {}
                    Some(Ok(Frame::Binary(bytes))) => {
                        let limit = faults.borrow().payload_limit;
                        match Message::decode(&bytes) {
                            Err(error) => world.record.violation(&session.id, error.to_string()),
                            Ok(message) if limit.is_some_and(|limit| message.payload.len() > limit) => {
                                let what = format!("refused a payload of {} bytes", message.payload.len());
                                world.record.event(&session.id, What::Fault { what: what.clone() });
                                return Leave::Close { code: CloseCode::Size, reason: "Message too big", why: what };
                            }
                            Ok(message) => {
                                let stalled = now < stalled_until;
                                let ms = Timestamp::now().as_millisecond().unsigned_abs();
                                let wrong = session.conduct().sent(&message, now, ms, stalled);
                                for what in wrong {
                                    world.record.violation(&session.id, what);
                                }
                                lane.take(bytes, &faults.borrow().to_agent, now);
                            }
                        }
                    }
                }
            }
            _ = beats.tick() => beat = Instant::now(),
            () = at(next) => {}
            _ = faults.changed() => {}
        }
        while let Some(frame) = lane.arrived(Instant::now()) {
            // An agent that has vanished takes nothing, and nobody is told.
            let _ = session.to_agent.send(frame).await;
        }
    }
}

/// When the faults of a connection strike.
struct Strikes {
    bye: Option<Instant>,
    cut: Option<Instant>,
    pause: Option<Instant>,
    resume: Option<Instant>,
}

impl Strikes {
    fn new(faults: &Faults, draw: &mut Draw, now: Instant) -> Self {
        let mut after = |range: &Option<_>| range.as_ref().map(|range| now + draw.within(range));
        Self { bye: after(&faults.bye), cut: after(&faults.cut), pause: after(&faults.pause), resume: None }
    }
}

fn struck(world: &World, session: &Session, blow: Blow) -> Leave {
    let what = match blow {
        Blow::Bye => "closed with 1000 Bye",
        Blow::Cut => "cut the connection",
    };
    world.record.event(&session.id, What::Fault { what: what.into() });
    match blow {
        Blow::Bye => Leave::Close { code: CloseCode::Normal, reason: "Bye", why: what.into() },
        Blow::Cut => Leave::Cut,
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

async fn to_client(world: &World, session: &Session, sink: &mut Outgoing, number: u32, seed: u64) -> Leave {
    let mut from_agent = session.from_agent.lock().await;
    let mut faults = world.faults.subscribe();
    let mut holder = session.holder.subscribe();
    let mut ended = session.ended.subscribe();
    let mut blows = world.blows.subscribe();
    let mut lane: Lane<Bytes> = Lane::new(seed);
    let mut draw = Draw::new(!seed);
    let mut strikes = Strikes::new(&faults.borrow_and_update().clone(), &mut draw, Instant::now());
    let mut agent_is_there = true;
    let mut closing: Option<Instant> = None;
    loop {
        if faults.borrow().silent {
            if faults.changed().await.is_err() {
                return Leave::Cut;
            }
            continue;
        }
        if *holder.borrow_and_update() != number {
            return Leave::Gone("another connection took over".into());
        }
        let over = ended.borrow_and_update().clone();
        if let Some((why, _)) = over.filter(|_| closing.is_none() && !agent_is_there && lane.len() == 0) {
            closing = Some(Instant::now() + Duration::from_secs(5));
            if tell(session, sink, Kind::ChannelClosed, &why).await.is_err() {
                return Leave::Gone("the client's connection ended".into());
            }
        }
        let next = lane.next();
        tokio::select! {
            frame = from_agent.recv(), if agent_is_there && lane.len() < UNDERWAY => match frame {
                Some(frame) => lane.take(frame, &faults.borrow().to_client, Instant::now()),
                None => agent_is_there = false,
            },
            () = at(next) => {}
            _ = holder.changed() => {}
            _ = ended.changed() => {}
            _ = faults.changed() => {
                let now = faults.borrow_and_update().clone();
                strikes = Strikes::new(&now, &mut draw, Instant::now());
            }
            () = at(closing) => {
                return Leave::Close { code: CloseCode::Normal, reason: "", why: "the session is over".into() };
            }
            Ok(()) = blows.changed() => {
                let blow = blows.borrow_and_update().unwrap_or(Blow::Bye);
                return struck(world, session, blow);
            }
            () = at(strikes.bye) => return struck(world, session, Blow::Bye),
            () = at(strikes.cut) => return struck(world, session, Blow::Cut),
            () = at(strikes.pause) => {
                strikes.pause = None;
                strikes.resume = Some(Instant::now() + faults.borrow().pause_lasts);
                world.record.event(&session.id, What::Fault { what: "paused publication".into() });
                if tell(session, sink, Kind::PausePublication, "").await.is_err() {
                    return Leave::Gone("the client's connection ended".into());
                }
            }
            () = at(strikes.resume) => {
                strikes.resume = None;
                strikes.pause = faults.borrow().pause.as_ref().map(|range| Instant::now() + draw.within(range));
                if tell(session, sink, Kind::StartPublication, "").await.is_err() {
                    return Leave::Gone("the client's connection ended".into());
                }
            }
        }
        if let Err(error) = deliver(session, sink, &mut lane, &mut from_agent, &faults).await {
            return Leave::Gone(format!("the client's connection ended: {error}"));
        }
    }
}

/// Writes what has arrived, and what the agent has besides, and flushes once.
async fn deliver(
    session: &Session,
    sink: &mut Outgoing,
    lane: &mut Lane<Bytes>,
    from_agent: &mut tokio::sync::mpsc::Receiver<Bytes>,
    faults: &watch::Receiver<Faults>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut written = false;
    while let Some(frame) = lane.arrived(Instant::now()) {
        if let Ok(message) = Message::decode(&frame) {
            session.conduct().delivered(&message, Instant::now());
        }
        sink.feed(Frame::Binary(frame)).await?;
        written = true;
        if lane.len() == 0
            && let Ok(more) = from_agent.try_recv()
        {
            lane.take(more, &faults.borrow().to_client, Instant::now());
        }
    }
    if written { sink.flush().await } else { Ok(()) }
}

/// A message of the gateway's own.
async fn tell(
    session: &Session,
    sink: &mut Outgoing,
    kind: Kind,
    output: &str,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let id = Uuid::random();
    let created = Timestamp::now();
    let payload = match kind {
        Kind::ChannelClosed => {
            json!({"MessageId": id, "CreatedDate": created.to_string(), "DestinationId": session.target,
            "SessionId": session.id, "MessageType": kind.name(), "SchemaVersion": 1, "Output": output})
            .to_string()
        }
        _ => String::new(),
    };
    let message = Message {
        kind,
        created: created.as_millisecond().unsigned_abs(),
        sequence: 0,
        flags: 0,
        id,
        payload_type: 0,
        payload: Bytes::from(payload),
    };
    session.conduct().delivered(&message, Instant::now());
    sink.send(Frame::Binary(message.encode())).await
}
