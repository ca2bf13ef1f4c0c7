//! Where a target of a policy is, as the network inside knows it.

use std::net::IpAddr;

use doorward_core::inventory::{AccountRegion, Cache, Instance, Inventory};
use doorward_core::policy::Address;

use super::jump::JumpError;
use crate::account::Account;
use crate::error::Error;
use crate::operation::Operation;
use crate::operation::database::EndpointShape;
use crate::operation::find::{FindCache, FindCluster, FindDatabase, FindProxy, FindReplicationGroup};

/// A place that can be connected to from inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// A DNS name or an address.
    pub host: String,
    /// Its port, where AWS knows it.
    pub port: Option<u16>,
    /// What it is, in words: `the DB instance orders-prod`.
    pub what: String,
    /// Its state, where AWS tells one: `available`, `stopped`, `running`.
    pub state: Option<String>,
    /// Its engine: `postgres`, `aurora-mysql`, `redis`.
    pub engine: Option<String>,
    /// What IAM calls it where somebody signs in to the database: `db-…`, `cluster-…`, `prx-…`.
    pub resource: Option<String>,
    /// Whether the database lets people sign in by IAM.
    pub iam: Option<bool>,
    /// The instance, of what is one.
    pub instance: Option<String>,
}

/// Why a target is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    /// There is none of that name.
    #[error("`{what}` does not exist in {account_region}")]
    Missing {
        /// What was looked for.
        what: Address,
        account_region: AccountRegion,
    },
    /// It answers nowhere, or not yet.
    #[error("{what} has no endpoint{}", .state.as_ref().map(|state| format!(": it is {state}")).unwrap_or_default())]
    NoEndpoint {
        /// What was found.
        what: String,
        state: Option<String>,
    },
    /// It is many places.
    #[error("`{0}` is a network, not a single address")]
    Network(Address),
    /// It is an instance, and there is something with that.
    #[error(transparent)]
    Instance(#[from] JumpError),
    /// AWS did not answer, or refused.
    #[error(transparent)]
    Aws(#[from] Error),
}

impl LocateError {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("check its name, the Region and the profile".to_owned()),
            Self::NoEndpoint { state: Some(state), .. } if state == "creating" => {
                Some("it gets an endpoint when it has been created".to_owned())
            }
            Self::NoEndpoint { .. } => None,
            Self::Network(_) => {
                Some("name an address in it, or route the network: `doorward connect --range`".to_owned())
            }
            Self::Instance(error) => error.hint(),
            Self::Aws(error) => error.hint().map(str::to_owned),
        }
    }
}

impl Located {
    /// Where a target is as an inventory has it: people outside connect to an instance by its public address.
    pub fn in_inventory(inventory: &Inventory, address: &Address) -> Option<Self> {
        let (host, port, engine) = match address {
            Address::Rds(name) => {
                let mut databases = inventory.databases.values().filter(|database| database.name == *name);
                let mut clusters =
                    inventory.database_clusters.values().filter(|cluster| cluster.name == *name);
                let database = databases.next().map(|it| (it.host.clone(), it.port, Some(it.engine.clone())));
                // The engine of a cluster is that of its members.
                let cluster = || {
                    let cluster = clusters.next()?;
                    let member = inventory.databases.values().find(|it| cluster.members.contains(&it.name));
                    Some((cluster.host.clone(), cluster.port, member.map(|it| it.engine.clone())))
                };
                database.or_else(cluster)?
            }
            Address::Proxy(name) => {
                let mut proxies = inventory.database_proxies.values().filter(|proxy| proxy.name == *name);
                (proxies.next()?.host.clone(), None, None)
            }
            Address::Cache(name) => {
                let is_it =
                    |cache: &&Cache| cache.name == *name || cache.replication_group.as_ref() == Some(name);
                let cache = inventory.caches.values().find(is_it)?;
                (cache.host.clone(), cache.port, Some(cache.engine.clone()))
            }
            Address::Instance(_) | Address::Tag(..) => {
                let is_it = |instance: &&Instance| match address {
                    Address::Tag(key, value) => instance.tags.get(key) == Some(value),
                    address => address.to_string() == format!("instance:{}", instance.id),
                };
                let mut instances = inventory.instances.values().filter(is_it);
                let instance = instances.next()?;
                if instances.next().is_some() {
                    return None;
                }
                let interfaces = instance.interfaces.iter().filter_map(|id| inventory.interfaces.get(id));
                let addresses: Vec<_> = interfaces.flat_map(|interface| &interface.addresses).collect();
                let public = addresses.iter().find_map(|address| address.public).map(IpAddr::from);
                let host = public.or_else(|| addresses.first().map(|address| address.address))?;
                (Some(host.to_string()), None, None)
            }
            Address::Host(_) | Address::Network(_) => return None,
        };
        let what = format!("`{address}`");
        Some(Self { host: host.filter(|host| !host.is_empty())?, port, engine, what, ..Self::default() })
    }
}

impl Account {
    /// Finds out where people outside connect to: as [`Self::locate`], but an instance by its public address, if it has
    /// one.
    pub async fn endpoint(&self, address: &Address) -> Result<Located, LocateError> {
        let located = self.locate(address).await?;
        if located.instance.is_none() {
            return Ok(located);
        }
        let public = self.jump(address).await?.public;
        Ok(Located { host: public.map_or(located.host, |public| public.to_string()), ..located })
    }

