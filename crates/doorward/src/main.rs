//! Doorward.
fn main() {}
