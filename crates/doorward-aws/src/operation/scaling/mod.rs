//! The calls of Auto Scaling.

mod change;
mod describe_groups;

pub(crate) use change::{
    AttachLoadBalancerTargetGroups, CreateAutoScalingGroup, DeleteAutoScalingGroup, UpdateAutoScalingGroup,
};
pub(crate) use describe_groups::{DescribeAutoScalingGroups, ScalingGroupShape};
