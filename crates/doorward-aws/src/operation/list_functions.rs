//! `lambda:ListFunctions`: functions, those in a VPC among them.

use serde::Deserialize;

use super::{Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListFunctions {
    pub(crate) token: Option<String>,
}

impl Operation for ListFunctions {
    const NAME: &'static str = "ListFunctions";
    const SERVICE: Service = Service::Lambda;
    type Answer = FunctionsAnswer;

    fn body(&self) -> Body {
        let mut query = Form::default();
        query.put("MaxItems", "50");
        if let Some(token) = &self.token {
            query.put("Marker", token);
        }
        Body::Get { path: "/2015-03-31/functions/", query }
    }
}

impl Paged for ListFunctions {
    type Item = FunctionShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: FunctionsAnswer) -> (Vec<FunctionShape>, Option<String>) {
        (answer.functions.0, answer.next)
    }
}

/// `Functions`
#[derive(Debug, Deserialize)]
pub(crate) struct FunctionsAnswer {
    #[serde(rename = "Functions", default)]
    pub(crate) functions: List<FunctionShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One function.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FunctionShape {
    #[serde(rename = "FunctionName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "FunctionArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "VpcConfig", default)]
    pub(crate) network: Option<NetworkShape>,
}

/// Where in a VPC it runs; of those that are in none, the lists are empty.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NetworkShape {
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "SubnetIds", default)]
    pub(crate) subnets: List<String>,
    #[serde(rename = "SecurityGroupIds", default)]
    pub(crate) groups: List<String>,
}
