//! The description of the API: `openapi.json`, served with the path under which this server answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

use crate::web::Web;

/// The document's text.
pub const TEXT: &str = include_str!("openapi.json");
/// The server that the text names.
const SERVER: &str = "\"url\": \"/api/v1\"";

/// `GET /openapi.json`
pub async fn document(State(web): State<Arc<Web>>) -> ([(HeaderName, &'static str); 1], String) {
    let loaded = web.requests().loaded();
    let server = format!("\"url\": \"{}/api/v1\"", loaded.policy.server.prefix());
    ([(CONTENT_TYPE, "application/json")], TEXT.replacen(SERVER, &server, 1))
}
