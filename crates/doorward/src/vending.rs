//! AWS credentials for exactly one grant: the policy's role, restricted to the grant's machine, document and expiry.

use std::net::IpAddr;

use doorward_aws::{Account, AssumedFor, JumpError, LocateError, ShortLived};
use doorward_core::audit::What;
use doorward_core::export::iam::{Machine, NotVended, vend};
use doorward_core::grant::GrantId;
use doorward_core::inventory::AccountId;
use doorward_core::policy::{Address, Transport};
use serde::{Deserialize, Serialize};

use crate::requests::{self, Caller, Requests};

/// Credentials for one grant, and where it leads: whoever has them may look nothing up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vended {
    #[serde(flatten)]
    pub credentials: ShortLived,
    /// The machine to go through, as the policy names it.
    pub jump_host: String,
    /// The instance that it is.
    pub instance: String,
    pub zone: Option<String>,
    /// Its private address.
    pub address: Option<IpAddr>,
    pub vpc: Option<String>,
    /// The target, as the policy names it.
    pub target: String,
    /// Where it is, as the machine knows it; none of a network.
    pub host: Option<String>,
}

/// Why nobody gets credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such grant, or it is not open.
    #[error(transparent)]
    Grant(#[from] requests::Error),
    /// The policy vends none for it.
    #[error(transparent)]
    NotVended(#[from] NotVended),
    /// The machine to go through was not found.
    #[error(transparent)]
    Jump(#[from] JumpError),
    /// The target was not found.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// AWS did not vend them.
    #[error(transparent)]
    Aws(#[from] doorward_aws::Error),
}

/// Vends credentials for a grant of the caller's own that is open.
pub async fn credentials(requests: &Requests, caller: &Caller, id: &GrantId) -> Result<Vended, Error> {
    let grant = requests.open_grant(caller, id).await?;
    let loaded = requests.app().loaded();
    let policy = &loaded.policy;
    let none = || requests::Error::NoSuchGrant(id.clone());
    let target = policy.targets.get(grant.target()).ok_or_else(none)?;
    let now = requests.app().clock().now();
    let live = grant.live(now).ok_or_else(none)?;
    let (at, jump_host) = match grant.transport() {
        Transport::Ssh => policy.ssh.as_ref().map(|ssh| (&ssh.at, &ssh.jump_host)),
        _ => policy.ssm.as_ref().map(|ssm| (&ssm.at, &ssm.jump_host)),
    }
    .ok_or(NotVended::NoRole)?;
    let account = Account::connect(at).await?;
    let jump = account.jump(jump_host).await?;
    // The role names its account; the machine that its holder goes through is in the same one.
    let role = policy.ssm.as_ref().and_then(|ssm| ssm.role.as_ref()).ok_or(NotVended::NoRole)?;
    let owner: Option<AccountId> = role.as_str().split(':').nth(4).and_then(|id| id.parse().ok());
    let machine = Machine { instance: &jump.instance, address: jump.address, account: owner.as_ref() };
    let vended = vend(policy, target, live, machine, None)?;
    let assumed = AssumedFor {
        role: vended.role,
        session_name: vended.session_name,
        source_identity: Some(vended.source_identity),
        policy: Some(vended.policy),
        seconds: vended.seconds,
        tags: vended.tags,
    };
    let host = match &target.address {
        Address::Network(_) => None,
        address => Some(account.locate(address).await?.host),
    };
    let credentials = account.assume(&assumed).await?;
    // Whoever revokes the grant finds in the audit log which credentials are to be denied. So they are handed out only
    // when they are recorded, and the grant is open still: in either order of the two, one of them finds the other.
    let vended = What::CredentialsVended { grant: id.clone(), until: credentials.until };
    requests.record(vec![requests.event(caller, vended)]).await?;
    requests.open_grant(caller, id).await?;
    Ok(Vended {
        credentials,
        jump_host: jump_host.to_string(),
        instance: jump.instance,
        zone: jump.zone,
        address: jump.address,
        vpc: jump.vpc,
        target: target.address.to_string(),
        host,
    })
}
