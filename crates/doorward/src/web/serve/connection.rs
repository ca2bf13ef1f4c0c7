//! One connection: its network, TLS, requests, and end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use doorward_core::proxy_protocol::{self, Header, Named};
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::admission::{Network, Ticket};
use super::body::{Received, Sent};
use super::life::{Life, Times, Verdict};
use super::portions::Portions;
use super::tls::Certificate;
use super::turns::{InTurn, Tasks, Turns};
use crate::web::Web;

/// The most bytes of a request's head, and the most headers.
const HEAD_BYTES: usize = 32 * 1024;
const HEADERS: usize = 64;
/// Requests at once in one connection of HTTP/2, and what may lie in memory of their bodies and answers, in bytes.
const STREAMS: u32 = 16;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
/// How often a silent client of HTTP/2 is asked whether it is there, and how long it may take to say so.
const PINGS: Duration = Duration::from_secs(10);
const PONGS: Duration = Duration::from_secs(5);
/// How long an idle client may take to close after the notification.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often a connection is checked against its time limit, at the latest.
const LOOKS: Duration = Duration::from_secs(5);

/// How a connection came, for whoever answers its requests; next to it stands [`ConnectInfo`], the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Whether its bytes came to this program by TLS.
    pub tls: bool,
    /// The PROXY header that a proxy of the policy began the connection with; none where no header was read.
    pub header: Option<Named>,
}

/// Whether the server is about to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopping {
    No,
    /// What has begun comes to its end.
    Gently,
    /// It is cut.
    Now,
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Serving {
    router: Router,
    certificate: Option<Certificate>,
    turns: Arc<Turns>,
    times: Times,
    stopping: watch::Receiver<Stopping>,
}

impl Serving {
    pub(super) fn new(
        router: Router,
        certificate: Option<Certificate>,
        times: Times,
        stopping: watch::Receiver<Stopping>,
    ) -> Self {
        // Two for each, so that no CPU waits for a step that was scheduled to start.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { router, certificate, turns: Turns::new(2 * processors), times, stopping }
    }

    /// What is no request reaches no service: hyper answers it by itself (`on_error` in its `proto/h1/role.rs`, and a 431 by
    /// `h2`), and has no hook for headers. Such an answer, 400 or 431, has no body, and in HTTP/1.1 ends the connection.
    fn http(&self, network: Network) -> Builder<Tasks> {
        let mut http = Builder::new(Tasks { turns: Arc::clone(&self.turns), network });
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.times.head)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PINGS)
            .keep_alive_timeout(PONGS)
            .max_header_list_size(HEAD_BYTES as u32)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER);
        http
    }
}

/// A connection that has a seat.
pub(super) struct Arrived {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) begun: Instant,
    pub(super) ticket: Ticket,
}

/// Bytes both ways, by TLS or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection whose bytes are HTTP from now on, and whose it is.
struct Opened {
    stream: Box<dyn Stream>,
    client: SocketAddr,
    arrival: Arrival,
}

impl Arrived {
    /// Serves it to its end.
    pub(super) async fn serve(self, mut serving: Serving, web: &Web) {
        let Self { stream, peer, begun, mut ticket } = self;
        let opened = match open(stream, peer, begun, &mut ticket, &mut serving, web).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => return tracing::debug!(%peer, %error, "connection setup failed"),
        };
        let life = Life::new(ticket.seat(), begun, serving.times);
        if let Err(error) = requests(opened, serving, life, &ticket).await {
            tracing::debug!(%peer, %error, "connection failed");
        }
        // The socket is closed by now: the seat is free.
        drop(ticket);
    }
}

