//! Names in DNS that EC2 gives to instances: to which address they resolve depends on who asks.

use std::collections::BTreeSet;

use super::{Absent, Certain, Endpoints, Selected, addresses};
use crate::inventory::{DnsAttribute, ResourceKind, ResourceRef};
use crate::net::Cidr;
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::interfaces::Named;
use crate::reach::selector::hostname::{HostName, HostNameOf};

pub(super) fn ends(cx: Context<'_>, name: &HostName) -> Endpoints {
    let mut ends = match &name.of {
        HostNameOf::Public(address) => {
            named(addresses::ends(cx, Cidr::host((*address).into())), Named::PublicElsewhere)
        }
        HostNameOf::Private(address) => {
            let ends = addresses::ends(cx, Cidr::host((*address).into()));
            let Endpoints { interfaces, absent, notes, .. } = ends;
            let interfaces = interfaces.into_iter().filter(|selected| is_in(cx, selected, &name.region));
            let interfaces: Vec<Selected> = interfaces.collect();
            named(Endpoints { interfaces, absent, notes, ..Endpoints::default() }, Named::PrivateName)
        }
        HostNameOf::Instance(id) => {
            let members = cx.network.members.get(&ResourceRef::from(id)).into_iter().flatten();
            let whole = members.map(|member| Selected::whole(cx, *member, Named::PrivateName));
            Endpoints { interfaces: whole.collect(), ..Endpoints::default() }
        }
    };
    if ends.is_empty() && ends.absent.is_empty() {
        ends.absent.push(nobody(name));
    }
    let unknown = unknown(cx, &ends);
    ends.notes.extend(unknown);
    ends
}

fn named(mut ends: Endpoints, named: Named) -> Endpoints {
    for end in ends.interfaces.iter_mut().flat_map(|selected| &mut selected.packet_ends) {
        end.named = named;
    }
    ends
}

fn is_in(cx: Context<'_>, selected: &Selected, region: &str) -> bool {
    let vpc = cx.network.interfaces.at(selected.interface).vpc;
    cx.network.vpcs.at(vpc).account_region.region.as_deref().is_none_or(|own| own == region)
}

fn nobody(name: &HostName) -> Absent {
    let whose = match &name.of {
        HostNameOf::Private(address) | HostNameOf::Public(address) => format!("address {address}"),
        HostNameOf::Instance(id) => format!("instance {id}"),
    };
    Absent {
        resource: ResourceRef::of(ResourceKind::Address, &name.to_string()),
        code: Code::Address,
        why: format!("{name} is the name of {whose}, which no interface in {} has", name.region),
        advice: "use the name of an instance that exists".into(),
        certain: Certain::IfAllWereSeen,
    }
}

/// What was assumed of the DNS attributes that decide to what a name resolves.
fn unknown(cx: Context<'_>, ends: &Endpoints) -> Vec<String> {
    let vpcs = ends.interfaces.iter().map(|selected| cx.network.interfaces.at(selected.interface).vpc);
    let vpcs: BTreeSet<_> = vpcs.collect();
    let notes = vpcs.into_iter().filter_map(|vpc| {
        let node = cx.network.vpcs.at(vpc);
        let known = [node.dns.support, node.dns.hostnames];
        let unknown = DnsAttribute::ALL.into_iter().zip(known).filter(|(_, known)| known.is_none());
        let unknown: Vec<&str> = unknown.map(|(attribute, _)| attribute.name()).collect();
        (!unknown.is_empty()).then(|| {
            let (are, they) = if unknown.len() == 1 { ("is", "it is") } else { ("are", "they are") };
            let unknown = unknown.join(" and ");
            format!("whether {unknown} of {} {are} on was not recorded: {they} taken to be", node.id)
        })
    });
    notes.collect()
}
