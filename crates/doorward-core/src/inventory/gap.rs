//! What could not be seen, and by which call it would have been.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::{AccountRegion, Call, ResourceRef, SecurityGroupId};

/// Something that could not be seen, and why. A gap can block an opening, never a closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What would have told of it.
    #[serde(rename = "call")]
    pub source: GapSource,
    #[serde(rename = "place")]
    pub account_region: AccountRegion,
    /// The groups that the answer would have told of.
    pub groups: Vec<SecurityGroupId>,
    /// Why, in words.
    pub why: String,
}

/// What would have told of something that is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapSource {
    /// A call that gave no answer, or no whole one.
    Call(Call),
    /// A call that a saved inventory names and this version does not know.
    UnknownCall(String),
    /// The configuration, which does not even say where to call.
    Configuration,
    /// Nothing: what is behind this resource is not modelled, or nobody's to describe.
    NotModelled(ResourceRef),
}

impl GapSource {
    const CONFIGURATION: &str = "the AWS configuration";

    /// From the action of a call, as a saved inventory has it.
    pub fn read(text: &str) -> Self {
        if text == Self::CONFIGURATION {
            return Self::Configuration;
        }
        let known = Call::ALL.iter().find(|call| call.action() == text);
        known.map_or_else(|| Self::UnknownCall(text.to_owned()), |call| Self::Call(*call))
    }

    /// As a saved inventory has it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Call(call) => call.action().into(),
            Self::UnknownCall(action) => action.into(),
            Self::Configuration => Self::CONFIGURATION.into(),
            Self::NotModelled(resource) => format!("{} {resource}", resource.kind()).into(),
        }
    }
}

impl fmt::Display for GapSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

impl Serialize for GapSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, account_region, why, .. } = self;
        if let GapSource::NotModelled(_) = source {
            return write!(f, "{source}: {why}");
        }
        match self.cause() {
            Cause::NoCredentials => {
                let why = why.strip_prefix(Self::NO_CREDENTIALS).unwrap_or(why);
                write!(f, "there are no credentials for {source} in {account_region}: {why}")
            }
            cause => write!(f, "{source} in {account_region} {cause}: {why}"),
        }
    }
}

impl Gap {
    /// How a `why` begins where the call was not made, since there was nothing to sign it with.
    pub const NO_CREDENTIALS: &str = "NoCredentials: ";

    /// A call that gave no answer in an account and Region, or no whole one.
    pub fn of(call: Call, account_region: &AccountRegion, why: impl Into<String>) -> Self {
        Self {
            source: GapSource::Call(call),
            account_region: account_region.clone(),
            groups: Vec::new(),
            why: why.into(),
        }
    }

    /// What is behind a resource, where that is not modelled.
    pub fn behind(resource: ResourceRef, why: impl Into<String>) -> Self {
        let account_region = resource.scope().map(|scope| scope.account_region.clone()).unwrap_or_default();
        Self { source: GapSource::NotModelled(resource), account_region, groups: Vec::new(), why: why.into() }
    }

    /// Whether it is one of a call.
    pub fn is_of(&self, call: Call) -> bool {
        self.source == GapSource::Call(call)
    }

    /// Why the call told nothing.
    pub fn cause(&self) -> Cause {
        // What AWS refused begins with AWS's code, also in what was recorded of an account.
        if self.source == GapSource::Configuration {
            return Cause::Unconfigured;
        }
        if self.why.starts_with(Self::NO_CREDENTIALS) {
            return Cause::NoCredentials;
        }
        Cause::of_code(self.why.split(": ").next().unwrap_or_default())
    }
}

/// Why AWS did not do what it was asked, as far as it decides what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The configuration does not say where to call.
    Unconfigured,
    /// There is nothing to sign with.
    NoCredentials,
    /// The credentials were good once.
    Expired,
    /// AWS does not know the credentials, or their signature is wrong.
    Invalid,
    /// The credentials lack a permission.
    Denied,
    /// Too much was asked at once.
    Throttled,
    /// AWS refused for another reason.
    Refused,
    /// No answer came, or none that can be read.
    Silent,
}