/// Brings a connection to its first byte of HTTP, if it may live for so long.
async fn open(
    stream: TcpStream,
    peer: SocketAddr,
    begun: Instant,
    ticket: &mut Ticket,
    serving: &mut Serving,
    web: &Web,
) -> io::Result<Option<Opened>> {
    let mut stream = tokio::net::TcpStream::from_std(stream)?;
    let until = begun + serving.times.head;
    // Nothing is made for a client that says nothing: a seat, a socket and this are all that it has.
    tokio::select! {
        () = ticket.gives_way() => return Ok(None),
        _ = serving.stopping.changed() => return Ok(None),
        readable = timeout_at(until, stream.readable()) => match readable {
            Ok(readable) => readable?,
            Err(_) => return Ok(None),
        },
    }
    let mut arrival = Arrival { tls: serving.certificate.is_some(), header: None };
    let mut client = peer;
    if speaks_for_others(web, peer.ip()) {
        let named = tokio::select! {
            () = ticket.gives_way() => return Ok(None),
            _ = serving.stopping.changed() => return Ok(None),
            named = timeout_at(until, header(&mut stream)) => match named {
                Ok(named) => named?,
                Err(_) => return Ok(None),
            },
        };
        arrival.header = Some(named);
        if let Named::Client(address) = named {
            client = address;
            if !ticket.belongs_to(Network::of(address.ip())) {
                return Ok(None);
            }
        }
    }
    stream.set_nodelay(true)?;
    // As much is answered ahead of a client that asks without reading.
    socket2::SockRef::from(&stream).set_send_buffer_size(AHEAD)?;
    let stream = Portions::new(stream);
    let Some(certificate) = &serving.certificate else {
        return Ok(Some(Opened { stream: Box::new(stream), client, arrival }));
    };
    let handshake = TlsAcceptor::from(certificate.current()).accept(stream);
    let handshake = InTurn::new(&serving.turns, Network::of(client.ip()), handshake);
    tokio::select! {
        () = ticket.gives_way() => Ok(None),
        _ = serving.stopping.changed() => Ok(None),
        stream = timeout_at(until, handshake) => match stream {
            // What a portion of records makes of it has another length.
            Ok(stream) => Ok(Some(Opened { stream: Box::new(Portions::new(stream?)), client, arrival })),
            Err(_) => Ok(None),
        },
    }
}

/// Bytes of answers that wait in the kernel for a client to read them. By itself it would hold megabytes for each, and all
/// that is a client's to ask for without ever reading.
const AHEAD: usize = 128 * 1024;

/// Whether this peer is a proxy that has to begin with a header of the PROXY protocol.
fn speaks_for_others(web: &Web, peer: IpAddr) -> bool {
    let loaded = web.app().loaded();
    let server = &loaded.policy.server;
    server.proxy_protocol && server.proxies.iter().any(|proxy| proxy.contains(peer.to_canonical()))
}

/// Reads a header of the PROXY protocol and not a byte more.
async fn header(stream: &mut tokio::net::TcpStream) -> io::Result<Named> {
    let mut read = Vec::new();
    loop {
        let mut ahead = [0; proxy_protocol::LONGEST];
        let count = stream.peek(&mut ahead).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = read.len();
        read.extend(ahead.iter().take(count));
        // Of a part of a header every byte belongs to it; of a whole one, those up to its end.
        let (take, named) = match proxy_protocol::read(&read).map_err(io::Error::other)? {
            Header::Partial => (count, None),
            Header::Whole { named, length } => (length.saturating_sub(before), Some(named)),
        };
        let taken = ahead.get_mut(..take).unwrap_or_default();
        stream.read_exact(taken).await?;
        if let Some(named) = named {
            return Ok(named);
        }
    }
}

/// Answers requests until one side ends the connection, it is displaced, or its time limit is reached.
async fn requests(
    opened: Opened,
    serving: Serving,
    life: Arc<Life>,
    ticket: &Ticket,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Opened { stream, client, arrival } = opened;
    let network = Network::of(client.ip());
    let (http, turns) = (serving.http(network), serving.turns);
    let mut stopping = serving.stopping;
    let router = TowerToHyperService::new(serving.router);
    let connection = Arc::clone(&life);
    let service = service_fn(move |request: Request<Incoming>| {
        let turn = connection.begin(!request.body().is_end_stream());
        let mut request = request.map(|body| Received::new(body, &turn));
        request.extensions_mut().insert(ConnectInfo(client));
        request.extensions_mut().insert(arrival);
        let answer = router.call(request);
        async move {
            // One step for each request, however many a client sends ahead of their answers.
            tokio::task::yield_now().await;
            Ok::<Response<Sent>, Infallible>(answer.await?.map(|body| Sent::new(body, turn)))
        }
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut goodbye: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let limit = match (goodbye, life.verdict(now)) {
            (_, Verdict::Over) => return Ok(()),
            (Some(goodbye), _) if now >= goodbye => return Ok(()),
            (None, Verdict::Idle) => {
                connection.as_mut().graceful_shutdown();
                *goodbye.insert(now + GOODBYE)
            }
            (Some(goodbye), _) => goodbye,
            (None, Verdict::LiveUntil(limit)) => limit,
        };
        tokio::select! {
            biased;
            () = ticket.gives_way() => return Ok(()),
            ended = InTurn::new(&turns, network, connection.as_mut()) => return ended,
            changed = stopping.changed() => {
                if changed.is_err() || *stopping.borrow() == Stopping::Now {
                    return Ok(());
                }
                connection.as_mut().graceful_shutdown();
            }
            () = sleep_until(limit.min(now + LOOKS)) => {}
        }
    }
}
