//! Which account a question is about: a recording of answers, or AWS itself.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use doorward_aws::NotRecorded;
use doorward_core::inventory::{AccountRegion, Cause, Inventory};

use super::progress::Bar;
use super::{Code, Failure, interrupted, note, runtime};
use crate::cloud::Cloud;
use crate::policy_file::{self, LoadError};

/// Where the inventory comes from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Read recorded `aws … describe-*` output instead of the live account: a folder, a file, or - for standard
    /// input
    #[arg(long, value_name = "PATH", conflicts_with_all = ["profile", "region"])]
    pub inventory: Option<PathBuf>,
    /// Assume the AWS default for what was not recorded, and list each assumption
    #[arg(long, value_name = "DEFAULTS", requires = "inventory")]
    pub assume: Option<Assume>,
    /// A profile of the AWS configuration, can be repeated; by default the profiles of the policy
    #[arg(long)]
    pub profile: Vec<String>,
    /// A Region, can be repeated; by default the Regions of the policy
    #[arg(long)]
    pub region: Vec<String>,
}

/// What may be assumed of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Assume {
    /// The default network ACL and main route table of each VPC, VPC Block Public Access off, and default
    /// attributes
    AwsDefaults,
}

/// An account as far as it could be seen.
#[derive(Debug)]
pub(super) struct Account {
    pub inventory: Inventory,
    pub remarks: Remarks,
}

/// What is to be said of how an account was read.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// The files that were not read, a line for each or for many of a kind.
    pub passed_over: Vec<String>,
    /// What was taken as AWS makes it by default.
    pub assumed: Vec<String>,
}

impl Remarks {
    /// Adds what is to be said of another recording, each once.
    pub(super) fn extend(&mut self, other: Self) {
        for (own, more) in [(&mut self.passed_over, other.passed_over), (&mut self.assumed, other.assumed)] {
            let new: Vec<String> = more.into_iter().filter(|line| !own.contains(line)).collect();
            own.extend(new);
        }
    }

    /// Writes them to standard error, for an answer that has no room for them.
    pub(super) fn note(&self) {
        for line in &self.passed_over {
            note(&format!("note: {line}"));
        }
        for line in &self.assumed {
            note(&format!("assumed: {line}"));
        }
    }
}

impl Source {
    /// The account. The policy at that path names accounts and Regions where nothing else does.
    pub(super) fn account(&self, policy: &Path) -> Result<Account, Failure> {
        let Some(path) = &self.inventory else {
            return Ok(Account {
                inventory: survey(&self.account_regions(policy)?)?,
                remarks: Remarks::default(),
            });
        };
        self.recorded(path)
    }

    /// The account of a recording, with what is assumed of it.
    pub(super) fn recorded(&self, path: &Path) -> Result<Account, Failure> {
        let mut recording = if path == Path::new("-") {
            doorward_aws::piped(Path::new("standard input"), std::io::stdin().lock())?
        } else {
            doorward_aws::recording(path)?
        };
        let assumed = match self.assume {
            Some(Assume::AwsDefaults) => recording.assume_aws_defaults(),
            None => Vec::new(),
        };
        let passed_over = doorward_aws::passed_over_lines(&recording.passed_over);
        Ok(Account { inventory: recording.inventory, remarks: Remarks { passed_over, assumed } })
    }

    /// Each profile in each Region; without either, those of the policy, if there is one.
    fn account_regions(&self, policy: &Path) -> Result<BTreeSet<AccountRegion>, Failure> {
        if self.profile.is_empty() && self.region.is_empty() {
            return of_policy(policy);
        }
        let each = |texts: &[String]| -> Vec<Option<String>> {
            let texts: Vec<_> = texts.iter().cloned().map(Some).collect();
            if texts.is_empty() { vec![None] } else { texts }
        };
        let regions = each(&self.region);
        let account_regions = each(&self.profile).into_iter().flat_map(|profile| {
            regions.iter().map(move |region| AccountRegion {
                profile: profile.clone(),
                region: region.clone(),
                account: None,
            })
        });
        Ok(account_regions.collect())
    }
}

fn of_policy(policy: &Path) -> Result<BTreeSet<AccountRegion>, Failure> {
    let account_regions: BTreeSet<AccountRegion> = match policy_file::account_regions(policy) {
        Ok((account_regions, mistakes)) => {
            if !mistakes.is_empty() {
                note(&format!(
                    "note: `{}` has errors, so the Regions of its networks are left out; `doorward check` reports each error",
                    policy.display()
                ));
            }
            account_regions
        }
        Err(LoadError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(if account_regions.is_empty() { BTreeSet::from([AccountRegion::default()]) } else { account_regions })
}

/// Looks at everything in these accounts and Regions. That nothing at all could be seen is a failure.
pub(super) fn survey(account_regions: &BTreeSet<AccountRegion>) -> Result<Inventory, Failure> {
    let bar = Bar::default();
    let inventory = runtime()?.block_on(async {
        let (cloud, progress) = (Cloud::live(), |far| bar.show(far));
        tokio::select! {
            inventory = cloud.survey(account_regions, &progress) => Some(inventory),
            () = interrupted() => None,
        }
    });
    bar.clear();
    let inventory =
        inventory.ok_or_else(|| Failure::new(Code::Interrupted, "interrupted, so nothing was done"))?;
    let anything = Inventory { gaps: Vec::new(), ..inventory.clone() } != Inventory::default();
    match inventory.gaps.first() {
        Some(gap) if !anything => {
            let more = inventory.gaps.len() - 1;
            let what = match more {
                0 => gap.to_string(),
                _ => format!("{gap}; {} failed too", super::count(more, "more call", "more calls")),
            };
            let failure =
                Failure::new(Code::Unavailable, what).context("nothing of the account could be read");
            Err(failure.hint(match gap.cause() {
                Cause::Silent => "check that this machine has a connection to AWS: its network, its DNS and its proxy",
                _ => "choose the account and Region with `--profile` and `--region`; `doorward iam --inventory` prints the IAM policy that this needs",
            }))
        }
        _ => Ok(inventory),
    }
}

impl From<NotRecorded> for Failure {
    fn from(error: NotRecorded) -> Self {
        match &error {
            NotRecorded::Unreadable { source, .. } => Self::of(Code::of_io(source), &error)
                .hint("`--inventory` names recorded AWS CLI output; `doorward inventory save DIR` creates it"),
            NotRecorded::TooLarge { .. } => Self::of(Code::Data, &error),
            NotRecorded::NotJson { .. } => Self::of(Code::Data, &error)
                .hint("record it again: the command may have been interrupted, or the file edited"),
            NotRecorded::Empty { passed_over, .. } => {
                Self::of(Code::Data, &error).details(doorward_aws::passed_over_lines(passed_over)).hint(
                    "a recording has the output of `aws ec2 describe-security-groups` and similar commands, as .json",
                )
            }
        }
    }
}
