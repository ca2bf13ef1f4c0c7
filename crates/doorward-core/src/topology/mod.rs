//! Networks and roles as people declare them, and the inventory that a declaration amounts to.

mod layout;
mod network;
mod part;
mod role;
mod slot;
mod zone;

use std::collections::BTreeMap;

pub use layout::{DefaultParts, Holder, Layout, Made, Note, Obstacle, Site, layout, purpose_of, without};
pub(crate) use layout::{forget_subnet, route_all};
pub use network::{EndpointService, Nat, Network, NotAService, VpcChoice, Zones};
pub use part::{NotAPurpose, Part, Purpose};
pub use role::{Carrier, Outside, Role, Source};
pub use slot::{SubnetKind, preferred};
pub use zone::{NotAZone, ZoneId};

pub use crate::name::{NetworkName, RoleName};

/// All networks and roles of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Networks by name.
    pub networks: BTreeMap<NetworkName, Network>,
    /// Roles by name.
    pub roles: BTreeMap<RoleName, Role>,
}

impl Topology {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.roles.is_empty()
    }

    /// The roles of a network.
    pub fn roles_in<'t>(&'t self, network: &NetworkName) -> impl Iterator<Item = &'t Role> {
        self.roles.values().filter(move |role| role.network == *network)
    }
}
