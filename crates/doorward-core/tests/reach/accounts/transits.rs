//! Transit gateways as lines of text.

use std::fmt::Write as _;

use super::Recipe;
use super::addresses::{Pick, Where};
use super::numbers::{Said, line};
use super::routing::{TransitRecipe, TransitRouteRecipe};

impl Recipe {
    pub(super) fn write_transits(&self, text: &mut String) {
        for (number, transit) in self.transits.iter().enumerate() {
            let references = if transit.references { " references" } else { "" };
            line(text, format_args!("tgw tgw-{number}{references}"));
            for table in 0..transit.tables.len() {
                line(text, format_args!("tgwtable tgw-rtb-{number}{table} tgw-{number}"));
            }
            for (vpc, attached) in transit.attached.iter().enumerate().take(self.vpcs.len()) {
                let Some((bits, table, mute, pending)) = attached else { continue };
                let _ = write!(text, "attach tgw-attach-{number}v{vpc} tgw-{number} vpc-{vpc}");
                // One in eight is associated with no table.
                if table % 8 != 7 {
                    let _ = write!(text, " tgw-rtb-{number}{}", usize::from(*table) % transit.tables.len());
                }
                let flags = [(*mute, " mute"), (*pending, " pending"), (table % 6 == 5, " appliance")];
                for (_, word) in flags.into_iter().filter(|(says, _)| *says) {
                    text.push_str(word);
                }
                // One subnet of a zone at most.
                let mut zones = Said::default();
                for subnet in 0..self.subnets.len() {
                    let mine = self.vpc_of_subnet(subnet) == vpc && bits >> subnet & 1 == 1;
                    if mine && zones.first(self.subnets[subnet].1.to_string()) {
                        let _ = write!(text, " subnet-{subnet}");
                    }
                }
                text.push('\n');
            }
            if let Some(table) = transit.vpn {
                line(text, format_args!("vpn vpn-{number} tgw-{number} 192.168.0.0/16"));
                let table = usize::from(table) % transit.tables.len();
                line(
                    text,
                    format_args!(
                        "attach tgw-attach-{number}vpn tgw-{number} vpn-{number} tgw-rtb-{number}{table}"
                    ),
                );
            }
            if let Some((table, connect)) = transit.far {
                let far = if connect { "connect-1" } else { "vpc-far" };
                let table = usize::from(table) % transit.tables.len();
                line(
                    text,
                    format_args!("attach tgw-attach-{number}far tgw-{number} {far} tgw-rtb-{number}{table}"),
                );
            }
        }
        if let (Some(picks), [one, other]) = (self.transit_peering, self.transits.as_slice()) {
            for (number, peer, pick, tables) in [(0, 1, picks.0, &one.tables), (1, 0, picks.1, &other.tables)]
            {
                let table = usize::from(pick) % tables.len();
                line(
                    text,
                    format_args!("attach tgw-attach-peer tgw-{number} tgw-{peer} tgw-rtb-{number}{table}"),
                );
            }
        }
        for (number, transit) in self.transits.iter().enumerate() {
            for (table, routes) in transit.tables.iter().enumerate() {
                self.write_transit_routes(text, number, transit, table, routes);
            }
        }
    }

    pub(super) fn write_transit_routes(
        &self,
        text: &mut String,
        number: usize,
        transit: &TransitRecipe,
        table: usize,
        routes: &[(TransitRouteRecipe, bool)],
    ) {
        let mut attachments: Vec<String> = (0..self.vpcs.len())
            .filter(|&vpc| transit.attached[vpc].is_some())
            .map(|vpc| format!("tgw-attach-{number}v{vpc}"))
            .collect();
        let vpn = transit.vpn.map(|_| format!("tgw-attach-{number}vpn"));
        let far = transit.far.map(|_| format!("tgw-attach-{number}far"));
        let peered = self.transit_peering.is_some() && self.transits.len() == 2;
        let peer = peered.then(|| "tgw-attach-peer".to_owned());
        let home = |pick: Pick| {
            let vpc = self.vpc(pick);
            transit.attached[vpc].map(|_| format!("tgw-attach-{number}v{vpc}"))
        };
        let homes = attachments.clone();
        attachments.extend(vpn.clone());
        attachments.extend(far.clone());
        attachments.extend(peer.clone());
        let mut said = Said::default();
        let known = (0..self.vpcs.len()).flat_map(|vpc| {
            let vpc = Pick::try_from(vpc).expect("a few");
            [TransitRouteRecipe::Home(vpc), TransitRouteRecipe::Home6(vpc)]
        });
        let hub = transit.hub.map(TransitRouteRecipe::Out);
        let known = known.chain(hub).chain([
            TransitRouteRecipe::Remote(0),
            TransitRouteRecipe::Far((Where::Far, 0)),
            TransitRouteRecipe::Peer((Where::Ten, 0)),
        ]);
        let known = known.filter(|_| transit.routed).map(|route| (route, true));
        for (route, propagated) in routes.iter().copied().chain(known) {
            let (cidr, to, may_propagate) = match route {
                TransitRouteRecipe::Home(pick) => (self.cidr((Where::Vpc, pick)), home(pick), true),
                TransitRouteRecipe::Home6(pick) => (self.cidr((Where::Vpc6, pick)), home(pick), true),
                TransitRouteRecipe::Out(pick) => (self.cidr((Where::Any, 0)), home(pick), false),
                TransitRouteRecipe::Remote(pick) => {
                    let place = [Where::Remote, Where::RemoteHost, Where::Any][usize::from(pick) % 3];
                    (self.cidr((place, pick)), vpn.clone(), true)
                }
                TransitRouteRecipe::Far(place) => (self.cidr(place), far.clone(), true),
                TransitRouteRecipe::Peer(place) => (self.cidr(place), peer.clone(), false),
                TransitRouteRecipe::Mixed(place, pick) if !attachments.is_empty() => {
                    let by = attachments[usize::from(pick) % attachments.len()].clone();
                    let home = homes.contains(&by);
                    (self.cidr(place), Some(by), home)
                }
                TransitRouteRecipe::Mixed(place, _) | TransitRouteRecipe::Blackhole(place) => {
                    (self.cidr(place), Some("blackhole".into()), false)
                }
            };
            let Some(to) = to else { continue };
            let propagated = propagated && may_propagate;
            if said.first(format!("{cidr} {propagated}")) {
                let word = if propagated { " propagated" } else { "" };
                line(text, format_args!("tgw-rtb-{number}{table} {cidr} {to}{word}"));
            }
        }
    }
}
