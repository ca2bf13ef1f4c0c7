//! The calls of EC2 that make, change and delete what networks are made of, a file each.
//!
//! What deletes takes an [`Owned`](doorward_core::inventory::Owned) id. What creates writes its tags in the same call, so
//! that a resource whose answer was lost is found again.

mod allocate_address;
mod associate_route_table;
mod attach_internet_gateway;
mod create_internet_gateway;
mod create_nat_gateway;
mod create_route;
mod create_route_table;
mod create_security_group;
mod create_subnet;
mod create_vpc;
mod create_vpc_endpoint;
mod delete_internet_gateway;
mod delete_nat_gateway;
mod delete_route;
mod delete_route_table;
mod delete_security_group;
mod delete_subnet;
mod delete_vpc;
mod delete_vpc_endpoints;
mod detach_internet_gateway;
mod interfaces_described;
mod interfaces_of_group;
mod modify_network_interface_attribute;
mod modify_vpc_attribute;
mod modify_vpc_endpoint;
mod release_address;
mod replace_route;
mod replace_route_table_association;

use doorward_core::inventory::{Destination, Route, RouteTableId, RouteTarget, Tags};
use doorward_core::net::Family;

pub(crate) use allocate_address::AllocateAddress;
pub(crate) use associate_route_table::AssociateRouteTable;
pub(crate) use attach_internet_gateway::AttachInternetGateway;
pub(crate) use create_internet_gateway::CreateInternetGateway;
pub(crate) use create_nat_gateway::CreateNatGateway;
pub(crate) use create_route::CreateRoute;
pub(crate) use create_route_table::CreateRouteTable;
pub(crate) use create_security_group::CreateSecurityGroup;
pub(crate) use create_subnet::CreateSubnet;
pub(crate) use create_vpc::CreateVpc;
pub(crate) use create_vpc_endpoint::CreateVpcEndpoint;
pub(crate) use delete_internet_gateway::DeleteInternetGateway;
pub(crate) use delete_nat_gateway::DeleteNatGateway;
pub(crate) use delete_route::DeleteRoute;
pub(crate) use delete_route_table::DeleteRouteTable;
pub(crate) use delete_security_group::DeleteSecurityGroup;
pub(crate) use delete_subnet::DeleteSubnet;
pub(crate) use delete_vpc::DeleteVpc;
pub(crate) use delete_vpc_endpoints::DeleteVpcEndpoints;
pub(crate) use detach_internet_gateway::DetachInternetGateway;
pub(crate) use interfaces_described::InterfacesDescribed;
pub(crate) use interfaces_of_group::InterfacesOfGroup;
pub(crate) use modify_network_interface_attribute::ModifyNetworkInterfaceAttribute;
pub(crate) use modify_vpc_attribute::ModifyVpcAttribute;
pub(crate) use modify_vpc_endpoint::ModifyVpcEndpoint;
pub(crate) use release_address::ReleaseAddress;
pub(crate) use replace_route::ReplaceRoute;
pub(crate) use replace_route_table_association::ReplaceRouteTableAssociation;

use super::{
    AddressShape, EndpointShape, GroupShape, InternetGatewayShape, NatGatewayShape, Operation, Paged,
    RouteTableShape, SubnetShape, VpcShape,
};
use crate::operation::Body;
use crate::wire::{Form, List, Tag};

/// A route of a table, as `CreateRoute` and `ReplaceRoute` name it.
fn route(table: &RouteTableId, route: &Route) -> Body {
    let mut form = Form::default();
    form.put("RouteTableId", table.as_str());
    destination(&mut form, &route.destination);
    target(&mut form, &route.target);
    Body::Form(form)
}

/// A call that creates one resource with tags.
pub(crate) trait Creates: Operation {
    /// The call that describes all of the kind.
    type Look: Paged<Item: Tagged> + Clone + All;
    /// Whether it has a client token: then it is repeated, and the answer is the first one's.
    const HAS_TOKEN: bool = false;
    /// Whether it is looked up before it is made, because nothing else keeps a second one from being made, or costs that.
    const LOOKS_FIRST: bool = !Self::HAS_TOKEN && Self::THERE.is_empty();
    /// The codes that mean that something like it exists, which may be what an earlier call made.
    const THERE: &'static [&'static str] = &[];

    /// The tags that it writes.
    fn tags(&self) -> &Tags;

    /// What it made.
    fn made(answer: Self::Answer) -> Option<<Self::Look as Paged>::Item>;
}

