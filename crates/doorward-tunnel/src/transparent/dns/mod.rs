//! Names: questions that are taken in here and answered by the far side's resolver.
//!
//! What is said is never changed but for its id: [`message`] reads only as much as is needed to tell whose question
//! it is, and [`exchange`] keeps many questions on one connection apart. Neither has a socket or a clock.

mod exchange;
mod far;
mod listener;
mod message;

pub use self::exchange::{Answered, Exchange, Full};
pub(super) use self::far::Far;
pub(super) use self::listener::{Elsewhere, Listener};
pub use self::message::{Domain, NotADomain, NotAQuery, Query, SERVFAIL, answers, truncated};
