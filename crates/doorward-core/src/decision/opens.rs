//! What an approval opens, by the request and by the policy: an approval is for that, and for nothing that either of them says
//! later.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::firewall;
use crate::grant::{Grant, Life};
use crate::policy::{Policy, Target, Transport, in_words};

/// What an approver saw: the revision of a request, and a digest of what it would open by the policy. As text `1-` and 16
/// hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Seen {
    /// How often the request had been changed.
    pub revision: u32,
    opens: String,
}

/// Not what [`Seen`] is as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what was seen: `seen` of a request does, which is like `1-0123456789abcdef`")]
pub struct NotSeen(String);

/// Hexadecimal digits of a digest: nobody but who writes the policy could look for two that are the same.
const DIGITS: usize = 16;

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.opens)
    }
}

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let wrong = || NotSeen(text.to_owned());
        let (revision, opens) = text.split_once('-').ok_or_else(wrong)?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !revision.bytes().all(|byte| byte.is_ascii_digit())
            || opens.len() != DIGITS
            || !opens.bytes().all(is_hex)
        {
            return Err(wrong());
        }
        Ok(Self { revision: revision.parse().map_err(|_| wrong())?, opens: opens.to_owned() })
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.to_string()
    }
}

impl TryFrom<String> for Seen {
    type Error = NotSeen;

    fn try_from(text: String) -> Result<Self, NotSeen> {
        text.parse()
    }
}

/// What changed since an approver saw a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differs {
    /// The request itself.
    Request,
    /// What the policy opens by it.
    Policy,
}

/// What to show of a request, so that it can be approved as it was seen; none of what does not wait, and of a target that is
/// gone.
pub fn seen(policy: &Policy, grant: &Grant) -> Option<Seen> {
    let Life::Waiting { seconds, .. } = grant.life() else { return None };
    let target = policy.targets.get(grant.target())?;
    Some(Seen { revision: grant.revision(), opens: digest(policy, target, grant.transport(), *seconds) })
}

/// Whether a request and what it opens are as they were seen; where nobody says what that was, as they were when the request
/// was made.
pub fn is_as_seen(policy: &Policy, grant: &Grant, was: Option<&Seen>) -> Result<(), Differs> {
    let (Some(now), Life::Waiting { opens, .. }) = (seen(policy, grant), grant.life()) else {
        // It is refused for another reason.
        return Ok(());
    };
    let (revision, opens) = match was {
        Some(was) => (was.revision, Some(&was.opens)),
        // An earlier version did not note it.
        None => (0, opens.as_ref()),
    };
    match (now.revision == revision, opens.is_none_or(|opens| *opens == now.opens)) {
        (false, _) => Err(Differs::Request),
        (true, false) => Err(Differs::Policy),
        (true, true) => Ok(()),
    }
}

/// What an approval of a request opens, in words.
pub fn opens(policy: &Policy, grant: &Grant) -> Option<String> {
    let Life::Waiting { seconds, .. } = grant.life() else { return None };
    let target = policy.targets.get(grant.target())?;
    let ports: Vec<String> = target.ports.iter().map(ToString::to_string).collect();
    let by = match grant.transport() {
        Transport::Direct => {
            firewall(policy, target).map(|firewall| format!(", admitted by `{}`", firewall.name))
        }
        Transport::Ssm => policy.ssm.as_ref().map(|ssm| format!(", through `{}`", ssm.jump_host)),
        Transport::Ssh => policy.ssh.as_ref().map(|ssh| format!(", through `{}`", ssh.jump_host)),
        Transport::Wireguard => None,
    };
    let lasts = in_words(lasts(target, *seconds));
    Some(format!("{} on {}{}, for {lasts}", target.address, ports.join(", "), by.unwrap_or_default()))
}

/// The policy may have become stricter than the request.
pub(super) fn lasts(target: &Target, seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds).min(target.lasts.at_most)
}

/// Everything in the policy that decides what an approved request opens.
pub(super) fn digest(policy: &Policy, target: &Target, transport: Transport, seconds: i64) -> String {
    let through = match transport {
        Transport::Direct => {
            let kind = firewall(policy, target).map(|firewall| (&firewall.name, &firewall.kind));
            format!("{kind:?}")
        }
        Transport::Ssm => format!("{:?}", policy.ssm),
        Transport::Ssh => format!("{:?}", policy.ssh),
        Transport::Wireguard => String::new(),
    };
    let lasts = lasts(target, seconds);
    let parts =
        (&target.address, &target.names, &target.ports, transport, through, &policy.aws, lasts.as_secs());
    let digest = Sha256::digest(format!("{parts:?}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().chars().take(DIGITS).collect()
}
