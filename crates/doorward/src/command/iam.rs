//! `doorward iam`: the least IAM policy that the policy file needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use doorward_core::export::by_ssh;
use doorward_core::export::iam::{self, LONGEST};
use doorward_core::inventory::{AccountId, NotAnId};
use doorward_core::policy::{Group, Policy};

use super::{Code, Failure, json, note, print};
use crate::policy_file;

/// Print the least IAM policy that Doorward needs
///
/// It allows to describe security groups, and to change exactly those that the policy names. With several profiles
/// each has statements of its own, and `--profile` prints those of one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward iam --account 123456789012
  doorward iam --account prod=123456789012 --account stage=210987654321
  doorward iam --inventory --account 123456789012
  doorward iam --for people --account 123456789012
  doorward iam --for group:dbs --account 123456789012
  doorward iam --profile prod --account 123456789012 > doorward-prod.json
  aws iam create-policy --policy-name doorward --policy-document file://doorward-prod.json")]
pub struct Iam {
    /// The account that the groups are in, or PROFILE=ID where there are several
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<AccountOf>,
    /// Only what this profile needs
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Also what `doorward inventory` and `doorward reach` need to see
    #[arg(long)]
    inventory: bool,
    /// For whom: Doorward itself, everybody who opens something, `group:NAME`, the role that is vended, the server that
    /// vends it and ends sessions, or an auditor who compares the record with CloudTrail
    #[arg(long = "for", value_name = "WHOM", default_value = "doorward")]
    whom: Whom,
    /// Which of several IAM policies, where one cannot hold every group
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    part: Option<u16>,
}

/// For whom.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    Doorward,
    People,
    Group(Group),
    Role,
    Server,
    Auditor,
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "doorward" => Self::Doorward,
            "people" => Self::People,
            "role" => Self::Role,
            "server" => Self::Server,
            "auditor" => Self::Auditor,
            _ => {
                let group = text.strip_prefix("group:").ok_or_else(|| {
                    format!(
                        "`{text}` is nobody; there are doorward, people, group:NAME, role, server and auditor"
                    )
                })?;
                Self::Group(group.parse().map_err(|error| format!("{error}"))?)
            }
        })
    }
}

/// An account, of one profile or of all.
#[derive(Debug, Clone)]
struct AccountOf {
    profile: Option<String>,
    account: AccountId,
}

impl FromStr for AccountOf {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (profile, account) = match text.rsplit_once('=') {
            Some((profile, account)) => (Some(profile.to_owned()), account),
            None => (None, text),
        };
        Ok(Self { profile, account: account.parse()? })
    }
}

