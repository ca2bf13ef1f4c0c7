//! What is written is read back as it was, of every kind there is.

mod rich;
mod servers;
mod ways_out;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use doorward_core::inventory::{Call, Gap, GapSource, LoadBalancer, LoadBalancerKind};

use super::*;
use crate::recorded::recorded;
use rich::{account_region, here, id, rich, text};

/// The same inventory, with gaps in an order of their own and profiles forgotten.
fn sorted(mut inventory: Inventory) -> Inventory {
    for gap in &mut inventory.gaps {
        gap.account_region.profile = None;
    }
    let key =
        |gap: &Gap| (gap.account_region.clone(), gap.source.clone(), gap.why.clone(), gap.groups.clone());
    inventory.gaps.sort_by_key(key);
    inventory
}

fn saved(inventory: &Inventory) -> Inventory {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("account");
    save(inventory, &there, false).expect("saved");
    recorded(&there).expect("an account")
}

fn check(inventory: &Inventory) {
    same(&sorted(saved(inventory)), &sorted(inventory.clone()));
}

/// Says only what differs: a whole inventory fills many screens.
fn same(found: &Inventory, expected: &Inventory) {
    if found == expected {
        return;
    }
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let lines = |text: &str, other: &str| -> Vec<String> {
        let other: BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !other.contains(line)).take(20).map(str::to_owned).collect()
    };
    let (more, missing) = (lines(&found, &expected), lines(&expected, &found));
    panic!("found as well: {more:#?}\nmissing: {missing:#?}\nin all {} and {}", found.len(), expected.len());
}

fn gap(call: &str, account_region: AccountRegion, groups: &[&str]) -> Gap {
    let groups = groups.iter().map(|group| id(group)).collect();
    Gap { source: GapSource::read(call), account_region, groups, why: "AccessDenied: \"no\"".into() }
}

#[test]
fn every_kind_is_read_back_as_it_was() {
    let inventory = rich();
    check(&inventory);
    // The example has one of each, or it would show nothing.
    let shown = format!("{inventory:#?}");
    let empty: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
        .filter(|line| line.ends_with("{},"))
        .collect();
    // But for what only a store adds.
    assert_eq!(empty, ["    noted: {},"]);
}

#[test]
fn an_account_of_nothing_is_read_back() {
    let mut inventory = Inventory::default();
    inventory.vpcs.extend(rich().vpcs.into_iter().take(1));
    check(&inventory);
    let nothing = Inventory {
        gaps: vec![gap("the AWS configuration", AccountRegion::default(), &[])],
        ..Inventory::default()
    };
    check(&nothing);
}

#[test]
fn what_could_not_be_seen_is_still_not_seen() {
    for call in Call::ALL {
        let mut inventory = rich();
        inventory.gaps = vec![
            gap(call.action(), here(), &["sg-0a"]),
            gap("the AWS configuration", account_region(None, Some("mars-north-1")), &[]),
        ];
        // A call beside others of its kind that did answer.
        check(&inventory);
        unseen(&mut inventory, *call);
        check(&inventory);
    }
    let all = Call::ALL.iter().map(|call| gap(call.action(), here(), &[]));
    check(&Inventory { gaps: all.collect(), ..Inventory::default() });
}

/// Takes away what only that call tells.
fn unseen(inventory: &mut Inventory, call: Call) {
    let v2 = |balancer: &&mut LoadBalancer| balancer.kind != LoadBalancerKind::Classic;
    match call {
        Call::Vpcs => inventory.vpcs.clear(),
        Call::Subnets => inventory.subnets.clear(),
        Call::Interfaces => inventory.interfaces.retain(|_, it| it.instance.is_some()),
        Call::PrefixListEntries => inventory.prefix_lists.values_mut().for_each(|list| list.entries = None),
        Call::TransitRoutes => inventory.transit_tables.values_mut().for_each(|table| table.routes = None),
        Call::TransitVpcAttachments => inventory.attachments.values_mut().for_each(|attachment| {
            attachment.subnets = None;
            attachment.group_references = true;
            attachment.appliance_mode = false;
        }),
        Call::SecurityGroupRules => {
            inventory.groups.values_mut().flat_map(|it| it.rules.values_mut()).for_each(|rule| {
                rule.id = None;
                rule.tag = None;
            })
        }
        Call::SecurityGroups => inventory.groups.retain(|_, group| !group.rules.is_empty()),
        Call::Listeners => {
            inventory.load_balancers.values_mut().filter(v2).for_each(|it| it.listeners = None)
        }
        Call::LoadBalancerAttributes => {
            inventory.load_balancers.values_mut().for_each(|balancer| balancer.cross_zone = None);
        }
        Call::TargetHealth => {
            let groups = inventory.target_groups.values_mut().filter(|group| group.name != "old");
            groups.for_each(|group| group.targets = None);
        }
        Call::TargetGroupAttributes => {
            let groups = inventory.target_groups.values_mut().filter(|group| group.name != "old");
            groups.for_each(|group| (group.preserves_client, group.cross_zone) = (None, None));
        }
        Call::DatabaseProxyTargets => {
            inventory.database_proxies.values_mut().for_each(|proxy| proxy.targets = None);
        }
        Call::BlockPublicAccess => inventory.block_public_access.clear(),
        _ => {}
    }
}

#[test]
fn a_profile_becomes_an_account() {
    let mut live = rich();
    let vpc = live.vpcs.values_mut().next().expect("a VPC");
    vpc.account_region.profile = text("prod");
    live.gaps = vec![gap("ec2:DescribeAddresses", AccountRegion { profile: text("prod"), ..here() }, &[])];
    let read = saved(&live);
    assert_eq!(read.vpcs, rich().vpcs);
    assert_eq!(read.gaps, [gap("ec2:DescribeAddresses", here(), &[])]);
}

#[test]
fn a_folder_is_written_whole_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("a/b");
    let files = save(&rich(), &there, false).expect("saved");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let region = there.join("accounts/123456789012/eu-west-1");
    assert_eq!((mode(&there), mode(&region)), (0o700, 0o700));
    let mut names: Vec<_> =
        fs::read_dir(&region).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    names.sort();
    assert!(names.iter().all(|path| mode(path) == 0o600), "{names:?}");
    assert!(names.contains(&region.join("ec2-describe-vpcs.json")), "{names:?}");
    assert!(files > names.len());
    // A second time only when asked for, and then nothing of the first remains.
    assert!(matches!(save(&rich(), &there, false), Err(NotSaved::NotEmpty(_))));
    fs::write(there.join("mine.json"), "{\"Vpcs\": [{\"VpcId\": \"vpc-99\"}]}").expect("a file");
    save(&rich(), &there, true).expect("saved");
    assert!(!there.join("mine.json").exists());
    assert_eq!(fs::read_dir(folder.path().join("a")).expect("a folder").count(), 1);
    same(&recorded(&there).expect("an account"), &rich());
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("a file");
    assert!(matches!(save(&rich(), &file, true), Err(NotSaved::NotAFolder(_))));
    assert!(save(&rich(), &file.join("below"), true).is_err());
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    for region in ["../eu-west-1", "/tmp/eu-west-1", "mars", ""] {
        let mut odd = rich();
        odd.vpcs.values_mut().for_each(|vpc| vpc.account_region = account_region(None, Some(region)));
        let there = folder.path().join("there");
        assert!(matches!(save(&odd, &there, true), Err(NotSaved::NotARegion(_))), "{region}");
        assert!(!there.exists());
    }
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    save(&rich(), &empty, false).expect("saved");
}
