//! The network configuration of a service of ECS changes by `UpdateService` only if ECS itself replaces its tasks.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>

use serde_json::Value;

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::Call;

/// The key of a service: its name, without that of its cluster in an ARN.
fn name(service: &str) -> &str {
    service.rsplit('/').next().unwrap_or(service)
}

pub(super) fn before(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    match call.action.as_str() {
        "CreateService" => {
            let controller = body.get("deploymentController").and_then(|it| it.get("type"));
            if let Some(controller) = controller.and_then(Value::as_str) {
                account.controllers.insert(text("serviceName").to_owned(), controller.to_owned());
            }
            Ok(())
        }
        "UpdateService" if body.get("networkConfiguration").is_some() => {
            match account.controllers.get(name(text("service"))).map(String::as_str) {
                None | Some("ECS") => Ok(()),
                Some(controller) => {
                    let message = format!(
                        "Unable to update network parameters on services with a {controller} deployment controller."
                    );
                    Err(refusal("InvalidParameterException", message))
                }
            }
        }
        _ => Ok(()),
    }
}
