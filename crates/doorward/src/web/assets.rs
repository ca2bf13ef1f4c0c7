//! The style sheet, the scripts and the icon, each under a name with its hash, so that browsers can cache it for ever.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::segment::Segment;

/// A file that is part of the program.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    extension: &'static str,
    kind: &'static str,
    text: &'static str,
    hash: LazyLock<String>,
}

macro_rules! asset {
    ($constant:ident, $name:literal, $extension:literal, $kind:literal) => {
        asset!($constant, $name, $extension, $kind, include_str!(concat!("assets/", $name, ".", $extension)));
    };
    ($constant:ident, $name:literal, $extension:literal, $kind:literal, $text:expr) => {
        #[doc = concat!("`", $name, ".", $extension, "`")]
        pub static $constant: Asset = Asset {
            name: $name,
            extension: $extension,
            kind: $kind,
            text: $text,
            hash: LazyLock::new(|| hash($text)),
        };
    };
}

asset!(STYLE, "style", "css", "text/css; charset=utf-8");
asset!(COUNTDOWN, "countdown", "js", "text/javascript; charset=utf-8");
asset!(ADDRESS, "address", "js", "text/javascript; charset=utf-8");
asset!(PICTURE, "picture", "css", "text/css; charset=utf-8", doorward_picture::STYLE);
asset!(REACH, "reach", "js", "text/javascript; charset=utf-8");
asset!(ICON, "door", "svg", "image/svg+xml");

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Asset {
    /// Where it is served.
    pub fn path(&self) -> String {
        format!("/assets/{}", self.file())
    }

    fn file(&self) -> String {
        format!("{}-{}.{}", self.name, self.hash.as_str(), self.extension)
    }
}

/// Serves one by its full name.
pub async fn asset(Segment(name): Segment, headers: HeaderMap) -> Response {
    let found = [&STYLE, &COUNTDOWN, &ADDRESS, &PICTURE, &REACH, &ICON]
        .into_iter()
        .find(|asset| asset.file() == name);
    let Some(asset) = found else {
        return Failure::new(StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    let etag = format!("\"{}\"", asset.hash.as_str());
    let kept = [(ETAG, etag.clone()), (CACHE_CONTROL, "public, max-age=31536000, immutable".into())];
    if headers.get(IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(CONTENT_TYPE, asset.kind)], asset.text).into_response()
}
