//! People at the edge: verifying their passwords, and editing the password and group files.

pub mod cost;
mod des_crypt;
pub mod edit;
mod md5_crypt;
pub mod password;
pub mod rules;

/// The most bytes of a file of people that are read: a larger one is an error, and would delay what the others take away.
pub(crate) const PEOPLE_AT_MOST: u64 = 64 << 20;
