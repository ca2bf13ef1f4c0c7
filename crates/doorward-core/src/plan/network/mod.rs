//! A plan for networks and roles: the difference of two inventories in all that networks are made of.
//!
//! Rules of security groups are planned as everywhere ([`rules`](super::rules)); here they get their place among the rest.

mod change;
mod cost;
mod difference;
mod digest;
mod followed;
mod ids;
mod needs;
mod perform;
mod phase;
mod proposal;
mod quota;
mod scaled;
mod why;

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use change::{Awaited, Change, Modified};
pub use cost::{Cost, NatChoice, Prices, sum};
pub use difference::{NetworkStep, everything_out, network_difference};
pub use followed::followed;
pub use ids::Ids;
pub use needs::needs;
pub use perform::{Give, Refused, perform_change};
pub use phase::Phase;
pub use proposal::{Prepared, Proposal, Unprepared};
pub use quota::{Exceeded, Quota, exceeded};
pub use scaled::{ScaledChange, added, has_other_settings};
pub use why::Why;
