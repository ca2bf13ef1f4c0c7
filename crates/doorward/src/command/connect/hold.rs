//! Holds what is connected: until the grants end, the command ends, or somebody stops it.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use doorward_tunnel::news::News;
use jiff::Timestamp;
use tokio::process::{Child, Command};

use super::super::desk::Desk;
use super::super::{Code, Failure};
use super::Connect;
use super::held::{self, Held};
use super::show::{Show, TransportEvents};
use crate::requests::{Carried, State};

/// How often the grants are read: the tunnel of a grant that was revoked elsewhere is cut soon after.
const LOOK: Duration = Duration::from_secs(3);

/// How long the lines of a terminal stay as they are.
const REFRESH: Duration = Duration::from_secs(1);

/// Holds them all, and cuts them at the end.
pub async fn hold(
    connect: &Connect,
    desk: &Desk,
    held: Vec<Held>,
    mut news: TransportEvents,
    environment: Vec<(String, String)>,
    mut stopped: impl Future<Output = ()> + Unpin,
) -> Result<ExitCode, Failure> {
    let mut child = match started(&connect.exec, environment) {
        Ok(child) => child,
        Err(failure) => {
            held::end(desk, held, "the command did not start").await;
            return Err(failure);
        }
    };
    // Whose grant is over is let go of at once, and the others keep their numbers.
    let mut held: Vec<Option<Held>> = held.into_iter().map(Some).collect();
    let mut show = Show::new(held.len(), child.is_some() || connect.json);
    let (mut look, mut refresh) = (tokio::time::interval(LOOK), tokio::time::interval(REFRESH));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut unreachable = false;
    let (why, code) = loop {
        tokio::select! {
            () = &mut stopped => {
                let code = if child.is_some() { Code::Interrupted.into() } else { ExitCode::SUCCESS };
                break ("you stopped it", code);
            }
            status = ended(&mut child) => break ("its command ended", exit_code(status)),
            Some((number, happened)) = news.recv() => {
                if matches!(happened, News::Lost { .. }) {
                    // Whoever ended the grant may have ended its sessions, too.
                    look.reset_immediately();
                }
                if let Some(Some(held)) = held.get_mut(number) {
                    happen(desk, held, happened, &show).await;
                }
            }
            _ = refresh.tick() => {
                for (number, held) in held.iter().enumerate() {
                    if let Some(held) = held {
                        show.refresh(number, held).await;
                    }
                }
            }
            _ = look.tick() => {
                let seen = check_grants(desk, &mut held, &show).await;
                if seen.is_err() && !unreachable {
                    show.say("the grants cannot be read at the moment; connected targets stay connected until their grants expire");
                }
                unreachable = seen.is_err();
                if held.iter().all(Option::is_none) {
                    break ("the grant expired", ExitCode::SUCCESS);
                }
            }
        }
    };
    show.clear();
    if let Some(mut child) = child {
        // It has lost what it was started for. A process that is gone already needs no signal.
        let _ = child.start_kill();
        let _ = child.wait().await;
    }
    let all_over = held.iter().all(Option::is_none);
    held::end(desk, held.into_iter().flatten().collect(), why).await;
    if all_over && !connect.exec.is_empty() {
        return Err(Failure::new(Code::No, "the grant ended before the command"));
    }
    Ok(code)
}

/// Reads whether the grants are still open, and until when. A tunnel whose grant has ended is cut.
async fn check_grants(desk: &Desk, held: &mut [Option<Held>], show: &Show) -> Result<(), Failure> {
    let mut last = Ok(());
    let mut over = Vec::new();
    for (number, held) in held.iter_mut().enumerate() {
        let Some(held) = held else { continue };
        let how = match desk.grant(&held.access.grant).await {
            Ok(grant) if grant.state == State::Ended => {
                Some(grant.ended.unwrap_or_else(|| "the grant has ended".into()))
            }
            Ok(grant) => {
                if let Some(until) = grant.until.filter(|until| *until != held.access.until) {
                    held.bind(until);
                }
                None
            }
            Err(failure) => {
                last = Err(failure);
                None
            }
        };
        let time_up = || (Timestamp::now() >= held.access.until).then(|| "the grant expired".to_owned());
        if let Some(how) = how.or_else(time_up) {
            // The local connections are cut at once; closing the session at the remote end may take a moment.
            held.bind(Timestamp::UNIX_EPOCH);
            over.push((number, how));
        }
    }
    for (number, how) in over {
        if let Some(ended) = held.get_mut(number).and_then(Option::take) {
            show.forget(number);
            show.say(&ended.end(desk, &how, true).await);
        }
    }
    last
}

async fn happen(desk: &Desk, held: &mut Held, news: News, show: &Show) {
    match &news {
        News::Connecting { .. } | News::Connected { .. } | News::Ended { .. } => {}
        News::Reconnected { .. } => {
            held.reconnects += 1;
            show.say(&format!("{}: {news}", held.access.target));
            let carried =
                Carried::Reconnected { session: held.access.carrier.session(), why: news.to_string() };
            // The next end is recorded, too; a server that is away for a moment is no reason to stop.
            let _ = desk.carried(&held.access.grant, carried).await;
        }
        _ => show.say(&format!("{}: {news}", held.access.target)),
    }
}

fn started(exec: &[OsString], environment: Vec<(String, String)>) -> Result<Option<Child>, Failure> {
    let Some((program, arguments)) = exec.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments).envs(environment).kill_on_drop(true);
    let child = command.spawn().map_err(|error| {
        Failure::of(Code::of_io(&error), &error)
            .context(format!("`{}` did not start", program.to_string_lossy()))
    })?;
    Ok(Some(child))
}

/// Comes when the command has ended; never when there is none.
async fn ended(child: &mut Option<Child>) -> Option<ExitStatus> {
    match child {
        Some(child) => child.wait().await.ok(),
        None => std::future::pending().await,
    }
}

/// As a shell says it: its own code, or 128 and the signal.
fn exit_code(status: Option<ExitStatus>) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(status) = status else { return Code::Internal.into() };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
