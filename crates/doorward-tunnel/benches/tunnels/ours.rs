//! Our own side, as a process of its own: a range or a forward over SSH.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use doorward_tunnel::dial::{Answer, Destination, Dial};
use doorward_tunnel::forward::{Forward, Options as Forwarding};
use doorward_tunnel::news::nobody;
use doorward_tunnel::ssh::host_keys::{Host, HostKeyError, HostKeys, Verdict};
use doorward_tunnel::ssh::login::Login;
use doorward_tunnel::ssh::{Limits, Options, Ssh};
use doorward_tunnel::transparent::{MARK, Marked, Range, Settings, Watchdog, watch};
use russh::keys::{Algorithm, PublicKey};

use crate::carrier::beside;
use crate::load::say;
use crate::world::{GATEWAY, IPERF, PORT, ROUTED};

/// The verb by which a range starts this program as its watchdog.
const WATCHES: &str = "range-watchdog";

/// Whether that is what this program was started for.
pub fn watches() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != WATCHES {
        return None;
    }
    let watched = watch(&arguments.next().unwrap_or_default());
    Some(if watched.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Any key: the sshd is ours, and made a moment ago.
struct Whichever;

impl HostKeys for Whichever {
    fn verdict<'a>(&'a self, _: &'a Host, _: &'a PublicKey) -> Answer<'a, Result<Verdict, HostKeyError>> {
        Box::pin(async { Ok(Verdict::Known) })
    }

    fn algorithms<'a>(&'a self, _: &'a Host) -> Answer<'a, Vec<Algorithm>> {
        Box::pin(async { Vec::new() })
    }
}

/// The transport over SSH, with the key in that file.
async fn over_ssh(key: &str) -> Arc<dyn Dial> {
    let at = SocketAddr::new(GATEWAY.parse().expect("an address"), 22);
    let key = std::fs::read_to_string(key).expect("a key");
    let options = Options {
        at: at.into(),
        host: Host { names: vec![GATEWAY.into()], port: 22, instance: None },
        user: "root".into(),
        login: Login::key(&key, None).expect("a key"),
        host_keys: Arc::new(Whichever),
        tell: nobody(),
        limits: Limits::default(),
    };
    let ssh = Ssh::new(Arc::new(Marked(MARK)), options);
    ssh.connect().await.expect("a connection");
    Arc::new(ssh)
}

/// Carries until its input ends: `range CIDR KEY`, `forward PORT KEY` or `sessions PORT API`.
pub fn own(words: &[&str]) {
    doorward_tunnel::carry::runtime().expect("a runtime").block_on(async {
        let &[kind, what, how] = words else { return say("three words") };
        let dial = if kind == "sessions" { crate::sessions::dial(how) } else { over_ssh(how).await };
        let ends = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        if kind == "range" {
            let settings = Settings {
                ranges: vec![what.parse().expect("a range")],
                carriers: vec![GATEWAY.parse().expect("an address")],
                names: None,
                mark: MARK,
                watchdog: Watchdog {
                    program: std::env::current_exe().expect("this program"),
                    arguments: vec![WATCHES.into()],
                },
            };
            let range = Range::open(settings, dial, Forwarding::default()).await.expect("a range");
            say("carries");
            let _ = ends.await;
            let _ = range.close().await;
        } else {
            let port = what.parse().expect("a port");
            let forwards = [(port, PORT), (beside(port), IPERF)].map(|(port, to)| {
                let listen = SocketAddr::new([127, 0, 0, 1].into(), port);
                let to = Destination { host: ROUTED.parse().expect("an address"), port: to };
                Forward::to(listen, to, Arc::clone(&dial), Forwarding::default()).expect("a forward")
            });
            say("carries");
            let _ = ends.await;
            for forward in forwards {
                forward.close().await;
            }
        }
    });
}
