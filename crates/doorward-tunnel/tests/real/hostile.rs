//! A server that is not what it should be: it opens channels to the client.

use std::sync::Arc;
use std::time::Duration;

use doorward_tunnel::dial::{Answer, Dial as _};
use doorward_tunnel::ssh::host_keys::Host;
use doorward_tunnel::ssh::login::{Admit, Login};
use doorward_tunnel::ssh::pins::Pins;
use doorward_tunnel::ssh::{Limits, Options};
use libtest_mimic::Trial;
use russh::server::{Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelOpenFailure, Error, SshId};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, echoes, on_tokio, ssh};
use crate::sshd::keygen;

pub fn trials() -> Vec<Trial> {
    let keygen = &[Need::Sshd];
    vec![trial("hostile: 20,000 channels that the server opens are refused", keygen, || on_tokio(channels()))]
}

/// How many channels are asked for at once, and in all.
const AT_ONCE: usize = 200;
const CHANNELS: usize = 20_000;

/// A server that admits everybody, and echoes what is forwarded.
struct Server(Option<oneshot::Sender<Handle>>);

impl Handler for Server {
    type Error = Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        Ok(Auth::Accept)
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Error> {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(session.handle());
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        reply.accept().await;
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(channel.into_stream());
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        Ok(())
    }
}

/// Lets in whatever key is shown.
struct Anybody;

impl Admit for Anybody {
    fn admit<'a>(&'a self, _: &'a str) -> Answer<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// Opens a channel of one of the kinds that RFC 4254 and OpenSSH know.
async fn open(handle: &Handle, number: usize) -> Result<Channel<Msg>, Error> {
    match number % 7 {
        0 => handle.channel_open_forwarded_tcpip("127.0.0.1", 80, "127.0.0.1", 1024).await,
        1 => handle.channel_open_session().await,
        2 => handle.channel_open_agent().await,
        3 => handle.channel_open_x11("127.0.0.1", 6000).await,
        4 => handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1024).await,
        5 => handle.channel_open_forwarded_streamlocal("/run/x").await,
        _ => handle.channel_open_direct_streamlocal("/run/x").await,
    }
}

async fn open_many(handle: &Handle, channels: usize) {
    let mut opening = JoinSet::new();
    let mut refused = 0;
    let mut check = |answer: Result<Channel<Msg>, Error>| match answer {
        Err(Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)) => refused += 1,
        Ok(_) => panic!("the client accepted a channel"),
        Err(error) => panic!("{error}"),
    };
    for number in 0..channels {
        if opening.len() >= AT_ONCE {
            check(opening.join_next().await.expect("a task").expect("nobody panicked"));
        }
        let handle = handle.clone();
        opening.spawn(async move { open(&handle, number).await });
    }
    while let Some(answer) = opening.join_next().await {
        check(answer.expect("nobody panicked"));
    }
    assert_eq!(refused, channels);
}

/// The memory of this process that is in use, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_whitespace().next().and_then(|size| size.parse().ok()).expect("a number")
}

async fn channels() {
    let folder = tempfile::tempdir().expect("a folder");
    keygen(&folder.path().join("host"), "ed25519");
    let key = russh::keys::load_secret_key(folder.path().join("host"), None).expect("a key");
    let config =
        Config { keys: vec![key], server_id: SshId::Standard("SSH-2.0-hostile".into()), ..Config::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = oneshot::channel();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        run_stream(Arc::new(config), stream, Server(Some(tell))).await.expect("a session").await
    });
    let options = Options {
        at: address.into(),
        host: Host { names: vec![address.ip().to_string()], port: address.port(), instance: None },
        user: "jon".into(),
        login: Login::Pushed(Arc::new(Anybody)),
        host_keys: Arc::new(Pins::new(folder.path().join("pins"))),
        tell: SeenEvents::default().tell(),
        limits: Limits { connections: 1, ..Limits::default() },
    };
    let ssh = ssh(options);
    let mut stream = ssh.dial(&address.into()).await.expect("a stream");
    echoes(&mut stream, "before\n").await;
    let handle = tokio::time::timeout(Duration::from_secs(10), told).await.expect("soon").expect("a session");
    open_many(&handle, 2_000).await;
    let before = resident();
    open_many(&handle, CHANNELS).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 20_000, "{grown} kB more after {CHANNELS} channels");
    // And nothing of it disturbs what was granted.
    echoes(&mut stream, "after\n").await;
    echoes(&mut ssh.dial(&address.into()).await.expect("another stream"), "another\n").await;
    serving.abort();
}
