//! The JSON API under `/api/v1`: the functions of the pages, for programs. It takes a bearer token and no cookie, so no
//! form can use it.

mod grants;
pub mod health;
mod openapi;
mod reads;
mod sessions;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Web;
use super::failure::Failure;
use super::session::Signed;

/// A person whose token came with the request.
#[derive(Debug)]
pub struct Bearer(pub Signed);

/// The same for calls that revoke, or list what there is to revoke: also while the store cannot be read.
#[derive(Debug)]
pub struct RevokingBearer(pub Signed);

/// Every call: its method, its path and what it does. The router and the test of the OpenAPI document read it.
fn calls() -> Vec<(&'static str, &'static str, MethodRouter<Arc<Web>>)> {
    vec![
        ("post", "/sessions", post(sessions::begin)),
        ("get", "/sessions", get(sessions::list)),
        ("delete", "/sessions", delete(sessions::end_others)),
        ("delete", "/sessions/{id}", delete(sessions::end_one)),
        ("delete", "/sessions/current", delete(sessions::end)),
        ("put", "/me/password", put(sessions::change_password)),
        ("get", "/me", get(reads::me)),
        ("get", "/targets", get(reads::targets)),
        ("get", "/grants", get(grants::list)),
        ("post", "/grants", post(grants::open)),
        ("get", "/grants/{id}", get(grants::one)),
        ("delete", "/grants/{id}", delete(grants::close)),
        ("post", "/grants/{id}/approval", post(grants::answer)),
        ("post", "/grants/{id}/move", post(grants::relocate)),
        ("post", "/grants/{id}/credentials", post(grants::credentials)),
        ("get", "/grants/{id}/transport", get(grants::through)),
        ("post", "/grants/{id}/transport", post(grants::carried)),
        ("get", "/record", get(reads::record)),
        ("get", "/overdue", get(reads::overdue)),
        ("get", "/healthz", get(health::health)),
        ("get", "/readyz", get(health::ready)),
        ("get", "/openapi.json", get(openapi::document)),
    ]
}

/// The calls, to be nested under `/api/v1`.
pub fn router() -> Router<Arc<Web>> {
    let router = Router::new();
    let router = calls().into_iter().fold(router, |router, (_, path, call)| router.route(path, call));
    router.fallback(nothing).method_not_allowed_fallback(not_that_way)
}

async fn nothing() -> Refused {
    Failure::new(StatusCode::NOT_FOUND, "there is no such endpoint")
        .hint("`/api/v1/openapi.json` lists them all")
        .into()
}

async fn not_that_way() -> Refused {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this endpoint does not support that method")
        .hint("`/api/v1/openapi.json` lists them all")
        .into()
}

/// A failure as the API says it.
#[derive(Debug)]
pub struct Refused(Failure);

impl<T: Into<Failure>> From<T> for Refused {
    fn from(failure: T) -> Self {
        Self(failure.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let failure = self.0;
        let refusals: Vec<Value> =
            failure.refusals.iter().map(|refusal| with_text(refusal, refusal.to_string())).collect();
        let error = failure.lines().join("; ");
        let body = serde_json::json!({ "error": error, "refusals": refusals, "hint": failure.hint });
        let mut response = (failure.status, axum::Json(body)).into_response();
        if let Some(seconds) = failure.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if failure.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A value with its sentence next to its fields.
fn with_text(value: &impl Serialize, text: String) -> Value {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("text".into(), Value::String(text));
    }
    value
}

/// A JSON body.
#[derive(Debug)]
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Web>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Refused> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let json = kind.and_then(|kind| kind.split(';').next()).is_some_and(|kind| {
            let kind = kind.trim().to_ascii_lowercase();
            kind == "application/json" || kind.ends_with("+json")
        });
        if !json {
            let failure = Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be JSON");
            return Err(failure.hint("send `Content-Type: application/json`").into());
        }
        let bytes = Bytes::from_request(request, web).await.map_err(|rejection: BytesRejection| {
            let status = rejection.status();
            let why = if status == StatusCode::PAYLOAD_TOO_LARGE {
                "the body is longer than 64 KiB"
            } else {
                "the body could not be read"
            };
            Failure::new(status, why)
        })?;
        let body =
            serde_json::from_slice(&bytes).or_else(|error| whole(&bytes).ok_or(error)).map_err(|error| {
                let status =
                    if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
                Failure::new(status, format!("the body does not match what this endpoint accepts: {error}"))
            })?;
        Ok(Self(body))
    }
}

/// A body in which integers are written with a fraction of nothing: `5.0` is an integer in JSON Schema.
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    fn rewrite(value: &mut Value) {
        // Up to here each integer has a double of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match value {
            Value::Number(number) if number.is_f64() => {
                let exact = |number: &f64| number.fract() == 0.0 && number.abs() <= EXACT;
                if let Some(integer) = number.as_f64().filter(exact) {
                    *value = Value::from(integer as i64);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(rewrite),
            Value::Object(fields) => fields.values_mut().for_each(rewrite),
            _ => {}
        }
    }
    let Once(mut value) = serde_json::from_slice(bytes).ok()?;
    rewrite(&mut value);
    serde_json::from_value(value).ok()
}

/// An object that names each of its fields once: of two, nobody could say which was meant.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Once, A::Error> {
                let mut fields = serde_json::Map::new();
                while let Some((name, value)) = from.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(Once(Value::Object(fields)))
            }
        }

        from.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests;
