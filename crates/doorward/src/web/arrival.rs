//! Checks of a request before any page handles it: the client's address, the host, and the path.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use doorward_core::policy::Server;

use super::failure::Failure;
use super::host::{self, Authority};
use super::origin::Origin;
use super::{Web, api, prefix};

/// What is answered for every host: a load balancer asks by an address, and nothing secret is said.
const FOR_EVERY_HOST: [&str; 4] = ["/healthz", "/readyz", "/api/v1/healthz", "/api/v1/readyz"];

/// Whether a path, without the prefix, is answered for every host.
pub fn is_for_every_host(path: &str) -> bool {
    FOR_EVERY_HOST.contains(&path)
}

/// Refuses what is for another host, and takes the prefix of `url` away from the path.
pub async fn arrive(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let loaded = web.app().loaded();
    let server = &loaded.policy.server;
    let origin = Origin::of(server, request.extensions(), request.headers());
    request.extensions_mut().insert(origin);
    web.unnamed().notice(origin, web.app().clock().uptime());
    if let Some(uri) = prefix::taken_away(request.uri(), server.prefix()) {
        *request.uri_mut() = uri;
    }
    let path = request.uri().path();
    let for_every_host = is_for_every_host(path) && matches!(*request.method(), Method::GET | Method::HEAD);
    let response = match Authority::of(request.version(), request.uri(), request.headers()) {
        _ if for_every_host => next.run(request).await,
        _ if origin.is_in_clear(server) => refused(path, in_clear(server)),
        Ok(authority) if authority.is_ours(server, origin.secure) => {
            request.extensions_mut().insert(authority);
            next.run(request).await
        }
        Ok(authority) => {
            let proxied = server.proxies.iter().any(|proxy| proxy.contains(origin.peer));
            refused(path, host::misdirected(&authority, server, proxied))
        }
        Err(wrong) => refused(path, wrong.into()),
    };
    prefix::put_before(response, server.prefix()).await
}

/// Says that the client has to come through the proxy that has the TLS.
fn in_clear(server: &Server) -> Failure {
    let why = "this connection is not encrypted: your password and your session would cross the network in clear text";
    let failure = Failure::new(StatusCode::FORBIDDEN, why);
    failure.hint(match &server.url {
        Some(url) => format!("use `{url}`"),
        None => "use the address of the proxy in front of this server".into(),
    })
}

/// A failure in the form of what was asked: JSON for the API, else a page.
pub fn refused(path: &str, failure: Failure) -> Response {
    match path == "/api" || path.starts_with("/api/") {
        true => api::Refused::from(failure).into_response(),
        false => failure.into_response(),
    }
}
