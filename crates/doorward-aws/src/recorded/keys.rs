//! The table of keys: what stands under each, by what its members are recognised, and what reads it.

use doorward_core::inventory::Call;
use serde_json::value::RawValue;

use super::owned;
use super::passed_over::Unread;
use super::piece::Names;
use super::shapes::{Held, shape};
use crate::operation::balancer::{BalancerTagsShape, ClassicShape, LoadBalancerShape, TargetGroupShape};
use crate::operation::cache::{CacheShape, CacheSubnetGroup, GroupOfCachesShape, ServerlessCacheShape};
use crate::operation::database::{
    ClusterEndpointShape, ClusterShape, DatabaseShape, DatabaseSubnetGroup, ProxyEndpointShape, ProxyShape,
    SnapshotShape,
};
use crate::operation::machine::{LaunchTemplateShape, LaunchTemplateVersionShape};
use crate::operation::scaling::ScalingGroupShape;
use crate::operation::{
    AddressShape, AttachmentShape, BlockExclusionShape, BlockOptionsShape, EgressOnlyGatewayShape,
    EndpointShape, FunctionShape, GroupShape, InstanceShape, InterfaceShape, InternetGatewayShape, ListShape,
    NatGatewayShape, NetworkAclShape, PeeringShape, ReservationShape, RouteTableShape, RuleShape,
    SubnetShape, TransitGatewayShape, TransitPeeringShape, TransitTableShape, TransitVpcShape, VpcShape,
    VpnConnectionShape, VpnGatewayShape, ZoneShape,
};
use crate::reading::{Member, Reader};

/// A key of an answer.
///
/// Other services answer with keys of the same name, and people keep the bare list of members: so it is the members
/// that say what they are, by the names of their fields.
pub(super) struct Key {
    /// As the AWS CLI writes it; `security_groups` is taken for `SecurityGroups`.
    pub(super) name: &'static str,
    /// The call that answers with it.
    pub(super) call: Call,
    /// The field of the one object that stands under it, where that is no list.
    pub(super) single: Option<&'static str>,
    pub(super) read: Read,
    /// A member has one of these fields. Where none are named, what reads the members decides.
    id: &'static [&'static str],
    /// A member that no key names has one of these as well. Where none are named, the key has to be there.
    beside: &'static [&'static str],
    /// A member has none of these: they are of another call's, or of another service's.
    never: &'static [&'static str],
}

/// What reads members.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// Each by itself.
    Each(fn(&mut Reader, &RawValue) -> Result<(), serde_json::Error>),
    /// All that stand under the key, after everything else of the account and Region was read: whose they are, only
    /// the rest of the file or of the recording says.
    Together(fn(&mut Reader, &Held)),
}

