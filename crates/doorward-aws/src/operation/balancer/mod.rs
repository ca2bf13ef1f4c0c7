//! The calls of Elastic Load Balancing: classic load balancers, and those that came after.

mod change;
mod describe_attributes;
mod describe_classic;
mod describe_listeners;
mod describe_load_balancers;
mod describe_rules;
mod describe_tags;
mod describe_target_groups;
mod describe_target_health;

pub(crate) use change::{
    CreateListener, CreateLoadBalancer, CreateTargetGroup, DeleteLoadBalancer, DeleteTargetGroup,
    ModifyListener, ModifyTargetGroup, SetSecurityGroups, SetSubnets,
};
pub(crate) use describe_attributes::{
    AttributesAnswer, DescribeLoadBalancerAttributes, DescribeTargetGroupAttributes,
};
pub(crate) use describe_classic::{
    ClassicInstance, ClassicListenerDescription, ClassicShape, DescribeClassicLoadBalancers,
};
pub(crate) use describe_listeners::{ActionShape, DescribeListeners, ListenerShape};
pub(crate) use describe_load_balancers::{DescribeLoadBalancers, LoadBalancerShape, LoadBalancersAnswer};
pub(crate) use describe_rules::{DescribeRules, ListenerRuleShape};
pub(crate) use describe_tags::{BalancerTagsShape, DescribeTags, TAGS_A_CALL};
pub(crate) use describe_target_groups::{DescribeTargetGroups, TargetGroupShape, TargetGroupsAnswer};
pub(crate) use describe_target_health::{DescribeTargetHealth, HealthShape};
