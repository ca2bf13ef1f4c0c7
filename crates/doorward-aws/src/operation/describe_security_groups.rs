//! `ec2:DescribeSecurityGroups`: which groups are there, and in which VPC.

use doorward_core::inventory::SecurityGroupId;
use serde::Deserialize;

use super::permission::PermissionShape;
use super::{Asked, Body, Operation, PAGE, Paged, Service};
use crate::wire::{Form, List, Tag};

/// Asks for all groups, or for some by a filter: one that is gone is then left out, where a list of ids would refuse
/// the whole call.
#[derive(Debug, Clone)]
pub(crate) struct DescribeSecurityGroups {
    pub(crate) groups: Asked<SecurityGroupId>,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeSecurityGroups {
    const NAME: &'static str = "DescribeSecurityGroups";
    const SERVICE: Service = Service::Ec2;
    type Answer = GroupsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        self.groups.filter(&mut form, "group-id", SecurityGroupId::as_str);
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for DescribeSecurityGroups {
    type Item = GroupShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: GroupsAnswer) -> (Vec<GroupShape>, Option<String>) {
        (answer.groups.0, answer.next)
    }
}

/// `SecurityGroups`, `securityGroupInfo`
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct GroupsAnswer {
    #[serde(rename = "SecurityGroups", alias = "securityGroupInfo", default)]
    pub(crate) groups: List<GroupShape>,
    #[serde(rename = "NextToken", alias = "nextToken", default)]
    pub(crate) next: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct GroupShape {
    #[serde(rename = "GroupId", alias = "groupId")]
    pub(crate) id: String,
    #[serde(rename = "GroupName", alias = "groupName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "Description", alias = "groupDescription", default)]
    pub(crate) about: Option<String>,
    #[serde(rename = "OwnerId", alias = "ownerId", default)]
    pub(crate) owner: Option<String>,
    #[serde(rename = "VpcId", alias = "vpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "IpPermissions", alias = "ipPermissions", default)]
    pub(crate) ingress: List<PermissionShape>,
    #[serde(rename = "IpPermissionsEgress", alias = "ipPermissionsEgress", default)]
    pub(crate) egress: List<PermissionShape>,
    #[serde(rename = "Tags", alias = "tagSet", default)]
    pub(crate) tags: List<Tag>,
}
