//! What the audit log says of a command that performs a plan for networks, roles or environments.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{EnvironmentName, NetworkName};

/// A run: the command, and the plan that it performs in one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRun {
    /// Like `apply`, or `env stop`.
    pub command: String,
    /// The profile and the Region.
    #[serde(rename = "place")]
    pub account_region: String,
    pub networks: Vec<NetworkName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// SHA-256 of the steps, as `doorward plan --json` prints it (`digest`).
    pub plan: String,
    /// How many steps the plan has.
    pub steps: usize,
}

/// The beginning of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBegun {
    #[serde(flatten)]
    pub run: PlanRun,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnded {
    #[serde(flatten)]
    pub run: PlanRun,
    pub outcome: RunOutcome,
    /// How many steps are done.
    pub done: usize,
    /// Each step that failed, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every step is done.
    Done,
    /// A step failed, and no other one was begun after it.
    Failed,
    /// Somebody interrupted it.
    Interrupted,
}

impl RunOutcome {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for PlanRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, account_region, networks, environment, .. } = self;
        let networks: Vec<&str> = networks.iter().map(NetworkName::as_str).collect();
        let kind = if networks.len() == 1 { "network" } else { "networks" };
        write!(f, "`doorward {command}` in {account_region} for ")?;
        if let Some(environment) = environment {
            write!(f, "the environment {environment} in ")?;
        }
        write!(f, "the {kind} {}", networks.join(", "))
    }
}

impl PlanRun {
    /// The beginning of the digest: enough to tell two plans apart.
    pub fn short(&self) -> &str {
        self.plan.get(..12).unwrap_or(&self.plan)
    }
}

impl fmt::Display for RunBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run } = self;
        write!(f, "began {run}: plan {} with {} steps", run.short(), run.steps)
    }
}

impl fmt::Display for RunEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, outcome, done, failed } = self;
        let how = match outcome {
            RunOutcome::Done => "completed",
            RunOutcome::Failed => "failed to complete",
            RunOutcome::Interrupted => "interrupted",
        };
        write!(f, "{how} {run}: {done} of {} steps of the plan {} are done", run.steps, run.short())?;
        if failed.is_empty() { Ok(()) } else { write!(f, "; {}", failed.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::What;

    fn check(json: &str, expected: &str) {
        let what: What = serde_json::from_str(json).expect("an event");
        assert_eq!(what.to_string(), expected);
        let written: serde_json::Value = serde_json::to_value(&what).expect("JSON");
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(json).expect("JSON"));
    }

    const RUN: &str = r#""command":"apply","place":"eu-west-1","networks":["main"],"plan":"3f9c2a1b5d7788990011","steps":18"#;

    #[test]
    fn a_run_says_its_command_its_plan_and_its_outcome() {
        check(
            &format!(r#"{{"what":"run-begun",{RUN}}}"#),
            "began `doorward apply` in eu-west-1 for the network main: plan 3f9c2a1b5d77 with 18 steps",
        );
        check(
            &format!(r#"{{"what":"run-ended",{RUN},"outcome":"done","done":18}}"#),
            "completed `doorward apply` in eu-west-1 for the network main: 18 of 18 steps of the plan 3f9c2a1b5d77 are done",
        );
        check(
            &format!(
                r#"{{"what":"run-ended",{RUN},"outcome":"failed","done":3,"failed":["create the VPC: denied"]}}"#
            ),
            "failed to complete `doorward apply` in eu-west-1 for the network main: 3 of 18 steps of the plan 3f9c2a1b5d77 are done; \
             create the VPC: denied",
        );
        check(
            r#"{"what":"run-ended","command":"env stop","place":"eu-west-1","networks":["main"],"environment":"dev","plan":"3f","steps":4,"outcome":"interrupted","done":1}"#,
            "interrupted `doorward env stop` in eu-west-1 for the environment dev in the network main: 1 of 4 steps of the plan \
             3f are done",
        );
    }
}
