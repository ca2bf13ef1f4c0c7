//! Drawings to try: a small shop, and accounts of any size.

use doorward_core::reach::RoleId;

use super::{Drawing, Edge, Kind, Outside, Role, Spot, Tier, Vpc};

/// A role.
pub fn role(id: u32, name: &str, groups: &[&str], members: usize, public: bool) -> Role {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Role { id: RoleId(id), name: name.into(), groups, members, public }
}

/// A tier.
pub fn tier(title: &str, about: &str, roles: Vec<Role>) -> Tier {
    Tier { title: title.into(), about: about.into(), subnets: vec![format!("subnet-{title}")], roles }
}

/// A way.
pub fn edge(from: Spot, to: Spot, flows: &str, kind: Kind) -> Edge {
    Edge { from, to, flows: flows.into(), perhaps: String::new(), kind, whole: true }
}

fn r(id: u32) -> Spot {
    Spot::Role(RoleId(id))
}

/// Ten roles in two VPCs.
pub fn small() -> Drawing {
    let internet = Spot::Outside(0);
    let office = Spot::Outside(1);
    let vpn = Spot::Outside(2);
    Drawing {
        title: "The shop's account 111122223333".into(),
        notes: vec!["Not seen: ecs:DescribeTasks in eu-west-1 gave no answer: denied.".into()],
        outside: vec![
            Outside { name: "Internet".into(), about: "all public addresses".into(), internet: true },
            Outside {
                name: "198.51.100.0/24".into(),
                about: "some addresses outside".into(),
                internet: false,
            },
            Outside {
                name: "vgw-0a1b2c3d".into(),
                about: "behind a VPN or a direct line".into(),
                internet: false,
            },
        ],
        vpcs: vec![
            Vpc {
                id: "vpc-0a1b2c3d4e5f60718".into(),
                name: Some("prod".into()),
                about: vec!["10.0.0.0/16".into(), "eu-west-1 of account 111122223333".into()],
                tiers: vec![
                    tier(
                        "public",
                        "public · 3 subnets",
                        vec![
                            role(0, "shop-alb", &["alb"], 3, true),
                            role(1, "bastion", &["bastion", "ssh"], 1, true),
                        ],
                    ),
                    tier(
                        "app",
                        "private, out by NAT · 3 subnets",
                        vec![
                            role(2, "web", &["web", "db_connect"], 6, false),
                            role(3, "worker", &["worker", "db_connect"], 2, false),
                            role(
                                4,
                                "import-orders-from-marketplaces",
                                &["lambda", "db_connect", "cache_connect"],
                                1,
                                false,
                            ),
                        ],
                    ),
                    tier(
                        "data",
                        "isolated · 3 subnets",
                        vec![
                            role(5, "orders-prod", &["db"], 2, false),
                            role(6, "sessions", &["cache"], 3, false),
                            role(7, "orders-restored", &["default"], 1, false),
                        ],
                    ),
                ],
            },
            Vpc {
                id: "vpc-0f1e2d3c4b5a69788".into(),
                name: Some("tools".into()),
                about: vec!["10.9.0.0/16".into()],
                tiers: vec![tier(
                    "tools",
                    "public · 1 subnet",
                    vec![role(8, "grafana", &["grafana"], 1, true), role(9, "runner", &["ci"], 4, false)],
                )],
            },
        ],
        edges: vec![
            edge(internet, r(0), "tcp/80, tcp/443", Kind::Web),
            edge(office, r(1), "tcp/22", Kind::Shell),
            edge(vpn, r(8), "tcp/443", Kind::Web),
            edge(r(0), r(2), "tcp/8080", Kind::Web),
            edge(r(1), r(2), "tcp/22", Kind::Shell),
            edge(r(1), r(3), "tcp/22", Kind::Shell),
            edge(r(2), r(5), "tcp/5432", Kind::Database),
            edge(r(3), r(5), "tcp/5432", Kind::Database),
            edge(r(4), r(5), "tcp/5432", Kind::Database),
            edge(r(2), r(6), "tcp/6379", Kind::Database),
            edge(r(4), r(6), "tcp/6379", Kind::Database),
            edge(r(2), r(2), "tcp/7946, udp/7946", Kind::Other),
            edge(r(2), internet, "all", Kind::Wide),
            edge(r(3), internet, "all", Kind::Wide),
            edge(r(4), internet, "all", Kind::Wide),
            Edge { perhaps: "tcp/22".into(), ..edge(r(9), r(2), "", Kind::Shell) },
            edge(r(9), r(8), "tcp/3000", Kind::Web),
            Edge { whole: false, ..edge(r(9), internet, "tcp/443", Kind::Web) },
        ],
        part: false,
    }
}

