//! Observes, decides, performs: by timer, nudge and restart alike, with no input.

mod status;

pub use status::{Nudge, Nudged, Standing, Status};
