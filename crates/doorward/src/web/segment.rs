//! A path segment that names an object. An unreadable segment is treated as a name that does not exist.

#![expect(clippy::disallowed_types, reason = "what it refuses is made a name here that nothing has")]

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// A name in a path, decoded; empty where it is no UTF-8.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(read.map(|Path(name)| name).unwrap_or_default()))
    }
}
