//! A grant that ends takes its sessions and its credentials along: at once, after a restart, beside whatever AWS refuses,
//! and whatever the machine's clock says.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../assembled/mod.rs"]
mod assembled;
mod clock;
mod credentials;
mod permissions;
mod sessions;
mod world;
