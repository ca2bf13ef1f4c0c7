//! `ec2:DescribeSecurityGroupRules`: every rule with its id, its tags and its description.

use doorward_core::inventory::SecurityGroupId;
use serde::Deserialize;

use super::{Asked, Body, Operation, PAGE, Paged, PeerShape, Service};
use crate::wire::{Form, List, Tag};

/// Asks for all rules of all groups or of some.
#[derive(Debug, Clone)]
pub(crate) struct DescribeSecurityGroupRules {
    pub(crate) groups: Asked<SecurityGroupId>,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeSecurityGroupRules {
    const NAME: &'static str = "DescribeSecurityGroupRules";
    const SERVICE: Service = Service::Ec2;
    type Answer = RulesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        self.groups.filter(&mut form, "group-id", SecurityGroupId::as_str);
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for DescribeSecurityGroupRules {
    type Item = RuleShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: RulesAnswer) -> (Vec<RuleShape>, Option<String>) {
        (answer.rules.0, answer.next)
    }
}

/// `SecurityGroupRules`, `securityGroupRuleSet`
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RulesAnswer {
    #[serde(rename = "SecurityGroupRules", alias = "securityGroupRuleSet", default)]
    pub(crate) rules: List<RuleShape>,
    #[serde(rename = "NextToken", alias = "nextToken", default)]
    pub(crate) next: Option<String>,
}

/// What `AuthorizeSecurityGroupIngress` answers: the rules that it made. Not every stand-in for AWS tells of them.
#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct Authorized {
    #[serde(rename = "SecurityGroupRules", alias = "securityGroupRuleSet", default)]
    pub(crate) rules: List<RuleShape>,
}

/// One rule. Of the four kinds of other side it has exactly one.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RuleShape {
    #[serde(rename = "SecurityGroupRuleId", alias = "securityGroupRuleId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "GroupId", alias = "groupId")]
    pub(crate) group: String,
    #[serde(rename = "GroupOwnerId", alias = "groupOwnerId", default)]
    pub(crate) owner: Option<String>,
    #[serde(rename = "IsEgress", alias = "isEgress")]
    pub(crate) egress: bool,
    #[serde(rename = "IpProtocol", alias = "ipProtocol")]
    pub(crate) protocol: String,
    #[serde(rename = "FromPort", alias = "fromPort", default)]
    pub(crate) from: Option<i64>,
    #[serde(rename = "ToPort", alias = "toPort", default)]
    pub(crate) to: Option<i64>,
    #[serde(rename = "CidrIpv4", alias = "cidrIpv4", default)]
    pub(crate) v4: Option<String>,
    #[serde(rename = "CidrIpv6", alias = "cidrIpv6", default)]
    pub(crate) v6: Option<String>,
    #[serde(rename = "PrefixListId", alias = "prefixListId", default)]
    pub(crate) prefix_list: Option<String>,
    #[serde(rename = "ReferencedGroupInfo", alias = "referencedGroupInfo", default)]
    pub(crate) referenced: Option<PeerShape>,
    #[serde(rename = "Description", alias = "description", default)]
    pub(crate) description: Option<String>,
    #[serde(rename = "Tags", alias = "tagSet", default)]
    pub(crate) tags: List<Tag>,
}
