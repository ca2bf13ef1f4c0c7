//! A client token makes a call idempotent: the same token and the same parameters give the first answer again, other
//! parameters are refused.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>

use std::collections::BTreeMap;

use crate::account::Account;
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;

/// The calls that had a token, by call and token.
pub(crate) type Tokens = BTreeMap<(String, String), (Form, Answer)>;

/// The longest token: 64 ASCII characters.
const LONGEST: usize = 64;

/// The answer of the first call, when this is not the first.
pub(crate) fn before(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    let Some((token, form)) = token(call) else { return Ok(None) };
    if token.len() > LONGEST || !token.is_ascii() {
        let message =
            format!("Invalid value '{token}' for clientToken. It must have at most 64 ASCII characters.");
        return Err(refusal("InvalidParameterValue", message));
    }
    let Some((first, answer)) = account.tokens.get(&(call.action.clone(), token.to_owned())) else {
        return Ok(None);
    };
    if *first != form {
        let message = "The request uses the same client token as a previous, but non-identical request.";
        return Err(refusal("IdempotentParameterMismatch", message));
    }
    let instances = answer.xml().map(|root| root.texts("instancesSet", "instanceId")).unwrap_or_default();
    if !instances.is_empty() && instances.iter().all(|id| account.state(id) == Some("terminated")) {
        let message = "The request uses the same client token as a previous request for which the instance has been \
                       terminated.";
        return Err(refusal("IdempotentInstanceTerminated", message));
    }
    Ok(Some(answer.clone()))
}

/// Keeps the answer of a first call. A call that failed can be sent again.
pub(crate) fn after(account: &mut Account, call: &Call, answer: &Answer) {
    if let (true, Some((token, form))) = (answer.is_success(), token(call)) {
        account.tokens.insert((call.action.clone(), token), (form, answer.clone()));
    }
}

/// The token of a call, and what else it asks for.
fn token(call: &Call) -> Option<(String, Form)> {
    if call.service != Service::Ec2 || call.reads() {
        return None;
    }
    let token = call.asked.get("ClientToken").filter(|token| !token.is_empty())?.to_owned();
    let mut form = call.asked.clone();
    form.remove("ClientToken");
    Some((token, form))
}
