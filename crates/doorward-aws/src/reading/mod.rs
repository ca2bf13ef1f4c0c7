//! Turns answers, live or recorded, into an inventory: a file for each group of resources.
//!
//! What cannot be read is a gap that names it, and hides nothing else.

mod acls;
mod apart;
mod balancers;
mod block;
mod caches;
mod containers;
mod databases;
mod gateways;
mod groups;
mod interfaces;
mod lists;
mod networks;
mod peerings;
mod reader;
mod routes;
mod scaling;
mod source;
mod transit;

pub(crate) use apart::{NO_RESPONSE, is_classic, preserves_by_default};
pub(crate) use groups::{group, rule, unnamed};
pub(crate) use reader::{Member, Reader};
pub(crate) use source::{Position, Source};

use std::collections::BTreeSet;
use std::str::FromStr;

use doorward_core::inventory::{AnsweredId, NotAnId, Tags};
use doorward_core::net::{Cidr, NetError};
use doorward_core::text::shown;

use crate::wire::{List, NotAFlow, Tag};

/// Something of a kind that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Id(#[from] NotAnId),
    #[error(transparent)]
    Address(#[from] NetError),
    #[error(transparent)]
    Flow(#[from] NotAFlow),
    #[error("it names no peer")]
    NoPeer,
    #[error("it has no `{0}`")]
    Missing(&'static str),
    #[error("`{0}` is not an address")]
    NotAnAddress(String),
    #[error("its `{0}` is `{1}`, which is unknown")]
    Odd(&'static str, String),
    #[error("another answer of the recording contradicts this one; keep the newer of the two")]
    Contradicted,
}

/// An id, where there is one; on the wire an empty text stands for none.
fn id<T: AnsweredId>(text: Option<&str>) -> Result<Option<T>, Unreadable> {
    Ok(text.map(str::trim).filter(|text| !text.is_empty()).map(T::answered).transpose()?)
}

/// An id without which the resource makes no sense.
fn needed<T: AnsweredId>(text: Option<&str>, field: &'static str) -> Result<T, Unreadable> {
    id(text)?.ok_or(Unreadable::Missing(field))
}

/// Ids, each of which has to be one.
fn ids<T: AnsweredId + Ord>(texts: &[String]) -> Result<BTreeSet<T>, Unreadable> {
    texts.iter().map(|text| Ok(T::answered(text)?)).collect()
}

/// A text without which the resource makes no sense.
fn needed_text(told: Option<&String>, field: &'static str) -> Result<String, Unreadable> {
    text(told).ok_or(Unreadable::Missing(field))
}

/// A text of somebody else's as one line, since it stands in lines of ours.
fn line(text: Option<&String>) -> String {
    text.map(|text| shown(text).into_owned()).unwrap_or_default()
}

/// A text, where there is one: as one line.
fn text(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty()).map(|text| shown(text).into_owned())
}

/// A prefix. Bits that are set behind it are dropped, as AWS drops them.
fn cidr(text: &str) -> Result<Cidr, Unreadable> {
    match text.trim().parse() {
        Err(NetError::HostBits { meant, .. }) => Ok(meant),
        read => Ok(read?),
    }
}

/// An address, where there is one.
fn address<A: FromStr>(text: Option<&str>) -> Result<Option<A>, Unreadable> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| Unreadable::NotAnAddress(text.to_owned()))).transpose()
}

fn tags(shapes: &List<Tag>) -> Tags {
    shapes.0.iter().map(|tag| (line(Some(&tag.key)), line(tag.value.as_ref()))).collect()
}

#[cfg(test)]
mod services_tests;
#[cfg(test)]
mod tests;
