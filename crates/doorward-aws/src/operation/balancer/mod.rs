//! The calls of Elastic Load Balancing: classic load balancers, and those that came after.

mod describe_attributes;
mod describe_classic;
mod describe_listeners;
mod describe_load_balancers;
mod describe_rules;
mod describe_target_groups;
mod describe_target_health;

pub(crate) use describe_attributes::{
    AttributesAnswer, DescribeLoadBalancerAttributes, DescribeTargetGroupAttributes,
};
pub(crate) use describe_classic::{
    ClassicInstance, ClassicListenerDescription, ClassicShape, DescribeClassicLoadBalancers,
};
pub(crate) use describe_listeners::{ActionShape, DescribeListeners, ListenerShape};
pub(crate) use describe_load_balancers::{DescribeLoadBalancers, LoadBalancerShape};
pub(crate) use describe_rules::{DescribeRules, ListenerRuleShape};
pub(crate) use describe_target_groups::{DescribeTargetGroups, TargetGroupShape};
pub(crate) use describe_target_health::{DescribeTargetHealth, HealthShape};
