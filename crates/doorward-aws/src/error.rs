//! Why AWS did not do what it was asked, in words for the person who reads them.

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use doorward_core::inventory::{AccountRegion, Cause, Gap, SecurityGroupId};

use crate::wire::Refusal;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No Region to speak to.
    #[error("no Region is configured{}", of_profile(.0))]
    NoRegion(AccountRegion),
    /// Nothing to sign with.
    #[error("there are no credentials for {account_region}: {why}")]
    NoCredentials {
        /// For where.
        account_region: AccountRegion,
        /// Why, in words.
        why: String,
    },
    /// What was to be signed is no address of a service.
    #[error("`{url}` cannot be signed")]
    NotAnAddress {
        /// Without what stands behind its question mark.
        url: String,
    },
    /// AWS said no.
    #[error("{call} in {account_region} {}: {code}: {message}", Cause::of_code(code))]
    Refused {
        /// Like `ec2:AuthorizeSecurityGroupIngress`.
        call: String,
        account_region: AccountRegion,
        /// AWS's code, like `UnauthorizedOperation`.
        code: String,
        /// AWS's sentence.
        message: String,
    },
    /// The role is in another account than the credentials.
    #[error("{call} needs credentials of the account of {role}, and these are of {account}")]
    OtherAccount {
        /// Like `iam:PutRolePolicy`.
        call: String,
        /// The credentials' account.
        account: String,
        /// The role's ARN.
        role: String,
    },
    /// The group has no room for the rules.
    #[error(
        "security group {group} is full: the rules would exceed the quota L-0EA8095F (rules per security group)"
    )]
    Full { group: SecurityGroupId },
    /// The group does not exist.
    #[error("security group {group} does not exist in {account_region}")]
    NoGroup {
        group: SecurityGroupId,
        /// Where it was looked for.
        account_region: AccountRegion,
    },
    /// No answer came, or none that can be read. What was asked may have been done.
    #[error("{call} in {account_region} failed: {why}")]
    Silent {
        /// Like `ec2:AuthorizeSecurityGroupIngress`.
        call: String,
        account_region: AccountRegion,
        /// Why, in words.
        why: String,
    },
}

fn of_profile(account_region: &AccountRegion) -> String {
    account_region.profile.as_ref().map(|profile| format!(" for profile `{profile}`")).unwrap_or_default()
}

impl Error {
    /// What to type next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRegion(_) => Some("write `region = \"eu-west-1\"` under `[aws]`, or set AWS_REGION"),
            Self::NoCredentials { .. } => Cause::NoCredentials.hint(),
            Self::Refused { call, code, .. } if is_denial(code) && ends_sessions(call) => {
                Some("`doorward iam --for server` prints the IAM policy that allows a server to end sessions")
            }
            Self::Refused { call, code, .. } if is_denial(code) && call == "iam:PutRolePolicy" => Some(
                "`doorward iam --for server` prints the IAM policy that allows a server to deny the credentials of a \
                 grant that has ended",
            ),
            Self::Refused { call, code, .. }
                if is_denial(code) && call == "ec2:RevokeSecurityGroupIngress" =>
            {
                Some("`doorward iam` prints the IAM policy that allows adding and removing rules")
            }
            Self::Refused { code, .. } if code == "TargetNotConnected" => Some(
                "the Session Manager agent of the instance does not respond: check that the instance is running, has \
                 AmazonSSMManagedInstanceCore and can reach ssmmessages",
            ),
            Self::Refused { code, .. } if code == "InvalidDocument" => Some(
                "`doorward documents --apply` creates the session documents of a policy with `documents = \"pinned\"`",
            ),
            Self::Full { .. } => {
                Some("request an increase in Service Quotas (vpc, L-0EA8095F), or remove unused rules")
            }
            Self::OtherAccount { .. } => Some(
                "name a `profile` under `[ssm]` that is in the role's account, or a role that is in its account",
            ),
            Self::Refused { code, .. } => Cause::of_code(code).hint(),
            Self::NoGroup { .. } | Self::Silent { .. } | Self::NotAnAddress { .. } => None,
        }
    }

    /// Why it failed, as far as that decides what helps.
    pub fn cause(&self) -> Cause {
        match self {
            Self::NoRegion(_) | Self::NotAnAddress { .. } => Cause::Unconfigured,
            Self::NoCredentials { .. } => Cause::NoCredentials,
            Self::Refused { code, .. } => Cause::of_code(code),
            Self::Full { .. } | Self::NoGroup { .. } | Self::OtherAccount { .. } => Cause::Refused,
            Self::Silent { .. } => Cause::Silent,
        }
    }
}

