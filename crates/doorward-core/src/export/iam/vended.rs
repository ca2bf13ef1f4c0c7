//! What is asked of STS for one live grant: credentials that open its sessions, and nothing else, until its end.

use std::net::IpAddr;

use jiff::Timestamp;

use super::arn;
use super::carried::SignIn;
use super::document::{Document, Statement};
use super::resource::{DocumentName, checked, open_tunnel};
use crate::grant::Live;
use crate::inventory::{AccountId, AccountRegion};
use crate::policy::{Over, Policy, Ssh, SshKey, Target, TargetName, Transport};
use crate::session::vended_name;

/// How many characters a session policy may have (STS API reference, `AssumeRole`).
pub const LONGEST_SESSION_POLICY: usize = 2048;

/// The tags of the session, which CloudTrail has with the call that made it.
pub(super) const TAGS: [&str; 2] = [GRANT, "doorward-target"];

/// The tag that names the grant.
pub(super) const GRANT: &str = "doorward-grant";

/// How many seconds credentials last: what AWS takes at least. A longer grant has them renewed. Where the server may not
/// deny those of a grant that was revoked, they are good for no longer than that.
pub const LASTS: u32 = 900;

/// What is asked of STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vended {
    /// The role's ARN.
    pub role: String,
    /// What the session is called: the grant and the person, so that AWS says of each session whose it is.
    pub session_name: String,
    /// Who is behind it: the person.
    pub source_identity: String,
    /// The session policy, in JSON.
    pub policy: String,
    /// How long the credentials last, in seconds. Where that is longer than the grant, the policy ends with the grant.
    pub seconds: u32,
    /// Tags of the session: the grant and the target.
    pub tags: Vec<(String, String)>,
}

/// Why nothing is vended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVended {
    /// The policy names no role.
    #[error("the policy names no `role`, so each person uses their own credentials")]
    NoRole,
    /// A grant that needs no credentials.
    #[error("the transport `{0}` needs no AWS credentials")]
    NotCarried(Transport),
    /// The grant is to something else.
    #[error("the grant is not for `{0}`")]
    OtherTarget(TargetName),
    /// There is nothing that could be written into the policy.
    #[error("the session policy would have {0} characters, and AWS accepts {LONGEST_SESSION_POLICY}")]
    TooLong(usize),
}

/// The machine that a grant goes through, as it was found.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// Like `i-0a1b2c3d4e5f60718`.
    pub instance: &'a str,
    /// Its private address, to which tunnels are held.
    pub address: Option<IpAddr>,
    /// The account that it is in.
    pub account: Option<&'a AccountId>,
}

