//! Resolves a selector to interfaces and address ranges.

mod addresses;
mod apart;
mod endpoints;
mod hostnames;
mod resources;
mod states;

use std::collections::BTreeSet;

use crate::inventory::ResourceRef;
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::InterfaceIx;
use crate::reach::result::{Blocker, Fix};
use crate::reach::selector::{Selector, Several};

/// Who is meant.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) interfaces: Vec<Selected>,
    pub(crate) outside: Vec<(Outside, Ranges)>,
    /// Addresses outside that packets may be for, whatever leads there; those of `outside` where this is empty.
    pub(crate) targets: Vec<Ranges>,
    /// Whether only what is really on the internet counts.
    pub(crate) internet_only: bool,
    /// The gateway or attachment that they are behind, where that was named.
    pub(crate) behind: Option<Outside>,
    /// What was named and has no interface that sends or receives.
    pub(crate) absent: Vec<Absent>,
    /// Something outside every VPC that sends to public addresses, from one that is not known.
    pub(crate) unattached: Option<Absent>,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

/// An interface, with the addresses of it that are meant.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) interface: InterfaceIx,
    pub(crate) packet_ends: Vec<PacketEnd>,
    /// The part of a prefix that is delegated to it, where that is meant.
    pub(crate) part: Option<String>,
}

/// Something that was named and has no interface that sends or receives.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    pub(crate) resource: ResourceRef,
    pub(crate) code: Code,
    pub(crate) why: String,
    pub(crate) advice: String,
    pub(crate) certain: Certain,
}

/// Whether it is certain that something has no interface that sends or receives.
#[derive(Debug, Clone)]
pub(crate) enum Certain {
    Yes,
    /// If all interfaces were recorded.
    IfAllWereSeen,
    /// No: it uses interfaces of others, and which ones is not known.
    No,
}

impl Endpoints {
    pub(crate) fn is_empty(&self) -> bool {
        self.interfaces.is_empty() && self.outside.is_empty() && self.targets.is_empty()
    }
}

impl Absent {
    pub(crate) fn blocker(&self) -> Blocker {
        Blocker {
            code: self.code,
            resource: self.resource.clone(),
            name: None,
            why: self.why.clone(),
            fix: Fix::Advice(self.advice.clone()),
            flows: Flows::NONE,
            replies: false,
        }
    }
}

impl Selected {
    /// An interface by all the addresses that it is named by.
    fn whole(cx: Context<'_>, interface: InterfaceIx, named: Named) -> Self {
        let public_alone = matches!(named, Named::Public | Named::PublicElsewhere);
        let addresses = cx.network.interfaces.at(interface).addresses.iter();
        let addresses = addresses.filter(|own| !public_alone || own.public || own.address.is_ipv6());
        let packet_ends = addresses.map(|own| PacketEnd::of(interface, *own).named(named)).collect();
        Self { interface, packet_ends, part: None }
    }

    /// As what all of its addresses are named, if that is one thing and all are meant: then its class stands for it.
    pub(crate) fn alike(&self, cx: Context<'_>) -> Option<Named> {
        let addresses = &cx.network.interfaces.at(self.interface).addresses;
        let named = self.packet_ends.first()?.named;
        let all = self.part.is_none() && self.packet_ends.len() == addresses.len();
        // Public addresses differ within a class.
        let by_class = matches!(named, Named::Interface | Named::Private | Named::PrivateName);
        (all && by_class && self.packet_ends.iter().all(|end| end.named == named)).then_some(named)
    }

    /// How people know it.
    pub(crate) fn title(&self, cx: Context<'_>) -> String {
        let title = cx.network.interfaces.at(self.interface).title();
        match &self.part {
            Some(part) => format!("{part} of {title}"),
            None => title,
        }
    }
}

pub(crate) fn resolve(cx: Context<'_>, endpoint: &Selector) -> Endpoints {
    let mut ends = match endpoint {
        Selector::Internet => internet_ends(cx),
        Selector::Address(address) => addresses::ends(cx, Cidr::host(*address)),
        Selector::Cidr(cidr) => addresses::ends(cx, *cidr),
        Selector::Host(name) => hostnames::ends(cx, name),
        Selector::Resource(resource) => resources::ends(cx, resource),
        Selector::Several(several) => together(cx, several),
    };
    let states = states::notes(cx, &ends);
    ends.notes.extend(states);
    ends
}

/// All of several resources; each interface once.
fn together(cx: Context<'_>, several: &Several) -> Endpoints {
    let mut all = Endpoints { notes: vec![several.in_full()], ..Endpoints::default() };
    let mut known: BTreeSet<InterfaceIx> = BTreeSet::new();
    for resource in &several.resources {
        let ends = resources::ends(cx, resource);
        let Endpoints { interfaces, outside, targets, internet_only, absent, notes, .. } = ends;
        all.interfaces.extend(interfaces.into_iter().filter(|selected| known.insert(selected.interface)));
        all.outside.extend(outside);
        all.targets.extend(targets);
        all.internet_only |= internet_only;
        all.absent.extend(absent);
        all.notes.extend(notes);
    }
    all
}

fn internet_ends(cx: Context<'_>) -> Endpoints {
    let outside = [Family::V4, Family::V6].map(|family| (Outside::Internet, cx.network.internet(family)));
    Endpoints { outside: outside.into(), internet_only: true, ..Endpoints::default() }
}
