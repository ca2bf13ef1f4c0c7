//! What a command planned, did and left undone, as one JSON document: also if it fails.

use doorward_core::audit::{PlanRun, RunOutcome};
use doorward_core::inventory::AccountRegion;
use doorward_core::topology::{Environment, EnvironmentParts};
use serde::Serialize;
use serde_json::Value;

use crate::command::plan::{self, Planned};
use crate::command::{Code, Failure, FailureView, json, print};

/// The form of the document; a later one that is read otherwise has another number.
const FORMAT: &str = "doorward-run/1";

/// What `--help` says of the document.
pub(in crate::command) const HELP: &str = "JSON: {\"format\": \"doorward-run/1\", \"command\", \"outcome\": \
\"done|unchanged|not-begun|failed|interrupted\", \"plan\": as of `doorward plan --json`, \"runs\": [RUN…], \"environment\": \
{\"name\", \"state\", \"restarts\"}, \"proof\": the plan of the account as it is afterwards, \"error\": {\"what\", \"causes\": \
[TEXT…], \"details\": [TEXT…], \"hint\", \"exit_code\"}, \"again\": COMMAND}. RUN is {\"region\", \"account\", \"profile\", \
\"networks\": [NAME…], \"plan\": DIGEST, \"outcome\": \"done|failed|interrupted\", \"recorded\": {\"begun\", \"ended\"}, \
\"done\": [STEP…], \"failed\": [STEP…], \"unknown\": [STEP…], \"not_done\": [STEP…]}, and STEP is {\"number\", \"what\", \"why\"}. \
Unknown values are null. The document is printed after a failure as well, and `again` is the command that goes on.";

/// The document, as it is put together while the command runs.
pub(in crate::command) struct Report {
    command: &'static str,
    is_json: bool,
    /// The command that goes on after a failure.
    again: String,
    plan: Option<Value>,
    runs: Vec<Ran>,
    environment: Option<Value>,
    proof: Option<Value>,
}

/// One plan that was performed, as far as it was.
#[derive(Debug, Serialize)]
pub(super) struct Ran {
    region: Option<String>,
    account: Option<String>,
    profile: Option<String>,
    networks: Vec<String>,
    plan: String,
    outcome: &'static str,
    recorded: Recorded,
    done: Vec<Step>,
    failed: Vec<Step>,
    /// The steps whose calls were in progress when the process was interrupted for the second time.
    unknown: Vec<Step>,
    not_done: Vec<Step>,
}

/// Whether the audit log has the beginning and the end of a run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Recorded {
    pub begun: bool,
    pub ended: bool,
}

/// A step by its number in the plan, from 1.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub number: usize,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of the steps of a plan.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub done: Vec<Step>,
    pub failed: Vec<Step>,
    pub unknown: Vec<Step>,
    pub not_done: Vec<Step>,
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    command: &'static str,
    outcome: &'static str,
    plan: Option<&'a Value>,
    runs: &'a [Ran],
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a Value>,
    proof: Option<&'a Value>,
    error: Option<FailureView<'a>>,
    again: Option<&'a str>,
}

#[derive(Serialize)]
struct EnvironmentView<'a> {
    name: &'a str,
    state: &'static str,
    /// When AWS starts its database again.
    restarts: Option<String>,
}

impl Report {
    /// Of a command that has done nothing yet.
    pub(in crate::command) fn new(command: &'static str, is_json: bool, again: String) -> Self {
        let (plan, runs, environment, proof) = (None, Vec::new(), None, None);
        Self { command, is_json, again, plan, runs, environment, proof }
    }

    /// Whether it is printed instead of text.
    pub(in crate::command) fn is_json(&self) -> bool {
        self.is_json
    }

    pub(in crate::command) fn command(&self) -> &'static str {
        self.command
    }

    /// The command that goes on after a failure.
    pub(in crate::command) fn again(&self) -> &str {
        &self.again
    }

    /// Notes the plan that is performed.
    pub(in crate::command) fn plans(&mut self, plan: Value) {
        self.plan = Some(plan);
    }

    /// Notes the plan of the account as it is afterwards.
    pub(in crate::command) fn proves(&mut self, planned: &Planned) -> Result<(), Failure> {
        self.proof = Some(plan::value(planned)?);
        Ok(())
    }

    /// Notes that the account was read again, and that nothing is left.
    pub(in crate::command) fn proves_value(&mut self, proof: Value) {
        self.proof = Some(proof);
    }

    /// Notes what became of a plan.
    pub(super) fn ran(
        &mut self,
        at: &AccountRegion,
        run: PlanRun,
        outcome: RunOutcome,
        recorded: Recorded,
        steps: Steps,
    ) {
        let Steps { done, failed, unknown, not_done } = steps;
        self.runs.push(Ran {
            region: at.region.clone(),
            account: at.account.as_ref().map(ToString::to_string),
            profile: at.profile.clone(),
            networks: run.networks.iter().map(ToString::to_string).collect(),
            plan: run.plan,
            outcome: outcome.word(),
            recorded,
            done,
            failed,
            unknown,
            not_done,
        });
    }

    /// Notes the state of an environment.
    pub(in crate::command) fn environment(
        &mut self,
        environment: &Environment,
        parts: &EnvironmentParts<'_>,
    ) -> Result<(), Failure> {
        let restarts = parts.database.and_then(|it| it.settings.restarts);
        let view = EnvironmentView {
            name: environment.name.as_str(),
            state: parts.state().word(),
            restarts: restarts.map(|at| at.to_string()),
        };
        self.environment = Some(serde_json::to_value(view).map_err(Failure::with(Code::Internal))?);
        Ok(())
    }

    /// Prints the document of a command that ended so; the same end.
    pub(in crate::command) fn finish(self, ended: Result<(), Failure>) -> Result<(), Failure> {
        if !self.is_json {
            return ended;
        }
        let error = ended.as_ref().err();
        let outcome = match error.map(Failure::code) {
            Some(Code::Interrupted) => "interrupted",
            Some(_) if self.runs.is_empty() => "not-begun",
            Some(_) => "failed",
            None if self.runs.is_empty() => "unchanged",
            None => "done",
        };
        let document = Document {
            format: FORMAT,
            command: self.command,
            outcome,
            plan: self.plan.as_ref(),
            runs: &self.runs,
            environment: self.environment.as_ref(),
            proof: self.proof.as_ref(),
            error: error.map(Failure::view),
            again: error.map(|_| self.again.as_str()),
        };
        print(&json(&document)?)?;
        ended
    }
}
