//! People at the edge: trying their passwords, and editing the two files that they stand in.

pub mod cost;
mod des_crypt;
pub mod edit;
mod md5_crypt;
pub mod password;
pub mod rules;
