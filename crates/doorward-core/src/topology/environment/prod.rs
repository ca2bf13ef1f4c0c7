//! What only the kind `prod` has: a load balancer in front of an Auto Scaling group.

use std::fmt;

use super::super::network::quoted;

/// The declaration of the load balancer and of the Auto Scaling group of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prod {
    /// Where its load balancer listens.
    pub listen: Listen,
    /// The port on which its instances speak HTTP.
    pub port: u16,
    /// The path of the health checks.
    pub health: String,
    /// How many instances it has at least: two or more.
    pub min: u32,
    /// How many instances it has at most.
    pub max: u32,
}

/// Where a load balancer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On port 443, with the certificate of this ARN.
    Https(String),
    /// On port 80, without encryption.
    Http,
}

impl Listen {
    /// Its port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Https(_) => 443,
            Self::Http => 80,
        }
    }

    /// As Elastic Load Balancing writes it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Https(_) => "HTTPS",
            Self::Http => "HTTP",
        }
    }

    /// The ARN of its certificate.
    pub fn certificate(&self) -> Option<&String> {
        match self {
            Self::Https(certificate) => Some(certificate),
            Self::Http => None,
        }
    }
}

impl Prod {
    /// The port of its instances, if the policy does not say.
    pub const PORT: u16 = 80;
    /// The path of the health checks, if the policy does not say: that of Elastic Load Balancing.
    pub const HEALTH: &'static str = "/";
    /// How many instances it has at least, if the policy does not say: one in each of two zones.
    pub const MIN: u32 = 2;
    /// How many instances it has at most, if the policy does not say.
    pub const MAX: u32 = 4;
    /// For how many days backups of its database are kept.
    pub const BACKUPS: u32 = 5;
    /// The class of its database, if the policy does not say.
    pub const CLASS: &'static str = "db.t4g.small";
    /// For how many seconds the health of a new instance does not count, as it starts: that of the console. Without it a group
    /// replaces instances that are still starting (Auto Scaling user guide, "Set the health check grace period").
    pub const GRACE: u32 = 300;
    /// The longest name of an environment of this kind: of a load balancer's 32 characters, `doorward-` takes nine (Elastic
    /// Load Balancing API reference, `CreateLoadBalancer`).
    pub const NAME: usize = 23;
}

/// As a policy says it, defaults included.
impl fmt::Display for Prod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listen {
            Listen::Https(certificate) => {
                writeln!(f, "listen = \"https\"")?;
                writeln!(f, "certificate = {}", quoted(certificate))?;
            }
            Listen::Http => writeln!(f, "listen = \"http\"")?,
        }
        writeln!(f, "port = {}", self.port)?;
        writeln!(f, "health = {}", quoted(&self.health))?;
        writeln!(f, "min = {}", self.min)?;
        writeln!(f, "max = {}", self.max)
    }
}
