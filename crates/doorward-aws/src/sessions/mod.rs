//! What a way without an open port needs of AWS: sessions, keys for 60 seconds, tunnels, tokens, and who used them.

mod connect;
mod database_token;
mod document;
mod encryption;
mod jump;
mod locate;
mod role_policy;
mod session;
mod trail;
mod upgrade;
mod vended;

#[cfg(test)]
mod standin;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

pub use connect::ConnectEndpoint;
pub use document::{Document, Put};
pub use encryption::DataKey;
pub use jump::{Jump, JumpError};
pub use locate::{LocateError, Located};
pub use session::{Managed, OpenedSession, Ping, Start};
pub use trail::{NotATrail, Trail, trail};
pub use upgrade::Upgrade;
pub use vended::AssumedFor;

#[cfg(test)]
pub(crate) use database_token::token_for;

use crate::account::Account;
use crate::error::{Error, Failure};
use crate::operation::{Operation, Paged, action};
use crate::signing::Scope;

/// How far clocks may be apart before AWS's is believed in what is signed by hand: its answers count whole seconds.
const BELIEVED: u64 = 30;

impl Account {
    /// How far this machine's clock is ahead of AWS's, in seconds, by the last answer; behind it, less than zero.
    ///
    /// AWS refuses signatures that are more than five minutes off.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.0.connection.ahead()
    }

    /// Makes one call.
    async fn ask<O: Operation>(&self, operation: &O) -> Result<O::Answer, Error> {
        self.0.connection.call(operation).await.map_err(|failure| self.error_of::<O>(failure))
    }

    /// Makes one call and all its pages.
    async fn ask_all<O: Paged>(&self, operation: O) -> Result<Vec<O::Item>, Error> {
        self.pages(operation).await.map_err(|failure| self.error_of::<O>(failure))
    }

    fn error_of<O: Operation>(&self, failure: Failure) -> Error {
        failure.at(&action::<O>(), self.account_region(), None)
    }

    /// An answer that was there and made no sense.
    fn unreadable<O: Operation>(&self, why: &str) -> Error {
        Error::Silent {
            call: action::<O>(),
            account_region: self.account_region().clone(),
            why: why.to_owned(),
        }
    }

    /// Signs with this account's credentials; none where `what` is nothing that can be signed.
    async fn sign<T>(
        &self,
        url: &str,
        service: &str,
        now: SystemTime,
        what: impl FnOnce(Scope<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        let credentials = self.0.connection.credentials().await;
        let credentials = credentials
            .map_err(|why| Error::NoCredentials { account_region: self.account_region().clone(), why })?;
        let scope = Scope { credentials: &credentials, region: self.region(), service, now };
        // Not what stands behind the question mark, which may be a secret.
        let plain = || url.split('?').next().unwrap_or_default().to_owned();
        what(scope).ok_or_else(|| Error::NotAnAddress { url: plain() })
    }

    /// The time as AWS has it, where this machine's clock is far off.
    fn now(&self) -> SystemTime {
        let now = SystemTime::now();
        let Some(ahead) = self.clock_ahead().filter(|ahead| ahead.unsigned_abs() > BELIEVED) else {
            return now;
        };
        let by = Duration::from_secs(ahead.unsigned_abs());
        let corrected = if ahead > 0 { now.checked_sub(by) } else { now.checked_add(by) };
        corrected.unwrap_or(now)
    }
}
