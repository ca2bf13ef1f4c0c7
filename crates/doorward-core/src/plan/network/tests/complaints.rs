//! What users of other tools complain about most, each as a test: the numbers are those of the list of twenty that this
//! engine was designed by.
//!
//! Tested elsewhere, because it takes an account that answers, or another part:
//!
//! | number | complaint | test |
//! |---|---|---|
//! | 9 | a group is held by interfaces that nobody sees | `topology/layout/dependent.rs`; `doorward-aws/tests/applied/destroyed.rs` |
//! | 12 | "not found" right after a creation | `doorward-aws/tests/applied/faulty.rs`: new resources are not visible at once |
//! | 13 | a restore loses groups, parameters, VPC, secret | `topology/layout/environment/transition/tests.rs`; `doorward-aws/tests/applied/lifecycle.rs` |
//! | 14 | the name of a final snapshot is taken | `inventory/snapshot.rs`: a name has its second; `testing/account-proxy/tests/stories/databases.rs` refuses a taken one, and `doorward-aws/tests/applied/lifecycle.rs` takes several |
//! | 15 | databases start by themselves after seven days | `doorward-aws/tests/applied/lifecycle.rs`: an environment is paused, started by AWS, paused again |
//! | 16 | "apply did nothing": a change waits for the window | `topology/layout/environment/tests.rs`: what is pending is said, and planned changes are made at once |
//! | 20 | an import changes things | `topology/adopt/tests.rs`: the plan of what was adopted is empty |
//!
//! Not tested, because the feature does not exist yet: 17 (a refresh that rolls back to the broken version) and 18 (every
//! apply resets the scaled group), which need releases and Auto Scaling groups.

use super::*;
use crate::inventory::{ExistingRule, Peer, RuleIdentity, SecurityGroup, Zone};
use crate::plan::Step;
use crate::plan::network::testing::zone;
use crate::price::Table;

/// The subnets of an account with their zones and prefixes.
fn subnets(account: &Inventory) -> Vec<(String, String, String)> {
    let all = account.subnets.values().map(|it| {
        let prefix = it.cidrs.first().map(ToString::to_string).unwrap_or_default();
        (it.id.to_string(), it.zone_id.clone().unwrap_or_default(), prefix)
    });
    all.collect()
}

fn group<'a>(account: &'a Inventory, name: &str) -> &'a SecurityGroup {
    account.groups.values().find(|group| group.name == name).expect("a group")
}

fn position(steps: &[String], begins: &str) -> usize {
    let found = steps.iter().position(|step| step.starts_with(begins));
    found.unwrap_or_else(|| panic!("no `{begins}` in {steps:#?}"))
}

#[test]
fn complaint_1_a_list_of_zones_that_is_sorted_or_grows_replaces_no_subnet_and_no_address() {
    let (_, before) =
        planned("[network.main]\nzones = [\"euw1-az1\", \"euw1-az3\"]\n", &Inventory::default());
    let (sorted, after) = planned("[network.main]\nzones = [\"euw1-az3\", \"euw1-az1\"]\n", &before);
    assert_eq!((sorted, &after), (Vec::new(), &before));
    let (grown, after) =
        planned("[network.main]\nzones = [\"euw1-az3\", \"euw1-az2\", \"euw1-az1\"]\n", &before);
    assert!(
        !grown.iter().any(|step| step.starts_with("delete") || step.starts_with("release")),
        "{grown:#?}"
    );
    assert!(subnets(&before).iter().all(|subnet| subnets(&after).contains(subnet)));
    assert_eq!(before.elastic_addresses, after.elastic_addresses);
}

#[test]
fn complaint_2_one_zone_more_is_no_conflict_of_prefixes() {
    let (_, two) = planned("[network.main]\nzones = 2\n", &Inventory::default());
    let (steps, three) = planned("[network.main]\nzones = 3\n", &two);
    assert_eq!(steps.iter().filter(|step| step.starts_with("create the subnet")).count(), 2, "{steps:#?}");
    assert_eq!(three.subnets.len(), 6);
    let prefixes: Vec<_> = three.subnets.values().flat_map(|it| it.cidrs.iter().copied()).collect();
    for (number, one) in prefixes.iter().enumerate() {
        assert!(
            prefixes[number + 1..].iter().all(|other| !one.covers(*other) && !other.covers(*one)),
            "{prefixes:?}"
        );
    }
}

