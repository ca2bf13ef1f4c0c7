//! Recording in the audit log that a plan is performed, and how that ended.

use std::path::Path;
use std::time::Duration;

use doorward_core::audit::{Event, PlanRun, RunBegun, RunEnded, What};
use doorward_core::name::InstallationId;
use doorward_core::policy::Policy;
use jiff::Timestamp;

use crate::command::{Code, Failure, audit, note};
use crate::store::{self, AuditFiles, Store, WhenLost};

/// How long the store may take for one entry.
const ANSWERS: Duration = Duration::from_secs(20);

/// The audit log of a policy, for the runs of a command.
pub(in crate::command) struct RunLog<'a> {
    store: &'a str,
    files: AuditFiles,
    /// Of a store that is created now.
    random: [u8; 4],
    /// Whether a run goes on that could not be recorded.
    is_optional: bool,
}

impl<'a> RunLog<'a> {
    pub(in crate::command) fn of(
        path: &Path,
        policy: &'a Policy,
        by: &InstallationId,
        is_optional: bool,
    ) -> Result<Self, Failure> {
        let random = super::bytes_of(by)?;
        Ok(Self { store: &policy.server.store, files: AuditFiles::of(policy, path), random, is_optional })
    }

    /// Records that a run begins; whether that was possible. Fails if it has to be and was not.
    pub(super) async fn begins(&self, run: &PlanRun) -> Result<bool, Failure> {
        if !store::is_there(self.store) && !self.files.head.exists() {
            let store = self.store;
            note(&format!("note: this run is not recorded, because the store `{store}` does not exist"));
            return Ok(false);
        }
        let begun = self.record(What::RunBegun(RunBegun { run: run.clone() })).await;
        let Err(error) = begun else { return Ok(true) };
        if self.is_optional {
            note(&format!("warning: the audit log does not have this run: {}", in_full(&error)));
            return Ok(false);
        }
        let failure = Failure::of(Code::Io, &error)
            .context("this run could not be recorded in the audit log, so nothing was done");
        Err(failure.hint(match error.hint() {
            Some(hint) => format!("{hint}; `--unrecorded` performs the plan without an entry"),
            None => "`--unrecorded` performs the plan without an entry in the audit log".to_owned(),
        }))
    }

    /// Records how a run ended; whether that was possible.
    pub(super) async fn ends(&self, ended: RunEnded) -> bool {
        match self.record(What::RunEnded(ended)).await {
            Ok(()) => true,
            Err(error) => {
                let why = in_full(&error);
                note(&format!(
                    "warning: the audit log has the beginning of this run, and not its end: {why}"
                ));
                false
            }
        }
    }

    /// The store is opened for each entry, because a run may take longer than a database stays reachable.
    async fn record(&self, what: What) -> Result<(), store::Error> {
        let event = Event::new(Timestamp::now(), audit::local_user(), what);
        let recorded = async {
            let store = Store::open_for(self.store, &self.files, self.random, WhenLost::Refuse).await?;
            let recorded = store.record(event).await;
            store.close().await;
            recorded
        };
        tokio::time::timeout(ANSWERS, recorded).await.unwrap_or(Err(store::Error::Late))
    }
}

/// An error with all that caused it.
fn in_full(error: &store::Error) -> String {
    Failure::of(Code::Io, error).words()
}
