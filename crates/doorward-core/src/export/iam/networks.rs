//! What the declared networks and roles take, split by task: planning reads, applying creates and changes, destroying deletes.
//!
//! Which resources and conditions each action knows is from the Service Authorization Reference, "Amazon EC2", "Amazon RDS",
//! "Amazon ElastiCache", "AWS Lambda" and "Amazon ECS". A resource that is created is allowed by the tags of the request, one
//! that exists by its own tags: both name the installation and the network. Three things have no tags of ours: the default
//! security group of a new VPC, the default VPC, and what has a role attached.

mod carriers;
mod environments;
mod scaled;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Pages, Statement};
use super::{Iam, Unknown, arn, mark, suffix, survey};
use crate::inventory::{AccountId, EndpointKind, Partition, SubnetGroup};
use crate::mark::Mark;
use crate::name::InstallationId;
use crate::policy::Policy;
use crate::topology::{Environment, Nat, Network, Role, VpcChoice};

/// What somebody does with the declared networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// `doorward plan`, which `apply` and `destroy` begin and end with.
    Plan,
    /// `doorward apply`, and `doorward env`, which starts and stops what that created.
    Apply,
    /// `doorward destroy`.
    Destroy,
}

/// What the policy does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The account of each profile.
    pub accounts: BTreeMap<Option<String>, AccountId>,
    /// The installation that owns the networks; none before the first `apply`.
    pub installation: Option<InstallationId>,
}

/// The profiles through which networks are read and changed.
pub fn network_profiles(policy: &Policy) -> BTreeSet<Option<String>> {
    policy.topology.networks.values().map(|network| network.at.profile.clone()).collect()
}

/// What a task takes, of one profile or of all, each with statements of its own.
pub fn networks(policy: &Policy, only: Option<&Option<String>>, task: Task, facts: &NetworkFacts) -> Iam {
    let (mut pages, mut unknown) = (Pages::default(), BTreeSet::new());
    let profiles = network_profiles(policy);
    let several = profiles.len() > 1;
    for (number, profile) in (1..).zip(profiles).filter(|(_, it)| only.is_none_or(|only| only == it)) {
        let all = policy.topology.networks.values().filter(|it| it.at.profile == profile);
        let networks: Vec<&Network> = all.collect();
        let account = facts.accounts.get(&profile);
        let regions: BTreeSet<Option<&str>> = networks.iter().map(|it| it.at.region.as_deref()).collect();
        unknown.extend(account.is_none().then(|| Unknown::Account(profile.clone())));
        unknown.extend(regions.contains(&None).then(|| Unknown::Region(profile.clone())));
        if task != Task::Plan && facts.installation.is_none() {
            unknown.insert(Unknown::Installation);
        }
        let roles = policy.topology.roles.values();
        let roles = roles.filter(|role| networks.iter().any(|it| it.name == role.network)).collect();
        let suffix = if several { suffix(number, profile.as_deref()) } else { String::new() };
        let environments = networks.iter().flat_map(|it| policy.topology.environments_in(&it.name)).collect();
        let installation = &facts.installation;
        let needs = Needs { suffix, account, regions, networks, roles, environments, installation };
        match task {
            Task::Plan => {
                let reads = survey(&needs.suffix, &needs.regions, account).into_iter();
                reads.chain(needs.environments_read()).for_each(|it| pages.add(it));
            }
            Task::Apply => needs.apply().into_iter().for_each(|it| pages.add(it)),
            Task::Destroy => needs.destroy().into_iter().for_each(|it| pages.add(it)),
        }
    }
    Iam { documents: pages.documents, unknown: unknown.into_iter().collect() }
}

/// Which parts some networks have.
#[derive(Debug, Clone, Copy)]
struct Has {
    subnets: bool,
    endpoints: bool,
    /// VPCs of their own.
    vpcs: bool,
}

/// The networks of one profile.
struct Needs<'a> {
    suffix: String,
    account: Option<&'a AccountId>,
    regions: BTreeSet<Option<&'a str>>,
    networks: Vec<&'a Network>,
    roles: Vec<&'a Role>,
    environments: Vec<&'a Environment>,
    installation: &'a Option<InstallationId>,
}

