//! What goes over the wire and comes back, whatever the call: forms, lists, refusals, flows.

mod flow;
mod form;
mod instant;
mod list;
mod refusal;
mod wrapped;

pub(crate) use flow::{NotAFlow, Protocol, written};
pub(crate) use form::Form;
pub(crate) use instant::Instant;
pub(crate) use list::List;
pub(crate) use refusal::Refusal;
pub(crate) use wrapped::Wrapped;

use serde::Deserialize;

/// A tag of a resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct Tag {
    #[serde(rename = "Key", alias = "key")]
    pub(crate) key: String,
    #[serde(rename = "Value", alias = "value", default)]
    pub(crate) value: Option<String>,
}
