//! Client tokens: what is asked for twice with one token is made once.

use std::fmt::Debug;
use std::hash::{BuildHasher as _, RandomState};

use doorward_core::plan::network::Change;

/// The tokens of one run.
///
/// EC2 keeps a token for longer than a network may live: asked again with it for the same table in the same VPC, it would
/// answer with the one that was deleted meanwhile. So a token is of a run and a step, and a repetition within the run is the
/// same one; what an earlier run made is found by its tags.
#[derive(Debug)]
pub(super) struct Tokens(RandomState);

impl Tokens {
    pub(super) fn of_a_run() -> Self {
        // Each has keys of its own.
        Self(RandomState::new())
    }

    /// The token of a step: 64 characters at most (EC2 developer guide, "Ensuring idempotency").
    pub(super) fn of(&self, change: &Change) -> String {
        let text = format!("{change:?}");
        format!("doorward-{:016x}{:016x}", self.0.hash_one(&text), self.0.hash_one((&text, "second half")))
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::inventory::{InternetGateway, InternetGatewayId, PlannedId as _, Tags};

    use super::*;

    #[test]
    fn a_token_is_of_a_run_and_a_step() {
        let change = |name: &str| {
            let id = InternetGatewayId::planned(name);
            Change::CreateInternetGateway(Box::new(InternetGateway { id, vpc: None, tags: Tags::new() }))
        };
        let (one, other) = (Tokens::of_a_run(), Tokens::of_a_run());
        assert_eq!(one.of(&change("a")), one.of(&change("a")));
        assert_ne!(one.of(&change("a")), one.of(&change("b")));
        assert_ne!(one.of(&change("a")), other.of(&change("a")));
        assert!(one.of(&change("a")).len() <= 64);
    }
}
