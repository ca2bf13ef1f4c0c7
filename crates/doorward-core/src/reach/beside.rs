//! What a grant lets in beside its target: whatever else carries the security group that its rules come into.

use std::collections::BTreeMap;

use super::{Change, Difference, End, Endpoint, Flows, Impossible, Reachability, after, of_grant};
use crate::firewall::Because;
use crate::grant::Grant;
use crate::inventory::{Inventory, Ownership};
use crate::policy::{Address, Policy};

/// Something that a grant lets its person reach and that is not its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What it is, like `database reports`.
    pub what: String,
    /// What surely passes.
    pub flows: Flows,
    /// What may pass besides: what could not be seen decides.
    pub perhaps: Flows,
}

/// An inventory without the rules of a grant, and with them: those of one that is open may stand in it already.
///
/// None when the grant puts no rule into a security group.
pub fn with_grant(
    mut inventory: Inventory,
    policy: &Policy,
    grant: &Grant,
) -> Result<Option<(Inventory, Inventory)>, Impossible> {
    let changes = of_grant(policy, grant);
    if changes.is_empty() {
        return Ok(None);
    }
    let of_this = |ownership| match ownership {
        Ownership::Marked(mark) => matches!(mark.because, Because::Grant { id, .. } if id == *grant.id()),
        Ownership::Foreign | Ownership::TagOnly(_) => false,
    };
    for Change { group, .. } in &changes {
        if let Some(group) = inventory.groups.get_mut(group) {
            group.rules.retain(|_, standing| !of_this(standing.ownership()));
        }
    }
    let with = after(&inventory, &changes)?;
    Ok(Some((inventory, with)))
}

/// What a grant opens that is not its target, each once.
///
/// A target that is not found in the inventory, like a name of DNS that nothing there has, is told like all else.
pub fn beside(opened: &Difference, with: &Reachability, target: &Address) -> Vec<Beside> {
    let target = Endpoint::find(&target.to_string(), with.inventory()).ok();
    let target = target.and_then(|endpoint| match endpoint {
        Endpoint::Resource(resource) => Some(format!("{} {resource}", resource.kind)),
        Endpoint::Internet | Endpoint::Address(_) | Endpoint::Cidr(_) => None,
    });
    let mut found: BTreeMap<String, (Flows, Flows)> = BTreeMap::new();
    for way in &opened.opened {
        let End::Role(id) = &way.to else { continue };
        let Some(role) = with.roles().iter().find(|role| role.id == *id) else { continue };
        let things = if role.owners.is_empty() { &role.members } else { &role.owners };
        for thing in things.iter().filter(|thing| Some(*thing) != target.as_ref()) {
            let (flows, perhaps) = found.entry(thing.clone()).or_default();
            *flows = flows.union(&way.flows);
            *perhaps = perhaps.union(&way.at_most);
        }
    }
    let told = found.into_iter().map(|(what, (flows, perhaps))| {
        let perhaps = perhaps.minus(&flows);
        Beside { what, flows, perhaps }
    });
    told.collect()
}
