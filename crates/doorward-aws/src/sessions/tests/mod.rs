//! The calls of a way without an open port, against answers as AWS gives them: what is asked, and what becomes of it.

mod found;
mod opened;
mod watched;

use doorward_core::policy::Address;
use serde_json::Value;

use super::standin::{Answer, Heard, Standin};

fn ok(body: &str) -> Answer {
    (200, "", body.to_owned())
}

fn refused(code: &str) -> Answer {
    (400, "", format!("{{\"__type\":\"{code}\",\"message\":\"said so\"}}"))
}

fn not_found(code: &str) -> Answer {
    (
        404,
        "",
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>none</Message></Error></ErrorResponse>"),
    )
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// What each request asked for, and with what.
fn json(heard: &[Heard]) -> Vec<(String, Value)> {
    let asked = |heard: &Heard| {
        let target = heard.header("x-amz-target").unwrap_or_default().to_owned();
        (target, serde_json::from_str(&heard.body).unwrap_or(Value::Null))
    };
    heard.iter().map(asked).collect()
}

/// Whom the request was signed for.
fn scope(heard: &Heard) -> String {
    let authorization = heard.header("authorization").unwrap_or_default();
    let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
    let parts: Vec<&str> = credential.split(',').next().unwrap_or_default().split('/').collect();
    match parts.as_slice() {
        [id, _, region, service, "aws4_request"] => format!("{id} {region} {service}"),
        _ => authorization.to_owned(),
    }
}
