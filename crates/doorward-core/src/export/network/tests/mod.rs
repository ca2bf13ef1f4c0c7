//! A template reads back as the account that `apply` makes, and a configuration has only attributes that Terraform knows.

mod reader;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::inventory::*;
use crate::name::NetworkName;
use crate::plan::network::testing::{AsPlanned, Numbers, account, account_region, by, comparable, site};
use crate::plan::network::{Give, Ids, network_difference, perform_change};
use crate::topology::{DefaultParts, Topology, layout};
use reader::read;

fn declared(text: &str) -> Topology {
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    crate::policy::parse(&policy, "p").expect("a policy").topology
}

/// An account with a security group that somebody else made.
fn with_theirs() -> Inventory {
    let mut account = account();
    let mut group = account.groups["sg-0web"].clone();
    group.id = AnsweredId::answered("sg-0a1b2c3d4e5f60718").expect("an id");
    group.name = "theirs".into();
    account.groups.insert(group.id.clone(), group);
    account
}

/// The account with what is declared.
fn applied(topology: &Topology, mut account: Inventory, give: &mut impl Give) -> Inventory {
    let wanted = layout(topology, &account, &site(3)).expect("a layout").wanted;
    let mut ids = Ids::default();
    for step in network_difference(&account, &wanted, &by()).steps() {
        perform_change(&mut account, &step.change, &mut ids, give).expect("it can be done");
    }
    account
}

/// Both exports of a text for an account.
fn exported(text: &str, actual: &Inventory) -> (Template, Configuration) {
    let topology = declared(text);
    let wanted = layout(&topology, actual, &site(3)).expect("a layout").wanted;
    let networks: BTreeSet<NetworkName> = topology.networks.keys().cloned().collect();
    let by = by();
    let parts = Parts { topology: &topology, networks: &networks, actual, wanted: &wanted, by: &by };
    (cloudformation(&parts), terraform(&parts, Some("eu-west-1")))
}

const WHOLE: &str = "[network.main]\nzones = 2\nnat = \"gateway-per-zone\"\nendpoints = [\"s3\", \"dynamodb\", \"ssm\"]\n\
    [role.web]\nadmits = { internet = [\"tcp/443\", \"icmp\"] }\nreaches = { internet = [\"tcp/443\"] }\n\
    [role.db_connect]\nadmits = { db = [\"tcp/1\"] }\n\
    [role.db]\nadmits = { db_connect = [\"tcp/5432\"], \"192.0.2.0/24\" = [\"tcp/5432-5433\"], db = [\"all\"] }\n";
const REGIONAL: &str = "[network.main]\nzones = 3\nnat = \"regional\"\nendpoints = []\n[network.side]\ncidr = \"10.1.0.0/16\"\n\
    zones = 1\nnat = \"none\"\n[role.a]\nnetwork = \"side\"\n";
const ROLES: &str = "[network.old]\nvpc = \"default\"\nzones = []\n[role.db]\nadmits = { internet = [\"tcp/5432\"] }\n\
    on = [\"rds:orders\"]\n[role.theirs]\ngroup = \"sg-0a1b2c3d4e5f60718\"\nadmits = { db = [\"tcp/443\"] }\n";

#[test]
fn a_template_reads_back_as_what_apply_makes() {
    for text in [WHOLE, REGIONAL] {
        let nothing = Inventory::default();
        let mut expected = applied(&declared(text), nothing.clone(), &mut AsPlanned::default());
        // CloudFormation has no tags on rules, and leaves the default security group as AWS makes it.
        let defaults: Vec<DefaultParts> =
            expected.vpcs.keys().filter_map(|vpc| DefaultParts::of(&expected, vpc)).collect();
        for group in expected.groups.values_mut() {
            group.rules.values_mut().for_each(|rule| rule.tag = None);
            if defaults.iter().any(|parts| parts.group == group.id) {
                group.rules = reader::made_by_aws(&group.id);
            }
        }
        let (template, _) = exported(text, &nothing);
        let addresses = expected.elastic_addresses.values();
        let addresses = addresses.map(|it| (it.tags["doorward:part"].clone(), it.public)).collect();
        assert_eq!(
            comparable(&read(&template.document, &account_region(), &addresses)),
            comparable(&expected)
        );
        assert_eq!(template.imports, Vec::<Value>::new());
        let defaults = template.left.iter().filter(|line| line.contains("default security group"));
        assert_eq!(defaults.count(), expected.vpcs.len());
    }
}

#[test]
fn the_same_account_gives_the_same_bytes() {
    let bytes = || {
        let (template, configuration) = exported(WHOLE, &Inventory::default());
        (serde_json::to_string_pretty(&template.document).expect("JSON"), configuration.text)
    };
    assert_eq!(bytes(), bytes());
    // The names do not depend on ids.
    let topology = declared(WHOLE);
    let exists = applied(&topology, Inventory::default(), &mut Numbers::default());
    let names = |account: &Inventory| {
        let (_, configuration) = exported(WHOLE, account);
        let heads = configuration.text.lines().filter(|line| line.starts_with("resource "));
        heads.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&exists), names(&Inventory::default()));
}

