//! `[network.NAME]`, `[role.NAME]` and `[environment.NAME]`: all of them, and what they are together.

use std::collections::BTreeSet;

use super::walk::{Section, Walk};
use super::{environment, name, network, role, tables};
use crate::inventory::AccountRegion;
use crate::topology::Topology;

/// Reads networks and roles. What is wrong is reported, and left out.
pub(super) fn read<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>, aws: &AccountRegion) -> Topology {
    let (mut networks, mut network_names) = (Vec::new(), BTreeSet::new());
    for (key, at, value) in tables(walk, root, "network") {
        let section = walk.section(&format!("`[network.{key}]`"), at.clone(), value, &network::KEYS);
        let Some(name) = name(walk, key, &at) else { continue };
        networks.extend(section.and_then(|section| network::read(walk, &name, &section, aws)));
        network_names.insert(name);
    }
    let (mut roles, mut role_names) = (Vec::new(), BTreeSet::new());
    for (key, at, value) in tables(walk, root, "role") {
        let section = walk.section(&format!("`[role.{key}]`"), at.clone(), value, &role::KEYS);
        let Some(name) = name(walk, key, &at) else { continue };
        roles.extend(section.and_then(|section| role::read(walk, &name, &section, &network_names)));
        role_names.insert(name);
    }
    let (mut environments, mut environment_names) = (Vec::new(), BTreeSet::new());
    for (key, at, value) in tables(walk, root, "environment") {
        let heading = format!("`[environment.{key}]`");
        let section = walk.section(&heading, at.clone(), value, &environment::KEYS);
        let Some(name) = name(walk, key, &at) else { continue };
        environments
            .extend(section.and_then(|section| environment::read(walk, &name, &section, &network_names)));
        environment_names.insert(name);
    }
    networks.sort_by_key(|at| at.name_at.start);
    roles.sort_by_key(|at| at.name_at.start);
    network::together(walk, &networks);
    role::together(walk, &roles, &role_names);
    environments.sort_by_key(|at| at.name_at.start);
    environment::together(walk, &environments, &environment_names, &networks, &roles);
    let environments =
        environments.into_iter().map(|at| (at.environment.name.clone(), at.environment)).collect();
    Topology {
        networks: networks.into_iter().map(|at| (at.network.name.clone(), at.network)).collect(),
        roles: roles.into_iter().map(|at| (at.role.name.clone(), at.role)).collect(),
        environments,
    }
}
