//! CloudTrail: what it recorded of the calls that open a way, from the API, a recorded answer or a file of a trail.

mod shape;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use doorward_core::audit::cloudtrail::{Asked, Call, Window};
use serde_json::Value;

use crate::account::Account;
use crate::connection::patiently;
use crate::error::Failure;
use crate::operation::{LookupEvents, Operation as _, Paged as _};

/// Calls that were read, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// Those that open a way, in the order in which they came.
    pub calls: Vec<Call>,
    /// What could not be asked or read, in words, each thing once.
    pub gaps: Vec<String>,
}

/// Bytes that CloudTrail did not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATrail {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// Still packed, as CloudTrail leaves it in S3.
    #[error("it is compressed: unpack it with `gunzip`")]
    Compressed,
    /// JSON of another kind.
    #[error(
        "it has neither `Events`, as in the output of `aws cloudtrail lookup-events`, nor `Records`, as in the files of a trail"
    )]
    NoEvents,
}

/// What lies between two calls: AWS takes two a second from an account (CloudTrail API reference, `LookupEvents`).
const PACE: Duration = Duration::from_millis(500);

/// More pages than anybody waits for: at two a second, five minutes for each name.
const MOST_PAGES: usize = 600;

impl Trail {
    /// Adds another one.
    pub fn extend(&mut self, other: Self) {
        self.calls.extend(other.calls);
        for gap in other.gaps {
            self.gap(gap);
        }
    }

    fn gap(&mut self, gap: String) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Takes in one event, as it stands in an answer or in a file.
    fn event(&mut self, event: &Value) {
        // An answer has the record itself as a text within.
        let within = event.get("CloudTrailEvent").and_then(Value::as_str);
        let read = match within {
            Some(text) => match serde_json::from_str(text) {
                Ok(record) => shape::call(&record),
                Err(error) => Err(format!("is not JSON: {error}")),
            },
            None => shape::call(event),
        };
        match read {
            Ok(call) => self.calls.extend(call),
            Err(why) => {
                let id = ["EventId", "eventID"].iter().find_map(|key| event.get(key)).and_then(Value::as_str);
                self.gap(format!("the event {} cannot be read: {why}", id.unwrap_or("without an id")));
            }
        }
    }
}

/// Reads what was recorded: an answer of `lookup-events`, a file that a trail wrote, a list of records, or one.
pub fn trail(bytes: &[u8]) -> Result<Trail, NotATrail> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(NotATrail::Compressed);
    }
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| NotATrail::NotJson(error.to_string()))?;
    let events = match &value {
        Value::Array(events) => events.as_slice(),
        Value::Object(object) => match ["Events", "Records"].iter().find_map(|key| object.get(*key)) {
            Some(Value::Array(events)) => events.as_slice(),
            Some(_) => return Err(NotATrail::NoEvents),
            None if object.contains_key("eventName") => std::slice::from_ref(&value),
            None => return Err(NotATrail::NoEvents),
        },
        _ => return Err(NotATrail::NoEvents),
    };
    let mut trail = Trail::default();
    for event in events {
        trail.event(event);
    }
    Ok(trail)
}

impl Account {
    /// Asks CloudTrail for all calls of this Region that open a way, in a window within the last 90 days.
    ///
    /// It takes half a second for each page of 50 calls: AWS allows no more. A name that could not be asked for is a
    /// gap, and what was read of the others is told all the same. To stop, drop it.
    pub async fn trail(&self, window: Window) -> Trail {
        let mut trail = Trail::default();
        for name in Asked::NAMES {
            if let Err(failure) = self.named(name, window, &mut trail).await {
                trail.gap(format!("{name} in {}: {}", self.account_region(), failure.why()));
                // Who may not ask for one may ask for none.
                if failure.is_denial() {
                    break;
                }
            }
        }
        trail
    }

    async fn named(&self, name: &'static str, window: Window, trail: &mut Trail) -> Result<(), Failure> {
        // Whole seconds; the last one is asked for as well.
        let (from, to) = (window.from.as_second(), window.to.as_second().saturating_add(1));
        let mut operation = LookupEvents { name, from, to, token: None };
        for _ in 0..MOST_PAGES {
            // Others of this account look up events, too.
            let answer = patiently(async || {
                self.paced().await;
                self.0.connection.call(&operation).await
            });
            let (events, next) = LookupEvents::split(answer.await?);
            for event in &events {
                trail.event(event);
            }
            match next.filter(|token| !token.is_empty()) {
                None => return Ok(()),
                Some(token) => operation = operation.at(token),
            }
        }
        Err(Failure::Silent(format!("{} has more than {MOST_PAGES} pages", LookupEvents::NAME)))
    }

    /// Waits for this account's turn.
    async fn paced(&self) {
        let mut last = self.0.looked_up.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep(PACE.saturating_sub(last.elapsed())).await;
        }
        *last = Some(Instant::now());
    }
}
