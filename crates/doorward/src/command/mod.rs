//! The verbs, a file each, and what all of them share: how they print, fail and stop.

mod access;
mod account;
mod adopt;
mod answer;
mod apply;
mod audit;
mod backend;
mod check;
mod close;
mod cloudtrail;
mod completions;
mod confirm;
mod connect;
mod demo;
mod desk;
mod destroy;
mod doctor;
mod documents;
mod env;
mod export;
mod failure;
mod group;
mod help;
mod iam;
mod inspect;
mod intents;
mod inventory;
mod list;
mod login;
mod named;
mod open;
mod plan;
mod prices;
mod printer;
mod progress;
mod proxy_command;
mod range_watchdog;
mod raw_terminal;
pub(crate) mod reach;
mod relocate;
mod serve;
mod sessions;
mod shell;
mod ssh;
mod ssh_server_config;
mod stopping;
mod sweep;
mod terminal;
mod token;
mod user;
mod whoami;
mod wrapped;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use doorward_core::decision::Refusal;
use doorward_core::policy::Transport;
use doorward_core::text::shown;
use jiff::{SignedDuration, Timestamp};

use failure::FailureView;
pub use failure::{Code, Failure};
use named::Named;
use printer::{json, note, print};
pub use serve::serve;

use crate::client;
use crate::logging::{self, Log};
use crate::policy_file::PolicyFile;
use crate::requests::Error;

/// The policy file, where none is named.
const POLICY: &str = "doorward.toml";

/// Give people short-lived, audited access to a private AWS network
///
/// Doorward opens a target for one person for a limited time, and writes each access to an audit log. It also
/// answers who can reach what in an AWS account, and why.
#[derive(Debug, Parser)]
#[command(
    name = "doorward",
    version,
    max_term_width = 100,
    help_template = help::template(),
    after_help = "Examples:
  doorward demo
  doorward login https://doorward.example.org
  doorward open orders-db --for 2h
  doorward connect orders-db

Exit codes:
  0    success
  1    denied, check failed, or traffic blocked
  2    waiting for approval; of `reach`: part of the traffic is allowed;
       of `plan`: there are changes
  3    of `reach`: undetermined, because parts of the inventory are missing
  64   error in the command line
  65   error in the policy, the password file or the group file
  66   an input file does not exist or cannot be read
  69   AWS, the server or a firewall did not respond, or returned an error
  70   internal error of Doorward
  73   a file could not be created
  74   reading or writing failed
  77   not signed in, or no permission on this machine
  130  interrupted"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[arg(skip)]
    policy_is_named: Named,
    #[command(subcommand)]
    verb: Verb,
}

/// The options of every verb.
#[derive(Debug, Args)]
struct Global {
    /// The policy file
    #[arg(
        long,
        global = true,
        env = "DOORWARD_POLICY",
        hide_env_values = true,
        default_value = POLICY,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    policy: PathBuf,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a second text here would be shown instead of the verb's own")]
enum Verb {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Check(check::Check),
    User(user::User),
    Group(group::GroupCommand),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(whoami::Whoami),
    Sessions(sessions::Sessions),
    Password(sessions::Password),
    #[command(visible_aliases = ["extend", "request"])]
    Open(open::Open),
    #[command(visible_alias = "revoke")]
    Close(close::Close),
    #[command(name = "move")]
    Relocate(relocate::Relocate),
    #[command(visible_alias = "status")]
    List(list::List),
    Approve(answer::Approve),
    #[command(visible_alias = "deny")]
    Reject(answer::Reject),
    Connect(Box<connect::Connect>),
    Ssh(Box<ssh::Ssh>),
    Shell(Box<shell::Shell>),
    ProxyCommand(Box<proxy_command::ProxyCommand>),
    SshConfig(proxy_command::SshConfig),
    SshServerConfig(ssh_server_config::SshServerConfig),
    Token(token::Token),
    Doctor(doctor::Doctor),
    Documents(documents::Documents),
    Sweep(sweep::Sweep),
    Reach(reach::Reach),
    Audit(audit::Audit),
    Iam(iam::Iam),
    Inventory(inventory::InventoryCommand),
    Inspect(inspect::Inspect),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Destroy(destroy::Destroy),
    Env(env::Env),
    Prices(prices::Prices),
    Adopt(adopt::Adopt),
    Export(export::Export),
    Completions(completions::Completions),
    Manual(completions::Manual),
    #[command(hide = true)]
    RangeWatchdog(range_watchdog::RangeWatchdog),
}

impl Verb {
    /// The options that choose the backend, of a verb that has them.
    fn backend(&self) -> Option<&backend::BackendOptions> {
        Some(match self {
            Self::Open(verb) => &verb.backend,
            Self::Close(verb) => &verb.backend,
            Self::Relocate(verb) => &verb.backend,
            Self::List(verb) => &verb.backend,
            Self::Approve(verb) => &verb.backend,
            Self::Reject(verb) => &verb.backend,
            Self::Connect(verb) => &verb.asking.backend,
            Self::Ssh(verb) => &verb.asking.backend,
            Self::Shell(verb) => &verb.asking.backend,
            Self::ProxyCommand(verb) => &verb.asking.backend,
            Self::Doctor(verb) => &verb.asking.backend,
            Self::SshConfig(verb) => &verb.backend,
            Self::Token(verb) => &verb.backend,
            Self::Whoami(verb) => &verb.backend,
            _ => return None,
        })
    }

