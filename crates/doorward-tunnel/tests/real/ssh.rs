//! SSH as a transport, to OpenSSH's sshd.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doorward_tunnel::carry::{Bytes, both_ways};
use doorward_tunnel::dial::{BoxedStream, Destination, Dial, DialError, Straight};
use doorward_tunnel::news::{News, in_words};
use doorward_tunnel::ssh::login::Login;
use doorward_tunnel::ssh::pins::Pins;
use doorward_tunnel::ssh::{Limits, Options, Ssh};
use libtest_mimic::{Failed, Trial};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::far::{Far, digest, digest_of_noise, write_noise};
use crate::need::{Need, trial, wanted};
use crate::sshd::{Sshd, free_port, keygen, user};

pub fn trials() -> Vec<Trial> {
    let sshd = &[Need::Sshd];
    vec![
        trial("ssh: what the far side cannot reach is said", sshd, || on_tokio(refusals())),
        trial("ssh: a second hop", sshd, || on_tokio(second_hop())),
        trial("ssh: each side may end first", sshd, || on_tokio(half_closed())),
        trial("ssh: who waits for room learns that the far side closed", sshd, || on_tokio(closed_on())),
        trial("ssh: 200 connections at once", sshd, || on_tokio(at_once())),
        trial("ssh: 10,000 connections in a row", sshd, || on_tokio(in_a_row())),
        trial("ssh: what was sent is what arrives", sshd, || on_tokio(bulk())),
        trial("ssh: keys are exchanged anew while bytes go both ways", sshd, || on_tokio(rekeyed())),
        trial("ssh: it comes back when its connection is killed", sshd, || on_tokio(reconnects())),
        trial("ssh: it waits for an sshd that is started again", sshd, || on_tokio(restarted())),
        trial("ssh: a dial that is given up leaves nothing on the far side", sshd, || on_tokio(given_up())),
    ]
}

pub fn on_tokio(test: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(test);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// What was told.
#[derive(Clone, Default)]
pub struct SeenEvents(Arc<Mutex<Vec<News>>>);

impl SeenEvents {
    pub fn tell(&self) -> doorward_tunnel::news::Tell {
        let told = Arc::clone(&self.0);
        Arc::new(move |news| told.lock().unwrap().push(news))
    }

    pub fn all(&self) -> Vec<News> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until something like it was told.
    pub async fn until(&self, what: impl Fn(&News) -> bool) -> News {
        let begin = Instant::now();
        loop {
            if let Some(news) = self.all().into_iter().find(&what) {
                return news;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "only {:?}", self.all());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How to get into an sshd with pushed keys and pins of its own.
pub fn options(sshd: &Arc<Sshd>, told: &SeenEvents) -> Options {
    Options {
        at: sshd.at(),
        host: sshd.host(),
        user: user(),
        login: Login::Pushed(Arc::clone(sshd) as _),
        host_keys: Arc::new(Pins::new(sshd.path("pins"))),
        tell: told.tell(),
        limits: Limits { connections: 1, ..Limits::default() },
    }
}

pub fn ssh(options: Options) -> Ssh {
    Ssh::new(Arc::new(Straight), options)
}

/// Sends a line and reads it back.
pub async fn echoes(stream: &mut BoxedStream, line: &str) {
    stream.write_all(line.as_bytes()).await.expect("it is sent");
    stream.flush().await.expect("it is sent");
    let mut back = vec![0; line.len()];
    stream.read_exact(&mut back).await.expect("it comes back");
    assert_eq!(back, line.as_bytes());
}

pub async fn dial(ssh: &dyn Dial, far: &Far) -> BoxedStream {
    ssh.dial(&far.address.into()).await.expect("it is dialled")
}

async fn refusals() {
    let sshd = Arc::new(Sshd::start());
    let carrier = ssh(options(&sshd, &SeenEvents::default()));
    let said = async |to: &str, port: u16| {
        let Ok(host) = to.parse();
        carrier.dial(&Destination { host, port }).await.err().expect("it is refused")
    };
    let refused = said("127.0.0.1", free_port()).await;
    assert!(matches!(refused, DialError::Refused { .. }), "{refused:?}");
    let unknown = said("nobody.invalid", 1).await;
    assert!(matches!(unknown, DialError::Unreachable { .. }), "{unknown:?}");
    assert!(unknown.to_string().contains("nobody.invalid:1"), "{unknown}");
    println!("{unknown}");
    // It still carries.
    echoes(&mut dial(&carrier, &Far::echo().await).await, "still\n").await;

    let forbidding = Arc::new(Sshd::with("AllowTcpForwarding no"));
    let carrier = ssh(options(&forbidding, &SeenEvents::default()));
    let Ok(host) = "127.0.0.1".parse();
    let forbidden = carrier.dial(&Destination { host, port: 1 }).await.err().expect("it is forbidden");
    assert!(forbidden.to_string().contains("AllowTcpForwarding"), "{forbidden}");

    let nobody = ssh(Options {
        at: std::net::SocketAddr::from(([127, 0, 0, 1], free_port())).into(),
        ..options(&sshd, &SeenEvents::default())
    });
    let error = nobody.connect().await.expect_err("nobody listens");
    assert!(in_words(&*error).contains("refused the connection"), "{}", in_words(&*error));

    let mute = Far::echo().await;
    let error =
        ssh(Options { at: mute.address.into(), ..options(&sshd, &SeenEvents::default()) }).connect().await;
    let error = error.expect_err("it speaks no SSH");
    println!("{}", in_words(&*error));
}

async fn second_hop() {
    let (first, second) = (Arc::new(Sshd::start()), Arc::new(Sshd::start()));
    let far = Far::echo().await;
    let outer = Arc::new(ssh(options(&first, &SeenEvents::default())));
    let inner = Ssh::new(outer.clone(), options(&second, &SeenEvents::default()));
    echoes(&mut dial(&inner, &far).await, "through two\n").await;
    assert_eq!((first.pushed(), second.pushed()), (1, 1));
    assert_eq!(outer.status().streams, 1);
    let size = 8 * 1024 * 1024;
    let noise = Far::noise(size).await;
    assert_eq!(digest(&mut dial(&inner, &noise).await).await, digest_of_noise(size));
}

async fn half_closed() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    // We end first, and the answer comes afterwards.
    let counting = Far::digest().await;
    let mut stream = dial(&ssh, &counting).await;
    write_noise(&mut stream, 100_000).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, digest_of_noise(100_000));
    drop(stream);
    // The far side ends first, and still reads.
    let (sender, mut heard) = tokio::sync::mpsc::channel(1);
    let first = Far::new(move |mut stream| {
        let sender = sender.clone();
        async move {
            stream.write_all(b"goodbye\n").await.unwrap();
            stream.shutdown().await.unwrap();
            sender.send(digest(&mut stream).await).await.unwrap();
        }
    })
    .await;
    let mut stream = dial(&ssh, &first).await;
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "goodbye\n");
    write_noise(&mut stream, 100_000).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), digest_of_noise(100_000));
}

