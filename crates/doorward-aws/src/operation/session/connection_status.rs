//! `ssm:GetConnectionStatus`: whether an agent is connected.

use serde::{Deserialize, Serialize};

use crate::operation::{Body, Operation, Service, json};

/// Of one instance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GetConnectionStatus {
    #[serde(rename = "Target")]
    pub(crate) instance: String,
}

/// `connected` or `notconnected`.
#[derive(Debug, Deserialize)]
pub(crate) struct ConnectionStatusShape {
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
}

impl Operation for GetConnectionStatus {
    const NAME: &'static str = "GetConnectionStatus";
    const SERVICE: Service = Service::Ssm;
    type Answer = ConnectionStatusShape;

    fn body(&self) -> Body {
        json(self)
    }
}
