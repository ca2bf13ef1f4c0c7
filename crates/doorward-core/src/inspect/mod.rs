//! Misconfigurations of an account: each finding with its severity, its evidence and its fix.
//!
//! A file per rule or family of rules. Nothing here guesses: what only a call that gave no answer could tell is
//! said to be unknown.

mod acls;
mod addresses;
mod databases;
mod default_group;
mod facts;
mod halves;
mod internet;
mod public_database;
mod quotas;
mod reached;
mod references;
mod remedy;
mod routes;
mod rule;
mod selves;
mod serving;
mod split;
mod unused;
mod wide;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod testing;

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use remedy::Remedy;
pub use rule::{NoSuchRule, Rule, Severity};

use crate::inventory::{AccountRegion, Gap};
use crate::reach::Reachability;
use facts::Facts;

/// A misconfiguration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked for.
    pub rule: Rule,
    /// How much it matters here.
    pub severity: Severity,
    /// What it is about.
    pub resource: Subject,
    /// What of the resource, where one resource has several findings of a rule, like the group that a rule refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// In a sentence.
    pub about: String,
    /// What shows it: rules, prefixes, hops.
    pub evidence: Vec<String>,
    /// The change that mends it.
    pub fix: String,
    /// The same as changes of the account, where they are known exactly.
    #[serde(flatten)]
    pub remedy: Remedy,
    /// What could not be seen and could change the finding.
    pub gaps: Vec<Gap>,
}

impl Finding {
    /// A text of 64 hexadecimal digits that is the same for the same finding of the next run, whatever its
    /// evidence and severity are by then.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let region = self.resource.account_region.region.as_deref().unwrap_or_default();
        // The account is left out: a recording names it and a survey of the same account may not.
        for part in [self.rule.id(), region, self.resource.kind, &self.resource.id] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(self.of.as_deref().unwrap_or_default());
        let digest: [u8; 32] = hash.finalize().into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// Its id, or its name where it has none.
    pub id: String,
    /// What it is, like `security group`.
    pub kind: &'static str,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Where it was seen.
    #[serde(rename = "place")]
    pub account_region: AccountRegion,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        match &self.name {
            Some(name) if *name != self.id => write!(f, " ({name})"),
            _ => Ok(()),
        }
    }
}

/// Every finding, by severity, then rule, then resource.
///
/// The same inventory always has the same findings.
pub fn inspect(reach: &Reachability) -> Vec<Finding> {
    let facts = Facts::of(reach);
    let mut findings = Vec::new();
    for rule in [
        internet::find,
        public_database::find,
        wide::find,
        references::find,
        selves::find,
        halves::find,
        quotas::find,
        unused::find,
        acls::find,
        routes::find,
        databases::find,
        default_group::find,
    ] {
        findings.extend(rule(&facts));
    }
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.severity, finding.rule);
        key(a).cmp(&key(b)).then_with(|| a.resource.cmp(&b.resource)).then_with(|| a.of.cmp(&b.of))
    });
    for finding in &mut findings {
        finding.gaps = distinct(std::mem::take(&mut finding.gaps));
    }
    findings
}

/// Each gap once, in an order of its own.
fn distinct(gaps: Vec<Gap>) -> Vec<Gap> {
    let mut seen = BTreeSet::new();
    let mut gaps: Vec<Gap> = gaps
        .into_iter()
        .filter(|gap| seen.insert((gap.source.clone(), gap.account_region.clone(), gap.why.clone())))
        .collect();
    gaps.sort_by(|a, b| {
        (a.source.text(), &a.account_region, &a.why).cmp(&(b.source.text(), &b.account_region, &b.why))
    });
    gaps
}
