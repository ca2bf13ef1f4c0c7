//! Who is let in, and whose key is believed: by OpenSSH's sshd, its agent and its files.

use std::sync::Arc;
use std::time::Duration;

use doorward_tunnel::dial::Dial as _;
use doorward_tunnel::news::{News, in_words};
use doorward_tunnel::ssh::known_hosts::KnownHostsFile;
use doorward_tunnel::ssh::login::Login;
use doorward_tunnel::ssh::{Options, SshError};
use libtest_mimic::Trial;

use crate::far::Far;
use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, dial, echoes, on_tokio, options, ssh};
use crate::sshd::{Sshd, keygen, run};

pub fn trials() -> Vec<Trial> {
    let sshd = &[Need::Sshd];
    vec![
        trial("keys: the pushed key lets us in, and only it", sshd, || on_tokio(pushed())),
        trial("keys: a wrong key is refused in words", sshd, || on_tokio(wrong_key())),
        trial("keys: an agent's key lets us in", sshd, || on_tokio(agent())),
        trial("keys: a host key that changed is refused", sshd, || on_tokio(changed_host_key())),
        trial("keys: the user's known hosts are believed", sshd, || on_tokio(known_hosts())),
    ]
}

async fn pushed() {
    let (sshd, told, far) = (Arc::new(Sshd::start()), SeenEvents::default(), Far::echo().await);
    let ssh = ssh(options(&sshd, &told));
    echoes(&mut dial(&ssh, &far).await, "hello\n").await;
    echoes(&mut dial(&ssh, &far).await, "again\n").await;
    assert_eq!(sshd.pushed(), 1, "one connection, one key");
    assert!(std::fs::read_to_string(sshd.path("authorized_keys")).unwrap().starts_with("ssh-ed25519 AAAA"));
    let told = told.all();
    assert!(matches!(told[0], News::Connecting { .. }), "{told:?}");
    assert!(matches!(told[1], News::Pinned { .. }), "{told:?}");
    assert!(matches!(told[2], News::Connected { .. }), "{told:?}");
    assert_eq!(ssh.close().await, 0);
    let after = ssh.dial(&far.address.into()).await.err().expect("it is closed");
    assert!(after.to_string().contains("closed"), "{after}");
}

async fn refused_login(sshd: &Arc<Sshd>, login: Login) -> String {
    let ssh = ssh(Options { login, ..options(sshd, &SeenEvents::default()) });
    let error = ssh.connect().await.expect_err("it is refused");
    assert!(matches!(*error, SshError::Login(_)), "{error:?}");
    in_words(&*error)
}

async fn wrong_key() {
    let sshd = Arc::new(Sshd::start());
    keygen(&sshd.path("mine"), "ed25519");
    let text = std::fs::read_to_string(sshd.path("mine")).unwrap();
    let mine = Login::key(&text, None).unwrap();
    let said = refused_login(&sshd, mine.clone()).await;
    assert!(said.contains("with the given key SHA256:"), "{said}");
    assert!(said.contains("publickey"), "{said}");
    sshd.authorize(&std::fs::read_to_string(sshd.path("mine.pub")).unwrap());
    ssh(Options { login: mine, ..options(&sshd, &SeenEvents::default()) })
        .connect()
        .await
        .expect("now it is let in");
    // An RSA key signs with a hash that the far side takes.
    keygen(&sshd.path("old"), "rsa");
    sshd.authorize(&std::fs::read_to_string(sshd.path("old.pub")).unwrap());
    let old = Login::key(&std::fs::read_to_string(sshd.path("old")).unwrap(), None).unwrap();
    ssh(Options { login: old, ..options(&sshd, &SeenEvents::default()) })
        .connect()
        .await
        .expect("RSA is let in");
}

/// An agent that ends with the test.
struct Agent(u32, std::path::PathBuf);

impl Agent {
    fn start(socket: std::path::PathBuf) -> Self {
        let said = run("ssh-agent", &["-a", socket.to_str().unwrap()], "");
        let id = said.split("SSH_AGENT_PID=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
        Self(id.parse().unwrap(), socket)
    }

    fn add(&self, key: &std::path::Path) {
        let added =
            std::process::Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.1).status();
        assert!(added.unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.0.to_string()).status();
    }
}

