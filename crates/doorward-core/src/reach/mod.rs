//! Who can reach what, and why: decided exactly from an inventory, with every hop and every blocker.
//!
//! `network` prepares an inventory once. `selector` finds the ends of a question, `trace` follows one packet and its
//! reply between two ends, `question` answers one question, `matrix` lists all pairs, `compare` tells what a change
//! opens and closes. The rules that all of them follow are in `SEMANTICS.md`.

mod code;
mod compare;
mod context;
mod flows;
mod intent;
mod matrix;
mod network;
mod question;
mod result;
mod selector;
mod trace;

pub use code::Code;
pub use compare::change::{Change, Edit, Impossible, after, commands};
pub use compare::collateral::{Collateral, collateral, with_grant};
pub use compare::edits::of_grant;
pub use flows::Flows;
pub use intent::{Outcome, Proof, prove};
pub use matrix::exposure::Exposure;
pub use question::repair::{Repair, RepairStep};
pub use result::{
    AllowedPath, Answer, Back, Blocker, Comparison, End, Fix, Hop, Pair, Part, Role, RoleId, Verdict,
};
pub use selector::{Candidate, HostName, NotFound, Selector, Several};

use std::ops::ControlFlow;

use self::context::Context;
use self::matrix::{exposure, listing};
use self::network::Network;
use self::network::table::{Index as _, InterfaceIx};
use crate::inventory::{InterfaceId, Inventory, ResourceRef};
use crate::net::{Cidr, Family};

/// Who can reach what in one inventory.
#[derive(Debug)]
pub struct Reachability {
    inventory: Inventory,
    network: Network,
    roles: Vec<Role>,
    role_of: Vec<RoleId>,
}

/// Which paths are asked for: none means any.
#[derive(Debug, Clone, Default)]
pub struct PathQuery {
    /// From here only.
    pub from: Option<Selector>,
    /// To here only.
    pub to: Option<Selector>,
    /// Only these flows.
    pub flows: Option<Flows>,
}

impl Reachability {
    /// Prepares an inventory for questions.
    pub fn of(inventory: Inventory) -> Self {
        let network = Network::of(&inventory);
        let (roles, role_of) = network::roles::of(&network);
        Self { inventory, network, roles, role_of }
    }

    fn context(&self) -> Context<'_> {
        Context { network: &self.network, inventory: &self.inventory, called: None }
    }

    fn role(&self, interface: InterfaceIx) -> RoleId {
        self.role_of.get(interface.number()).copied().unwrap_or(RoleId(u32::MAX))
    }

    /// The inventory that it was made from.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Whether flows are allowed between two ends, and why. No flows asked means: which are allowed?
    pub fn ask(&self, from: &Selector, to: &Selector, asked: Option<&Flows>) -> Answer {
        question::ask(self.context(), from, to, asked)
    }

    /// From which addresses of the internet each interface of a resource can be reached; an interface has an entry for
    /// each set of flows that differs.
    pub fn exposure(&self, to: &Selector) -> Vec<Exposure> {
        exposure::exposure(self.context(), to)
    }

    /// All addresses of the internet that are not in a VPC of the inventory, in the fewest prefixes.
    pub fn internet(&self, family: Family) -> Vec<Cidr> {
        self.network.internet(family).prefixes()
    }

    /// The roles, by their numbers.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The interfaces of a resource that are in the inventory.
    pub fn interfaces_of(&self, resource: &ResourceRef) -> Vec<InterfaceId> {
        let members = self.network.members.get(resource).into_iter().flatten();
        members.filter_map(|member| self.network.interfaces.at(*member).id.clone()).collect()
    }

    /// Every path between roles, the internet and the networks behind VPNs, one receiver after the other.
    pub fn paths(&self, query: &PathQuery, visit: &mut dyn FnMut(AllowedPath) -> ControlFlow<()>) {
        listing::paths(self.context(), &self.role_of, query, visit);
    }

    /// Every pair of interfaces between which flows are allowed.
    pub fn pairs(&self, query: &PathQuery, visit: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) {
        listing::pairs(self.context(), query, visit);
    }

    /// The flows that are allowed in `after` and not here, and the other way round. Roles are those of the side that a
    /// path is on: of `after` for what opens, of this one for what closes.
    pub fn compare(&self, after: &Self) -> Comparison {
        compare::between(self, after)
    }
}
