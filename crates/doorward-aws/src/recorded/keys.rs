//! The table of top-level keys: what stands under each, and what reads it.

use doorward_core::inventory::{AnsweredId, Call, PrefixListId, TransitTableId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::About;
use super::owned;
use crate::operation::FunctionShape;
use crate::operation::balancer::{ClassicShape, LoadBalancerShape, TargetGroupShape};
use crate::operation::cache::{CacheShape, CacheSubnetGroup};
use crate::operation::database::{ClusterShape, DatabaseShape, DatabaseSubnetGroup, ProxyShape};
use crate::operation::{
    AddressShape, AttachmentShape, BlockExclusionShape, BlockOptionsShape, EgressOnlyGatewayShape,
    EndpointShape, EntryShape, GroupShape, InstanceShape, InterfaceShape, InternetGatewayShape, ListShape,
    NatGatewayShape, NetworkAclShape, PeeringShape, PropagationShape, ReservationShape, RouteTableShape,
    RuleShape, SubnetShape, TransitGatewayShape, TransitPeeringShape, TransitRouteShape, TransitTableShape,
    TransitVpcShape, VpcShape, VpnConnectionShape, VpnGatewayShape,
};
use crate::reading::{Member, Reader};

/// A top-level key.
pub(super) struct Key {
    /// As the AWS CLI writes it; `security_groups` is taken for `SecurityGroups`.
    pub(super) name: &'static str,
    /// The call that answers with it.
    pub(super) call: Call,
    /// Whether one object stands under it and not a list.
    pub(super) single: bool,
    pub(super) read: Read,
}

/// What reads members.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// Each by itself.
    Each(fn(&mut Reader, Value) -> Result<(), String>),
    /// All that stand under the key, after everything else of the place was read: whose they are, only the rest
    /// of the file or of the place says.
    Together(fn(&mut Reader, &About, Vec<Value>)),
}

/// Every key that is read. Answers with other keys tell of nothing that an inventory holds.
const KEYS: &[Key] = &[
    each::<GroupShape>("SecurityGroups"),
    each::<RuleShape>("SecurityGroupRules"),
    each::<VpcShape>("Vpcs"),
    each::<SubnetShape>("Subnets"),
    each::<RouteTableShape>("RouteTables"),
    each::<NetworkAclShape>("NetworkAcls"),
    each::<ListShape>("PrefixLists"),
    together("Entries", Call::PrefixListEntries, entries),
    Key { single: true, ..each::<BlockOptionsShape>("VpcBlockPublicAccessOptions") },
    each::<BlockExclusionShape>("VpcBlockPublicAccessExclusions"),
    each::<InterfaceShape>("NetworkInterfaces"),
    each::<ReservationShape>("Reservations"),
    Key { name: "instances", call: Call::Instances, single: false, read: Read::Each(instance) },
    each::<AddressShape>("Addresses"),
    each::<InternetGatewayShape>("InternetGateways"),
    each::<EgressOnlyGatewayShape>("EgressOnlyInternetGateways"),
    each::<NatGatewayShape>("NatGateways"),
    each::<VpnGatewayShape>("VpnGateways"),
    each::<VpnConnectionShape>("VpnConnections"),
    each::<PeeringShape>("VpcPeeringConnections"),
    each::<TransitGatewayShape>("TransitGateways"),
    each::<AttachmentShape>("TransitGatewayAttachments"),
    each::<TransitVpcShape>("TransitGatewayVpcAttachments"),
    each::<TransitPeeringShape>("TransitGatewayPeeringAttachments"),
    each::<TransitTableShape>("TransitGatewayRouteTables"),
    together("Routes", Call::TransitRoutes, transit_routes),
    together("TransitGatewayRouteTablePropagations", Call::TransitPropagations, propagations),
    each::<EndpointShape>("VpcEndpoints"),
    each::<ClassicShape>("LoadBalancerDescriptions"),
    each::<LoadBalancerShape>("LoadBalancers"),
    together("Listeners", Call::Listeners, owned::listeners),
    together("Rules", Call::ListenerRules, owned::rules),
    together("Attributes", Call::LoadBalancerAttributes, owned::attributes),
    each::<TargetGroupShape>("TargetGroups"),
    together("TargetHealthDescriptions", Call::TargetHealth, owned::health),
    each::<DatabaseShape>("DBInstances"),
    each::<ClusterShape>("DBClusters"),
    each::<DatabaseSubnetGroup>("DBSubnetGroups"),
    each::<ProxyShape>("DBProxies"),
    together("Targets", Call::DatabaseProxyTargets, owned::behind),
    each::<CacheShape>("CacheClusters"),
    each::<CacheSubnetGroup>("CacheSubnetGroups"),
    each::<FunctionShape>("Functions"),
    together("clusterArns", Call::ContainerClusters, owned::clusters),
    together("services", Call::ContainerServices, owned::services),
    together("tasks", Call::ContainerTasks, owned::tasks),
    together("failures", Call::ContainerTasks, owned::failures),
];

