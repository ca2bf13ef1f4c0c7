//! Accounts that others recorded and that do not come with this repository: all of them load.
//!
//! They lie beside it, in `../shared/data`. Where they do not, the tests are listed as ignored, under CI as well: nothing
//! can install what is not published.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use doorward_aws::{NotRecorded, recorded, save};
use doorward_core::inventory::Inventory;
use doorward_core::name::InstallationId;
use doorward_core::plan::network::network_difference;
use doorward_core::topology::{Site, adopt, layout};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let trials = vec![
        trial("shared data: the demo of CloudMapper", cloudmapper),
        trial("shared data: the network of Batfish", batfish),
        trial("shared data: every folder of Cloud Custodian", custodian),
        trial("shared data: all of it as one account", together),
        trial("shared data: the plan of every VPC that was adopted is empty", adopted),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

fn trial(name: &str, test: fn(&Path) -> Result<(), Failed>) -> Trial {
    let folder = data();
    if folder.is_dir() {
        return Trial::test(name, move || test(&folder));
    }
    let why = "needs ../shared/data";
    Trial::test(format!("{name} ({why})"), || Ok(())).with_ignored_flag(true)
}

fn load(folder: &Path) -> Result<Inventory, String> {
    recorded(folder).map_err(|error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

/// What is saved is read back as it was.
fn saved(account: &Inventory) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    save(account, &folder.path().join("account"), false)?;
    let again = load(&folder.path().join("account"))?;
    if again == *account {
        return Ok(());
    }
    let lost: Vec<_> = account.gaps.iter().filter(|gap| !again.gaps.contains(gap)).collect();
    let new: Vec<_> = again.gaps.iter().filter(|gap| !account.gaps.contains(gap)).collect();
    let counts = (counts(account), counts(&again));
    Err(format!("it was read back as another: {counts:?}, without {lost:?}, with {new:?}").into())
}

/// How many there are of each kind, where there are any.
fn counts(inventory: &Inventory) -> BTreeMap<&'static str, usize> {
    let counts = [
        ("groups", inventory.groups.len()),
        ("rules", inventory.groups.values().map(|group| group.rules.len()).sum()),
        ("vpcs", inventory.vpcs.len()),
        ("subnets", inventory.subnets.len()),
        ("route tables", inventory.route_tables.len()),
        ("routes", inventory.route_tables.values().map(|table| table.routes.len()).sum()),
        ("acls", inventory.network_acls.len()),
        ("entries", inventory.network_acls.values().map(|acl| acl.entries.len()).sum()),
        ("interfaces", inventory.interfaces.len()),
        ("instances", inventory.instances.len()),
        ("elastic addresses", inventory.elastic_addresses.len()),
        ("internet gateways", inventory.internet_gateways.len()),
        ("vpn gateways", inventory.vpn_gateways.len()),
        ("peerings", inventory.peerings.len()),
        ("prefix lists", inventory.prefix_lists.len()),
        ("endpoints", inventory.endpoints.len()),
        ("load balancers", inventory.load_balancers.len()),
        ("databases", inventory.databases.len()),
        ("functions", inventory.functions.len()),
        ("tasks", inventory.container_tasks.len()),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn check(inventory: &Inventory, expected: &[(&'static str, usize)]) -> Result<(), Failed> {
    let expected: BTreeMap<_, _> = expected.iter().copied().collect();
    let found = counts(inventory);
    if found == expected { Ok(()) } else { Err(format!("{found:?}\nand not\n{expected:?}").into()) }
}

/// Gaps other than calls that nobody recorded.
fn unexplained(inventory: &Inventory) -> Vec<String> {
    let gaps = inventory.gaps.iter().filter(|gap| gap.why != "it was not recorded");
    gaps.map(ToString::to_string).collect()
}

/// One interface is described; the three instances give theirs one id and three addresses.
fn cloudmapper(data: &Path) -> Result<(), Failed> {
    let account = load(&data.join("cloudmapper-demo"))?;
    check(
        &account,
        &[
            ("groups", 8),
            ("rules", 19),
            ("vpcs", 1),
            ("subnets", 4),
            ("interfaces", 4),
            ("instances", 3),
            ("endpoints", 2),
            ("load balancers", 2),
            ("databases", 1),
            ("functions", 1),
            ("tasks", 1),
        ],
    )?;
    match unexplained(&account).as_slice() {
        [listeners, services]
            if listeners.starts_with("elasticloadbalancing:DescribeListeners in us-east-1")
                && services.starts_with("ecs:DescribeServices in us-east-1") =>
        {
            Ok(())
        }
        gaps => Err(gaps.join("\n").into()),
    }
}

fn batfish(data: &Path) -> Result<(), Failed> {
    let account = load(&data.join("hybrid-cloud-aws"))?;
    check(
        &account,
        &[
            ("groups", 11),
            ("rules", 43),
            ("vpcs", 4),
            ("subnets", 10),
            ("route tables", 5),
            ("routes", 14),
            ("acls", 4),
            ("entries", 16),
            ("interfaces", 9),
            ("instances", 4),
            ("elastic addresses", 1),
            ("internet gateways", 3),
            ("vpn gateways", 1),
            ("prefix lists", 2),
            ("databases", 1),
        ],
    )?;
    match unexplained(&account).as_slice() {
        [] => Ok(()),
        gaps => Err(gaps.join("\n").into()),
    }
}

fn custodian(data: &Path) -> Result<(), Failed> {
    let mut loaded = 0;
    let mut empty = 0;
    for entry in std::fs::read_dir(data.join("cloud-custodian"))? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        match recorded(&folder) {
            Ok(account) => {
                loaded += 1;
                saved(&account).map_err(|error| format!("{}: {error:?}", folder.display()))?;
                // Some hold a thing before and after a change, which is a contradiction and told as one.
                let unreadable = |gap: &&doorward_core::inventory::Gap| {
                    gap.why.contains("cannot be read") && !gap.why.contains("contradicts")
                };
                if let Some(odd) = account.gaps.iter().find(unreadable) {
                    return Err(format!("{}: {odd}", folder.display()).into());
                }
            }
            // Images and launch templates alone.
            Err(NotRecorded::Empty { .. }) => empty += 1,
            Err(_) => return Err(load(&folder).err().unwrap_or_default().into()),
        }
    }
    if (loaded, empty) == (202, 5) { Ok(()) } else { Err(format!("{loaded} loaded, {empty} empty").into()) }
}

fn together(data: &Path) -> Result<(), Failed> {
    let account = load(data)?;
    if account != load(data)? {
        return Err("the same folder was two accounts".into());
    }
    saved(&account)?;
    let groups = account.groups.len();
    if groups > 150 { Ok(()) } else { Err(format!("{groups} groups").into()) }
}

/// Each VPC is declared as it is, and nothing of the declaration is to be planned.
fn adopted(data: &Path) -> Result<(), Failed> {
    let (name, by) = ("adopted".parse()?, InstallationId::from_random([7; 4]));
    let folders = std::fs::read_dir(data.join("cloud-custodian"))?;
    let mut folders: Vec<PathBuf> = folders.map(|entry| Ok(entry?.path())).collect::<Result<_, Failed>>()?;
    folders.extend(["cloudmapper-demo", "hybrid-cloud-aws"].map(|name| data.join(name)));
    let (mut vpcs, mut roles) = (0, 0);
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let Ok(mut account) = recorded(folder) else { continue };
        // What was not recorded would be an obstacle, and not a step.
        account.gaps.clear();
        for (vpc, seen) in &account.vpcs {
            let adopted = adopt(&account, vpc, &name).ok_or("no declaration")?;
            let site = Site::of(&account, seen.account_region.clone(), by.clone());
            let layout = layout(&adopted.topology, &account, &site)
                .map_err(|obstacles| format!("{}: {vpc}: {obstacles:?}", folder.display()))?;
            let plan = network_difference(&account, &layout.wanted, &by);
            if let Some(step) = plan.steps().first() {
                return Err(format!("{}: {vpc}: {}\n{adopted}", folder.display(), step.change).into());
            }
            (vpcs, roles) = (vpcs + 1, roles + adopted.topology.roles.len());
        }
    }
    if vpcs >= 70 && roles >= 15 { Ok(()) } else { Err(format!("{vpcs} VPCs with {roles} roles").into()) }
}
