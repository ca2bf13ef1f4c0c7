//! Signatures by hand: of a websocket's upgrade, and of URLs that carry their own signature. Pure.
//!
//! SigV4 is the official `aws-sigv4`'s; here stands what is signed, and in which order a URL bears it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::wire::Form;

/// For whom, where and when something is signed.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) now: SystemTime,
}

/// The headers that sign a GET without a body; the names of all headers that are signed are in them.
pub(crate) fn headers(url: &str, scope: Scope<'_>) -> Option<Vec<(String, String)>> {
    let identity = Identity::from(scope.credentials.clone());
    let params = params(&identity, scope, SigningSettings::default())?;
    let request = request(url)?;
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    Some(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The URL with the parameters that sign a GET of it for a while, in the order in which botocore has them.
pub(crate) fn presigned(url: &str, scope: Scope<'_>, lasts: Duration) -> Option<String> {
    let identity = Identity::from(scope.credentials.clone());
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(lasts);
    let params = params(&identity, scope, settings)?;
    // botocore signs a host in small letters, and leaves the URL as it was given.
    let lower = lower_host(url);
    let (instructions, signature) = sign(request(&lower)?, &params).ok()?.into_parts();
    let mut query = Form::default();
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Security-Token",
    ] {
        if let Some((_, value)) = instructions.params().iter().find(|(known, _)| *known == name) {
            query.put(name, value);
        }
    }
    query.put("X-Amz-Signature", &signature);
    let joint = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{joint}{}", query.into_body()))
}

fn params<'a>(
    identity: &'a Identity,
    scope: Scope<'a>,
    settings: SigningSettings,
) -> Option<SigningParams<'a>> {
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.now)
        .settings(settings)
        .build();
    params.ok().map(Into::into)
}

/// None of what has no host: the signer would panic at it.
fn request(url: &str) -> Option<SignableRequest<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let known = matches!(scheme, "ws" | "wss" | "http" | "https");
    let plain = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if !known || !plain || authority.is_empty() || authority.starts_with(':') {
        return None;
    }
    SignableRequest::new("GET", url, std::iter::empty(), SignableBody::empty()).ok()
}

fn lower_host(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    format!("{scheme}://{}{behind}", authority.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
