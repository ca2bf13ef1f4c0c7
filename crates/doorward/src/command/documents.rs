//! `doorward documents`: the session documents, which have the host of each target.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_aws::{Account, Put};
use doorward_core::export::session_document;
use doorward_core::policy::{Address, Policy, Ssm, Target, TargetName, Transport};
use serde::Serialize;

use super::{Code, Failure, access};
use crate::policy_file;

/// Print or apply the session documents of the policy
///
/// With `documents = "pinned"` each target has a document of its own that contains its host and its ports. People
/// then need no permission for the documents of AWS, which accept any host.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward documents
  doorward documents --apply
  doorward documents --apply --json | jq -r '.[].name'")]
pub struct Documents {
    /// Create or update the documents that differ
    #[arg(long)]
    apply: bool,
    /// Print JSON: a list of the documents, with what became of each where they are put
    #[arg(long)]
    json: bool,
}

/// A document as `--json` prints it.
#[derive(Serialize)]
struct Row {
    name: String,
    target: TargetName,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    document: serde_json::Value,
}

impl Documents {
    /// Prints or applies them.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let loaded = policy_file::load(policy)?;
        let policy = &loaded.policy;
        let Some(ssm) = &policy.ssm else {
            return Err(Failure::new(Code::No, "the policy has no `[ssm]`, so there are no documents"));
        };
        if ssm.documents != doorward_core::policy::Documents::Pinned {
            let what = "the policy uses AWS's own session documents";
            return Err(Failure::new(Code::No, what)
                .hint("set `documents = \"pinned\"` in `[ssm]` to give each target its own document"));
        }
        super::runtime()?.block_on(self.all(policy, ssm))
    }

    async fn all(&self, policy: &Policy, ssm: &Ssm) -> Result<ExitCode, Failure> {
        let account = Account::connect(&ssm.at).await.map_err(Failure::with(Code::Unavailable))?;
        let carried = policy.targets.values().filter(|target| target.transports.contains(&Transport::Ssm));
        let mut rows = Vec::new();
        for target in carried {
            let host = host(&account, ssm, target).await?;
            let document = session_document(target, host.as_deref()).map_err(Failure::with(Code::Data))?;
            let mut row = Row {
                name: document.name.clone(),
                target: target.name.clone(),
                state: None,
                document: serde_json::from_str(&document.text()).map_err(Failure::with(Code::Internal))?,
            };
            if !self.apply {
                if self.json {
                    rows.push(row);
                } else {
                    super::print(&super::json(&document)?)?;
                }
                continue;
            }
            let put = account.put_document(&document.name, &document.text()).await;
            let put = put.map_err(|error| {
                Failure::of(Code::Unavailable, &error)
                    .context(format!("cannot apply the document `{}`", document.name))
                    .hint_of(error.hint())
            })?;
            let (how, state) = match put {
                Put::Created => ("created", "created"),
                Put::Updated => ("updated", "updated"),
                Put::Unchanged => ("up to date", "unchanged"),
            };
            if self.json {
                row.state = Some(state);
                rows.push(row);
            } else {
                super::print(&format!("{}  {how}\n", document.name))?;
            }
        }
        if self.json {
            super::print(&super::json(&rows)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The host in the document of a target; none if that is the jump host itself.
async fn host(account: &Account, ssm: &Ssm, target: &Target) -> Result<Option<String>, Failure> {
    if target.address == ssm.jump_host {
        return Ok(None);
    }
    if let Address::Host(host) = &target.address {
        return Ok(Some(host.clone()));
    }
    let located = account.locate(&target.address).await.map_err(|error| {
        access::failure(error.into()).context(format!("cannot find the address of `{}`", target.name))
    })?;
    Ok(Some(located.host))
}
