//! Whole networks: SOCKS, an HTTP proxy, and a range.

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::{World, connect, policy, target};
use crate::desk::said;
use crate::need::{Need, find, trial};
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let range_needs = [Need::Moto, Need::Sshd, Need::Root, Need::Nft, Need::Ip];
    vec![
        trial(
            "connect: SOCKS lets reach what was granted, and nothing else",
            &[Need::Moto, Need::Sshd, Need::Curl],
            socks,
        ),
        trial("connect: a range is gone two seconds after kill -9", &range_needs, range),
    ]
}

fn socks() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::with_sshd("jump-socks", &sshd);
    let (listener, port) = http();
    let targets = target("inside", "127.0.0.0/30", &format!("tcp/{port}"), "\"ssh\"");
    let house = world.house(&policy("jump-socks", &targets));
    let (held, told) = connect(&house, &["inside", "--socks", "127.0.0.1:0", "--http-proxy", "127.0.0.1:0"]);
    let (socks, proxy) =
        (told[0]["socks"].as_str().expect("SOCKS"), told[0]["http_proxy"].as_str().expect("a proxy"));
    let curl = |proxy: &str, url: &str| {
        said(
            Command::new("curl")
                .args(["-s", "-S", "-m", "10", "-p", "-x", proxy, url])
                .output()
                .expect("curl"),
        )
    };
    for proxy in [format!("socks5h://{socks}"), format!("http://{proxy}")] {
        curl(&proxy, &format!("http://127.0.0.1:{port}/")).is(0, &["through"], &[]);
        // Another port, and another network, though the far side would get there.
        for url in
            [format!("http://127.0.0.1:{}/", sshd.address().port()), format!("http://127.0.0.9:{port}/")]
        {
            assert_ne!(curl(&proxy, &url).code, 0, "{url}");
        }
    }
    held.signal("INT");
    let ended = held.ends();
    assert!(
        ended.err.contains("the grant does not include that destination")
            && ended.err.contains("does not include tcp/"),
        "{ended:?}"
    );
    drop(listener);
    Ok(())
}

/// A page on a port of this machine.
fn http() -> (std::thread::JoinHandle<()>, u16) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let served = std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nthrough\n");
        }
    });
    (served, port)
}

fn range() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::with_sshd("jump-range", &sshd);
    // Nobody is there: what counts is what stands in the kernel, and that it goes. It is a network for documentation.
    let house = world.house(&policy("jump-range", &target("inside", "203.0.113.0/24", "tcp/80", "\"ssh\"")));
    let tables = || {
        let listed = Command::new(find("nft").expect("nft")).args(["list", "tables"]).output().expect("nft");
        String::from_utf8_lossy(&listed.stdout).matches("doorward-range-").count()
    };
    let before = tables();
    let (mut held, told) = connect(&house, &["inside", "--range", "auto"]);
    assert_eq!(told[0]["range"], "203.0.113.0/24");
    assert_eq!(tables(), before + 1);
    held.0.kill()?;
    held.0.wait()?;
    let begun = Instant::now();
    while tables() > before {
        assert!(begun.elapsed() < Duration::from_secs(2), "the table stands two seconds after kill -9");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
