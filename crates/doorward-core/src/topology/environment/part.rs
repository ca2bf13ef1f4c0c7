//! The parts of environments, as roles and tags name them.

use std::fmt;

/// A part of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentPart {
    /// Its instance, or each instance of its Auto Scaling group.
    Instance,
    /// Its database.
    Database,
    /// Its load balancer.
    Balancer,
    /// What its load balancer sends to.
    TargetGroup,
    /// What the instances of its Auto Scaling group are launched from.
    LaunchTemplate,
    /// The Auto Scaling group that keeps its instances.
    ScalingGroup,
}

impl EnvironmentPart {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Instance,
        Self::Database,
        Self::Balancer,
        Self::TargetGroup,
        Self::LaunchTemplate,
        Self::ScalingGroup,
    ];

    /// Those that have security groups attached, so that a role can be on them.
    pub const CARRIERS: [Self; 3] = [Self::Instance, Self::Database, Self::Balancer];

    /// As a policy and a tag say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Database => "database",
            Self::Balancer => "balancer",
            Self::TargetGroup => "target-group",
            Self::LaunchTemplate => "launch-template",
            Self::ScalingGroup => "scaling-group",
        }
    }

    /// In AWS's words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Instance | Self::Database => self.word(),
            Self::Balancer => "load balancer",
            Self::TargetGroup => "target group",
            Self::LaunchTemplate => "launch template",
            Self::ScalingGroup => "Auto Scaling group",
        }
    }
}

impl fmt::Display for EnvironmentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
