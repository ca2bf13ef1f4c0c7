//! Load balancers and Auto Scaling groups: they are created, changed and deleted, each once, whatever happens to the answer.

use doorward_core::inventory::{LaunchTemplate, LaunchTemplateVersion, Owned, ScalingGroup, Tags};
use doorward_core::inventory::{LaunchTemplateId, LoadBalancer, TargetGroup};
use doorward_core::plan::network::{Change, ScaledChange, added, has_other_settings};

use super::NotDone;
use super::run::{Reporter, Run, Tried};
use super::wait::Polled;
use crate::error::Error;
use crate::operation::balancer::{
    CreateListener, CreateLoadBalancer, CreateTargetGroup, DeleteLoadBalancer, DeleteTargetGroup,
    DescribeLoadBalancers, DescribeTargetGroups, DescribeTargetHealth, ModifyListener, ModifyTargetGroup,
    SetSubnets,
};
use crate::operation::machine::{CreateLaunchTemplate, CreateLaunchTemplateVersion, DeleteLaunchTemplate};
use crate::operation::network::InterfacesDescribed;
use crate::operation::scaling::{
    AttachLoadBalancerTargetGroups, CreateAutoScalingGroup, DeleteAutoScalingGroup,
    DescribeAutoScalingGroups, ScalingGroupShape, UpdateAutoScalingGroup,
};
use crate::operation::{DescribeInstances, Operation, action};

/// With which Auto Scaling refuses while a scaling activity of the group is in progress, and while the group is being deleted.
const SCALES: &[&str] = &["ScalingActivityInProgress", "ResourceContention"];

impl Run {
    pub(super) async fn scaled(&self, change: &ScaledChange, reporter: &Reporter) -> Result<(), NotDone> {
        match change {
            ScaledChange::CreateTargetGroup(group) => self.create_target_group(group, reporter).await,
            ScaledChange::ModifyTargetGroup(arn, group) => {
                let health_path = group.health_path.clone().unwrap_or_default();
                self.done(&ModifyTargetGroup { arn: arn.clone(), health_path }, &[], &[], reporter).await
            }
            ScaledChange::CreateBalancer(balancer) => self.create_balancer(balancer, reporter).await,
            ScaledChange::SetSubnets(arn, balancer) => {
                let operation = SetSubnets { balancer: arn.clone(), subnets: balancer.subnets.clone() };
                self.done(&operation, &[], &[], reporter).await
            }
            ScaledChange::CreateListener(arn, of) => {
                let operation = CreateListener { balancer: arn.clone(), listener: of.1.clone() };
                self.done(&operation, &[], &["DuplicateListener"], reporter).await
            }
            ScaledChange::ModifyListener(_, of) => {
                let missing = || NotDone::Missing(format!("the listener on port {}", of.1.port));
                let arn = of.1.arn.clone().ok_or_else(missing)?;
                self.done(&ModifyListener { arn, listener: of.1.clone() }, &[], &[], reporter).await
            }
            ScaledChange::CreateTemplate { template, launched } => {
                let token = self.tokens.of(&Change::Scaled(change.clone()));
                self.create_template(template, launched, token, reporter).await
            }
            ScaledChange::CreateVersion { template, source, number, version } => {
                let token = self.tokens.of(&Change::Scaled(change.clone()));
                self.create_version(template, (*source, *number), version, token, reporter).await
            }
            ScaledChange::CreateGroup(group, _) => {
                let operation = CreateAutoScalingGroup(group.as_ref().clone());
                self.done(&operation, &[], &["AlreadyExists"], reporter).await
            }
            ScaledChange::ModifyGroup(name, groups) => {
                let (before, after) = groups.as_ref();
                self.modify_group(name, (before, after), reporter).await
            }
            ScaledChange::DeleteGroup(_, name) => self.delete_group(name, reporter).await,
            ScaledChange::DeleteBalancer(arn, _) => {
                let operation = DeleteLoadBalancer(arn.clone());
                self.done(&operation, &["LoadBalancerNotFound"], &[], reporter).await
            }
            ScaledChange::DeleteTargetGroup(arn, _) => {
                let operation = DeleteTargetGroup(arn.clone());
                self.done(&operation, &["TargetGroupNotFound"], &[], reporter).await
            }
            ScaledChange::DeleteTemplate(id) => {
                let operation = DeleteLaunchTemplate(id.clone());
                let gone =
                    ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"];
                self.done(&operation, &gone, &[], reporter).await
            }
        }
    }

