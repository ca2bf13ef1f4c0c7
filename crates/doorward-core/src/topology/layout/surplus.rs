//! What of ours is no longer declared: it is removed, unless something uses it.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Made, purpose_of};
use super::holder::{self, Holder};
use super::{DefaultParts, Note, Obstacle, environment};
use crate::inventory::{
    Database, ElasticAddress, Endpoint, Instance, InternetGateway, Inventory, NamedResource, NatGateway,
    Peer, ResourceKind, ResourceRef, RouteTable, RouteTarget, SecurityGroup, SecurityGroupId, Subnet,
    SubnetGroup, SubnetId, Tags, Vpc, VpcId,
};
use crate::mark::Mark;
use crate::name::{InstallationId, NetworkName};
use crate::topology::{Purpose, Topology};

/// Removes what a network no longer has, in so far as nothing uses it.
pub(super) fn remove(draft: &mut Draft<'_>, network: &NetworkName) {
    drop_unused::<Endpoint>(draft, network, |_, it| ((&it.id).into(), Vec::new()));
    drop_unused::<NatGateway>(draft, network, |draft, it| {
        ((&it.id).into(), routed_by(draft, &RouteTarget::NatGateway(it.id.clone())))
    });
    drop_unused::<ElasticAddress>(draft, network, |draft, it| {
        let what = ResourceRef::of(ResourceKind::Address, &it.public.to_string());
        (what, users_of_address(draft, it))
    });
    groups(draft, network);
    for id in drop_unused::<Subnet>(draft, network, |draft, it| ((&it.id).into(), made_in(draft, &it.id))) {
        forget_subnet(&mut draft.wanted, &id);
    }
    let tables = drop_unused::<RouteTable>(draft, network, |_, it| {
        ((&it.id).into(), it.subnets.iter().map(|subnet| NamedResource::of(subnet, None)).collect())
    });
    for endpoint in draft.wanted.endpoints.values_mut() {
        endpoint.tables.retain(|table| !tables.contains(table));
    }
    drop_unused::<InternetGateway>(draft, network, |draft, it| {
        ((&it.id).into(), routed_by(draft, &RouteTarget::InternetGateway(it.id.clone())))
    });
    let name = SubnetGroup::owned_name(&draft.site.by, network);
    if draft.is_kept(&name) {
        return;
    }
    let key = (draft.site.account_region.clone(), name);
    let databases = draft.wanted.databases.values();
    let users = databases.filter(|it| it.settings.subnet_group.as_ref() == Some(&key.1));
    let users: Vec<NamedResource> = users.map(|it| NamedResource::of(it.resource(), None)).collect();
    if users.is_empty() {
        draft.wanted.database_subnet_groups.remove(&key);
    } else if draft.wanted.database_subnet_groups.contains_key(&key) {
        let what = ResourceRef::named(ResourceKind::DatabaseSubnetGroup, &key.1, &key.0);
        draft.in_use(what, users);
    }
}

/// Takes a subnet out of the route table and the network ACL that it is associated with, as its deletion does.
pub(crate) fn forget_subnet(inventory: &mut Inventory, id: &SubnetId) {
    for table in inventory.route_tables.values_mut() {
        table.subnets.remove(id);
    }
    for acl in inventory.network_acls.values_mut() {
        acl.subnets.remove(id);
    }
}

