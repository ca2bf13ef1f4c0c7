//! `doorward adopt`: the declaration that an existing VPC amounts to.

use std::path::Path;

use clap::Args;
use doorward_core::inventory::{Gap, Inventory, Vpc};
use doorward_core::name::NetworkName;
use doorward_core::policy::did_you_mean;
use doorward_core::topology::{Adopted, adopt};
use serde::Serialize;

use super::account::{Account, Source};
use super::{Code, Failure, json, print};

/// Write the declaration of an existing VPC
///
/// The declaration has a role for each security group of the VPC: its sources, its destinations, and the resources it is attached
/// to. In a policy it changes nothing: `doorward plan` is empty. Rules and attachments that are declared later are
/// added; those that somebody else made stay. Everything that a declaration cannot express is listed as a comment, and stays as
/// it is.
///
/// VPC is its ID, its Name tag, or `default`. An account with one VPC needs none.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward adopt vpc-0a1b2c3d4e5f60718 >> doorward.toml
  doorward adopt default --inventory account/
  doorward adopt --json | jq -r '.left[]'

Exit code 0: the declaration is printed. 64 and above: the account could not be read, or has no such VPC.

JSON: {\"vpc\", \"region\", \"declaration\": TEXT, \"left\": [TEXT…], \"gaps\": [GAP…]}.")]
pub struct Adopt {
    /// The VPC
    #[arg(value_name = "VPC")]
    vpc: Option<String>,
    #[command(flatten)]
    source: Source,
    /// The name of the network in the policy; by default made of the Name tag of the VPC
    #[arg(long, value_name = "NAME")]
    name: Option<NetworkName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    vpc: &'a str,
    region: Option<&'a str>,
    declaration: String,
    left: Vec<String>,
    gaps: Vec<&'a Gap>,
}

impl Adopt {
    /// Reads the account, and prints the declaration.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let Account { inventory, remarks } = self.source.account(policy)?;
        let vpc = chosen(&inventory, self.vpc.as_deref())?;
        let name = self.name.map_or_else(|| name_of(vpc), Ok)?;
        let Some(adopted) = adopt(&inventory, &vpc.id, &name) else {
            return Err(Failure::new(Code::Data, format!("{} was not read", vpc.id)));
        };
        let gaps: Vec<&Gap> =
            inventory.gaps.iter().filter(|gap| gap.account_region == vpc.account_region).collect();
        if self.json {
            let left = adopted.left.iter().map(ToString::to_string).collect();
            let (vpc, region) = (vpc.id.as_str(), vpc.account_region.region.as_deref());
            return print(&json(&Document { vpc, region, declaration: adopted.to_string(), left, gaps })?);
        }
        print(&text(vpc, &adopted, &gaps))?;
        remarks.note();
        Ok(())
    }
}

/// The declaration, with comments.
fn text(vpc: &Vpc, adopted: &Adopted, gaps: &[&Gap]) -> String {
    let mut text =
        format!("# {} in {}: a role for each of its security groups\n{adopted}", vpc.id, vpc.account_region);
    let mut comments = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n# {heading}\n"));
            text.extend(lines.iter().map(|line| format!("# - {line}\n")));
        }
    };
    comments("Not declared, and left as it is:", adopted.left.iter().map(ToString::to_string).collect());
    comments("Not read, so a role may be attached to more:", gaps.iter().map(ToString::to_string).collect());
    text
}

/// The VPC that is meant; the only one, if none is named.
fn chosen<'i>(inventory: &'i Inventory, named: Option<&str>) -> Result<&'i Vpc, Failure> {
    let mut vpcs = inventory.vpcs.values();
    let listed = || -> Vec<String> { inventory.vpcs.values().map(described).collect() };
    let Some(named) = named else {
        return match (vpcs.next(), vpcs.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Failure::new(Code::Data, "the account has no VPC")),
            (Some(_), Some(_)) => Err(Failure::new(Code::Usage, "the account has several VPCs")
                .details(listed())
                .hint("name one of them, like `doorward adopt default`")),
        };
    };
    let is = |vpc: &&Vpc| {
        vpc.id.as_str() == named
            || vpc.tags.get("Name").is_some_and(|name| name == named)
            || (vpc.default && named == "default")
    };
    let mut meant = vpcs.filter(is);
    match (meant.next(), meant.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => {
            let what = format!("several VPCs are `{named}`");
            Err(Failure::new(Code::Usage, what)
                .details([one, other].into_iter().chain(meant).map(described))
                .hint("name one of them by its ID"))
        }
        (None, _) => {
            let failure = Failure::new(Code::Usage, format!("the account has no VPC `{named}`"));
            let ids = inventory.vpcs.keys().map(|id| id.as_str());
            Err(match did_you_mean(named, ids) {
                Some(like) => failure.hint(format!("did you mean `{like}`?")),
                None => failure.details(listed()),
            })
        }
    }
}

/// Like `vpc-0a1b2c3d (shop) in eu-west-1, the default VPC`.
fn described(vpc: &Vpc) -> String {
    let name = vpc.tags.get("Name").map(|name| format!(" ({name})")).unwrap_or_default();
    let default = if vpc.default { ", the default VPC" } else { "" };
    format!("{}{name} in {}{default}", vpc.id, vpc.account_region)
}

/// A name for the network: that of the VPC as far as a policy can have it.
fn name_of(vpc: &Vpc) -> Result<NetworkName, Failure> {
    let text = vpc.tags.get("Name").map_or(if vpc.default { "default" } else { "" }, String::as_str);
    let plain: String = text
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '.', '_']);
    let named = [plain, vpc.id.as_str()].iter().find_map(|name| name.parse().ok());
    named.ok_or_else(|| {
        let what = format!("neither the name nor the ID of {} can be that of a network", vpc.id);
        Failure::new(Code::Usage, what).hint("name the network with `--name`")
    })
}
