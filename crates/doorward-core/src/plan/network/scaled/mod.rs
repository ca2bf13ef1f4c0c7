//! Changes to the load balancers and Auto Scaling groups of environments: each one call to AWS, or two that belong together.

mod difference;
mod footprint;
mod perform;
mod words;

use std::collections::BTreeSet;

use super::ids::Ids;
use crate::inventory::{
    AccountRegion, Instance, Interface, LaunchTemplate, LaunchTemplateId, LaunchTemplateVersion, Listener,
    LoadBalancer, Owned, ResourceKind, ResourceRef, ScalingGroup, Tags, TargetGroup,
};

pub(super) use difference::{changed, removed};
pub(super) use footprint::{awaits, footprint};

/// One change. ARNs and ids may be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScaledChange {
    /// A target group without targets.
    CreateTargetGroup(Box<TargetGroup>),
    /// The health checks of a target group get the path that it has here.
    ModifyTargetGroup(Owned<String>, Box<TargetGroup>),
    /// A load balancer without listeners.
    CreateBalancer(Box<LoadBalancer>),
    /// A load balancer gets the subnets that it has here.
    SetSubnets(Owned<String>, Box<LoadBalancer>),
    /// A listener of a load balancer.
    CreateListener(Owned<String>, Box<(LoadBalancer, Listener)>),
    /// The listener on a port gets another certificate or another target group.
    ModifyListener(Owned<String>, Box<(LoadBalancer, Listener)>),
    /// A launch template with its first version.
    CreateTemplate {
        template: Box<LaunchTemplate>,
        /// The tags of what is launched.
        launched: Tags,
    },
    /// A version of a launch template.
    CreateVersion {
        template: Owned<LaunchTemplateId>,
        /// The version that it is like but for what is given here.
        source: u64,
        /// The number that it has to get.
        number: u64,
        version: Box<LaunchTemplateVersion>,
    },
    /// An Auto Scaling group with the instances that AWS launches for it.
    CreateGroup(Box<ScalingGroup>, Vec<(Instance, Interface)>),
    /// An Auto Scaling group gets other settings; the first of the pair are those that it has before.
    ModifyGroup(Owned<String>, Box<(ScalingGroup, ScalingGroup)>),
    /// An Auto Scaling group goes, with its instances.
    DeleteGroup(AccountRegion, Owned<String>),
    /// A load balancer goes, with its listeners.
    DeleteBalancer(Owned<String>, Box<LoadBalancer>),
    /// A target group goes.
    DeleteTargetGroup(Owned<String>, Box<TargetGroup>),
    /// A launch template goes, with all its versions.
    DeleteTemplate(Owned<LaunchTemplateId>),
}

impl ScaledChange {
    /// Whether it takes something away that another call cannot bring back as it was.
    pub(super) fn destroys(&self) -> bool {
        matches!(
            self,
            Self::DeleteGroup(..)
                | Self::DeleteBalancer(..)
                | Self::DeleteTargetGroup(..)
                | Self::DeleteTemplate(_)
        )
    }

    /// What it creates, changes or removes.
    pub(super) fn touches(&self) -> ResourceRef {
        match self {
            Self::CreateTargetGroup(group)
            | Self::ModifyTargetGroup(_, group)
            | Self::DeleteTargetGroup(_, group) => group.resource(),
            Self::CreateBalancer(balancer)
            | Self::SetSubnets(_, balancer)
            | Self::DeleteBalancer(_, balancer) => balancer.resource(),
            Self::CreateListener(_, of) | Self::ModifyListener(_, of) => of.0.resource(),
            Self::CreateTemplate { template, .. } => (&template.id).into(),
            Self::CreateVersion { template, .. } | Self::DeleteTemplate(template) => template.id().into(),
            Self::CreateGroup(group, _) => group.resource(),
            Self::ModifyGroup(_, groups) => groups.1.resource(),
            Self::DeleteGroup(account_region, name) => {
                ResourceRef::named(ResourceKind::ScalingGroup, name.id(), account_region)
            }
        }
    }

