//! The load balancers and Auto Scaling groups of environments: created, changed and deleted.

use super::{Needs, Statement, arn};
use crate::topology::Environment;

/// The service-linked roles of both services, which AWS creates with the first load balancer and the first group of an account
/// (Elastic Load Balancing user guide and Auto Scaling user guide, "Service-linked roles").
const SERVICES: [&str; 2] = ["autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com"];

impl Needs<'_> {
    fn prods(&self) -> Vec<&Environment> {
        self.environments.iter().copied().filter(|it| it.kind.prod().is_some()).collect()
    }

    pub(super) fn has_prod(&self) -> bool {
        !self.prods().is_empty()
    }

    /// By their names, which have the environment; ARNs have an id behind it.
    fn named(&self, service: &str, kinds: &[&str]) -> Vec<String> {
        let of = |it: &Environment, kind: &&str| {
            arn(service, self.region_of(it), self.account, &kind.replace("NAME", &it.name_of_parts()))
        };
        self.prods().into_iter().flat_map(|it| kinds.iter().map(move |kind| of(it, kind))).collect()
    }

    fn scaling_groups(&self) -> Vec<String> {
        self.named("autoscaling", &["autoScalingGroup:*:autoScalingGroupName/NAME"])
    }

    /// What `apply` does with them.
    pub(super) fn scaled_applied(&self) -> Vec<Statement> {
        if !self.has_prod() {
            return Vec::new();
        }
        let balancing = [
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:SetSubnets",
        ];
        let of_balancing = ["loadbalancer/app/NAME/*", "listener/app/NAME/*", "targetgroup/NAME/*"];
        let groups = [
            "autoscaling:AttachLoadBalancerTargetGroups",
            "autoscaling:CreateAutoScalingGroup",
            "autoscaling:CreateOrUpdateTags",
            "autoscaling:UpdateAutoScalingGroup",
        ];
        let partition = crate::inventory::Partition::of(
            self.regions.iter().copied().flatten().next().unwrap_or_default(),
        );
        let account = self.account.map_or("*", |account| account.as_str());
        let roles = format!("arn:{}:iam::{account}:role/aws-service-role/*", partition.arn());
        vec![
            self.statement("LoadBalancers", &balancing, self.named("elasticloadbalancing", &of_balancing)),
            self.statement("ScalingGroups", &groups, self.scaling_groups()),
            self.created("LaunchTemplates", &["ec2:CreateLaunchTemplate"], &["launch-template/*"]),
            // Auto Scaling launches in the name of the caller, who has to be allowed to use the template.
            self.ours(
                "FromLaunchTemplates",
                &["ec2:CreateLaunchTemplateVersion", "ec2:RunInstances"],
                &["launch-template/*"],
            ),
            self.statement("ServiceRoles", &["iam:CreateServiceLinkedRole"], vec![roles]).when(
                "StringEquals",
                "iam:AWSServiceName",
                SERVICES,
            ),
        ]
    }

    /// What `destroy` does with them.
    pub(super) fn scaled_destroyed(&self) -> Vec<Statement> {
        if !self.has_prod() {
            return Vec::new();
        }
        let balancing = ["elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup"];
        let of_balancing = ["loadbalancer/app/NAME/*", "targetgroup/NAME/*"];
        let groups = ["autoscaling:DeleteAutoScalingGroup"];
        vec![
            self.statement("LoadBalancers", &balancing, self.named("elasticloadbalancing", &of_balancing)),
            self.statement("ScalingGroups", &groups, self.scaling_groups()),
            self.ours("LaunchTemplates", &["ec2:DeleteLaunchTemplate"], &["launch-template/*"]),
        ]
    }
}
