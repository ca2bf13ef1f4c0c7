//! Load balancers that are drawn, and their lines of text.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

use super::Recipe;
use super::addresses::{Pick, pick, share};
use super::numbers::{Said, line};

const PORTS: [u16; 5] = [22, 80, 443, 5432, 8080];

#[derive(Debug, Clone)]
pub struct BalancerRecipe {
    pub kind: &'static str,
    pub vpc: Pick,
    /// In which subnets of the VPC it has a node.
    pub subnets: u16,
    pub groups: Vec<Pick>,
    pub across: bool,
    pub failed: bool,
    /// Of the nodes: a second family.
    pub v6: bool,
    pub public: bool,
    /// Whether a group of its own admits everything, and is admitted by the groups of targets that say so.
    pub wide: bool,
    /// Protocol, port, target groups.
    pub listeners: Vec<(&'static str, u16, Vec<Pick>)>,
}

pub fn balancer() -> impl Strategy<Value = BalancerRecipe> {
    use prop::collection::vec;
    let kinds = select(vec![
        "network",
        "network",
        "network",
        "network",
        "network",
        "application",
        "application",
        "classic",
        "gateway",
    ]);
    let protocols = select(vec!["TCP", "TCP", "TCP", "UDP", "TCP_UDP"]);
    let listeners = vec((protocols, select(PORTS.to_vec()), vec(pick(), 0..=3)), 1..=2);
    let flags = (share(60), share(4), share(50), share(40), share(75));
    (kinds, pick(), any::<u16>(), vec(pick(), 0..=2), flags, listeners).prop_map(
        |(kind, vpc, subnets, groups, (across, failed, v6, public, wide), listeners)| BalancerRecipe {
            kind,
            vpc,
            subnets,
            groups,
            across,
            failed,
            v6,
            public,
            wide,
            listeners,
        },
    )
}

#[derive(Debug, Clone)]
pub struct TargetGroupRecipe {
    pub vpc: Pick,
    pub kind: &'static str,
    pub protocol: &'static str,
    pub port: u16,
    pub words: (&'static str, &'static str),
    /// Which, at a port of its own, in which state, whether every zone sends to it, and whether its groups admit the
    /// balancers' own.
    pub targets: Vec<(Pick, Option<u16>, &'static str, bool, bool)>,
}

pub fn target_group() -> impl Strategy<Value = TargetGroupRecipe> {
    let kinds = select(vec!["instance", "instance", "ip", "ip", "alb"]);
    let protocols = select(vec!["TCP", "TCP", "TCP", "UDP", "TCP_UDP"]);
    let words = (select(vec!["", "", " across", " apart"]), select(vec!["", " kept", " kept", " masked"]));
    let states = select(vec!["", "healthy", "healthy", "unhealthy", "draining"]);
    let port = || select(PORTS.to_vec());
    let own = prop_oneof![3 => Just(None), 1 => port().prop_map(Some)];
    let target = (pick(), own, states, share(10), share(70));
    (pick(), kinds, protocols, port(), words, prop::collection::vec(target, 0..=4)).prop_map(
        |(vpc, kind, protocol, port, words, targets)| TargetGroupRecipe {
            vpc,
            kind,
            protocol,
            port,
            words,
            targets,
        },
    )
}

impl Recipe {
    pub(super) fn write_balancers(&self, text: &mut String) {
        if !self.balancers.is_empty() {
            line(text, format_args!("group sg-wide"));
            for (direction, cidr) in
                [("in", "0.0.0.0/0"), ("in", "::/0"), ("out", "0.0.0.0/0"), ("out", "::/0")]
            {
                line(text, format_args!("sg-wide {direction} all {cidr}"));
            }
        }
        for (number, balancer) in self.balancers.iter().enumerate() {
            self.write_balancer(text, number, balancer);
        }
        for (number, group) in self.target_groups.iter().enumerate() {
            self.write_target_group(text, number, group);
        }
        for (number, balancer) in self.balancers.iter().enumerate().filter(|it| self.has_nodes(it.1)) {
            let mut said = Said::default();
            for (protocol, port, groups) in &balancer.listeners {
                let _ = write!(text, "listen lb-{number} {protocol} {port}");
                match balancer.kind {
                    "classic" => {
                        let _ = write!(text, " {}", PORTS[usize::from(*port) % PORTS.len()]);
                    }
                    _ => {
                        for group in groups {
                            let _ = write!(text, " tg-{}", usize::from(*group) % self.target_groups.len());
                        }
                    }
                }
                text.push('\n');
            }
            if balancer.kind == "classic" {
                let targets = self.target_groups.iter().flat_map(|group| &group.targets);
                for (pick, ..) in targets {
                    let host = self.target_host(*pick);
                    if self.hosts[host].instance && said.first(host.to_string()) {
                        line(text, format_args!("target lb-{number} i-{host}"));
                    }
                }
            }
        }
    }

