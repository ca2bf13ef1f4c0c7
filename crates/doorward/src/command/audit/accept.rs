//! `doorward audit accept`: an operator has checked what was altered, and continues with the store.

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

/// Accept a store that was altered, and continue with it
///
/// First find out who writes to the store, and keep a copy of it. `doorward audit verify` prints the head.
///
/// The findings are written to the audit log, with the person who accepted them. The alarm ends, and grants can be
/// opened again. If the audit log itself was altered, nobody can say which grants are open: every grant ends, and
/// people have to request access again. Everybody has to sign in again. If several servers share one store, a server
/// that was stopped meanwhile keeps an older head: run this command there, too, if it raises the alarm again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit verify
  doorward audit accept --head 128:9f2c…")]
pub(super) struct Accept {
    /// The head as `doorward audit verify` printed it: NUMBER:HASH
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
    /// Seals the store in its present state.
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
            if let Some(failure) = super::found(&found.foreign) {
                return Err(failure.hint(
                    "this cannot be accepted: remove it from the database, and find out who added it",
                ));
            }
            let nothing = "Nothing was altered, so there is nothing to accept.\n";
            let none = Accepted { found: words, ended: 0, goes_on: 0 };
            print(&if self.json { json(&none)? } else { nothing.to_owned() })?;
            return Ok(ExitCode::SUCCESS);
        }
        if found.head != self.head {
            let what = format!("the audit log now ends at {}, not at {}", found.head, self.head);
            return Err(Failure::new(Code::No, what).hint("check it again with `doorward audit verify`"));
        }
        let now = Timestamp::now();
        let who = super::local_user();
        // Nobody can say under which password they opened what they have.
        let seen = store.seen_passwords(now).await.map_err(Failure::with(Code::Io))?;
        let doubted: BTreeSet<Person> =
            seen.into_iter().filter(|(_, seen)| !seen.authentic).map(|(person, _)| person).collect();
        let accepted = store.accept(found.head, |what| Event::new(now, who, what), words.clone()).await;
        let accepted = accepted.map_err(|error| match error {
            store::Error::Conflict => Failure::of(Code::No, &error)
                .context("entries were added to the audit log in the meantime")
                .hint("check it again with `doorward audit verify`"),
            error => Failure::of(Code::Io, &error),
        })?;
        let unsettled = store.unsettled().await.map_err(Failure::with(Code::Io))?;
        let (doubted, others): (Vec<Grant>, Vec<Grant>) = unsettled
            .grants
            .into_iter()
            .filter(|grant| !grant.ended())
            .partition(|grant| doubted.contains(grant.person()));
        let mut mistrusted = unsettled.mistrusted;
        mistrusted.extend(doubted.into_iter().map(|grant| Mistrusted {
            id: grant.id().to_string(),
            row: Some(grant),
            why: "the stored digest of the person's password was altered without the key".into(),
            known: true,
        }));
        let ended = accepted + mistrusted.len();
        if !mistrusted.is_empty() {
            store.end_mistrusted(&mistrusted, now, false).await.map_err(Failure::with(Code::Io))?;
        }
        let left = store.verify_all(&[]).await.map_err(Failure::with(Code::Io))?.faults();
        if let Some(failure) = super::found(&left) {
            let failure = failure.context("the store is accepted, but this is still found");
            return Err(failure.hint(
                "accepting does not change that: restore or remove these rows in the database, then check again with `doorward audit verify`",
            ));
        }
        if self.json {
            print(&json(&Accepted { found: words, ended, goes_on: others.len() })?)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(&format!(
            "The store is accepted as it is. {} ended, and {} open.\n",
            count(ended, "grant", "grants"),
            count(others.len(), "stays", "stay"),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