/// Removes all of a kind that belong to the network and are neither kept nor used, and yields their ids.
fn drop_unused<K: Made>(
    draft: &mut Draft<'_>,
    network: &NetworkName,
    used: impl Fn(&Draft<'_>, &K) -> (ResourceRef, Vec<NamedResource>),
) -> Vec<K::Id> {
    let mut gone: Vec<K::Id> = of_network::<K>(draft, network).filter(|id| !draft.is_kept(id)).collect();
    gone.retain(|id| {
        let Some(it) = K::all(&draft.wanted).get(id) else { return false };
        let (what, users) = used(draft, it);
        if users.is_empty() {
            K::all_mut(&mut draft.wanted).remove(id);
            return true;
        }
        draft.keep(id);
        draft.in_use(what, users);
        false
    });
    gone
}

/// The route tables of others that lead to a gateway of ours.
fn routed_by(draft: &Draft<'_>, target: &RouteTarget) -> Vec<NamedResource> {
    let tables = draft.wanted.route_tables.values().filter(|it| it.owned(&draft.site.by).is_none());
    let tables = tables.filter(|it| it.routes.iter().any(|route| route.target == *target));
    tables.map(|it| NamedResource::of(&it.id, it.tags.get("Name"))).collect()
}

/// What has an address of ours, but for our own NAT gateways that go.
fn users_of_address(draft: &Draft<'_>, address: &ElasticAddress) -> Vec<NamedResource> {
    let gateways = draft.wanted.nat_gateways.values().filter(|it| !it.has_failed());
    let gateways = gateways.filter(|it| it.public_address == Some(address.public));
    let mut users: Vec<NamedResource> =
        gateways.map(|it| NamedResource::of(&it.id, it.tags.get("Name"))).collect();
    let ours = draft.actual.nat_gateways.values().filter(|it| it.owned(&draft.site.by).is_some());
    let ours: BTreeSet<_> = ours.filter_map(|it| it.interface.as_ref()).collect();
    let interface = address.interface.as_ref().filter(|it| !ours.contains(it));
    users.extend(interface.map(|it| NamedResource::of(it, None)));
    users
}

/// What of ours stays in a subnet.
fn made_in(draft: &Draft<'_>, subnet: &SubnetId) -> Vec<NamedResource> {
    let gateways = draft.wanted.nat_gateways.values().filter(|it| !it.has_failed());
    let gateways = gateways.filter(|it| it.availability.subnet() == Some(subnet));
    let endpoints = draft.wanted.endpoints.values().filter(|it| it.subnets.contains(subnet));
    gateways
        .map(|it| NamedResource::of(&it.id, it.tags.get("Name")))
        .chain(endpoints.map(|it| NamedResource::of(&it.id, it.tags.get("Name"))))
        .collect()
}

fn of_network<'d, K: Made + 'd>(
    draft: &'d Draft<'_>,
    network: &'d NetworkName,
) -> impl Iterator<Item = K::Id> + 'd {
    let of = |it: &K| purpose_of(it.tags(), &draft.site.by).is_some_and(|of| of.network == *network);
    K::all(draft.actual).iter().filter(move |(_, it)| of(it)).map(|(id, _)| id.clone())
}

/// The groups of roles that are no longer declared. One that something still uses keeps its rules: it may be what that needs.
fn groups(draft: &mut Draft<'_>, network: &NetworkName) {
    let surplus: BTreeSet<SecurityGroupId> =
        of_network::<SecurityGroup>(draft, network).filter(|id| !draft.is_kept(id)).collect();
    for id in &surplus {
        let users = users(&draft.wanted, id, &surplus);
        if users.is_empty() {
            draft.wanted.groups.remove(id);
        } else {
            draft.keep(id);
            draft.in_use(id.into(), users);
        }
    }
    // A rule that references a group keeps it from being deleted.
    let gone: BTreeSet<SecurityGroupId> =
        surplus.into_iter().filter(|id| !draft.wanted.groups.contains_key(id)).collect();
    for group in draft.wanted.groups.values_mut() {
        group.rules.retain(|rule, _| !matches!(&rule.peer, Peer::Group(peer) if gone.contains(peer)));
    }
}

/// What uses a group: whatever has it attached, and groups that reference it, but for those that go with it or whose rules are
/// ours to remove.
fn users(
    inventory: &Inventory,
    id: &SecurityGroupId,
    gone: &BTreeSet<SecurityGroupId>,
) -> Vec<NamedResource> {
    let mut users = Vec::new();
    // Interfaces of services follow their services, which are looked at below.
    let interfaces = inventory.interfaces.values().filter(|it| it.groups.contains(id));
    users.extend(
        interfaces
            .filter(|it| it.instance.is_some() || it.requester.is_none())
            .map(|it| NamedResource::of(&it.id, it.tags.get("Name"))),
    );
    let balancers = inventory.load_balancers.values().filter(|it| it.groups.contains(id));
    users.extend(balancers.map(|it| NamedResource::of(it.resource(), None)));
    let endpoints = inventory.endpoints.values().filter(|it| it.groups.contains(id));
    users.extend(endpoints.map(|it| NamedResource::of(&it.id, it.tags.get("Name"))));
    let vpcs: BTreeSet<&VpcId> = inventory.vpcs.keys().collect();
    for vpc in vpcs {
        let holders = Holder::all_in(inventory, vpc);
        let holders = holders.iter().filter(|it| !matches!(it, Holder::Interface(_)));
        let holders = holders.filter(|it| it.groups(inventory).is_some_and(|groups| groups.contains(id)));
        users.extend(holders.map(|it| NamedResource::of(it.resource(), None)));
    }
    let references = inventory.groups.values().filter(|group| group.id != *id && !gone.contains(&group.id));
    users.extend(
        references
            .filter(|group| group.rules.keys().any(|rule| rule.peer == Peer::Group(id.clone())))
            .map(|group| NamedResource::of(&group.id, Some(&group.name))),
    );
    users.sort();
    users.dedup();
    users
}

