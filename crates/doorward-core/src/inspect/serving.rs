//! Whose an interface is, and what is known to be served on it.

use super::facts::name;
use crate::inventory::{Interface, Inventory, LoadBalancer};
use crate::net::{Flow, Ports};
use crate::reach::Flows;

/// Whose an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// An RDS instance or a proxy before one; which one, when the groups and subnets leave no doubt.
    Database(Option<&'a str>, Vec<u16>),
    /// A cache of ElastiCache, likewise.
    Cache(Option<&'a str>, Vec<u16>),
    /// A load balancer, by its description.
    LoadBalancer(Option<&'a LoadBalancer>),
    /// A function of Lambda; nothing connects to one.
    Function,
    /// A NAT gateway; nothing connects to one.
    NatGateway,
    /// A VPC endpoint.
    Endpoint,
    /// Something that runs what people put on it.
    Host,
}

/// Whose an interface is.
///
/// Source: `RequesterId`, `InterfaceType` and the descriptions that the services give their interfaces.
pub(super) fn owner<'a>(inventory: &'a Inventory, interface: &Interface) -> Owner<'a> {
    let requester = interface.requester.as_deref().unwrap_or_default();
    let about = interface.description.as_str();
    if interface.kind == "lambda" || about.starts_with("AWS Lambda VPC ENI") {
        Owner::Function
    } else if interface.kind == "nat_gateway" {
        Owner::NatGateway
    } else if interface.kind == "vpc_endpoint" || interface.kind == "gateway_load_balancer_endpoint" {
        Owner::Endpoint
    } else if requester == "amazon-rds"
        || about == "RDSNetworkInterface"
        || about.starts_with("Network interface for DBProxy")
    {
        database(inventory, interface)
    } else if requester == "amazon-elasticache" || about.starts_with("ElastiCache ") {
        cache(inventory, interface)
    } else if requester == "amazon-elb"
        || about.starts_with("ELB ")
        || interface.kind == "network_load_balancer"
    {
        Owner::LoadBalancer(load_balancer(inventory, interface))
    } else {
        Owner::Host
    }
}

fn database<'a>(inventory: &'a Inventory, interface: &Interface) -> Owner<'a> {
    let proxy = interface.description.starts_with("Network interface for DBProxy");
    let found: Vec<_> = inventory
        .databases
        .values()
        .filter(|it| !proxy && it.groups == interface.groups && it.subnets.contains(&interface.subnet))
        .collect();
    if found.is_empty() {
        let named = interface.description.strip_prefix("Network interface for DBProxy ");
        let proxies =
            inventory.database_proxies.values().filter(|it| named.is_none_or(|name| it.name == name));
        let mut ports = Vec::new();
        let mut names = Vec::new();
        for proxy in
            proxies.filter(|it| it.groups == interface.groups && it.subnets.contains(&interface.subnet))
        {
            names.push(proxy.name.as_str());
            let behind = proxy.targets.iter().flatten();
            ports.extend(behind.flat_map(|name| ports_of(inventory, name)));
        }
        return Owner::Database(only(&names), ports);
    }
    let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
    Owner::Database(only(&names), found.iter().filter_map(|it| it.port).collect())
}

fn ports_of(inventory: &Inventory, name: &str) -> Vec<u16> {
    let databases = inventory.databases.values().filter(|it| it.name == name).filter_map(|it| it.port);
    let clusters = inventory.database_clusters.values().filter(|it| it.name == name).filter_map(|it| it.port);
    databases.chain(clusters).collect()
}

fn cache<'a>(inventory: &'a Inventory, interface: &Interface) -> Owner<'a> {
    let found: Vec<_> = inventory.caches.values().filter(|it| it.groups == interface.groups).collect();
    let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
    Owner::Cache(only(&names), found.iter().filter_map(|it| it.port).collect())
}

fn only<'a>(names: &[&'a str]) -> Option<&'a str> {
    match names {
        [name] => Some(name),
        _ => None,
    }
}

/// `ELB app/NAME/ID`, `ELB net/NAME/ID`, and `ELB NAME` of a classic one.
fn load_balancer<'a>(inventory: &'a Inventory, interface: &Interface) -> Option<&'a LoadBalancer> {
    let about = interface.description.strip_prefix("ELB ")?;
    inventory
        .load_balancers
        .values()
        .find(|it| it.name == about || about.split('/').nth(1).is_some_and(|name| name == it.name))
}

