//! `doorward audit`: the record, listed, verified and exported.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use doorward_core::audit::{Broken, Head, Line, Verifier};
use doorward_core::grant::GrantId;
use doorward_core::policy::Person;
use doorward_core::text::{shown, shown_json};
use jiff::Timestamp;

use super::cloudtrail::CloudTrail;
use super::{Code, Failure};
use crate::clock::Clock;
use crate::store::{self, Store};

/// Read, verify and export the record
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit list --person jon
  doorward audit verify
  doorward audit export > record.jsonl
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
    #[command(name = "cloudtrail")]
    CloudTrail(CloudTrail),
}

/// List what happened, the latest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit list
  doorward audit list --person jon --limit 20
  doorward audit list --grant g-k3v9t2m4x7q8 --json")]
struct List {
    /// Only what this person did
    #[arg(long)]
    person: Option<Person>,
    /// Only what concerns this grant
    #[arg(long)]
    grant: Option<GrantId>,
    /// Only since this instant, like 2026-11-22T00:00:00Z, or for so long, like `2h`
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// At most so many lines
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Check that no line was changed, removed or moved
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit verify
  doorward audit verify record.jsonl --head 128:9f2c…

Without a file the store's whole record is checked up to its head. A file by itself cannot tell whether its \
last lines were cut off: give the head that `export` printed. \
Exit code 0: whole. 1: broken, and where is said.")]
struct Verify {
    /// An exported record
    file: Option<PathBuf>,
    /// Where it has to end: NUMBER:HASH, as `export` printed it
    #[arg(long, requires = "file", value_parser = head)]
    head: Option<Head>,
}

/// Write the record as JSON lines
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit export > record.jsonl
  doorward audit export --after 128 >> record.jsonl

The head (where the record ends) is printed to standard error; keep it apart from the record.")]
struct Export {
    /// Only lines behind this one
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: u64,
}

fn head(text: &str) -> Result<Head, String> {
    let not = || format!("`{text}` is not a head (like `128:` and 64 hexadecimal digits)");
    let (seq, hash) = text.split_once(':').ok_or_else(not)?;
    Ok(Head { seq: seq.parse().map_err(|_| not())?, hash: hash.parse().map_err(|_| not())? })
}

impl Audit {
    /// Lists, verifies or exports.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Verify(Verify { file: Some(file), head }) => verify_file(&file, head),
            verb => super::runtime()?.block_on(async {
                let file = Arc::new(super::open_policy(policy)?);
                let policy = Arc::clone(&file.current().policy);
                let store = &file.current().policy.server.store;
                // Opening would make one, whose record is empty and therefore whole.
                if !store::is_there(store) {
                    let failure = Failure::new(Code::NoInput, format!("there is no store at `{store}`"));
                    return Err(
                        failure.hint("`doorward serve` makes it; `--policy` says which policy names it")
                    );
                }
                let opened = crate::running::requests(file, Clock::system()).await;
                let (requests, _nudged) = opened.map_err(Failure::with(Code::Io))?;
                let store = requests.store();
                let done = match verb {
                    Verb::List(list) => list.run(store).await,
                    Verb::Verify(_) => verify_store(store).await,
                    Verb::Export(export) => export.run(store).await,
                    Verb::CloudTrail(cloudtrail) => cloudtrail.run(store, &policy).await,
                };
                store.close().await;
                done
            }),
        }
    }
}

/// Lines that are read at a time.
const PAGE: u32 = 1000;

impl List {
    async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let mut before = None;
        let mut listed = Vec::new();
        'pages: while listed.len() < self.limit {
            let lines = store.latest_lines(before, PAGE).await.map_err(Failure::with(Code::Io))?;
            if lines.is_empty() {
                break;
            }
            for (seq, text) in lines {
                before = Some(seq);
                let line: Line = serde_json::from_str(&text).map_err(|error| {
                    Failure::of(Code::Data, &error)
                        .hint("`doorward audit verify` says where the record is broken")
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
            "Nothing is recorded.\n".into()
        } else {
            listed.iter().map(|(_, line)| in_words(line)).collect()
        };
        super::print(&text).map(|()| ExitCode::SUCCESS)
    }

    fn wants(&self, line: &Line) -> bool {
        let by = |person: &Person| line.event.who.person() == Some(person);
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
    instant
        .ok_or_else(|| "write an instant like 2026-11-22T00:00:00Z, or how long ago it was, like `2h`".into())
}

fn in_words(line: &Line) -> String {
    let event = &line.event;
    let from = event.from.map(|from| format!(" from {from}")).unwrap_or_default();
    let line = format!("{:>6}  {}  {}{from}  {}", line.seq, super::instant(event.at), event.who, event.what);
    shown(&line).into_owned() + "\n"
}

async fn verify_store(store: &Store) -> Result<ExitCode, Failure> {
    let verified = store.verify().await.map_err(Failure::with(Code::Io))?;
    whole(verified)
}

fn verify_file(file: &Path, head: Option<Head>) -> Result<ExitCode, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::of(Code::NoInput, &error).context(format!("`{}` could not be read", file.display()))
    };
    let mut verifier = Verifier::default();
    for line in BufReader::new(File::open(file).map_err(unreadable)?).split(b'\n') {
        let line = line.map_err(unreadable)?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        // Bytes that are no text are a change like any other.
        if let Err(broken) = verifier.line(&String::from_utf8_lossy(line)) {
            return whole(Err(broken));
        }
    }
    let end = verifier.head();
    whole(head.map_or(Ok(()), |head| verifier.ends_at(head)).map(|()| end))
}

fn whole(verified: Result<Head, Broken>) -> Result<ExitCode, Failure> {
    match verified {
        Ok(head) => {
            super::print(&format!(
                "The record is whole: {} lines, head {}:{}\n",
                head.seq, head.seq, head.hash
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => Err(Failure::of(Code::No, &broken)),
    }
}

impl Export {
    async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let head = store.head().await.map_err(Failure::with(Code::Io))?;
        let mut after = self.after;
        while after < head.seq {
            let lines = store.lines(after, PAGE).await.map_err(Failure::with(Code::Io))?;
            let Some((last, _)) = lines.last() else { break };
            let wanted = lines.iter().filter(|(seq, _)| *seq <= head.seq);
            let text: String = wanted.map(|(_, line)| format!("{line}\n")).collect();
            super::printer::print_exactly(&text)?;
            after = *last;
        }
        super::note(&format!("head {}:{}", head.seq, head.hash));
        Ok(ExitCode::SUCCESS)
    }
}
