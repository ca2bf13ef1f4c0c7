//! `elasticloadbalancing:DescribeTargetHealth`: the targets of a group, and how they are.

use serde::Deserialize;

use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List};

/// Asks for those of one target group; the answer has no pages.
#[derive(Debug, Clone)]
pub(crate) struct DescribeTargetHealth {
    pub(crate) target_group: String,
}

impl Operation for DescribeTargetHealth {
    const NAME: &'static str = "DescribeTargetHealth";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = HealthAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TargetGroupArn", &self.target_group);
        Body::Form(form)
    }
}

/// `TargetHealthDescriptions`: whose is not told.
#[derive(Debug, Deserialize)]
pub(crate) struct HealthAnswer {
    #[serde(rename = "TargetHealthDescriptions", default)]
    pub(crate) targets: List<HealthShape>,
}

/// One target.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HealthShape {
    #[serde(rename = "Target", default)]
    pub(crate) target: Option<TargetShape>,
    #[serde(rename = "TargetHealth", default)]
    pub(crate) health: Option<StateShape>,
}

/// What it is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetShape {
    #[serde(rename = "Id", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "Port", default)]
    pub(crate) port: Option<u16>,
    #[serde(rename = "AvailabilityZone", default)]
    pub(crate) zone: Option<String>,
}

/// How it is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StateShape {
    #[serde(rename = "State", default)]
    pub(crate) state: Option<String>,
    #[serde(rename = "Reason", default)]
    pub(crate) reason: Option<String>,
}
