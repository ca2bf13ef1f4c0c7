//! `[environment.NAME]`: an instance and a database in a network, or what stands in for each of them when it fails.

mod part;
mod prod;

use std::fmt;
use std::str::FromStr;

use super::network::{key, quoted};
use crate::inventory::{DatabaseSettings, Image, TypeName};
use crate::name::{EnvironmentName, NetworkName};

pub use part::EnvironmentPart;
pub use prod::{Listen, Prod};

/// An environment, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The network that it is in.
    pub network: NetworkName,
    /// How much it is built to survive.
    pub kind: Kind,
    /// What its instance is launched from.
    pub image: Image,
    /// The type of its instance.
    pub instance: TypeName,
    /// The instance profile of its instance; none for none.
    pub profile: Option<String>,
    /// The engine of its database.
    pub engine: Engine,
    /// The major version of the engine, like `17`. Minor versions are AWS's.
    pub version: String,
    /// The class of its database.
    pub class: TypeName,
    /// The storage of its database in GiB.
    pub storage: u32,
    /// How many final snapshots of its database are kept: at least one.
    pub snapshots: u32,
}

/// How much an environment is built to survive. What differs between the kinds is asked of it, so that another one has to
/// answer everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One instance in a private subnet, and one database in one zone without backups.
    Dev,
    /// A load balancer in public subnets, an Auto Scaling group in private ones, and a database with a standby in another
    /// zone and with backups.
    Prod(Prod),
}

impl Kind {
    /// As a policy says it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Prod(_) => "prod",
        }
    }

    /// What only the kind `prod` has.
    pub fn prod(&self) -> Option<&Prod> {
        match self {
            Self::Dev => None,
            Self::Prod(prod) => Some(prod),
        }
    }

    /// Whether its database has a standby in another zone.
    pub fn is_multi_az(&self) -> bool {
        match self {
            Self::Dev => false,
            Self::Prod(_) => true,
        }
    }

    /// For how many days backups of its database are kept; 0 is none.
    pub fn backup_days(&self) -> u32 {
        match self {
            Self::Dev => 0,
            Self::Prod(_) => Prod::BACKUPS,
        }
    }

    /// The class of its database, if the policy does not say.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Dev => Environment::CLASS,
            Self::Prod(_) => Prod::CLASS,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The engine of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    Mysql,
}

/// A text that names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an engine of databases (`postgres` or `mysql`)")]
pub struct NotAnEngine(String);

impl Engine {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::Mysql];

    /// As RDS says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// The port that RDS gives it, if none is named (RDS API reference, `CreateDBInstance`).
    pub fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
        }
    }

    /// The name of the first user. PostgreSQL reserves `admin`.
    pub fn user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "admin",
        }
    }

    /// The major version, if the policy does not say (RDS release calendars, November 2026).
    pub fn version(self) -> &'static str {
        match self {
            Self::Postgres => "17",
            Self::Mysql => "8.4",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Engine {
    type Err = NotAnEngine;

    fn from_str(text: &str) -> Result<Self, NotAnEngine> {
        Self::ALL.into_iter().find(|it| it.word() == text).ok_or_else(|| NotAnEngine(text.into()))
    }
}

impl Environment {
    /// The image, if the policy does not say: the newest Amazon Linux 2023 for Graviton (EC2 user guide, "Reference AMIs
    /// using Systems Manager parameters").
    pub const IMAGE: &'static str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
    /// The type of its instance, if the policy does not say.
    pub const INSTANCE: &'static str = "t4g.small";
    /// The class of its database, if the policy does not say.
    pub const CLASS: &'static str = "db.t4g.micro";
    /// The storage of its database in GiB, if the policy does not say: the least that gp3 has (RDS user guide, "gp3
    /// storage").
    pub const STORAGE: u32 = 20;
    /// How many final snapshots of its database are kept, if the policy does not say.
    pub const SNAPSHOTS: u32 = 3;

    /// The identifier of its database.
    pub fn database(&self) -> String {
        self.name_of_parts()
    }

    /// The name of its load balancer, its target group, its launch template and its Auto Scaling group.
    pub fn name_of_parts(&self) -> String {
        format!("doorward-{}", self.name)
    }

    /// The settings with which its database is created in a DB subnet group.
    pub fn settings(&self, subnet_group: &str) -> DatabaseSettings {
        DatabaseSettings {
            version: Some(self.version.clone()),
            class: Some(self.class),
            storage: Some(self.storage),
            multi_az: Some(self.kind.is_multi_az()),
            backup_days: Some(self.kind.backup_days()),
            iam: Some(true),
            encrypted: Some(true),
            subnet_group: Some(subnet_group.to_owned()),
            has_secret: true,
            ..DatabaseSettings::default()
        }
    }

    /// Whether a version of the engine is one of the declared major version.
    pub fn is_version(&self, version: &str) -> bool {
        version.strip_prefix(&self.version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// As a policy says it, defaults included.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[environment.{}]", key(self.name.as_str()))?;
        writeln!(f, "kind = \"{}\"", self.kind)?;
        writeln!(f, "network = {}", quoted(self.network.as_str()))?;
        writeln!(f, "image = {}", quoted(&self.image.to_string()))?;
        writeln!(f, "instance = \"{}\"", self.instance)?;
        if let Some(profile) = &self.profile {
            writeln!(f, "instance-profile = {}", quoted(profile))?;
        }
        writeln!(f, "engine = \"{}\"", self.engine)?;
        writeln!(f, "version = {}", quoted(&self.version))?;
        writeln!(f, "class = \"{}\"", self.class)?;
        writeln!(f, "storage = {}", self.storage)?;
        writeln!(f, "snapshots = {}", self.snapshots)?;
        match &self.kind {
            Kind::Dev => Ok(()),
            Kind::Prod(prod) => prod.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_is_one_of_its_major_version() {
        let environment = Environment {
            name: "dev".parse().expect("a name"),
            network: "main".parse().expect("a name"),
            kind: Kind::Dev,
            image: Image::Parameter(Environment::IMAGE.into()),
            instance: Environment::INSTANCE.parse().expect("a type"),
            profile: None,
            engine: Engine::Postgres,
            version: "17".into(),
            class: Environment::CLASS.parse().expect("a class"),
            storage: Environment::STORAGE,
            snapshots: Environment::SNAPSHOTS,
        };
        let check = |version: &str, expected: bool| {
            assert_eq!(environment.is_version(version), expected, "{version}");
        };
        check("17", true);
        check("17.4", true);
        check("16.9", false);
        check("170.1", false);
        assert_eq!(environment.database(), "doorward-dev");
    }
}
