//! `doorward env`: the declared environments, and starting and stopping them.

mod list;
mod paths;
mod start;
mod stop;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use doorward_core::name::EnvironmentName;
use doorward_core::policy::{Policy, did_you_mean};
use doorward_core::topology::{Environment, EnvironmentParts};

use super::apply::Report;
use super::plan::Planned;
use super::{Code, Failure, print};

/// List, stop and start environments
///
/// An environment is a database in a network, with an instance (the kind `dev`) or with several of them behind a load
/// balancer (the kind `prod`), which `[environment.NAME]` of the policy declares and
/// `doorward apply` creates.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  doorward env list
  doorward env stop dev
  doorward env start dev"
)]
pub struct Env {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a second text here would be shown instead of the verb's own")]
enum Verb {
    List(list::List),
    Stop(stop::Stop),
    Start(start::Start),
}

impl Env {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::List(verb) => verb.run(policy),
            Verb::Stop(verb) => verb.run(policy),
            Verb::Start(verb) => verb.run(policy),
        }
    }
}

/// The environment of a policy that is named.
fn declared<'p>(policy: &'p Policy, name: &EnvironmentName) -> Result<&'p Environment, Failure> {
    let all = &policy.topology.environments;
    all.get(name).ok_or_else(|| {
        let failure = Failure::new(Code::Usage, format!("the policy has no `[environment.{name}]`"));
        let known: Vec<&str> = all.keys().map(EnvironmentName::as_str).collect();
        match did_you_mean(name.as_str(), known.iter().copied()) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None if known.is_empty() => failure.hint(format!("add `[environment.{name}]`")),
            None => failure.hint(format!("its environments are {}", known.join(", "))),
        }
    })
}

/// Notes the state of an environment, and fails unless it is the one that was asked for: a database that failed is neither started nor stopped.
fn is_in_state(
    planned: &Planned,
    environment: &Environment,
    is_reached: impl Fn(&EnvironmentParts<'_>) -> bool,
    report: &mut Report,
) -> Result<(), Failure> {
    for region in &planned.each {
        let parts = EnvironmentParts::of(environment, &region.read.inventory, &region.owner.id);
        report.environment(environment, &parts)?;
        if !is_reached(&parts) {
            let what = format!("the environment {} is {}", environment.name, parts.state());
            return Err(Failure::new(Code::No, what)
                .details(region.proposal.notes.iter().map(ToString::to_string))
                .hint(
                    "repair the database, or delete it if a snapshot has its data, and run the command again",
                ));
        }
    }
    Ok(())
}

/// Prints the state of an environment after it was started or stopped, below the plan.
fn print_state(planned: &Planned, environment: &Environment) -> Result<(), Failure> {
    print("\n")?;
    for region in &planned.each {
        let parts = EnvironmentParts::of(environment, &region.read.inventory, &region.owner.id);
        let (name, at, state) = (&environment.name, &region.read.declared, parts.state());
        print(&format!("the environment {name} in {at} is {state}\n"))?;
        if let Some(at) = parts.database.and_then(|it| it.settings.restarts) {
            print(&format!("AWS starts its database again at {}\n", super::instant(at)))?;
        }
    }
    Ok(())
}
