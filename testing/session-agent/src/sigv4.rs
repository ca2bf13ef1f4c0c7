//! Signature Version 4, verified: header-signed and presigned requests.
//!
//! Source: *Authenticating requests (AWS Signature Version 4)* in the IAM user guide. The clock is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use ring::{digest, hmac};

use crate::percent::{encode, pairs};
use crate::uuid::hex;

/// How far a client's clock may be off, in seconds.
const SKEW: i64 = 300;
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// As sent, still encoded.
    pub path: &'a str,
    /// As sent, without the question mark.
    pub query: &'a str,
    /// Names in lower case. A name may come more than once.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// What a signature claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose key.
    pub access_key: String,
    /// For which Region.
    pub region: String,
    /// For which service.
    pub service: String,
    /// Signed at.
    pub at: Timestamp,
    /// The day of the credential's scope, `20150830`.
    pub day: String,
    /// Seconds that a presigned request is valid; `None` when the headers are signed.
    pub expires: Option<i64>,
    /// The names of the signed headers, in order.
    pub signed: Vec<String>,
    /// The security token that came along.
    pub token: Option<String>,
    signature: String,
}

/// Why a signature does not stand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// Nobody signed.
    #[error("the request is not signed")]
    Missing,
    /// A part of it is not as it should be.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// A header that must be signed is not.
    #[error("the header `{0}` is not signed")]
    HeaderNotSigned(String),
    /// Too old, or from the future.
    #[error("the signature was made at {at} and it is {now}")]
    Expired {
        /// Signed at.
        at: Timestamp,
        /// Looked at.
        now: Timestamp,
    },
    /// The body is not what was hashed.
    #[error("the body's digest is not the one that was signed")]
    Body,
    /// Another key, or another request.
    #[error("the signature is not this request's; the canonical request is\n{canonical}")]
    Mismatch {
        /// What should have been hashed.
        canonical: String,
    },
}

/// Reads what a request claims: from its `Authorization` header, or from its query when it is presigned.
pub fn claim(request: &Request<'_>) -> Result<Claim, Unverified> {
    let unreadable = |what: &str| Unverified::Unreadable(what.to_owned());
    let header =
        |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let query: BTreeMap<String, String> = pairs(request.query).into_iter().collect();
    let (mut parts, date, expires, token) = if let Some(line) = header("authorization") {
        let fields =
            line.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| unreadable("it is not AWS4-HMAC-SHA256"))?;
        let parts: BTreeMap<String, String> = fields
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let date = header("x-amz-date").ok_or_else(|| unreadable("no `x-amz-date`"))?;
        (parts, date, None, header("x-amz-security-token"))
    } else if let Some(algorithm) = query.get("X-Amz-Algorithm") {
        if algorithm != "AWS4-HMAC-SHA256" {
            return Err(unreadable("it is not AWS4-HMAC-SHA256"));
        }
        let part = |name: &str| query.get(&format!("X-Amz-{name}")).cloned();
        let parts = ["Credential", "SignedHeaders", "Signature"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), part(name)?)))
            .collect();
        let expires =
            part("Expires").and_then(|it| it.parse().ok()).ok_or_else(|| unreadable("no `X-Amz-Expires`"))?;
        let date = part("Date").ok_or_else(|| unreadable("no `X-Amz-Date`"))?;
        (parts, date, Some(expires), part("Security-Token"))
    } else {
        return Err(Unverified::Missing);
    };
    let mut part = |name: &str| parts.remove(name).ok_or_else(|| unreadable(&format!("no `{name}`")));
    let credential = part("Credential")?;
    let signed: Vec<String> = part("SignedHeaders")?.split(';').map(str::to_owned).collect();
    let signature = part("Signature")?;
    let scope: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(unreadable(&format!("`{credential}` is no credential's scope")));
    };
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", &date)
        .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| unreadable(&format!("`{date}` is no date")))?
        .timestamp();
    if !date.starts_with(day) {
        return Err(unreadable(&format!("the scope's day `{day}` is not that of `{date}`")));
    }
    Ok(Claim {
        access_key: (*access_key).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        at,
        day: (*day).to_owned(),
        expires,
        signed,
        token,
        signature,
    })
}

/// Whether the claim is true: the key's secret signed this request, and not too long ago.
pub fn verify(request: &Request<'_>, claim: &Claim, secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let age = now.as_second() - claim.at.as_second();
    if age < -SKEW || age > claim.expires.unwrap_or(SKEW) {
        return Err(Unverified::Expired { at: claim.at, now });
    }
    let must = request.headers.iter().map(|(name, _)| name.as_str()).filter(|name| {
        *name == "host"
            || (claim.expires.is_none() && name.starts_with("x-amz-") && *name != "x-amzn-trace-id")
    });
    for name in must {
        if !claim.signed.iter().any(|it| it == name) {
            return Err(Unverified::HeaderNotSigned(name.to_owned()));
        }
    }
    if !claim.signed.is_sorted() {
        return Err(Unverified::Unreadable("the signed headers are not in order".into()));
    }
    let stated =
        request.headers.iter().find(|(name, _)| name == "x-amz-content-sha256").map(|(_, value)| value);
    let hashed = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let payload = match stated {
        Some(stated) if stated == UNSIGNED && claim.service == "s3" => UNSIGNED.to_owned(),
        Some(stated) if *stated != hashed => return Err(Unverified::Body),
        None if claim.service == "s3" && claim.expires.is_some() => UNSIGNED.to_owned(),
        Some(_) | None => hashed,
    };
    let canonical = canonical(request, claim, &payload);
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{}/{}/{}/aws4_request\n{}",
        claim.at.strftime("%Y%m%dT%H%M%SZ"),
        claim.day,
        claim.region,
        claim.service,
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()),
    );
    let signature = hex(sign(&key(secret, claim), &text).as_ref());
    if signature == claim.signature { Ok(()) } else { Err(Unverified::Mismatch { canonical }) }
}

