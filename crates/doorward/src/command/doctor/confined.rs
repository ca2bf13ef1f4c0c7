//! Whether the jump host confines people to the targets, tried as somebody would who wants more.

use std::time::Duration;

use doorward_core::policy::Transport;
use doorward_tunnel::dial::{Destination, DialError, Host};
use doorward_tunnel::ssh::shell::{Output, ProgramOutput};
use doorward_tunnel::ssh::{Extra, Ssh};

use super::super::access::Access;
use super::{Link, State};
use crate::requests::By;

/// How long each try may take.
const ANSWERS: Duration = Duration::from_secs(10);

/// A command whose output is no part of it, so that what only repeats the command runs nothing.
const COMMAND: &str = "echo door''ward-was-here";
const OUTPUT: &[u8] = b"doorward-was-here";

/// The most that is read of what a program says.
const MOST: usize = 64 << 10;

/// Tries a command, a shell, a connection that was not granted and what else an sshd may give; nothing where the grant
/// goes by no SSH.
pub async fn tried(access: &Access) -> Vec<Link> {
    let (By::Ssh(machine), Some(ssh), Transport::Ssh) =
        (&access.through.by, access.carrier.ssh(), access.transport)
    else {
        return Vec::new();
    };
    let (user, port) =
        match machine.then.as_deref().and_then(|then| then.parse::<doorward_core::policy::Hop>().ok()) {
            Some(hop) => (hop.user.to_string(), hop.port),
            None => (machine.user.clone(), machine.port),
        };
    let mut links = vec![shell(ssh, &user).await, forwarding(access, port).await];
    for extra in Extra::ALL {
        links.push(given(ssh, extra).await);
    }
    links
}

/// What else the words of an sshd's configuration give to who logs in.
async fn given(ssh: &Ssh, extra: Extra) -> Link {
    let (link, gives) = match extra {
        Extra::Remote => ("listening", "can forward ports of the jump host to their own machine"),
        Extra::Sockets => ("sockets", "can reach Unix sockets of the jump host"),
        Extra::Agent => ("agent keys", "can forward their SSH agent to the jump host"),
        Extra::X11 => ("X11", "can forward X11 to the jump host"),
        Extra::Terminal => ("terminal", "can get a terminal on the jump host"),
    };
    // A refusal does not say whether it is one.
    let none = match extra {
        Extra::Sockets => "none of the usual ones can be reached",
        _ => "not allowed by the jump host",
    };
    match ssh.gives(extra).await {
        Ok(false) => Link { link, state: State::Whole, found: none.into(), fix: None },
        Ok(true) => {
            let found = format!("a person with the grant {gives}");
            Link { link, state: State::Worn, found, fix: Some(fix()) }
        }
        Err(_) => {
            let found = "the jump host did not say whether it allows that".to_owned();
            Link { link, state: State::Unseen, found, fix: None }
        }
    }
}

async fn shell(ssh: &Ssh, user: &str) -> Link {
    let link = "shell";
    let runs = tokio::time::timeout(ANSWERS, async { command_runs(ssh).await || shell_runs(ssh).await });
    match runs.await {
        Ok(false) => Link { link, state: State::Whole, found: "none on the jump host".into(), fix: None },
        Ok(true) => {
            let found = format!("a person with the grant can run commands on the jump host as {user}");
            Link { link, state: State::Worn, found, fix: Some(fix()) }
        }
        Err(_) => {
            let found = "the jump host did not say whether it runs commands".to_owned();
            Link { link, state: State::Unseen, found, fix: None }
        }
    }
}

fn fix() -> String {
    "`doorward ssh-server-config` prints the configuration that confines it".to_owned()
}

async fn command_runs(ssh: &Ssh) -> bool {
    match ssh.exec(COMMAND, None).await {
        Ok((_, output)) => says(output).await,
        Err(_) => false,
    }
}

async fn shell_runs(ssh: &Ssh) -> bool {
    let Ok((input, output)) = ssh.shell(None).await else { return false };
    let typed = format!("{COMMAND}\nexit\n");
    // A program that is over already takes nothing, and its output decides.
    let _ = input.write(typed.into()).await;
    let _ = input.end().await;
    says(output).await
}

async fn says(mut output: Output) -> bool {
    let mut said = Vec::new();
    while let Ok(Some(ProgramOutput::Out(bytes) | ProgramOutput::Err(bytes))) = output.next().await {
        said.extend_from_slice(&bytes);
        if said.windows(OUTPUT.len()).any(|window| window == OUTPUT) {
            return true;
        }
        if said.len() > MOST {
            break;
        }
    }
    false
}

/// To the sshd of the jump host itself, which responds in any case: this connection uses it.
async fn forwarding(access: &Access, port: u16) -> Link {
    let link = "forwarding";
    let is_granted = access.through.address.as_deref().is_some_and(|address| address == "localhost");
    let to = Destination { host: Host::Name("localhost".into()), port };
    if is_granted {
        let found = "the target is the jump host itself".to_owned();
        return Link { link, state: State::Unseen, found, fix: None };
    }
    match tokio::time::timeout(ANSWERS, access.carrier.dial.dial(&to)).await {
        // What it only tried to reach it may reach.
        Ok(Ok(_) | Err(DialError::Refused { .. })) => {
            let found =
                format!("a person with the grant can reach more than the target from the jump host: {to}");
            Link { link, state: State::Worn, found, fix: Some(fix()) }
        }
        Ok(Err(DialError::Unreachable { why, .. })) if why.contains("forbids it") => {
            let found = "only to what was granted".to_owned();
            Link { link, state: State::Whole, found, fix: None }
        }
        _ => {
            let found = format!("the jump host did not say whether it forwards to {to}");
            Link { link, state: State::Unseen, found, fix: None }
        }
    }
}
