//! What IAM calls session documents and endpoints, and the conditions under which they are allowed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::arn;
use super::document::Statement;
use crate::inventory::{AccountId, AccountRegion, Partition};
use crate::policy::{Documents, Ssh, Ssm, Target};

/// The longest that a tunnel through an endpoint lives, in seconds.
const TUNNEL: u32 = 3600;

/// The names of AWS's own session documents that are used.
const TO_INSTANCE: &str = "AWS-StartPortForwardingSession";
const TO_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";
const TO_SSHD: &str = "AWS-StartSSHSession";

/// Which documents sessions to these targets are opened with.
pub(super) fn documents_of(ssm: &Ssm, targets: &[&Target]) -> BTreeSet<DocumentName> {
    let of = |target: &&Target| match ssm.documents {
        Documents::Pinned => DocumentName::Ours(Ssm::pinned(&target.name)),
        Documents::Shared if target.address == ssm.jump_host => DocumentName::Aws(TO_INSTANCE),
        Documents::Shared => DocumentName::Aws(TO_HOST),
    };
    targets.iter().map(of).collect()
}

/// A session document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DocumentName {
    /// AWS's, which is in no account.
    Aws(&'static str),
    /// One of the account's own.
    Ours(String),
}

impl DocumentName {
    /// The one that leads to a target.
    pub(super) fn for_target(ssm: &Ssm, target: &Target) -> Option<Self> {
        documents_of(ssm, &[target]).pop_first()
    }

    /// The one that leads to the jump host's sshd.
    pub(super) fn for_sshd() -> Self {
        Self::Aws(TO_SSHD)
    }

    pub(super) fn arn(&self, at: &AccountRegion, account: Option<&AccountId>) -> String {
        let region = at.region.as_deref();
        match self {
            Self::Ours(name) => arn("ssm", region, account, &format!("document/{name}")),
            Self::Aws(name) => {
                let partition = Partition::of(region.unwrap_or_default()).arn();
                format!("arn:{partition}:ssm:{}::document/{name}", region.unwrap_or("*"))
            }
        }
    }
}

/// Where it is checked that a document was allowed by name: in each statement that allows a session.
pub(super) fn checked(statement: Statement) -> Statement {
    statement.if_true("ssm:SessionDocumentAccessCheck")
}

/// Tunnels to one port, and to one address where that is known.
pub(super) fn open_tunnel(ssh: &Ssh, account: Option<&AccountId>, address: Option<IpAddr>) -> Statement {
    let endpoint = ssh.endpoint.as_ref().map_or("*", |id| id.as_str());
    let resource = format!("instance-connect-endpoint/{endpoint}");
    let resource = arn("ec2", ssh.at.region.as_deref(), account, &resource);
    let open = Statement::allow("TunnelToSshd", vec!["ec2-instance-connect:OpenTunnel"], vec![resource])
        .when("NumericEquals", "ec2-instance-connect:remotePort", [ssh.port.to_string()])
        .when("NumericLessThanEquals", "ec2-instance-connect:maxTunnelDuration", [TUNNEL.to_string()]);
    match address {
        Some(address) => {
            let only = crate::net::Cidr::host(address).to_string();
            open.when("IpAddress", "ec2-instance-connect:privateIpAddress", [only])
        }
        None => open,
    }
}
