//! `ec2:DeleteVpcEndpoints`: deletes a VPC endpoint.

use doorward_core::inventory::{EndpointId, Owned};
use serde::Deserialize;

use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List};

/// Deletes a VPC endpoint, with its interfaces and routes.
#[derive(Debug, Clone)]
pub(crate) struct DeleteVpcEndpoints(pub(crate) Owned<EndpointId>);

impl Operation for DeleteVpcEndpoints {
    const NAME: &'static str = "DeleteVpcEndpoints";
    const SERVICE: Service = Service::Ec2;
    type Answer = EndpointsDeleted;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("VpcEndpointId.1", self.0.id().as_str());
        Body::Form(form)
    }
}

/// The call succeeds also where an endpoint was not deleted, and says so.
#[derive(Debug, Deserialize)]
pub(crate) struct EndpointsDeleted {
    #[serde(rename = "Unsuccessful", alias = "unsuccessful", default)]
    pub(crate) not: List<NotDeleted>,
}

/// An endpoint that was not deleted.
#[derive(Debug, Deserialize)]
pub(crate) struct NotDeleted {
    #[serde(rename = "Error", alias = "error")]
    pub(crate) error: Option<WhyNot>,
}

/// AWS's code and sentence.
#[derive(Debug, Deserialize)]
pub(crate) struct WhyNot {
    #[serde(rename = "Code", alias = "code", default)]
    pub(crate) code: String,
    #[serde(rename = "Message", alias = "message", default)]
    pub(crate) message: String,
}
