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
    ClassicAnswer, ClassicInstance, ClassicListenerDescription, ClassicShape, DescribeClassicLoadBalancers,
};
pub(crate) use describe_listeners::{ActionShape, DescribeListeners, ListenerShape, ListenersAnswer};
pub(crate) use describe_load_balancers::{DescribeLoadBalancers, LoadBalancerShape, LoadBalancersAnswer};
pub(crate) use describe_rules::{DescribeRules, ListenerRuleShape, ListenerRulesAnswer};
pub(crate) use describe_target_groups::{DescribeTargetGroups, TargetGroupShape, TargetGroupsAnswer};
pub(crate) use describe_target_health::{DescribeTargetHealth, HealthAnswer, HealthShape};
