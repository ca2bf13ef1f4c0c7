//! Which account a question is about: a folder of recorded answers, or AWS itself.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use doorward_aws::NotRecorded;
use doorward_core::inventory::{Inventory, Place};

use super::progress::Bar;
use super::{Code, Failure, interrupted, runtime};
use crate::cloud::{self, Cloud};
use crate::policy_file::{self, LoadError};

/// Where the inventory comes from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// A folder of recorded `aws … describe-*` answers instead of the live account
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "region"])]
    pub inventory: Option<PathBuf>,
    /// A profile of the AWS configuration, may be repeated; those of the policy otherwise
    #[arg(long)]
    pub profile: Vec<String>,
    /// A Region, may be repeated; those of the policy otherwise
    #[arg(long)]
    pub region: Vec<String>,
}

impl Source {
    /// The account, as far as it could be seen. The policy at that path names places where nothing else does.
    pub(super) fn inventory(&self, policy: &Path) -> Result<Inventory, Failure> {
        match &self.inventory {
            Some(folder) => doorward_aws::recorded(folder).map_err(Failure::from),
            None => survey(&self.places(policy)?),
        }
    }

    /// Each profile in each Region; without either, those of the policy, if there is one.
    fn places(&self, policy: &Path) -> Result<BTreeSet<Place>, Failure> {
        if self.profile.is_empty() && self.region.is_empty() {
            return of_policy(policy);
        }
        let each = |texts: &[String]| -> Vec<Option<String>> {
            let texts: Vec<_> = texts.iter().cloned().map(Some).collect();
            if texts.is_empty() { vec![None] } else { texts }
        };
        let regions = each(&self.region);
        let places = each(&self.profile).into_iter().flat_map(|profile| {
            regions.iter().map(move |region| Place {
                profile: profile.clone(),
                region: region.clone(),
                account: None,
            })
        });
        Ok(places.collect())
    }
}

fn of_policy(policy: &Path) -> Result<BTreeSet<Place>, Failure> {
    let places: BTreeSet<Place> = match policy_file::firewalls(policy) {
        Ok((firewalls, _)) => cloud::groups(&firewalls).into_keys().collect(),
        Err(LoadError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(if places.is_empty() { BTreeSet::from([Place::default()]) } else { places })
}

/// Looks at everything in these places. That nothing at all could be seen is a failure.
fn survey(places: &BTreeSet<Place>) -> Result<Inventory, Failure> {
    let bar = Bar::default();
    let inventory = runtime()?.block_on(async {
        let (cloud, progress) = (Cloud::live(), |far| bar.show(far));
        tokio::select! {
            inventory = cloud.survey(places, &progress) => Some(inventory),
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
                _ => format!("{gap}; and so did {} more", super::count(more, "call", "calls")),
            };
            let failure =
                Failure::new(Code::Unavailable, what).context("nothing of the account could be seen");
            Err(failure.hint(
                "`--profile` and `--region` say where to look; `doorward iam --inventory` prints the IAM policy that it takes",
            ))
        }
        _ => Ok(inventory),
    }
}

impl From<NotRecorded> for Failure {
    fn from(error: NotRecorded) -> Self {
        match &error {
            NotRecorded::Unreadable { source, .. } => Self::of(Code::of_io(source), &error).hint(
                "`--inventory` names a folder of recorded answers; `doorward inventory save DIR` writes one",
            ),
            NotRecorded::TooLarge { .. } => Self::of(Code::Data, &error),
            NotRecorded::NotAnAnswer { .. } | NotRecorded::Empty(_) => Self::of(Code::Data, &error).hint(
                "such a folder holds what `aws ec2 describe-security-groups` and its like print, as .json",
            ),
        }
    }
}
