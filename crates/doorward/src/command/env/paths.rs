//! Whether the paths from and to an environment are those of its declaration.

use std::collections::BTreeSet;

use doorward_core::inventory::ResourceRef;
use doorward_core::reach::{AllowedPath, Comparison, End, Reachability, Role};
use doorward_core::topology::{Environment, EnvironmentParts};

use crate::command::plan::Planned;
use crate::command::reach::difference;
use crate::command::{Code, Failure};

/// Fails if the plan of what is declared would open or close a path from or to a part of an environment, and names each.
pub(super) fn as_declared(planned: &Planned, environment: &Environment) -> Result<(), Failure> {
    let mut parts = BTreeSet::new();
    for region in &planned.each {
        for inventory in [&region.read.inventory, &region.proposal.wanted] {
            let found = EnvironmentParts::of(environment, inventory, &region.owner.id);
            parts.extend(found.instance.map(|it| ResourceRef::from(&it.id)));
            parts.extend(found.members.iter().map(|it| ResourceRef::from(&it.id)));
            parts.extend(found.balancer.map(|it| it.resource()));
            parts.extend(found.database.map(|it| it.resource()));
        }
    }
    let (before, after) = (&planned.before, &planned.after);
    let differs = Comparison {
        opened: of_parts(&planned.paths.opened, after, &parts),
        closed: of_parts(&planned.paths.closed, before, &parts),
    };
    if differs == Comparison::default() {
        return Ok(());
    }
    let text = difference::as_text(&differs, (before, after));
    let (name, network) = (&environment.name, &environment.network);
    let what = format!("the environment {name} runs, and its paths are not those of the declaration");
    Err(Failure::new(Code::No, what)
        .details(text.lines().filter(|line| !line.is_empty()).map(str::to_owned))
        .hint(format!("`doorward apply {network}` opens and closes these paths")))
}

/// The paths of which one end is a part of the environment.
fn of_parts(paths: &[AllowedPath], side: &Reachability, parts: &BTreeSet<ResourceRef>) -> Vec<AllowedPath> {
    let is_part = |role: &Role| {
        role.members.iter().any(|member| parts.contains(member))
            || role.owners.iter().any(|owner| parts.contains(&owner.resource))
    };
    let is_of_part = |end: &End| match end {
        End::Role(id) => side.roles().iter().any(|role| role.id == *id && is_part(role)),
        End::Internet | End::Remote(_) => false,
    };
    paths.iter().filter(|path| is_of_part(&path.from) || is_of_part(&path.to)).cloned().collect()
}