const fn each<M: Member>(name: &'static str) -> Key {
    Key { name, call: M::CALL, single: false, read: Read::Each(member::<M>) }
}

const fn together(name: &'static str, call: Call, read: fn(&mut Reader, &About, Vec<Value>)) -> Key {
    Key { name, call, single: false, read: Read::Together(read) }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The key of that name, also in lower case with strokes.
pub(super) fn known(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name || is_snake_of(name, key.name))
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

fn member<M: Member>(reader: &mut Reader, value: Value) -> Result<(), String> {
    reader.take(&[shape::<M>(value)?]);
    Ok(())
}

/// A shape, or what is wrong with it in words that a person has.
fn shape<S: DeserializeOwned>(value: Value) -> Result<S, String> {
    serde_json::from_value(value).map_err(|error| {
        ["i64", "u32", "u16", "u8"].iter().fold(error.to_string(), |text, name| {
            text.replace(&format!("expected {name}"), "expected a whole number")
        })
    })
}

/// A flat list of instances or of reservations.
fn instance(reader: &mut Reader, value: Value) -> Result<(), String> {
    if value.get("Instances").is_some() {
        member::<ReservationShape>(reader, value)
    } else {
        member::<InstanceShape>(reader, value)
    }
}

fn entries(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let lists = reader.inventory.prefix_lists.keys().cloned();
    match whose::<PrefixListId>(about, "PrefixListId", "pl-", lists.collect()) {
        Ok(list) => {
            let shapes = shapes::<EntryShape>(reader, about, Call::PrefixListEntries, members);
            reader.prefix_list_entries(&list, &shapes);
        }
        Err(why) => reader.gap(Call::PrefixListEntries, why),
    }
}

fn transit_routes(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let more = about.text("AdditionalRoutesAvailable");
    let tables = reader.inventory.transit_tables.keys().cloned();
    match whose::<TransitTableId>(about, "TransitGatewayRouteTableId", "tgw-rtb-", tables.collect()) {
        Ok(table) => {
            let mut shapes = shapes::<TransitRouteShape>(reader, about, Call::TransitRoutes, members);
            let cut = more == Some("true") && about.text("NextToken").is_none();
            shapes.extend(cut.then(|| TransitRouteShape { more: true, ..TransitRouteShape::default() }));
            reader.transit_routes(&table, &shapes);
        }
        // Other services have routes as well, and no answer of theirs says whether there are more.
        Err(_) if more.is_none() => {}
        Err(why) => reader.gap(Call::TransitRoutes, why),
    }
}

fn propagations(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let tables = reader.inventory.transit_tables.keys().cloned();
    match whose::<TransitTableId>(about, "TransitGatewayRouteTableId", "tgw-rtb-", tables.collect()) {
        Ok(table) => {
            let shapes = shapes::<PropagationShape>(reader, about, Call::TransitPropagations, members);
            reader.transit_propagations(&table, &shapes);
        }
        Err(why) => reader.gap(Call::TransitPropagations, why),
    }
}

/// Whose an answer is that does not say it: by a key beside it, by the path of the file, or because there is only
/// one that it can be about.
fn whose<Id: AnsweredId>(about: &About, key: &str, prefix: &str, all: Vec<Id>) -> Result<Id, String> {
    let file = about.path.display();
    let said = about.text(key).map(str::to_owned).or_else(|| about.in_path(prefix));
    if let Some(id) = said {
        return Id::answered(&id).map_err(|why| format!("{file} cannot be read: {why}"));
    }
    match <[Id; 1]>::try_from(all) {
        Ok([only]) => Ok(only),
        Err(_) => Err(format!("{file} does not say of which `{prefix}…` it tells: add `{key}` at its top")),
    }
}

pub(super) fn shapes<S: DeserializeOwned>(
    reader: &mut Reader,
    about: &About,
    call: Call,
    members: Vec<Value>,
) -> Vec<S> {
    let mut shapes = Vec::new();
    for (index, value) in members.into_iter().enumerate() {
        match shape(value) {
            Ok(shape) => shapes.push(shape),
            Err(why) => {
                let what = format!("member {index} of {}", about.path.display());
                reader.unreadable(call, Some(&what), &why);
            }
        }
    }
    shapes
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
