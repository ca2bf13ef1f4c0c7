//! Networks, roles and environments as people declare them, and the inventory that a declaration amounts to.

mod adopt;
mod environment;
mod layout;
mod lifecycle;
mod network;
mod part;
mod role;
mod slot;
mod zone;

use std::collections::BTreeMap;

pub use adopt::{Adopted, Inexpressible, Left, adopt};
pub use environment::{Engine, Environment, EnvironmentPart, Kind, Listen, NotAnEngine, Prod};
pub use layout::{
    DefaultParts, Dependent, Holder, Layout, Lost, Made, Note, Obstacle, Site, after_transition,
    installations, layout, layout_of, purpose_of, without,
};
pub(crate) use layout::{
    follow, forget_balancer, forget_database, forget_instance, forget_subnet, route_all,
};
pub use lifecycle::{EnvironmentParts, EnvironmentState, Transition};
pub use network::{EndpointService, Nat, Network, NotAService, VpcChoice, Zones};
pub use part::{NotAPurpose, Part, Purpose};
pub use role::{Carrier, Outside, Role, Source};
pub use slot::{SubnetKind, preferred};
pub use zone::{NotAZone, ZoneId};

pub use crate::name::{EnvironmentName, NetworkName, RoleName};

/// All networks, roles and environments of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Networks by name.
    pub networks: BTreeMap<NetworkName, Network>,
    /// Roles by name.
    pub roles: BTreeMap<RoleName, Role>,
    /// Environments by name.
    pub environments: BTreeMap<EnvironmentName, Environment>,
}

impl Topology {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.roles.is_empty() && self.environments.is_empty()
    }

    /// The environments of a network.
    pub fn environments_in<'t>(&'t self, network: &NetworkName) -> impl Iterator<Item = &'t Environment> {
        self.environments.values().filter(move |environment| environment.network == *network)
    }

    /// The roles of a network.
    pub fn roles_in<'t>(&'t self, network: &NetworkName) -> impl Iterator<Item = &'t Role> {
        self.roles.values().filter(move |role| role.network == *network)
    }
}
