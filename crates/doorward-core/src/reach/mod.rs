//! Who can reach what, and why: decided exactly from an inventory, with every hop and every blocker.

mod admitted;
mod after;
mod answer;
mod ask;
mod balancer;
mod beside;
mod blocked;
mod cases;
mod change;
mod class;
mod code;
mod difference;
mod endpoint;
mod ends;
mod entry;
mod explain;
mod flows;
mod gateways;
mod gathered;
mod group_sets;
mod halves;
mod host;
mod intern;
mod layout;
mod line;
mod loci;
mod matrix;
mod network;
mod onward;
mod passage;
mod replies;
mod roles;
mod space;
mod span;
mod stage;
mod table;
mod transit;
mod walk;
mod ways;

pub use admitted::Admitted;
pub use after::{Change, Edit, Impossible, after, of_grant};
pub use answer::{Answer, Back, Blocker, Difference, End, Hop, Pair, Part, Role, RoleId, Verdict, Way};
pub use beside::{Beside, beside, with_grant};
pub use code::Code;
pub use endpoint::{Endpoint, NotFound, Resource};
pub use flows::Flows;

use std::ops::ControlFlow;

use self::network::Network;
use self::table::{HostIx, Index as _};
use self::walk::Walk;
use crate::inventory::Inventory;
use crate::net::{Cidr, Family};

/// Who can reach what in one inventory.
#[derive(Debug)]
pub struct Reachability {
    inventory: Inventory,
    network: Network,
    roles: Vec<Role>,
    role_of: Vec<RoleId>,
}

/// Which ways are asked for: none means any.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// From here only.
    pub from: Option<Endpoint>,
    /// To here only.
    pub to: Option<Endpoint>,
    /// Only these flows.
    pub flows: Option<Flows>,
}

impl Reachability {
    /// Prepares an inventory for questions.
    pub fn of(inventory: Inventory) -> Self {
        let network = Network::of(&inventory);
        let (roles, role_of) = roles::of(&network);
        Self { inventory, network, roles, role_of }
    }

    fn walk(&self) -> Walk<'_> {
        Walk { network: &self.network, inventory: &self.inventory }
    }

    fn role(&self, host: HostIx) -> RoleId {
        self.role_of.get(host.number()).copied().unwrap_or(RoleId(u32::MAX))
    }

    /// What it was made from.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Whether something passes, and why. No flows asked means: what passes?
    pub fn ask(&self, from: &Endpoint, to: &Endpoint, asked: Option<&Flows>) -> Answer {
        self.walk().ask(from, to, asked)
    }

    /// Whom on the internet each host of a resource is open to; a host has an entry for each set of flows that differs.
    pub fn admitted(&self, to: &Endpoint) -> Vec<Admitted> {
        self.walk().admitted(to)
    }

    /// All addresses of the internet that are not in a VPC of the inventory, in the fewest prefixes.
    pub fn internet(&self, family: Family) -> Vec<Cidr> {
        self.network.internet(family).prefixes()
    }

    /// The roles, by their numbers.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Every way between roles, the internet and what is behind VPNs, one receiver after the other.
    pub fn ways(&self, scope: &Scope, visit: &mut dyn FnMut(Way) -> ControlFlow<()>) {
        self.walk().ways(&self.role_of, scope, visit);
    }

    /// Every pair of interfaces between which something passes.
    pub fn pairs(&self, scope: &Scope, visit: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) {
        self.walk().pairs(scope, visit);
    }

    /// What passes in `after` and not here, and the other way round. Roles are those of the side that a way is on: of
    /// `after` for what opens, of this one for what closes.
    pub fn difference(&self, after: &Self) -> Difference {
        difference::between(self, after)
    }
}
