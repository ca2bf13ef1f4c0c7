//! The OpenAPI document: `openapi.json`, extended with the responses that every endpoint has and with this server's
//! base path.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::web::{Web, arrival};

/// The document's text.
pub const TEXT: &str = include_str!("openapi.json");

/// What every call may answer before it is one: the request names no host, or another than ours.
const BEFORE: [(&str, &str); 2] = [("400", "NoHost"), ("421", "Misdirected")];

/// `GET /openapi.json`
pub async fn document(State(web): State<Arc<Web>>) -> ([(HeaderName, &'static str); 1], Bytes) {
    let prefix = web.app().loaded().policy.server.prefix().to_owned();
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = match &*made {
        Some((of, text)) if *of == prefix => text.clone(),
        _ => {
            let text = Bytes::from(under(&prefix).to_string());
            *made = Some((prefix, text.clone()));
            text
        }
    };
    ([(CONTENT_TYPE, "application/json")], text)
}

/// The document for the last path that was asked under: anybody may ask for it, so it is not made for each.
static MADE: Mutex<Option<(String, Bytes)>> = Mutex::new(None);

fn under(prefix: &str) -> Value {
    let mut document: Value = serde_json::from_str(TEXT).unwrap_or_default();
    if let Some(url) = document.pointer_mut("/servers/0/url") {
        *url = format!("{prefix}/api/v1").into();
    }
    for (path, calls) in document.pointer_mut("/paths").and_then(Value::as_object_mut).into_iter().flatten() {
        if arrival::is_for_every_host(&format!("/api/v1{path}")) {
            continue;
        }
        for call in calls.as_object_mut().into_iter().flat_map(|calls| calls.values_mut()) {
            let Some(responses) = call.pointer_mut("/responses").and_then(Value::as_object_mut) else {
                continue;
            };
            for (status, name) in BEFORE {
                let reference = || json!({ "$ref": format!("#/components/responses/{name}") });
                responses.entry(status).or_insert_with(reference);
            }
        }
    }
    document
}