/// What is in a subnet and is not ours.
pub(super) fn occupants(draft: &Draft<'_>, vpc: &VpcId, subnet: &SubnetId) -> Vec<NamedResource> {
    let inventory = &draft.wanted;
    let by = &draft.site.by;
    let gateways = inventory.nat_gateways.values().filter(|it| it.owned(by).is_some());
    let endpoints = inventory.endpoints.values().filter(|it| it.owned(by).is_some());
    let ours: BTreeSet<_> = gateways
        .filter_map(|it| it.interface.as_ref())
        .chain(endpoints.flat_map(|it| &it.interfaces))
        .collect();
    let mut users: Vec<NamedResource> = inventory
        .interfaces
        .values()
        .filter(|it| it.subnet == *subnet && !ours.contains(&it.id))
        // The interface of a gateway or an endpoint says so itself, too.
        .filter(|it| {
            !(it.requester.is_some() && matches!(it.kind.as_str(), "nat_gateway" | "vpc_endpoint"))
                || ours.is_empty()
        })
        .map(|it| NamedResource::of(&it.id, it.tags.get("Name")))
        .collect();
    let foreign = inventory.nat_gateways.values().filter(|it| it.owned(by).is_none() && !it.has_failed());
    let foreign = foreign.filter(|it| it.availability.subnet() == Some(subnet));
    users.extend(foreign.map(|it| NamedResource::of(&it.id, it.tags.get("Name"))));
    let balancers = inventory.load_balancers.values().filter(|it| it.subnets.contains(subnet));
    users.extend(balancers.map(|it| NamedResource::of(it.resource(), None)));
    let functions = inventory.functions.values().filter(|it| it.vpc.as_ref() == Some(vpc));
    users.extend(
        functions.filter(|it| it.subnets.contains(subnet)).map(|it| NamedResource::of(it.resource(), None)),
    );
    let zone = inventory.subnets.get(subnet).and_then(|it| it.zone.as_ref());
    let is_in = |it: &&Database| {
        let elsewhere = it.zone.is_some() && it.zone.as_ref() != zone && it.settings.multi_az == Some(false);
        it.subnets.contains(subnet) && !elsewhere
    };
    let databases = inventory.databases.values().filter(is_in);
    users.extend(databases.map(|it| NamedResource::of(it.resource(), None)));
    users
}

/// Networks that are there and no longer declared stay: only a command that names one destroys it.
pub(super) fn undeclared(draft: &mut Draft<'_>, topology: &Topology) {
    let mut there: BTreeMap<NetworkName, usize> = BTreeMap::new();
    for purpose in purposes(draft.actual, draft) {
        if !topology.networks.contains_key(&purpose.network) {
            *there.entry(purpose.network).or_default() += 1;
        }
    }
    for (network, resources) in there {
        draft.note(Note::Undeclared { network, resources });
    }
}

fn purposes(inventory: &Inventory, draft: &Draft<'_>) -> Vec<Purpose> {
    tags_of_parts(inventory).filter_map(|tags| purpose_of(tags, &draft.site.by)).collect()
}

