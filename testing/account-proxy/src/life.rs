//! The states that a resource goes through, each from a time on.

use jiff::Timestamp;

use crate::clock::later;

/// States in time.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    states: Vec<(Timestamp, String)>,
    failure: Option<(String, String)>,
}

impl Life {
    /// A resource that is in a state from now on.
    pub(crate) fn new(now: Timestamp, state: &str) -> Self {
        Self { states: vec![(now, state.to_owned())], failure: None }
    }

    /// … and in another one so many seconds after the last.
    pub(crate) fn then(self, seconds: i64, state: &str) -> Self {
        let at = later(self.end(), seconds);
        self.from(at, state)
    }

    /// … and in another one from a time on.
    pub(crate) fn from(mut self, at: Timestamp, state: &str) -> Self {
        self.states.push((at, state.to_owned()));
        self
    }

    /// … with the code and the words of its failure.
    pub(crate) fn failing(self, code: String, message: String) -> Self {
        Self { failure: Some((code, message)), ..self }
    }

    /// The code and the words of its failure, now or later.
    pub(crate) fn failure(&self) -> Option<(&str, &str)> {
        self.failure.as_ref().map(|(code, message)| (code.as_str(), message.as_str()))
    }

    /// When its last state begins.
    pub(crate) fn end(&self) -> Timestamp {
        self.states.last().map_or(Timestamp::MIN, |(at, _)| *at)
    }

    /// When a state begins.
    pub(crate) fn begin(&self, state: &str) -> Timestamp {
        self.states.iter().find(|(_, it)| it == state).map_or(Timestamp::MIN, |(at, _)| *at)
    }

    /// Its state at a time.
    pub(crate) fn state(&self, now: Timestamp) -> &str {
        self.states.iter().rev().find(|(at, _)| *at <= now).map_or("", |(_, state)| state)
    }
}
