//! What is drawn of interfaces: their addresses, groups and network ACLs, and which prefixes those are about.

use proptest::prelude::*;
use proptest::sample::select;

/// Points at the one of a list that remains after dividing.
pub type Pick = u8;

pub fn pick() -> impl Strategy<Value = Pick> {
    0..24_u8
}

pub fn share(percent: u32) -> impl Strategy<Value = bool> {
    (0..100_u32).prop_map(move |draw| draw >= 100 - percent)
}

/// A prefix among those that matter in the account.
#[derive(Debug, Clone, Copy)]
pub enum Where {
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
    /// In the VPC that was not recorded.
    Far,
    FarHost,
    /// What NAT64 makes of IPv4.
    Nat64,
    Shared,
    PublicOfHost,
}

pub fn place() -> impl Strategy<Value = (Where, Pick)> {
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
        Far,
        FarHost,
        Nat64,
        Shared,
        PublicOfHost,
    ];
    (select(all), pick())
}

pub const FLOWS: [&str; 32] = [
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
pub const EPHEMERAL: [&str; 9] = [
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
pub enum PeerRecipe {
    Cidr(Where, Pick),
    Group(Pick),
    Deleted,
    /// By a peering that is gone.
    Stale(Pick),
    List(Pick),
}

pub fn peer() -> impl Strategy<Value = PeerRecipe> {
    prop_oneof![
        12 => place().prop_map(|(place, pick)| PeerRecipe::Cidr(place, pick)),
        8 => pick().prop_map(PeerRecipe::Group),
        1 => Just(PeerRecipe::Deleted),
        1 => pick().prop_map(PeerRecipe::Stale),
        2 => pick().prop_map(PeerRecipe::List),
    ]
}

#[derive(Debug, Clone)]
pub struct GroupRecipe {
    pub rules_in: Vec<(&'static str, PeerRecipe)>,
    pub rules_out: Vec<(&'static str, PeerRecipe)>,
    /// Whether everything may come in, and whether AWS's own first egress rules still stand.
    pub wide: (bool, bool),
}

pub fn group() -> impl Strategy<Value = GroupRecipe> {
    let rules = || prop::collection::vec((select(FLOWS.to_vec()), peer()), 0..=3);
    (rules(), rules(), (share(35), share(65))).prop_map(|(rules_in, rules_out, wide)| GroupRecipe {
        rules_in,
        rules_out,
        wide,
    })
}

#[derive(Debug, Clone)]
pub struct HostRecipe {
    pub subnet: Pick,
    pub groups: Vec<Pick>,
    pub public: bool,
    pub v6: bool,
    /// A second address, and whether that is public.
    pub second: Option<bool>,
    pub forwards: bool,
    pub instance: bool,
    pub detached: bool,
    pub kind: &'static str,
}

pub fn host() -> impl Strategy<Value = HostRecipe> {
    let mut kinds = vec!["interface"; 17];
    kinds.extend(["network_load_balancer", "vpc_endpoint", "lambda"]);
    let second = prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let flags = (share(45), share(55), share(40), share(25), share(4));
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
pub struct EntryRecipe {
    pub inward: bool,
    pub allow: bool,
    pub flow: &'static str,
    pub place: (Where, Pick),
}

pub fn entries() -> impl Strategy<Value = Vec<EntryRecipe>> {
    let flows: Vec<&str> = FLOWS.into_iter().chain(EPHEMERAL).chain(EPHEMERAL).collect();
    let entry = (any::<bool>(), share(55), select(flows), place())
        .prop_map(|(inward, allow, flow, place)| EntryRecipe { inward, allow, flow, place });
    prop::collection::vec(entry, 0..=5)
}

#[derive(Debug, Clone)]
pub struct AclRecipe {
    pub vpc: Pick,
    pub subnets: u16,
    pub entries: Vec<EntryRecipe>,
    /// Whether what no entry matches passes inward, outward.
    pub rest: (bool, bool),
    /// Some of the ports of replies, allowed where nothing else is said or denied before all else.
    pub replies: Option<(bool, bool, &'static str)>,
}

pub fn acl() -> impl Strategy<Value = AclRecipe> {
    let replies = (any::<bool>(), share(50), select(EPHEMERAL.to_vec()));
    let replies = prop_oneof![1 => Just(None), 3 => replies.prop_map(Some)];
    (pick(), any::<u16>(), entries(), (share(60), share(60)), replies)
        .prop_map(|(vpc, subnets, entries, rest, replies)| AclRecipe { vpc, subnets, entries, rest, replies })
}