    fn reads_a_policy(&self) -> bool {
        !matches!(
            self,
            Self::Demo(_)
                | Self::Login(_)
                | Self::Logout(_)
                | Self::Completions(_)
                | Self::Manual(_)
                | Self::RangeWatchdog(_)
        )
    }
}

impl Cli {
    /// Reads the arguments of this process.
    pub fn read() -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches()?;
        let cli = Self::from_arg_matches(&matches)?;
        Ok(Self { policy_is_named: Named::by(matches.value_source("policy")), ..cli })
    }

    /// What is logged, and how: as the server is told, or as the variable DOORWARD_LOG says.
    pub fn log(&self) -> Result<Log, Failure> {
        if let Verb::Serve(verb) = &self.verb {
            return Ok(verb.log());
        }
        let level = match std::env::var("DOORWARD_LOG") {
            Ok(text) if !text.trim().is_empty() => {
                let wrong = |why: String| {
                    Failure::new(
                        Code::Usage,
                        format!("`{text}` in the variable DOORWARD_LOG is no log level"),
                    )
                    .hint(why)
                };
                Some(logging::level(&text).map_err(wrong)?)
            }
            // The demo prints what to try; only errors of the log belong next to that.
            _ if matches!(self.verb, Verb::Demo(_)) => Some("error".into()),
            _ => None,
        };
        Ok(Log { level, ..Log::default() })
    }