/// Numbers that look drawn by lot, the same every time.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("a small number") % end.max(1)
    }
}

/// An account of so many roles, as accounts of that size are: some environments of three tiers, egress nearly
/// everywhere, services that talk to a few others, and a VPN.
pub fn account(roles: usize, seed: u64) -> Drawing {
    let mut lot = Lot(seed);
    let words =
        ["orders", "billing", "search", "users", "stock", "mail", "reports", "media", "auth", "prices"];
    let sorts = [("alb", 12), ("web", 30), ("worker", 28), ("api", 20), ("db", 10)];
    let environments = (roles / 60).clamp(1, 8);
    let names = ["prod", "stage", "dev", "tools", "data", "shared", "legacy", "lab"];
    let mut drawing = Drawing {
        title: format!("An account of {roles} roles"),
        outside: vec![
            Outside { name: "Internet".into(), about: "all public addresses".into(), internet: true },
            Outside {
                name: "vgw-0a1b2c3d".into(),
                about: "behind a VPN or a direct line".into(),
                internet: false,
            },
        ],
        ..Drawing::default()
    };
    let mut all: Vec<(usize, &str, Spot)> = Vec::new();
    for (environment, name) in names.iter().enumerate().take(environments) {
        let mut tiers = [Vec::new(), Vec::new(), Vec::new()];
        let share = roles / environments + usize::from(environment < roles % environments);
        for number in 0..share {
            let id = u32::try_from(all.len()).expect("few roles");
            let mut at = lot.below(100);
            let sort = sorts.iter().find(|(_, share)| {
                let found = at < *share;
                at = at.saturating_sub(*share);
                found
            });
            let sort = sort.map_or("web", |(sort, _)| *sort);
            let word = words[lot.below(words.len())];
            let title = format!("{word}-{sort}-{number}");
            let group = format!("{word}-{sort}");
            let level = match sort {
                "alb" => 0,
                "db" => 2,
                _ => 1,
            };
            tiers[level].push(role(id, &title, &[&group, "default"], 1 + lot.below(4), level == 0));
            all.push((environment, sort, r(id)));
        }
        let [public, app, data] = tiers;
        drawing.vpcs.push(Vpc {
            id: format!("vpc-0a1b2c3d4e5f6071{environment}"),
            name: Some((*name).into()),
            about: vec![format!("10.{environment}.0.0/16"), "eu-west-1".into()],
            tiers: vec![
                tier("public", "public · 3 subnets", public),
                tier("private", "private, out by NAT · 3 subnets", app),
                tier("data", "isolated · 3 subnets", data),
            ],
        });
    }
    let internet = Spot::Outside(0);
    let mut edges = std::collections::BTreeMap::new();
    for (environment, sort, spot) in &all {
        let mates: Vec<&(usize, &str, Spot)> = all.iter().filter(|other| other.0 == *environment).collect();
        let pick = |sort: &str, lot: &mut Lot| {
            let some: Vec<Spot> = mates.iter().filter(|other| other.1 == sort).map(|other| other.2).collect();
            (!some.is_empty()).then(|| some[lot.below(some.len())])
        };
        let mut add = |from: Spot, to: Option<Spot>, flows: &str, kind: Kind| {
            if let Some(to) = to {
                edges.insert((from, to), edge(from, to, flows, kind));
            }
        };
        match *sort {
            "alb" => {
                add(internet, Some(*spot), "tcp/80, tcp/443", Kind::Web);
                add(*spot, pick("web", &mut lot), "tcp/8080", Kind::Web);
                add(*spot, pick("api", &mut lot), "tcp/8080", Kind::Web);
            }
            "db" => {}
            _ => {
                add(*spot, Some(internet), "all", Kind::Wide);
                if lot.below(3) > 0 {
                    add(*spot, pick("db", &mut lot), "tcp/5432", Kind::Database);
                }
                for _ in 0..lot.below(4) {
                    add(*spot, pick("api", &mut lot), "tcp/8443", Kind::Web);
                }
                if lot.below(12) == 0 {
                    add(Spot::Outside(1), Some(*spot), "tcp/22", Kind::Shell);
                }
            }
        }
    }
    drawing.edges = edges.into_values().filter(|edge| edge.from != edge.to).collect();
    drawing
}
