//! These changes in words.

use std::fmt;

use super::{ScaledChange, added};
use crate::inventory::{Image, Listener, ScalingGroup};

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

impl fmt::Display for ScaledChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateTargetGroup(group) => write!(
                f,
                "create the target group {} ({} to port {}, health checks at {})",
                group.name,
                group.protocol,
                group.port.unwrap_or_default(),
                group.health_path.as_deref().unwrap_or("/")
            ),
            Self::ModifyTargetGroup(_, group) => write!(
                f,
                "change the path of the health checks of the target group {} to {}",
                group.name,
                group.health_path.as_deref().unwrap_or("/")
            ),
            Self::CreateBalancer(balancer) => write!(
                f,
                "create the public load balancer {} in {} with {}",
                balancer.name,
                joined(&balancer.subnets),
                joined(&balancer.groups)
            ),
            Self::SetSubnets(_, balancer) => write!(
                f,
                "set the subnets of the load balancer {} to {}",
                balancer.name,
                joined(&balancer.subnets)
            ),
            Self::CreateListener(_, of) => {
                let (balancer, listener) = of.as_ref();
                write!(f, "add a listener to the load balancer {}: {}", balancer.name, listens(listener))
            }
            Self::ModifyListener(_, of) => {
                let (balancer, listener) = of.as_ref();
                write!(f, "change the listener of the load balancer {}: {}", balancer.name, listens(listener))
            }
            Self::CreateTemplate { template, .. } => {
                write!(f, "create the launch template {}", template.id)?;
                let Some(version) = template.versions.get(&1) else { return Ok(()) };
                if let Some(size) = version.size {
                    write!(f, " ({size})")?;
                }
                match &version.image {
                    Some(Image::Id(id)) => write!(f, " from {id}")?,
                    Some(Image::Parameter(name)) => write!(f, " from the image that {name} names")?,
                    None => {}
                }
                write!(f, " with {}", joined(&version.groups))
            }
            Self::CreateVersion { template, number, version, .. } => write!(
                f,
                "add version {number} to the launch template {}, with {}",
                template.id(),
                joined(&version.groups)
            ),
            Self::CreateGroup(group, _) => write!(
                f,
                "create the Auto Scaling group {} ({} to {} instances) in {}",
                group.name,
                group.min,
                group.max,
                joined(&group.subnets)
            ),
            Self::ModifyGroup(_, groups) => {
                let (before, after) = groups.as_ref();
                write!(f, "change the Auto Scaling group {}: {}", after.name, changed(before, after))
            }
            Self::DeleteGroup(_, name) => {
                write!(f, "delete the Auto Scaling group {}, with its instances", name.id())
            }
            Self::DeleteBalancer(..) | Self::DeleteTargetGroup(..) | Self::DeleteTemplate(_) => {
                let resource = self.touches();
                write!(f, "delete the {} {resource}", resource.kind())
            }
        }
    }
}

/// Like `HTTPS on port 443 to doorward-prod`.
fn listens(listener: &Listener) -> String {
    let names = listener.target_groups.iter().map(|arn| {
        let name = arn.split_once("targetgroup/").map_or(arn.as_str(), |(_, name)| name);
        name.split_once('/').map_or(name, |(name, _)| name)
    });
    let certificate = listener.certificate.as_ref().map(|arn| format!(", with {arn}")).unwrap_or_default();
    format!("{} on port {} to {}{certificate}", listener.protocol, listener.port, joined(names))
}

/// What of a group changes. Instances that run keep what they were launched with.
fn changed(before: &ScalingGroup, after: &ScalingGroup) -> String {
    let mut changes = Vec::new();
    if before.template != after.template
        && let Some((template, version)) = &after.template
    {
        changes.push(format!("new instances are launched from version {version} of {template}"));
    }
    if (before.min, before.max) != (after.min, after.max) {
        changes.push(format!("it has {} to {} instances", after.min, after.max));
    }
    if before.subnets != after.subnets {
        changes.push(format!("its subnets become {}", joined(&after.subnets)));
    }
    if before.checks_balancer != after.checks_balancer {
        changes.push("the health checks of the load balancer count".to_owned());
    }
    if before.grace != after.grace {
        changes.push(format!("the health of new instances counts after {} seconds", after.grace));
    }
    if !added(before, after).is_empty() {
        changes.push("its instances are registered with the target group".to_owned());
    }
    changes.join("; ")
}
