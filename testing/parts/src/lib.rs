//! Parts that several suites of tests and benches start, and what they need of the machine.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::new_without_default,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and is its own documentation"
)]

pub mod cost;
pub mod moto;
pub mod nat;
pub mod need;
pub mod netns;
pub mod postgres;
pub mod profiles;
pub mod sshd;
pub mod table;
