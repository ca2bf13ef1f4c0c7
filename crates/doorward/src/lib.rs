//! Doorward.

pub mod command;
pub mod people;
pub mod policy_file;
