//! Doorward.

pub mod cloud;
