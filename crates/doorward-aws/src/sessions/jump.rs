//! The machine that sessions and SSH go through: the one that a policy means, and whether it can be.

use std::net::IpAddr;

use doorward_core::inventory::AccountRegion;
use doorward_core::net::Cidr;
use doorward_core::policy::Address;
use doorward_core::text::shown;

use crate::account::Account;
use crate::error::Error;
use crate::operation::find::{FindInstances, Sought};
use crate::operation::{DescribeVpcs, InstanceShape};
use crate::reading::Reader;

/// A running instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Like `i-0a1b2c3d4e5f60718`.
    pub instance: String,
    /// Its tag `Name`, where it has one.
    pub name: Option<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// Its address in the VPC.
    pub address: Option<IpAddr>,
    /// Its address in the internet, if it has one.
    pub public: Option<IpAddr>,
    /// The VPC that it is in.
    pub vpc: Option<String>,
    pub subnet: Option<String>,
    /// `running`, or what it is else.
    pub state: String,
}

impl Jump {
    fn of(shape: InstanceShape) -> Option<Self> {
        let address = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let name = shape.tags.0.iter().find(|tag| tag.key == "Name").and_then(|tag| tag.value.clone());
        Some(Self {
            instance: shape.id?,
            name: name.filter(|name| !name.is_empty()).map(|name| shown(&name).into_owned()),
            zone: shape.placement.and_then(|placement| placement.zone),
            address: address(shape.address).or(address(shape.v6)),
            public: address(shape.public),
            vpc: shape.vpc,
            subnet: shape.subnet,
            state: shape.state.and_then(|state| state.name).unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    fn called(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.instance),
            None => self.instance.clone(),
        }
    }
}

/// Why there is no machine to go through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JumpError {
    /// It names none.
    #[error("`{0}` is not an instance")]
    NoInstance(Address),
    /// There is none.
    #[error("the instance `{what}` does not exist in {account_region}")]
    Missing {
        /// What was looked for.
        what: Address,
        account_region: AccountRegion,
    },
    /// There is none that runs.
    #[error("`{what}` is not running: {}", .those.join(", "))]
    NotRunning {
        /// What was looked for.
        what: Address,
        /// Each with its state.
        those: Vec<String>,
    },
    /// There are several that run.
    #[error("`{what}` matches {} running instances; name one of them: {}", .those.len(), .those.join(", "))]
    Several {
        /// What was looked for.
        what: Address,
        /// Each with its name.
        those: Vec<String>,
    },
    /// AWS did not answer, or refused.
    #[error(transparent)]
    Aws(#[from] Error),
}

impl JumpError {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoInstance(_) => Some("write it as `instance:i-…` or as `tag:Name=…`".to_owned()),
            Self::Missing { what: Address::Tag(key, value), .. } => Some(format!(
                "`aws ec2 describe-instances --filters 'Name=tag:{key},Values={value}'` searches for it; the Region or the \
                 profile may be wrong"
            )),
            Self::Missing { .. } => {
                Some("check that the Region and the profile are those of the instance".to_owned())
            }
            Self::NotRunning { those, .. } => {
                let id = those.first()?.split_whitespace().next()?.to_owned();
                Some(format!("`aws ec2 start-instances --instance-ids {id}` starts it"))
            }
            Self::Several { .. } => {
                Some("give one of them a unique tag, or write `jump-host = \"instance:i-…\"`".to_owned())
            }
            Self::Aws(error) => error.hint().map(str::to_owned),
        }
    }
}

impl Account {
    /// The running instance that an address names: by its id, or the only one that bears a tag.
    pub async fn jump(&self, address: &Address) -> Result<Jump, JumpError> {
        let sought = match address {
            Address::Instance(id) => Sought::Id(id.clone()),
            Address::Tag(key, value) => Sought::Tag(key.clone(), value.clone()),
            _ => return Err(JumpError::NoInstance(address.clone())),
        };
        let found = self.ask_all(FindInstances { sought, token: None }).await?;
        choose(address, found.into_iter().filter_map(Jump::of).collect(), self.account_region())
    }
}

impl Account {
    /// The prefixes of a VPC, those that stand; none: it is not in this account and Region.
    pub async fn vpc_networks(&self, vpc: &str) -> Result<Option<Vec<Cidr>>, Error> {
        let mut reader = Reader::new(self.account_region().clone());
        reader.take(&self.ask_all(DescribeVpcs::default()).await?);
        let found = reader.inventory.vpcs.into_values().find(|known| known.id.as_str() == vpc);
        Ok(found.map(|vpc| vpc.cidrs.into_iter().collect()))
    }
}

/// Of all that bear a tag, those that were terminated are still told for an hour.
fn choose(what: &Address, mut found: Vec<Jump>, account_region: &AccountRegion) -> Result<Jump, JumpError> {
    found.retain(|jump| jump.state != "terminated");
    found.sort_by(|one, other| one.instance.cmp(&other.instance));
    let (mut running, others): (Vec<Jump>, Vec<Jump>) =
        found.into_iter().partition(|jump| jump.state == "running");
    match (running.pop(), running.is_empty()) {
        (Some(jump), true) => Ok(jump),
        (Some(last), false) => {
            let those = running.iter().chain([&last]).map(Jump::called).collect();
            Err(JumpError::Several { what: what.clone(), those })
        }
        (None, _) if others.is_empty() => {
            Err(JumpError::Missing { what: what.clone(), account_region: account_region.clone() })
        }
        (None, _) => {
            let those = others.iter().map(|jump| format!("{} is {}", jump.called(), jump.state)).collect();
            Err(JumpError::NotRunning { what: what.clone(), those })
        }
    }
}
