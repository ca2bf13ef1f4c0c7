//! One connection to a port: basic mode and raw bytes. And how the agent reads what a port says.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::work::{Input, Job};
use crate::message::{flag, payload};
use crate::record::What;

/// What the stock agent reads at once.
const SLOW_PAYLOAD: usize = 1024;
/// What reading, sending and sleeping a millisecond take it: 0.60 to 0.65 MB/s were measured.
const SLOW_PACE: Duration = Duration::from_micros(1600);
/// How much of its own lateness it makes up for.
const LATE: Duration = Duration::from_millis(250);
/// A port that said nothing for so long had nothing to say.
const IDLE: Duration = Duration::from_millis(5);
/// How long a connection may take.
const DIAL: Duration = Duration::from_secs(20);

/// Where a session's port is, found once.
#[derive(Debug, Clone)]
pub(super) struct PortAddress {
    pub(super) asked: String,
    is: Result<SocketAddr, String>,
}

/// The agent does not forward to these: metadata, Amazon's DNS and NTP.
fn is_forbidden(host: &str) -> bool {
    const FORBIDDEN: [&str; 6] = [
        "169.254.169.254",
        "169.254.169.253",
        "169.254.169.123",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::123",
    ];
    let address = host.parse::<IpAddr>().map(|it| it.to_canonical());
    FORBIDDEN.iter().any(|it| it.parse() == address)
}

/// Finds the place; the answer is why the session is over, when it may not be forwarded to.
pub(super) fn find(job: &Job, host: Option<&str>, port: u16) -> Result<PortAddress, String> {
    let settings = &job.world.settings.agent;
    let host = host.unwrap_or("localhost");
    if is_forbidden(host) {
        return Err(format!("Forwarding to IP address {host} is forbidden."));
    }
    let asked = format!("{host}:{port}");
    let is = if let Some(place) = job.world.place(host, port) {
        Ok(place)
    } else if host == "localhost" {
        Ok(settings.sshd.filter(|_| port == 22).unwrap_or(SocketAddr::from(([127, 0, 0, 1], port))))
    } else {
        host.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)).map_err(|_| "no such host".to_owned())
    };
    Ok(PortAddress { asked, is })
}

/// Connects, and writes down how that went.
pub(super) async fn connect(
    job_world: &crate::stand::World,
    session: &str,
    place: &PortAddress,
) -> Option<TcpStream> {
    let connected = match &place.is {
        Ok(address) => match tokio::time::timeout(DIAL, TcpStream::connect(*address)).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err("i/o timeout".to_owned()),
        },
        Err(why) => Err(why.clone()),
    };
    let to = place.asked.clone();
    match connected {
        Ok(stream) => {
            // A test measures what the session costs, not this.
            let _ = stream.set_nodelay(true);
            job_world.record.event(session, What::Connected { to });
            Some(stream)
        }
        Err(why) => {
            job_world.record.event(session, What::NotConnected { to, why });
            None
        }
    }
}

pub(super) fn error_flag() -> Bytes {
    Bytes::copy_from_slice(&flag::CONNECT_TO_PORT_ERROR.to_be_bytes())
}

/// Holds the stock agent's speed.
#[derive(Debug)]
pub(super) struct Pace {
    slow: bool,
    next: Instant,
}

impl Pace {
    pub(super) fn new(slow: bool) -> Self {
        Self { slow, next: Instant::now() }
    }

    /// The most bytes of one payload.
    pub(super) fn payload(&self, fast: usize) -> usize {
        if self.slow { SLOW_PAYLOAD } else { fast.max(1) }
    }

    /// Waits until the next payload may go.
    pub(super) async fn wait(&mut self) {
        if !self.slow {
            return;
        }
        let now = Instant::now();
        if self.next > now {
            tokio::time::sleep_until(self.next.into()).await;
        }
        // The timer is coarser than the pace, and the machine is busy: what it was late is made up for.
        self.next = self.next.max(now.checked_sub(LATE).unwrap_or(now)) + SLOW_PACE;
    }

