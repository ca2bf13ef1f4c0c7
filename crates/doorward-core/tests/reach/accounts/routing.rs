//! What is drawn of the ways between interfaces: routes, gateways, transit gateways.

use proptest::prelude::*;

use super::addresses::{EntryRecipe, Pick, Where, entries, pick, place, share};

#[derive(Debug, Clone, Copy)]
pub enum RouteRecipe {
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
    /// What NAT64 makes of IPv4, to a NAT gateway.
    Nat64(Pick),
    /// A VPC by a peering or a transit gateway.
    ToPeer(Pick),
    ToPeer6(Pick),
    ToTransit(Pick, Pick),
    ToTransit6(Pick, Pick),
    /// The VPC that was not recorded, by its peering.
    ToFar,
    /// What is remote, by the VPN gateway.
    ToRemote((Where, Pick)),
    /// The service of a gateway endpoint.
    ToService(Pick, Pick),
    /// An interface or a subnet of the VPC, or all of IPv4, by an interface that may be an appliance or by a NAT gateway.
    Inspect(Pick, Pick),
    /// Anything anywhere.
    Mixed((Where, Pick), Target),
    /// A prefix list anywhere.
    List(Pick, Target),
}

#[derive(Debug, Clone, Copy)]
pub enum Target {
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
    Far,
    Service(Pick),
    /// An internet gateway that is not there.
    Gone,
}

pub fn target() -> impl Strategy<Value = Target> {
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
        1 => Just(Target::Far),
        1 => pick().prop_map(Target::Service),
        1 => Just(Target::Gone),
    ]
}

/// A route, whether it is propagated, whether it is a black hole.
pub type RouteOf = (RouteRecipe, bool, bool);

pub fn routes() -> impl Strategy<Value = Vec<RouteOf>> {
    let route = prop_oneof![
        4 => Just(RouteRecipe::Out),
        2 => Just(RouteRecipe::Out6),
        1 => Just(RouteRecipe::OutOnly6),
        5 => pick().prop_map(RouteRecipe::OutNat),
        1 => pick().prop_map(RouteRecipe::Nat64),
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
pub struct TableRecipe {
    pub vpc: Pick,
    pub subnets: u16,
    /// Whether it is the internet gateway's or the VPN gateway's own.
    pub edge: (bool, bool),
    pub routes: Vec<RouteOf>,
}

pub fn table() -> impl Strategy<Value = TableRecipe> {
    (pick(), any::<u16>(), (share(12), share(12)), routes())
        .prop_map(|(vpc, subnets, edge, routes)| TableRecipe { vpc, subnets, edge, routes })
}

#[derive(Debug, Clone)]
pub struct VpcRecipe {
    pub v6: bool,
    pub abroad: bool,
    /// Whether its prefixes are those of the first.
    pub overlaps: bool,
    pub main: Vec<RouteOf>,
    pub default_acl: Option<(Vec<EntryRecipe>, (bool, bool))>,
    pub internet: bool,
    pub outward: bool,
    pub vpn: bool,
    /// Whether a VPN connection of its VPN gateway has a static route.
    pub connected: bool,
    /// Whether it is peered with a VPC that was not recorded, and every table leads there.
    pub far: bool,
    /// Whether every table has a way out by the gateway, of IPv6 by the egress-only one.
    pub out: bool,
    pub out6: bool,
}

pub fn vpc() -> impl Strategy<Value = VpcRecipe> {
    let default_acl = prop_oneof![3 => Just(None), 1 => (entries(), (share(70), share(70))).prop_map(Some)];
    let flags = (share(60), share(15), share(8), share(85), share(40), share(35));
    let out = (share(45), share(35), share(70), share(15));
    (flags, out, routes(), default_acl).prop_map(
        |((v6, abroad, overlaps, internet, outward, vpn), (out, out6, connected, far), main, default_acl)| {
            VpcRecipe {
                connected,
                far,
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
            }
        },
    )
}

/// Where, and a zone.
pub type SubnetRecipe = (Pick, u8);

#[derive(Debug, Clone)]
pub struct NatRecipe {
    pub subnet: Pick,
    pub private: bool,
    pub pending: bool,
    /// Whether its interface is seen.
    pub interface: bool,
    /// Whether its subnet has a table of its own with a way out, and all other tables of the VPC lead to it.
    pub serves: bool,
    /// Whether it is a regional one, and whether its table is told.
    pub regional: Option<bool>,
}

pub fn nat() -> impl Strategy<Value = NatRecipe> {
    let regional = prop_oneof![5 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (pick(), share(35), share(8), share(40), share(50), regional).prop_map(
        |(subnet, private, pending, interface, serves, regional)| NatRecipe {
            regional,
            subnet,
            private,
            pending,
            interface,
            serves,
        },
    )
}

#[derive(Debug, Clone)]
pub struct TransitRecipe {
    pub references: bool,
    /// For each VPC: which subnets, which table (some have none), whether it is mute, whether it is pending.
    pub attached: Vec<Option<(u16, Pick, bool, bool)>>,
    pub vpn: Option<Pick>,
    /// An attachment of a VPC that was not recorded, or of Connect, and its table.
    pub far: Option<(Pick, bool)>,
    pub tables: Vec<Vec<(TransitRouteRecipe, bool)>>,
    /// Whether every VPC's tables lead to it, and its own to all that is attached.
    pub routed: bool,
    /// The VPC by which all others go out, if there is one.
    pub hub: Option<Pick>,
}

#[derive(Debug, Clone, Copy)]
pub enum TransitRouteRecipe {
    Home(Pick),
    Home6(Pick),
    /// All of IPv4 into a VPC.
    Out(Pick),
    Remote(Pick),
    Far((Where, Pick)),
    Peer((Where, Pick)),
    Mixed((Where, Pick), Pick),
    Blackhole((Where, Pick)),
}

pub fn transit() -> impl Strategy<Value = TransitRecipe> {
    let attached = (any::<u16>(), pick(), share(15), share(5));
    let route = prop_oneof![
        8 => pick().prop_map(TransitRouteRecipe::Home),
        2 => pick().prop_map(TransitRouteRecipe::Home6),
        2 => pick().prop_map(TransitRouteRecipe::Remote),
        1 => place().prop_map(TransitRouteRecipe::Far),
        3 => place().prop_map(TransitRouteRecipe::Peer),
        3 => (place(), pick()).prop_map(|(to, by)| TransitRouteRecipe::Mixed(to, by)),
        1 => place().prop_map(TransitRouteRecipe::Blackhole),
    ];
    let tables = prop::collection::vec(prop::collection::vec((route, share(40)), 0..=5), 1..=2);
    let attached = prop_oneof![1 => Just(None), 5 => attached.prop_map(Some)];
    let vpn = prop_oneof![1 => Just(None), 1 => pick().prop_map(Some)];
    let far = prop_oneof![4 => Just(None), 1 => (pick(), any::<bool>()).prop_map(Some)];
    let hub = prop_oneof![1 => Just(None), 1 => pick().prop_map(Some)];
    (share(60), prop::collection::vec(attached, 3), vpn, far, tables, share(60), hub).prop_map(
        |(references, attached, vpn, far, tables, routed, hub)| TransitRecipe {
            hub,
            references,
            attached,
            vpn,
            far,
            tables,
            routed,
        },
    )
}
