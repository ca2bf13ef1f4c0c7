//! What steps depend on, and how it is noted that one reads or writes it.

use std::collections::BTreeSet;

use super::footprint::address;
use crate::inventory::{
    Database, Endpoint, NatGateway, ResourceKind, ResourceRef, RouteTableId, SecurityGroupId, SubnetId, VpcId,
};

/// Something that a step can depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan::network) enum Key {
    /// A resource: that it exists.
    Of(ResourceRef),
    /// The state of a resource: that it is available, or attached.
    State(ResourceRef),
    /// The routes of a table.
    Routes(RouteTableId),
    /// The rules of a security group.
    Rules(SecurityGroupId),
    /// The table of a subnet.
    Association(SubnetId),
    /// The DNS attributes of a VPC.
    Dns(VpcId),
    /// The internet gateway of a VPC.
    Internet(VpcId),
    /// The endpoint for a service in a VPC.
    Service(VpcId, String),
}

/// What a step reads and writes.
#[derive(Debug, Default)]
pub(in crate::plan::network) struct Footprint {
    pub(in crate::plan::network) reads: BTreeSet<Key>,
    pub(in crate::plan::network) writes: BTreeSet<Key>,
}

impl Footprint {
    pub(in crate::plan::network) fn read(&mut self, resource: impl Into<ResourceRef>) -> &mut Self {
        self.reads.insert(Key::Of(resource.into()));
        self
    }

    pub(in crate::plan::network) fn read_all<'i, I: 'i>(
        &mut self,
        ids: impl IntoIterator<Item = &'i I>,
    ) -> &mut Self
    where
        ResourceRef: From<&'i I>,
    {
        self.reads.extend(ids.into_iter().map(|id| Key::Of(id.into())));
        self
    }

    pub(in crate::plan::network) fn reads(&mut self, key: Key) -> &mut Self {
        self.reads.insert(key);
        self
    }

    pub(in crate::plan::network) fn write(&mut self, resource: impl Into<ResourceRef>) -> &mut Self {
        self.writes.insert(Key::Of(resource.into()));
        self
    }

    pub(in crate::plan::network) fn writes(&mut self, key: Key) -> &mut Self {
        self.writes.insert(key);
        self
    }

    pub(in crate::plan::network) fn writes_state(&mut self, resource: impl Into<ResourceRef>) -> &mut Self {
        self.writes(Key::State(resource.into()))
    }

    pub(super) fn is_available(&mut self, resource: ResourceRef) -> &mut Self {
        self.read(resource.clone()).reads(Key::State(resource))
    }

    /// A gateway with what it stands in and on.
    pub(super) fn of_nat(&mut self, gateway: &NatGateway) -> &mut Self {
        self.read(&gateway.vpc).reads(Key::Internet(gateway.vpc.clone()));
        self.read_all(gateway.availability.subnet());
        self.reads.extend(gateway.public_address.map(|it| Key::Of(address(&it))));
        self
    }

    /// An endpoint with what it is associated with.
    pub(super) fn of_endpoint(&mut self, endpoint: &Endpoint) -> &mut Self {
        self.read(&endpoint.vpc).read_all(&endpoint.tables).read_all(&endpoint.subnets);
        self.read_all(&endpoint.groups)
    }

    /// A database with what it is in.
    pub(super) fn of_database(&mut self, database: &Database) -> &mut Self {
        let group = database.settings.subnet_group.as_deref();
        let kind = ResourceKind::DatabaseSubnetGroup;
        self.reads
            .extend(group.map(|group| Key::Of(ResourceRef::named(kind, group, &database.account_region))));
        self.read_all(&database.vpc).read_all(&database.subnets).read_all(&database.groups)
    }

    pub(in crate::plan::network) fn rules_of<'i>(
        &mut self,
        groups: impl IntoIterator<Item = &'i SecurityGroupId>,
    ) -> &mut Self {
        self.reads.extend(groups.into_iter().map(|id| Key::Rules(id.clone())));
        self
    }
}