/// Every key that is read. Answers with other keys tell of nothing that an inventory holds. The first that a bare
/// member fits is what it is, so that what has the fields of another one and more comes first.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    each::<GroupShape>(&["GroupId"], &["IpPermissions", "IpPermissionsEgress"], &["SecurityGroupRuleId"]),
    each::<RuleShape>(&["SecurityGroupRuleId", "GroupId"], &["IsEgress"], &[]),
    each::<InterfaceShape>(&["NetworkInterfaceId"], &["SubnetId", "PrivateIpAddresses", "InterfaceType"], &["PublicIp", "InstanceId"]),
    each::<ReservationShape>(&["Instances"], &["ReservationId"], &[]),
    Key { name: "instances", read: Read::Each(instance), ..each::<InstanceShape>(&["InstanceId", "Instances"], &["ImageId", "PrivateDnsName", "NetworkInterfaces", "ReservationId"], &["StackId", "LifecycleState"]) },
    each::<AddressShape>(&["PublicIp"], &["AllocationId", "Domain"], &[]),
    each::<NatGatewayShape>(&["NatGatewayId"], &["NatGatewayAddresses", "SubnetId", "VpcId"], &["DestinationCidrBlock"]),
    each::<InternetGatewayShape>(&["InternetGatewayId"], &["Attachments"], &[]),
    each::<EgressOnlyGatewayShape>(&["EgressOnlyInternetGatewayId"], &["Attachments"], &[]),
    each::<VpnConnectionShape>(&["VpnConnectionId"], &["VpnGatewayId", "TransitGatewayId", "CustomerGatewayId"], &[]),
    each::<VpnGatewayShape>(&["VpnGatewayId"], &["VpcAttachments", "AmazonSideAsn"], &["VpnConnectionId"]),
    each::<PeeringShape>(&["VpcPeeringConnectionId"], &["AccepterVpcInfo", "RequesterVpcInfo"], &[]),
    each::<TransitPeeringShape>(&["TransitGatewayAttachmentId"], &["RequesterTgwInfo", "AccepterTgwInfo"], &[]),
    each::<TransitVpcShape>(&["TransitGatewayAttachmentId"], &["SubnetIds"], &[]),
    together(Call::TransitPropagations, owned::propagations, &["TransitGatewayAttachmentId"], &[], &["TransitGatewayId"]),
    each::<AttachmentShape>(&["TransitGatewayAttachmentId"], &["TransitGatewayOwnerId", "TransitGatewayId"], &[]),
    each::<TransitTableShape>(&["TransitGatewayRouteTableId"], &["TransitGatewayId"], &["TransitGatewayAttachmentId"]),
    each::<TransitGatewayShape>(&["TransitGatewayId"], &["TransitGatewayArn"], &["TransitGatewayAttachmentId", "TransitGatewayRouteTableId"]),
    together(Call::TransitRoutes, owned::transit_routes, &["DestinationCidrBlock", "PrefixListId"], &["TransitGatewayAttachments"], &["Origin", "GatewayId", "RouteId", "RouteKey"]),
    each::<EndpointShape>(&["VpcEndpointId"], &["ServiceName", "VpcEndpointType"], &["DomainArn", "VpcEndpointOwner"]),
    each::<RouteTableShape>(&["RouteTableId"], &["Routes", "Associations"], &[]),
    each::<NetworkAclShape>(&["NetworkAclId"], &["Entries", "Associations"], &["RouteTableId"]),
    each::<ListShape>(&["PrefixListId"], &["PrefixListName", "Cidrs"], &[]),
    together(Call::PrefixListEntries, owned::entries, &["Cidr"], &[], &[]),
    Key { single: Some("InternetGatewayBlockMode"), ..each::<BlockOptionsShape>(&[], &[], &[]) },
    Key { single: Some("Value"), ..together(Call::VpcAttributes, owned::dns_support, &[], &[], &[]) },
    Key { name: "EnableDnsHostnames", single: Some("Value"), ..together(Call::VpcAttributes, owned::dns_hostnames, &[], &[], &[]) },
    each::<BlockExclusionShape>(&["InternetGatewayExclusionMode", "ExclusionId"], &["InternetGatewayExclusionMode"], &[]),
    each::<ClassicShape>(&["LoadBalancerName"], &["ListenerDescriptions"], &[]),
    together(Call::Listeners, owned::listeners, &["ListenerArn"], &["DefaultActions", "Protocol"], &["PortRanges", "RuleArn"]),
    together(Call::ListenerRules, owned::rules, &["RuleArn"], &["Actions"], &[]),
    each::<LoadBalancerShape>(&["LoadBalancerArn"], &["DNSName", "Scheme", "AvailabilityZones"], &["ListenerArn", "TargetGroupArn"]),
    together(Call::LoadBalancerAttributes, owned::attributes, &["Key"], &[], &[]),
    together(Call::TargetHealth, owned::health, &["Target"], &["TargetHealth"], &[]),
    each::<TargetGroupShape>(&["TargetGroupArn"], &["HealthCheckProtocol", "HealthCheckEnabled", "VpcId"], &["DBProxyName", "RuleArn", "ListenerArn"]),
    each::<BalancerTagsShape>(&["ResourceArn"], &[], &[]),
    each::<LaunchTemplateVersionShape>(&["LaunchTemplateId"], &["LaunchTemplateData"], &[]),
    each::<LaunchTemplateShape>(&["LaunchTemplateId"], &["LatestVersionNumber"], &["LaunchTemplateData"]),
    each::<ScalingGroupShape>(&["AutoScalingGroupName"], &["MinSize"], &[]),
    each::<DatabaseShape>(&["DBInstanceIdentifier"], &["DBInstanceStatus"], &["DBSnapshotIdentifier"]),
    each::<SnapshotShape>(&["DBSnapshotIdentifier"], &["SnapshotType", "SnapshotCreateTime"], &["DBInstanceStatus"]),
    each::<ClusterShape>(&["DBClusterIdentifier"], &["DBClusterMembers", "ReaderEndpoint"], &["DBClusterSnapshotIdentifier", "DBInstanceIdentifier", "EndpointType"]),
    each::<ClusterEndpointShape>(&["DBClusterEndpointIdentifier", "EndpointType"], &["EndpointType"], &["DBProxyEndpointName"]),
    each::<DatabaseSubnetGroup>(&["DBSubnetGroupName"], &["Subnets"], &[]),
    each::<ProxyShape>(&["DBProxyName"], &["VpcSubnetIds", "RequireTLS"], &["TargetGroupName", "DBProxyEndpointName"]),
    each::<ProxyEndpointShape>(&["DBProxyEndpointName"], &["VpcSubnetIds", "TargetRole"], &[]),
    together(Call::DatabaseProxyTargets, owned::behind, &["RdsResourceId", "TrackedClusterId"], &["TargetHealth", "Type"], &[]),
    each::<GroupOfCachesShape>(&["ReplicationGroupId"], &["NodeGroups", "MemberClusters"], &["CacheClusterId", "SnapshotName"]),
    each::<ServerlessCacheShape>(&["ServerlessCacheName"], &["SubnetIds", "CacheUsageLimits"], &["ServerlessCacheSnapshotName"]),
    each::<CacheShape>(&["CacheClusterId"], &["CacheClusterStatus"], &["SnapshotName"]),
    each::<CacheSubnetGroup>(&["CacheSubnetGroupName"], &["Subnets"], &["CacheClusterId"]),
    each::<FunctionShape>(&["FunctionName"], &["FunctionArn"], &["FunctionMetadata"]),
    together(Call::ContainerClusters, owned::clusters, &[], &[], &[]),
    together(Call::ContainerServices, owned::services, &["serviceArn"], &["clusterArn"], &[]),
    together(Call::ContainerTasks, owned::tasks, &["taskArn"], &["clusterArn"], &[]),
    Key { name: "failures", ..together(Call::ContainerTasks, owned::failures, &["arn"], &[], &[]) },
    each::<ZoneShape>(&["ZoneId"], &["ZoneType", "OptInStatus"], &["SubnetId", "LoadBalancerAddresses"]),
    each::<SubnetShape>(&["SubnetId"], &["CidrBlock", "Ipv6CidrBlockAssociationSet"], &["SubnetIdentifier", "InstanceId", "NetworkInterfaceId"]),
    each::<VpcShape>(&["VpcId"], &["CidrBlockAssociationSet", "DhcpOptionsId", "InstanceTenancy"], &["SubnetId"]),
];

