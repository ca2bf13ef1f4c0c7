//! Random accounts: small, full of near misses, and readable when one fails.
//!
//! Everything is drawn as numbers and small choices that point at each other by remainder, so that a failing
//! account shrinks by leaving things out. What AWS would not let be made (two routes of one prefix, a route to
//! another VPC's interface) is left out when the account is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;

use doorward_core::inventory::Inventory;
use proptest::prelude::*;
use proptest::sample::select;

use crate::written::account;

/// A random account; it is shown as the lines that it was read from.
#[derive(Clone)]
pub struct Account {
    pub text: String,
    pub inventory: Inventory,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

/// Accounts as the brief of the comparison has them: one to three VPCs, two to eight interfaces.
pub fn accounts() -> impl Strategy<Value = Account> {
    recipe().prop_map(|recipe| {
        let text = recipe.write();
        let inventory = account(&text);
        Account { text, inventory }
    })
}

/// Points at the one of a list that remains after dividing.
type Pick = u8;

fn pick() -> impl Strategy<Value = Pick> {
    0..24_u8
}

fn share(percent: u32) -> impl Strategy<Value = bool> {
    (0..100_u32).prop_map(move |draw| draw >= 100 - percent)
}

/// A prefix among those that matter in the account.
#[derive(Debug, Clone, Copy)]
enum Where {
    Any,
    Any6,
    Host,
    Host6,
    Subnet,
    Subnet6,
    Vpc,
    Vpc6,
    Ten,
    HalfVpc,
    AroundHost,
    AroundHost6,
    NextHost,
    Outside,
    OutsideHost,
    Outside6,
    Global6,
    Remote,
    RemoteHost,
    Shared,
    PublicOfHost,
}

fn place() -> impl Strategy<Value = (Where, Pick)> {
    use Where::*;
    let all = vec![
        Any,
        Any,
        Any,
        Any,
        Any6,
        Any6,
        Host,
        Host,
        Host6,
        Subnet,
        Subnet,
        Subnet6,
        Vpc,
        Vpc,
        Vpc6,
        Ten,
        HalfVpc,
        AroundHost,
        AroundHost6,
        NextHost,
        Outside,
        OutsideHost,
        Outside6,
        Global6,
        Remote,
        RemoteHost,
        Shared,
        PublicOfHost,
    ];
    (select(all), pick())
}

const FLOWS: [&str; 32] = [
    "all",
    "all",
    "all",
    "tcp/22",
    "tcp/443",
    "tcp/5432",
    "tcp/0-65535",
    "tcp/0-65535",
    "tcp/80-443",
    "tcp/443-5432",
    "tcp/1024-65535",
    "tcp/22-1024",
    "tcp/65535",
    "tcp/0",
    "udp/443",
    "udp/0-65535",
    "udp/22-32768",
    "icmp",
    "icmp/8",
    "icmp/8/0",
    "icmp/0",
    "icmp/3/4",
    "icmp/13",
    "icmpv6",
    "icmpv6/128/0",
    "icmpv6/129",
    "proto/47",
    "proto/50",
    "tcp/32768-65535",
    "tcp/49152-65535",
    "udp/49152-65535",
    "tcp/80",
];

/// What ACLs are about besides: replies.
const EPHEMERAL: [&str; 9] = [
    "tcp/1024-65535",
    "tcp/32768-65535",
    "tcp/49152-65535",
    "tcp/1024-32768",
    "tcp/1025-65535",
    "tcp/1024",
    "udp/1024-65535",
    "udp/32768-49152",
    "tcp/65535",
];

#[derive(Debug, Clone, Copy)]
enum PeerRecipe {
    Cidr(Where, Pick),
    Group(Pick),
    Deleted,
    List(Pick),
}

fn peer() -> impl Strategy<Value = PeerRecipe> {
    prop_oneof![
        12 => place().prop_map(|(place, pick)| PeerRecipe::Cidr(place, pick)),
        8 => pick().prop_map(PeerRecipe::Group),
        1 => Just(PeerRecipe::Deleted),
        2 => pick().prop_map(PeerRecipe::List),
    ]
}

#[derive(Debug, Clone)]
struct GroupRecipe {
    rules_in: Vec<(&'static str, PeerRecipe)>,
    rules_out: Vec<(&'static str, PeerRecipe)>,
    /// Whether everything may come in, and whether AWS's own first egress rules still stand.
    wide: (bool, bool),
}

fn group() -> impl Strategy<Value = GroupRecipe> {
    let rules = || prop::collection::vec((select(FLOWS.to_vec()), peer()), 0..=3);
    (rules(), rules(), (share(35), share(65))).prop_map(|(rules_in, rules_out, wide)| GroupRecipe {
        rules_in,
        rules_out,
        wide,
    })
}

#[derive(Debug, Clone)]
struct HostRecipe {
    subnet: Pick,
    groups: Vec<Pick>,
    public: bool,
    v6: bool,
    /// A second address, and whether that is public.
    second: Option<bool>,
    forwards: bool,
    instance: bool,
    detached: bool,
    kind: &'static str,
}

fn host() -> impl Strategy<Value = HostRecipe> {
    let mut kinds = vec!["interface"; 17];
    kinds.extend(["network_load_balancer", "vpc_endpoint", "lambda"]);
    let second = prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let flags = (share(45), share(45), share(40), share(25), share(4));
    (pick(), prop::collection::vec(pick(), 0..=3), flags, second, select(kinds)).prop_map(
        |(subnet, groups, (public, v6, forwards, instance, detached), second, kind)| HostRecipe {
            subnet,
            groups,
            public,
            v6,
            second,
            forwards,
            instance,
            detached,
            kind,
        },
    )
}

#[derive(Debug, Clone)]
struct EntryRecipe {
    inward: bool,
    allow: bool,
    flow: &'static str,
    place: (Where, Pick),
}

fn entries() -> impl Strategy<Value = Vec<EntryRecipe>> {
    let flows: Vec<&str> = FLOWS.into_iter().chain(EPHEMERAL).chain(EPHEMERAL).collect();
    let entry = (any::<bool>(), share(55), select(flows), place())
        .prop_map(|(inward, allow, flow, place)| EntryRecipe { inward, allow, flow, place });
    prop::collection::vec(entry, 0..=5)
}

#[derive(Debug, Clone)]
struct AclRecipe {
    vpc: Pick,
    subnets: u16,
    entries: Vec<EntryRecipe>,
    /// Whether what no entry matches passes inward, outward.
    rest: (bool, bool),
    /// Some of the ports of replies, allowed where nothing else is said or denied before all else.
    replies: Option<(bool, bool, &'static str)>,
}

fn acl() -> impl Strategy<Value = AclRecipe> {
    let replies = (any::<bool>(), share(50), select(EPHEMERAL.to_vec()));
    let replies = prop_oneof![1 => Just(None), 3 => replies.prop_map(Some)];
    (pick(), any::<u16>(), entries(), (share(60), share(60)), replies)
        .prop_map(|(vpc, subnets, entries, rest, replies)| AclRecipe { vpc, subnets, entries, rest, replies })
}

#[derive(Debug, Clone, Copy)]
enum RouteRecipe {
    /// All of IPv4 to the internet gateway.
    Out,
    /// All of IPv6.
    Out6,
    /// All of IPv6, by the egress-only gateway.
    OutOnly6,
    /// All of IPv4 to a NAT gateway.
    OutNat(Pick),
    /// All of IPv4 to this one.
    ThroughNat(usize),
    /// A VPC by a peering or a transit gateway.
    ToPeer(Pick),
    ToPeer6(Pick),
    ToTransit(Pick, Pick),
    ToTransit6(Pick, Pick),
    /// What is remote, by the VPN gateway.
    ToRemote((Where, Pick)),
    /// The service of a gateway endpoint.
    ToService(Pick, Pick),
    /// An interface or a subnet of the VPC, or all of IPv4, by an interface that may be an appliance.
    Inspect(Pick, Pick),
    /// Anything anywhere.
    Mixed((Where, Pick), Target),
    /// A prefix list anywhere.
    List(Pick, Target),
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Local,
    Internet,
    Outward,
    Nat(Pick),
    ThisNat(usize),
    Interface(Pick),
    Instance(Pick),
    Peering(Pick),
    Transit(Pick),
    Vpn,
    Service(Pick),
    /// An internet gateway that is not there.
    Gone,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        2 => Just(Target::Internet),
        1 => Just(Target::Local),
        1 => Just(Target::Outward),
        3 => pick().prop_map(Target::Nat),
        6 => pick().prop_map(Target::Interface),
        1 => pick().prop_map(Target::Instance),
        2 => pick().prop_map(Target::Peering),
        2 => pick().prop_map(Target::Transit),
        1 => Just(Target::Vpn),
        1 => pick().prop_map(Target::Service),
        1 => Just(Target::Gone),
    ]
}

/// A route, whether it is propagated, whether it is a black hole.
type RouteOf = (RouteRecipe, bool, bool);

fn routes() -> impl Strategy<Value = Vec<RouteOf>> {
    let route = prop_oneof![
        4 => Just(RouteRecipe::Out),
        2 => Just(RouteRecipe::Out6),
        1 => Just(RouteRecipe::OutOnly6),
        5 => pick().prop_map(RouteRecipe::OutNat),
        4 => pick().prop_map(RouteRecipe::ToPeer),
        1 => pick().prop_map(RouteRecipe::ToPeer6),
        4 => (pick(), pick()).prop_map(|(vpc, by)| RouteRecipe::ToTransit(vpc, by)),
        1 => (pick(), pick()).prop_map(|(vpc, by)| RouteRecipe::ToTransit6(vpc, by)),
        2 => place().prop_map(RouteRecipe::ToRemote),
        2 => (pick(), pick()).prop_map(|(list, by)| RouteRecipe::ToService(list, by)),
        6 => (pick(), pick()).prop_map(|(to, by)| RouteRecipe::Inspect(to, by)),
        5 => (place(), target()).prop_map(|(to, by)| RouteRecipe::Mixed(to, by)),
        1 => (pick(), target()).prop_map(|(list, by)| RouteRecipe::List(list, by)),
    ];
    prop::collection::vec((route, share(12), share(5)), 0..=5)
}

#[derive(Debug, Clone)]
struct TableRecipe {
    vpc: Pick,
    subnets: u16,
    /// Whether it is the internet gateway's or the VPN gateway's own.
    edge: (bool, bool),
    routes: Vec<RouteOf>,
}

fn table() -> impl Strategy<Value = TableRecipe> {
    (pick(), any::<u16>(), (share(12), share(12)), routes())
        .prop_map(|(vpc, subnets, edge, routes)| TableRecipe { vpc, subnets, edge, routes })
}

#[derive(Debug, Clone)]
struct VpcRecipe {
    v6: bool,
    abroad: bool,
    /// Whether its prefixes are those of the first.
    overlaps: bool,
    main: Vec<RouteOf>,
    default_acl: Option<(Vec<EntryRecipe>, (bool, bool))>,
    internet: bool,
    outward: bool,
    vpn: bool,
    /// Whether every table has a way out by the gateway, of IPv6 by the egress-only one.
    out: bool,
    out6: bool,
}

fn vpc() -> impl Strategy<Value = VpcRecipe> {
    let default_acl = prop_oneof![3 => Just(None), 1 => (entries(), (share(70), share(70))).prop_map(Some)];
    let flags = (share(60), share(15), share(8), share(85), share(40), share(35));
    let out = (share(45), share(20));
    (flags, out, routes(), default_acl).prop_map(
        |((v6, abroad, overlaps, internet, outward, vpn), (out, out6), main, default_acl)| VpcRecipe {
            v6,
            abroad,
            overlaps,
            main,
            default_acl,
            internet,
            outward,
            vpn,
            out,
            out6,
        },
    )
}

/// Where, and a zone.
type SubnetRecipe = (Pick, u8);

#[derive(Debug, Clone)]
struct NatRecipe {
    subnet: Pick,
    private: bool,
    pending: bool,
    /// Whether its interface is seen.
    interface: bool,
    /// Whether its subnet has a table of its own with a way out, and all other tables of the VPC lead to it.
    serves: bool,
}

fn nat() -> impl Strategy<Value = NatRecipe> {
    (pick(), share(35), share(8), share(40), share(50)).prop_map(
        |(subnet, private, pending, interface, serves)| NatRecipe {
            subnet,
            private,
            pending,
            interface,
            serves,
        },
    )
}

#[derive(Debug, Clone)]
struct TransitRecipe {
    references: bool,
    /// For each VPC: which subnets, which table (some have none), whether it is mute, whether it is pending.
    attached: Vec<Option<(u16, Pick, bool, bool)>>,
    vpn: Option<Pick>,
    tables: Vec<Vec<(TransitRouteRecipe, bool)>>,
    /// Whether every VPC's tables lead to it, and its own to all that is attached.
    routed: bool,
}

#[derive(Debug, Clone, Copy)]
enum TransitRouteRecipe {
    Home(Pick),
    Home6(Pick),
    Remote(Pick),
    Peer((Where, Pick)),
    Mixed((Where, Pick), Pick),
    Blackhole((Where, Pick)),
}

fn transit() -> impl Strategy<Value = TransitRecipe> {
    let attached = (any::<u16>(), pick(), share(15), share(5));
    let route = prop_oneof![
        8 => pick().prop_map(TransitRouteRecipe::Home),
        2 => pick().prop_map(TransitRouteRecipe::Home6),
        2 => pick().prop_map(TransitRouteRecipe::Remote),
        3 => place().prop_map(TransitRouteRecipe::Peer),
        3 => (place(), pick()).prop_map(|(to, by)| TransitRouteRecipe::Mixed(to, by)),
        1 => place().prop_map(TransitRouteRecipe::Blackhole),
    ];
    let tables = prop::collection::vec(prop::collection::vec((route, share(40)), 0..=5), 1..=2);
    let attached = prop_oneof![1 => Just(None), 5 => attached.prop_map(Some)];
    let vpn = prop_oneof![1 => Just(None), 1 => pick().prop_map(Some)];
    (share(60), prop::collection::vec(attached, 3), vpn, tables, share(60)).prop_map(
        |(references, attached, vpn, tables, routed)| TransitRecipe {
            references,
            attached,
            vpn,
            tables,
            routed,
        },
    )
}

#[derive(Debug, Clone)]
struct Recipe {
    vpcs: Vec<VpcRecipe>,
    subnets: Vec<SubnetRecipe>,
    hosts: Vec<HostRecipe>,
    groups: Vec<GroupRecipe>,
    lists: Vec<Vec<(Where, Pick)>>,
    acls: Vec<AclRecipe>,
    tables: Vec<TableRecipe>,
    nats: Vec<NatRecipe>,
    /// Between which two, whether it is pending, and whether every table of both leads there.
    peerings: Vec<(Pick, Pick, bool, bool)>,
    transits: Vec<TransitRecipe>,
    /// Whether two transit gateways are peered, and by which table each routes what comes.
    transit_peering: Option<(Pick, Pick)>,
    /// Of which VPC, whether it is a gateway's, whether it is pending, whether every table leads to it.
    endpoints: Vec<(Pick, bool, bool, bool)>,
    /// Whether both ways are blocked; exceptions of VPCs or subnets.
    block: Option<(bool, Vec<(bool, Pick, bool)>)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    use prop::collection::vec;
    let exceptions = vec((any::<bool>(), pick(), any::<bool>()), 0..=2);
    let block = prop_oneof![7 => Just(None), 1 => (any::<bool>(), exceptions).prop_map(Some)];
    let transit_peering = prop_oneof![1 => Just(None), 3 => (pick(), pick()).prop_map(Some)];
    let listed = prop_oneof![
        1 => place(),
        1 => (select(vec![Where::Outside, Where::OutsideHost, Where::Outside6]), pick()),
    ];
    let network = (
        vec(vpc(), 1..=3),
        vec((pick(), 0..3_u8), 1..=8),
        vec(host(), 2..=8),
        vec(group(), 1..=5),
        vec(vec(listed, 1..=3), 1..=2),
        vec(acl(), 0..=3),
        vec(table(), 0..=4),
    );
    let ways = (
        vec(nat(), 0..=3),
        vec((pick(), pick(), share(8), share(60)), 0..=2),
        vec(transit(), 0..=2),
        transit_peering,
        vec((pick(), share(85), share(8), share(50)), 0..=2),
        block,
    );
    (network, ways).prop_map(
        |(
            (vpcs, subnets, hosts, groups, lists, acls, tables),
            (nats, peerings, transits, transit_peering, endpoints, block),
        )| Recipe {
            vpcs,
            subnets,
            hosts,
            groups,
            lists,
            acls,
            tables,
            nats,
            peerings,
            transits,
            transit_peering,
            endpoints,
            block,
        },
    )
}

/// What a line has said already, so that no other says it again.
#[derive(Default)]
struct Said(BTreeSet<String>);

impl Said {
    fn first(&mut self, what: impl Into<String>) -> bool {
        self.0.insert(what.into())
    }
}

impl Recipe {
    fn vpc(&self, pick: Pick) -> usize {
        usize::from(pick) % self.vpcs.len()
    }

    fn subnet(&self, pick: Pick) -> usize {
        usize::from(pick) % self.subnets.len()
    }

    fn vpc_of_subnet(&self, subnet: usize) -> usize {
        self.vpc(self.subnets[subnet].0)
    }

    fn vpc_of_host(&self, host: usize) -> usize {
        self.vpc_of_subnet(self.subnet(self.hosts[host].subnet))
    }

    /// The number that the prefixes of a VPC bear.
    fn net(&self, vpc: usize) -> usize {
        if self.vpcs[vpc].overlaps { 0 } else { vpc }
    }

    fn subnet_v4(&self, subnet: usize) -> String {
        format!("10.{}.{subnet}", self.net(self.vpc_of_subnet(subnet)))
    }

    fn subnet_v6(&self, subnet: usize) -> String {
        format!("2001:db8:{:x}:{subnet:x}:", self.net(self.vpc_of_subnet(subnet)))
    }

    fn host_v4(&self, host: usize) -> String {
        format!("{}.{}", self.subnet_v4(self.subnet(self.hosts[host].subnet)), 10 + host)
    }

    fn host_v6(&self, host: usize) -> String {
        format!("{}:{:x}", self.subnet_v6(self.subnet(self.hosts[host].subnet)), 16 + host)
    }

    fn cidr(&self, (place, pick): (Where, Pick)) -> String {
        let host = usize::from(pick) % self.hosts.len();
        let subnet = self.subnet(pick);
        let vpc = self.net(self.vpc(pick));
        let around = |text: String, bits: u8| {
            let address = text.parse().expect("an address");
            doorward_core::net::Cidr::around(address, bits).to_string()
        };
        match place {
            Where::Any => "0.0.0.0/0".into(),
            Where::Any6 => "::/0".into(),
            Where::Host => format!("{}/32", self.host_v4(host)),
            Where::Host6 => format!("{}/128", self.host_v6(host)),
            Where::Subnet => format!("{}.0/24", self.subnet_v4(subnet)),
            Where::Subnet6 => format!("{}:/64", self.subnet_v6(subnet)),
            Where::Vpc => format!("10.{vpc}.0.0/16"),
            Where::Vpc6 => format!("2001:db8:{vpc:x}::/56"),
            Where::Ten => "10.0.0.0/8".into(),
            Where::HalfVpc => format!("10.{vpc}.0.0/22"),
            Where::AroundHost => around(self.host_v4(host), 30),
            Where::AroundHost6 => around(self.host_v6(host), 126),
            Where::NextHost => around(format!("{}.{}", self.subnet_v4(subnet), 11 + host), 32),
            Where::Outside => "198.51.100.0/24".into(),
            Where::OutsideHost => "198.51.100.7/32".into(),
            Where::Outside6 => "2001:db8:ffff::/48".into(),
            Where::Global6 => "2000::/3".into(),
            Where::Remote => "192.168.0.0/16".into(),
            Where::RemoteHost => "192.168.1.7/32".into(),
            Where::Shared => "100.64.0.0/10".into(),
            Where::PublicOfHost => format!("203.0.113.{}/32", 10 + host),
        }
    }

    fn write(&self) -> String {
        let mut text = String::new();
        self.write_networks(&mut text);
        self.write_groups(&mut text);
        self.write_hosts(&mut text);
        self.write_gateways(&mut text);
        let lists = self.write_lists(&mut text);
        self.write_acls(&mut text);
        self.write_transits(&mut text);
        self.write_tables(&mut text, lists);
        self.write_block(&mut text);
        text
    }

    fn write_networks(&self, text: &mut String) {
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

    fn write_groups(&self, text: &mut String) {
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
                        PeerRecipe::List(pick) => format!("pl-{}", usize::from(pick) % self.lists.len()),
                    };
                    line(text, format_args!("sg-{number} {direction} {flow} {peer}"));
                }
            }
        }
    }

