//! What a plan changes in the month's bill, step by step, and what each choice of NAT costs.

mod environment;
mod scaled;

use std::collections::BTreeSet;

use super::change::{Change, Modified};
use super::scaled::ScaledChange;
use crate::inventory::{Endpoint, EndpointKind, Inventory, NatAvailability, NatGateway};
use crate::price::{Item, Money, NoPrice, Sure, Table};
use crate::topology::Nat;

/// The hours of a month: 365 days of 24 hours, divided by 12.
const HOURS: u32 = 730;

/// What a change adds to the month's bill, or takes from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// For each month; of what has no price nothing.
    pub month: Money,
    /// The least sure of its prices; none where it costs nothing.
    pub sure: Option<Sure>,
    /// The date of the oldest of its prices.
    pub date: Option<String>,
    /// The prices that are not known.
    pub unknown: BTreeSet<NoPrice>,
    /// What traffic costs beside that: it is in no sum, since nobody knows how much there will be.
    pub traffic: BTreeSet<(Item, Money)>,
    /// What was assumed.
    pub assumed: BTreeSet<&'static str>,
}

impl Cost {
    fn nothing() -> Self {
        Self {
            month: Money::default(),
            sure: None,
            date: None,
            unknown: BTreeSet::new(),
            traffic: BTreeSet::new(),
            assumed: BTreeSet::new(),
        }
    }

    /// Whether nothing changes in the bill.
    pub fn is_nothing(&self) -> bool {
        *self == Self::nothing()
    }

    /// Both together.
    pub fn plus(mut self, other: Self) -> Self {
        self.month = self.month + other.month;
        self.sure = self.sure.max(other.sure);
        self.date = match (self.date, other.date) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.unknown.extend(other.unknown);
        self.traffic.extend(other.traffic);
        self.assumed.extend(other.assumed);
        self
    }

    /// What is no longer paid.
    fn saved(mut self) -> Self {
        self.month = -self.month;
        self.traffic.clear();
        self
    }
}

/// All costs of a plan together.
pub fn sum<'c>(costs: impl IntoIterator<Item = &'c Cost>) -> Cost {
    costs.into_iter().cloned().fold(Cost::nothing(), Cost::plus)
}

/// A Region and its prices.
#[derive(Debug, Clone, Copy)]
pub struct Prices<'t> {
    pub table: &'t Table,
    pub region: &'t str,
}

const PER_ZONE: &str =
    "a regional NAT gateway is assumed to cost its price in each zone, with an address in each";