    /// Finds out where a target is. An address or a name is taken as it stands, without a call.
    pub async fn locate(&self, address: &Address) -> Result<Located, LocateError> {
        let found = match address {
            Address::Rds(name) => self.database(name).await?,
            Address::Proxy(name) => self.proxy(name).await?,
            Address::Cache(name) => self.cache(name).await?,
            Address::Instance(_) | Address::Tag(..) => {
                let jump = self.jump(address).await?;
                let what = format!("the instance {}", jump.instance);
                let no_endpoint =
                    || LocateError::NoEndpoint { what: what.clone(), state: Some(jump.state.clone()) };
                let host = jump.address.ok_or_else(no_endpoint)?.to_string();
                let (state, instance) = (Some(jump.state), Some(jump.instance));
                return Ok(Located { host, what, state, instance, ..Located::default() });
            }
            Address::Host(host) => {
                return Ok(Located { host: host.clone(), what: format!("`{host}`"), ..Located::default() });
            }
            Address::Network(_) => return Err(LocateError::Network(address.clone())),
        };
        let found = found.ok_or_else(|| LocateError::Missing {
            what: address.clone(),
            account_region: self.account_region().clone(),
        })?;
        if found.host.is_empty() {
            return Err(LocateError::NoEndpoint { what: found.what, state: found.state });
        }
        Ok(found)
    }

    /// A DB instance, else a cluster, which answers by its writer.
    async fn database(&self, name: &str) -> Result<Option<Located>, Error> {
        let one = FindDatabase { name: name.to_owned() };
        let databases = self.unless_missing(&one, &["DBInstanceNotFound", "DBInstanceNotFoundFault"]).await?;
        if let Some(database) = databases.and_then(|answer| answer.databases.0.into_iter().next()) {
            let (host, port) = endpoint(database.endpoint.as_ref());
            return Ok(Some(Located {
                host,
                port,
                what: format!("the DB instance {name}"),
                state: database.status,
                engine: database.engine,
                resource: database.resource,
                iam: database.iam,
                instance: None,
            }));
        }
        let cluster = FindCluster { name: name.to_owned() };
        let clusters =
            self.unless_missing(&cluster, &["DBClusterNotFoundFault", "DBClusterNotFound"]).await?;
        let cluster = clusters.and_then(|answer| answer.clusters.0.into_iter().next());
        Ok(cluster.map(|cluster| Located {
            host: cluster.host.unwrap_or_default(),
            port: cluster.port,
            what: format!("the DB cluster {name}"),
            state: cluster.status,
            engine: cluster.engine,
            resource: cluster.resource,
            iam: cluster.iam,
            instance: None,
        }))
    }

    async fn proxy(&self, name: &str) -> Result<Option<Located>, Error> {
        let one = FindProxy { name: name.to_owned() };
        let proxies = self.unless_missing(&one, &["DBProxyNotFoundFault", "DBProxyNotFound"]).await?;
        let proxy = proxies.and_then(|answer| answer.proxies.0.into_iter().next());
        Ok(proxy.map(|proxy| Located {
            host: proxy.host.unwrap_or_default(),
            // A proxy listens where its kind of database does (RDS user guide, RDS Proxy).
            port: proxy.engine.as_deref().and_then(|engine| match engine {
                "POSTGRESQL" => Some(5432),
                "MYSQL" => Some(3306),
                "SQLSERVER" => Some(1433),
                _ => None,
            }),
            what: format!("the RDS Proxy {name}"),
            state: proxy.status,
            engine: proxy.engine.map(|engine| engine.to_ascii_lowercase()),
            // `arn:aws:rds:REGION:ACCOUNT:db-proxy:prx-…`
            resource: proxy.arn.as_deref().and_then(|arn| arn.rsplit(':').next()).map(str::to_owned),
            iam: None,
            instance: None,
        }))
    }

    /// A replication group, else a cluster of its own.
    async fn cache(&self, name: &str) -> Result<Option<Located>, Error> {
        let group = FindReplicationGroup { name: name.to_owned() };
        let groups = self.unless_missing(&group, &["ReplicationGroupNotFoundFault"]).await?;
        if let Some(group) = groups.and_then(|answer| answer.groups.0.into_iter().next()) {
            let (host, port) = endpoint(group.endpoint());
            let what = format!("the replication group {name}");
            let (state, engine) = (group.status, group.engine);
            return Ok(Some(Located { host, port, what, state, engine, ..Located::default() }));
        }
        let cache = FindCache { name: name.to_owned() };
        let caches = self.unless_missing(&cache, &["CacheClusterNotFound"]).await?;
        let cache = caches.and_then(|answer| answer.caches.0.into_iter().next());
        Ok(cache.map(|cache| {
            let (host, port) = endpoint(cache.endpoint());
            let what = format!("the cache cluster {name}");
            let (state, engine) = (cache.status, cache.engine);
            Located { host, port, what, state, engine, ..Located::default() }
        }))
    }

    /// The answer, or none where AWS says that there is nothing of that name.
    async fn unless_missing<O: Operation>(
        &self,
        operation: &O,
        codes: &[&str],
    ) -> Result<Option<O::Answer>, Error> {
        match self.0.connection.call(operation).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.is(codes) => Ok(None),
            Err(failure) => Err(self.error_of::<O>(failure)),
        }
    }
}

fn endpoint(shape: Option<&EndpointShape>) -> (String, Option<u16>) {
    let Some(shape) = shape else { return (String::new(), None) };
    (shape.host.clone().unwrap_or_default(), shape.port)
}
