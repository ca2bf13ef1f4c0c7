//! Where a form was sent from, as far as the browser says.

use axum::http::header::ORIGIN;
use axum::http::{Extensions, HeaderMap, StatusCode};
use doorward_core::policy::Policy;

use crate::web::failure::Failure;
use crate::web::host::Authority;
use crate::web::origin::Origin;

/// Whether a form was sent from a page of ours, as far as the browser says.
///
/// Browsers say `Sec-Fetch-Site` over https and on this machine, and `Origin` always; a program that says neither
/// still has to know the form's token. The host that the request is for was found to be ours before.
pub fn from_our_page(headers: &HeaderMap, extensions: &Extensions, policy: &Policy) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(from) = text(ORIGIN.as_str()) else { return true };
    let server = &policy.server;
    let ours = [&server.url, &server.url_v4, &server.url_v6];
    let configured = ours.into_iter().flatten().any(|url| origin_of(url).eq_ignore_ascii_case(from));
    let secure = extensions.get::<Origin>().is_some_and(|origin| origin.secure);
    configured || extensions.get::<Authority>().is_some_and(|authority| authority.is_origin(from, secure))
}

/// Says that a form came from a page of another site, which may be this one under a name that the server does not know.
pub fn of_another_page(so: &str) -> Failure {
    let why = format!("this form was not sent from a page of this server, {so}");
    Failure::new(StatusCode::FORBIDDEN, why).hint(
        "if you followed a link from another site, open the page again; behind a proxy, an operator sets `url` and has the proxy forward `Host`",
    )
}

/// Scheme, host and port of a URL.
pub fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..start + end)).unwrap_or(url)
}