#[test]
fn complaint_3_a_new_local_zone_is_never_the_first_zone() {
    let mut account = account();
    for (number, name, is_availability_zone) in [
        (0, "eu-west-1-aaa-1a", false),
        (1, "eu-west-1a", true),
        (2, "eu-west-1b", true),
        (3, "eu-west-1c", true),
    ] {
        let id = if is_availability_zone { zone(number).to_string() } else { "euw1-aaa1-az1".to_owned() };
        let (name, region) = (Some(name.to_owned()), Some("eu-west-1".to_owned()));
        let described = Zone { id: id.clone(), name, region, is_availability_zone, is_usable: true };
        account.zones.insert((account_region(), id), described);
    }
    let wanted = layout(&declared("[network.main]\nzones = 3\n"), &account, &site_of(&account));
    let wanted = wanted.expect("a layout").wanted;
    let own = subnets(&wanted).into_iter().filter(|(id, ..)| id.starts_with("new:"));
    let zones: std::collections::BTreeSet<String> = own.map(|(_, zone, _)| zone).collect();
    assert_eq!(zones.into_iter().collect::<Vec<_>>(), ["euw1-az1", "euw1-az2", "euw1-az3"]);
}

fn site_of(account: &Inventory) -> crate::topology::Site {
    crate::topology::Site::of(account, account_region(), by())
}

/// From one gateway to one in each zone is `one_nat_gateway_becomes_one_in_each_zone_without_a_gap`.
#[test]
fn complaint_4_from_a_gateway_in_each_zone_to_one_the_routes_change_before_a_gateway_goes() {
    let text = "[network.main]\nendpoints = []\nnat = \"gateway-per-zone\"\n";
    let (_, before) = planned(text, &Inventory::default());
    let (steps, after) = planned("[network.main]\nendpoints = []\n", &before);
    let changed = position(&steps, "change the route to 0.0.0.0/0 in new:main/private-route-table/euw1-az2");
    assert!(changed < position(&steps, "delete the NAT gateway new:main/nat-gateway/euw1-az2"), "{steps:#?}");
    assert!(!steps.iter().any(|step| step.contains("nat-gateway/euw1-az1") && step.starts_with("delete")));
    let kept = |account: &Inventory| account.nat_gateways.keys().any(|id| id.as_str().ends_with("euw1-az1"));
    assert!(kept(&before) && kept(&after));
}

const ROLES: &str = "[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n\
    [role.web]\nadmits = { internet = [\"tcp/443\", \"tcp/80\", \"tcp/8443\"] }\non = [\"instance:i-0a\"]\n\
    [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"rds:orders\"]\n";

#[test]
fn complaint_5_a_rule_that_somebody_else_added_is_neither_overwritten_nor_removed() {
    let (_, mut account) = planned(ROLES, &account());
    let web = group(&account, "web").id.clone();
    let rule = RuleIdentity {
        direction: crate::inventory::Direction::In,
        flow: "tcp/9000".parse().expect("a flow"),
        peer: Peer::Cidr("192.0.2.0/24".parse().expect("a prefix")),
    };
    let marked = ExistingRule { id: None, description: "of another tool".into(), tag: Some("other".into()) };
    account.groups.get_mut(&web).expect("a group").rules.insert(rule.clone(), marked);
    let (steps, after) = planned(&ROLES.replace("\"tcp/80\", ", ""), &account);
    assert!(!steps.iter().any(|step| step.contains("tcp/9000")), "{steps:#?}");
    assert!(group(&after, "web").rules.contains_key(&rule));
}

