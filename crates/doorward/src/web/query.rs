//! The part of a page's address behind `?`. Extractors of the library refuse in plain text, past the forms of pages and the API.

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// What a page is asked for.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(asked)| Self(asked)).map_err(|rejection| unreadable(&rejection))
    }
}

/// A query that is not what a page or a call takes.
pub fn unreadable(rejection: &QueryRejection) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text().to_lowercase())
}