impl Prices<'_> {
    /// So many of an item for a month.
    fn hourly(self, item: Item, number: u32) -> Cost {
        match self.table.price(self.region, item) {
            Ok(price) => Cost {
                month: price.usd.times(HOURS).times(number),
                sure: Some(price.sure),
                date: Some(price.date.clone()),
                ..Cost::nothing()
            },
            Err(missing) => Cost { unknown: [missing].into(), ..Cost::nothing() },
        }
    }

    /// So many of an item that is paid by the month.
    fn monthly(self, item: Item, number: u32) -> Cost {
        match self.table.price(self.region, item) {
            Ok(price) => Cost {
                month: price.usd.times(number),
                sure: Some(price.sure),
                date: Some(price.date.clone()),
                ..Cost::nothing()
            },
            Err(missing) => Cost { unknown: [missing].into(), ..Cost::nothing() },
        }
    }

    fn traffic(self, item: Item) -> Cost {
        match self.table.price(self.region, item) {
            Ok(price) => Cost { traffic: [(item, price.usd)].into(), ..Cost::nothing() },
            Err(missing) => Cost { unknown: [missing].into(), ..Cost::nothing() },
        }
    }

    fn nat_gateway(self, gateway: &NatGateway, zones: u32) -> Cost {
        let traffic = self.traffic(Item::NatGatewayGb);
        match gateway.availability {
            NatAvailability::Zonal(_) => self.hourly(Item::NatGatewayHour, 1).plus(traffic),
            NatAvailability::Regional(_) => self.regional(zones).plus(traffic),
        }
    }

    fn regional(self, zones: u32) -> Cost {
        let cost = self.hourly(Item::RegionalNatGatewayHour, zones);
        let mut cost = cost.plus(self.hourly(Item::PublicIpv4Hour, zones));
        cost.assumed.insert(PER_ZONE);
        cost
    }

    fn endpoint(self, endpoint: &Endpoint) -> Cost {
        match endpoint.kind {
            EndpointKind::Interface => self.in_zones(endpoint.subnets.len()),
            EndpointKind::Gateway | EndpointKind::GatewayLoadBalancer | EndpointKind::Other(_) => {
                Cost::nothing()
            }
        }
    }

    fn in_zones(self, zones: usize) -> Cost {
        match u32::try_from(zones).unwrap_or(u32::MAX) {
            0 => Cost::nothing(),
            zones => {
                let traffic = self.traffic(Item::InterfaceEndpointGb);
                self.hourly(Item::InterfaceEndpointHour, zones).plus(traffic)
            }
        }
    }

    /// What a change costs or saves. `actual` has what is deleted, and `wanted` the zones of what is made.
    pub fn cost(self, change: &Change, actual: &Inventory, wanted: &Inventory) -> Cost {
        match change {
            Change::AllocateAddress(_) => self.hourly(Item::PublicIpv4Hour, 1),
            Change::ReleaseAddress(_) => self.hourly(Item::PublicIpv4Hour, 1).saved(),
            Change::CreateNatGateway(gateway) => self.nat_gateway(gateway, zones(wanted, gateway)),
            Change::DeleteNatGateway(id) => match actual.nat_gateways.get(id.id()) {
                Some(gateway) => self.nat_gateway(gateway, zones(actual, gateway)).saved(),
                None => Cost::nothing(),
            },
            Change::CreateEndpoint(endpoint) => self.endpoint(endpoint),
            Change::DeleteEndpoint(id) => {
                actual.endpoints.get(id.id()).map_or_else(Cost::nothing, |it| self.endpoint(it).saved())
            }
            Change::ModifyEndpoint(modified) => {
                let Modified { subnets: (added, removed), .. } = modified.as_ref();
                self.in_zones(added.len()).plus(self.in_zones(removed.len()).saved())
            }
            Change::RunInstance(instance, _) => self.instance(instance),
            Change::TerminateInstance(id) => actual
                .instances
                .get(id.id())
                .map_or_else(Cost::nothing, |it| self.instance_in_state(it).saved()),
            Change::StartInstance(id) => {
                actual.instances.get(id.id()).map_or_else(Cost::nothing, |it| self.instance_hours(it))
            }
            Change::StopInstance(id) => {
                actual.instances.get(id.id()).map_or_else(Cost::nothing, |it| self.instance_hours(it).saved())
            }
            Change::CreateDatabase(database) | Change::RestoreDatabase { database, .. } => {
                self.database(&database.engine, &database.settings)
            }
            Change::StartDatabase(account_region, name) => {
                let database = actual.databases.get(&(account_region.clone(), name.id().clone()));
                database.map_or_else(Cost::nothing, |it| self.database_hours(&it.engine, &it.settings))
            }
            Change::StopDatabase(account_region, name) => {
                let database = actual.databases.get(&(account_region.clone(), name.id().clone()));
                database
                    .map_or_else(Cost::nothing, |it| self.database_hours(&it.engine, &it.settings).saved())
            }
            Change::DeleteSnapshot { account_region, name, .. } => {
                let snapshot = actual.database_snapshots.get(&(account_region.clone(), name.id().clone()));
                snapshot.map_or_else(Cost::nothing, |it| self.snapshot(it.storage).saved())
            }
            Change::ModifyDatabase { account_region, name, settings } => {
                let engine = actual.databases.get(&(account_region.clone(), name.id().clone()));
                let engine = engine.map(|it| it.engine.as_str()).unwrap_or_default();
                let (before, after) = settings.as_ref();
                self.database(engine, after).plus(self.database(engine, before).saved())
            }
            Change::DeleteDatabase { account_region, name, .. } => {
                match actual.databases.get(&(account_region.clone(), name.id().clone())) {
                    Some(it) => {
                        let snapshot = self.snapshot(it.settings.storage);
                        snapshot.plus(self.database_in_state(it).saved())
                    }
                    None => Cost::nothing(),
                }
            }
            Change::Scaled(change) => self.scaled(change, actual),
            // What else networks are made of has no price of its own (VPC pricing page).
            _ => Cost::nothing(),
        }
    }

    /// What each choice of NAT costs in so many zones.
    pub fn nat_choices(self, zones: u32) -> Vec<NatChoice> {
        Nat::ALL
            .into_iter()
            .map(|nat| {
                let traffic = || self.traffic(Item::NatGatewayGb);
                let gateways = |number| {
                    let addresses = self.hourly(Item::PublicIpv4Hour, number);
                    self.hourly(Item::NatGatewayHour, number).plus(addresses).plus(traffic())
                };
                let cost = match nat {
                    Nat::None => Cost::nothing(),
                    Nat::Gateway if zones > 1 => gateways(1).plus(self.traffic(Item::BetweenZonesGb)),
                    Nat::Gateway => gateways(1),
                    Nat::GatewayPerZone => gateways(zones),
                    Nat::Regional => self.regional(zones).plus(traffic()),
                };
                NatChoice { nat, cost }
            })
            .collect()
    }
}

/// The zones in which a regional gateway serves: those of its VPC's subnets.
fn zones(inventory: &Inventory, gateway: &NatGateway) -> u32 {
    let subnets = inventory.subnets.values().filter(|subnet| subnet.vpc == gateway.vpc);
    let zones: BTreeSet<_> = subnets.filter_map(|it| it.zone_id.as_ref().or(it.zone.as_ref())).collect();
    u32::try_from(zones.len()).unwrap_or(u32::MAX)
}

