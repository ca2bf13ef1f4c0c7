//! Databases: RDS; and the subnet groups of databases and caches.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    Call, ClusterEndpointKind, ClusterEndpointMembers, Database, DatabaseCluster, DatabaseClusterEndpoint,
    DatabaseProxy, DatabaseProxyEndpoint, DatabaseSettings, DatabaseSnapshot, SecurityGroupId, SubnetGroup,
    SubnetId,
};
use jiff::Timestamp;

use super::{Member, Reader, Unreadable, id, ids, needed, needed_text, tags, text};
use crate::operation::cache::CacheSubnetGroup;
use crate::operation::database::{
    ClusterEndpointShape, ClusterShape, DatabaseShape, DatabaseSubnetGroup, GroupMembership,
    ProxyEndpointShape, ProxyShape, ProxyTargetShape, SnapshotShape, SubnetGroupShape,
};

impl Member for DatabaseShape {
    const CALL: Call = Call::Databases;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "DBInstanceIdentifier")?;
        let group = self.subnet_group.as_ref();
        let database = Database {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            engine: text(self.engine.as_ref()).unwrap_or_default(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            vpc: id(group.and_then(|group| group.vpc.as_deref()))?,
            zone: text(self.zone.as_ref()),
            subnets: group.map(subnets).transpose()?.unwrap_or_default(),
            groups: groups(&self.groups.0)?,
            public: self.public.unwrap_or_default(),
            host: self.endpoint.as_ref().and_then(|endpoint| text(endpoint.host.as_ref())),
            port: self.endpoint.as_ref().and_then(|endpoint| endpoint.port),
            cluster: text(self.cluster.as_ref()),
            settings: settings(self),
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.databases,
            (reader.account_region.clone(), name),
            database,
            PartialEq::eq,
        )
    }
}

fn settings(shape: &DatabaseShape) -> DatabaseSettings {
    let group = shape.subnet_group.as_ref();
    DatabaseSettings {
        version: text(shape.version.as_ref()),
        class: text(shape.class.as_ref()).and_then(|class| class.parse().ok()),
        storage: shape.storage,
        multi_az: shape.multi_az,
        backup_days: shape.backup_days,
        iam: shape.iam,
        encrypted: shape.encrypted,
        subnet_group: group.and_then(|group| text(group.name.as_ref())),
        has_secret: shape.secret.as_ref().is_some_and(|secret| text(secret.arn.as_ref()).is_some()),
        restarts: time(shape.restarts.as_ref()),
        pending: shape.pending.keys().cloned().collect(),
    }
}

/// A time, where it can be read as one.
fn time(given: Option<&String>) -> Option<Timestamp> {
    text(given)?.parse().ok()
}

impl Member for SnapshotShape {
    const CALL: Call = Call::DatabaseSnapshots;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Automated ones are left out: they go with their database.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        if self.kind.as_deref().is_some_and(|kind| kind != "manual") {
            return Ok(());
        }
        let name = needed_text(self.name.as_ref(), "DBSnapshotIdentifier")?;
        let snapshot = DatabaseSnapshot {
            name: name.clone(),
            account_region: reader.account_region.clone(),
            database: needed_text(self.database.as_ref(), "DBInstanceIdentifier")?,
            status: text(self.status.as_ref()).unwrap_or_default(),
            created: time(self.created.as_ref()),
            storage: self.storage,
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.database_snapshots,
            (reader.account_region.clone(), name),
            snapshot,
            PartialEq::eq,
        )
    }
}

impl Member for ClusterShape {
    const CALL: Call = Call::DatabaseClusters;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "DBClusterIdentifier")?;
        let cluster = DatabaseCluster {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            subnet_group: text(self.subnet_group.as_ref()),
            groups: groups(&self.groups.0)?,
            host: text(self.host.as_ref()),
            reader_host: text(self.reader.as_ref()),
            custom_hosts: self.custom.0.iter().filter_map(|host| text(Some(host))).collect(),
            port: self.port,
            writer: self
                .members
                .0
                .iter()
                .find(|member| member.writer == Some(true))
                .and_then(|member| text(member.name.as_ref())),
            members: self
                .members
                .0
                .iter()
                .map(|member| needed_text(member.name.as_ref(), "DBInstanceIdentifier"))
                .collect::<Result<_, _>>()?,
            tags: tags(&self.tags),
        };
        reader.keep(
            |inventory| &mut inventory.database_clusters,
            (reader.account_region.clone(), name),
            cluster,
            PartialEq::eq,
        )
    }
}

