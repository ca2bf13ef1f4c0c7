//! `ec2:DescribeInstances`: the instances with their states and interfaces, as they were launched together.

use super::describe::shape;
use super::describe_network_interfaces::{GroupRefShape, InterfaceShape};
use super::{Body, Operation, PAGE, Paged, Service};
use crate::wire::{Form, List, Tag};

/// Asks for all instances.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeInstances {
    pub(crate) token: Option<String>,
}

impl Operation for DescribeInstances {
    const NAME: &'static str = "DescribeInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = ReservationsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.page(PAGE, self.token.as_deref());
        // As for interfaces: what a service of AWS manages may else be hidden.
        form.put("IncludeManagedResources", "true");
        Body::Form(form)
    }
}

impl Paged for DescribeInstances {
    type Item = InstanceShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: ReservationsAnswer) -> (Vec<InstanceShape>, Option<String>) {
        let instances = answer.reservations.0.into_iter().flat_map(|reservation| reservation.instances.0);
        (instances.collect(), answer.next)
    }
}

shape! {
    /// `Reservations`, `reservationSet`
    ReservationsAnswer {
        reservations: List<ReservationShape> = "Reservations" | "reservationSet",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// Instances that were launched together.
    ReservationShape {
        instances: List<InstanceShape> = "Instances" | "instancesSet",
    }
}

shape! {
    /// One instance.
    InstanceShape {
        id: Option<String> = "InstanceId" | "instanceId",
        state: Option<InstanceStateShape> = "State" | "instanceState",
        reason: Option<String> = "StateTransitionReason" | "reason",
        platform: Option<String> = "Platform" | "platform",
        image: Option<String> = "ImageId" | "imageId",
        size: Option<String> = "InstanceType" | "instanceType",
        profile: Option<InstanceProfileShape> = "IamInstanceProfile" | "iamInstanceProfile",
        vpc: Option<String> = "VpcId" | "vpcId",
        subnet: Option<String> = "SubnetId" | "subnetId",
        placement: Option<PlacementShape> = "Placement" | "placement",
        address: Option<String> = "PrivateIpAddress" | "privateIpAddress",
        public: Option<String> = "PublicIpAddress" | "ipAddress",
        v6: Option<String> = "Ipv6Address" | "ipv6Address",
        groups: List<GroupRefShape> = "SecurityGroups" | "groupSet",
        check: Option<bool> = "SourceDestCheck" | "sourceDestCheck",
        interfaces: List<InterfaceShape> = "NetworkInterfaces" | "networkInterfaceSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// The instance profile of an instance.
    InstanceProfileShape {
        arn: Option<String> = "Arn" | "arn",
    }
}

shape! {
    /// Like `running`.
    InstanceStateShape {
        name: Option<String> = "Name" | "name",
    }
}

shape! {
    /// Where it runs.
    PlacementShape {
        zone: Option<String> = "AvailabilityZone" | "availabilityZone",
    }
}
