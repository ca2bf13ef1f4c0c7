//! Where this machine's questions arrive: by datagram and by connection, on loopback.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::far::Far;
use super::message::{Domain, Query, SERVFAIL, truncated};
use crate::transparent::socket;

/// Questions at once that came by datagram, or on one connection.
const MOST: usize = 512;
/// Connections at once.
const MOST_CONNECTIONS: usize = 64;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// How long this machine's own resolver may take; clients have asked again by then.
const PATIENCE: Duration = Duration::from_secs(6);

/// Whom names are for that belong to none of the domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Elsewhere {
    /// The far side too: it was asked by its own address.
    Far,
    /// The server that was asked, reached by sockets that bear this mark.
    Near(SocketAddr, u32),
}

/// Answers for one server. Ends when dropped.
pub(in super::super) struct Listener {
    /// Where it listens, for datagrams and connections alike.
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

struct Shared {
    far: Far,
    domains: Vec<Domain>,
    elsewhere: Elsewhere,
}

/// How a question came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Datagram,
    Connection,
}

impl Listener {
    /// Listens on a free port of that loopback address.
    pub async fn bind(
        loopback: std::net::IpAddr,
        far: Far,
        domains: Vec<Domain>,
        elsewhere: Elsewhere,
    ) -> io::Result<Self> {
        let (datagrams, connections) = both(loopback).await?;
        let address = connections.local_addr()?;
        let shared = Arc::new(Shared { far, domains, elsewhere });
        let mut tasks = JoinSet::new();
        tasks.spawn(by_datagram(Arc::new(datagrams), Arc::clone(&shared)));
        tasks.spawn(by_connection(connections, shared));
        Ok(Self { address, _tasks: tasks })
    }
}

/// One port for both.
async fn both(loopback: std::net::IpAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::ErrorKind::AddrInUse.into();
    for _ in 0..16 {
        let connections = TcpListener::bind((loopback, 0)).await?;
        match UdpSocket::bind(connections.local_addr()?).await {
            Ok(datagrams) => return Ok((datagrams, connections)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Shared {
    /// The answer to one question; none where nothing is to be said.
    async fn answer(&self, message: Bytes, by: By) -> Option<Vec<u8>> {
        let query = Query::read(&message);
        let far = match (&query, self.elsewhere) {
            (_, Elsewhere::Far) => true,
            (Ok(query), Elsewhere::Near(..)) => self.domains.iter().any(|domain| domain.contains(query)),
            // What we cannot read is for somebody who may.
            (Err(_), Elsewhere::Near(..)) => false,
        };
        if let (Elsewhere::Near(server, mark), false) = (self.elsewhere, far) {
            return near(&message, server, mark, by).await;
        }
        let query = query.ok()?;
        let answer = match self.far.ask(query.clone(), message.clone()).await {
            Some(answer) => answer,
            None => query.failed(&message, SERVFAIL),
        };
        Some(if by == By::Datagram { truncated(answer, &query) } else { answer })
    }
}

async fn by_datagram(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(MOST));
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; 65_535];
    loop {
        while answers.try_join_next().is_some() {}
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(came) => came,
            Err(error) => {
                // An answer that nobody was there for any more is told at the next call.
                tracing::debug!(%error, "receiving a DNS datagram failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
        };
        let message = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            if let Ok(query) = Query::read(&message) {
                let _ = socket.send_to(&query.failed(&message, SERVFAIL), from).await;
            }
            continue;
        };
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
        answers.spawn(async move {
            if let Some(answer) = shared.answer(message, By::Datagram).await {
                // A client that has gone does not miss it.
                let _ = socket.send_to(&answer, from).await;
            }
            drop(permit);
        });
    }
}

async fn by_connection(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    if let Err(error) = serve(stream, shared).await {
                        tracing::debug!(%error, "a DNS-over-TCP client disconnected");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accepting a DNS-over-TCP connection failed");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Answers what comes on a connection, each as soon as it is known.
async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let (answers, ready) = mpsc::channel(16);
    let writing = tokio::spawn(write(writer, ready));
    let room = Arc::new(Semaphore::new(MOST));
    let mut asked = JoinSet::new();
    let ended = loop {
        while asked.try_join_next().is_some() {}
        let message = match tokio::time::timeout(IDLE, frame(&mut reader)).await {
            Ok(Ok(message)) => message,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
            Ok(Err(error)) => break Err(error),
            Err(_) => break Ok(()),
        };
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break Ok(()) };
        let (shared, answers) = (Arc::clone(&shared), answers.clone());
        asked.spawn(async move {
            if let Some(answer) = shared.answer(message, By::Connection).await {
                // The writer ends when the client has gone.
                let _ = answers.send(answer).await;
            }
            drop(permit);
        });
    };
    // A client may say that no more comes, and still wait for its answers.
    drop(answers);
    while asked.join_next().await.is_some() {}
    let _ = writing.await;
    ended
}

async fn write(mut writer: OwnedWriteHalf, mut ready: mpsc::Receiver<Vec<u8>>) {
    while let Some(answer) = ready.recv().await {
        let Ok(length) = u16::try_from(answer.len()) else { continue };
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        let written = tokio::time::timeout(IDLE, writer.write_all(&framed)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn frame(reader: &mut OwnedReadHalf) -> io::Result<Bytes> {
    let length = usize::from(reader.read_u16().await?);
    let mut message = vec![0; length];
    reader.read_exact(&mut message).await?;
    Ok(message.into())
}

/// What this machine's own resolver answers, as it is.
async fn near(message: &[u8], server: SocketAddr, mark: u32, by: By) -> Option<Vec<u8>> {
    let asked = async {
        match by {
            By::Datagram => {
                let socket = socket::datagrams(server, mark).await?;
                socket.send(message).await?;
                let mut answer = vec![0; 65_535];
                loop {
                    let length = socket.recv(&mut answer).await?;
                    if answer.get(..2) == message.get(..2) {
                        answer.truncate(length);
                        return Ok(answer);
                    }
                }
            }
            By::Connection => {
                let stream = socket::connect(server, mark).await?;
                let (mut reader, mut writer) = stream.into_split();
                let length = u16::try_from(message.len()).map_err(io::Error::other)?;
                writer.write_all(&[&length.to_be_bytes(), message].concat()).await?;
                frame(&mut reader).await.map(|answer| answer.to_vec())
            }
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Some(answer),
        // A client goes on to its next server at once.
        Ok(Err::<_, io::Error>(error)) => {
            tracing::debug!(%server, %error, "the resolver of this machine cannot be reached");
            Query::read(message).ok().map(|query| query.failed(message, SERVFAIL))
        }
        // As it would be without us: nobody says anything.
        Err(_) => None,
    }
}
