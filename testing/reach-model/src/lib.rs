//! What tests and benches of reachability share: accounts of any size, a second engine that was written from the semantics
//! alone, and the questions that both are asked.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wrong_self_convention,
    reason = "a test fails by panicking, and is its own documentation"
)]

pub mod account;
pub mod naive;
pub mod questions;
