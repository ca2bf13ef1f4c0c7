//! A digest of the steps of a plan: a saved plan holds it, and is refused if planning again gives other steps.

use super::{Awaited, Change, Modified, NetworkStep, ScaledChange};
use crate::inventory::digest::{Encode, Encoder, enums, structs, texts};
use crate::inventory::{
    CrossZone, Database, DatabaseSettings, DnsAttribute, Image, ImageId, Instance, Interface,
    InterfaceAddress, LaunchTemplate, LaunchTemplateId, LaunchTemplateVersion, Listener, LoadBalancer,
    LoadBalancerKind, Owned, ScalingGroup, Target, TargetGroup, TypeName,
};
use crate::mark::{Because, Mark};
use crate::name::{FirewallName, GrantId, InstallationId, NetworkName, Person, RoleName, TargetName};
use crate::plan::{Remark, Step};
use crate::topology::{DefaultParts, Holder};

/// SHA-256 of what steps do, in hexadecimal digits. Phases only order them and reasons only explain them.
pub(super) fn digest(steps: &[NetworkStep]) -> String {
    let mut into = Encoder::default();
    into.each(steps.iter().map(|NetworkStep { change, phase: _, why: _ }| change));
    into.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}

texts! {
    FirewallName "a", "b";
    GrantId "g-aaaaaaaaaaaa", "g-bbbbbbbbbbbb";
    ImageId "ami-0a", "ami-0b";
    LaunchTemplateId "lt-0a", "lt-0b";
    InstallationId "07070707", "08080808";
    NetworkName "a", "b";
    Person "a", "b";
    RoleName "a", "b";
    TargetName "a", "b";
    TypeName "t4g.small", "db.t4g.micro";
}

structs! {
    Database {
        name, arn, account_region, engine, status, vpc, zone, subnets, groups, public, host, port, cluster, settings,
        tags,
    }
    DatabaseSettings {
        version, class, storage, multi_az, backup_days, iam, encrypted, subnet_group, has_secret, restarts, pending,
    }
    DefaultParts { table, acl, group }
    Instance { id, account_region, state, interfaces, platform, image, size, profile, tags }
    Interface {
        id, vpc, subnet, groups, addresses, prefixes, source_dest_check, kind, requester, description, instance,
        attached, tags,
    }
    InterfaceAddress { address, public }
    LaunchTemplate { id, name, account_region, latest, default, versions, tags }
    LaunchTemplateVersion { image, size, profile, groups }
    Listener { arn, protocol, port, target_groups, instance_port, certificate }
    LoadBalancer {
        arn, name, account_region, kind, public, vpc, subnets, groups, host, state, cross_zone, listeners, tags,
    }
    Mark { by, because, until }
    Modified { id, tables, subnets, groups }
    Remark { id, rule, mark, retag }
    ScalingGroup {
        name, account_region, template, min, max, desired, subnets, target_groups, checks_balancer, grace, instances,
        is_deleting, tags,
    }
    Target { id, port, health, reason, zone }
    TargetGroup {
        arn, name, account_region, vpc, protocol, port, kind, preserves_client, cross_zone, health_path, targets, tags,
    }
}

