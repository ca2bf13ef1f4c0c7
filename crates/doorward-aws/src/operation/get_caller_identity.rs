//! `sts:GetCallerIdentity`: whose credentials these are.

use serde::Deserialize;

use super::{Body, Operation, Service};
use crate::wire::Form;

/// Needs no permission at all.
#[derive(Debug, Clone)]
pub(crate) struct GetCallerIdentity;

impl Operation for GetCallerIdentity {
    const NAME: &'static str = "GetCallerIdentity";
    const SERVICE: Service = Service::Sts;
    type Answer = IdentityAnswer;

    fn body(&self) -> Body {
        Body::Form(Form::default())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct IdentityAnswer {
    #[serde(rename = "GetCallerIdentityResult")]
    pub(crate) result: IdentityShape,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IdentityShape {
    #[serde(rename = "Account")]
    pub(crate) account: String,
    #[serde(rename = "Arn")]
    pub(crate) arn: String,
}
