//! `doorward audit accept`: an operator has looked at what was found altered, and goes on.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use doorward_core::audit::{Event, Head};
use doorward_core::grant::Grant;
use doorward_core::policy::Person;
use jiff::Timestamp;
use serde::Serialize;

use crate::command::{Code, Failure, count, json, print};
use crate::store::{self, Mistrusted, Store};

/// Go on with a store that was altered, as it stands
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit verify
  doorward audit accept --head 128:9f2c…

First find out who writes to the store, and keep a copy of it. `verify` prints the head.

What was found goes into the record, with who accepted it; the alarm ends, and grants can be opened again. Where the \
record itself was altered, nobody can say what is open: every grant ends, and is asked for anew. Everybody signs in again. \
Several servers of one \
store each keep a head of their own: run this on every one of them.")]
pub(super) struct Accept {
    /// The last entry, as `verify` printed it: NUMBER:HASH
    #[arg(long, value_name = "HEAD")]
    head: Head,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What came of it, as `--json` prints it.
#[derive(Serialize)]
struct Accepted {
    /// What had been found, in words; nothing: there was nothing to accept.
    found: Vec<String>,
    /// Grants that ended with it.
    ended: usize,
    /// Grants that go on.
    goes_on: usize,
}

impl Accept {
    /// Seals the store as it stands.
    pub(super) async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let found = store.verify_all(&[]).await.map_err(Failure::with(Code::Io))?;
        let mut words = found.found;
        let new = store
            .alarms()
            .into_iter()
            .filter(|alarm| !words.iter().any(|word| word.ends_with(alarm)))
            .collect::<Vec<_>>();
        words.extend(new);
        if words.is_empty() {
            let nothing = "Nothing was found altered, so there is nothing to accept.\n";
            let none = Accepted { found: words, ended: 0, goes_on: 0 };
            print(&if self.json { json(&none)? } else { nothing.to_owned() })?;
            return Ok(ExitCode::SUCCESS);
        }
        if found.head != self.head {
            let what = format!("the record ends at {} by now, and not at {}", found.head, self.head);
            return Err(Failure::new(Code::No, what).hint("look again with `doorward audit verify`"));
        }
        let now = Timestamp::now();
        let who = super::reader();
        // Nobody can say under which password they opened what they have.
        let seen = store.seen_passwords(now).await.map_err(Failure::with(Code::Io))?;
        let doubted: BTreeSet<Person> =
            seen.into_iter().filter(|(_, seen)| !seen.authentic).map(|(person, _)| person).collect();
        let accepted = store.accept(found.head, |what| Event::new(now, who, what), words.clone()).await;
        let accepted = accepted.map_err(|error| match error {
            store::Error::Conflict => Failure::of(Code::No, &error)
                .context("the record grew meanwhile")
                .hint("look again with `doorward audit verify`"),
            error => Failure::of(Code::Io, &error),
        })?;
        let standing = store.standing().await.map_err(Failure::with(Code::Io))?;
        let (doubted, others): (Vec<Grant>, Vec<Grant>) = standing
            .grants
            .into_iter()
            .filter(|grant| !grant.ended())
            .partition(|grant| doubted.contains(grant.person()));
        let mut mistrusted = standing.mistrusted;
        mistrusted.extend(doubted.into_iter().map(|grant| Mistrusted {
            id: grant.id().to_string(),
            row: Some(grant),
            why:
                "what the store said of the person's password was altered by somebody without the key".into(),
            known: true,
        }));
        let ended = accepted + mistrusted.len();
        if !mistrusted.is_empty() {
            store.end_mistrusted(&mistrusted, now, false).await.map_err(Failure::with(Code::Io))?;
        }
        if self.json {
            print(&json(&Accepted { found: words, ended, goes_on: others.len() })?)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(&format!(
            "The store is accepted as it stands; {} ended, and {} on.\n",
            count(ended, "grant", "grants"),
            count(others.len(), "goes", "go"),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
