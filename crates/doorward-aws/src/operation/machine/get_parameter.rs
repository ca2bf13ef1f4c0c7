//! `ssm:GetParameter`: the value of a parameter, as AWS publishes the newest images.

use serde::{Deserialize, Serialize};

use crate::operation::{Body, Operation, Service, json};

/// Asks for one parameter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GetParameter {
    #[serde(rename = "Name")]
    pub(crate) name: String,
}

impl Operation for GetParameter {
    const NAME: &'static str = "GetParameter";
    const SERVICE: Service = Service::Ssm;
    type Answer = ParameterAnswer;

    fn body(&self) -> Body {
        json(self)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ParameterAnswer {
    #[serde(rename = "Parameter")]
    pub(crate) parameter: ParameterShape,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ParameterShape {
    #[serde(rename = "Value")]
    pub(crate) value: String,
}
