//! Credentials: kept for as long as they are good, where something is signed by hand; and short-lived ones of our own making.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long credentials that name no end are believed; the official runtime has the same.
const WITHOUT_END: Duration = Duration::from_secs(15 * 60);

/// How long before their end credentials are asked for anew: what is signed with them may live a minute.
const BEFORE_END: Duration = Duration::from_secs(120);

/// A provider, and what it last provided: to ask it may be a call, or a program that asks the person.
#[derive(Debug)]
pub(crate) struct Kept {
    provider: Option<SharedCredentialsProvider>,
    last: tokio::sync::Mutex<Option<(Credentials, SystemTime)>>,
}

impl Kept {
    pub(crate) fn of(provider: Option<SharedCredentialsProvider>) -> Self {
        Self { provider, last: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn get(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        let mut last = self.last.lock().await;
        if let Some((credentials, _)) = last.as_ref().filter(|(_, good_until)| now < *good_until) {
            return Ok(credentials.clone());
        }
        let Some(provider) = &self.provider else {
            return Err(CredentialsError::not_loaded("none are configured"));
        };
        let credentials = provider.provide_credentials().await?;
        let good_until = match credentials.expiry() {
            Some(end) => end.checked_sub(BEFORE_END).unwrap_or(now),
            None => now + WITHOUT_END,
        };
        *last = Some((credentials.clone(), good_until));
        Ok(credentials)
    }
}

/// Credentials with an end, vended for one grant. `Debug` shows no secret; what is serialised does.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortLived {
    /// `ASIA…`, which is no secret.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token.
    pub token: String,
    /// Their end, as AWS says it.
    pub until: Timestamp,
}

impl fmt::Debug for ShortLived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortLived").field("id", &self.id).field("until", &self.until).finish_non_exhaustive()
    }
}

impl ShortLived {
    pub(crate) fn provider(&self) -> SharedCredentialsProvider {
        let end = SystemTime::from(self.until);
        let (id, secret, token) = (self.id.clone(), self.secret.clone(), self.token.clone());
        SharedCredentialsProvider::new(Credentials::new(id, secret, Some(token), Some(end), "doorward"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::{self, ProvideCredentials, future};

    use super::*;

    #[derive(Debug)]
    struct Counted {
        asked: Arc<AtomicU64>,
        end: Option<SystemTime>,
    }

    impl ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let made: provider::Result =
                Ok(Credentials::new(number.to_string(), "s", None, self.end, "test"));
            future::ProvideCredentials::ready(made)
        }
    }

    async fn check(end: Option<u64>, asked_at: &[u64], expected: &[&str]) {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let counted = Counted { asked: Arc::default(), end: end.map(after) };
        let kept = Kept::of(Some(SharedCredentialsProvider::new(counted)));
        let mut got = Vec::new();
        for seconds in asked_at {
            got.push(kept.get(after(*seconds)).await.expect("credentials").access_key_id().to_owned());
        }
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn credentials_are_asked_for_as_seldom_as_they_may_be() {
        check(Some(3600), &[0, 1, 3479, 3480], &["0", "0", "0", "1"]).await;
        check(None, &[0, 899, 900], &["0", "0", "1"]).await;
        check(Some(60), &[0, 1], &["0", "1"]).await;
    }

    #[tokio::test]
    async fn none_are_told_as_none() {
        let none = Kept::of(None).get(SystemTime::now()).await;
        assert!(none.is_err());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let vended = ShortLived {
            id: "ASIAEXAMPLE".into(),
            secret: "hidden".into(),
            token: "hidden".into(),
            until: Timestamp::UNIX_EPOCH,
        };
        let shown = format!("{vended:?} {:?}", vended.provider());
        assert!(shown.contains("ASIAEXAMPLE") && !shown.contains("hidden"), "{shown}");
    }
}
