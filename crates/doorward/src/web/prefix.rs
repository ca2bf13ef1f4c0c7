//! The base path of the server (`url = "https://x.example/door"`). Pages, forms and redirects are written as if the
//! server was at the root; only this module adds and removes the base path, so that no page can forget it.

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};

use super::failure::Failure;

/// The attributes that hold a path of this server.
const LINKS: [&str; 4] = [" href=\"/", " src=\"/", " action=\"/", " data-live=\"/"];
/// No page is longer, in bytes.
const LONGEST: usize = 256 << 20;

/// The path that a request would have at the root. A proxy may take the prefix away or hand it on.
pub fn taken_away(uri: &Uri, prefix: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
    if !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let whole = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(whole.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// Puts the prefix before each path in an answer.
pub async fn put_before(response: Response, prefix: &str) -> Response {
    if prefix.is_empty() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let to = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok());
    if let Some(to) = to.filter(|to| to.starts_with('/') && !to.starts_with("//"))
        && let Ok(to) = HeaderValue::from_str(&format!("{prefix}{to}"))
    {
        parts.headers.insert(LOCATION, to);
    }
    let page = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !page {
        return Response::from_parts(parts, body);
    }
    match to_bytes(body, LONGEST).await {
        Ok(page) => {
            // The length is another now; that of an answer to HEAD is no longer known.
            parts.headers.remove(CONTENT_LENGTH);
            let page = linked(&String::from_utf8_lossy(&page), prefix);
            Response::from_parts(parts, Body::from(page))
        }
        Err(error) => Failure::broken(&error).into_response(),
    }
}

/// What people typed cannot look like an attribute, because its quotation marks are escaped.
fn linked(page: &str, prefix: &str) -> String {
    LINKS.iter().fold(page.to_owned(), |page, link| {
        let attribute = link.trim_end_matches('/');
        page.replace(link, &format!("{attribute}{prefix}/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let uri: Uri = path.parse().expect("a URI");
        let found = taken_away(&uri, "/door").map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn a_prefix_is_taken_away_whole_or_not_at_all() {
        check("/door", Some("/"));
        check("/door/", Some("/"));
        check("/door?note=1", Some("/?note=1"));
        check("/door/grants?all=true", Some("/grants?all=true"));
        check("/door/door", Some("/door"));
        check("/doors", None);
        check("/grants", None);
        check("/", None);
        check("https://x.example/door/me", Some("https://x.example/me"));
        check("//door/", None);
        assert_eq!(taken_away(&"/x".parse().expect("a URI"), ""), None);
    }

    #[test]
    fn links_of_this_server_bear_it_and_no_others() {
        let page = "<a href=\"/\">x</a><a href=\"#main\"><a href=\"https://v6.x.example/\"><form action=\"/grants\">\
                    <input value=\"/operators\"><div data-live=\"/live\"><script src=\"/assets/a.js\">&quot;/x";
        assert_eq!(
            linked(page, "/door"),
            "<a href=\"/door/\">x</a><a href=\"#main\"><a href=\"https://v6.x.example/\"><form action=\"/door/grants\">\
             <input value=\"/operators\"><div data-live=\"/door/live\"><script src=\"/door/assets/a.js\">&quot;/x"
        );
    }
}
