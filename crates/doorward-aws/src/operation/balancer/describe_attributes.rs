//! `elasticloadbalancing:DescribeLoadBalancerAttributes` and `DescribeTargetGroupAttributes`: what is set apart.

use doorward_core::inventory::CrossZone;
use serde::Deserialize;

use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List, Tag};

/// Asks for those of one load balancer.
#[derive(Debug, Clone)]
pub(crate) struct DescribeLoadBalancerAttributes {
    pub(crate) balancer: String,
}

impl Operation for DescribeLoadBalancerAttributes {
    const NAME: &'static str = "DescribeLoadBalancerAttributes";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = AttributesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LoadBalancerArn", &self.balancer);
        Body::Form(form)
    }
}

/// Asks for those of one target group.
#[derive(Debug, Clone)]
pub(crate) struct DescribeTargetGroupAttributes {
    pub(crate) target_group: String,
}

impl Operation for DescribeTargetGroupAttributes {
    const NAME: &'static str = "DescribeTargetGroupAttributes";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = AttributesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TargetGroupArn", &self.target_group);
        Body::Form(form)
    }
}

/// `Attributes`: keys and values, whose is not told.
#[derive(Debug, Deserialize)]
pub(crate) struct AttributesAnswer {
    #[serde(rename = "Attributes", default)]
    attributes: List<Tag>,
}

impl AttributesAnswer {
    /// Attributes that were recorded.
    pub(crate) fn of(attributes: Vec<Tag>) -> Self {
        Self { attributes: List(attributes) }
    }

    /// Whether load balancers of this group send to targets in other zones (`load_balancing.cross_zone.enabled`).
    pub(crate) fn cross_zone(&self) -> Option<bool> {
        self.flag("load_balancing.cross_zone.enabled")
    }

    /// Across which zones the targets of this group get packets (`load_balancing.cross_zone.enabled`).
    pub(crate) fn cross_zone_of_targets(&self) -> CrossZone {
        match self.cross_zone() {
            Some(true) => CrossZone::On,
            Some(false) => CrossZone::Off,
            // `use_load_balancer_configuration`, which is the default.
            None => CrossZone::AsLoadBalancer,
        }
    }

    /// Whether targets see the address of the client (`preserve_client_ip.enabled`).
    pub(crate) fn preserves_client(&self) -> Option<bool> {
        self.flag("preserve_client_ip.enabled")
    }

    fn flag(&self, key: &str) -> Option<bool> {
        let attribute = self.attributes.0.iter().find(|attribute| attribute.key == key)?;
        match attribute.value.as_deref()? {
            "true" => Some(true),
            "false" => Some(false),
            // A target group may leave it to its load balancer.
            _ => None,
        }
    }
}
