//! `doorward export`: the declared networks and roles for another engine.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use doorward_core::export::{Parts, cloudformation, terraform};
use doorward_core::name::{InstallationId, NetworkName};

use super::account::Assume;
use super::plan::{From, Planned, planned};
use super::{Code, Failure, json, note, print};
use crate::policy_file;

/// Export networks to CloudFormation or Terraform
///
/// For those who have such an engine already: it replaces `doorward apply`. Each rule of a security group is a resource
/// of its own, so that rules of grants stay. Resources that exist are imported. Everything that is left out is reported on
/// standard error.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  doorward export cloudformation main > main.json
  doorward export cloudformation main --imports > imports.json
  doorward export terraform > doorward.tf"
)]
pub struct Export {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a second text here would be shown instead of the verb's own")]
enum Format {
    Cloudformation(Cloudformation),
    Terraform(Terraform),
}

/// Print a CloudFormation template
///
/// With --imports it prints the resources that exist already, for the option --resources-to-import of
/// `aws cloudformation create-change-set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward export cloudformation main > main.json
  doorward export cloudformation main --imports > imports.json
  aws cloudformation create-change-set --stack-name main \\
    --change-set-name import --change-set-type IMPORT \\
    --template-body file://main.json \\
    --resources-to-import file://imports.json")]
struct Cloudformation {
    #[command(flatten)]
    networks: Networks,
    /// Print the resources to import instead
    #[arg(long)]
    imports: bool,
}

/// Print a Terraform configuration
///
/// Blocks with `import` import the resources that exist already.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward export terraform > doorward.tf
  doorward export terraform main --inventory account/ > main.tf")]
struct Terraform {
    #[command(flatten)]
    networks: Networks,
}

/// What is exported.
#[derive(Debug, Args)]
struct Networks {
    /// The networks; by default all of the policy
    #[arg(value_name = "NETWORK")]
    networks: Vec<NetworkName>,
    /// Read recorded `aws … describe-*` output instead of the live account: a folder, a file, or - for standard
    /// input
    #[arg(long, value_name = "PATH")]
    inventory: Option<PathBuf>,
    /// Assume the AWS default for what was not recorded, and list each assumption
    #[arg(long, value_name = "DEFAULTS", requires = "inventory")]
    assume: Option<Assume>,
    /// The installation that is written into tags; by default that of the store, or the one that the tags in the
    /// account name
    #[arg(long, value_name = "ID")]
    installation: Option<InstallationId>,
}

impl Export {
    /// Reads the account, and prints the export.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        match self.format {
            Format::Cloudformation(Cloudformation { networks, imports }) => {
                networks.with(policy, |parts, _| {
                    let template = cloudformation(parts);
                    let text = if imports { json(&template.imports)? } else { json(&template.document)? };
                    Ok((text, template.left))
                })
            }
            Format::Terraform(Terraform { networks }) => networks.with(policy, |parts, region| {
                let configuration = terraform(parts, region);
                Ok((configuration.text, configuration.left))
            }),
        }
    }
}

impl Networks {
    fn with(
        self,
        path: &Path,
        export: impl FnOnce(&Parts<'_>, Option<&str>) -> Result<(String, Vec<String>), Failure>,
    ) -> Result<(), Failure> {
        let Self { networks, inventory, assume, installation } = self;
        let from = From { inventory, assume, ..From::live(installation, None) };
        let policy = policy_file::policy_alone(path)?;
        let planned: Planned = planned(path, &policy, &networks, &from)?;
        let [only] = &planned.each[..] else {
            let failure = Failure::new(Code::Usage, "the networks are in several accounts and Regions");
            return Err(failure.hint("name the networks of one of them, and export each by itself"));
        };
        if only.owner.is_new {
            let failure =
                Failure::new(Code::Usage, "no installation is known yet, whose ID is written into tags");
            return Err(
                failure.hint("choose one of eight hexadecimal digits, like `--installation 3f9c2a1b`")
            );
        }
        let parts = Parts {
            topology: &planned.topology,
            networks: &only.read.networks,
            actual: &only.read.inventory,
            wanted: &only.proposal.wanted,
            by: &only.owner.id,
        };
        let region = only.read.declared.region.as_deref().or(only.read.account_region.region.as_deref());
        let (text, left) = export(&parts, region)?;
        print(&text)?;
        for line in &left {
            note(&format!("note: {line}"));
        }
        for line in &planned.remarks() {
            note(line);
        }
        planned.account.note();
        Ok(())
    }
}
