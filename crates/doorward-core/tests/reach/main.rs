//! Reachability tried: by hand, against a second engine on random accounts, and its sets against points.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod agreement;
mod by_hand;
mod changes;
mod fixes;
mod flows;
mod written;

use reach_model::{naive, questions};
