//! The policy on disk.

use std::sync::Arc;

use doorward_core::policy::{People, Policy};

/// A policy that was read whole, with its people.
#[derive(Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The people.
    pub people: Arc<People>,
    /// SHA-256 of the three files.
    pub digest: String,
}

/// The three files.
#[derive(Debug)]
pub struct PolicyFile {
    current: Arc<Loaded>,
}

impl PolicyFile {
    /// The last good policy.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current)
    }
}
