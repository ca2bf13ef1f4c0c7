//! An Instance Connect Endpoint: one websocket, one TCP connection.

use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message as Frame};

use crate::gateway::{Socket, signed};
use crate::percent::pairs;
use crate::record::What;
use crate::stand::{World, lock};

const PORTS: [u16; 2] = [22, 3389];
const MOST_TUNNELS: usize = 20;
/// How long a presigned URL may be good, in seconds.
const LONGEST_EXPIRY: i64 = 60;
/// The longest that a tunnel lives, in seconds.
const LONGEST: u64 = 3600;
const DIAL: Duration = Duration::from_secs(10);

/// What a tunnel is asked for.
pub(crate) struct Asked {
    endpoint: String,
    address: String,
    port: u16,
    lasts: Duration,
}

/// Whether the upgrade is presigned for it, and what it asks for. The error is a status and why.
pub(crate) fn asked(world: &World, request: &Request) -> Result<Asked, (u16, String)> {
    let caller = signed(world, request, "ec2-instance-connect", "")?;
    if let Some(caller) = &caller {
        let wrong = match caller.claim.expires {
            None => Some("an endpoint's URL is presigned, and this one is signed by headers".to_owned()),
            Some(expires) if expires > LONGEST_EXPIRY => {
                Some(format!("an endpoint's URL is good for 60 s at most, and this one for {expires}"))
            }
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            world.record.violation("", wrong.clone());
            return Err((403, wrong));
        }
    }
    let query = pairs(request.uri().query().unwrap_or_default());
    let part = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let missing = |name: &str| (400, format!("no {name}"));
    let endpoint = part("instanceConnectEndpointId").ok_or_else(|| missing("instanceConnectEndpointId"))?;
    if !world.settings.endpoints.iter().any(|it| it.id == endpoint) {
        return Err((404, format!("no endpoint {endpoint}")));
    }
    let who = caller.map_or_else(|| world.anybody(), |it| it.credential);
    let settings = &world.settings;
    let resource =
        format!("arn:aws:ec2:{}:{}:instance-connect-endpoint/{endpoint}", settings.region, settings.account);
    if !world.may(&who, "ec2-instance-connect", "OpenTunnel", &[resource]) {
        return Err((403, "not authorized to perform ec2-instance-connect:OpenTunnel".into()));
    }
    let lasts = match part("maxTunnelDuration").map(|it| it.parse::<u64>()) {
        None => LONGEST,
        Some(Ok(seconds @ 1..=LONGEST)) => seconds,
        Some(_) => return Err((400, "maxTunnelDuration is 1 to 3600".into())),
    };
    Ok(Asked {
        endpoint,
        address: part("privateIpAddress").ok_or_else(|| missing("privateIpAddress"))?,
        port: part("remotePort").and_then(|it| it.parse().ok()).ok_or_else(|| missing("remotePort"))?,
        lasts: Duration::from_secs(lasts),
    })
}

/// One of an endpoint's connections, given back when dropped.
struct Seat<'a>(&'a World, String);

impl<'a> Seat<'a> {
    fn take(world: &'a World, endpoint: &str) -> Option<Self> {
        let mut tunnels = lock(&world.tunnels);
        let taken = tunnels.entry(endpoint.to_owned()).or_default();
        if *taken >= MOST_TUNNELS {
            return None;
        }
        *taken += 1;
        Some(Self(world, endpoint.to_owned()))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(taken) = lock(&self.0.tunnels).get_mut(&self.1) {
            *taken -= 1;
        }
    }
}

/// Carries a tunnel; its close code says how it ended.
pub(crate) async fn tunnel(world: &World, asked: Asked, mut socket: Socket) {
    let (code, reason) = match carry(world, &asked, &mut socket).await {
        Ok(()) => (CloseCode::Normal, String::new()),
        Err((code, reason)) => (code, reason),
    };
    let _ = socket.send(Frame::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
    // Until the client has read what was on the way, and closed.
    let _ = timeout(Duration::from_secs(5), async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

async fn carry(world: &World, asked: &Asked, socket: &mut Socket) -> Result<(), (CloseCode, String)> {
    let Asked { endpoint, address, port, .. } = asked;
    if !PORTS.contains(port) {
        return Err((CloseCode::Policy, format!("Port {port} is not allowed")));
    }
    let _seat = Seat::take(world, endpoint).ok_or((CloseCode::Again, "Too many tunnels".to_owned()))?;
    let place = world
        .settings
        .endpoints
        .iter()
        .find(|it| it.id == *endpoint)
        .and_then(|it| it.places.get(&(address.clone(), *port)))
        .ok_or_else(|| (CloseCode::Error, format!("{address} cannot be reached")))?;
    let mut tcp = match timeout(DIAL, TcpStream::connect(place)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err((CloseCode::Error, format!("{address}:{port}: {error}"))),
        Err(_) => return Err((CloseCode::Error, format!("{address}:{port}: timed out"))),
    };
    let _ = tcp.set_nodelay(true);
    world.record.event("", What::TunnelOpened { to: format!("{address}:{port}") });
    let until = Instant::now() + asked.lasts;
    let (mut from, mut to) = tcp.split();
    let mut read = BytesMut::new();
    loop {
        read.reserve(16 << 10);
        tokio::select! {
            () = sleep_until(until) => return Err((CloseCode::Policy, "The tunnel's maximum duration is over".into())),
            frame = socket.next() => match frame {
                Some(Ok(Frame::Binary(bytes))) => {
                    if to.write_all(&bytes).await.is_err() {
                        return Ok(());
                    }
                }
                Some(Ok(Frame::Text(_))) => {
                    world.record.violation("", "a tunnel carries binary frames, and text came");
                    return Err((CloseCode::Unsupported, "Text is not supported".into()));
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => {}
            },
            length = from.read_buf(&mut read) => match length {
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {
                    if socket.send(Frame::Binary(read.split().freeze())).await.is_err() {
                        return Ok(());
                    }
                }
            },
        }
    }
}