/// What people call whose an interface is.
pub(super) fn title(inventory: &Inventory, interface: &Interface) -> String {
    let own = || match &interface.instance {
        Some(id) => {
            let instance = inventory.instances.get(id);
            instance.and_then(|it| name(&it.tags)).unwrap_or_else(|| id.to_string())
        }
        None => task(inventory, interface)
            .or_else(|| name(&interface.tags))
            .unwrap_or_else(|| interface.id.to_string()),
    };
    match owner(inventory, interface) {
        Owner::Database(Some(name), _) | Owner::Cache(Some(name), _) => name.to_owned(),
        Owner::LoadBalancer(Some(it)) => it.name.clone(),
        Owner::Function => function(&interface.description).map_or_else(own, str::to_owned),
        _ => own(),
    }
}

/// The service of ECS, or the family of definitions, whose task an interface is of.
fn task(inventory: &Inventory, interface: &Interface) -> Option<String> {
    let task = inventory.container_tasks.values().find(|task| task.interfaces.contains(&interface.id))?;
    let (_, name) = task.group.as_deref()?.split_once(':')?;
    Some(name.to_owned())
}

/// `AWS Lambda VPC ENI-NAME-UUID`.
fn function(description: &str) -> Option<&str> {
    let rest = description.strip_prefix("AWS Lambda VPC ENI-")?;
    let (name, id) = rest.split_at_checked(rest.len().checked_sub(37)?)?;
    Some(name).filter(|name| !name.is_empty() && id.starts_with('-'))
}

/// What is known to be served on an interface, whatever its groups let in.
pub(super) fn serves(inventory: &Inventory, interface: &Interface) -> Flows {
    let tcp = |ports: &[u16]| ports.iter().map(|port| Flow::Tcp(Ports::one(*port))).collect::<Flows>();
    match owner(inventory, interface) {
        Owner::Database(_, ports) | Owner::Cache(_, ports) => tcp(&ports),
        Owner::LoadBalancer(Some(it)) => it
            .listeners
            .iter()
            .flatten()
            .flat_map(|listener| {
                let port = Ports::one(listener.port);
                match listener.protocol.as_str() {
                    "UDP" => vec![Flow::Udp(port)],
                    "TCP_UDP" => vec![Flow::Tcp(port), Flow::Udp(port)],
                    _ => vec![Flow::Tcp(port)],
                }
            })
            .collect(),
        Owner::Endpoint => tcp(&[443]),
        Owner::LoadBalancer(None) | Owner::Function | Owner::NatGateway => Flows::NONE,
        Owner::Host => targeted(inventory, interface),
    }
}

/// What load balancers send to a host.
fn targeted(inventory: &Inventory, interface: &Interface) -> Flows {
    let instance = interface.instance.as_ref().map(ToString::to_string);
    let is = |id: &str| {
        instance.as_deref() == Some(id) || interface.addresses.iter().any(|own| own.address.to_string() == id)
    };
    let groups = inventory.target_groups.values().filter(|group| group.vpc.as_ref() == Some(&interface.vpc));
    let mut flows = Flows::NONE;
    for group in groups {
        for target in group.targets.iter().flatten().filter(|target| is(&target.id)) {
            let Some(port) = target.port.or(group.port).map(Ports::one) else { continue };
            let flow = if group.protocol == "UDP" { Flow::Udp(port) } else { Flow::Tcp(port) };
            flows = flows.union(&flow.into());
            if group.protocol == "TCP_UDP" {
                flows = flows.union(&Flow::Udp(port).into());
            }
        }
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_called_by_its_name() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(function(text), expected, "{text}");
        check(
            "AWS Lambda VPC ENI-nightly-report-0c0ffee0-0000-4000-8000-000000000007",
            Some("nightly-report"),
        );
        check("AWS Lambda VPC ENI-0c0ffee0-0000-4000-8000-000000000007", None);
        check("AWS Lambda VPC ENI-é-0c0ffee0-0000-4000-8000-00000000000é", None);
        check("a load balancer", None);
    }
}
