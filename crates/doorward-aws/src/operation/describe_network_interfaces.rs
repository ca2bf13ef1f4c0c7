//! `ec2:DescribeNetworkInterfaces`: every interface with its addresses and groups, whosever it is.

use super::describe::shape;
use super::{Body, Operation, PAGE, Paged, Service};
use crate::wire::{Form, List, Tag};

/// Asks for all interfaces.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeNetworkInterfaces {
    pub(crate) token: Option<String>,
}

impl Operation for DescribeNetworkInterfaces {
    const NAME: &'static str = "DescribeNetworkInterfaces";
    const SERVICE: Service = Service::Ec2;
    type Answer = InterfacesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.page(PAGE, self.token.as_deref());
        // Else those that a service of AWS manages may be hidden, and they carry packets all the same.
        form.put("IncludeManagedResources", "true");
        Body::Form(form)
    }
}

impl Paged for DescribeNetworkInterfaces {
    type Item = InterfaceShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: InterfacesAnswer) -> (Vec<InterfaceShape>, Option<String>) {
        (answer.interfaces.0, answer.next)
    }
}

shape! {
    /// `NetworkInterfaces`, `networkInterfaceSet`
    InterfacesAnswer {
        interfaces: List<InterfaceShape> = "NetworkInterfaces" | "networkInterfaceSet",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// One interface, also as an instance tells of its own.
    InterfaceShape {
        id: Option<String> = "NetworkInterfaceId" | "networkInterfaceId",
        vpc: Option<String> = "VpcId" | "vpcId",
        subnet: Option<String> = "SubnetId" | "subnetId",
        status: Option<String> = "Status" | "status",
        kind: Option<String> = "InterfaceType" | "interfaceType",
        requester: Option<String> = "RequesterId" | "requesterId",
        about: Option<String> = "Description" | "description",
        check: Option<bool> = "SourceDestCheck" | "sourceDestCheck",
        groups: List<GroupRefShape> = "Groups" | "groupSet",
        attachment: Option<InterfaceAttachmentShape> = "Attachment" | "attachment",
        association: Option<PublicShape> = "Association" | "association",
        address: Option<String> = "PrivateIpAddress" | "privateIpAddress",
        addresses: List<PrivateShape> = "PrivateIpAddresses" | "privateIpAddressesSet",
        v6: List<V6Shape> = "Ipv6Addresses" | "ipv6AddressesSet",
        v4_prefixes: List<V4PrefixShape> = "Ipv4Prefixes" | "ipv4PrefixSet",
        v6_prefixes: List<V6PrefixShape> = "Ipv6Prefixes" | "ipv6PrefixSet",
        tags: List<Tag> = "TagSet" | "tagSet",
    }
}

shape! {
    /// A group by its id.
    GroupRefShape {
        id: Option<String> = "GroupId" | "groupId",
    }
}

shape! {
    /// What an interface is attached to.
    InterfaceAttachmentShape {
        instance: Option<String> = "InstanceId" | "instanceId",
        status: Option<String> = "Status" | "status",
    }
}

shape! {
    /// The public address that stands for a private one.
    PublicShape {
        public: Option<String> = "PublicIp" | "publicIp",
    }
}

shape! {
    /// A private address.
    PrivateShape {
        address: Option<String> = "PrivateIpAddress" | "privateIpAddress",
        primary: Option<bool> = "Primary" | "primary",
        association: Option<PublicShape> = "Association" | "association",
    }
}

shape! {
    /// An address of IPv6.
    V6Shape {
        address: Option<String> = "Ipv6Address" | "ipv6Address",
    }
}

shape! {
    /// A prefix that is delegated to an interface.
    V4PrefixShape {
        prefix: Option<String> = "Ipv4Prefix" | "ipv4Prefix",
    }
}

shape! {
    /// Likewise, of IPv6.
    V6PrefixShape {
        prefix: Option<String> = "Ipv6Prefix" | "ipv6Prefix",
    }
}
