//! A drawn account as lines of text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Recipe;
use super::addresses::{EntryRecipe, PeerRecipe};
use super::numbers::{Said, line};

impl Recipe {
    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        self.write_networks(&mut text);
        self.write_groups(&mut text);
        self.write_hosts(&mut text);
        self.write_gateways(&mut text);
        let lists = self.write_lists(&mut text);
        self.write_acls(&mut text);
        self.write_transits(&mut text);
        self.write_tables(&mut text, lists);
        self.write_balancers(&mut text);
        self.write_block(&mut text);
        text
    }

    pub(super) fn write_networks(&self, text: &mut String) {
        for (number, vpc) in self.vpcs.iter().enumerate() {
            let net = self.net(number);
            let v6 = if vpc.v6 { format!(" 2001:db8:{net:x}::/56") } else { String::new() };
            let region = if vpc.abroad { " in us-east-1" } else { "" };
            line(text, format_args!("vpc vpc-{number} 10.{net}.0.0/16{v6}{region}"));
        }
        for (number, (_, zone)) in self.subnets.iter().enumerate() {
            let vpc = self.vpc_of_subnet(number);
            let zone = ["a", "b", "c"][usize::from(*zone)];
            let v6 = self.vpcs[vpc].v6.then(|| format!(" {}:/64", self.subnet_v6(number)));
            let v6 = v6.unwrap_or_default();
            line(
                text,
                format_args!("subnet subnet-{number} vpc-{vpc} {zone} {}.0/24{v6}", self.subnet_v4(number)),
            );
        }
    }

    pub(super) fn write_groups(&self, text: &mut String) {
        for number in 0..self.groups.len() {
            line(text, format_args!("group sg-{number}"));
        }
        for (number, group) in self.groups.iter().enumerate() {
            for (direction, wide) in [("in", group.wide.0), ("out", group.wide.1)] {
                if wide {
                    line(text, format_args!("sg-{number} {direction} all 0.0.0.0/0"));
                    line(text, format_args!("sg-{number} {direction} all ::/0"));
                }
            }
            for (direction, rules) in [("in", &group.rules_in), ("out", &group.rules_out)] {
                for (flow, peer) in rules {
                    let peer = match *peer {
                        PeerRecipe::Cidr(place, pick) => self.cidr((place, pick)),
                        PeerRecipe::Group(pick) => format!("sg-{}", usize::from(pick) % self.groups.len()),
                        PeerRecipe::Deleted => "sg-deleted".into(),
                        PeerRecipe::Stale(pick) => {
                            format!("sg-{} peering=deleted", usize::from(pick) % self.groups.len())
                        }
                        PeerRecipe::List(pick) => format!("pl-{}", usize::from(pick) % self.lists.len()),
                    };
                    line(text, format_args!("sg-{number} {direction} {flow} {peer}"));
                }
            }
        }
    }

    pub(super) fn write_hosts(&self, text: &mut String) {
        for (number, host) in self.hosts.iter().enumerate() {
            let subnet = self.subnet(host.subnet);
            let _ = write!(text, "eni eni-{number} subnet-{subnet} {}", self.host_v4(number));
            if host.public {
                let _ = write!(text, "=203.0.113.{}", 10 + number);
            }
            if let Some(public) = host.second {
                let _ = write!(text, " {}.{}", self.subnet_v4(subnet), 100 + number);
                if public {
                    let _ = write!(text, "=203.0.113.{}", 100 + number);
                }
            }
            if host.v6 && self.vpcs[self.vpc_of_subnet(subnet)].v6 {
                let _ = write!(text, " {}", self.host_v6(number));
            }
            let groups: BTreeSet<usize> =
                host.groups.iter().map(|&pick| usize::from(pick) % self.groups.len()).collect();
            for group in groups {
                let _ = write!(text, " sg-{group}");
            }
            for (says, word) in [(host.forwards, " forwards"), (host.detached, " detached")] {
                text.push_str(if says { word } else { "" });
            }
            if host.kind != "interface" {
                let _ = write!(text, " kind={}", host.kind);
            }
            text.push('\n');
            if host.instance {
                line(text, format_args!("instance i-{number} eni-{number}"));
            }
        }
    }

    pub(super) fn write_gateways(&self, text: &mut String) {
        for (number, vpc) in self.vpcs.iter().enumerate() {
            let gateways = [("igw", vpc.internet), ("eigw", vpc.outward), ("vgw", vpc.vpn)];
            for (kind, there) in gateways {
                // One that is not attached is there all the same.
                let vpc = if there { format!(" vpc-{number}") } else { String::new() };
                line(text, format_args!("{kind} {kind}-{number}{vpc}"));
            }
            if vpc.connected {
                let down = if vpc.overlaps || vpc.abroad { " down down" } else { " up down" };
                line(text, format_args!("vpn vpn-g{number} vgw-{number} 192.168.0.0/16{down}"));
            }
            if vpc.far {
                line(text, format_args!("pcx pcx-far{number} vpc-{number} vpc-far 10.9.0.0/16"));
            }
        }
        for (number, nat) in self.nats.iter().enumerate() {
            let subnet = self.subnet(nat.subnet);
            let own = format!("{}.{}", self.subnet_v4(subnet), 5 + number);
            let public = if nat.private { " private".into() } else { format!("=203.0.113.{}", 200 + number) };
            let pending = if nat.pending { " pending" } else { "" };
            if let Some(told) = nat.regional {
                let vpc = self.vpc_of_subnet(subnet);
                let table = if told { format!(" rtb-n{number}") } else { String::new() };
                let public = 200 + number;
                line(text, format_args!("nat nat-{number} vpc-{vpc} 203.0.113.{public}{table}{pending}"));
                continue;
            }
            line(text, format_args!("nat nat-{number} subnet-{subnet} {own}{public}{pending}"));
            if nat.interface {
                line(text, format_args!("eni eni-nat{number} subnet-{subnet} {own} kind=nat_gateway"));
            }
        }
        for (number, &(one, other, pending, _)) in self.peerings.iter().enumerate() {
            let (one, other) = (self.vpc(one), self.vpc(other));
            if one != other {
                let pending = if pending { " pending" } else { "" };
                line(text, format_args!("pcx pcx-{number} vpc-{one} vpc-{other}{pending}"));
            }
        }
        for (number, &(vpc, gateway, pending, _)) in self.endpoints.iter().enumerate() {
            let kind = if gateway { "gateway" } else { "interface" };
            let pending = if pending { " pending" } else { "" };
            line(text, format_args!("vpce vpce-{number} vpc-{} {kind}{pending}", self.vpc(vpc)));
        }
    }

    /// No prefix is in two lists: AWS does not say which of two routes such an address would take.
    pub(super) fn write_lists(&self, text: &mut String) -> usize {
        let mut said = Said::default();
        for (number, list) in self.lists.iter().enumerate() {
            let _ = write!(text, "list pl-{number}");
            for &place in list {
                let cidr = self.cidr(place);
                if said.first(cidr.clone()) {
                    let _ = write!(text, " {cidr}");
                }
            }
            text.push('\n');
        }
        self.lists.len()
    }

    pub(super) fn write_acls(&self, text: &mut String) {
        let mut said = Said::default();
        for (number, vpc) in self.vpcs.iter().enumerate() {
            if let Some((entries, rest)) = &vpc.default_acl {
                let id = format!("acl-d{number}");
                line(text, format_args!("acl {id} vpc-{number} default"));
                self.write_entries(text, &id, entries, *rest);
            }
        }
        for (number, acl) in self.acls.iter().enumerate() {
            let vpc = self.vpc(acl.vpc);
            let _ = write!(text, "acl acl-{number} vpc-{vpc}");
            self.write_members(text, &mut said, vpc, acl.subnets);
            if let Some((inward, deny, flow)) = acl.replies {
                let direction = if inward { "in" } else { "out" };
                let (at, word) = if deny { (50, "deny") } else { (900, "allow") };
                line(text, format_args!("acl-{number} {direction} {at} {word} {flow} 0.0.0.0/0"));
                line(text, format_args!("acl-{number} {direction} {} {word} {flow} ::/0", at + 1));
            }
            self.write_entries(text, &format!("acl-{number}"), &acl.entries, acl.rest);
        }
    }

    /// The subnets of a VPC that the bits choose and nobody else has.
    pub(super) fn write_members(&self, text: &mut String, said: &mut Said, vpc: usize, bits: u16) {
        for subnet in 0..self.subnets.len() {
            if self.vpc_of_subnet(subnet) == vpc && bits >> subnet & 1 == 1 && said.first(subnet.to_string())
            {
                let _ = write!(text, " subnet-{subnet}");
            }
        }
        text.push('\n');
    }

    pub(super) fn write_entries(
        &self,
        text: &mut String,
        id: &str,
        entries: &[EntryRecipe],
        rest: (bool, bool),
    ) {
        for (number, entry) in entries.iter().enumerate() {
            let direction = if entry.inward { "in" } else { "out" };
            let allow = if entry.allow { "allow" } else { "deny" };
            // Not in the order of their numbers: only these count.
            let number = 100 + (number * 7) % 5;
            let cidr = self.cidr(entry.place);
            line(text, format_args!("{id} {direction} {number} {allow} {} {cidr}", entry.flow));
        }
        for (direction, open) in [("in", rest.0), ("out", rest.1)] {
            for (number, cidr) in [(1000, "0.0.0.0/0"), (1001, "::/0")] {
                if open {
                    line(text, format_args!("{id} {direction} {number} allow all {cidr}"));
                }
            }
            line(text, format_args!("{id} {direction} 32767 deny all 0.0.0.0/0"));
            line(text, format_args!("{id} {direction} 32768 deny all ::/0"));
        }
    }

    pub(super) fn write_block(&self, text: &mut String) {
        let Some((both, exceptions)) = &self.block else { return };
        let mode = if *both { "both" } else { "ingress" };
        for region in ["eu-west-1", "us-east-1"] {
            line(text, format_args!("block {region} {mode}"));
            let mut said: BTreeMap<String, bool> = BTreeMap::new();
            for &(vpc, pick, both_ways) in exceptions {
                let what = if vpc {
                    format!("vpc-{}", self.vpc(pick))
                } else {
                    format!("subnet-{}", self.subnet(pick))
                };
                said.entry(what).or_insert(both_ways);
            }
            for (what, both_ways) in said {
                let word = if both_ways { " both" } else { "" };
                line(text, format_args!("except {region} {what}{word}"));
            }
        }
    }
}