/// Keys whose members may hold an answer of another call, as collectors group them: the listeners of a load balancer,
/// the health of a target group, the routes of a table.
const GROUPED: &[(Call, &[&str])] = &[
    (Call::LoadBalancers, &["Listeners", "Attributes"]),
    (Call::Listeners, &["Rules"]),
    (Call::TargetGroups, &["TargetHealthDescriptions", "Attributes"]),
    (Call::DatabaseProxies, &["Targets"]),
    (Call::PrefixLists, &["Entries"]),
    (Call::TransitTables, &["Routes", "TransitGatewayRouteTablePropagations"]),
];

type Fields = &'static [&'static str];

const fn each<M: Member>(id: Fields, beside: Fields, never: Fields) -> Key {
    Key { name: M::CALL.key(), call: M::CALL, single: None, read: Read::Each(member::<M>), id, beside, never }
}

const fn together(
    call: Call,
    read: fn(&mut Reader, &Held),
    id: Fields,
    beside: Fields,
    never: Fields,
) -> Key {
    Key { name: call.key(), call, single: None, read: Read::Together(read), id, beside, never }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Key {
    /// Whether an object under this key is a member of it.
    pub(super) fn is_ours(&self, names: &Names<'_>) -> bool {
        self.id.is_empty() || (names.has_any(self.id) && !names.has_any(self.never))
    }

    /// Whether an object is a member, although no key says so.
    pub(super) fn fits(&self, names: &Names<'_>) -> bool {
        names.has_any(self.id) && names.has_any(self.beside) && !names.has_any(self.never)
    }

    /// Whether members are recognised by a field that names them.
    pub(super) fn needs_id(&self) -> bool {
        !self.id.is_empty()
    }

    /// The field of a member that says whose the answers in it are.
    pub(super) fn owner(&self) -> Option<&'static str> {
        self.id.first().copied()
    }

    /// Why something under this key is no member.
    pub(super) fn lacks(&self, is_of_its_form: bool) -> String {
        match self.id.first() {
            Some(id) if is_of_its_form => format!("it has no `{id}`"),
            _ if self.is_of_texts() => "an ARN is expected here".to_owned(),
            _ => "an object is expected here".to_owned(),
        }
    }

    /// Whether its members are not objects.
    pub(super) fn is_of_texts(&self) -> bool {
        self.call == Call::ContainerClusters
    }

    /// The key that an answer of another call may have in a member of this one.
    pub(super) fn grouped(&self, name: &str) -> Option<&'static Key> {
        let (_, inner) = GROUPED.iter().find(|(call, _)| *call == self.call)?;
        inner.contains(&name).then(|| known(name)).flatten()
    }
}

