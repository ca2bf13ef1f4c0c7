//! A policy with many roles, and a recorded account whose instances have them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use reach_model::account::{Shape, account};

/// Instances of each role.
const INSTANCES: usize = 4;

/// The argument by which a recording is made by a process of its own: what a process held before it started another counts
/// as the other's memory.
pub const ARGUMENT: &str = "--save";

/// Makes a folder with `doorward.toml` and the recording `account`.
pub fn make(folder: &Path, roles: usize) {
    let program = std::env::current_exe().expect("this program");
    let done = Command::new(program).arg(ARGUMENT).arg(folder).arg(roles.to_string()).status();
    assert!(done.expect("a process").success(), "the recording is not made");
}

/// What that process does.
pub fn save(folder: &Path, roles: usize) {
    let shape = Shape { interfaces: INSTANCES * roles, groups: roles, vpcs: 1, tiers: 4, roles: Some(roles) };
    let inventory = account(shape);
    let vpc = inventory.vpcs.keys().next().expect("a VPC");
    let network = format!("[network.main]\nvpc = \"{vpc}\"\nnat = \"none\"\nzones = []\nendpoints = []\n");
    let instances: Vec<String> = inventory.instances.keys().map(ToString::to_string).collect();
    let on = |role: usize| {
        let own = instances.iter().skip(role).step_by(roles).map(|id| format!("\"instance:{id}\""));
        own.collect::<Vec<_>>().join(", ")
    };
    fs::write(folder.join("doorward.toml"), policy(&network, roles, on)).expect("a policy");
    doorward_aws::save(&inventory, &folder.join("account"), true).expect("saved");
}

/// Roles in a row: each admits the one before it, and every tenth the internet.
pub fn policy(network: &str, roles: usize, on: impl Fn(usize) -> String) -> String {
    let mut text = format!(
        "[people]\npasswords = \"p\"\ngroups = \"g\"\n\n[aws]\nregion = \"eu-west-1\"\n\n{network}\n"
    );
    for role in 0..roles {
        let port = 8_000 + role;
        let admits = match role {
            0 => "internet = [\"tcp/443\"]".to_owned(),
            role if role.is_multiple_of(10) => {
                format!("internet = [\"tcp/443\"], role-{} = [\"tcp/{port}\"]", role - 1)
            }
            role => format!("role-{} = [\"tcp/{port}\"]", role - 1),
        };
        let on = on(role);
        let on = if on.is_empty() { String::new() } else { format!("on = [{on}]\n") };
        write!(text, "[role.role-{role}]\nadmits = {{ {admits} }}\n{on}\n").expect("a text");
    }
    text
}
