//! Plays for tests what a simulator of AWS lacks: Session Manager's API, gateway and agent, Instance Connect and its
//! endpoints, CloudTrail's look-up, a few keys of KMS. Everything on loopback, everything else handed to moto.
//!
//! It is written from the protocol and from no client of it. It checks what a client does where the client's frames
//! enter, and writes down each deviation, so that a test can say at its end:
//!
//! ```no_run
//! # async fn story() -> std::io::Result<()> {
//! use session_agent::{Settings, Stand};
//!
//! let stand = Stand::start(Settings::default()).await?;
//! // A client speaks to `stand.api_url` …
//! assert_eq!(stand.violations(), []);
//! stand.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod agent;
mod api;
mod channel;
mod conduct;
mod documents;
mod draw;
mod endpoint;
mod faults;
mod gateway;
mod kms;
pub mod message;
pub mod percent;
mod policy;
mod record;
mod session;
mod settings;
pub mod sigv4;
pub mod smux;
mod stand;
mod uuid;

pub use faults::{Blow, Faults, Resume, Road};
pub use record::{Event, Mode, Violation, What};
pub use settings::{AgentSettings, ConnectEndpoint, Credential, Settings};
pub use stand::Stand;
pub use uuid::{NotAUuid, Uuid};
