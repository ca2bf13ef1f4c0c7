//! One file of recorded answers: its keys are sorted out while it is read, and a member at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::keys::{self, Key, Read};
use super::saved::Saved;
use crate::reading::Reader;

/// The answers of one object: of a file, or of one of several in it.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) about: About,
    pub(super) answers: Vec<Answer>,
    pub(super) saved: Saved,
}

/// The members that stood under one key.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: &'static Key,
    pub(super) members: Vec<Value>,
}

/// What a file says beside its members.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Texts and numbers at the top, and a refusal's code and message.
    texts: BTreeMap<String, String>,
}

/// Members that make sense only beside all other answers of the place.
pub(super) struct Later {
    pub(super) read: fn(&mut Reader, &About, Vec<Value>),
    pub(super) members: Vec<Value>,
    pub(super) about: About,
}

impl About {
    /// A text at the top, like `TransitGatewayRouteTableId`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether there are pages after this one.
    pub(super) fn goes_on(&self) -> bool {
        ["NextToken", "nextToken", "NextMarker", "Marker"].iter().any(|key| self.text(key).is_some())
    }

    /// The names in the path, without the ending of the last and with `%2F` for a stroke, as recorders write ARNs.
    pub(super) fn parts(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        let whole = if self.path.extension().is_some_and(|it| it == "json") { &path } else { &self.path };
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

/// Reads a file: an object of answers, or a list of such.
pub(super) fn read(text: &[u8], path: &Path, sheets: &mut Vec<Sheet>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    File { path, sheets }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct File<'a> {
    path: &'a Path,
    sheets: &'a mut Vec<Sheet>,
}

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of answers")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let about = About { path: self.path.to_owned(), texts: BTreeMap::new() };
        let mut sheet = Sheet { about, answers: Vec::new(), saved: Saved::default() };
        Top { sheet: &mut sheet, wrapped: false }.visit_map(map)?;
        self.sheets.push(sheet);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { path, sheets } = self;
        while seq.next_element_seed(Element(File { path, sheets: &mut *sheets }))?.is_some() {}
        Ok(())
    }
}

/// A member of a list at the top: an answer, or something that is none.
struct Element<'a>(File<'a>);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The keys at the top, or those of `data`.
struct Top<'a> {
    sheet: &'a mut Sheet,
    wrapped: bool,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of answers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sheet, wrapped } = self;
        while let Some(name) = map.next_key::<String>()? {
            if let Some(key) = keys::known(&name) {
                let members = map.next_value_seed(Members(key))?;
                sheet.answers.extend(members.map(|members| Answer { key, members }));
            } else if matches!(name.as_str(), "Gaps" | "Incomplete" | "Quota") {
                sheet.saved.take(&name, map.next_value()?);
            } else if name == "data" && !wrapped {
                map.next_value_seed(Wrapped(sheet))?;
            } else if name == "Error" || name == "status_code" || name.ends_with("Id") || is_note(&name) {
                note(&mut sheet.about.texts, &name, &map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
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

/// Keys beside the members that say something of them.
fn is_note(name: &str) -> bool {
    name.ends_with("Arn")
        || matches!(
            name,
            "NextToken" | "nextToken" | "NextMarker" | "Marker" | "AdditionalRoutesAvailable" | "DBProxyName"
        )
}

fn note(texts: &mut BTreeMap<String, String>, name: &str, value: &Value) {
    match value {
        Value::String(text) => {
            texts.insert(name.to_owned(), text.clone());
        }
        Value::Bool(_) | Value::Number(_) => {
            texts.insert(name.to_owned(), value.to_string());
        }
        Value::Object(error) if name == "Error" => {
            for key in ["Code", "Message"] {
                let text = error.get(key).and_then(Value::as_str);
                texts.extend(text.map(|text| (format!("Error.{key}"), text.to_owned())));
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null => {}
    }
}

/// What `data` holds, where that is an object.
struct Wrapped<'a>(&'a mut Sheet);

impl<'de> DeserializeSeed<'de> for Wrapped<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        Top { sheet: self.0, wrapped: true }.deserialize(deserializer)
    }
}

/// What stands under a key: a list, of which each member is kept as it is; or one object, which is one member.
struct Members(&'static Key);

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Option<Vec<Value>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // A key that other answers have as well stands for ours only where a list of objects is under it.
        if matches!(self.0.read, Read::Together(_)) {
            let value = serde::Deserialize::deserialize(deserializer)?;
            return Ok(match value {
                Value::Array(members) => Some(members),
                _ => None,
            });
        }
        deserializer.deserialize_any(self).map(Some)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} under `{}`", if self.0.single { "an object" } else { "a list" }, self.0.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Value>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = seq.next_element()? {
            members.push(member);
        }
        Ok(members)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Value>, A::Error> {
        if !self.0.single {
            return Err(serde::de::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        let member = serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(vec![member])
    }

    fn visit_unit<E>(self) -> Result<Vec<Value>, E> {
        Ok(Vec::new())
    }
}