impl Needs<'_> {
    fn statement(&self, sid: &str, actions: &[&'static str], resources: Vec<String>) -> Statement {
        Statement::allow(format!("{sid}{}", self.suffix), actions.to_vec(), resources)
    }

    /// All resources of some kinds of a service, like `vpc/*`.
    fn all(&self, service: &str, kinds: &[&str]) -> Vec<String> {
        let of = |kind: &&str| {
            let kind = (*kind).to_owned();
            self.regions.iter().map(move |region| arn(service, *region, self.account, &kind))
        };
        kinds.iter().flat_map(of).collect()
    }

    /// … only those of our networks, by the tags of the resource or of the request.
    fn tagged(&self, statement: Statement, whose: &str) -> Statement {
        let parts: Vec<String> = self.networks.iter().map(|network| format!("{}/*", network.name)).collect();
        let (operator, by) = match self.installation {
            Some(by) => ("StringEquals", by.to_string()),
            None => ("StringLike", "*".to_owned()),
        };
        statement.when(operator, &format!("aws:{whose}/{}", Mark::TAG), [by]).when(
            "StringLike",
            &format!("aws:{whose}/{}", Mark::PART_TAG),
            parts,
        )
    }

    fn ours(&self, sid: &str, actions: &[&'static str], kinds: &[&str]) -> Statement {
        self.tagged(self.statement(sid, actions, self.all("ec2", kinds)), "ResourceTag")
    }

    fn created(&self, sid: &str, actions: &[&'static str], kinds: &[&str]) -> Statement {
        self.tagged(self.statement(sid, actions, self.all("ec2", kinds)), "RequestTag")
    }

    fn has(&self) -> Has {
        let laid_out = || self.networks.iter().filter(|it| !it.zones.is_empty());
        Has {
            subnets: laid_out().count() > 0,
            endpoints: laid_out().any(|it| !it.endpoints.is_empty()),
            vpcs: self.networks.iter().any(|it| matches!(it.vpc, VpcChoice::Made(_))),
        }
    }

    fn apply(&self) -> Vec<Statement> {
        let Has { subnets: has_subnets, endpoints: has_endpoints, vpcs: makes_vpcs } = self.has();
        let laid_out = || self.networks.iter().filter(|it| !it.zones.is_empty());
        let has_interfaces =
            laid_out().flat_map(|it| &it.endpoints).any(|it| it.kind() == EndpointKind::Interface);
        let nat = |kinds: &[Nat]| laid_out().any(|it| kinds.contains(&it.nat));
        let mut all = Vec::new();
        let mut create = vec!["ec2:CreateSecurityGroup"];
        let mut created = vec!["security-group/*"];
        if has_subnets {
            create.extend(["ec2:CreateRouteTable", "ec2:CreateSubnet"]);
            created.extend(["route-table/*", "subnet/*"]);
        }
        all.push(self.created("CreateInVpc", &create, &created));
        let apart = [
            (nat(&[Nat::Gateway, Nat::GatewayPerZone]), "ec2:AllocateAddress", "elastic-ip/*"),
            (has_subnets, "ec2:CreateInternetGateway", "internet-gateway/*"),
            (makes_vpcs, "ec2:CreateVpc", "vpc/*"),
        ];
        let (actions, kinds): (Vec<_>, Vec<_>) =
            apart.into_iter().filter(|it| it.0).map(|(_, action, kind)| (action, kind)).unzip();
        if !actions.is_empty() {
            all.push(self.created("CreateApart", &actions, &kinds));
            create.extend(actions);
            created.extend(kinds);
        }
        if nat(&[Nat::Gateway, Nat::GatewayPerZone, Nat::Regional]) {
            all.push(self.created("CreateNatGateways", &["ec2:CreateNatGateway"], &["natgateway/*"]));
            create.push("ec2:CreateNatGateway");
            created.push("natgateway/*");
        }
        if has_endpoints {
            all.push(self.endpoints());
            create.push("ec2:CreateVpcEndpoint");
            created.push("vpc-endpoint/*");
        }
        if !self.environments.is_empty() {
            create.push("ec2:RunInstances");
            created.extend(environments::LAUNCHED);
        }
        if self.has_prod() {
            create.push("ec2:CreateLaunchTemplate");
            created.push("launch-template/*");
        }
        create.sort_unstable();
        let calls = create.iter().map(|action| action.trim_start_matches("ec2:"));
        let keys = [Mark::TAG, Mark::PART_TAG, "Name"];
        all.push(
            self.created("TagWhatIsCreated", &["ec2:CreateTags"], &created)
                .when("StringEquals", "ec2:CreateAction", calls)
                .when("ForAllValues:StringEquals", "aws:TagKeys", keys),
        );
        all.extend(self.foreign_vpcs(has_subnets, has_endpoints));
        all.push(self.change(has_subnets, has_endpoints, makes_vpcs));
        let rules = self.all("ec2", &["security-group-rule/*"]);
        all.push(self.statement("ChangeRules", &CHANGE_RULES, rules.clone()));
        all.push(mark(&self.suffix, &rules));
        all.extend(self.groups_of_others());
        if has_subnets {
            let actions = [
                "rds:AddTagsToResource",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBSubnetGroup",
            ];
            all.push(self.statement("SubnetGroups", &actions, self.subnet_groups()));
        }
        if has_interfaces {
            // AWS associates its hosted zone of the service with the VPC in the name of the caller.
            let zone = |region: &Option<&str>| {
                format!("arn:{}:route53:::hostedzone/*", Partition::of(region.unwrap_or_default()).arn())
            };
            let zones: BTreeSet<String> = self.regions.iter().map(zone).collect();
            let zones = zones.into_iter().collect();
            all.push(self.statement("PrivateNames", &["route53:AssociateVPCWithHostedZone"], zones));
        }
        let (actions, kinds) = self.deletes(has_subnets, has_endpoints);
        all.push(self.ours("DeleteParts", &actions, &kinds));
        if makes_vpcs {
            all.push(self.default_groups());
        }
        all.extend(self.attach());
        all.extend(self.environments_applied());
        all
    }

    fn destroy(&self) -> Vec<Statement> {
        let Has { subnets: has_subnets, endpoints: has_endpoints, vpcs: makes_vpcs } = self.has();
        let (mut actions, mut kinds) = self.deletes(has_subnets, has_endpoints);
        actions.extend(["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]);
        if makes_vpcs {
            actions.push("ec2:DeleteVpc");
            kinds.push("vpc/*");
        }
        actions.sort_unstable();
        let mut all = vec![self.ours("DeleteParts", &actions, &kinds)];
        if has_subnets {
            all.push(self.statement("SubnetGroups", &["rds:DeleteDBSubnetGroup"], self.subnet_groups()));
            let vpcs = self.vpcs_of_others();
            if !vpcs.is_empty() {
                all.push(self.statement("InVpcsOfOthers", &["ec2:DetachInternetGateway"], vpcs));
            }
        }
        all.extend(self.groups_of_others().map(|it| Statement { action: REVOKE.to_vec(), ..it }));
        all.extend(self.attach());
        all.extend(self.environments_destroyed());
        all
    }

    /// Endpoints for the declared services and no others.
    fn endpoints(&self) -> Statement {
        let mut names = BTreeSet::new();
        for network in self.networks.iter().filter(|it| !it.zones.is_empty()) {
            let region = network.at.region.as_deref().unwrap_or("*");
            names.extend(network.endpoints.iter().map(|service| service.in_region(region)));
        }
        self.created("CreateEndpoints", &["ec2:CreateVpcEndpoint"], &["vpc-endpoint/*"]).when(
            "StringLike",
            "ec2:VpceServiceName",
            names,
        )
    }

    /// VPCs that exist, by their ids; the default VPC is every one, because its id is not declared.
    fn vpcs_of_others(&self) -> Vec<String> {
        let mut vpcs = BTreeSet::new();
        for network in &self.networks {
            let vpc = match &network.vpc {
                VpcChoice::Made(_) => continue,
                VpcChoice::Default => "vpc/*".to_owned(),
                VpcChoice::Existing(id) => format!("vpc/{id}"),
            };
            vpcs.insert(arn("ec2", network.at.region.as_deref(), self.account, &vpc));
        }
        vpcs.into_iter().collect()
    }

    fn foreign_vpcs(&self, has_subnets: bool, has_endpoints: bool) -> Option<Statement> {
        let vpcs = self.vpcs_of_others();
        let mut actions = vec!["ec2:CreateSecurityGroup"];
        if has_subnets {
            actions.extend([
                "ec2:AttachInternetGateway",
                "ec2:CreateRouteTable",
                "ec2:CreateSubnet",
                "ec2:DetachInternetGateway",
            ]);
        }
        if has_endpoints {
            actions.push("ec2:CreateVpcEndpoint");
        }
        actions.sort_unstable();
        (!vpcs.is_empty()).then(|| self.statement("InVpcsOfOthers", &actions, vpcs))
    }

    /// What is changed of ours, and what something else is created in.
    fn change(&self, has_subnets: bool, has_endpoints: bool, makes_vpcs: bool) -> Statement {
        let mut actions = CHANGE_RULES.to_vec();
        actions.extend(REVOKE);
        let mut kinds = vec!["security-group/*"];
        if makes_vpcs {
            actions.extend(["ec2:CreateSecurityGroup", "ec2:ModifyVpcAttribute"]);
            kinds.push("vpc/*");
        }
        if has_subnets {
            actions.extend([
                "ec2:AssociateRouteTable",
                "ec2:AttachInternetGateway",
                "ec2:CreateNatGateway",
                "ec2:CreateRoute",
                "ec2:DeleteRoute",
                "ec2:ReplaceRoute",
                "ec2:ReplaceRouteTableAssociation",
            ]);
            kinds.extend(["elastic-ip/*", "internet-gateway/*", "route-table/*", "subnet/*"]);
            if makes_vpcs {
                actions.extend(["ec2:CreateRouteTable", "ec2:CreateSubnet", "ec2:DetachInternetGateway"]);
            }
        }
        if has_endpoints {
            actions.extend(["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"]);
            kinds.push("vpc-endpoint/*");
        }
        actions.sort_unstable();
        self.ours("ChangeParts", &actions, &kinds)
    }

    fn deletes(&self, has_subnets: bool, has_endpoints: bool) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut actions = vec!["ec2:DeleteSecurityGroup"];
        let mut kinds = vec!["security-group/*"];
        if has_subnets {
            actions.extend([
                "ec2:DeleteInternetGateway",
                "ec2:DeleteNatGateway",
                "ec2:DeleteRouteTable",
                "ec2:DeleteSubnet",
                "ec2:DetachInternetGateway",
                "ec2:ReleaseAddress",
            ]);
            kinds.extend(["elastic-ip/*", "internet-gateway/*", "natgateway/*", "route-table/*", "subnet/*"]);
        }
        if has_endpoints {
            actions.push("ec2:DeleteVpcEndpoints");
            kinds.push("vpc-endpoint/*");
        }
        actions.sort_unstable();
        (actions, kinds)
    }

    /// Groups that somebody else made and that are roles, by their ids.
    fn groups_of_others(&self) -> Option<Statement> {
        let groups = self.roles.iter().filter_map(|role| Some((role, role.group.as_ref()?)));
        let groups: Vec<String> = groups
            .map(|(role, id)| {
                let network = self.networks.iter().find(|it| it.name == role.network);
                let region = network.and_then(|it| it.at.region.as_deref());
                arn("ec2", region, self.account, &format!("security-group/{id}"))
            })
            .collect();
        let mut actions = CHANGE_RULES.to_vec();
        actions.extend(REVOKE);
        (!groups.is_empty()).then(|| self.statement("ChangeTheseGroups", &actions, groups))
    }

    /// The default security group of a new VPC has no tags, so all rules of all groups can be removed, and none added.
    fn default_groups(&self) -> Statement {
        self.statement("EmptyDefaultGroups", &REVOKE, self.all("ec2", &["security-group/*"]))
    }

    /// By their names, which have the installation and the network.
    fn subnet_groups(&self) -> Vec<String> {
        let of = |network: &&Network| {
            let name = match self.installation {
                Some(by) => SubnetGroup::owned_name(by, &network.name),
                None => format!("doorward-*-{}", network.name).to_lowercase(),
            };
            arn("rds", network.at.region.as_deref(), self.account, &format!("subgrp:{name}"))
        };
        self.networks.iter().filter(|it| !it.zones.is_empty()).map(of).collect()
    }
}

const CHANGE_RULES: [&str; 3] =
    ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules"];
const REVOKE: [&str; 2] = ["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"];
