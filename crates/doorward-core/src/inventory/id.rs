//! Typed ids of AWS's things: `sg-…` is never taken for `vpc-…`.

use std::borrow::Borrow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not the id of {} {kind} (like `{like}`)", article(kind))]
pub struct NotAnId {
    given: String,
    kind: &'static str,
    like: &'static str,
}

/// `an` before a vowel that is heard as one.
fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'E']) { "an" } else { "a" }
}

/// An id as an answer of AWS has it.
///
/// A recording may have been made anonymous (`InstanceId:6`, a hash, a UUID), and how AWS writes its ids is AWS's to
/// change: an id of an answer is a text that matches another one. What people type is parsed, and has to have the
/// form that AWS writes today, so that a mistyped id is found.
pub trait AnsweredId: Sized {
    /// The id; an error where the text is empty.
    fn answered(text: &str) -> Result<Self, NotAnId>;
}

/// An id that AWS has yet to give, in an inventory that is wanted.
///
/// It names what the resource is for, so that two wanted inventories of one declaration are equal.
pub trait PlannedId: Sized {
    /// The id of a resource that is to be made for a purpose, like `main/private-subnet/euw1-az1`.
    fn planned(purpose: &str) -> Self;

    /// Whether AWS has yet to give it.
    fn is_planned(&self) -> bool;
}

/// How a planned id begins; no answer is read as such.
const PLANNED: &str = "new:";

/// The ARN of what has no id, like a load balancer.
impl PlannedId for String {
    fn planned(purpose: &str) -> Self {
        format!("{PLANNED}{purpose}")
    }

    fn is_planned(&self) -> bool {
        self.starts_with(PLANNED)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal, $like:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        crate::text::is_text!($name);

        impl AnsweredId for $name {
            fn answered(text: &str) -> Result<Self, NotAnId> {
                match text.trim() {
                    text if text.is_empty() || text.starts_with(PLANNED) => {
                        Err(NotAnId { given: text.into(), kind: $kind, like: $like })
                    }
                    text => Ok(Self(crate::text::shown(text).into_owned())),
                }
            }
        }

        impl PlannedId for $name {
            fn planned(purpose: &str) -> Self {
                Self(format!("{PLANNED}{purpose}"))
            }

            fn is_planned(&self) -> bool {
                self.0.starts_with(PLANNED)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

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

id!(
    /// A subnet.
    SubnetId, "subnet-", "subnet", "subnet-0a1b2c3d4e5f60718"
);
id!(
    /// A route table.
    RouteTableId, "rtb-", "route table", "rtb-0a1b2c3d4e5f60718"
);
id!(
    /// A network ACL.
    NetworkAclId, "acl-", "network ACL", "acl-0a1b2c3d4e5f60718"
);
id!(
    /// A network interface.
    InterfaceId, "eni-", "network interface", "eni-0a1b2c3d4e5f60718"
);
id!(
    /// An instance of EC2.
    InstanceId, "i-", "EC2 instance", "i-0a1b2c3d4e5f60718"
);
id!(
    /// An internet gateway.
    InternetGatewayId, "igw-", "internet gateway", "igw-0a1b2c3d4e5f60718"
);
id!(
    /// An egress-only internet gateway.
    EgressOnlyGatewayId, "eigw-", "egress-only internet gateway", "eigw-0a1b2c3d4e5f60718"
);
id!(
    /// A NAT gateway.
    NatGatewayId, "nat-", "NAT gateway", "nat-0a1b2c3d4e5f60718"
);
id!(
    /// A virtual private gateway.
    VpnGatewayId, "vgw-", "VPN gateway", "vgw-0a1b2c3d4e5f60718"
);
id!(
    /// A Site-to-Site VPN connection.
    VpnConnectionId, "vpn-", "VPN connection", "vpn-0a1b2c3d4e5f60718"
);
id!(
    /// A VPC peering connection.
    PeeringId, "pcx-", "VPC peering connection", "pcx-0a1b2c3d4e5f60718"
);
id!(
    /// A transit gateway.
    TransitGatewayId, "tgw-", "transit gateway", "tgw-0a1b2c3d4e5f60718"
);
id!(
    /// An attachment of a transit gateway.
    AttachmentId, "tgw-attach-", "transit gateway attachment", "tgw-attach-0a1b2c3d4e5f60718"
);
id!(
    /// A route table of a transit gateway.
    TransitTableId, "tgw-rtb-", "transit gateway route table", "tgw-rtb-0a1b2c3d4e5f60718"
);
id!(
    /// A VPC endpoint.
    EndpointId, "vpce-", "VPC endpoint", "vpce-0a1b2c3d4e5f60718"
);

id!(
    /// An elastic address as EC2 allocated it: calls name it by this, and not by the address.
    AllocationId, "eipalloc-", "elastic address", "eipalloc-0a1b2c3d4e5f60718"
);

id!(
    /// An image of EC2: what an instance is launched from.
    ImageId, "ami-", "image", "ami-0a1b2c3d4e5f60718"
);

id!(
    /// A launch template.
    LaunchTemplateId, "lt-", "launch template", "lt-0a1b2c3d4e5f60718"
);

id!(
    /// An EC2 Instance Connect Endpoint.
    ConnectEndpointId, "eice-", "EC2 Instance Connect Endpoint", "eice-0a1b2c3d4e5f60718"
);

/// An account of AWS: twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_id_is_nobodys_answer() {
        let planned = SubnetId::planned("main/private-subnet/euw1-az1");
        assert!(planned.is_planned());
        assert_eq!(planned.to_string(), "new:main/private-subnet/euw1-az1");
        assert!(
            SubnetId::answered(planned.as_str()).is_err() && planned.as_str().parse::<SubnetId>().is_err()
        );
        assert!(!SubnetId::answered("subnet-0a").expect("an id").is_planned());
        assert!(SubnetId::answered(" ").is_err());
    }
}