impl Cause {
    /// Of the code with which AWS refused; `Silent` for a text that is no code.
    ///
    /// Sources: "Error codes for the Amazon EC2 API", and the common errors of the query and JSON services (STS, SSM,
    /// RDS).
    pub fn of_code(code: &str) -> Self {
        match code {
            // EC2's RequestExpired is also said to a clock that is wrong.
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
                Self::Expired
            }
            "AuthFailure"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "NotSignedUp"
            | "OptInRequired"
            | "PendingVerification"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => Self::Invalid,
            "AccessDenied" | "AccessDeniedException" | "Blocked" | "UnauthorizedOperation" => Self::Denied,
            "BandwidthLimitExceeded"
            | "EC2ThrottledException"
            | "PriorRequestNotComplete"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequestsException" => Self::Throttled,
            _ if is_code(code) => Self::Refused,
            _ => Self::Silent,
        }
    }

    /// Whether the same call may succeed later although nobody changes a permission.
    pub fn is_temporary(self) -> bool {
        !matches!(self, Self::Unconfigured | Self::Denied | Self::Refused)
    }

    /// What helps, for an operator; nothing where that is not known.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Unconfigured => Some("write `region = \"eu-west-1\"` under `[aws]`, or set AWS_REGION"),
            Self::NoCredentials => {
                Some("run `aws sso login`, or set AWS_PROFILE to a profile that has credentials")
            }
            Self::Expired => Some(
                "renew the credentials of Doorward with `aws sso login` or new access keys, and check the clock of the machine",
            ),
            Self::Invalid => Some(
                "AWS does not know the credentials of Doorward: check the access keys of the profile, and whether they are active",
            ),
            Self::Denied => Some("`doorward iam` prints the IAM policy that Doorward needs"),
            Self::Throttled => Some("wait a moment; Doorward retries by itself"),
            Self::Silent => Some("check that the machine can reach AWS; Doorward retries by itself"),
            Self::Refused => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconfigured => "cannot be used",
            Self::NoCredentials => "was not called, because there are no credentials",
            Self::Expired => "was refused because the credentials have expired",
            Self::Invalid => "was refused because the credentials are not valid",
            Self::Denied => "was denied",
            Self::Throttled => "was throttled",
            Self::Refused => "was refused",
            Self::Silent => "gave no answer",
        })
    }
}

/// Whether a text looks like a code of AWS: `InvalidGroup.NotFound`, `Server.InternalError`, `HTTP 503`.
fn is_code(text: &str) -> bool {
    let is_word = |text: &str| {
        text.len() > 3
            && text.starts_with(|letter: char| letter.is_ascii_uppercase())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_'))
            && text.chars().skip(1).any(|letter| letter.is_ascii_uppercase())
    };
    is_word(text) || text.strip_prefix("HTTP ").is_some_and(|status| status.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(why: &str, cause: Cause, shown: &str) {
        let gap = Gap::of(Call::SecurityGroups, &AccountRegion::default(), why);
        assert_eq!(gap.cause(), cause, "{why}");
        assert!(gap.to_string().ends_with(&format!(" {shown}: {why}")), "{gap}");
    }

    #[test]
    fn what_failed_is_called_what_it_is() {
        use Cause::*;
        check(
            "RequestExpired: Request has expired.",
            Expired,
            "refused because the credentials have expired",
        );
        check(
            "ExpiredToken: The security token is expired",
            Expired,
            "refused because the credentials have expired",
        );
        check(
            "AuthFailure: AWS was not able to validate",
            Invalid,
            "refused because the credentials are not valid",
        );
        check("UnauthorizedOperation: You are not authorized", Denied, "was denied");
        check("AccessDenied", Denied, "was denied");
        check("RequestLimitExceeded: Request limit exceeded.", Throttled, "was throttled");
        check("InternalError: An internal error has occurred", Refused, "was refused");
        check("HTTP 502: the response has no details", Refused, "was refused");
        check("no response within 5 s", Silent, "gave no answer");
        check("it has not answered yet", Silent, "gave no answer");
        check("dispatch failure: connection refused", Silent, "gave no answer");
    }

    #[test]
    fn only_a_quota_is_told_as_a_quota() {
        use Cause::*;
        for cause in [NoCredentials, Expired, Invalid, Denied, Throttled, Refused, Silent] {
            let told = format!("{cause} {}", cause.hint().unwrap_or_default());
            assert!(!told.contains("quota") && !told.contains("limit"), "{told}");
        }
    }
}
