//! The headers of every response, and the time limit of every request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use doorward_core::policy::Policy;

use super::failure::Failure;
use super::origin::Origin;
use super::{TAKES, Web, arrival, session};

/// Sets the security headers of every response, and logs it.
pub async fn on_every_answer(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let started = web.app().clock().uptime();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let loaded = web.app().loaded();
    let origin = Origin::of(&loaded.policy.server, request.extensions(), request.headers());
    let mut response = next.run(request).await;
    let took = web.app().clock().uptime().saturating_sub(started);
    tracing::debug!(%method, path, status = response.status().as_u16(), ?took, "answered");

    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(&loaded.policy)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with that, browsers would hide a form's origin from us, too.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if origin.secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Nothing from anywhere but here; a script may ask our other two names for the address it comes from.
fn content_security_policy(policy: &Policy) -> String {
    let mut connect = String::from("'self'");
    for url in [&policy.server.url_v4, &policy.server.url_v6].into_iter().flatten() {
        let origin = session::origin_of(url);
        // What could end the directive is not part of an origin.
        if !origin.contains([';', ',', ' ', '\'']) {
            connect = format!("{connect} {origin}");
        }
    }
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src {connect}; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// Answers in time, if only with an apology.
pub async fn in_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(TAKES, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the request timed out").hint(
                "check which grants are open before you try again: part of the request may have taken effect",
            );
            arrival::refused(&path, failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::policy;

    #[test]
    fn scripts_may_ask_exactly_the_other_two_names() {
        let mut policy = policy();
        assert!(content_security_policy(&policy).contains("connect-src 'self';"));
        policy.server.url_v4 = Some("https://v4.door.example/".into());
        policy.server.url_v6 = Some("https://v6.door.example:8443".into());
        let text = content_security_policy(&policy);
        assert!(
            text.contains("connect-src 'self' https://v4.door.example https://v6.door.example:8443; img-src"),
            "{text}"
        );
        policy.server.url_v4 = Some("https://x; script-src *".into());
        assert!(!content_security_policy(&policy).contains("script-src *"));
    }
}