    fn write_hosts(&self, text: &mut String) {
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

    fn write_gateways(&self, text: &mut String) {
        for (number, vpc) in self.vpcs.iter().enumerate() {
            let gateways = [("igw", vpc.internet), ("eigw", vpc.outward), ("vgw", vpc.vpn)];
            for (kind, there) in gateways {
                // One that is not attached is there all the same.
                let vpc = if there { format!(" vpc-{number}") } else { String::new() };
                line(text, format_args!("{kind} {kind}-{number}{vpc}"));
            }
        }
        for (number, nat) in self.nats.iter().enumerate() {
            let subnet = self.subnet(nat.subnet);
            let own = format!("{}.{}", self.subnet_v4(subnet), 5 + number);
            let public = if nat.private { " private".into() } else { format!("=203.0.113.{}", 200 + number) };
            let pending = if nat.pending { " pending" } else { "" };
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
    fn write_lists(&self, text: &mut String) -> usize {
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

    fn write_acls(&self, text: &mut String) {
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
    fn write_members(&self, text: &mut String, said: &mut Said, vpc: usize, bits: u16) {
        for subnet in 0..self.subnets.len() {
            if self.vpc_of_subnet(subnet) == vpc && bits >> subnet & 1 == 1 && said.first(subnet.to_string())
            {
                let _ = write!(text, " subnet-{subnet}");
            }
        }
        text.push('\n');
    }

    fn write_entries(&self, text: &mut String, id: &str, entries: &[EntryRecipe], rest: (bool, bool)) {
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

    fn write_transits(&self, text: &mut String) {
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
                let flags = [(*mute, " mute"), (*pending, " pending")];
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

    fn write_transit_routes(
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
        let peered = self.transit_peering.is_some() && self.transits.len() == 2;
        let peer = peered.then(|| "tgw-attach-peer".to_owned());
        let home = |pick: Pick| {
            let vpc = self.vpc(pick);
            transit.attached[vpc].map(|_| format!("tgw-attach-{number}v{vpc}"))
        };
        let homes = attachments.clone();
        attachments.extend(vpn.clone());
        attachments.extend(peer.clone());
        let mut said = Said::default();
        let known = (0..self.vpcs.len()).flat_map(|vpc| {
            let vpc = Pick::try_from(vpc).expect("a few");
            [TransitRouteRecipe::Home(vpc), TransitRouteRecipe::Home6(vpc)]
        });
        let known = known.chain([TransitRouteRecipe::Remote(0), TransitRouteRecipe::Peer((Where::Ten, 0))]);
        let known = known.filter(|_| transit.routed).map(|route| (route, true));
        for (route, propagated) in routes.iter().copied().chain(known) {
            let (cidr, to, may_propagate) = match route {
                TransitRouteRecipe::Home(pick) => (self.cidr((Where::Vpc, pick)), home(pick), true),
                TransitRouteRecipe::Home6(pick) => (self.cidr((Where::Vpc6, pick)), home(pick), true),
                TransitRouteRecipe::Remote(pick) => {
                    let place = [Where::Remote, Where::RemoteHost, Where::Any][usize::from(pick) % 3];
                    (self.cidr((place, pick)), vpn.clone(), true)
                }
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

    fn write_tables(&self, text: &mut String, lists: usize) {
        let mut said = Said::default();
        for (number, vpc) in self.vpcs.iter().enumerate() {
            line(text, format_args!("table rtb-m{number} vpc-{number} main"));
            self.write_routes(text, &format!("rtb-m{number}"), number, &vpc.main, lists);
        }
        for (number, nat) in self.nats.iter().enumerate().filter(|(_, nat)| nat.serves) {
            let subnet = self.subnet(nat.subnet);
            if said.first(subnet.to_string()) {
                let (id, vpc) = (format!("rtb-n{number}"), self.vpc_of_subnet(subnet));
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

    fn write_routes(&self, text: &mut String, table: &str, vpc: usize, routes: &[RouteOf], lists: usize) {
        let mut said = Said::default();
        for (route, propagated, blackhole) in routes.iter().copied().chain(self.wired(vpc)) {
            let list = |pick: Pick| format!("pl-{}", usize::from(pick) % lists);
            let (to, target) = match route {
                RouteRecipe::Out => ("0.0.0.0/0".into(), Target::Internet),
                RouteRecipe::Out6 => ("::/0".into(), Target::Internet),
                RouteRecipe::OutOnly6 => ("::/0".into(), Target::Outward),
                RouteRecipe::OutNat(pick) => ("0.0.0.0/0".into(), Target::Nat(pick)),
                RouteRecipe::ThroughNat(number) => ("0.0.0.0/0".into(), Target::ThisNat(number)),
                RouteRecipe::ToPeer(pick) => (self.cidr((Where::Vpc, pick)), Target::Peering(pick)),
                RouteRecipe::ToPeer6(pick) => (self.cidr((Where::Vpc6, pick)), Target::Peering(pick)),
                RouteRecipe::ToTransit(pick, by) => (self.cidr((Where::Vpc, pick)), Target::Transit(by)),
                RouteRecipe::ToTransit6(pick, by) => (self.cidr((Where::Vpc6, pick)), Target::Transit(by)),
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
                    (self.cidr(place), Target::Interface(by))
                }
                RouteRecipe::Mixed(place, target) => (self.cidr(place), target),
                RouteRecipe::List(pick, target) => (list(pick), target),
            };
            let Some(word) = self.target(vpc, target) else { continue };
            // A gateway endpoint is only ever routed to by its service's list.
            if matches!(target, Target::Service(_)) && !to.starts_with("pl-") {
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

    /// The routes that every table of a VPC has, where nothing of its own comes first.
    fn wired(&self, vpc: usize) -> Vec<RouteOf> {
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
        }
        for (number, nat) in self.nats.iter().enumerate().filter(|(_, nat)| nat.serves) {
            if self.vpc_of_subnet(self.subnet(nat.subnet)) == vpc {
                routes.push(RouteRecipe::ThroughNat(number));
            }
        }
        for (number, endpoint) in self.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.3) {
            if self.vpc(endpoint.0) == vpc {
                let number = Pick::try_from(number).expect("a few");
                routes.push(RouteRecipe::ToService(number, number));
            }
        }
        let vpc = &self.vpcs[vpc];
        routes.extend(vpc.out6.then_some(RouteRecipe::OutOnly6));
        if vpc.out {
            routes.extend([RouteRecipe::Out, RouteRecipe::Out6]);
        }
        routes.into_iter().map(|route| (route, false, false)).collect()
    }

    /// What a route of a VPC may lead to.
    fn target(&self, vpc: usize, target: Target) -> Option<String> {
        let chosen = |pick: Pick, of: Vec<usize>| (!of.is_empty()).then(|| of[usize::from(pick) % of.len()]);
        Some(match target {
            Target::Local => "local".into(),
            Target::Internet => format!("igw-{vpc}"),
            Target::Outward => format!("eigw-{vpc}"),
            Target::Vpn => format!("vgw-{vpc}"),
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

    fn write_block(&self, text: &mut String) {
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

fn target_is_local(target: Target) -> bool {
    matches!(target, Target::Local)
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}
