//! Route tables as lines of text.

use std::fmt::Write as _;

use super::Recipe;
use super::addresses::{Pick, Where};
use super::numbers::{Said, line};
use super::routing::{RouteOf, RouteRecipe, Target};

impl Recipe {
    pub(super) fn write_tables(&self, text: &mut String, lists: usize) {
        let mut said = Said::default();
        for (number, vpc) in self.vpcs.iter().enumerate() {
            line(text, format_args!("table rtb-m{number} vpc-{number} main"));
            self.write_routes(text, &format!("rtb-m{number}"), number, &vpc.main, lists);
        }
        for (number, nat) in self.nats.iter().enumerate().filter(|(_, nat)| nat.serves) {
            let subnet = self.subnet(nat.subnet);
            let (id, vpc) = (format!("rtb-n{number}"), self.vpc_of_subnet(subnet));
            if let Some(told) = nat.regional {
                if told {
                    line(text, format_args!("table {id} vpc-{vpc}"));
                    self.write_routes(text, &id, vpc, &[(RouteRecipe::Out, false, false)], lists);
                }
            } else if said.first(subnet.to_string()) {
                line(text, format_args!("table {id} vpc-{vpc} subnet-{subnet}"));
                self.write_routes(text, &id, vpc, &[(RouteRecipe::Out, false, false)], lists);
            }
        }
        let mut edges = Said::default();
        for (number, table) in self.tables.iter().enumerate() {
            let vpc = self.vpc(table.vpc);
            let _ = write!(text, "table rtb-{number} vpc-{vpc}");
            for (edge, kind) in [(table.edge.0, "igw"), (table.edge.1, "vgw")] {
                if edge && edges.first(format!("{kind}-{vpc}")) {
                    let _ = write!(text, " {kind}-{vpc}");
                }
            }
            self.write_members(text, &mut said, vpc, table.subnets);
            self.write_routes(text, &format!("rtb-{number}"), vpc, &table.routes, lists);
        }
    }

    pub(super) fn write_routes(
        &self,
        text: &mut String,
        table: &str,
        vpc: usize,
        routes: &[RouteOf],
        lists: usize,
    ) {
        let mut said = Said::default();
        for (route, propagated, blackhole) in routes.iter().copied().chain(self.wired(vpc)) {
            let list = |pick: Pick| format!("pl-{}", usize::from(pick) % lists);
            let (to, target) = match route {
                RouteRecipe::Out => ("0.0.0.0/0".into(), Target::Internet),
                RouteRecipe::Out6 => ("::/0".into(), Target::Internet),
                RouteRecipe::OutOnly6 => ("::/0".into(), Target::Outward),
                RouteRecipe::OutNat(pick) => ("0.0.0.0/0".into(), Target::Nat(pick)),
                RouteRecipe::ThroughNat(number) => ("0.0.0.0/0".into(), Target::ThisNat(number)),
                RouteRecipe::Nat64(pick) => (self.cidr((Where::Nat64, 0)), Target::Nat(pick)),
                RouteRecipe::ToPeer(pick) => (self.cidr((Where::Vpc, pick)), Target::Peering(pick)),
                RouteRecipe::ToPeer6(pick) => (self.cidr((Where::Vpc6, pick)), Target::Peering(pick)),
                RouteRecipe::ToTransit(pick, by) => (self.cidr((Where::Vpc, pick)), Target::Transit(by)),
                RouteRecipe::ToTransit6(pick, by) => (self.cidr((Where::Vpc6, pick)), Target::Transit(by)),
                RouteRecipe::ToFar => (self.cidr((Where::Far, 0)), Target::Far),
                RouteRecipe::ToRemote(place) => {
                    let place = match place {
                        (Where::Remote | Where::RemoteHost | Where::Any | Where::Ten, _) => place,
                        (_, pick) => (Where::Remote, pick),
                    };
                    (self.cidr(place), Target::Vpn)
                }
                RouteRecipe::ToService(pick, by) => (list(pick), Target::Service(by)),
                RouteRecipe::Inspect(pick, by) => {
                    let place = [Where::Subnet, Where::Any, Where::Host, Where::Vpc, Where::Subnet6];
                    let place = (place[usize::from(pick) % 5], pick);
                    let by = if by % 6 == 5 { Target::Nat(by) } else { Target::Interface(by) };
                    (self.cidr(place), by)
                }
                RouteRecipe::Mixed(place, target) => (self.cidr(place), target),
                RouteRecipe::List(pick, target) => (list(pick), target),
            };
            let Some(word) = self.target(vpc, target) else { continue };
            // A gateway endpoint is only ever routed to by its service's list, and that is of the internet.
            if matches!(target, Target::Service(_)) && !self.is_service(&to) {
                continue;
            }
            // A VPC's own prefix leads elsewhere only to an interface, a NAT gateway or an endpoint.
            let own = [self.cidr((Where::Vpc, vpc as Pick)), self.cidr((Where::Vpc6, vpc as Pick))];
            let inside =
                matches!(target, Target::Local | Target::Interface(_) | Target::Instance(_) | Target::Nat(_));
            if own.contains(&to) && !inside || (target_is_local(target) && !own.contains(&to)) {
                continue;
            }
            let propagated = propagated && matches!(target, Target::Vpn) && !to.starts_with("pl-");
            // A static route of a prefix is there once, a propagated one as well.
            if said.first(format!("{to} {propagated}")) {
                let flags = [(propagated, " propagated"), (blackhole, " blackhole")];
                let flags: String =
                    flags.into_iter().filter(|(says, _)| *says).map(|(_, word)| word).collect();
                line(text, format_args!("{table} {to} {word}{flags}"));
            }
        }
    }

