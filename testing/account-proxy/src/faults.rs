//! Calls that fail, are never answered or are throttled, as a test asks for it.
//!
//! The codes are those of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> and
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>.

use serde::Deserialize;

use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

/// A fault that waits for its call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The kind of fault.
    pub kind: Kind,
    /// Which of the calls that are counted, from now on: 1 is the next.
    pub nth: u64,
    /// How many in a row.
    #[serde(default = "one")]
    pub times: u64,
    /// Only calls of this action are counted.
    #[serde(default)]
    pub action: Option<String>,
    /// Only calls that change something are counted.
    #[serde(default)]
    pub writes: bool,
}

fn one() -> u64 {
    1
}

/// The effect of a fault on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is not performed, and answered by a failure of AWS.
    Fail,
    /// It is not performed, and the connection ends without an answer.
    Drop,
    /// It is performed, and the connection ends without an answer.
    Lose,
    /// It is performed, and answered by a failure of AWS.
    FailAfter,
    /// It is not performed, and answered that there were too many calls.
    Throttle,
}

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call, and says what happens to it.
    pub(crate) fn next(&mut self, call: &Call) -> Option<Kind> {
        let mut happens = None;
        for fault in &mut self.0 {
            if fault.action.as_ref().is_some_and(|action| *action != call.action)
                || (fault.writes && call.reads())
            {
                continue;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                happens = happens.or(Some(fault.kind));
            }
        }
        self.0.retain(|fault| fault.times > 0);
        happens
    }
}

/// A failure of AWS itself.
pub(crate) fn failure(call: &Call) -> Refusal {
    match call.service {
        Service::Ec2 => refusal("InternalError", "An internal error has occurred").status(500),
        _ => refusal("InternalFailure", "The request processing has failed because of an unknown error")
            .status(500),
    }
}

/// Too many calls.
pub(crate) fn throttled(call: &Call) -> Refusal {
    match call.service {
        Service::Ec2 => refusal("RequestLimitExceeded", "Request limit exceeded.").status(503),
        Service::Lambda => refusal("TooManyRequestsException", "Rate exceeded").status(429),
        _ => refusal("Throttling", "Rate exceeded"),
    }
}