    /// Runs the verb; answers with its exit code.
    pub fn run(self) -> Result<ExitCode, Failure> {
        let done = |()| ExitCode::SUCCESS;
        let policy = self.global.policy.as_path();
        let backend = self.verb.backend();
        if self.policy_is_named == Named::OnTheCommandLine
            && let Some(backend) = backend
        {
            backend.reads_the_policy_named()?;
        }
        if self.verb.reads_a_policy() && !backend.is_some_and(backend::BackendOptions::is_a_server) {
            self.policy_is_named.check(policy, matches!(self.verb, Verb::Serve(_) | Verb::Check(_)))?;
        }
        match self.verb {
            Verb::Demo(verb) => verb.run().map(done),
            Verb::Serve(verb) => verb.run(policy).map(done),
            Verb::Check(verb) => verb.run(policy),
            Verb::User(verb) => verb.run(policy),
            Verb::Group(verb) => verb.run(policy),
            Verb::Login(verb) => verb.run().map(done),
            Verb::Logout(verb) => verb.run().map(done),
            Verb::Whoami(verb) => verb.run(policy).map(done),
            Verb::Sessions(verb) => verb.run().map(done),
            Verb::Password(verb) => verb.run().map(done),
            Verb::Open(verb) => verb.run(policy),
            Verb::Close(verb) => verb.run(policy).map(done),
            Verb::Relocate(verb) => verb.run(policy).map(done),
            Verb::Connect(verb) => verb.run(policy),
            Verb::Ssh(verb) => verb.run(policy),
            Verb::Shell(verb) => verb.run(policy),
            Verb::ProxyCommand(verb) => verb.run(policy),
            Verb::SshConfig(verb) => verb.run(policy).map(done),
            Verb::SshServerConfig(verb) => verb.run(policy).map(done),
            Verb::Doctor(verb) => verb.run(policy),
            Verb::Documents(verb) => verb.run(policy),
            Verb::Token(verb) => verb.run(policy).map(done),
            Verb::List(verb) => verb.run(policy).map(done),
            Verb::Approve(verb) => verb.run(policy).map(done),
            Verb::Reject(verb) => verb.run(policy).map(done),
            Verb::Sweep(verb) => verb.run(policy).map(done),
            Verb::Reach(verb) => verb.run(policy),
            Verb::Audit(verb) => verb.run(policy),
            Verb::Iam(verb) => verb.run(policy),
            Verb::Inventory(verb) => verb.run(policy).map(done),
            Verb::Inspect(verb) => verb.run(policy),
            Verb::Plan(verb) => verb.run(policy),
            Verb::Apply(verb) => verb.run(policy),
            Verb::Destroy(verb) => verb.run(policy),
            Verb::Env(verb) => verb.run(policy),
            Verb::Prices(verb) => verb.run(policy).map(done),
            Verb::Adopt(verb) => verb.run(policy).map(done),
            Verb::Export(verb) => verb.run(policy).map(done),
            Verb::Completions(verb) => verb.run().map(done),
            Verb::Manual(verb) => verb.run().map(done),
            Verb::RangeWatchdog(verb) => verb.run().map(done),
        }
    }
}

/// Reads a policy with its people, or reports every error in them.
fn open_policy(policy: &Path) -> Result<PolicyFile, Failure> {
    Ok(PolicyFile::open(policy)?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    open_files();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::with(Code::Internal))
}

/// Raises the limit of open files as far as the system allows: each forwarded connection needs two.
fn open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let files = getrlimit(Resource::Nofile);
    let most = rustix::process::Rlimit { current: files.maximum, ..files };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
}

/// Ready at Ctrl-C and at SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler SIGTERM ends the process by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Ready as well when the terminal is closed.
async fn interrupted_or_left() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return interrupted().await };
    tokio::select! {
        () = interrupted() => {}
        _ = hangup.recv() => {}
    }
}