    /// There was nothing to send until now; such time is not made up for.
    pub(super) fn was_idle(&mut self) {
        self.next = self.next.max(Instant::now());
    }
}

/// One connection at a time; the next data open it again.
pub(super) async fn basic(job: Job, host: Option<String>, port: u16) {
    one_connection(job, host, port, true).await;
}

/// One connection, and the session ends with it.
pub(super) async fn raw(job: Job, host: Option<String>, port: u16) {
    one_connection(job, host, port, false).await;
}

async fn one_connection(mut job: Job, host: Option<String>, port: u16, again: bool) {
    let place = match find(&job, host.as_deref(), port) {
        Ok(place) => place,
        Err(why) => return job.ends(&why).await,
    };
    let (world, session) = (job.world.clone(), job.session.id.clone());
    let dial = || connect(&world, &session, &place);
    let Some(first) = dial().await else {
        job.says(payload::FLAG, error_flag()).await;
        return job.ends("Connection to destination port failed, check SSM Agent logs.").await;
    };
    job.is_ready().await;
    let settings = &world.settings.agent;
    let mut pace = Pace::new(settings.slow);
    let mut read = BytesMut::new();
    let mut open: Option<(OwnedReadHalf, OwnedWriteHalf)> = Some(first.into_split());
    loop {
        let most = pace.payload(settings.payload);
        let asked = Instant::now();
        tokio::select! {
            input = job.input.recv() => match input {
                None => return,
                Some(Input::Size(_)) => {}
                Some(Input::Disconnect) => open = None,
                Some(Input::Bytes(bytes)) => {
                    if open.is_none() && again {
                        open = dial().await.map(TcpStream::into_split);
                        if open.is_none() {
                            job.says(payload::FLAG, error_flag()).await;
                        }
                    }
                    if let Some((_, write)) = &mut open
                        && write.write_all(&bytes).await.is_err()
                    {
                        open = None;
                    }
                }
            },
            heard = hears(&mut open, &mut read, most) => match heard {
                Some(bytes) => {
                    if asked.elapsed() > IDLE {
                        pace.was_idle();
                    }
                    pace.wait().await;
                    if !job.says(payload::OUTPUT, bytes).await {
                        return;
                    }
                }
                None => open = None,
            },
        }
        if open.is_none() && !again {
            return job.ends("Connection to destination port closed").await;
        }
    }
}

/// What the port says next; `None` when it closed.
async fn hears(
    open: &mut Option<(OwnedReadHalf, OwnedWriteHalf)>,
    into: &mut BytesMut,
    most: usize,
) -> Option<Bytes> {
    let Some((read, _)) = open else { return std::future::pending().await };
    into.reserve(most);
    match read.take(most as u64).read_buf(into).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(into.split().freeze()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_dns_and_ntp_are_forbidden() {
        for host in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "169.254.169.253",
            "169.254.169.123",
            "fd00:ec2::254",
        ] {
            assert!(is_forbidden(host), "{host}");
        }
        for host in ["10.0.0.2", "localhost", "169.254.169.1", "fd00:ec2::1"] {
            assert!(!is_forbidden(host), "{host}");
        }
    }

    #[tokio::test]
    async fn the_slow_agent_reads_as_fast_as_the_stock_one() {
        let mut pace = Pace::new(true);
        assert_eq!(pace.payload(32_768), 1024);
        let start = Instant::now();
        for _ in 0..250 {
            pace.wait().await;
        }
        let rate = 250.0 * 1024.0 / start.elapsed().as_secs_f64() / 1e6;
        // A busy machine makes it slower; nothing makes it faster.
        assert!((0.05..0.70).contains(&rate), "{rate} MB/s");
        let mut fast = Pace::new(false);
        assert_eq!(fast.payload(32_768), 32_768);
        fast.wait().await;
    }
}
