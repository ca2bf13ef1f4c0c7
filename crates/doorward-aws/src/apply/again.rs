//! Whether a call that failed is made again, and after which pause.

use super::run::{Reporter, Run, Tried};
use super::{Event, NotDone};
use crate::error::Error;
use crate::operation::Operation;

/// How often a call is made again, by why it failed. With the default pace the pauses sum up to 80 seconds of throttling, two
/// minutes in which what was just created is not visible everywhere, ten minutes in which something else is still using a
/// resource, and two minutes without an answer: of calls at the same time, one may lose many answers in a row.
const THROTTLED: u32 = 8;
const UNSEEN: u32 = 11;
const BUSY: u32 = 43;
const DOUBTFUL: u32 = 12;

/// The codes with which AWS says that a resource is changing, or that something still depends on it: both pass.
const IS_BUSY: &[&str] = &[
    "DependencyViolation",
    "IncorrectState",
    "InvalidCacheClusterState",
    "InvalidDBClusterStateFault",
    "InvalidDBInstanceState",
    "InvalidDBProxyStateFault",
    "InvalidDBSubnetGroupStateFault",
    "InvalidIPAddress.InUse",
    "InvalidReplicationGroupState",
    "InvalidServerlessCacheStateFault",
    "ResourceConflictException",
    "ResourceContention",
    "ResourceInUse",
    "ScalingActivityInProgress",
];

/// What a failure means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It was not performed, and can be made again.
    Throttled,
    /// It was not performed, since something that this run made is not visible yet.
    Unseen,
    /// It was not performed, since something is in use.
    Busy,
    /// It may have been performed.
    Doubtful,
    /// It was not performed, and never will be.
    Final,
}

/// The attempts of one call so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    throttled: u32,
    unseen: u32,
    busy: u32,
    doubtful: u32,
}

impl Attempts {
    /// Whether one of them may have been performed.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful > 0
    }

    /// How many of them may have been performed.
    pub(super) fn doubtful(&self) -> u32 {
        self.doubtful
    }

    /// Counts a failure: the number of failures of that kind before, or none where it is over.
    fn count(&mut self, meaning: Meaning) -> Option<u32> {
        let (count, most) = match meaning {
            Meaning::Throttled => (&mut self.throttled, THROTTLED),
            Meaning::Unseen => (&mut self.unseen, UNSEEN),
            Meaning::Busy => (&mut self.busy, BUSY),
            Meaning::Doubtful => (&mut self.doubtful, DOUBTFUL),
            Meaning::Final => return None,
        };
        *count += 1;
        (*count <= most).then(|| *count - 1)
    }
}

impl Run {
    /// Pauses after an attempt that failed, or gives up with its error.
    pub(super) async fn again(
        &self,
        attempts: &mut Attempts,
        tried: Tried,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let Tried::Failed(error) = tried else { return Err(NotDone::Stopped) };
        match attempts.count(self.meaning(&error)) {
            Some(number) => {
                reporter.report(Event::Again { step: reporter.step, why: error.to_string() });
                self.pause(self.pace.pause(number)).await
            }
            None => Err(error.into()),
        }
    }

    /// Makes a call that has the same effect twice until it is done. `done` are the codes that mean that its effect is there;
    /// those of `repeated` mean that only after an attempt that may have been performed.
    pub(super) async fn repeat<O: Operation>(
        &self,
        operation: &O,
        done: &[&str],
        repeated: &[&str],
        reporter: &Reporter,
    ) -> Result<Option<O::Answer>, NotDone> {
        let mut attempts = Attempts::default();
        loop {
            match self.call(operation).await {
                Ok(answer) => return Ok(Some(answer)),
                Err(tried) if tried.is(done) => return Ok(None),
                Err(tried) if attempts.is_doubtful() && tried.is(repeated) => return Ok(None),
                Err(tried) => self.again(&mut attempts, tried, reporter).await?,
            }
        }
    }

    fn meaning(&self, error: &Error) -> Meaning {
        match error {
            Error::Silent { .. } => Meaning::Doubtful,
            Error::NoGroup { group, .. } if self.names_own(group.as_str()) => Meaning::Unseen,
            _ if error.is_throttling() => Meaning::Throttled,
            _ if error.is_doubtful() => Meaning::Doubtful,
            Error::Refused { code, .. } if IS_BUSY.contains(&code.as_str()) => Meaning::Busy,
            Error::Refused { code, message, .. } if is_missing(code, message) && self.names_own(message) => {
                Meaning::Unseen
            }
            _ => Meaning::Final,
        }
    }
}

/// Whether a code says that something does not exist: `InvalidSubnetID.NotFound`, `NatGatewayNotFound`, RDS's `InvalidSubnet`,
/// and of Elastic Load Balancing `InvalidSecurityGroup`. Auto Scaling has one code for all that is wrong with a request.
fn is_missing(code: &str, message: &str) -> bool {
    code.ends_with("NotFound")
        || matches!(code, "InvalidSubnet" | "InvalidSecurityGroup")
        || (code == "ValidationError" && message.contains("not exist"))
}

impl Tried {
    /// Whether AWS refused with one of these codes.
    pub(super) fn is(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Failed(Error::Refused { code, .. }) if codes.contains(&code.as_str()))
    }
}