async fn agent() {
    let sshd = Arc::new(Sshd::start());
    let socket = sshd.path("agent");
    let said = refused_login(&sshd, Login::Agent(socket.clone())).await;
    assert!(said.contains("cannot ask the agent"), "{said}");
    let agent = Agent::start(socket.clone());
    let said = refused_login(&sshd, Login::Agent(socket.clone())).await;
    assert!(said.contains("has no key"), "{said}");
    for name in ["other", "mine"] {
        keygen(&sshd.path(name), "ed25519");
        agent.add(&sshd.path(name));
    }
    let said = refused_login(&sshd, Login::Agent(socket.clone())).await;
    assert!(said.contains("with the agent's key"), "{said}");
    sshd.authorize(&std::fs::read_to_string(sshd.path("mine.pub")).unwrap());
    let options = Options { login: Login::Agent(socket), ..options(&sshd, &SeenEvents::default()) };
    ssh(options).connect().await.expect("the second key is let in");
}

async fn changed_host_key() {
    let mut sshd = Sshd::start();
    let path = sshd.path("pins");
    let connect = |sshd: Sshd| async {
        let (mut sshd, told) = (Arc::new(sshd), SeenEvents::default());
        let ssh = ssh(options(&sshd, &told));
        let connected = ssh.connect().await;
        ssh.close().await;
        drop(ssh);
        let sshd = loop {
            // Its tasks let go of it a moment later.
            match Arc::try_unwrap(sshd) {
                Ok(sshd) => break sshd,
                Err(shared) => sshd = shared,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        (sshd, connected, told.all())
    };
    let told;
    (sshd, _, told) = connect(sshd).await;
    let pinned = told.iter().find(|news| matches!(news, News::Pinned { .. })).expect("it is said");
    let before = run("ssh-keygen", &["-lf", sshd.path("ed25519.pub").to_str().unwrap()], "");
    let before = before.split(' ').nth(1).unwrap().to_owned();
    assert!(pinned.to_string().contains(&before), "{pinned}");

    let (mut sshd, connected, told) = connect(sshd).await;
    connected.expect("it is known");
    assert!(!told.iter().any(|news| matches!(news, News::Pinned { .. })), "{told:?}");

    sshd.change_key("ed25519");
    sshd.stop();
    sshd.again();
    let after = run("ssh-keygen", &["-lf", sshd.path("ed25519.pub").to_str().unwrap()], "");
    let after = after.split(' ').nth(1).unwrap().to_owned();
    let pushed = sshd.pushed();
    let (sshd, connected, _) = connect(sshd).await;
    let error = connected.expect_err("it is refused");
    assert!(error.is_final(), "{error:?}");
    let said = in_words(&*error);
    for part in [&before, &after, &path.display().to_string()] {
        assert!(said.contains(part.as_str()), "{said}");
    }
    assert_eq!(sshd.pushed(), pushed, "no key is pushed for a host that is not the one");
}

async fn known_hosts() {
    let sshd = Arc::new(Sshd::start());
    let check = |line: String, hashed: bool| {
        let sshd = Arc::clone(&sshd);
        async move {
            let path = sshd.path("known_hosts");
            std::fs::write(&path, line).unwrap();
            if hashed {
                run("ssh-keygen", &["-q", "-H", "-f", path.to_str().unwrap()], "");
            }
            let host_keys = Arc::new(KnownHostsFile(path));
            let connected =
                ssh(Options { host_keys, ..options(&sshd, &SeenEvents::default()) }).connect().await;
            connected.map_err(|error| in_words(&*error))
        }
    };
    let name = format!("[127.0.0.1]:{}", sshd.address().port());
    check(format!("{name} {}\n", sshd.key("ed25519")), false).await.expect("known");
    check(format!("{name} {}\n", sshd.key("ed25519")), true).await.expect("known by a hashed name");
    // The key that is known is asked for, although the far side has better ones.
    check(format!("{name} {}\n", sshd.key("rsa")), false).await.expect("its RSA key is known");
    check(format!("{name} {}\n", sshd.key("ecdsa")), true).await.expect("its ECDSA key is known");
    let said = check(String::new(), false).await.expect_err("unknown");
    assert!(said.contains("the host key SHA256:"), "{said}");
    let revoked = format!("{name} {0}\n@revoked * {0}\n", sshd.key("ed25519"));
    let said = check(revoked, false).await.expect_err("revoked");
    assert!(said.contains("is revoked in"), "{said}");
}