async fn closed_on() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    // It takes nothing, so that the channel's window is used up, and goes when it is told.
    let (close, closes) = tokio::sync::watch::channel(false);
    let far = Far::new(move |stream| {
        let mut closes = closes.clone();
        async move {
            let _ = closes.wait_for(|closes| *closes).await;
            drop(stream);
        }
    })
    .await;
    let mut stream = dial(&ssh, &far).await;
    let (mut client, mut near) = tokio::io::duplex(64 * 1024);
    let carried = tokio::spawn(async move {
        let bytes = Bytes::default();
        both_ways(&mut near, &mut stream, &bytes, 64 * 1024).await
    });
    let block = vec![0; 64 * 1024];
    while let Ok(written) = tokio::time::timeout(Duration::from_secs(1), client.write_all(&block)).await {
        written.expect("it is taken");
    }
    close.send_replace(true);
    let carried = tokio::time::timeout(Duration::from_secs(10), carried).await;
    let broken = carried.expect("it ends").unwrap().expect_err("bytes were not taken");
    assert!(broken.far && broken.error.to_string().contains("closed"), "{broken:?}");
}

async fn at_once() {
    let (sshd, far) = (Arc::new(Sshd::start()), Far::echo().await);
    let limits = Limits::default();
    let ssh = Arc::new(ssh(Options { limits, ..options(&sshd, &SeenEvents::default()) }));
    let mut streams = Vec::new();
    for wave in [0..100, 100..200] {
        let dialled = wave.map(|number| {
            let (ssh, to) = (Arc::clone(&ssh), far.address.into());
            tokio::spawn(async move {
                let mut stream = ssh.dial(&to).await.expect("it is dialled");
                echoes(&mut stream, &format!("number {number}\n")).await;
                stream
            })
        });
        for task in dialled.collect::<Vec<_>>() {
            streams.push(task.await.expect("none is lost"));
        }
        let begin = Instant::now();
        while ssh.status().connections < 4 {
            assert!(begin.elapsed() < Duration::from_secs(10), "they are spread: {:?}", ssh.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(ssh.status().streams, 200);
    assert_eq!(sshd.pushed(), 4);
    for (number, stream) in streams.iter_mut().enumerate() {
        echoes(stream, &format!("again {number}\n")).await;
    }
    assert_eq!(ssh.close().await, 200);
    for mut stream in streams {
        assert!(stream.read_u8().await.is_err(), "what is cut does not end as if it were whole");
    }
}

async fn in_a_row() {
    let (sshd, far) = (Arc::new(Sshd::start()), Far::echo().await);
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let begin = Instant::now();
    for number in 0..10_000 {
        let mut stream = dial(&ssh, &far).await;
        echoes(&mut stream, &format!("{number}\n")).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    }
    println!("10,000 in {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(300), "{:?}", begin.elapsed());
    assert_eq!(sshd.pushed(), 1);
    // The far side has none left either.
    let begin = Instant::now();
    while far.open.load(std::sync::atomic::Ordering::Relaxed) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn bulk() {
    // A gigabyte each way takes a while in a debug build; `DOORWARD_BULK` says how many megabytes.
    let size = wanted("DOORWARD_BULK", 64) * 1_000_000;
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let expected = digest_of_noise(size);
    let noise = Far::noise(size).await;
    let begin = Instant::now();
    assert_eq!(digest(&mut dial(&ssh, &noise).await).await, expected);
    let down = begin.elapsed();
    let counting = Far::digest().await;
    let begin = Instant::now();
    let mut stream = dial(&ssh, &counting).await;
    write_noise(&mut stream, size).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, expected);
    println!("{} MB: down in {down:?}, up in {:?}", size / 1_000_000, begin.elapsed());
}

async fn rekeyed() {
    let sshd = Arc::new(Sshd::with("RekeyLimit 4M"));
    let ssh = Arc::new(ssh(options(&sshd, &SeenEvents::default())));
    let size = 40_000_000;
    let echo = Far::echo().await;
    let stream = dial(&*ssh, &echo).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let writing = tokio::spawn(async move {
        write_noise(&mut write, size).await.unwrap();
        write.shutdown().await.unwrap();
    });
    assert_eq!(digest(&mut read).await, digest_of_noise(size));
    writing.await.unwrap();
    assert_eq!(ssh.status().reconnects, 0);
}

async fn reconnects() {
    let (sshd, told, far) = (Arc::new(Sshd::start()), SeenEvents::default(), Far::echo().await);
    let ssh = ssh(options(&sshd, &told));
    let mut stream = dial(&ssh, &far).await;
    echoes(&mut stream, "before\n").await;
    sshd.cut();
    let cut = stream.read_u8().await.expect_err("it is cut, and does not end");
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset);
    let begin = Instant::now();
    echoes(&mut dial(&ssh, &far).await, "after\n").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(sshd.pushed(), 2, "a new key for a new connection");
    let all = told.all();
    assert!(all.iter().any(|news| matches!(news, News::Lost { why } if why.contains("closed"))), "{all:?}");
    assert!(all.iter().any(|news| matches!(news, News::Reconnected { .. })), "{all:?}");
    assert_eq!(ssh.status().reconnects, 1);
}

async fn restarted() {
    let (told, far) = (SeenEvents::default(), Far::echo().await);
    let sshd = Arc::new(Mutex::new(Sshd::start()));
    let key = {
        let sshd = sshd.lock().unwrap();
        keygen(&sshd.path("mine"), "ed25519");
        sshd.authorize(&std::fs::read_to_string(sshd.path("mine.pub")).unwrap());
        Login::key(&std::fs::read_to_string(sshd.path("mine")).unwrap(), None).unwrap()
    };
    let options = {
        let sshd = sshd.lock().unwrap();
        Options {
            at: sshd.at(),
            host: sshd.host(),
            user: user(),
            login: key,
            host_keys: Arc::new(Pins::new(sshd.path("pins"))),
            tell: told.tell(),
            limits: Limits { connections: 1, ..Limits::default() },
        }
    };
    let ssh = Arc::new(ssh(options));
    echoes(&mut dial(&*ssh, &far).await, "before\n").await;
    sshd.lock().unwrap().stop();
    told.until(|news| matches!(news, News::Retrying { .. })).await;
    let waiting = {
        let (ssh, to) = (Arc::clone(&ssh), far.address.into());
        tokio::spawn(async move { ssh.dial(&to).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it waits");
    sshd.lock().unwrap().again();
    let mut stream = waiting.await.unwrap().expect("it was worth waiting");
    echoes(&mut stream, "after\n").await;
}

async fn given_up() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    ssh.connect().await.unwrap();
    let far = Far::echo().await;
    for _ in 0..50 {
        let to = far.address.into();
        let dial = ssh.dial(&to);
        // Too short for the answer, mostly.
        let _ = tokio::time::timeout(Duration::from_micros(100), dial).await;
    }
    let begin = Instant::now();
    while ssh.status().streams > 0 || far.open.load(std::sync::atomic::Ordering::Relaxed) > 0 {
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", ssh.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    echoes(&mut dial(&ssh, &far).await, "still\n").await;
}