/// `1 error`, `2 errors`.
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A table whose columns are as wide as they have to be; the last is never padded. A cell is one line.
fn table(titles: &[&str], rows: Vec<Vec<String>>) -> String {
    let one_line = |cells: Vec<String>| cells.iter().map(|cell| shown(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(one_line).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(&mut titles.iter().copied());
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// An instant as people read it, to the second, in UTC.
fn instant(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What is left until an instant; a second that has begun counts.
fn left(until: Timestamp, now: Timestamp) -> String {
    let left = until.duration_since(now).saturating_add(SignedDuration::from_millis(999));
    in_words(SignedDuration::from_secs(left.as_secs().max(0)))
}

fn in_words(duration: SignedDuration) -> String {
    doorward_core::policy::in_words(duration)
}

fn transport(text: &str) -> Result<Transport, String> {
    let carried = || Transport::ALL.into_iter().filter(|transport| transport.is_supported());
    let named = carried().find(|transport| transport.to_string() == text);
    named.ok_or_else(|| {
        let names: Vec<String> = carried().map(|transport| format!("`{transport}`")).collect();
        format!(
            "`{text}` is not a transport that this version supports; the transports are {}",
            names.join(", ")
        )
    })
}

fn request_failure(error: Error) -> Failure {
    match error {
        Error::Refused(refusals) => {
            let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            let away = |refusal: &Refusal| matches!(refusal, Refusal::Unavailable { cause, .. } if cause.is_temporary());
            let code = if refusals.iter().any(away) { Code::Unavailable } else { Code::No };
            let hint = refusals.iter().find_map(Refusal::hint);
            let hint = hint.unwrap_or_else(|| "`doorward list` shows what you may open".into());
            Failure::new(code, lines.join("\n")).hint(hint)
        }
        error @ (Error::NoSuchGrant(_) | Error::TooManyBytes { .. }) => {
            Failure::of(Code::No, &error).hint("`doorward list` shows what is open")
        }
        Error::Changed(ref grant, ref seen) | Error::OpensOther { ref grant, ref seen, .. } => {
            let hint = format!(
                "read the request again; to approve that, run `doorward approve {} --seen {seen}`",
                grant.id()
            );
            Failure::of(Code::No, &error).hint(hint)
        }
        error @ (Error::Store(_) | Error::Unwritten { .. }) => Failure::of(Code::Io, &error),
        error @ Error::Random(_) => Failure::of(Code::Internal, &error),
    }
}

/// Whether a server could not be reached because its certificate is not trusted. The library has only a text for it.
fn untrusted(error: &client::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("peer certificate"))
}

fn server_failure(error: client::Error) -> Failure {
    match error {
        client::Error::Refused { status, message, hint } => {
            let code = match status {
                401 => Code::NoPermission,
                400..500 => Code::No,
                _ => Code::Unavailable,
            };
            Failure::new(code, message).hint_of(hint)
        }
        error @ client::Error::NotSignedIn => {
            Failure::of(Code::NoPermission, &error).hint("sign in with `doorward login URL`")
        }
        error @ client::Error::Unreachable { .. } if untrusted(&error) => {
            Failure::of(Code::Unavailable, &error).hint(
                "this machine does not trust the server's certificate; set SSL_CERT_FILE to a file with the certificate of its authority",
            )
        }
        error @ (client::Error::Unreachable { .. } | client::Error::Foreign { .. }) => {
            Failure::of(Code::Unavailable, &error)
                .hint("check that the URL is right, and that `doorward serve` runs there")
        }
        error @ client::Error::InClear { .. } => Failure::of(Code::Usage, &error)
            .hint("write `https://…`; if you accept that others on the path can read it: `doorward login --insecure URL`"),
        error @ client::Error::Redirected { .. } => Failure::of(Code::Unavailable, &error)
            .hint("nothing was sent there; if that is your server, run `doorward login` with its URL"),
        error @ client::Error::Exposed(_) => Failure::of(Code::NoPermission, &error)
            .hint("`doorward logout` ends the session and `doorward login URL` starts another; or `chmod 600` the file, if nobody else wrote it"),
        error @ (client::Error::NotAUrl(_) | client::Error::NotASession(_)) => {
            Failure::of(Code::Usage, &error)
        }
        error @ client::Error::File { .. } => {
            Failure::of(Code::Io, &error).hint("`doorward login URL` creates it again")
        }
        error @ client::Error::NoHome => Failure::of(Code::Io, &error),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    /// Every help text of a command and of what is below it, with the words that it is shown by.
    fn texts(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
        let path = format!("{path} {}", command.get_name());
        let shown = [command.get_after_help(), command.get_after_long_help(), command.get_long_about()];
        found.extend(shown.into_iter().flatten().map(|text| (path.clone(), text.to_string())));
        command.get_subcommands().for_each(|below| texts(below, &path, found));
    }

    #[test]
    fn a_transport_that_this_version_does_not_support_is_refused_with_those_that_it_does() {
        assert!(super::transport("ssm").is_ok());
        let refused = super::transport("wireguard").expect_err("not yet");
        assert_eq!(
            refused,
            "`wireguard` is not a transport that this version supports; the transports are `direct`, `ssm`, `ssh`"
        );
    }

    /// A terminal breaks the lines: what is broken already is broken twice. Lists and examples begin with a space.
    #[test]
    fn a_sentence_of_a_help_text_is_one_line() {
        let mut found = Vec::new();
        texts(&Cli::command(), "", &mut found);
        assert!(found.len() > 20, "{}", found.len());
        for (path, text) in found {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let [line, next] = pair else { continue };
                let prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let ends = line.ends_with(['.', ':', '!', '?', ')']);
                assert!(!prose(line) || !prose(next) || ends, "{path}: {line:?} goes on in {next:?}");
            }
        }
    }
}