/// A choice of NAT, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatChoice {
    /// The choice.
    pub nat: Nat,
    pub cost: Cost,
}

impl NatChoice {
    /// What speaks for it.
    pub fn pros(&self) -> &'static str {
        match self.nat {
            Nat::None => "it costs nothing, and nothing leaves the private subnets but by VPC endpoints",
            Nat::Gateway => "it is the cheapest NAT gateway, with one address to the outside",
            Nat::GatewayPerZone => {
                "a zone that fails leaves the others their path to the internet, and no traffic crosses zones"
            }
            Nat::Regional => "AWS follows the zones of the VPC by itself",
        }
    }

    /// What speaks against it.
    pub fn cons(&self) -> &'static str {
        match self.nat {
            Nat::None => {
                "private subnets reach neither the internet nor a service of AWS without an endpoint"
            }
            Nat::Gateway => {
                "if its zone fails, no zone reaches the internet, and other zones pay for traffic to it"
            }
            Nat::GatewayPerZone => "each zone pays for a gateway and an address",
            Nat::Regional => {
                "its addresses change with its zones, and a new zone is served across zones for a while"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::network_difference;
    use crate::plan::network::testing::{account, by, site};
    use crate::topology::layout;

    fn cost(text: &str, region: &str) -> Cost {
        let policy =
            format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
        let policy = crate::policy::parse(&policy, "p").expect("a policy");
        let account = account();
        let wanted = layout(&policy.topology, &account, &site(4)).expect("a layout").wanted;
        let plan = network_difference(&account, &wanted, &by());
        let table = Table::built_in().expect("a table");
        let prices = Prices { table: &table, region };
        let costs: Vec<Cost> =
            plan.steps().iter().map(|step| prices.cost(&step.change, &account, &wanted)).collect();
        sum(&costs)
    }

    #[test]
    fn a_network_has_a_price() {
        let check = |text: &str, region: &str, expected: &str| {
            let cost = cost(text, region);
            assert_eq!(cost.month.to_string(), expected, "{text}");
            assert_eq!(cost.unknown, BTreeSet::new());
        };
        check("[network.n]\nnat = \"none\"\n", "eu-west-1", "$0.00");
        // 730 × (0.045 + 0.005), and with three zones 109.50.
        check("[network.n]\n", "us-east-1", "$36.50");
        check("[network.n]\nzones = 3\nnat = \"gateway-per-zone\"\n", "us-east-1", "$109.50");
        check("[network.n]\nnat = \"none\"\nendpoints = [\"ssm\", \"s3\"]\n", "eu-west-1", "$16.06");
        check("[network.n]\nnat = \"regional\"\n", "eu-west-1", "$77.38");
        // 730 × (0.0168 + 0.016) + 8 × 0.08 + 20 × 0.115 + 0.40
        let dev = "[network.n]\nnat = \"none\"\n[environment.dev]\nkind = \"dev\"\n";
        check(dev, "us-east-1", "$27.284");
        check(dev, "eu-west-1", "$29.486");
    }

    #[test]
    fn a_price_says_its_date_and_how_sure_it_is_and_what_is_unknown() {
        let known = cost("[network.n]\nnat = \"none\"\nendpoints = [\"ssm\"]\n", "eu-central-1");
        assert_eq!((known.sure, known.date.as_deref()), (Some(Sure::One), Some("2026-11-29")));
        assert!(known.sure.is_some_and(Sure::is_about));
        let unknown = cost("[network.n]\n", "sa-east-1");
        let told: Vec<String> = unknown.unknown.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["the table of prices has nothing for sa-east-1"]);
        assert_eq!(unknown.month, Money::default());
        let partly = cost("[network.n]\nnat = \"regional\"\n", "us-east-1");
        assert!(!partly.unknown.is_empty() && partly.assumed.len() == 1);
    }

    #[test]
    fn the_choices_of_nat_stand_side_by_side() {
        let table = Table::built_in().expect("a table");
        let choices = Prices { table: &table, region: "us-east-1" }.nat_choices(3);
        let told: Vec<String> = choices.iter().map(|it| format!("{} {}", it.nat, it.cost.month)).collect();
        assert_eq!(told, ["none $0.00", "gateway $36.50", "gateway-per-zone $109.50", "regional $10.95"]);
        // The table has no price of a regional gateway there, so its sum is not whole.
        assert!(choices.iter().all(|it| it.cost.unknown.is_empty() == (it.nat != Nat::Regional)));
        assert!(choices.iter().all(|it| !it.pros().is_empty() && it.pros() != it.cons()));
        let traffic: Vec<Item> = choices[1].cost.traffic.iter().map(|(item, _)| *item).collect();
        assert_eq!(traffic, [Item::NatGatewayGb, Item::BetweenZonesGb]);
    }
}
