//! The calls that create, change and delete Auto Scaling groups.

use std::collections::BTreeSet;

use doorward_core::inventory::{Owned, ScalingGroup};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Reads an answer that may have no result in it.
fn nothing(body: &[u8]) -> Result<Done, String> {
    Service::Ec2.read(body)
}

/// Creates a group. Auto Scaling has no tokens: its name says whether it was created.
#[derive(Debug, Clone)]
pub(crate) struct CreateAutoScalingGroup(pub(crate) ScalingGroup);

impl Operation for CreateAutoScalingGroup {
    const NAME: &'static str = "CreateAutoScalingGroup";
    const SERVICE: Service = Service::Scaling;
    type Answer = Done;

    fn body(&self) -> Body {
        let Self(group) = self;
        let mut form = Form::default();
        form.put("AutoScalingGroupName", &group.name);
        settings(&mut form, group);
        form.put("DesiredCapacity", &group.desired.to_string());
        form.each("TargetGroupARNs.member", &group.target_groups);
        for (number, (key, value)) in (1..).zip(&group.tags) {
            form.put(&format!("Tags.member.{number}.Key"), key);
            form.put(&format!("Tags.member.{number}.Value"), value);
            // The launch template has the tags of the instances.
            form.put(&format!("Tags.member.{number}.PropagateAtLaunch"), "false");
        }
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

fn settings(form: &mut Form, group: &ScalingGroup) {
    if let Some((template, version)) = &group.template {
        form.put("LaunchTemplate.LaunchTemplateId", template.as_str());
        form.put("LaunchTemplate.Version", version);
    }
    form.put("MinSize", &group.min.to_string());
    form.put("MaxSize", &group.max.to_string());
    let subnets: Vec<&str> = group.subnets.iter().map(|subnet| subnet.as_str()).collect();
    form.put("VPCZoneIdentifier", &subnets.join(","));
    form.put("HealthCheckType", if group.checks_balancer { "ELB" } else { "EC2" });
    form.put("HealthCheckGracePeriod", &group.grace.to_string());
    form.put("DefaultInstanceWarmup", &group.grace.to_string());
}

/// Gives a group other settings. How many instances it has now is up to its scaling policies.
#[derive(Debug, Clone)]
pub(crate) struct UpdateAutoScalingGroup {
    pub(crate) name: Owned<String>,
    pub(crate) group: ScalingGroup,
}

impl Operation for UpdateAutoScalingGroup {
    const NAME: &'static str = "UpdateAutoScalingGroup";
    const SERVICE: Service = Service::Scaling;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("AutoScalingGroupName", self.name.id());
        settings(&mut form, &self.group);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Has the instances of a group registered with more target groups.
#[derive(Debug, Clone)]
pub(crate) struct AttachLoadBalancerTargetGroups {
    pub(crate) name: Owned<String>,
    pub(crate) target_groups: BTreeSet<String>,
}

impl Operation for AttachLoadBalancerTargetGroups {
    const NAME: &'static str = "AttachLoadBalancerTargetGroups";
    const SERVICE: Service = Service::Scaling;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("AutoScalingGroupName", self.name.id());
        form.each("TargetGroupARNs.member", &self.target_groups);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Deletes a group with all its instances.
#[derive(Debug, Clone)]
pub(crate) struct DeleteAutoScalingGroup(pub(crate) Owned<String>);

impl Operation for DeleteAutoScalingGroup {
    const NAME: &'static str = "DeleteAutoScalingGroup";
    const SERVICE: Service = Service::Scaling;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("AutoScalingGroupName", self.0.id());
        form.put("ForceDelete", "true");
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}
