//! `ec2:DescribeManagedPrefixLists`: which prefix lists there are, and how much each counts against a group's quota.

use doorward_core::inventory::PrefixListId;
use serde::Deserialize;

use super::{Asked, Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all lists, or for some by their ids, 100 at most.
#[derive(Debug, Clone)]
pub(crate) struct DescribeManagedPrefixLists {
    pub(crate) lists: Asked<PrefixListId>,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeManagedPrefixLists {
    const NAME: &'static str = "DescribeManagedPrefixLists";
    const SERVICE: Service = Service::Ec2;
    type Answer = ListsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        self.lists.filter(&mut form, "prefix-list-id", PrefixListId::as_str);
        form.page(100, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for DescribeManagedPrefixLists {
    type Item = ListShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: ListsAnswer) -> (Vec<ListShape>, Option<String>) {
        (answer.lists.0, answer.next)
    }
}

/// `PrefixLists`, `prefixListSet`
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct ListsAnswer {
    #[serde(rename = "PrefixLists", alias = "prefixListSet", default)]
    lists: List<ListShape>,
    #[serde(rename = "NextToken", alias = "nextToken", default)]
    next: Option<String>,
}

/// One list.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct ListShape {
    #[serde(rename = "PrefixListId", alias = "prefixListId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "PrefixListName", alias = "prefixListName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "MaxEntries", alias = "maxEntries", default)]
    pub(crate) most: Option<u32>,
    /// Only `DescribePrefixLists` tells them, and only of AWS's own lists.
    #[serde(rename = "Cidrs", alias = "cidrSet", default)]
    pub(crate) cidrs: Option<List<String>>,
}

impl ListShape {
    /// What it counts: a customer's its greatest size, AWS's own what the VPC user guide says
    /// ("AWS-managed prefix list weight"); none where that is not known.
    pub(crate) fn weight(&self) -> Option<u32> {
        if let Some(most) = self.most {
            return Some(most);
        }
        let name = self.name.as_deref()?.strip_prefix("com.amazonaws.")?;
        // `REGION.s3`, `global.groundstation`, `REGION.ipv6.vpc-lattice`
        let (_, service) = name.split_once('.')?;
        match service.strip_prefix("ipv6.").unwrap_or(service) {
            "cloudfront.origin-facing" => Some(55),
            "dynamodb" | "s3" => Some(1),
            "ec2-instance-connect" => Some(2),
            "groundstation" => Some(5),
            "route53-healthchecks" => Some(25),
            "s3express" => Some(6),
            "vpc-lattice" => Some(10),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, expected: Option<u32>) {
        let list: ListShape = serde_json::from_str(list).expect("a list");
        assert_eq!(list.weight(), expected, "{list:?}");
    }

    #[test]
    fn a_list_counts_what_aws_counts() {
        check(r#"{"PrefixListId": "pl-1", "PrefixListName": "offices", "MaxEntries": 12}"#, Some(12));
        check(r#"{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.s3"}"#, Some(1));
        check(
            r#"{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.global.cloudfront.origin-facing"}"#,
            Some(55),
        );
        check(
            r#"{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.ipv6.vpc-lattice"}"#,
            Some(10),
        );
        check(r#"{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-west-1.new"}"#, None);
    }
}
