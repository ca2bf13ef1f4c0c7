//! The description of the API, served as it is written in `openapi.json`.

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;

/// The document's text.
pub const TEXT: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], TEXT)
}