/// The tags of everything that networks are made of.
fn tags_of_parts(inventory: &Inventory) -> impl Iterator<Item = &Tags> {
    fn of<K: Made<Id: 'static> + 'static>(inventory: &Inventory) -> impl Iterator<Item = &Tags> {
        K::all(inventory).values().map(Made::tags)
    }
    of::<Vpc>(inventory)
        .chain(of::<Subnet>(inventory))
        .chain(of::<RouteTable>(inventory))
        .chain(of::<InternetGateway>(inventory))
        .chain(inventory.nat_gateways.values().filter(|it| !it.has_failed()).map(Made::tags))
        .chain(of::<ElasticAddress>(inventory))
        .chain(of::<Endpoint>(inventory))
        .chain(of::<Instance>(inventory))
        .chain(inventory.databases.values().map(|it| &it.tags))
        .chain(of::<SecurityGroup>(inventory))
        .chain(inventory.load_balancers.values().map(|it| &it.tags))
        .chain(inventory.target_groups.values().map(|it| &it.tags))
        .chain(inventory.launch_templates.values().map(|it| &it.tags))
        .chain(inventory.scaling_groups.values().map(|it| &it.tags))
}

/// The installations that made resources of some networks, as the tags of these resources say.
pub fn installations(inventory: &Inventory, networks: &BTreeSet<NetworkName>) -> BTreeSet<InstallationId> {
    tags_of_parts(inventory)
        .filter_map(|tags| {
            let by: InstallationId = tags.get(Mark::TAG)?.parse().ok()?;
            let purpose = purpose_of(tags, &by)?;
            networks.contains(&purpose.network).then_some(by)
        })
        .collect()
}

/// Removes a whole network, or says all that uses it.
pub(super) fn destroy(draft: &mut Draft<'_>, network: &NetworkName) {
    if !purposes(draft.actual, draft).iter().any(|purpose| purpose.network == *network) {
        // What could not be read may belong to it.
        if !draft.is_clear() {
            return;
        }
        let (network, account_region) = (network.clone(), draft.site.account_region.clone());
        draft.obstacle(Obstacle::NothingToDestroy { network, account_region });
        return;
    }
    // While they have their groups still, by which their interfaces are known.
    environment::destroy(draft, network);
    let ours = holder::groups_of(draft, network);
    let vpcs: Vec<VpcId> = draft.actual.vpcs.keys().cloned().collect();
    for vpc in &vpcs {
        // One whose groups cannot be changed keeps them, and so is among their users.
        let holders = Holder::all_in(draft.actual, vpc).into_iter();
        for holder in holders.filter(|it| it.fixed(draft.actual).is_none()).collect::<Vec<_>>() {
            holder::set(draft, vpc, &holder, &ours, BTreeSet::new());
        }
    }
    let subnets: Vec<SubnetId> = of_network::<Subnet>(draft, network).collect();
    for id in &subnets {
        let Some(vpc) = draft.actual.subnets.get(id).map(|subnet| subnet.vpc.clone()) else { continue };
        let users = occupants(draft, &vpc, id);
        if !users.is_empty() {
            let users = draft.users(users);
            draft.obstacle(Obstacle::InUse { what: id.into(), users });
        }
    }
    remove(draft, network);
    draft.notes_prevent();
    if draft.is_clear() {
        vpc(draft, network);
    }
    super::endpoints::route_all(&mut draft.wanted);
}

/// A VPC that we made goes with what AWS made with it, once nothing else is in it.
fn vpc(draft: &mut Draft<'_>, network: &NetworkName) {
    let ids: Vec<VpcId> = of_network::<Vpc>(draft, network).collect();
    for id in ids {
        let parts = DefaultParts::of(&draft.wanted, &id);
        let wanted = &draft.wanted;
        let mut users = wanted.in_vpc(&id);
        let subnet_groups = wanted.database_subnet_groups.values().filter(|it| it.vpc.as_ref() == Some(&id));
        users.extend(subnet_groups.map(|it| {
            let resource =
                ResourceRef::named(ResourceKind::DatabaseSubnetGroup, &it.name, &it.account_region);
            NamedResource::of(resource, None)
        }));
        if !users.is_empty() {
            let users = draft.users(users);
            draft.obstacle(Obstacle::InUse { what: (&id).into(), users });
            continue;
        }
        draft.wanted.vpcs.remove(&id);
        if let Some(parts) = parts {
            parts.remove(&mut draft.wanted);
        }
    }
}