/// Asks for credentials for a live grant: pinned to the machine, to the target's document and to the grant's end.
///
/// `sign_in` lets the person sign in to the target's database by IAM as well.
pub fn vend(
    policy: &Policy,
    target: &Target,
    live: Live<'_>,
    machine: Machine<'_>,
    sign_in: Option<&SignIn>,
) -> Result<Vended, NotVended> {
    let grant = live.grant();
    let ssm = policy.ssm.as_ref().ok_or(NotVended::NoRole)?;
    let role = ssm.role.as_ref().ok_or(NotVended::NoRole)?;
    if grant.target() != &target.name {
        return Err(NotVended::OtherTarget(target.name.clone()));
    }
    let name = vended_name(grant.id(), grant.person());
    let mut statements = match grant.transport() {
        Transport::Ssm => {
            let document =
                DocumentName::for_target(ssm, target).map(|name| name.arn(&ssm.at, machine.account));
            sessions(&ssm.at, machine, document, &name)
        }
        Transport::Ssh => {
            let ssh = policy.ssh.as_ref().ok_or(NotVended::NotCarried(Transport::Ssh))?;
            of_ssh(ssh, machine, &name)
        }
        other @ (Transport::Direct | Transport::Wireguard) => return Err(NotVended::NotCarried(other)),
    };
    if let Some(sign_in) = sign_in.filter(|sign_in| !sign_in.users.is_empty()) {
        let region = policy.aws.region.as_deref();
        let user =
            |user| arn("rds-db", region, machine.account, &format!("dbuser:{}/{user}", sign_in.resource));
        let users = sign_in.users.iter().map(user).collect();
        statements.push(Statement::allow("SignIn", vec!["rds-db:connect"], users));
    }
    // A mark of time in whole seconds, which never gives some away.
    let until = Timestamp::from_second(live.until().as_second()).unwrap_or(live.until()).to_string();
    let mut statements = statements
        .into_iter()
        .map(|statement| statement.when("DateLessThan", "aws:CurrentTime", [until.as_str()]))
        .chain(ending(policy, grant.transport(), machine, &name));
    let Some(first) = statements.next() else { return Err(NotVended::NotCarried(grant.transport())) };
    let mut document = Document::of(first);
    statements.for_each(|statement| document.add(statement));
    let text = serde_json::to_string(&document).map_err(|_| NotVended::TooLong(usize::MAX))?;
    if text.len() > LONGEST_SESSION_POLICY {
        return Err(NotVended::TooLong(text.len()));
    }
    let values = [grant.id().to_string(), target.name.to_string()];
    Ok(Vended {
        role: role.as_str().to_owned(),
        session_name: name,
        source_identity: grant.person().session_name(),
        policy: text,
        seconds: LASTS,
        tags: TAGS.iter().map(|tag| (*tag).to_owned()).zip(values).collect(),
    })
}

/// Sessions to one machine with one document, and what follows on one's own.
fn sessions(
    at: &AccountRegion,
    machine: Machine<'_>,
    document: Option<String>,
    name: &str,
) -> Vec<Statement> {
    let instance = instance(at, machine);
    let resources = [Some(instance), document].into_iter().flatten().collect();
    let start = checked(Statement::allow("Start", vec!["ssm:StartSession"], resources));
    let actions = vec!["ssm:ResumeSession", "ssmmessages:OpenDataChannel"];
    vec![start, Statement::allow("Join", actions, own(at, machine, name))]
}

fn of_ssh(ssh: &Ssh, machine: Machine<'_>, name: &str) -> Vec<Statement> {
    let mut statements = match ssh.over {
        Over::Ssm => {
            let document = DocumentName::for_sshd().arn(&ssh.at, machine.account);
            sessions(&ssh.at, machine, Some(document), name)
        }
        Over::Endpoint => vec![open_tunnel(ssh, machine.account, machine.address)],
        Over::Direct => Vec::new(),
    };
    if ssh.key == SshKey::InstanceConnect {
        let push = Statement::allow(
            "PushAKey",
            vec!["ec2-instance-connect:SendSSHPublicKey"],
            vec![instance(&ssh.at, machine)],
        );
        statements.push(push.when("StringEquals", "ec2:osuser", [ssh.user.as_str()]));
    }
    statements
}

/// Closing never waits: one's own sessions can be ended for as long as the credentials are good.
fn ending(policy: &Policy, transport: Transport, machine: Machine<'_>, name: &str) -> Option<Statement> {
    let at = match transport {
        Transport::Ssm => &policy.ssm.as_ref()?.at,
        Transport::Ssh => &policy.ssh.as_ref().filter(|ssh| ssh.over == Over::Ssm)?.at,
        Transport::Direct | Transport::Wireguard => return None,
    };
    Some(Statement::allow("End", vec!["ssm:TerminateSession"], own(at, machine, name)))
}

fn instance(at: &AccountRegion, machine: Machine<'_>) -> String {
    arn("ec2", at.region.as_deref(), machine.account, &format!("instance/{}", machine.instance))
}

/// A session is called by the name of the role's session, and a number; the name begins with the grant, so that no other
/// grant's sessions match, whoever holds it.
fn own(at: &AccountRegion, machine: Machine<'_>, name: &str) -> Vec<String> {
    let session =
        |name: &str| arn("ssm", at.region.as_deref(), machine.account, &format!("session/{name}-*"));
    vec![session(name), session("${aws:userid}")]
}
