//! `doorward audit cloudtrail`: the audit log compared with CloudTrail, which shows sessions without a grant.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use doorward_aws::{Account, Trail, trail};
use doorward_core::audit::cloudtrail::{Row, Window, join};
use doorward_core::audit::{Event, Line};
use doorward_core::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Code, Failure, count};
use crate::bounded_file;
use crate::store::Store;

/// Compare the audit log with CloudTrail
///
/// The report lists the sessions that have a grant, the sessions that have none, and the grants that nobody used.
/// The reason of a session contains the ID of its grant, and so does the name of vended credentials. CloudTrail
/// allows two calls a second, so the API needs half a second for each page.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit cloudtrail
  doorward audit cloudtrail --since 2026-11-20T00:00:00Z --json
  doorward audit cloudtrail events.json     recorded `lookup-events` output

Exit code 0: every session has its grant. 1: a session has no grant, or does not match its grant.")]
pub struct CloudTrail {
    /// Files of CloudTrail: recorded `lookup-events` output, or log files of a trail; by default the API is called
    files: Vec<PathBuf>,
    /// Only events since this time; by default one day ago, or the first event in the files
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// Only events until this time; by default now, or the last event in the files
    #[arg(long, value_name = "INSTANT")]
    until: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lines that are read at a time.
const PAGE: u32 = 1000;

#[derive(Serialize)]
struct Report<'r> {
    from: Timestamp,
    to: Timestamp,
    rows: &'r [Row],
    gaps: &'r [String],
}

impl CloudTrail {
    pub async fn run(self, store: &Store, policy: &Policy) -> Result<ExitCode, Failure> {
        let now = Timestamp::now();
        let (seen, window) = if self.files.is_empty() {
            let day = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now);
            let window = Window { from: self.since.unwrap_or(day), to: self.until.unwrap_or(now) };
            (asked(policy, window).await?, window)
        } else {
            let seen = self.read()?;
            let times = || seen.calls.iter().map(|call| call.at);
            let window = Window {
                from: self.since.or(times().min()).unwrap_or(now),
                to: self.until.or(times().max()).unwrap_or(now),
            };
            (seen, window)
        };
        if window.from > window.to {
            return Err(Failure::new(Code::Usage, "`--since` is later than `--until`"));
        }
        let events = events(store).await?;
        let rows = join(&events, &seen.calls, window);
        self.print_report(&rows, &seen.gaps, window)?;
        let odd = |row: &Row| match row {
            Row::Alone { .. } => true,
            Row::Granted { doubts, .. } => !doubts.is_empty(),
            Row::Unused { .. } | Row::Refused { .. } => false,
        };
        if !seen.gaps.is_empty() && seen.calls.is_empty() {
            let what = "no CloudTrail events could be read, so nothing was compared";
            return Err(Failure::new(Code::Unavailable, what).details(&seen.gaps));
        }
        Ok(if rows.iter().any(odd) { Code::No.into() } else { ExitCode::SUCCESS })
    }

    fn read(&self) -> Result<Trail, Failure> {
        let mut seen = Trail::default();
        for path in &self.files {
            let bytes = bounded_file::input(path, bounded_file::LARGE).map_err(|error| {
                Failure::of(Code::of_io(&error), &error).context(format!("cannot read `{}`", path.display()))
            })?;
            let read = trail(&bytes).map_err(|error| {
                Failure::of(Code::Data, &error)
                    .context(format!("`{}` is no output of CloudTrail", path.display()))
            })?;
            seen.extend(read);
        }
        Ok(seen)
    }

    fn print_report(&self, rows: &[Row], gaps: &[String], window: Window) -> Result<(), Failure> {
        if self.json {
            return super::print(&super::json(&Report { from: window.from, to: window.to, rows, gaps })?);
        }
        let mut text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        for gap in gaps {
            super::note(&format!("not read: {gap}"));
        }
        let of = |test: fn(&Row) -> bool| rows.iter().filter(|row| test(row)).count();
        let granted = of(|row| matches!(row, Row::Granted { .. }));
        let alone = of(|row| matches!(row, Row::Alone { .. }));
        let unused = of(|row| matches!(row, Row::Unused { .. }));
        if !rows.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!(
            "{} with a grant, {alone} without one; {} that nobody used\n",
            count(granted, "session", "sessions"),
            count(unused, "grant", "grants")
        ));
        super::print(&text)
    }
}

/// The events of CloudTrail in each account and Region that sessions and SSH use.
async fn asked(policy: &Policy, window: Window) -> Result<Trail, Failure> {
    let account_regions = policy.ssm.iter().map(|ssm| &ssm.at).chain(policy.ssh.iter().map(|ssh| &ssh.at));
    let account_regions: std::collections::BTreeSet<_> = account_regions.collect();
    if account_regions.is_empty() {
        return Err(Failure::new(
            Code::No,
            "the policy has neither `[ssm]` nor `[ssh]`, so CloudTrail has no events of it",
        ));
    }
    let mut seen = Trail::default();
    for account_region in account_regions {
        let account = Account::connect(account_region).await.map_err(Failure::with(Code::Unavailable))?;
        seen.extend(account.trail(window).await);
    }
    Ok(seen)
}

async fn events(store: &Store) -> Result<Vec<Event>, Failure> {
    let (mut after, mut events) = (0, Vec::new());
    loop {
        let lines = store.lines(after, PAGE).await.map_err(Failure::with(Code::Io))?;
        let Some((last, _)) = lines.last() else { return Ok(events) };
        after = *last;
        for (_, text) in &lines {
            let line: Line = serde_json::from_str(text).map_err(|error| {
                Failure::of(Code::Data, &error)
                    .hint("`doorward audit verify` shows where the audit log was altered")
            })?;
            events.push(line.event);
        }
    }
}
