//! The only crate that speaks to AWS: it observes an account, and performs steps on it.
//!
//! Calls are made on the official runtime (credentials, signatures, retries, timeouts) with shapes of our own, so
//! none of the generated service crates is built. A recorded or simulated account is read by the same shapes.
#![expect(
    missing_docs,
    reason = "a field or variant whose name says it needs no comment; a house test looks after the other items"
)]

mod account;
mod apply;
mod configuration;
mod connection;
mod credentials;
mod error;
mod observe;
mod operation;
mod perform;
mod reading;
mod recorded;
mod sessions;
mod signing;
mod simulated;
mod survey;
mod wire;
mod written;

pub use account::{Account, CallerIdentity};
pub use apply::{Applied, Applying, Event, NotDone, Pace, Stop};
pub use credentials::ShortLived;
pub use error::Error;
pub use perform::{Made, Performed};
pub use recorded::{
    NotRecorded, PassedOver, Recording, Unread, passed_over_lines, piped, recorded, recorded_files, recording,
};
pub use sessions::{
    AssumedFor, ConnectEndpoint, DataKey, Document, Jump, JumpError, LocateError, Located, Managed,
    NotATrail, OpenedSession, Ping, Put, Start, Trail, Upgrade, trail,
};
pub use simulated::Simulated;
pub use survey::Progress;
pub use written::{NotSaved, save};
