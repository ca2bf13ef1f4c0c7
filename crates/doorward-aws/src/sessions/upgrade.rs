//! The request that becomes a session's websocket, signed.

use std::fmt;

use crate::account::Account;
use crate::error::Error;
use crate::signing;

/// A GET to be made a websocket, without the headers that make it one. `Debug` does not show what signs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The address, as AWS gave it.
    pub url: String,
    /// What signs it: `authorization`, `x-amz-date`, `x-amz-security-token`; nothing where the address does.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Upgrade").field("url", &url).field("headers", &names).finish()
    }
}

impl Account {
    /// Signs the upgrade of a session's websocket; to be done anew for each dial, since it is good for minutes.
    ///
    /// An address that bears an `X-Amz-` parameter is signed already and left as it is.
    pub async fn sign_upgrade(&self, url: &str) -> Result<Upgrade, Error> {
        if is_signed(url) {
            return Ok(Upgrade { url: url.to_owned(), headers: Vec::new() });
        }
        let headers = self.sign(url, "ssmmessages", self.now(), |scope| signing::headers(url, scope)).await?;
        Ok(Upgrade { url: url.to_owned(), headers })
    }
}

fn is_signed(url: &str) -> bool {
    let (_, query) = url.split_once('?').unwrap_or_default();
    query
        .split(['&', ';'])
        .any(|parameter| parameter.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("X-Amz-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_signed_is_known() {
        let check = |url: &str, expected| assert_eq!(is_signed(url), expected, "{url}");
        check("wss://host/v1?role=publish_subscribe", false);
        check("wss://host/v1?role=x&X-Amz-Signature=1", true);
        check("wss://host/v1?x-amz-algorithm=1", true);
        check("wss://host/X-Amz-Signature", false);
        check("wss://host/v1?role=X-Amz-Signature", false);
        check("wss://host/v1?é", false);
    }

    #[test]
    fn what_signs_it_is_not_shown() {
        let upgrade = Upgrade {
            url: "wss://host/v1?X-Amz-Signature=hidden".into(),
            headers: vec![("authorization".into(), "hidden".into())],
        };
        let shown = format!("{upgrade:?}");
        assert!(shown.contains("authorization") && !shown.contains("hidden"), "{shown}");
    }
}
