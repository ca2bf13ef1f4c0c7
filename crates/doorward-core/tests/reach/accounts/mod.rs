//! Random accounts: small, full of near misses, and readable when one fails.
//!
//! Everything is drawn as numbers and small choices that point at each other by remainder, so that a failing
//! account shrinks by leaving things out. What AWS would not let be made (two routes of one prefix, a route to
//! another VPC's interface) is left out when the account is written.

mod addresses;
mod balancers;
mod numbers;
mod routes;
mod routing;
mod transits;
mod written;

use std::fmt;

use doorward_core::inventory::Inventory;
use proptest::prelude::*;
use proptest::sample::select;

use crate::written::account;
use addresses::{AclRecipe, GroupRecipe, HostRecipe, Pick, Where, acl, group, host, pick, place, share};
use balancers::{BalancerRecipe, TargetGroupRecipe, balancer, target_group};
use routing::{NatRecipe, SubnetRecipe, TableRecipe, TransitRecipe, VpcRecipe, nat, table, transit, vpc};
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

/// Accounts of one to three VPCs and two to eight interfaces.
pub fn accounts() -> impl Strategy<Value = Account> {
    recipe().prop_map(|recipe| {
        let text = recipe.write();
        let inventory = account(&text);
        Account { text, inventory }
    })
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
    balancers: Vec<BalancerRecipe>,
    target_groups: Vec<TargetGroupRecipe>,
    /// Whether both ways are blocked; exceptions of VPCs or subnets.
    block: Option<(bool, Vec<Exception>)>,
}

/// Whether it is of a VPC or of a subnet, which one, and whether both ways are meant.
type Exception = (bool, Pick, bool);

fn recipe() -> impl Strategy<Value = Recipe> {
    use prop::collection::vec;
    let exceptions = vec((any::<bool>(), pick(), any::<bool>()), 0..=2);
    let block = prop_oneof![7 => Just(None), 1 => (any::<bool>(), exceptions).prop_map(Some)];
    let transit_peering = prop_oneof![1 => Just(None), 3 => (pick(), pick()).prop_map(Some)];
    let listed = prop_oneof![
        1 => vec(place(), 1..=3),
        1 => vec((select(vec![Where::Outside, Where::OutsideHost, Where::Outside6]), pick()), 1..=3),
    ];
    let network = (
        vec(vpc(), 1..=3),
        vec((pick(), 0..3_u8), 1..=8),
        vec(host(), 2..=8),
        vec(group(), 1..=5),
        vec(listed, 1..=2),
        vec(acl(), 0..=3),
        vec(table(), 0..=4),
    );
    let routing = (
        vec(nat(), 0..=3),
        vec((pick(), pick(), share(8), share(60)), 0..=2),
        vec(transit(), 0..=2),
        transit_peering,
        vec((pick(), share(85), share(8), share(50)), 0..=2),
        prop_oneof![1 => Just(Vec::new()), 1 => vec(balancer(), 1..=2)],
        vec(target_group(), 1..=3),
        block,
    );
    (network, routing).prop_map(
        |(
            (vpcs, subnets, hosts, groups, lists, acls, tables),
            (nats, peerings, transits, transit_peering, endpoints, balancers, target_groups, block),
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
            balancers,
            target_groups,
            block,
        },
    )
}

/// The same accounts in every ordinary run; a hunt for others sets `PROPTEST_CASES`.
pub fn seed() -> proptest::test_runner::RngSeed {
    use proptest::test_runner::RngSeed;
    if std::env::var_os("PROPTEST_CASES").is_some() { RngSeed::Random } else { RngSeed::Fixed(20_261_122) }
}
