//! Typed ids of AWS's things: `sg-…` is never taken for `vpc-…`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not the id of {} {kind} (like `{like}`)", if *.kind == "account" { "an" } else { "a" })]
pub struct NotAnId {
    given: String,
    kind: &'static str,
    like: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal, $like:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        crate::text::is_text!($name);

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let good = text.strip_prefix($prefix).is_some_and(|rest| {
                    (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
                });
                if good {
                    Ok(Self(text.into()))
                } else {
                    Err(NotAnId { given: text.into(), kind: $kind, like: $like })
                }
            }
        }

    };
}

id!(
    /// A security group.
    SecurityGroupId, "sg-", "security group", "sg-0a1b2c3d4e5f60718"
);
id!(
    /// A rule of a security group.
    SecurityGroupRuleId, "sgr-", "security group rule", "sgr-0a1b2c3d4e5f60718"
);
id!(
    /// A VPC.
    VpcId, "vpc-", "VPC", "vpc-0a1b2c3d4e5f60718"
);
id!(
    /// A prefix list.
    PrefixListId, "pl-", "prefix list", "pl-0a1b2c3d4e5f60718"
);

/// An account of AWS: twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

crate::text::is_text!(AccountId);

impl FromStr for AccountId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(NotAnId { given: text.into(), kind: "account", like: "123456789012" })
        }
    }
}

impl SecurityGroupRuleId {
    /// The id of a rule in an account that lives in memory.
    pub fn numbered(number: u64) -> Self {
        Self(format!("sgr-{number:017x}"))
    }
}