/// A call that can ask for all of a kind.
pub(crate) trait All {
    /// The call for everything.
    fn all() -> Self;
}

/// A resource with an id and tags.
pub(crate) trait Tagged {
    /// Its id.
    fn id(&self) -> Option<&str>;

    /// Its tags.
    fn tags(&self) -> &List<Tag>;

    /// Whether it is there: some are described for a while after they are deleted.
    fn is_there(&self) -> bool {
        true
    }
}

macro_rules! tagged {
    ($($shape:ident of $call:ident $(while $state:ident)?,)*) => {
        $(impl All for super::$call {
            fn all() -> Self {
                Self::default()
            }
        }

        impl Tagged for $shape {
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }

            fn tags(&self) -> &List<Tag> {
                &self.tags
            }

            $(fn is_there(&self) -> bool {
                let state = self.$state.as_deref().unwrap_or_default().to_ascii_lowercase();
                !matches!(state.as_str(), "deleting" | "deleted" | "failed" | "rejected" | "expired")
            })?
        })*
    };
}

tagged! {
    VpcShape of DescribeVpcs,
    SubnetShape of DescribeSubnets,
    InternetGatewayShape of DescribeInternetGateways,
    RouteTableShape of DescribeRouteTables,
    NatGatewayShape of DescribeNatGateways while state,
    EndpointShape of DescribeVpcEndpoints while state,
}

impl All for super::DescribeAddresses {
    fn all() -> Self {
        Self::default()
    }
}

impl Tagged for AddressShape {
    fn id(&self) -> Option<&str> {
        self.allocation.as_deref()
    }

    fn tags(&self) -> &List<Tag> {
        &self.tags
    }
}

impl All for super::DescribeSecurityGroups {
    fn all() -> Self {
        Self { groups: super::Asked::All, token: None }
    }
}

impl Tagged for GroupShape {
    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn tags(&self) -> &List<Tag> {
        &self.tags
    }
}

/// The tags of what a call creates.
fn tagged(form: &mut Form, kind: &str, tags: &Tags) {
    form.put("TagSpecification.1.ResourceType", kind);
    for (number, (key, value)) in (1..).zip(tags) {
        form.put(&format!("TagSpecification.1.Tag.{number}.Key"), key);
        form.put(&format!("TagSpecification.1.Tag.{number}.Value"), value);
    }
}

fn destination(form: &mut Form, destination: &Destination) {
    match destination {
        Destination::Cidr(cidr) => {
            let name = match cidr.family() {
                Family::V4 => "DestinationCidrBlock",
                Family::V6 => "DestinationIpv6CidrBlock",
            };
            form.put(name, &cidr.to_string());
        }
        Destination::PrefixList(list) => form.put("DestinationPrefixListId", list.as_str()),
    }
}

fn target(form: &mut Form, target: &RouteTarget) {
    match target {
        // AWS itself has these.
        RouteTarget::Local => {}
        RouteTarget::InternetGateway(id) => form.put("GatewayId", id.as_str()),
        RouteTarget::VpnGateway(id) => form.put("GatewayId", id.as_str()),
        RouteTarget::EgressOnlyGateway(id) => form.put("EgressOnlyInternetGatewayId", id.as_str()),
        RouteTarget::NatGateway(id) => form.put("NatGatewayId", id.as_str()),
        RouteTarget::Interface(id) => form.put("NetworkInterfaceId", id.as_str()),
        RouteTarget::Instance(id) => form.put("InstanceId", id.as_str()),
        RouteTarget::Peering(id) => form.put("VpcPeeringConnectionId", id.as_str()),
        RouteTarget::TransitGateway(id) => form.put("TransitGatewayId", id.as_str()),
        RouteTarget::Endpoint(id) => form.put("VpcEndpointId", id.as_str()),
        RouteTarget::Other(id) => form.put("GatewayId", id),
    }
}
