//! `ec2:CreateSecurityGroup`: makes a security group, which lets everything out.

use doorward_core::inventory::{SecurityGroup, Tags};
use serde::Deserialize;

use super::{Creates, tagged};
use crate::operation::{Body, DescribeSecurityGroups, GroupShape, Operation, Service};
use crate::wire::{Form, List};

/// Makes a security group. EC2 has no token for it; a second one of the same name in a VPC is refused.
#[derive(Debug, Clone)]
pub(crate) struct CreateSecurityGroup(pub(crate) SecurityGroup);

impl Operation for CreateSecurityGroup {
    const NAME: &'static str = "CreateSecurityGroup";
    const SERVICE: Service = Service::Ec2;
    type Answer = GroupAnswer;

    fn body(&self) -> Body {
        let SecurityGroup { vpc, name, about, tags, .. } = &self.0;
        let mut form = Form::default();
        form.put("GroupName", name);
        form.put("GroupDescription", about);
        if let Some(vpc) = vpc {
            form.put("VpcId", vpc.as_str());
        }
        tagged(&mut form, "security-group", tags);
        Body::Form(form)
    }
}

impl Creates for CreateSecurityGroup {
    type Look = DescribeSecurityGroups;
    const THERE: &'static [&'static str] = &["InvalidGroup.Duplicate"];

    fn tags(&self) -> &Tags {
        &self.0.tags
    }

    fn made(answer: GroupAnswer) -> Option<GroupShape> {
        let id = answer.id?;
        let none = || List(Vec::new());
        let (name, about, owner, vpc) = (None, None, None, None);
        Some(GroupShape {
            id,
            name,
            about,
            owner,
            vpc,
            ingress: none(),
            egress: List(Vec::new()),
            tags: List(Vec::new()),
        })
    }
}

/// `groupId`
#[derive(Debug, Deserialize)]
pub(crate) struct GroupAnswer {
    #[serde(rename = "GroupId", alias = "groupId", default)]
    id: Option<String>,
}
