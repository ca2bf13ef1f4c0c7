//! `elasticloadbalancing:DescribeTags`: the tags of load balancers and target groups.

use serde::Deserialize;

use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List, Tag};

/// How many resources one call may ask for (Elastic Load Balancing API reference, `DescribeTags`).
pub(crate) const TAGS_A_CALL: usize = 20;

/// Asks for those of some, by their ARNs.
#[derive(Debug, Clone)]
pub(crate) struct DescribeTags {
    pub(crate) arns: Vec<String>,
}

impl Operation for DescribeTags {
    const NAME: &'static str = "DescribeTags";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = TagsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.each("ResourceArns.member", &self.arns);
        Body::Form(form)
    }
}

/// `TagDescriptions`
#[derive(Debug, Deserialize)]
pub(crate) struct TagsAnswer {
    #[serde(rename = "TagDescriptions", default)]
    pub(crate) of: List<BalancerTagsShape>,
}

/// The tags of one of them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BalancerTagsShape {
    #[serde(rename = "ResourceArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Tags", default)]
    pub(crate) tags: List<Tag>,
}