/// The attributes of each resource of Terraform, as the bindings of its provider 6.25.0 name them.
fn known() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    serde_json::from_str(include_str!("../terraform_attributes.json")).expect("JSON")
}

#[test]
fn a_configuration_has_only_attributes_that_terraform_knows() {
    let known = known();
    let meta = ["depends_on", "lifecycle", "ignore_changes"];
    let mut kinds = BTreeSet::new();
    for (text, account) in [
        (WHOLE, Inventory::default()),
        (REGIONAL, Inventory::default()),
        (ROLES, with_theirs()),
        ("[network.old]\nvpc = \"default\"\nzones = 2\n", account()),
    ] {
        let (_, configuration) = exported(text, &account);
        for block in configuration.text.split("\n\nresource ").skip(1) {
            let kind = block.split('"').nth(1).expect("a kind").to_owned();
            let attributes = &known[&kind];
            let own = block.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
            let own: BTreeSet<String> = own
                .filter_map(|line| line.trim().split([' ', '=']).next())
                .filter(|word| !word.is_empty() && *word != "}" && !meta.contains(word))
                .map(str::to_owned)
                .collect();
            for attribute in &own {
                let is_known = attributes.values().any(|names| names.contains(attribute));
                assert!(is_known, "{kind} has no {attribute}: {block}");
            }
            assert!(attributes["required"].is_subset(&own), "{kind} lacks something: {block}");
            kinds.insert(kind);
        }
    }
    assert_eq!(kinds, known.keys().cloned().collect(), "each kind is exported once at least");
}

#[test]
fn what_exists_is_imported() {
    let topology = declared(WHOLE);
    let mut numbers = Numbers::default();
    let mut account = applied(&topology, Inventory::default(), &mut numbers);
    for (number, address) in account.elastic_addresses.values_mut().enumerate() {
        address.allocation = AnsweredId::answered(&format!("eipalloc-0{number}")).ok();
    }
    let (template, configuration) = exported(WHOLE, &account);
    let resources = template.document["Resources"].as_object().expect("resources");
    // A subnet group has no id: its name is known. All others are imported by their ids.
    assert_eq!(template.imports.len(), resources.len());
    assert!(resources.values().all(|it| it["DeletionPolicy"] == "Retain"));
    let kinds: BTreeSet<&str> = resources.values().filter_map(|it| it["Type"].as_str()).collect();
    assert!(!kinds.contains("AWS::EC2::Route") && !kinds.contains("AWS::EC2::VPCGatewayAttachment"));
    assert!(
        template
            .left
            .iter()
            .any(|line| line.starts_with("CloudFormation cannot import the route to 0.0.0.0/0"))
    );
    let count = |start: &str| configuration.text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("import {"), count("resource "));
    assert!(configuration.text.contains("\n  id = \"given-"), "{}", configuration.text);
}

#[test]
fn roles_in_a_vpc_of_others_are_exported_by_its_id() {
    let (template, configuration) = exported(ROLES, &with_theirs());
    let json = serde_json::to_string(&template.document).expect("JSON");
    assert!(
        json.contains("\"VpcId\":\"vpc-0d\"") && json.contains("\"GroupId\":\"sg-0a1b2c3d4e5f60718\""),
        "{json}"
    );
    assert!(!json.contains("AWS::EC2::VPC\""), "somebody else's VPC is not exported");
    assert!(configuration.text.contains("vpc_id      = \"vpc-0d\""), "{}", configuration.text);
    let expected = "database orders is not exported: attach db to it where it is declared";
    assert_eq!(configuration.left, [expected]);
    assert!(template.left.contains(&expected.to_owned()));
    let ignored = configuration.text.matches("ignore_changes = [ingress, egress]").count();
    assert_eq!(ignored, configuration.text.matches("resource \"aws_security_group\"").count());
}

#[test]
fn rules_of_grants_and_of_others_are_not_exported() {
    let topology = declared(WHOLE);
    let mut account = applied(&topology, Inventory::default(), &mut Numbers::default());
    let before = exported(WHOLE, &account);
    let group = account.groups.values_mut().find(|it| it.name == "db").expect("a group");
    for (rule, description) in [
        ("tcp/5432 from 198.51.100.0/24", "doorward 3f9c2a1b static office"),
        ("tcp/5432 from 198.51.101.0/24", "somebody else"),
    ] {
        let rule = rule.parse::<RuleIdentity>().expect("a rule");
        let standing = ExistingRule { description: description.to_owned(), ..ExistingRule::default() };
        group.rules.insert(rule, standing);
    }
    assert_eq!(exported(WHOLE, &account), before);
}
