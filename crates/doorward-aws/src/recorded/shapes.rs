//! Members of an answer that are held back until everything else was read, and what turns pieces into shapes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use doorward_core::inventory::Call;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::words;
use crate::reading::{Position, Reader, Source};

/// What stands beside the members of an answer, and around it.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// Where it is.
    pub(super) path: Arc<Path>,
    /// Texts, numbers and flags, like `TransitGatewayRouteTableId`; of a refusal `Error.Code` and `Error.Message`.
    pub(super) texts: BTreeMap<String, String>,
}

/// Members that make sense only beside all other answers, as the text that they are.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) about: About,
    pub(super) members: Pieces,
}

/// Members as the text that they are, each with the place where it stands.
pub(super) type Pieces = Vec<(Box<RawValue>, Position)>;

/// The keys that say that there are pages after this one.
const PAGES: [&str; 4] = ["NextToken", "nextToken", "NextMarker", "Marker"];

impl About {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether there are pages after this one.
    pub(super) fn goes_on(&self) -> bool {
        PAGES.iter().any(|key| self.text(key).is_some())
    }

    /// The same around another answer, which has pages of its own.
    pub(super) fn around(&self) -> Self {
        let mut about = self.clone();
        about.texts.retain(|key, _| {
            !PAGES.contains(&key.as_str()) && key != "AdditionalRoutesAvailable" && !key.starts_with("Error.")
        });
        about
    }

    /// The names in the path, without the ending of the last and with `%2F` for a stroke, as recorders write ARNs.
    pub(super) fn parts(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        let whole = if self.path.extension().is_some_and(|it| it == "json") { &path } else { &*self.path };
        whole.iter().map(|part| percent_decoded(&part.to_string_lossy())).collect()
    }

    /// An id that the path has in it, by how it begins, like `tgw-rtb-`; the last one counts.
    pub(super) fn in_path(&self, prefix: &str) -> Option<String> {
        let path = self.path.to_string_lossy();
        path.rmatch_indices(prefix).find_map(|(start, _)| {
            let before = path.get(..start)?.chars().next_back();
            let rest = path.get(start + prefix.len()..)?;
            let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            let whole = length > 0 && !before.is_some_and(|before| before.is_ascii_alphanumeric());
            whole.then(|| path.get(start..start + prefix.len() + length).map(str::to_owned)).flatten()
        })
    }
}

impl Held {
    /// The members as shapes; one that cannot be read is a gap.
    pub(super) fn shapes<S: DeserializeOwned>(&self, reader: &mut Reader, call: Call) -> Vec<S> {
        let mut shapes = Vec::new();
        for (index, (piece, at)) in self.members.iter().enumerate() {
            match shape(piece) {
                Ok(shape) => shapes.push(shape),
                Err(error) => {
                    let (why, at) = words::of(&error, *at);
                    reader.source = Some(Source { path: self.about.path.clone(), at });
                    reader.unreadable(call, Some(&format!("member {index}")), &why);
                    reader.source = None;
                }
            }
        }
        shapes
    }

    /// A field of a member, where it is a text.
    pub(super) fn texts_of<'h>(&'h self, key: &'h str) -> impl Iterator<Item = String> + 'h {
        self.members.iter().filter_map(move |(piece, _)| {
            let mut found = None;
            super::piece::fields(piece, |name, value| {
                if name == key {
                    found = super::piece::text(value);
                }
            });
            found
        })
    }
}

pub(super) fn shape<S: DeserializeOwned>(piece: &RawValue) -> Result<S, serde_json::Error> {
    serde_json::from_str(piece.get())
}

/// `%2F` is a stroke; a sign without two digits behind it stands for itself.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|two| *first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