/// The key of that name, also in lower case with strokes.
pub(super) fn known(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name || is_snake_of(name, key.name))
}

/// The key that an object is a member of, by its fields alone.
pub(super) fn fitting(names: &Names<'_>) -> Option<&'static Key> {
    let entry = || names.has("Cidr") && names.are_of(&["Cidr", "Description"]);
    KEYS.iter().find(|key| key.fits(names)).or_else(|| entry().then(|| known("Entries")).flatten())
}

/// The spelling in which an object would be a member: with small letters first, or in lower case with strokes.
pub(super) fn in_another_spelling(names: &Names<'_>) -> Option<Unread> {
    // Answers of ECS are in camel case as AWS writes them.
    let pascal =
        |key: &&Key| !key.id.is_empty() && key.id.iter().all(|id| id.starts_with(char::is_uppercase));
    let spelt = |alike: fn(&str, &str) -> bool| {
        let has = |fields: Fields| fields.iter().any(|field| names.iter().any(|name| alike(name, field)));
        KEYS.iter().filter(pascal).any(|key| has(key.id) && has(key.beside) && !has(key.never))
    };
    if spelt(is_camel_of) { Some(Unread::CamelCase) } else { spelt(is_snake_of).then_some(Unread::SnakeCase) }
}

/// Whether `vpcId` is `VpcId`, and `dBInstanceIdentifier` or `dbInstanceIdentifier` is `DBInstanceIdentifier`.
fn is_camel_of(camel: &str, pascal: &str) -> bool {
    camel.starts_with(char::is_lowercase) && camel.eq_ignore_ascii_case(pascal)
}

/// Whether a word is what the AWS CLI's text output puts before each line of a resource: `SECURITYGROUPS`.
pub(super) fn is_heading(word: &str) -> bool {
    let upper = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase());
    upper && KEYS.iter().any(|key| key.name.eq_ignore_ascii_case(word))
}

/// The key of a call's answer.
pub(super) fn of_call(call: Call) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.call == call)
}

/// Whether `db_instances` is `DBInstances`.
fn is_snake_of(snake: &str, camel: &str) -> bool {
    let mut snake = snake.chars();
    let mut before: Option<char> = None;
    let mut rest = camel.chars().peekable();
    while let Some(letter) = rest.next() {
        let word_ends = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase() || rest.peek().is_some_and(char::is_ascii_lowercase)
            });
        if word_ends && snake.next() != Some('_') {
            return false;
        }
        if snake.next() != Some(letter.to_ascii_lowercase()) {
            return false;
        }
        before = Some(letter);
    }
    snake.next().is_none()
}

fn member<M: Member>(reader: &mut Reader, piece: &RawValue) -> Result<(), serde_json::Error> {
    reader.take(&[shape::<M>(piece)?]);
    Ok(())
}

/// A flat list of instances or of reservations.
fn instance(reader: &mut Reader, piece: &RawValue) -> Result<(), serde_json::Error> {
    if Names::of(piece).has("Instances") {
        member::<ReservationShape>(reader, piece)
    } else {
        member::<InstanceShape>(reader, piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_two_notations() {
        let check = |name: &str, expected: Option<Call>| {
            assert_eq!(known(name).map(|key| key.call), expected, "{name}");
        };
        check("SecurityGroups", Some(Call::SecurityGroups));
        check("security_groups", Some(Call::SecurityGroups));
        check("vpcs", Some(Call::Vpcs));
        check("network_acls", Some(Call::NetworkAcls));
        check("internet_gateways", Some(Call::InternetGateways));
        check("instances", Some(Call::Instances));
        check("reservations", Some(Call::Instances));
        check("egress_only_internet_gateways", Some(Call::EgressOnlyGateways));
        for other in ["", "Regions", "securitygroups", "security_groups_", "_vpcs", "Vpc"] {
            check(other, None);
        }
        assert!(is_snake_of("db_instances", "DBInstances"));
        assert!(is_snake_of("db_subnet_groups", "DBSubnetGroups"));
    }
}
