//! `doorward audit`: the audit log, listed, verified, exported and accepted.

mod accept;
mod export;
mod list;
mod verify;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use doorward_core::audit::{Event, What, Who};
use jiff::Timestamp;

use super::cloudtrail::CloudTrail;
use super::{Code, Failure, backend};
use crate::clock::Clock;
use crate::requests::Requests;
use crate::store::{self, AuditFiles};
use accept::Accept;
use export::Export;
use list::List;
use verify::Verify;

/// Read, verify and export the audit log
///
/// Reading the audit log is recorded in it, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit list --person jon
  doorward audit verify
  doorward audit export > audit.jsonl
  doorward audit cloudtrail")]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(List),
    Verify(Verify),
    Export(Export),
    Accept(Accept),
    #[command(name = "cloudtrail")]
    CloudTrail(CloudTrail),
}

/// Lines that are read at a time.
const PAGE: u32 = 1000;

impl Audit {
    /// Lists, verifies, exports or accepts.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Verify(verify) if verify.file.is_some() => {
                let file = verify.file.clone().unwrap_or_default();
                verify.run_on_file(&file)
            }
            verb => super::runtime()?.block_on(async {
                let file = Arc::new(super::open_policy(policy)?);
                let policy = Arc::clone(&file.current().policy);
                let store = &file.current().policy.server.store;
                // Opening would make one, whose record is empty and therefore whole; or say that there was one.
                if !store::is_there(store) && !AuditFiles::of(&policy, file.path()).head.exists() {
                    let failure = Failure::new(Code::NoInput, format!("the store `{store}` does not exist"));
                    return Err(failure.hint(
                        "`doorward serve` creates it; choose the policy that names it with `--policy`",
                    ));
                }
                let opening = crate::running::requests(file, Clock::system());
                let Ok(opened) = tokio::time::timeout(OPENS, opening).await else { return Err(late()) };
                let (requests, _nudged) = opened?;
                let store = requests.app().store();
                let done = match verb {
                    Verb::List(list) => match read(&requests).await {
                        Ok(()) => list.run(store).await,
                        Err(failure) => Err(failure),
                    },
                    Verb::Export(export) => match read(&requests).await {
                        Ok(()) => export.run(store).await,
                        Err(failure) => Err(failure),
                    },
                    Verb::Verify(verify) => verify.run(store).await,
                    Verb::Accept(accept) => accept.run(store).await,
                    Verb::CloudTrail(cloudtrail) => match read(&requests).await {
                        Ok(()) => cloudtrail.run(store, &policy).await,
                        Err(failure) => Err(failure),
                    },
                };
                // A statement that is not over keeps its connection; the process ends all the same.
                let _ = tokio::time::timeout(CLOSES, store.close()).await;
                done
            }),
        }
    }
}

/// How long the store may take to open, to answer and to close.
const OPENS: Duration = Duration::from_secs(120);
const ANSWERS: Duration = Duration::from_secs(60);
const CLOSES: Duration = Duration::from_secs(2);

/// What is asked of the store, given up after a time.
async fn in_time<T>(asked: impl Future<Output = Result<T, store::Error>>) -> Result<T, Failure> {
    let answer = tokio::time::timeout(ANSWERS, asked).await.map_err(|_| late())?;
    answer.map_err(Failure::with(Code::Io))
}

/// A failure that says all that was found; none where nothing was.
fn found<'a>(faults: impl IntoIterator<Item = &'a String>) -> Option<Failure> {
    let mut faults = faults.into_iter();
    let failure = Failure::new(Code::No, faults.next()?);
    Some(failure.details(faults.map(|other| format!("also: {other}"))))
}

fn late() -> Failure {
    Failure::of(Code::Io, &store::Error::Late).hint(
        "another process may hold a lock, or somebody added what never ends: `doorward audit verify` names it",
    )
}

/// Records in the audit log that it is read, before it is.
async fn read(requests: &Requests) -> Result<(), Failure> {
    let event = Event::new(Timestamp::now(), local_user(), What::RecordRead);
    let recorded = tokio::time::timeout(ANSWERS, requests.record(vec![event])).await;
    let recorded = recorded.unwrap_or(Err(store::Error::Late.into()));
    recorded.map_err(|error| {
        Failure::of(Code::Io, &error)
            .context("this access could not be recorded in the audit log, so nothing is shown")
    })
}

/// Whoever runs this, by the name that the machine gives them: nobody asked for a password.
pub(super) fn local_user() -> Who {
    let login = backend::login();
    match login.user.as_deref().map(str::parse) {
        Some(Ok(name)) => Who::Unproved { name, login },
        _ => Who::Claimed(login.to_string().chars().take(63).collect()),
    }
}