    async fn done<O: Operation>(
        &self,
        operation: &O,
        done: &[&str],
        repeated: &[&str],
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.repeat(operation, done, repeated, reporter).await.map(drop)
    }

    fn nothing_in<O: Operation>(&self) -> Error {
        Error::Silent {
            call: action::<O>(),
            account_region: self.account.account_region().clone(),
            why: "the response has no ARN".to_owned(),
        }
    }

    /// The same call again answers with the first target group (Elastic Load Balancing API reference, `CreateTargetGroup`).
    async fn create_target_group(&self, group: &TargetGroup, reporter: &Reporter) -> Result<(), NotDone> {
        let operation = CreateTargetGroup(group.clone());
        let answer = self.repeat(&operation, &[], &["DuplicateTargetGroupName"], reporter).await?;
        let mut groups = answer.map(|answer| answer.groups.0).unwrap_or_default();
        if groups.is_empty() {
            groups = self.pages(DescribeTargetGroups::default()).await?;
        }
        let made = groups.into_iter().find(|it| it.name.as_deref() == Some(group.name.as_str()));
        let arn = made.and_then(|it| it.arn).ok_or_else(|| self.nothing_in::<CreateTargetGroup>())?;
        self.note(&group.arn, &arn);
        Ok(())
    }

    /// The same call again answers with the first load balancer (Elastic Load Balancing API reference, `CreateLoadBalancer`).
    async fn create_balancer(&self, balancer: &LoadBalancer, reporter: &Reporter) -> Result<(), NotDone> {
        let operation = CreateLoadBalancer(balancer.clone());
        let answer = self.repeat(&operation, &[], &[], reporter).await?;
        let made = answer.and_then(|answer| answer.balancers.0.into_iter().next());
        let arn = made.and_then(|it| it.arn).ok_or_else(|| self.nothing_in::<CreateLoadBalancer>())?;
        self.note(&balancer.arn, &arn);
        Ok(())
    }

    async fn create_template(
        &self,
        template: &LaunchTemplate,
        launched: &Tags,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = CreateLaunchTemplate {
            name: template.name.clone(),
            version: template.versions.values().next().cloned().unwrap_or_default(),
            tags: template.tags.clone(),
            launched: launched.clone(),
            token,
        };
        self.create_noting(&template.id, &operation, reporter).await.map(drop)
    }

    /// The version has to get the number that the plan says, which the group uses next: else somebody added one meanwhile.
    async fn create_version(
        &self,
        template: &Owned<LaunchTemplateId>,
        (source, number): (u64, u64),
        version: &LaunchTemplateVersion,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let (template, version) = (template.clone(), version.clone());
        let name = template.id().to_string();
        let operation = CreateLaunchTemplateVersion { template, source, version, token };
        let answer = self.repeat(&operation, &[], &[], reporter).await?;
        let made = answer.and_then(|answer| answer.version).and_then(|it| it.number);
        match made {
            Some(made) if made == number => Ok(()),
            made => Err(NotDone::Dead {
                what: format!("launch template {name}"),
                state: format!("at version {}", made.unwrap_or_default()),
                why: format!("version {number} was planned, and somebody else added one"),
                is_replaced: true,
            }),
        }
    }

    async fn modify_group(
        &self,
        name: &Owned<String>,
        (before, after): (&ScalingGroup, &ScalingGroup),
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        if has_other_settings(before, after) {
            let operation = UpdateAutoScalingGroup { name: name.clone(), group: after.clone() };
            self.done(&operation, &[], &[], reporter).await?;
        }
        let target_groups = added(before, after);
        if target_groups.is_empty() {
            return Ok(());
        }
        let operation = AttachLoadBalancerTargetGroups { name: name.clone(), target_groups };
        self.done(&operation, &[], &[], reporter).await
    }