    /// The calls that change something.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        match self {
            Self::CreateTargetGroup(_) => vec!["elasticloadbalancing:CreateTargetGroup"],
            Self::ModifyTargetGroup(..) => vec!["elasticloadbalancing:ModifyTargetGroup"],
            Self::CreateBalancer(_) => vec!["elasticloadbalancing:CreateLoadBalancer"],
            Self::SetSubnets(..) => vec!["elasticloadbalancing:SetSubnets"],
            Self::CreateListener(..) => vec!["elasticloadbalancing:CreateListener"],
            Self::ModifyListener(..) => vec!["elasticloadbalancing:ModifyListener"],
            Self::CreateTemplate { .. } => vec!["ec2:CreateLaunchTemplate"],
            Self::CreateVersion { .. } => vec!["ec2:CreateLaunchTemplateVersion"],
            Self::CreateGroup(..) => vec!["autoscaling:CreateAutoScalingGroup"],
            Self::ModifyGroup(_, groups) => {
                let (before, after) = groups.as_ref();
                let settings =
                    has_other_settings(before, after).then_some("autoscaling:UpdateAutoScalingGroup");
                let attach = (!added(before, after).is_empty())
                    .then_some("autoscaling:AttachLoadBalancerTargetGroups");
                settings.into_iter().chain(attach).collect()
            }
            Self::DeleteGroup(..) => vec!["autoscaling:DeleteAutoScalingGroup"],
            Self::DeleteBalancer(..) => vec!["elasticloadbalancing:DeleteLoadBalancer"],
            Self::DeleteTargetGroup(..) => vec!["elasticloadbalancing:DeleteTargetGroup"],
            Self::DeleteTemplate(_) => vec!["ec2:DeleteLaunchTemplate"],
        }
    }

    /// The permissions that these take besides (Service Authorization Reference, "Dependent actions"; Auto Scaling user guide,
    /// "Control Amazon EC2 launch template usage").
    pub(super) fn dependent(&self) -> Vec<&'static str> {
        const LAUNCHES: [&str; 3] = ["ec2:CreateTags", "ec2:RunInstances", "iam:CreateServiceLinkedRole"];
        match self {
            Self::CreateTargetGroup(_) => vec!["elasticloadbalancing:AddTags"],
            Self::CreateBalancer(_) => {
                vec!["elasticloadbalancing:AddTags", "iam:CreateServiceLinkedRole"]
            }
            Self::CreateTemplate { .. } => vec!["ec2:CreateTags"],
            Self::CreateGroup(_, launched) => {
                let mut all = LAUNCHES.to_vec();
                all.push("autoscaling:CreateOrUpdateTags");
                if launched.iter().any(|(instance, _)| instance.profile.is_some()) {
                    all.push("iam:PassRole");
                }
                all
            }
            Self::ModifyGroup(_, groups) if groups.0.template != groups.1.template => {
                vec!["ec2:CreateTags", "ec2:RunInstances"]
            }
            _ => Vec::new(),
        }
    }

    /// The same change with the ids and ARNs that AWS has given so far.
    pub(super) fn resolved(&self, ids: &Ids) -> Self {
        let right = |right: &Owned<String>| right.clone().given(ids.text(right.id()));
        match self {
            Self::CreateTargetGroup(group) => {
                let mut group = group.clone();
                group.vpc = group.vpc.as_ref().map(|vpc| ids.id(vpc));
                Self::CreateTargetGroup(group)
            }
            Self::CreateBalancer(balancer) => {
                let mut balancer = balancer.clone();
                balancer.vpc = balancer.vpc.as_ref().map(|vpc| ids.id(vpc));
                balancer.subnets = ids.all(&balancer.subnets);
                balancer.groups = ids.all(&balancer.groups);
                Self::CreateBalancer(balancer)
            }
            Self::SetSubnets(arn, balancer) => {
                let mut balancer = balancer.clone();
                balancer.subnets = ids.all(&balancer.subnets);
                Self::SetSubnets(right(arn), balancer)
            }
            Self::CreateListener(arn, of) => Self::CreateListener(right(arn), listener(ids, of)),
            Self::ModifyListener(arn, of) => Self::ModifyListener(right(arn), listener(ids, of)),
            Self::CreateTemplate { template, launched } => {
                let mut template = template.clone();
                for version in template.versions.values_mut() {
                    version.groups = ids.all(&version.groups);
                }
                Self::CreateTemplate { template, launched: launched.clone() }
            }
            Self::CreateVersion { template, source, number, version } => {
                let mut version = version.clone();
                version.groups = ids.all(&version.groups);
                let (source, number) = (*source, *number);
                Self::CreateVersion { template: template.clone(), source, number, version }
            }
            Self::CreateGroup(of, launched) => {
                let mut launched = launched.clone();
                for (_, interface) in &mut launched {
                    interface.vpc = ids.id(&interface.vpc);
                    interface.subnet = ids.id(&interface.subnet);
                    interface.groups = ids.all(&interface.groups);
                }
                Self::CreateGroup(Box::new(group(ids, of)), launched)
            }
            Self::ModifyGroup(name, groups) => {
                let (before, after) = groups.as_ref();
                Self::ModifyGroup(name.clone(), Box::new((before.clone(), group(ids, after))))
            }
            Self::ModifyTargetGroup(..)
            | Self::DeleteGroup(..)
            | Self::DeleteBalancer(..)
            | Self::DeleteTargetGroup(..)
            | Self::DeleteTemplate(_) => self.clone(),
        }
    }
}

fn listener(ids: &Ids, of: &(LoadBalancer, Listener)) -> Box<(LoadBalancer, Listener)> {
    let (balancer, mut listener) = of.clone();
    listener.target_groups = listener.target_groups.iter().map(|arn| ids.text(arn)).collect();
    Box::new((balancer, listener))
}

fn group(ids: &Ids, group: &ScalingGroup) -> ScalingGroup {
    let mut group = group.clone();
    group.template = group.template.map(|(template, version)| (ids.id(&template), version));
    group.subnets = ids.all(&group.subnets);
    group.target_groups = group.target_groups.iter().map(|arn| ids.text(arn)).collect();
    group
}

/// Whether a group gets other settings than target groups.
pub fn has_other_settings(before: &ScalingGroup, after: &ScalingGroup) -> bool {
    let rest = |group: &ScalingGroup| ScalingGroup { target_groups: BTreeSet::new(), ..group.clone() };
    rest(before) != rest(after)
}

/// The target groups that a group gets.
pub fn added(before: &ScalingGroup, after: &ScalingGroup) -> BTreeSet<String> {
    after.target_groups.difference(&before.target_groups).cloned().collect()
}