impl Iam {
    /// Prints it.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        if self.whom == Whom::Auditor {
            print(&json(&iam::auditor())?)?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.inventory && self.whom == Whom::Doorward && !policy.exists() {
            // Who looks at an account need not have a policy.
            note(&format!(
                "note: `{}` is not there: this is what looking takes, and nothing else",
                policy.display()
            ));
            return self
                .tell(&iam::everything(self.accounts.iter().rev().map(|of| &of.account).next()), None);
        }
        let loaded = policy_file::load(policy)?;
        if let Whom::Group(group) = &self.whom
            && !loaded.people.groups.contains_key(group)
        {
            let there: Vec<&str> = loaded.people.groups.keys().map(Group::as_str).collect();
            let failure = Failure::new(Code::Usage, format!("there is no group `{group}`"));
            return Err(failure.hint(format!("the groups are {}", there.join(", "))));
        }
        let accounts = self.accounts(&loaded.policy)?;
        let only = self.profile.clone().map(Some);
        let sees = if self.inventory { iam::Sees::Everything } else { iam::Sees::Groups };
        let facts = iam::Facts { accounts: accounts.clone(), ..iam::Facts::default() };
        let policy = &loaded.policy;
        let iam = match &self.whom {
            Whom::Doorward => iam::iam(policy, only.as_ref(), &accounts, sees),
            Whom::People => iam::carried(policy, iam::Whose::Everybody, &facts),
            Whom::Group(group) => iam::carried(policy, iam::Whose::Group(group), &facts),
            Whom::Role => iam::carried(policy, iam::Whose::Role, &facts),
            Whom::Server => iam::server(policy, &facts),
            Whom::Auditor => return Ok(ExitCode::SUCCESS),
        };
        self.tell(&iam, Some(policy))
    }

    fn tell(&self, iam: &iam::Iam, policy: Option<&Policy>) -> Result<ExitCode, Failure> {
        for unknown in &iam.unknown {
            note(&format!("note: {unknown}"));
        }
        if iam.unknown.iter().any(|unknown| matches!(unknown, iam::Unknown::Account(_))) {
            note("hint: `--account 123456789012` says which account; `aws sts get-caller-identity` tells");
        }
        let people = matches!(self.whom, Whom::People | Whom::Group(_) | Whom::Role);
        let by_ssh = policy.filter(|policy| people && by_ssh(policy).next().is_some());
        if let Some(ssh) = by_ssh.and_then(|policy| policy.ssh.as_ref()) {
            note(&format!(
                "note: by `ssh` this is a login as `{}` on `{}`, and `ssh-server-config` prints what confines it",
                ssh.user, ssh.jump_host
            ));
        }
        if let Some(role) = policy.and_then(|policy| policy.ssm.as_ref()?.role.as_ref())
            && matches!(self.whom, Whom::Doorward | Whom::Role | Whom::Server)
        {
            note(&format!("note: {}", super::check::revoking(role)));
        }
        let count = iam.documents.len();
        if count == 0 {
            note(match self.whom {
                Whom::Doorward => {
                    "no firewall of this policy is a security group, so nothing is needed of AWS"
                }
                _ => "nothing is needed of AWS for that by this policy",
            });
            return Ok(ExitCode::SUCCESS);
        }
        let part = match self.part {
            Some(part) => usize::from(part),
            None if count == 1 => 1,
            None => {
                let what = format!(
                    "the groups of this policy need {count} IAM policies: one holds {LONGEST} characters at most"
                );
                let hint = format!("print each: `doorward iam --part 1` to `doorward iam --part {count}`");
                return Err(Failure::new(Code::Usage, what).hint(hint));
            }
        };
        match iam.documents.get(part - 1) {
            Some(document) => print(&json(document)?)?,
            None => return Err(Failure::new(Code::Usage, format!("there is no part {part} of {count}"))),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The account of each profile; one that is given without a profile is that of all others.
    fn accounts(&self, policy: &Policy) -> Result<BTreeMap<Option<String>, AccountId>, Failure> {
        let mut profiles = iam::profiles(policy);
        if self.whom != Whom::Doorward {
            let places = policy.ssm.iter().map(|ssm| &ssm.at).chain(policy.ssh.iter().map(|ssh| &ssh.at));
            profiles.extend(places.chain([&policy.aws]).map(|place| place.profile.clone()));
        }
        let named = self.accounts.iter().filter_map(|of| of.profile.as_ref()).chain(&self.profile);
        for name in named {
            if !profiles.contains(&Some(name.clone())) {
                let what = format!("no security group of this policy is reached through profile `{name}`");
                let there: Vec<&str> = profiles.iter().filter_map(Option::as_deref).collect();
                let failure = Failure::new(Code::Usage, what);
                return Err(match there.as_slice() {
                    [] => failure.hint("the policy names no profile: leave it away"),
                    there => failure.hint(format!("the profiles are {}", there.join(", "))),
                });
            }
        }
        let of = |profile: &Option<String>| {
            let own = self.accounts.iter().rfind(|of| of.profile.is_some() && of.profile == *profile);
            let any = || self.accounts.iter().rfind(|of| of.profile.is_none());
            own.or_else(any).map(|of| of.account.clone())
        };
        Ok(profiles.iter().filter_map(|profile| Some((profile.clone(), of(profile)?))).collect())
    }
}
