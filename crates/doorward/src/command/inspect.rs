//! `doorward inspect`: what is not as it should be in an account, with what shows it and what mends it.

mod sarif;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use doorward_core::inspect::{Finding, Rule, Severity, inspect};
use doorward_core::inventory::{Gap, Inventory};
use doorward_core::reach::Reachability;
use serde::Serialize;

use super::account::{Account, Source};
use super::{Code, Failure, json, note, print};

/// Find misconfigurations in an account's network
///
/// Each finding has a severity, its evidence (the rule, the exact union of prefixes, the hops of an actual path)
/// and the change that fixes it. A check that depends on a call that failed is reported as unknown. Nothing is
/// changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward inspect --inventory account/
  doorward inspect --inventory account/ --fail-on high        in a pipeline
  doorward inspect --inventory account/ --only wide-rule --only stale-reference
  doorward inspect --inventory account/ --sarif doorward.sarif
  doorward inspect --inventory account/ --json | jq -r '.findings[].commands[]'
  doorward inspect --list-rules

Exit code 0: the account was inspected, whatever was found. 1: with --fail-on, there is a finding of that severity \
or worse. 64 and above: the account could not be inspected.")]
pub struct Inspect {
    #[command(flatten)]
    source: Source,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write SARIF 2.1.0 to a file, or print it instead of the text
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    sarif: Option<PathBuf>,
    /// Exit with 1 if there is a finding of this severity or worse
    #[arg(long, value_name = "SEVERITY", value_parser = ["high", "medium", "low", "note"])]
    fail_on: Option<String>,
    /// Only these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',', conflicts_with = "except")]
    only: Vec<Rule>,
    /// All rules except these
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    except: Vec<Rule>,
    /// List the rules
    #[arg(long)]
    list_rules: bool,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Serialize)]
struct LookedAt {
    vpcs: usize,
    subnets: usize,
    route_tables: usize,
    network_acls: usize,
    security_groups: usize,
    rules: usize,
    interfaces: usize,
    services: usize,
}

impl LookedAt {
    fn of(inventory: &Inventory) -> Self {
        Self {
            vpcs: inventory.vpcs.len(),
            subnets: inventory.subnets.len(),
            route_tables: inventory.route_tables.len(),
            network_acls: inventory.network_acls.len(),
            security_groups: inventory.groups.len(),
            rules: inventory.groups.values().map(|group| group.rules.len()).sum(),
            interfaces: inventory.interfaces.len(),
            services: inventory.databases.len()
                + inventory.database_clusters.len()
                + inventory.database_proxies.len()
                + inventory.database_proxy_endpoints.len()
                + inventory.caches.len()
                + inventory.serverless_caches.len()
                + inventory.functions.len()
                + inventory.container_services.len()
                + inventory.load_balancers.len(),
        }
    }
}

/// All that is told.
#[derive(Debug, Serialize)]
struct Report {
    findings: Vec<Finding>,
    looked_at: LookedAt,
    /// What could not be seen, whether a finding hangs on it or not.
    gaps: Vec<Gap>,
    /// The files of the recording that were not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What was taken as AWS makes it by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumed: Vec<String>,
}

impl Inspect {
    /// Inspects, and prints what was found.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        if self.list_rules {
            return self.rules();
        }
        let to_output = self.sarif.as_deref() == Some(Path::new("-"));
        if self.json && to_output {
            return Err(Failure::new(
                Code::Usage,
                "`--json` and `--sarif` would both print to standard output",
            )
            .hint("`--sarif FILE` writes SARIF into a file"));
        }
        let Account { inventory, remarks } = self.source.account(policy)?;
        if self.sarif.is_some() {
            remarks.note();
        }
        let reach = Reachability::of(inventory);
        let inventory = reach.inventory();
        let mut findings = inspect(&reach);
        findings.retain(|finding| self.asks(finding.rule));
        let report = Report {
            findings,
            looked_at: LookedAt::of(inventory),
            gaps: gaps(inventory),
            notes: remarks.passed_over,
            assumed: remarks.assumed,
        };
        if let Some(file) = &self.sarif {
            let sarif = json(&sarif::log(&report.findings, &report.gaps))?;
            if to_output {
                print(&sarif)?;
            } else {
                let unwritable = || format!("cannot write {}", file.display());
                std::fs::write(file, sarif)
                    .map_err(|error| Failure::new(Code::CannotCreate, unwritable()).because(&error))?;
            }
        }
        if self.json {
            print(&json(&report)?)?;
        } else if !to_output {
            print(&text::report(&report))?;
        }
        Ok(self.end(&report))
    }

    fn asks(&self, rule: Rule) -> bool {
        (self.only.is_empty() || self.only.contains(&rule)) && !self.except.contains(&rule)
    }

    fn end(&self, report: &Report) -> ExitCode {
        let bound = Severity::ALL.into_iter().find(|one| Some(one.to_string()) == self.fail_on);
        let Some(bound) = bound else { return ExitCode::SUCCESS };
        let worse = report.findings.iter().filter(|finding| finding.severity <= bound).count();
        if worse == 0 {
            return ExitCode::SUCCESS;
        }
        let found = super::count(worse, "finding is", "findings are");
        note(&format!("{found} of severity {bound} or worse"));
        Code::No.into()
    }

    fn rules(&self) -> Result<ExitCode, Failure> {
        let rules: Vec<Rule> = Rule::ALL.iter().copied().filter(|rule| self.asks(*rule)).collect();
        if self.json {
            #[derive(Serialize)]
            struct Listed {
                id: Rule,
                title: &'static str,
                severity: Severity,
                help: &'static str,
            }
            let listed = |rule: Rule| Listed {
                id: rule,
                title: rule.title(),
                severity: rule.severity(),
                help: rule.help(),
            };
            print(&json(&rules.into_iter().map(listed).collect::<Vec<_>>())?)?;
        } else {
            print(&text::rules(&rules))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Each gap of an inventory once.
fn gaps(inventory: &Inventory) -> Vec<Gap> {
    let mut seen = BTreeSet::new();
    let gaps = inventory.gaps.iter().cloned();
    gaps.filter(|gap| seen.insert((gap.account_region.clone(), gap.source.clone(), gap.why.clone())))
        .collect()
}
