//! The pure core of Doorward: every decision, and nothing that acts.
//!
//! No clock, disk, network, randomness or async runtime: `now`, ids and bytes are
//! arguments, so a decision can be tested with ten thousand random histories.
#![expect(
    missing_docs,
    reason = "a field or variant whose name says it needs no comment; a house test looks after the other items"
)]

pub mod audit;
pub mod decision;
pub mod export;
pub mod firewall;
pub mod grant;
pub mod inspect;
pub mod inventory;
pub mod mark;
pub mod name;
pub mod net;
pub mod plan;
pub mod policy;
pub mod price;
pub mod proxy_protocol;
pub mod reach;
pub mod session;
pub mod text;
pub mod topology;
