//! What AWS serves at addresses of every VPC itself: DNS, instance metadata, the time, DHCP.
//!
//! Security groups and network ACLs do not filter it, and no route leads there (VPC user guide, security groups, network
//! ACLs, and route table concepts).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::inventory::{DnsAttribute, ResourceKind, ResourceRef};
use crate::net::{Cidr, Flow, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::trace::dns_names;
use crate::reach::trace::steps::{StepKind, StepText, Trace};

/// Something that AWS serves in every VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalService {
    Dns,
    Metadata,
    ContainerMetadata,
    Time,
    Activation,
    Dhcp,
}

/// At these addresses in every VPC (EC2 user guide, instance metadata and time; VPC user guide, DNS attributes; ECS
/// developer guide, task metadata endpoint).
const EVERYWHERE: [(LocalService, IpAddr); 10] = [
    (LocalService::Dns, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253))),
    (LocalService::Dns, IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253))),
    (LocalService::Metadata, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))),
    (LocalService::Metadata, IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))),
    (LocalService::Time, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 123))),
    (LocalService::Time, IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123))),
    (LocalService::Activation, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 250))),
    (LocalService::Activation, IpAddr::V4(Ipv4Addr::new(169, 254, 169, 251))),
    (LocalService::ContainerMetadata, IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2))),
    (LocalService::ContainerMetadata, IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23))),
];

impl LocalService {
    /// As AWS calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dns => "the Amazon DNS server",
            Self::Metadata => "the instance metadata service",
            Self::ContainerMetadata => "the metadata endpoint of containers",
            Self::Time => "the Amazon Time Sync Service",
            Self::Activation => "the licence activation of Windows",
            Self::Dhcp => "the DHCP server of the VPC router",
        }
    }

    /// When it does not answer.
    fn unless(self) -> Option<&'static str> {
        match self {
            Self::Dns => Some("enableDnsSupport of the VPC is off"),
            Self::Metadata => Some("the metadata options of the instance forbid it, which were not recorded"),
            Self::ContainerMetadata | Self::Time | Self::Activation | Self::Dhcp => None,
        }
    }

    /// What it answers.
    fn flows(self) -> Flows {
        let (tcp, udp) = (|port| Flow::Tcp(Ports::one(port)), |port| Flow::Udp(Ports::one(port)));
        match self {
            Self::Dns => Flows::from_iter([tcp(53), udp(53)]),
            Self::Metadata | Self::ContainerMetadata => tcp(80).into(),
            Self::Time => udp(123).into(),
            Self::Activation => tcp(1688).into(),
            Self::Dhcp => udp(67).into(),
        }
    }
}

/// The addresses of what is served in every VPC.
pub(crate) fn addresses() -> impl Iterator<Item = IpAddr> {
    EVERYWHERE.iter().map(|(_, address)| *address)
}

/// What has an address in every VPC.
pub(crate) fn everywhere(address: IpAddr) -> Option<LocalService> {
    EVERYWHERE.iter().find(|(_, at)| *at == address).map(|(service, _)| *service)
}

/// What has an address in a VPC: the DNS server is at the base of the VPC's range plus two, the router at the base of each
/// subnet plus one (VPC user guide, subnet sizing).
fn within(cx: Context<'_>, vpc: VpcIx, address: IpAddr) -> Option<LocalService> {
    let nth = |cidr: &Cidr, number: u32| match cidr.address() {
        IpAddr::V4(base) => Ipv4Addr::from(u32::from(base).saturating_add(number)) == address,
        IpAddr::V6(_) => false,
    };
    // Nearly all addresses that are asked about are outside.
    if !cx.network.vpcs.at(vpc).contains(address) {
        return None;
    }
    if cx.network.vpcs.at(vpc).cidrs.iter().any(|cidr| nth(cidr, 2)) {
        return Some(LocalService::Dns);
    }
    let mut subnets = cx.network.vpcs.at(vpc).subnets.iter().map(|subnet| cx.network.subnets.at(*subnet));
    subnets.any(|subnet| subnet.cidrs.iter().any(|cidr| nth(cidr, 1))).then_some(LocalService::Dhcp)
}

/// What has an address for whoever is in a VPC, unless an interface has it.
pub(crate) fn at(cx: Context<'_>, vpc: VpcIx, address: IpAddr) -> Option<LocalService> {
    let here =
        || within(cx, vpc, address).filter(|_| cx.network.vpcs.at(vpc).interface_at(address).is_none());
    everywhere(address).or_else(here)
}

/// What has an address in any VPC.
pub(crate) fn anywhere(cx: Context<'_>, address: IpAddr) -> Option<LocalService> {
    let vpcs = || cx.network.vpcs.enumerate().filter(|(_, vpc)| vpc.contains(address));
    everywhere(address).or_else(|| vpcs().find_map(|(vpc, _)| at(cx, vpc, address)))
}

/// Meets a service.
pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    from: InterfaceIx,
    service: LocalService,
    to: IpAddr,
) {
    let flows = service.flows();
    let words = flows.to_string();
    let node = cx.network.vpcs.at(cx.network.interfaces.at(from).vpc);
    let vpc = &node.id;
    if service == LocalService::Dns && node.dns.is_off(DnsAttribute::Support) {
        trace.block(|| dns_names::is_off(node, DnsAttribute::Support));
        trace.fix(|| dns_names::turned_on(node, DnsAttribute::Support));
    }
    trace.meet(Bounds::exact(flows), None, || {
        StepKind::Text(
            StepText::blocked(
                ResourceRef::of(ResourceKind::Address, &to.to_string()),
                Code::Protocol,
                format!("{} answers {words} and nothing else", service.name()),
                format!("ask about {words}"),
            )
            .named(Some(service.name().to_owned()))
            .because(format!(
                "{} of {vpc}, which security groups and network ACLs do not filter and which needs no route",
                service.name()
            )),
        )
    });
}

/// What a reader should know of an address that AWS serves.
pub(crate) fn note(service: LocalService, address: IpAddr) -> String {
    let name = service.name();
    let unless = service.unless().map_or_else(String::new, |unless| format!(". It answers unless {unless}"));
    format!(
        "{address} is {name}: security groups and network ACLs do not filter it, and no route leads there{unless}"
    )
}

/// The same of each address within a prefix, in one sentence.
pub(crate) fn note_within(cidr: Cidr) -> Option<String> {
    let within = EVERYWHERE.iter().filter(|(_, address)| cidr.contains(*address));
    let named: Vec<String> =
        within.map(|(service, address)| format!("{address} ({})", service.name())).collect();
    (!named.is_empty()).then(|| {
        format!(
            "AWS serves some addresses of {cidr} itself, which security groups and network ACLs do not filter: {}",
            named.join(", ")
        )
    })
}