    fn subnets_of<'a>(&'a self, balancer: &'a BalancerRecipe) -> impl Iterator<Item = usize> + 'a {
        let vpc = self.vpc(balancer.vpc);
        let here = (0..self.subnets.len()).filter(move |subnet| self.vpc_of_subnet(*subnet) == vpc);
        here.filter(|subnet| balancer.subnets >> subnet & 1 == 1)
    }

    fn has_nodes(&self, balancer: &BalancerRecipe) -> bool {
        self.subnets_of(balancer).next().is_some()
    }

    fn write_balancer(&self, text: &mut String, number: usize, balancer: &BalancerRecipe) {
        if !self.has_nodes(balancer) {
            return;
        }
        let _ = write!(text, "lb lb-{number} {}", balancer.kind);
        self.subnets_of(balancer).for_each(|subnet| {
            let _ = write!(text, " subnet-{subnet}");
        });
        for (says, word) in [(balancer.across, " across"), (balancer.failed, " failed")] {
            text.push_str(if says { word } else { "" });
        }
        text.push('\n');
        let mut groups = Said::default();
        let groups: Vec<usize> = balancer
            .groups
            .iter()
            .map(|&pick| usize::from(pick) % self.groups.len())
            .filter(|group| groups.first(group.to_string()))
            .collect();
        for subnet in self.subnets_of(balancer) {
            let last = 150 + number;
            let _ =
                write!(text, "eni eni-lb{number}{subnet} subnet-{subnet} {}.{last}", self.subnet_v4(subnet));
            if balancer.public {
                let _ = write!(text, "=203.0.113.{}", 150 + 10 * number + subnet);
            }
            if balancer.v6 && self.vpcs[self.vpc_of_subnet(subnet)].v6 {
                let _ = write!(text, " {}:{last:x}", self.subnet_v6(subnet));
            }
            for group in &groups {
                let _ = write!(text, " sg-{group}");
            }
            text.push_str(if balancer.wide { " sg-wide" } else { "" });
            text.push('\n');
            line(text, format_args!("node eni-lb{number}{subnet} lb-{number}"));
        }
    }

    /// Mostly one in the VPC of the first balancer.
    fn target_host(&self, pick: Pick) -> usize {
        let vpc = self.balancers.first().map(|balancer| self.vpc(balancer.vpc));
        let near: Vec<usize> =
            (0..self.hosts.len()).filter(|host| Some(self.vpc_of_host(*host)) == vpc).collect();
        match near.len() {
            0 => usize::from(pick) % self.hosts.len(),
            _ if pick % 8 == 7 => usize::from(pick) % self.hosts.len(),
            some => near[usize::from(pick) % some],
        }
    }

    fn write_target_group(&self, text: &mut String, number: usize, group: &TargetGroupRecipe) {
        let TargetGroupRecipe { vpc, kind, protocol, port, words, targets } = group;
        let (across, kept) = words;
        let vpc = self.vpc(*vpc);
        line(text, format_args!("tg tg-{number} vpc-{vpc} {kind} {protocol} {port}{across}{kept}"));
        for (pick, own, state, all, admitting) in targets {
            let host = self.target_host(*pick);
            if let (true, false, Some(group)) =
                (*admitting, self.balancers.is_empty(), self.hosts[host].groups.first())
            {
                let group = usize::from(*group) % self.groups.len();
                line(text, format_args!("sg-{group} in all sg-wide"));
            }
            let balancers = || self.balancers.iter().enumerate();
            let balancer = || balancers().find(|it| it.1.kind == "application" && self.has_nodes(it.1));
            let id = match *kind {
                "instance" if self.hosts[host].instance => format!("i-{host}"),
                "instance" => continue,
                "alb" => match balancer() {
                    Some((number, _)) => format!("lb-{number}"),
                    None => continue,
                },
                _ => self.host_v4(host),
            };
            let port = own.map(|port| format!(" {port}")).unwrap_or_default();
            let all = if *all { " all" } else { "" };
            line(text, format_args!("target tg-{number} {id}{port} {state}{all}"));
        }
    }
}
