//! Which account a question is about: a folder of recorded answers, or AWS itself.

use std::path::{Path, PathBuf};

use clap::Args;
use doorward_aws::NotRecorded;
use doorward_core::inventory::Inventory;

use super::{Code, Failure};

/// Where the inventory comes from.
///
/// A live account is not surveyed yet: without `--inventory` a failure says so. What is missing is a survey of
/// every place that `--profile` and `--region`, else the policy, name.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// A folder of recorded `aws … describe-*` answers instead of the live account
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "region"])]
    pub inventory: Option<PathBuf>,
    /// The profile of the AWS configuration; those of the policy otherwise
    #[arg(long)]
    pub profile: Option<String>,
    /// The Region; those of the policy otherwise
    #[arg(long)]
    pub region: Option<String>,
}

impl Source {
    /// The account, as far as it could be seen. The policy at that path names places where nothing else does.
    pub(super) fn inventory(&self, _policy: &Path) -> Result<Inventory, Failure> {
        match &self.inventory {
            Some(folder) => doorward_aws::recorded(folder).map_err(Failure::from),
            None => Err(Failure::new(Code::Usage, "this version reads only recorded accounts here")
                .hint("`--inventory DIR` names a folder of `aws … describe-*` answers")),
        }
    }
}

impl From<NotRecorded> for Failure {
    fn from(error: NotRecorded) -> Self {
        match &error {
            NotRecorded::Unreadable { source, .. } => Self::of(Code::of_io(source), &error),
            _ => Self::of(Code::Data, &error).hint(
                "such a folder holds what `aws ec2 describe-security-groups` and its like print, as .json",
            ),
        }
    }
}
