//! The difference of two inventories in all that networks are made of, as ordered changes.

mod environments;
mod gone;
mod groups;
mod parts;
mod tables;

pub(super) use parts::default_rules;
pub use parts::everything_out;

use super::change::Change;
use super::phase::Phase;
use super::scaled;
use super::why::Why;
use crate::inventory::{Inventory, RouteTableId, RouteTarget};
use crate::name::InstallationId;
use crate::plan::Plan;

/// A change, when it is made and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkStep {
    pub change: Change,
    /// Its phase; phases are in the order of the plan.
    pub phase: Phase,
    /// The reason.
    pub why: Why,
}

/// Changes in the making.
pub(super) struct Changes<'a> {
    pub(super) actual: &'a Inventory,
    pub(super) wanted: &'a Inventory,
    pub(super) by: &'a InstallationId,
    steps: Vec<NetworkStep>,
}

impl Changes<'_> {
    pub(super) fn add(&mut self, change: Change, why: Why) {
        let phase = Phase::of(&change, |table| leads_to_nat(self.wanted, table));
        self.add_in(phase, change, why);
    }

    fn add_in(&mut self, phase: Phase, change: Change, why: Why) {
        self.steps.push(NetworkStep { change, phase, why });
    }
}

fn leads_to_nat(inventory: &Inventory, table: &RouteTableId) -> bool {
    let routes = inventory.route_tables.get(table).map(|table| table.routes.as_slice()).unwrap_or_default();
    routes.iter().any(|route| matches!(route.target, RouteTarget::NatGateway(_)))
}

/// The steps that make the networks and roles of `actual` into those of `wanted`.
///
/// Nothing is deleted but what `by` owns: an inventory in which something else is missing yields no step for that.
pub fn network_difference(actual: &Inventory, wanted: &Inventory, by: &InstallationId) -> Plan<NetworkStep> {
    let mut changes = Changes { actual, wanted, by, steps: Vec::new() };
    parts::made(&mut changes);
    tables::changed(&mut changes);
    groups::changed(&mut changes);
    environments::changed(&mut changes);
    scaled::changed(&mut changes);
    scaled::removed(&mut changes);
    environments::removed(&mut changes);
    gone::removed(&mut changes);
    let mut steps = changes.steps;
    steps.sort_by_key(|step| step.phase);
    Plan::of(actual, steps)
}
