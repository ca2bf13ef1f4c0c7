//! `doorward audit list`: what happened, the latest first.

use std::process::ExitCode;

use clap::Args;
use doorward_core::audit::Line;
use doorward_core::grant::GrantId;
use doorward_core::policy::Person;
use doorward_core::text::{shown, shown_json};
use jiff::Timestamp;

use super::{PAGE, in_time};
use crate::command::{Code, Failure, instant, print};
use crate::store::Store;

/// List events, most recent first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit list
  doorward audit list --person jon --limit 20
  doorward audit list --grant g-k3v9t2m4x7q8 --json")]
pub(super) struct List {
    /// Only events of this person, and approvals of their requests
    #[arg(long)]
    person: Option<Person>,
    /// Only events of this grant
    #[arg(long)]
    grant: Option<GrantId>,
    /// Only events since this time, like 2026-11-22T00:00:00Z, or in this period until now, like `2h`
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// At most this many events
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let mut before = None;
        let mut listed = Vec::new();
        'pages: while listed.len() < self.limit {
            let lines = in_time(store.latest_lines(before, PAGE)).await?;
            if lines.is_empty() {
                break;
            }
            for (seq, text) in lines {
                before = Some(seq);
                let line: Line = serde_json::from_str(&text).map_err(|error| {
                    Failure::of(Code::Data, &error)
                        .hint("`doorward audit verify` shows where the audit log was altered")
                })?;
                if self.wants(&line) {
                    listed.push((text, line));
                }
                if listed.len() >= self.limit {
                    break 'pages;
                }
            }
        }
        let text: String = if self.json {
            listed.iter().map(|(text, _)| format!("{}\n", shown_json(text))).collect()
        } else if listed.is_empty() {
            "There are no entries.\n".into()
        } else {
            listed.iter().map(|(_, line)| in_words(line)).collect()
        };
        print(&text).map(|()| ExitCode::SUCCESS)
    }

    fn wants(&self, line: &Line) -> bool {
        let by = |person: &Person| {
            line.event.who.person() == Some(person) || line.event.what.holder() == Some(person)
        };
        self.since.is_none_or(|since| line.event.at >= since)
            && self.person.as_ref().is_none_or(by)
            && self.grant.as_ref().is_none_or(|grant| line.event.what.grant() == Some(grant))
    }
}

/// An instant, or how long ago it was.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let ago = doorward_core::policy::duration(text).ok();
    let instant = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    instant.ok_or_else(|| "write a time like 2026-11-22T00:00:00Z, or how long ago, like `2h`".into())
}

fn in_words(line: &Line) -> String {
    let event = &line.event;
    let from = event.from.map(|from| format!(" from {from}")).unwrap_or_default();
    let line = format!("{:>6}  {}  {}{from}  {}", line.seq, instant(event.at), event.who, event.what);
    shown(&line).into_owned() + "\n"
}
