//! What an environment loses that is stopped.

use std::fmt;
use std::net::Ipv4Addr;

use crate::inventory::InstanceId;

/// Something that is gone once an environment is stopped, or is another one after it is started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// The memory of an instance (EC2 user guide, "Stop and start Amazon EC2 instances").
    Memory(InstanceId),
    /// A public address that is not an elastic one (the same page).
    PublicAddress(InstanceId, Ipv4Addr),
    /// The automated backups of a database, with the number of days for which they are kept (RDS API reference,
    /// `DeleteDBInstance`, `DeleteAutomatedBackups`).
    Backups(String, u32),
    /// The secret with the master password of a database (RDS user guide, "Password management with Amazon RDS and AWS
    /// Secrets Manager").
    Secret(String),
    /// The resource ID of a database, by which IAM policies name it for `rds-db:connect` (RDS user guide, "Creating and using
    /// an IAM policy for IAM database access").
    ResourceId(String),
    /// The private addresses of a database.
    Addresses(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(instance) => {
                write!(f, "the memory of the instance {instance}; its volumes and private addresses stay")
            }
            Self::PublicAddress(instance, address) => {
                write!(f, "the public address {address} of the instance {instance}: a start assigns another")
            }
            Self::Backups(database, days) => write!(
                f,
                "the automated backups of the database {database}, which are kept for {days} days while it exists"
            ),
            Self::Secret(database) => write!(
                f,
                "the secret with the master password of the database {database}: a start creates another, with another ARN"
            ),
            Self::ResourceId(database) => write!(
                f,
                "the resource ID of the database {database}: a start creates another, which IAM policies for sign-in by IAM \
                 have to name"
            ),
            Self::Addresses(database) => {
                write!(f, "the private addresses of the database {database}: a start assigns others")
            }
        }
    }
}