impl Member for ClusterEndpointShape {
    const CALL: Call = Call::DatabaseClusterEndpoints;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Those that the cluster tells of itself are left out.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        if matches!(self.kind.as_deref(), Some("WRITER" | "READER")) {
            return Ok(());
        }
        let name = needed_text(self.name.as_ref(), "DBClusterEndpointIdentifier")?;
        let names = |list: &[String]| list.iter().filter_map(|name| text(Some(name))).collect();
        let endpoint = DatabaseClusterEndpoint {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            cluster: needed_text(self.cluster.as_ref(), "DBClusterIdentifier")?,
            status: text(self.status.as_ref()).unwrap_or_default(),
            host: text(self.host.as_ref()),
            kind: match text(self.custom.as_ref()).as_deref() {
                None | Some("ANY") => ClusterEndpointKind::Any,
                Some("READER") => ClusterEndpointKind::Reader,
                Some("WRITER") => ClusterEndpointKind::Writer,
                Some(other) => return Err(Unreadable::Odd("CustomEndpointType", other.to_owned())),
            },
            // The excluded ones count only where none are named (RDS API, `DBClusterEndpoint`).
            members: match self.only.0.as_slice() {
                [] => ClusterEndpointMembers::AllBut(names(&self.excluded.0)),
                only => ClusterEndpointMembers::Only(names(only)),
            },
        };
        reader.keep(
            |inventory| &mut inventory.database_cluster_endpoints,
            (reader.account_region.clone(), name),
            endpoint,
            PartialEq::eq,
        )
    }
}

impl Member for DatabaseSubnetGroup {
    const CALL: Call = Call::DatabaseSubnetGroups;

    fn named(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let group = subnet_group(&self.0, "DBSubnetGroupName", reader)?;
        reader.keep(
            |inventory| &mut inventory.database_subnet_groups,
            (reader.account_region.clone(), group.name.clone()),
            group,
            PartialEq::eq,
        )
    }
}

impl Member for CacheSubnetGroup {
    const CALL: Call = Call::CacheSubnetGroups;

    fn named(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let group = subnet_group(&self.0, "CacheSubnetGroupName", reader)?;
        reader.keep(
            |inventory| &mut inventory.cache_subnet_groups,
            (reader.account_region.clone(), group.name.clone()),
            group,
            PartialEq::eq,
        )
    }
}

fn subnet_group(
    shape: &SubnetGroupShape,
    field: &'static str,
    reader: &Reader,
) -> Result<SubnetGroup, Unreadable> {
    Ok(SubnetGroup {
        name: needed_text(shape.name.as_ref(), field)?,
        account_region: reader.account_region.clone(),
        vpc: id(shape.vpc.as_deref())?,
        subnets: subnets(shape)?,
    })
}

fn subnets(shape: &SubnetGroupShape) -> Result<BTreeSet<SubnetId>, Unreadable> {
    let subnet =
        |subnet: &crate::operation::database::MemberSubnet| needed(subnet.id.as_deref(), "SubnetIdentifier");
    shape.subnets.0.iter().map(subnet).collect()
}

/// One that is being taken off is on until it is off.
pub(super) fn groups(shapes: &[GroupMembership]) -> Result<BTreeSet<SecurityGroupId>, Unreadable> {
    shapes.iter().map(|shape| needed(shape.id.as_deref(), "VpcSecurityGroupId")).collect()
}

impl Member for ProxyShape {
    const CALL: Call = Call::DatabaseProxies;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "DBProxyName")?;
        let proxy = DatabaseProxy {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            vpc: id(self.vpc.as_deref())?,
            subnets: ids(&self.subnets.0)?,
            groups: ids(&self.groups.0)?,
            host: text(self.host.as_ref()),
            targets: None,
        };
        reader.keep(
            |inventory| &mut inventory.database_proxies,
            (reader.account_region.clone(), name),
            proxy,
            PartialEq::eq,
        )
    }
}

impl Member for ProxyEndpointShape {
    const CALL: Call = Call::DatabaseProxyEndpoints;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The one that a proxy tells of itself is left out.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        if self.default == Some(true) {
            return Ok(());
        }
        let name = needed_text(self.name.as_ref(), "DBProxyEndpointName")?;
        let endpoint = DatabaseProxyEndpoint {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            proxy: text(self.proxy.as_ref()),
            account_region: reader.account_region.clone(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            vpc: id(self.vpc.as_deref())?,
            subnets: ids(&self.subnets.0)?,
            groups: ids(&self.groups.0)?,
            host: text(self.host.as_ref()),
        };
        reader.keep(
            |inventory| &mut inventory.database_proxy_endpoints,
            (reader.account_region.clone(), name),
            endpoint,
            PartialEq::eq,
        )
    }
}

impl Reader {
    /// Takes what stands behind a proxy.
    pub(crate) fn behind(&mut self, proxy: &str, shapes: &[ProxyTargetShape]) {
        let names = shapes.iter().flat_map(|target| [&target.id, &target.cluster]);
        let names = names.filter_map(|name| text(name.as_ref()));
        self.apart.behind.entry(proxy.to_owned()).or_default().extend(names);
    }
}
