//! A plan that is shown, confirmed and performed, and made once more to prove that nothing is left.

use std::path::Path;

use doorward_core::name::NetworkName;
use doorward_core::policy::Policy;

use super::audited::RunLog;
use super::report::Report;
use super::{Part, RunOptions, bytes_of, perform};
use crate::command::plan::{self, Planned};
use crate::command::printer::print_wrapped;
use crate::command::{Code, Failure, confirm, note, runtime};
use crate::store::{AuditFiles, Store, noted_installation};

/// How a plan is made, confirmed and performed.
pub(in crate::command) struct Confirmed<'a> {
    /// The policy file.
    pub path: &'a Path,
    pub policy: &'a Policy,
    /// The networks that are planned.
    pub networks: &'a [NetworkName],
    /// What the plan is made from.
    pub from: &'a plan::From,
    /// Whether it is performed without asking.
    pub yes: bool,
    pub options: &'a RunOptions,
    pub question: &'a str,
    /// What to do where there is no terminal to confirm at.
    pub otherwise: &'a str,
}

impl Confirmed<'_> {
    /// Shows and performs a plan; none if it has no steps, else the plan of what is left afterwards, which has none.
    ///
    /// Fails if the plan is refused or not confirmed, if the account changed meanwhile, if a step failed, or if something is
    /// left.
    pub fn perform(&self, planned: &Planned, report: &mut Report) -> Result<Option<Planned>, Failure> {
        if !self.yes {
            self.options.asks(self.otherwise)?;
        }
        match report.is_json() {
            true => report.plans(plan::value(planned)?),
            false => print_wrapped(&plan::text(planned))?,
        }
        planned.remarks().iter().for_each(|line| note(line));
        if planned.is_refused() {
            return Err(Failure::new(Code::No, "the plan is not performed: see the reasons above"));
        }
        if !planned.changes() {
            return Ok(None);
        }
        if !self.yes {
            confirm::yes(self.question, self.otherwise)?;
            // The answer may have taken its time.
            if !self.planned()?.is_same(planned) {
                return Err(Failure::new(
                    Code::No,
                    "the account changed while you read the plan, so nothing was done",
                )
                .hint("run the command again"));
            }
        }
        keep_installations(self.path, self.policy, planned)?;
        runtime()?.block_on(async {
            for region in &planned.each {
                let by = &region.owner.id;
                let log = RunLog::of(self.path, self.policy, by, self.options.unrecorded)?;
                let part = Part {
                    account_region: &region.read.declared,
                    by,
                    networks: &region.read.networks,
                    environment: self.from.transition.as_ref().map(|(environment, _)| environment),
                    plan: region.proposal.plan.clone(),
                    actual: &region.read.inventory,
                };
                perform(part, &log, report).await?;
            }
            Ok::<_, Failure>(())
        })?;
        let after = self.planned()?;
        report.proves(&after)?;
        nothing_is_left(&after)?;
        Ok(Some(after))
    }

    /// Plans.
    pub fn planned(&self) -> Result<Planned, Failure> {
        plan::planned(self.path, self.policy, self.networks, self.from)
    }
}

fn nothing_is_left(planned: &Planned) -> Result<(), Failure> {
    let left = planned.each.iter().flat_map(|region| region.proposal.plan.steps());
    let left: Vec<String> = left.map(|step| step.change.to_string()).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Code::Unavailable, "every step is done, and the account is not as declared")
        .details(left)
        .hint("somebody else may be changing it; run `doorward plan`"))
}

/// Makes the store of the policy that of an installation which has just been drawn: a store that is made later would have
/// another id, and everything here would be somebody else's to it.
fn keep_installations(path: &Path, policy: &Policy, planned: &Planned) -> Result<(), Failure> {
    let files = AuditFiles::of(policy, path);
    let Some(drawn) = planned.each.iter().find(|region| region.owner.is_drawn) else { return Ok(()) };
    if noted_installation(&files).is_some() {
        return Ok(());
    }
    let id = &drawn.owner.id;
    let bytes = bytes_of(id)?;
    let kept = runtime()?.block_on(async {
        let store = Store::open_with(&policy.server.store, &files, bytes).await?;
        let kept = store.installation().clone();
        store.close().await;
        Ok::<_, crate::store::Error>(kept)
    });
    let kept = kept.map_err(|error| {
        let hint = error.hint();
        let failure = Failure::of(Code::Unavailable, &error)
            .context("the store keeps which installation owns what is created, so nothing was done");
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    if kept == *id {
        return Ok(());
    }
    Err(Failure::new(Code::No, format!("the store is that of the installation {kept}, so nothing was done"))
        .hint("run the command again"))
}
