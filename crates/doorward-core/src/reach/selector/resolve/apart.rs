//! Functions and services without interfaces of their own.

use super::{Absent, Certain, Endpoints};
use crate::inventory::{NamedResource, ResourceKind, TaskNetwork};
use crate::reach::code::Code;
use crate::reach::context::Context;

/// Who is meant by a function that is attached to no VPC, or by a service whose tasks use the interfaces of their
/// container instances; none of everything else.
pub(super) fn ends(cx: Context<'_>, named: &NamedResource) -> Option<Endpoints> {
    let resource = &named.resource;
    let absent = |code: Code, why: String, advice: &str, certain: Certain| Absent {
        resource: resource.clone(),
        code,
        why,
        advice: advice.to_owned(),
        certain,
    };
    match resource.kind() {
        ResourceKind::Function => {
            let function =
                cx.inventory.functions.values().find(|function| function.resource() == *resource)?;
            if !function.subnets.is_empty() {
                return None;
            }
            // Lambda developer guide, giving Lambda functions access to resources in a VPC.
            let why = format!(
                "{} is not attached to a VPC, so it has no private address and cannot reach one",
                named.described()
            );
            let advice = "attach it to subnets and security groups of the VPC";
            let absent = absent(Code::NotAttached, why, advice, Certain::Yes);
            Some(Endpoints { unattached: Some(absent.clone()), absent: vec![absent], ..Endpoints::default() })
        }
        ResourceKind::ContainerService => {
            let mut services = cx.inventory.container_services.values();
            let service = services.find(|service| service.resource() == *resource)?;
            if service.network != TaskNetwork::ContainerInstance {
                return None;
            }
            // ECS developer guide, task networking options for EC2.
            let why = format!(
                "{} is not in network mode awsvpc, so its tasks use the interfaces of their container instances",
                named.described()
            );
            let advice = "ask for its container instances";
            let absent = absent(Code::UnknownDestination, why, advice, Certain::No);
            Some(Endpoints { absent: vec![absent], ..Endpoints::default() })
        }
        _ => None,
    }
}