#[test]
fn complaint_6_removing_one_rule_touches_no_other_one() {
    let (_, account) = planned(ROLES, &account());
    let wanted =
        layout(&declared(&ROLES.replace("\"tcp/80\", ", "")), &account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(&account, &wanted, &by());
    let rules = plan.steps().iter().map(|step| match &step.change {
        Change::Rules(Step::Revoke { rules, .. }) => rules.iter().map(|(_, rule)| rule.to_string()).collect(),
        other => vec![format!("not a removal: {other}")],
    });
    let rules: Vec<String> = rules.flatten().collect();
    assert_eq!(rules, ["tcp/80 from 0.0.0.0/0", "tcp/80 from ::/0"]);
}

#[test]
fn complaint_7_groups_that_refer_to_each_other_are_created_and_deleted() {
    let text = "[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n\
        [role.a]\nadmits = { b = [\"tcp/1\"] }\n[role.b]\nadmits = { a = [\"tcp/2\"] }\n";
    let (made, both) = planned(text, &account());
    let rules = position(&made, "add to new:n/role/a");
    assert!(position(&made, "create the security group new:n/role/b") < rules, "{made:#?}");
    let (gone, after) =
        planned("[network.n]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = []\n", &both);
    let first = position(&gone, "delete the security group new:n/role/a");
    assert!(position(&gone, "remove from new:n/role/b") < first, "{gone:#?}");
    assert!(!after.groups.values().any(|group| ["a", "b"].contains(&group.name.as_str())));
}

#[test]
fn complaint_8_a_role_that_is_renamed_is_created_and_attached_before_the_old_one_goes() {
    let (_, before) = planned(ROLES, &account());
    let (steps, after) =
        planned(&ROLES.replace("role.web]", "role.front]").replace("{ web =", "{ front ="), &before);
    let attached = position(&steps, "set the security groups of interface eni-0a to");
    assert!(position(&steps, "create the security group new:n/role/front") < attached, "{steps:#?}");
    assert!(attached < position(&steps, "delete the security group new:n/role/web"), "{steps:#?}");
    assert!(!after.groups.values().any(|group| group.name == "web"));
}

#[test]
fn complaint_10_the_internet_gateway_is_detached_after_the_last_public_address_is_gone() {
    let (_, account) = planned("[network.main]\nnat = \"gateway-per-zone\"\n", &Inventory::default());
    let name = "main".parse().expect("a name");
    let wanted = crate::topology::without(&name, &account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(&account, &wanted, &by());
    let needs = needs(&account, plan.steps());
    let number = |begins: &str| {
        let all =
            plan.steps().iter().enumerate().filter(|(_, step)| step.change.to_string().starts_with(begins));
        all.map(|(number, _)| number).collect::<Vec<_>>()
    };
    let [detach] = number("detach ")[..] else { panic!("one step detaches") };
    let mut before = std::collections::BTreeSet::from([detach]);
    // All steps that it needs, directly or not.
    loop {
        let more: Vec<usize> = before.iter().flat_map(|step| needs[*step].iter().copied()).collect();
        let known = before.len();
        before.extend(more);
        if before.len() == known {
            break;
        }
    }
    // A NAT gateway maps its address as long as it exists.
    for begins in ["delete the NAT gateway", "wait until new:main/nat-gateway"] {
        let steps = number(begins);
        assert_eq!(steps.len(), 2, "{begins}");
        assert!(steps.iter().all(|step| before.contains(step)), "{begins} {steps:?} {before:?}");
    }
}

#[test]
fn complaint_11_a_default_group_loses_its_rules_only_in_a_vpc_that_doorward_makes_and_the_plan_says_so() {
    let (made, _) = planned("[network.main]\n", &Inventory::default());
    assert!(
        made.iter().any(|step| step.starts_with("remove all rules of the default security group")),
        "{made:#?}"
    );
    let mut account = account();
    let default = group(&account, "default").id.clone();
    let rule = RuleIdentity {
        direction: crate::inventory::Direction::In,
        flow: Flow::All,
        peer: Peer::Group(default.clone()),
    };
    let foreign = ExistingRule { id: None, description: String::new(), tag: None };
    account.groups.get_mut(&default).expect("a group").rules.insert(rule, foreign);
    let (adopted, after) = planned("[network.n]\nvpc = \"default\"\nnat = \"none\"\n", &account);
    assert!(!adopted.iter().any(|step| step.contains("default security group")), "{adopted:#?}");
    assert_eq!(group(&account, "default").rules, group(&after, "default").rules);
    assert!(!group(&after, "default").rules.is_empty());
}

#[test]
fn complaint_19_the_bill_for_nat_and_its_traffic_is_in_the_plan() {
    let topology = declared("[network.main]\n");
    let networks = topology.networks.keys().cloned().collect();
    let (site, prices, quotas) = (site(3), Table::built_in().expect("a table"), Default::default());
    let from = Prepared {
        topology: &topology,
        networks: &networks,
        site: &site,
        prices: &prices,
        quotas: &quotas,
        transition: None,
    };
    let proposal = Proposal::of(from, &Inventory::default()).expect("nothing prevents it");
    let gateway = proposal
        .plan
        .steps()
        .iter()
        .zip(&proposal.costs)
        .find(|(step, _)| matches!(step.change, Change::CreateNatGateway(_)));
    let (_, cost) = gateway.expect("a NAT gateway");
    assert!(cost.month > Default::default(), "{cost:?}");
    assert!(!proposal.sum.traffic.is_empty(), "traffic is named next to the sum");
    let (_, choices) = proposal.nat.values().next().expect("the choices of NAT");
    assert!(choices.len() > 2, "each choice of NAT has its price");
}
