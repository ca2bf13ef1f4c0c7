//! What uses a resource that is to be removed, and whose it is.

use std::fmt;

use crate::inventory::{Interface, Inventory, NamedResource, ResourceKind};

/// Something that uses a resource, so that AWS refuses to delete it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// The resource that AWS names when it refuses a deletion.
    pub resource: NamedResource,
    /// For an interface, the resource or the service that it belongs to, with its kind, as far as that is known.
    pub owner: Option<String>,
}

impl Dependent {
    /// A resource, with its owner if it is an interface.
    pub(super) fn of(inventory: &Inventory, resource: NamedResource) -> Self {
        let is_interface = resource.resource.kind() == ResourceKind::Interface;
        let interface = is_interface.then(|| inventory.interfaces.get(resource.resource.id())).flatten();
        let owner = interface.and_then(|it| owner(inventory, it));
        Self { resource, owner }
    }
}

impl fmt::Display for Dependent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource.described())?;
        match &self.owner {
            Some(owner) => write!(f, " of {owner}"),
            None => Ok(()),
        }
    }
}

/// Whose an interface is: the instance that it is attached to, or the service that created it.
///
/// Source: `RequesterId`, `InterfaceType` and the descriptions that the services give their interfaces.
fn owner(inventory: &Inventory, interface: &Interface) -> Option<String> {
    if let Some(id) = &interface.instance {
        let name = inventory.instances.get(id).and_then(|it| it.tags.get("Name"));
        return Some(NamedResource::of(id, name).described());
    }
    let requester = interface.requester.as_deref().unwrap_or_default();
    let about = interface.description.as_str();
    if let Some(balancer) = about.strip_prefix("ELB ") {
        // `app/NAME/ID`, `net/NAME/ID`, and the name alone of a classic one.
        return Some(format!("the load balancer {}", balancer.split('/').nth(1).unwrap_or(balancer)));
    }
    if let Some(function) = about.strip_prefix("AWS Lambda VPC ENI-") {
        return Some(format!("the function {}", without_uuid(function)));
    }
    if let Some(proxy) = about.strip_prefix("Network interface for DBProxy ") {
        return Some(format!("the database proxy {proxy}"));
    }
    if requester == "amazon-rds" || about == "RDSNetworkInterface" {
        let alike = inventory
            .databases
            .values()
            .filter(|it| it.groups == interface.groups && it.subnets.contains(&interface.subnet));
        let names: Vec<&str> = alike.map(|it| it.name.as_str()).collect();
        return Some(match names.as_slice() {
            [] => "a database of RDS".into(),
            [name] => format!("the database {name}"),
            several => format!("one of the databases {}", several.join(", ")),
        });
    }
    match (requester, about) {
        ("", "") => None,
        ("", about) => Some(format!("`{about}`")),
        (requester, "") => Some(requester.to_owned()),
        (requester, about) => Some(format!("{requester} (`{about}`)")),
    }
}

/// The name of a function without the UUID that Lambda appends.
fn without_uuid(text: &str) -> &str {
    const UUID: usize = 36;
    let cut = text.len().checked_sub(UUID + 1).and_then(|at| text.split_at_checked(at));
    match cut {
        Some((name, rest)) if rest.starts_with('-') && rest.matches('-').count() == 5 && !name.is_empty() => {
            name
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::testing::{account, id, interface};

    #[test]
    fn the_owner_of_an_interface_is_named() {
        let mut account = account();
        if let Some(instance) = account.instances.get_mut("i-0a") {
            instance.tags.insert("Name".into(), "web".into());
        }
        let check = |requester: Option<&str>, description: &str, expected: &str| {
            let mut account = account.clone();
            let mut own = interface("eni-0x", "subnet-0d1", "vpc-0d", "sg-0d", None);
            own.requester = requester.map(str::to_owned);
            own.description = description.to_owned();
            account.interfaces.insert(own.id.clone(), own);
            let user = Dependent::of(
                &account,
                NamedResource::of(&id::<crate::inventory::InterfaceId>("eni-0x"), None),
            );
            assert_eq!(user.to_string(), expected);
        };
        check(None, "", "eni-0x");
        check(None, "broker", "eni-0x of `broker`");
        check(Some("amazon-elb"), "ELB app/shop/0123456789abcdef", "eni-0x of the load balancer shop");
        check(Some("amazon-elb"), "ELB classic", "eni-0x of the load balancer classic");
        check(
            Some("AROA:orders"),
            "AWS Lambda VPC ENI-orders-go-01234567-89ab-cdef-0123-456789abcdef",
            "eni-0x of the function orders-go",
        );
        check(Some("1"), "Network interface for DBProxy front", "eni-0x of the database proxy front");
        check(Some("amazon-rds"), "RDSNetworkInterface", "eni-0x of the database orders");
        check(
            Some("amazon-redshift"),
            "RedshiftNetworkInterface",
            "eni-0x of amazon-redshift (`RedshiftNetworkInterface`)",
        );
        check(Some("123456789012"), "", "eni-0x of 123456789012");
        let of_instance = NamedResource::of(&id::<crate::inventory::InterfaceId>("eni-0a"), None);
        assert_eq!(Dependent::of(&account, of_instance).to_string(), "eni-0a of instance i-0a (web)");
    }
}
