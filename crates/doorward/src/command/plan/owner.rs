//! Which installation owns the networks of an account: its tags prove what may be changed.

use std::collections::BTreeSet;
use std::path::Path;

use doorward_core::inventory::Inventory;
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::policy::Policy;
use doorward_core::topology::installations;

use crate::command::{Code, Failure};
use crate::store::{self, AuditFiles};

/// The installation, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) struct Owner {
    pub id: InstallationId,
    /// Whether nobody has an id yet, so that this one stands for the one that is drawn when the networks are created.
    pub is_new: bool,
    /// Whether it was drawn for this plan, so that nothing keeps it yet.
    pub is_drawn: bool,
    /// Others that made resources of these networks, which stay as they are.
    pub others: BTreeSet<InstallationId>,
}

/// The one that is named, that of the store, the one that the tags name, or one that was drawn for this plan.
pub(in crate::command) fn of(
    path: &Path,
    policy: &Policy,
    (named, drawn): (Option<&InstallationId>, Option<&InstallationId>),
    networks: &BTreeSet<NetworkName>,
    inventory: &Inventory,
) -> Result<Owner, Failure> {
    let mut others = installations(inventory, networks);
    let known = named.cloned().or_else(|| store::noted_installation(&AuditFiles::of(policy, path)));
    if let Some(id) = known {
        others.remove(&id);
        return Ok(Owner { id, is_new: false, is_drawn: false, others });
    }
    let mut each = others.iter();
    match (each.next(), each.next()) {
        (None, _) => Ok(match drawn {
            Some(id) => Owner { id: id.clone(), is_new: false, is_drawn: true, others },
            None => Owner { id: InstallationId::from_random([0; 4]), is_new: true, is_drawn: false, others },
        }),
        (Some(only), None) => {
            Ok(Owner { id: only.clone(), is_new: false, is_drawn: false, others: BTreeSet::new() })
        }
        (Some(_), Some(_)) => {
            let found: Vec<String> = others.iter().map(ToString::to_string).collect();
            let what =
                format!("several installations made resources of these networks: {}", found.join(", "));
            Err(Failure::new(Code::Usage, what).hint("name yours with `--installation`"))
        }
    }
}

/// An id for an installation that has none yet.
pub(in crate::command) fn drawn() -> Result<InstallationId, Failure> {
    let random = crate::clock::random().map_err(Failure::with(Code::Internal))?;
    Ok(InstallationId::from_random(random))
}