enums! {
    Awaited {
        0 NatGateway(id),
        1 NatGatewayGone(id),
        2 Endpoint(id),
        3 EndpointGone(id),
        4 InstanceRuns(id),
        5 InstanceStopped(id),
        6 InstanceGone(id),
        7 Database(account_region, name),
        8 DatabaseStopped(account_region, name),
        9 DatabaseGone(account_region, name),
        10 Snapshot(account_region, name),
        11 GroupUnused(id),
        12 Balancer(account_region, name),
        13 BalancerGone(account_region, name),
        14 GroupServes(account_region, name),
        15 GroupGone(account_region, name),
    }
    Because {
        0 Grant { id, person, target },
        1 Static { firewall },
        2 Role { role },
        3 Network { network },
    }
    Change {
        0 CreateVpc(vpc, parts),
        1 EnableDns(vpc, attribute),
        2 EmptyDefaultGroup { vpc, group, rules },
        3 CreateSubnet(subnet),
        4 CreateInternetGateway(gateway),
        5 AttachInternetGateway(gateway, vpc),
        6 AllocateAddress(address),
        7 CreateNatGateway(gateway),
        8 CreateRouteTable(table),
        9 CreateRoute(table, route),
        10 ReplaceRoute(table, route),
        11 AssociateTable { table, subnet, before },
        12 CreateEndpoint(endpoint),
        13 ModifyEndpoint(modified),
        14 CreateSubnetGroup(group),
        15 ModifySubnetGroup(name, group),
        16 CreateSecurityGroup(group),
        17 RevokeDefaultEgress(group),
        18 Rules(step),
        19 SetGroups { holder, groups },
        20 RunInstance(instance, interface),
        21 CreateDatabase(database),
        22 ModifyDatabase { account_region, name, settings },
        23 StopInstance(instance),
        24 StartInstance(instance),
        25 StopDatabase(account_region, name),
        26 StartDatabase(account_region, name),
        27 RestoreDatabase { database, snapshot },
        28 Await(awaited),
        29 TerminateInstance(instance),
        30 DeleteDatabase { account_region, name, snapshot },
        31 DeleteSnapshot { account_region, name, newer },
        32 DeleteEndpoint(endpoint),
        33 DeleteRoute(table, destination),
        34 DeleteNatGateway(gateway),
        35 ReleaseAddress(address),
        36 DeleteSubnetGroup(account_region, name),
        37 DeleteSubnet(subnet),
        38 DeleteRouteTable(table),
        39 DeleteSecurityGroup(group),
        40 DetachInternetGateway(gateway, vpc),
        41 DeleteInternetGateway(gateway),
        42 DeleteVpc(vpc),
        43 Scaled(change),
    }
    CrossZone { 0 On, 1 Off, 2 AsLoadBalancer, }
    DnsAttribute { 0 Support, 1 Hostnames, }
    Holder {
        0 Interface(id),
        1 Database(account_region, name),
        2 Cluster(account_region, name),
        3 Proxy(account_region, name),
        4 Cache(account_region, name),
        5 ServerlessCache(account_region, name),
        6 Function(account_region, name),
        7 Service(arn),
        8 Balancer(account_region, name),
    }
    Image { 0 Id(id), 1 Parameter(name), }
    LoadBalancerKind { 0 Classic, 1 Application, 2 Network, 3 Gateway, }
    ScaledChange {
        0 CreateTargetGroup(group),
        1 ModifyTargetGroup(owned, group),
        2 CreateBalancer(balancer),
        3 SetSubnets(owned, balancer),
        4 CreateListener(owned, pair),
        5 ModifyListener(owned, pair),
        6 CreateTemplate { template, launched },
        7 CreateVersion { template, source, number, version },
        8 CreateGroup(group, launched),
        9 ModifyGroup(owned, pair),
        10 DeleteGroup(account_region, owned),
        11 DeleteBalancer(owned, balancer),
        12 DeleteTargetGroup(owned, group),
        13 DeleteTemplate(owned),
    }
    Step {
        0 Authorize { group, rules },
        1 Describe { group, rules },
        2 Revoke { group, rules },
    }
}

impl<Id: Encode> Encode for Owned<Id> {
    fn encode(&self, into: &mut Encoder) {
        self.id().encode(into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::digest::{check_that_all_differ, first};
    use crate::plan::network::{Phase, Why};

    #[test]
    fn two_changes_that_differ_in_any_field_have_different_digests() {
        check_that_all_differ::<Change>();
    }

    #[test]
    fn neither_the_phase_nor_the_reason_is_a_part_of_the_digest() {
        let step = |phase, why| {
            let change = Change::DeleteVpc(first());
            digest(&[NetworkStep { change, phase, why: Why::For(why) }])
        };
        assert_eq!(step(Phase::Vpc, "one"), step(Phase::Subnets, "another"));
        assert_ne!(step(Phase::Vpc, "one"), digest(&[]));
    }
}
