//! Drivers that bring a ruleset to where it is enforced.

pub mod nftables;
