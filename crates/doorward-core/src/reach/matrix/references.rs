//! Rules that reference groups: few for each receiver, and looked at on top of the bundle of each sender.

use std::collections::HashMap;

use crate::reach::flows::intern::{BoundsIx, FlowsIx};
use crate::reach::matrix::{EndIx, Matrix};
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::table::{ClassIx, Index as _};
use crate::reach::trace::References;

impl Matrix<'_> {
    /// Notes which classes have each group attached, and whose outbound rules name it.
    pub(super) fn reference(&mut self) {
        let network = self.cx.network;
        for (class, members) in network.classes.enumerate() {
            let Some(interface) = members.members.first().map(|interface| network.interfaces.at(*interface))
            else {
                continue;
            };
            if interface.balancer.is_some() {
                self.balancing.insert(class);
            }
            let set = network.sets.at(interface.set);
            for group in &set.groups {
                self.carriers.entry(*group).or_default().push(class);
            }
            for (group, flows) in &set.out_to {
                let flows = self.interner.number(flows);
                self.naming.entry(*group).or_default().push((class, flows));
            }
        }
    }

    /// What rules by group add, on either side.
    pub(super) fn by_groups(&mut self, to: EndIx, inward_of: &AddressMap<BoundsIx>, everything: BoundsIx) {
        let cx = self.cx;
        let node = self.nodes.at(to);
        let (set_ix, vantage, address, family) =
            (node.set, node.vantage, node.packet_end.own.address, node.family);
        let set = cx.network.sets.at(set_ix);
        let mut extra: HashMap<ClassIx, (FlowsIx, FlowsIx)> = HashMap::new();
        for (group, flows) in &set.in_from {
            let flows = self.interner.number(flows);
            for class in self.carriers.get(group).cloned().unwrap_or_default() {
                let entry = extra.entry(class).or_insert((FlowsIx::NONE, FlowsIx::NONE));
                entry.0 = self.interner.union(entry.0, flows);
            }
        }
        for group in &set.groups {
            for (class, flows) in self.naming.get(group).cloned().unwrap_or_default() {
                let entry = extra.entry(class).or_insert((FlowsIx::NONE, FlowsIx::NONE));
                entry.1 = self.interner.union(entry.1, flows);
            }
        }
        for (class, (inbound, outbound)) in extra {
            for packet_end in self.of_class.get(class.number()).cloned().unwrap_or_default() {
                let sender = self.nodes.at(packet_end);
                let (from, atom_address, out, kind) =
                    (sender.vantage, sender.packet_end.own.address, sender.out, sender.kind);
                if sender.family != family || !kind.starts() {
                    continue;
                }
                let cell = self.cell(from, vantage);
                if cell.bounds.is_none() || cell.alone {
                    continue;
                }
                let seen = cell.seen.unwrap_or(atom_address);
                let mut inward = self.lets(inward_of, seen, everything);
                if cell.references >= References::Inbound {
                    inward = self.interner.either(inward, BoundsIx { must: inbound, may: inbound });
                }
                let mut outward = self.lets_out(out, address, everything);
                if cell.references == References::Kept {
                    outward = self.interner.either(outward, BoundsIx { must: outbound, may: outbound });
                }
                let bounds = self.interner.both(inward, outward);
                let bounds = self.interner.both(bounds, cell.bounds);
                let bounds = self.balanced(packet_end, to, bounds);
                if !bounds.is_none() {
                    self.add(class, bounds);
                }
            }
        }
    }
}
