//! The local front ends, as curl and others use them, over a real SSH connection.

use std::net::SocketAddr;
use std::sync::Arc;

use doorward_tunnel::dial::{Destination, Host};
use doorward_tunnel::forward::{Allowed, Ask, Forward, Options};
use doorward_tunnel::http_proxy::HttpProxy;
use doorward_tunnel::news::News;
use doorward_tunnel::socks::Socks;
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::far::Far;
use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, on_tokio, options, ssh};
use crate::sshd::{Sshd, free_port};

pub fn trials() -> Vec<Trial> {
    let needs = &[Need::Sshd, Need::Curl];
    vec![
        trial("fronts: curl goes through SOCKS, names looked up far away", needs, || on_tokio(socks())),
        trial("fronts: curl goes through the HTTP proxy", needs, || on_tokio(http())),
    ]
}

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A web server of one page.
async fn web() -> Far {
    Far::new(|mut stream| async move {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => heard.push(byte),
                Err(_) => return,
            }
        }
        let page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ninside";
        let _ = stream.write_all(&page[..page.len() - 1]).await;
        let _ = stream.shutdown().await;
    })
    .await
}

/// Only port 22 is forbidden.
fn allowed() -> Allowed {
    Arc::new(|to: &Destination| if to.port == 22 { Err("not in the grant".to_owned()) } else { Ok(()) })
}

/// Curl's status and all that it said.
async fn curl(arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new("curl")
        .args(["-sS", "-m", "10", "-v"])
        .args(arguments)
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .expect("curl runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

struct Front {
    _sshd: Arc<Sshd>,
    forward: Forward,
    told: SeenEvents,
    web: Far,
}

impl Front {
    async fn new(ask: Arc<dyn Ask>) -> Self {
        let (sshd, told, web) = (Arc::new(Sshd::start()), SeenEvents::default(), web().await);
        let dial = Arc::new(ssh(options(&sshd, &SeenEvents::default())));
        let options = Options { tell: told.tell(), ..Options::default() };
        let forward = Forward::asking(ANY, ask, dial, options).expect("it listens");
        Self { _sshd: sshd, forward, told, web }
    }

    fn failed(&self) -> Vec<(Option<Destination>, String)> {
        let all = self.told.all().into_iter();
        all.filter_map(|news| match news {
            News::Failed { to, why } => Some((to, why)),
            _ => None,
        })
        .collect()
    }
}

async fn socks() {
    let front = Front::new(Arc::new(Socks::new(allowed()))).await;
    let (web, port) = (front.web.address.port(), front.forward.address().port());
    let proxy = format!("socks5h://127.0.0.1:{port}");
    for host in ["127.0.0.1", "localhost"] {
        let (status, said) = curl(&["-x", &proxy, &format!("http://{host}:{web}/")]).await;
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("insid"), "{said}");
    }
    // An address that curl itself looked up.
    let by_address = format!("socks5://127.0.0.1:{port}");
    let (status, said) = curl(&["-x", &by_address, &format!("http://127.0.0.1:{web}/")]).await;
    assert_eq!(status, Some(0), "{said}");
    assert!(front.failed().is_empty(), "{:?}", front.failed());

    // 97: the proxy says no. Its code is in the words.
    let (status, said) = curl(&["-x", &proxy, "http://127.0.0.1:22/"]).await;
    assert_eq!(status, Some(97), "{said}");
    assert!(said.contains("(2)"), "{said}");
    let (status, said) = curl(&["-x", &proxy, &format!("http://127.0.0.1:{}/", free_port())]).await;
    assert_eq!(status, Some(97), "{said}");
    assert!(said.contains("(5)"), "{said}");
    let (status, said) = curl(&["-x", &proxy, "http://nobody.invalid/"]).await;
    assert_eq!(status, Some(97), "{said}");
    assert!(said.contains("(4)"), "{said}");
    let (status, said) = curl(&["-x", &format!("socks4a://127.0.0.1:{port}"), "http://127.0.0.1:80/"]).await;
    assert_eq!(status, Some(97), "{said}");

    let failed = front.failed();
    let of = |port: u16| failed.iter().find(|(to, _)| to.as_ref().is_some_and(|to| to.port == port));
    assert!(of(22).expect("it is told").1.contains("not in the grant"), "{failed:?}");
    let name = Host::Name("nobody.invalid".to_owned());
    assert!(failed.iter().any(|(to, _)| to.as_ref().is_some_and(|to| to.host == name)), "{failed:?}");
    assert!(failed.iter().any(|(_, why)| why.contains("SOCKS 4")), "{failed:?}");
    let counts = front.forward.counts();
    assert_eq!((counts.turned_away, counts.failed, counts.total), (1, 3, 7), "{counts:?}");
}

async fn http() {
    let front = Front::new(Arc::new(HttpProxy::new(allowed()))).await;
    let (web, port) = (front.web.address.port(), front.forward.address().port());
    let proxy = format!("http://127.0.0.1:{port}");
    for host in ["127.0.0.1", "localhost"] {
        let (status, said) = curl(&["-p", "-x", &proxy, &format!("http://{host}:{web}/")]).await;
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("insid"), "{said}");
    }
    let (_, said) = curl(&["-x", &proxy, &format!("http://127.0.0.1:{web}/")]).await;
    assert!(said.contains("405 Method Not Allowed") && said.contains("only CONNECT"), "{said}");
    let check = |to: String, expected: &'static str| {
        let proxy = proxy.clone();
        async move {
            let (status, said) = curl(&["-p", "-x", &proxy, &to]).await;
            assert_eq!(status, Some(56), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    };
    check("http://127.0.0.1:22/".to_owned(), "403 Forbidden").await;
    check(format!("http://127.0.0.1:{}/", free_port()), "502 Bad Gateway").await;
    check("http://nobody.invalid/".to_owned(), "502 Bad Gateway").await;
}
