//! Programs on the far side of an SSH connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorward_tunnel::ssh::shell::{Exit, Output, ProgramOutput, Signal, Size, Terminal};
use doorward_tunnel::ssh::{Options, SshError};
use libtest_mimic::Trial;

use crate::need::{Need, trial};
use crate::ssh::{SeenEvents, on_tokio, options, ssh};
use crate::sshd::{Sshd, user};

pub fn trials() -> Vec<Trial> {
    let sshd = &[Need::Sshd];
    vec![
        trial("shell: a command's output, errors and status come back", sshd, || on_tokio(command())),
        trial("shell: a command reads to the end of its input", sshd, || on_tokio(input())),
        trial("shell: a signal ends a command", &[Need::Sshd, Need::Postgres], || on_tokio(signal())),
        trial("shell: a terminal has a size, and another one", sshd, || on_tokio(terminal())),
        trial("shell: a connection that is killed is no end", sshd, || on_tokio(killed())),
    ]
}

/// All that comes until the end.
async fn all(output: &mut Output) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(said) = output.next().await.expect("it goes on") {
        match said {
            ProgramOutput::Out(bytes) => out.extend(bytes),
            ProgramOutput::Err(bytes) => err.extend(bytes),
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
}

async fn command() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let (_input, mut output) = ssh.exec("echo out; echo err >&2; exit 7", None).await.unwrap();
    assert_eq!(all(&mut output).await, ("out\n".to_owned(), "err\n".to_owned()));
    assert_eq!(*output.exit(), Exit::Status(7));
    let (_input, mut output) = ssh.exec("head -c 20000000 /dev/zero", None).await.unwrap();
    assert_eq!(all(&mut output).await.0.len(), 20_000_000);
    assert_eq!(*output.exit(), Exit::Status(0));
    drop(output);
    let forbidding = Arc::new(Sshd::with("PermitTTY no"));
    let ssh = crate::ssh::ssh(options(&forbidding, &SeenEvents::default()));
    let terminal = Terminal { kind: "xterm".to_owned(), size: Size { columns: 80, rows: 24 } };
    let refused = ssh.shell(Some(&terminal)).await.err().expect("it has no terminals");
    assert_eq!(refused.to_string(), "the server refused: a terminal");
}

async fn input() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let (input, mut output) = ssh.exec("cat", None).await.unwrap();
    let sending = tokio::spawn(async move {
        for _ in 0..100 {
            input.write(Bytes::from(vec![b'x'; 100_000])).await.unwrap();
        }
        input.end().await.unwrap();
        input
    });
    assert_eq!(all(&mut output).await.0.len(), 10_000_000);
    assert_eq!(*output.exit(), Exit::Status(0));
    sending.await.unwrap();
}

async fn signal() {
    let sshd = Arc::new(Sshd::with(if user() == "root" { "UsePAM yes" } else { "" }));
    // OpenSSH passes no signals on to root's programs; and without PAM nobody gets into an account without a password.
    let user = if user() == "root" { "postgres".to_owned() } else { user() };
    let ssh = ssh(Options { user, ..options(&sshd, &SeenEvents::default()) });
    let (input, mut output) = ssh.exec("echo ready; exec sleep 60", None).await.unwrap();
    assert_eq!(output.next().await.unwrap(), Some(ProgramOutput::Out(Bytes::from_static(b"ready\n"))));
    input.signal(Signal::Terminate).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), all(&mut output)).await;
    ended.expect("it ends");
    assert_eq!(*output.exit(), Exit::Signal("TERM".to_owned()));
}

async fn terminal() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let terminal = Terminal { kind: "xterm-256color".to_owned(), size: Size { columns: 91, rows: 33 } };
    let (input, mut output) =
        ssh.exec("echo $TERM; stty size; read line; stty size", Some(&terminal)).await.unwrap();
    let mut heard = String::new();
    while !heard.contains("33 91") {
        let Some(ProgramOutput::Out(bytes)) = output.next().await.unwrap() else { panic!("{heard}") };
        heard.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(heard.contains("xterm-256color"), "{heard}");
    input.resize(Size { columns: 120, rows: 40 }).await.unwrap();
    input.write(Bytes::from_static(b"\r")).await.unwrap();
    let (rest, _) = all(&mut output).await;
    assert!(rest.contains("40 120"), "{rest}");
    // The account's own shell, until Ctrl-D.
    let (input, mut output) = ssh.shell(Some(&terminal)).await.unwrap();
    input.write(Bytes::from_static(b"exit 3\r")).await.unwrap();
    all(&mut output).await;
    assert_eq!(*output.exit(), Exit::Status(3));
}

async fn killed() {
    let sshd = Arc::new(Sshd::start());
    let ssh = ssh(options(&sshd, &SeenEvents::default()));
    let (_input, mut output) = ssh.exec("echo ready; exec sleep 5", None).await.unwrap();
    output.next().await.unwrap();
    sshd.cut();
    let error = output.next().await.expect_err("it is lost");
    assert!(matches!(error, SshError::Lost { .. }), "{error}");
}
