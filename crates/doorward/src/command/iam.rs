//! `doorward iam`: the least IAM policy that the policy file needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use doorward_core::export::by_ssh;
use doorward_core::export::iam::{self, LONGEST, Task};
use doorward_core::inventory::{AccountId, NotAnId};
use doorward_core::name::InstallationId;
use doorward_core::policy::{Group, Policy};

use super::{Code, Failure, json, note, print};
use crate::policy_file;
use crate::store::{self, AuditFiles};

/// Print the minimal IAM policy that Doorward needs
///
/// The IAM policy allows describing security groups, and changing exactly those that the policy file names. With
/// several profiles each has its own statements; `--profile` prints those of one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  doorward iam --account 123456789012
  doorward iam --account prod=123456789012 --account stage=210987654321
  doorward iam --inventory --account 123456789012
  doorward iam --for people --account 123456789012
  doorward iam --for group:dbs --account 123456789012
  doorward iam --for plan --account 123456789012
  doorward iam --for apply --part 1 --account 123456789012
  doorward iam --profile prod --account 123456789012 > doorward-prod.json
  aws iam create-policy --policy-name doorward \\
    --policy-document file://doorward-prod.json")]
pub struct Iam {
    /// The account of the security groups, or PROFILE=ID if there are several
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<AccountOf>,
    /// Only the permissions that this profile needs
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Also the permissions to read the inventory, for `doorward inventory`, `reach` and `inspect`
    #[arg(long)]
    inventory: bool,
    /// The principal: `doorward` itself, all `people`, `group:NAME`, the `role` whose credentials are vended, the
    /// `server` that vends them and ends sessions, an `auditor` who compares the audit log with CloudTrail, or the
    /// operator who runs `plan`, `apply` (for `env`, too) or `destroy`; the latter two need the permissions of `plan`, too
    #[arg(long = "for", value_name = "PRINCIPAL", default_value = "doorward")]
    principal: Principal,
    /// The installation that owns the networks; by default that of the store
    #[arg(long, value_name = "ID")]
    installation: Option<InstallationId>,
    /// The number of the IAM policy to print, if one IAM policy cannot hold everything
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    part: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Principal {
    Doorward,
    People,
    Group(Group),
    Role,
    Server,
    Auditor,
    Networks(Task),
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "doorward" => Self::Doorward,
            "people" => Self::People,
            "role" => Self::Role,
            "server" => Self::Server,
            "auditor" => Self::Auditor,
            "plan" => Self::Networks(Task::Plan),
            "apply" => Self::Networks(Task::Apply),
            "destroy" => Self::Networks(Task::Destroy),
            _ => {
                let group = text.strip_prefix("group:").ok_or_else(|| {
                    format!(
                        "`{text}` is unknown; write doorward, people, group:NAME, role, server, auditor, plan, apply or destroy"
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
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        if self.principal == Principal::Auditor {
            print(&json(&iam::auditor())?)?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.inventory && self.principal == Principal::Doorward && !policy.exists() {
            // Reading an account needs no policy.
            note(&format!(
                "note: `{}` does not exist, so these are only the permissions to read the inventory",
                policy.display()
            ));
            return self.print_policy(
                &iam::everything(self.accounts.iter().rev().map(|of| &of.account).next()),
                None,
            );
        }
        if let Principal::Networks(task) = self.principal {
            return self.networks(policy, task);
        }
        let loaded = policy_file::load(policy)?;
        if let Principal::Group(group) = &self.principal
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
        let iam = match &self.principal {
            Principal::Doorward => iam::iam(policy, only.as_ref(), &accounts, sees),
            Principal::People => iam::carried(policy, iam::Whose::Everybody, &facts),
            Principal::Group(group) => iam::carried(policy, iam::Whose::Group(group), &facts),
            Principal::Role => iam::carried(policy, iam::Whose::Role, &facts),
            Principal::Server => iam::server(policy, &facts),
            Principal::Auditor | Principal::Networks(_) => return Ok(ExitCode::SUCCESS),
        };
        self.print_policy(&iam, Some(policy))
    }

    /// What the declared networks take.
    fn networks(&self, path: &Path, task: Task) -> Result<ExitCode, Failure> {
        let policy = policy_file::policy_alone(path)?;
        if policy.topology.networks.is_empty() {
            let failure = Failure::new(Code::Data, "the policy declares no network");
            return Err(failure.hint("`doorward iam` prints the permissions for firewalls"));
        }
        let noted = || store::noted_installation(&AuditFiles::of(&policy, path));
        let installation = self.installation.clone().or_else(noted);
        let facts = iam::NetworkFacts { accounts: self.accounts(&policy)?, installation };
        let only = self.profile.clone().map(Some);
        let iam = iam::networks(&policy, only.as_ref(), task, &facts);
        if task != Task::Plan {
            note(
                "note: this also needs the permissions that `doorward iam --for plan` prints, because it reads the account",
            );
        }
        self.print_policy(&iam, None)
    }

    fn print_policy(&self, iam: &iam::Iam, policy: Option<&Policy>) -> Result<ExitCode, Failure> {
        for unknown in &iam.unknown {
            note(&format!("note: {unknown}"));
        }
        if iam.unknown.iter().any(|unknown| matches!(unknown, iam::Unknown::Account(_))) {
            note(
                "hint: name the account with `--account 123456789012`; `aws sts get-caller-identity` prints it",
            );
        }
        let people = matches!(self.principal, Principal::People | Principal::Group(_) | Principal::Role);
        let by_ssh = policy.filter(|policy| people && by_ssh(policy).next().is_some());
        if let Some(ssh) = by_ssh.and_then(|policy| policy.ssh.as_ref()) {
            note(&format!(
                "note: by `ssh` this is a login as `{}` on `{}`, and `doorward ssh-server-config` prints the configuration that confines it",
                ssh.user, ssh.jump_host
            ));
        }
        if let Some(role) = policy.and_then(|policy| policy.ssm.as_ref()?.role.as_ref())
            && matches!(self.principal, Principal::Doorward | Principal::Role | Principal::Server)
        {
            note(&format!("note: {}", super::check::revoking(role)));
        }
        let count = iam.documents.len();
        if count == 0 {
            note(match self.principal {
                Principal::Doorward => {
                    "no firewall of this policy is a security group, so no AWS permissions are needed"
                }
                _ => "this policy needs no AWS permissions for that",
            });
            return Ok(ExitCode::SUCCESS);
        }
        let part = match self.part {
            Some(part) => usize::from(part),
            None if count == 1 => 1,
            None => {
                let what = match self.principal {
                    Principal::Networks(_) => "the networks",
                    _ => "the security groups",
                };
                let what = format!(
                    "{what} of this policy need {count} IAM policies, because one has at most {LONGEST} characters"
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
        if let Principal::Networks(_) = self.principal {
            profiles = iam::network_profiles(policy);
        } else if self.principal != Principal::Doorward {
            let account_regions =
                policy.ssm.iter().map(|ssm| &ssm.at).chain(policy.ssh.iter().map(|ssh| &ssh.at));
            profiles.extend(
                account_regions.chain([&policy.aws]).map(|account_region| account_region.profile.clone()),
            );
        }
        let named = self.accounts.iter().filter_map(|of| of.profile.as_ref()).chain(&self.profile);
        for name in named {
            if !profiles.contains(&Some(name.clone())) {
                let what = match self.principal {
                    Principal::Networks(_) => "network",
                    _ => "security group",
                };
                let what = format!("no {what} of this policy is reached through profile `{name}`");
                let there: Vec<&str> = profiles.iter().filter_map(Option::as_deref).collect();
                let failure = Failure::new(Code::Usage, what);
                return Err(match there.as_slice() {
                    [] => failure.hint("the policy names no profile: leave out `--profile`"),
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
