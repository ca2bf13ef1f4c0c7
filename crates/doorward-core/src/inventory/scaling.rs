//! Launch templates and Auto Scaling groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountRegion, Image, InstanceId, LaunchTemplateId, SecurityGroupId, SubnetId, Tags, TypeName};

/// A launch template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplate {
    pub id: LaunchTemplateId,
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The number of its newest version.
    pub latest: u64,
    /// The number of the version that is used where none is named.
    pub default: u64,
    /// Its versions by number, as far as they were read: those of templates that a Doorward created.
    pub versions: BTreeMap<u64, LaunchTemplateVersion>,
    pub tags: Tags,
}

/// A version of a launch template. Versions are never changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchTemplateVersion {
    /// What instances are launched from.
    pub image: Option<Image>,
    /// The type of the instances.
    pub size: Option<TypeName>,
    /// The name of their instance profile.
    pub profile: Option<String>,
    /// Their security groups.
    pub groups: BTreeSet<SecurityGroupId>,
}

impl LaunchTemplate {
    /// The number that a text means: a number, `$Latest` or `$Default`.
    pub fn number(&self, version: &str) -> Option<u64> {
        match version {
            "$Latest" => Some(self.latest),
            "" | "$Default" => Some(self.default),
            number => number.parse().ok(),
        }
    }
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingGroup {
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its launch template with the version: a number, `$Latest` or `$Default`. None if it has none of its own.
    pub template: Option<(LaunchTemplateId, String)>,
    /// `MinSize`
    pub min: u32,
    /// `MaxSize`
    pub max: u32,
    /// How many instances it is to have now, which is up to its scaling policies.
    pub desired: u32,
    pub subnets: BTreeSet<SubnetId>,
    /// The target groups that its instances are registered with, by ARN.
    pub target_groups: BTreeSet<String>,
    /// Whether a load balancer's health checks count, too: `HealthCheckType` has `ELB`.
    pub checks_balancer: bool,
    /// For how many seconds the health of a new instance does not count.
    pub grace: u32,
    /// Its instances.
    pub instances: BTreeSet<InstanceId>,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    pub tags: Tags,
}
