//! What the instances, databases and snapshots of environments cost, running and stopped.

use super::{Cost, Prices};
use crate::inventory::{Condition, Database, DatabaseSettings, Instance, Inventory};
use crate::name::InstallationId;
use crate::price::Item;
use crate::topology::{Engine, Environment, EnvironmentParts, Kind};

/// The root volume of Amazon Linux 2023 in GB.
const VOLUME: u32 = 8;

const ROOT: &str =
    "the root volume of an instance is assumed to have 8 GB of gp3, as that of Amazon Linux 2023 has";

const FULL: &str =
    "a snapshot is assumed to be as large as the storage of its database, and is usually smaller";

impl Prices<'_> {
    /// What the parts of an environment that exist cost in the states that they have in an inventory, snapshots included.
    pub fn environment(self, environment: &Environment, inventory: &Inventory, by: &InstallationId) -> Cost {
        let parts = EnvironmentParts::of(environment, inventory, by);
        let instance = parts.instance.map(|it| self.instance_in_state(it));
        let database = parts.database.map(|it| self.database_in_state(it));
        let snapshots = self.snapshots(&parts);
        let parts = self.of_prod(&parts).plus(snapshots);
        instance.into_iter().chain(database).fold(parts, Cost::plus)
    }

    /// What the snapshots of an environment cost.
    pub fn snapshots(self, parts: &EnvironmentParts<'_>) -> Cost {
        parts.snapshots.iter().map(|it| self.snapshot(it.storage)).fold(Cost::nothing(), Cost::plus)
    }

    /// What an environment costs that runs as it is declared, without snapshots.
    pub fn declared(self, environment: &Environment) -> Cost {
        let instance = match &environment.kind {
            Kind::Dev => self.hourly(Item::InstanceHour(environment.instance), 1).plus(self.volume()),
            Kind::Prod(prod) => self.declared_prod(environment, prod),
        };
        instance.plus(self.database(environment.engine.word(), &environment.settings("")))
    }

    /// An instance that runs, with its root volume.
    pub(super) fn instance(self, instance: &Instance) -> Cost {
        self.instance_hours(instance).plus(self.volume())
    }

    /// The hours of an instance, which are not paid for while it is stopped.
    pub(super) fn instance_hours(self, instance: &Instance) -> Cost {
        let hours = instance.size.map(|size| self.hourly(Item::InstanceHour(size), 1));
        hours.unwrap_or_else(Cost::nothing)
    }

    /// An instance that runs or is stopped.
    pub(super) fn instance_in_state(self, instance: &Instance) -> Cost {
        match instance.state.as_str() {
            "stopping" | "stopped" => self.volume(),
            _ => self.instance(instance),
        }
    }

    /// The root volume of an instance.
    pub(super) fn volume(self) -> Cost {
        let mut cost = self.monthly(Item::VolumeGbMonth, VOLUME);
        cost.assumed.insert(ROOT);
        cost
    }

    /// A database that runs, with its storage and its secret.
    pub(super) fn database(self, engine: &str, settings: &DatabaseSettings) -> Cost {
        self.database_hours(engine, settings).plus(self.stored(settings))
    }

    /// A database that runs or is stopped.
    pub(super) fn database_in_state(self, database: &Database) -> Cost {
        match database.condition() {
            Condition::Stopped => self.stored(&database.settings),
            _ => self.database(&database.engine, &database.settings),
        }
    }

    /// The hours of a database, which are not paid for while it is stopped (RDS user guide, "Stopping an Amazon RDS DB
    /// instance temporarily").
    pub(super) fn database_hours(self, engine: &str, settings: &DatabaseSettings) -> Cost {
        let engine = engine.parse::<Engine>().ok();
        let hours = engine.zip(settings.class).map(|(engine, class)| match settings.multi_az {
            Some(true) => self.hourly(Item::MultiAzDatabaseHour(engine, class), 1),
            _ => self.hourly(Item::DatabaseHour(engine, class), 1),
        });
        hours.unwrap_or_else(Cost::nothing)
    }

    /// The storage and the secret of a database, which are paid for while it is stopped, too.
    fn stored(self, settings: &DatabaseSettings) -> Cost {
        let item = match settings.multi_az {
            Some(true) => Item::MultiAzDatabaseGbMonth,
            _ => Item::DatabaseGbMonth,
        };
        let storage = settings.storage.map(|storage| self.monthly(item, storage));
        let cost = storage.unwrap_or_else(Cost::nothing);
        if settings.has_secret { cost.plus(self.monthly(Item::SecretMonth, 1)) } else { cost }
    }

    /// A snapshot of a database of so many GiB.
    pub(super) fn snapshot(self, storage: Option<u32>) -> Cost {
        let Some(storage) = storage else { return Cost::nothing() };
        let mut cost = self.monthly(Item::DatabaseSnapshotGbMonth, storage);
        cost.assumed.insert(FULL);
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::super::sum;
    use super::*;
    use crate::plan::network::testing::{AsPlanned, account, by, site};
    use crate::plan::network::{Ids, network_difference, perform_change};
    use crate::price::Table;
    use crate::topology::{Transition, after_transition, layout};

    #[test]
    fn an_environment_costs_less_while_it_is_stopped() {
        let policy = "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n[network.n]\n\
            nat = \"none\"\n[environment.dev]\nkind = \"dev\"\n";
        let topology = crate::policy::parse(policy, "p").expect("a policy").topology;
        let environment = topology.environments.values().next().expect("an environment");
        let mut account = account();
        let table = Table::built_in().expect("a table");
        let prices = Prices { table: &table, region: "us-east-1" };
        let to = |account: &mut Inventory, wanted: &Inventory| {
            let before = account.clone();
            let plan = network_difference(&before, wanted, &by());
            let (mut ids, mut give) = (Ids::default(), AsPlanned::default());
            for step in plan.steps() {
                perform_change(account, &step.change, &mut ids, &mut give).expect("it can be done");
            }
            let costs: Vec<Cost> =
                plan.steps().iter().map(|step| prices.cost(&step.change, &before, wanted)).collect();
            let now = prices.environment(environment, account, &by());
            (sum(&costs).month.to_string(), now.month.to_string())
        };
        let wanted = layout(&topology, &account, &site(3)).expect("a layout").wanted;
        let check = |(change, now): (String, String), expected: (&str, &str)| {
            assert_eq!((change.as_str(), now.as_str()), expected);
        };
        assert_eq!(prices.declared(environment).month.to_string(), "$27.284");
        check(to(&mut account, &wanted), ("$27.284", "$27.284"));
        // 8 × 0.08 for the volume, and 20 × 0.115 + 0.40 for the database, or 20 × 0.095 for its snapshot.
        for (transition, expected) in [
            (Transition::Pause, ("-$23.944", "$3.34")),
            (Transition::Start, ("$23.944", "$27.284")),
            (Transition::Snapshot, ("-$24.744", "$2.54")),
            // The snapshot stays.
            (Transition::Start, ("$26.644", "$29.184")),
        ] {
            let wanted = after_transition(environment, transition, &topology, &account, &site(3));
            check(to(&mut account, &wanted.expect("a layout").wanted), expected);
        }
    }
}
