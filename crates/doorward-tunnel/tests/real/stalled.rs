//! Readers that do not read, and carriers that do not carry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward_tunnel::dial::{Dial as _, Straight};
use doorward_tunnel::news::News;
use doorward_tunnel::ssh::{Limits, Options, Ssh};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::far::{Far, digest, digest_of_noise, write_noise};
use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, echoes, on_tokio, options, ssh};
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let sshd = &[Need::Sshd];
    vec![
        trial("stalled: a reader who does not read does not hold up the others", sshd, || on_tokio(beside())),
        trial("stalled: what a slow reader is owed arrives", sshd, || on_tokio(slow())),
        trial("stalled: one that takes all the room is cut, and the others go on", sshd, || on_tokio(cut())),
        trial("stalled: alone it may take its time", sshd, || on_tokio(alone())),
        trial("stalled: a far side that does not read holds up only its own", sshd, || on_tokio(far_side())),
        trial("stalled: a dead carrier is found", sshd, || on_tokio(dead())),
        trial("stalled: a dead carrier is found while much is sent", sshd, || on_tokio(dead_while_sending())),
    ]
}

const MEGABYTE: usize = 1_000_000;

async fn beside() {
    let (sshd, echo, noise) = (Arc::new(Sshd::start()), Far::echo().await, Far::noise(40 * MEGABYTE).await);
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let mut unread = ssh.dial(&noise.address.into()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begin = Instant::now();
    let mut other = ssh.dial(&echo.address.into()).await.unwrap();
    echoes(&mut other, "hello\n").await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(digest(&mut unread).await, digest_of_noise(40 * MEGABYTE));
}

async fn slow() {
    let (sshd, noise) = (Arc::new(Sshd::start()), Far::noise(8 * MEGABYTE).await);
    let limits =
        Limits { held: 200_000, stalled: Duration::from_secs(1), connections: 1, ..Limits::default() };
    let ssh = ssh(Options { limits, ..options(&sshd, &SeenEvents::default()) });
    // Others are open too, so that one who took nothing would be cut.
    let echo = Far::echo().await;
    let _other = ssh.dial(&echo.address.into()).await.unwrap();
    let mut stream = ssh.dial(&noise.address.into()).await.unwrap();
    let (mut read, mut slowly) = (Vec::new(), vec![0; 100_000]);
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let size = stream.read(&mut slowly).await.unwrap();
        read.extend_from_slice(&slowly[..size]);
    }
    stream.read_to_end(&mut read).await.unwrap();
    assert_eq!(digest(&mut &*read).await, digest_of_noise(8 * MEGABYTE));
}

async fn cut() {
    let (sshd, echo, noise) = (Arc::new(Sshd::start()), Far::echo().await, Far::noise(40 * MEGABYTE).await);
    let limits =
        Limits { held: MEGABYTE, stalled: Duration::from_secs(1), connections: 1, ..Limits::default() };
    let ssh = ssh(Options { limits, ..options(&sshd, &SeenEvents::default()) });
    let mut other = ssh.dial(&echo.address.into()).await.unwrap();
    echoes(&mut other, "before\n").await;
    let mut unread = ssh.dial(&noise.address.into()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    echoes(&mut other, "after\n").await;
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    let mut read = Vec::new();
    let why =
        unread.read_to_end(&mut read).await.expect_err("it is not whole, and does not end as if it were");
    assert!(why.to_string().contains("its reader blocked"), "{why}");
    echoes(&mut ssh.dial(&echo.address.into()).await.unwrap(), "and more\n").await;
}

async fn alone() {
    let (sshd, noise) = (Arc::new(Sshd::start()), Far::noise(10 * MEGABYTE).await);
    let limits = Limits {
        held: MEGABYTE,
        stalled: Duration::from_millis(200),
        quiet: Duration::from_millis(300),
        connections: 1,
        ..Limits::default()
    };
    let ssh = ssh(Options { limits, ..options(&sshd, &SeenEvents::default()) });
    let mut stream = ssh.dial(&noise.address.into()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(digest(&mut stream).await, digest_of_noise(10 * MEGABYTE));
}

async fn far_side() {
    let (sshd, echo) = (Arc::new(Sshd::start()), Far::echo().await);
    let deaf = Far::new(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let ssh = Arc::new(ssh(options(&sshd, &SeenEvents::default())));
    let mut unheard = ssh.dial(&deaf.address.into()).await.unwrap();
    let sending = tokio::spawn(async move { write_noise(&mut unheard, 50 * MEGABYTE).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!sending.is_finished(), "backpressure reaches the sender");
    let begin = Instant::now();
    let mut other = ssh.dial(&echo.address.into()).await.unwrap();
    echoes(&mut other, "hello\n").await;
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    sending.abort();
}

/// A relay that stops carrying when it is told to, without closing anything.
async fn relay(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (dead, is_dead) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut is_dead = is_dead.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                let carried = tokio::select! {
                    biased;
                    _ = is_dead.wait_for(|dead| *dead) => false,
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => true,
                };
                if !carried {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                }
            });
        }
    });
    (address, dead)
}

fn impatient(sshd: &Arc<Sshd>, told: &SeenEvents, at: SocketAddr) -> Ssh {
    let limits = Limits {
        quiet: Duration::from_millis(500),
        unanswered: 2,
        connections: 1,
        wait: Duration::from_secs(1),
        connect: Duration::from_secs(2),
        ..Limits::default()
    };
    Ssh::new(Arc::new(Straight), Options { at: at.into(), limits, ..options(sshd, told) })
}

async fn dead() {
    let (sshd, told, echo) = (Arc::new(Sshd::start()), SeenEvents::default(), Far::echo().await);
    let (at, dead) = relay(sshd.address()).await;
    let ssh = impatient(&sshd, &told, at);
    let mut stream = ssh.dial(&echo.address.into()).await.unwrap();
    echoes(&mut stream, "hello\n").await;
    // Quiet is not dead.
    tokio::time::sleep(Duration::from_secs(3)).await;
    echoes(&mut stream, "still\n").await;
    let begin = Instant::now();
    dead.send_replace(true);
    assert!(stream.read_u8().await.is_err());
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    let lost = told.until(|news| matches!(news, News::Lost { .. })).await;
    assert!(lost.to_string().contains("stopped responding"), "{lost}");
    let error = ssh.dial(&echo.address.into()).await.err().expect("nobody answers");
    println!("{error}");
    // It comes back when the way does.
    dead.send_replace(false);
    told.until(|news| matches!(news, News::Reconnected { .. })).await;
    echoes(&mut ssh.dial(&echo.address.into()).await.unwrap(), "again\n").await;
}

async fn dead_while_sending() {
    let (sshd, told, counting) = (Arc::new(Sshd::start()), SeenEvents::default(), Far::digest().await);
    let (at, dead) = relay(sshd.address()).await;
    let ssh = impatient(&sshd, &told, at);
    let mut stream = ssh.dial(&counting.address.into()).await.unwrap();
    stream.write_all(b"begin").await.unwrap();
    dead.send_replace(true);
    let begin = Instant::now();
    write_noise(&mut stream, 500 * MEGABYTE).await.expect_err("it breaks");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    told.until(|news| matches!(news, News::Lost { .. })).await;
}