    async fn delete_group(&self, name: &Owned<String>, reporter: &Reporter) -> Result<(), NotDone> {
        let operation = DeleteAutoScalingGroup(name.clone());
        let deleted = self.done(&operation, &[], SCALES, reporter).await;
        let Err(NotDone::Call(Error::Refused { code, .. })) = &deleted else { return deleted };
        // Auto Scaling says that a group does not exist by the code of all that is wrong with a request.
        let is_gone = code == "ValidationError" && self.scaling_group(name.id()).await?.is_none();
        if is_gone { Ok(()) } else { deleted }
    }

    async fn scaling_group(&self, name: &str) -> Result<Option<ScalingGroupShape>, Tried> {
        let all = self.pages(DescribeAutoScalingGroups::default()).await?;
        Ok(all.into_iter().find(|it| it.name.as_deref() == Some(name)))
    }

    pub(super) async fn balancer_active(&self, name: &str) -> Result<Polled, Tried> {
        let all = self.pages(DescribeLoadBalancers::default()).await?;
        let Some(balancer) = all.into_iter().find(|it| it.name.as_deref() == Some(name)) else {
            return Ok(Polled::NotYet("not visible".to_owned()));
        };
        let state = balancer.state.and_then(|state| state.code).unwrap_or_default();
        Ok(match state.as_str() {
            "active" | "active_impaired" => Polled::Reached,
            "failed" => Polled::Never(state, "delete it, and run the command again".to_owned()),
            _ => Polled::NotYet(state),
        })
    }

    pub(super) async fn balancer_gone(&self, name: &str) -> Result<Polled, Tried> {
        let operation = InterfacesDescribed { description: format!("ELB app/{name}/*"), token: None };
        let left = self.pages(operation).await?.len();
        Ok(match left {
            0 => Polled::Reached,
            1 => Polled::NotYet("1 interface is left".to_owned()),
            left => Polled::NotYet(format!("{left} interfaces are left")),
        })
    }

    /// Counts the healthy targets, and says why others are not.
    pub(super) async fn group_serves(&self, name: &str) -> Result<Polled, Tried> {
        let Some(group) = self.scaling_group(name).await? else {
            return Ok(Polled::NotYet("not visible".to_owned()));
        };
        let least = usize::try_from(group.min.unwrap_or_default()).unwrap_or(usize::MAX);
        let mut reasons = std::collections::BTreeSet::new();
        for target_group in group.target_groups.0 {
            let answer = self.call(&DescribeTargetHealth { target_group }).await?;
            let targets = answer.targets.0.into_iter().filter_map(|it| it.health);
            let mut healthy = 0;
            for health in targets {
                let state = health.state.unwrap_or_default();
                healthy += usize::from(state == "healthy");
                let reason = health.reason.unwrap_or(state);
                reasons.extend((reason != "healthy").then_some(reason));
            }
            if healthy < least {
                let reasons: Vec<String> = reasons.into_iter().collect();
                let reasons =
                    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
                return Ok(Polled::NotYet(format!("at {healthy} of {least} healthy targets{reasons}")));
            }
        }
        Ok(Polled::Reached)
    }

    /// The group is gone, and so are its instances: each has its name in a tag (Auto Scaling user guide, "Tag Auto Scaling groups
    /// and instances").
    pub(super) async fn group_gone(&self, name: &str) -> Result<Polled, Tried> {
        if self.scaling_group(name).await?.is_some() {
            return Ok(Polled::NotYet("being deleted".to_owned()));
        }
        let all = self.pages(DescribeInstances::default()).await?;
        let is_its = |tag: &crate::wire::Tag| {
            tag.key == "aws:autoscaling:groupName" && tag.value.as_deref() == Some(name)
        };
        let its = all.into_iter().filter(|it| it.tags.0.iter().any(is_its));
        let left = its.map(super::environments::state_of).filter(|state| state != "terminated").count();
        Ok(match left {
            0 => Polled::Reached,
            left => Polled::NotYet(format!("deleted, with {left} of its instances left")),
        })
    }
}