fn key(secret: &str, claim: &Claim) -> Vec<u8> {
    [&claim.day, &claim.region, &claim.service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part).as_ref().to_vec())
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn canonical(request: &Request<'_>, claim: &Claim, payload: &str) -> String {
    // S3 takes the path as it is; every other service encodes once more what is encoded already.
    let path = match request.path {
        "" => "/".to_owned(),
        path if claim.service == "s3" => path.to_owned(),
        path => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    };
    let mut query: Vec<(String, String)> = pairs(request.query)
        .into_iter()
        .filter(|(key, _)| key != "X-Amz-Signature")
        .map(|(key, value)| (encode(&key), encode(&value)))
        .collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let headers: String = claim
        .signed
        .iter()
        .map(|name| {
            let values: Vec<String> = request
                .headers
                .iter()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
        request.method,
        query.join("&"),
        claim.signed.join(";")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    // Amazon S3's examples spell the key with another character.
    const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    struct Example {
        method: &'static str,
        path: &'static str,
        query: &'static str,
        headers: Vec<(String, String)>,
        body: &'static [u8],
    }

    impl Example {
        fn get(path: &'static str, query: &'static str, headers: &[(&str, &str)]) -> Self {
            let headers =
                headers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Self { method: "GET", path, query, headers, body: b"" }
        }

        fn verify(&self, secret: &str, now: &str) -> Result<Claim, Unverified> {
            let request = Request {
                method: self.method,
                path: self.path,
                query: self.query,
                headers: &self.headers,
                body: self.body,
            };
            let claim = claim(&request)?;
            verify(&request, &claim, secret, now.parse().unwrap()).map(|()| claim)
        }
    }

    /// `GET ListUsers` of the IAM user guide.
    fn list_users() -> Example {
        Example::get(
            "/",
            "Action=ListUsers&Version=2010-05-08",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, \
                     Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                ),
            ],
        )
    }

    #[test]
    fn the_published_examples_verify() {
        let claim = list_users().verify(SECRET, "2015-08-30T12:37:00Z").unwrap();
        assert_eq!((claim.access_key.as_str(), claim.service.as_str()), ("AKIDEXAMPLE", "iam"));

        // get-vanilla of the signature's test suite.
        Example::get(
            "/",
            "",
            &[
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, \
                     Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                ),
            ],
        )
        .verify(SECRET, "2015-08-30T12:36:00Z")
        .unwrap();

        // GET Object with a range, Amazon S3's reference.
        Example::get(
            "/test.txt",
            "",
            &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                     SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
                     Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
                ),
            ],
        )
        .verify(S3_SECRET, "2013-05-24T00:00:01Z")
        .unwrap();
    }

    #[test]
    fn a_presigned_request_is_good_until_it_expires() {
        let presigned = Example::get(
            "/test.txt",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&\
             X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&\
             X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
             X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
            &[("host", "examplebucket.s3.amazonaws.com")],
        );
        assert_eq!(presigned.verify(S3_SECRET, "2013-05-24T23:59:59Z").unwrap().expires, Some(86_400));
        assert!(matches!(
            presigned.verify(S3_SECRET, "2013-05-25T00:00:01Z"),
            Err(Unverified::Expired { .. })
        ));
        assert!(matches!(presigned.verify(SECRET, "2013-05-24T00:00:01Z"), Err(Unverified::Mismatch { .. })));
    }

    #[test]
    fn what_was_changed_underway_is_seen() {
        const NOW: &str = "2015-08-30T12:37:00Z";
        let mismatch = |example: Example| {
            assert!(matches!(example.verify(SECRET, NOW), Err(Unverified::Mismatch { .. })));
        };
        mismatch(Example { query: "Action=ListRoles&Version=2010-05-08", ..list_users() });
        mismatch(Example { method: "POST", ..list_users() });
        mismatch(Example { path: "/x", ..list_users() });
        mismatch(Example { body: b"x", ..list_users() });
        let mut added = list_users();
        added.headers.push(("x-amz-target".into(), "AmazonSSM.StartSession".into()));
        assert_eq!(added.verify(SECRET, NOW), Err(Unverified::HeaderNotSigned("x-amz-target".into())));
        let mut bare = list_users();
        bare.headers.retain(|(name, _)| name != "authorization");
        assert_eq!(bare.verify(SECRET, NOW), Err(Unverified::Missing));
        assert!(matches!(
            list_users().verify(SECRET, "2015-08-30T12:42:00Z"),
            Err(Unverified::Expired { .. })
        ));
        assert!(matches!(
            list_users().verify(SECRET, "2015-08-30T12:30:00Z"),
            Err(Unverified::Expired { .. })
        ));
    }
}
