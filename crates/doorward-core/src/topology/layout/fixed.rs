//! What has security groups that AWS does not change when it is asked to, or not now.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Holder, Note, Obstacle};
use crate::inventory::{DeploymentController, Inventory, SecurityGroupId};
use crate::name::RoleName;

/// Why the groups of a holder cannot be changed, and the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    /// Its service has no call for it.
    Always(&'static str),
    /// Its state does not allow it.
    Now(&'static str),
}

impl Fixed {
    /// The sentence for a person.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Always(why) | Self::Now(why) => why,
        }
    }
}

impl Holder {
    /// Why AWS would refuse to change the groups of it, if it would.
    pub(super) fn fixed(&self, inventory: &Inventory) -> Option<Fixed> {
        // RDS user guide and Aurora user guide, "Stopping … temporarily": what is stopped cannot be modified.
        const STOPPED: Fixed = Fixed::Now(
            "it is stopped, and AWS modifies it only while it runs; start it, and run the command again",
        );
        // ECS API reference, `UpdateService`: which settings can be updated with which deployment controller.
        const CODE_DEPLOY: Fixed = Fixed::Always(
            "its deployment controller is CODE_DEPLOY, with which only a deployment of CodeDeploy changes the network configuration; set the security groups there, and remove it from `on`",
        );
        const EXTERNAL: Fixed = Fixed::Always(
            "its deployment controller is EXTERNAL, with which only a new task set changes the network configuration; set the security groups there, and remove it from `on`",
        );
        let is_stopped = |status: &str| matches!(status, "stopped" | "stopping");
        match self {
            Self::Database(account_region, name) => {
                let database = inventory.databases.get(&(account_region.clone(), name.clone()))?;
                is_stopped(&database.status).then_some(STOPPED)
            }
            Self::Cluster(account_region, name) => {
                let cluster = inventory.database_clusters.get(&(account_region.clone(), name.clone()))?;
                is_stopped(&cluster.status).then_some(STOPPED)
            }
            Self::Service(arn) => match inventory.container_services.get(arn)?.controller {
                DeploymentController::Ecs => None,
                DeploymentController::CodeDeploy => Some(CODE_DEPLOY),
                DeploymentController::External => Some(EXTERNAL),
            },
            Self::Interface(_)
            | Self::Proxy(..)
            | Self::Cache(..)
            | Self::ServerlessCache(..)
            | Self::Function(..)
            | Self::Balancer(..) => None,
        }
    }
}

/// Leaves the groups of a holder as they are, and says so where that is not as declared: `add` are those that it should have
/// of `ours`, the groups of all roles.
pub(super) fn leave(
    draft: &mut Draft<'_>,
    holder: &Holder,
    fixed: Fixed,
    ours: &BTreeSet<SecurityGroupId>,
    add: &BTreeSet<SecurityGroupId>,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) {
    let Some(before) = holder.groups(draft.actual) else { return };
    let lacks: BTreeSet<&SecurityGroupId> = add.difference(before).collect();
    let has_too_many = before.iter().any(|group| ours.contains(group) && !add.contains(group));
    if lacks.is_empty() && !has_too_many {
        return;
    }
    let resource = holder.resource();
    if let Fixed::Always(why) = fixed
        && !lacks.is_empty()
    {
        for (role, _) in groups.iter().filter(|(_, group)| lacks.contains(group)) {
            draft.obstacle(Obstacle::Unchangeable { role: role.clone(), resource: resource.clone(), why });
        }
        return;
    }
    draft.note(Note::Unchanged { resource, why: fixed.why() });
}