    /// Whether a route's destination is a list of public addresses.
    fn is_service(&self, to: &str) -> bool {
        use Where::{Outside, Outside6, OutsideHost, PublicOfHost};
        let list = to.strip_prefix("pl-").and_then(|number| number.parse::<usize>().ok());
        list.is_some_and(|list| {
            let mut entries = self.lists[list].iter();
            entries.all(|(place, _)| matches!(place, Outside | OutsideHost | Outside6 | PublicOfHost))
        })
    }

    /// The routes that every table of a VPC has, where nothing of its own comes first.
    pub(super) fn wired(&self, vpc: usize) -> Vec<RouteOf> {
        let mut routes = Vec::new();
        for peering in &self.peerings {
            let (one, other) = (self.vpc(peering.0), self.vpc(peering.1));
            let far = if one == vpc { peering.1 } else { peering.0 };
            if peering.3 && (one == vpc || other == vpc) {
                routes.extend([RouteRecipe::ToPeer(far), RouteRecipe::ToPeer6(far)]);
            }
        }
        for (number, _) in self.transits.iter().enumerate().filter(|(_, transit)| transit.routed) {
            let by = Pick::try_from(number).expect("a few");
            for other in (0..3).filter(|&other| self.vpc(other) != vpc) {
                routes.extend([RouteRecipe::ToTransit(other, by), RouteRecipe::ToTransit6(other, by)]);
            }
            routes.push(RouteRecipe::Mixed((Where::Remote, 0), Target::Transit(by)));
            if self.transits[number].hub.is_some_and(|hub| self.vpc(hub) != vpc) {
                routes.push(RouteRecipe::Mixed((Where::Any, 0), Target::Transit(by)));
            }
            if self.transits[number].far.is_some() {
                routes.push(RouteRecipe::Mixed((Where::Far, 0), Target::Transit(by)));
            }
        }
        for (number, nat) in self.nats.iter().enumerate().filter(|(_, nat)| nat.serves) {
            if self.vpc_of_subnet(self.subnet(nat.subnet)) == vpc {
                let pick = Pick::try_from(number).expect("a few");
                routes.extend([RouteRecipe::ThroughNat(number), RouteRecipe::Nat64(pick)]);
            }
        }
        for (number, endpoint) in self.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.3) {
            if self.vpc(endpoint.0) == vpc {
                let number = Pick::try_from(number).expect("a few");
                routes.push(RouteRecipe::ToService(number, number));
            }
        }
        let vpc = &self.vpcs[vpc];
        routes.extend(vpc.far.then_some(RouteRecipe::ToFar));
        routes.extend(vpc.out6.then_some(RouteRecipe::OutOnly6));
        if vpc.out {
            routes.extend([RouteRecipe::Out, RouteRecipe::Out6]);
        }
        routes.into_iter().map(|route| (route, false, false)).collect()
    }

    /// What a route of a VPC may lead to.
    pub(super) fn target(&self, vpc: usize, target: Target) -> Option<String> {
        let chosen = |pick: Pick, of: Vec<usize>| (!of.is_empty()).then(|| of[usize::from(pick) % of.len()]);
        Some(match target {
            Target::Local => "local".into(),
            Target::Internet => format!("igw-{vpc}"),
            Target::Outward => format!("eigw-{vpc}"),
            Target::Vpn => format!("vgw-{vpc}"),
            Target::Far => self.vpcs[vpc].far.then(|| format!("pcx-far{vpc}"))?,
            Target::Gone => "igw-gone".into(),
            Target::Nat(pick) => {
                let mine = (0..self.nats.len())
                    .filter(|&nat| self.vpc_of_subnet(self.subnet(self.nats[nat].subnet)) == vpc);
                format!("nat-{}", chosen(pick, mine.collect())?)
            }
            Target::ThisNat(number) => format!("nat-{number}"),
            Target::Interface(pick) => {
                let mine = (0..self.hosts.len())
                    .filter(|&host| self.vpc_of_host(host) == vpc && self.hosts[host].kind == "interface");
                // Most often one that does forward.
                let forwarding: Vec<usize> =
                    mine.clone().filter(|&host| self.hosts[host].forwards && pick % 4 != 0).collect();
                let of = if forwarding.is_empty() { mine.collect() } else { forwarding };
                format!("eni-{}", chosen(pick, of)?)
            }
            Target::Instance(pick) => {
                let mine = (0..self.hosts.len())
                    .filter(|&host| self.vpc_of_host(host) == vpc && self.hosts[host].instance);
                let mine = mine.filter(|&host| self.hosts[host].kind == "interface");
                format!("i-{}", chosen(pick, mine.collect())?)
            }
            Target::Peering(pick) => {
                let mine = (0..self.peerings.len()).filter(|&peering| {
                    let (one, other, ..) = self.peerings[peering];
                    let (one, other) = (self.vpc(one), self.vpc(other));
                    one != other && (one == vpc || other == vpc)
                });
                format!("pcx-{}", chosen(pick, mine.collect())?)
            }
            Target::Transit(pick) => {
                format!("tgw-{}", chosen(pick, (0..self.transits.len()).collect())?)
            }
            Target::Service(pick) => {
                let mine =
                    (0..self.endpoints.len()).filter(|&endpoint| self.vpc(self.endpoints[endpoint].0) == vpc);
                format!("vpce-{}", chosen(pick, mine.collect())?)
            }
        })
    }
}

fn target_is_local(target: Target) -> bool {
    matches!(target, Target::Local)
}
