//! `autoscaling:DescribeAutoScalingGroups`: the groups with their instances.

use serde::Deserialize;

use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Form, List, Tag};

/// The largest page (Auto Scaling API reference, `DescribeAutoScalingGroups`).
const PAGE: &str = "100";

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeAutoScalingGroups {
    pub(crate) token: Option<String>,
}

impl Operation for DescribeAutoScalingGroups {
    const NAME: &'static str = "DescribeAutoScalingGroups";
    const SERVICE: Service = Service::Scaling;
    type Answer = ScalingGroupsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("MaxRecords", PAGE);
        if let Some(token) = &self.token {
            form.put("NextToken", token);
        }
        Body::Form(form)
    }
}

impl Paged for DescribeAutoScalingGroups {
    type Item = ScalingGroupShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: ScalingGroupsAnswer) -> (Vec<ScalingGroupShape>, Option<String>) {
        (answer.groups.0, answer.next)
    }
}

/// `AutoScalingGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct ScalingGroupsAnswer {
    #[serde(rename = "AutoScalingGroups", default)]
    pub(crate) groups: List<ScalingGroupShape>,
    #[serde(rename = "NextToken", default)]
    pub(crate) next: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ScalingGroupShape {
    #[serde(rename = "AutoScalingGroupName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "LaunchTemplate", default)]
    pub(crate) template: Option<UsedTemplateShape>,
    #[serde(rename = "MinSize", default)]
    pub(crate) min: Option<u32>,
    #[serde(rename = "MaxSize", default)]
    pub(crate) max: Option<u32>,
    #[serde(rename = "DesiredCapacity", default)]
    pub(crate) desired: Option<u32>,
    #[serde(rename = "VPCZoneIdentifier", default)]
    pub(crate) subnets: Option<String>,
    #[serde(rename = "TargetGroupARNs", default)]
    pub(crate) target_groups: List<String>,
    #[serde(rename = "HealthCheckType", default)]
    pub(crate) checks: Option<String>,
    #[serde(rename = "HealthCheckGracePeriod", default)]
    pub(crate) grace: Option<u32>,
    #[serde(rename = "Instances", default)]
    pub(crate) instances: List<MemberShape>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "Tags", default)]
    pub(crate) tags: List<Tag>,
}

/// The launch template of a group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UsedTemplateShape {
    #[serde(rename = "LaunchTemplateId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "Version", default)]
    pub(crate) version: Option<String>,
}

/// An instance of a group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MemberShape {
    #[serde(rename = "InstanceId", default)]
    pub(crate) id: Option<String>,
}
