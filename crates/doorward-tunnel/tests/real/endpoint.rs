//! SSH through an Instance Connect Endpoint, played by the test: it checks the address that it is asked for, and carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use doorward_tunnel::dial::{Answer, Destination, Dial as _};
use doorward_tunnel::endpoint::{Endpoint, Tunnels};
use doorward_tunnel::ssh::Ssh;
use doorward_tunnel::websocket::{Connector, Proxies};
use futures_util::{SinkExt as _, StreamExt as _};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::far::{Far, digest, digest_of_noise, write_noise};
use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, echoes, on_tokio, options};
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    vec![trial("endpoint: SSH goes through it, one websocket a connection", &[Need::Sshd], || {
        on_tokio(carried())
    })]
}

/// An endpoint: what it was asked for.
struct Played {
    address: SocketAddr,
    opened: Arc<AtomicUsize>,
}

impl Played {
    async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let (mut sink, mut source) = socket.split();
                    let (mut read, mut write) = TcpStream::connect(to).await.unwrap().into_split();
                    let up = async {
                        while let Some(Ok(message)) = source.next().await {
                            match message {
                                Message::Binary(data) => write.write_all(&data).await.unwrap(),
                                Message::Close(_) => break,
                                Message::Ping(_) | Message::Pong(_) => {}
                                other => panic!("{other:?}"),
                            }
                        }
                    };
                    let down = async {
                        let mut buffer = vec![0; 20_000];
                        while let Ok(size @ 1..) = read.read(&mut buffer).await {
                            let data = Bytes::copy_from_slice(&buffer[..size]);
                            if sink.send(Message::Binary(data)).await.is_err() {
                                break;
                            }
                        }
                        let _ = sink.close().await;
                    };
                    tokio::select! { () = up => {}, () = down => {} }
                });
            }
        });
        Self { address, opened }
    }
}

impl Tunnels for Played {
    fn open_url<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<String, String>> {
        Box::pin(async move { Ok(format!("ws://{}/openTunnel?remotePort={}", self.address, to.port)) })
    }
}

async fn carried() {
    let (sshd, echo) = (Arc::new(Sshd::start()), Far::echo().await);
    let played = Arc::new(Played::start(sshd.address()).await);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let endpoint = Endpoint::new(Arc::clone(&played) as _, Connector::new(tls, Proxies::default()));
    let ssh = Ssh::new(Arc::new(endpoint), options(&sshd, &SeenEvents::default()));
    echoes(&mut ssh.dial(&echo.address.into()).await.unwrap(), "through it\n").await;
    let size = 20_000_000;
    let noise = Far::noise(size).await;
    assert_eq!(digest(&mut ssh.dial(&noise.address.into()).await.unwrap()).await, digest_of_noise(size));
    let counting = Far::digest().await;
    let mut stream = ssh.dial(&counting.address.into()).await.unwrap();
    write_noise(&mut stream, size).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, digest_of_noise(size));
    assert_eq!(played.opened.load(Ordering::Relaxed), 1);
    sshd.cut();
    echoes(&mut ssh.dial(&echo.address.into()).await.unwrap(), "again\n").await;
    assert_eq!(played.opened.load(Ordering::Relaxed), 2);
}