/// What only a server asks for sessions that are not its own.
fn ends_sessions(call: &str) -> bool {
    matches!(call, "ssm:DescribeSessions" | "ssm:TerminateSession")
}

impl Error {
    /// Whether AWS refused because the credentials lack a permission.
    pub fn is_denial(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if is_denial(code))
    }

    /// Whether AWS refused because it is asked too much at once.
    pub(crate) fn is_throttling(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if THROTTLING_ERRORS.contains(&code.as_str()))
    }

    /// Whether what was asked may have been done: there was no answer, or a failure of AWS itself.
    pub(crate) fn is_doubtful(&self) -> bool {
        const OWN: &[&str] =
            &["InternalError", "InternalFailure", "RequestTimeout", "ServiceUnavailable", "Unavailable"];
        match self {
            Self::Silent { .. } => true,
            Self::Refused { code, .. } => OWN.contains(&code.as_str()) || code.starts_with("HTTP 5"),
            _ => false,
        }
    }

    /// Whether AWS refused because the policies of a role would be too long together.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "LimitExceeded")
    }
}

/// Whether AWS refused because the credentials lack a permission.
fn is_denial(code: &str) -> bool {
    Cause::of_code(code) == Cause::Denied
}

/// How one call failed, before it is said where and of which group.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    Refused(Refusal),
    /// The call was not made: there was nothing to sign it with.
    Unsigned(String),
    Silent(String),
}

impl Failure {
    /// Whether AWS refused with one of these codes.
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused(refusal) if codes.contains(&refusal.code()))
    }

    /// Whether AWS refused because the credentials lack a permission.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::Refused(refusal) if is_denial(refusal.code()))
    }

    /// Whether AWS refused because it is asked too much at once.
    pub(crate) fn is_throttling(&self) -> bool {
        matches!(self, Self::Refused(refusal) if THROTTLING_ERRORS.contains(&refusal.code()))
    }

    /// As the error that a caller sees; `group` is the one that the call was about.
    pub(crate) fn at(
        self,
        call: &str,
        account_region: &AccountRegion,
        group: Option<&SecurityGroupId>,
    ) -> Error {
        let (call, account_region) = (call.to_owned(), account_region.clone());
        match (self, group) {
            (Self::Refused(refusal), Some(group))
                if refusal.code() == "RulesPerSecurityGroupLimitExceeded" =>
            {
                Error::Full { group: group.clone() }
            }
            (Self::Refused(refusal), Some(group)) if refusal.code() == "InvalidGroup.NotFound" => {
                Error::NoGroup { group: group.clone(), account_region }
            }
            (Self::Refused(refusal), _) => {
                let (code, message) = (refusal.code().to_owned(), refusal.message().to_owned());
                Error::Refused { call, account_region, code, message }
            }
            (Self::Unsigned(why), _) => Error::NoCredentials { account_region, why },
            (Self::Silent(why), _) => Error::Silent { call, account_region, why },
        }
    }

    /// As the reason of a gap.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Unsigned(why) => format!("{}{why}", Gap::NO_CREDENTIALS),
            Self::Silent(why) => why.clone(),
        }
    }
}
