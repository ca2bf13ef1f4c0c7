//! JSON taken apart piece by piece: a file is held as its text, and no tree of it is ever built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::reading::Position;

impl Position {
    /// A place in a piece that begins here, by line and column in that piece.
    pub(super) fn within(self, line: usize, column: usize) -> Self {
        match line {
            0 => self,
            1 => Self { column: self.column + column.saturating_sub(1), ..self },
            _ => Self { line: self.line + line - 1, column: column.max(1) },
        }
    }
}

/// The lines of a text. Pieces are asked for mostly in their order, so that each line is counted once.
pub(super) struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    /// Where the line begins.
    start: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, offset: 0, line: 1, start: 0 }
    }

    /// Where a piece of the text begins.
    pub(super) fn position(&mut self, piece: &RawValue) -> Position {
        let offset = piece.get().as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        if offset < self.offset {
            *self = Self::of(self.text);
        }
        let between = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        for (index, _) in between.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            self.line += 1;
            self.start = self.offset + index + 1;
        }
        self.offset += between.len();
        Position { line: self.line, column: self.offset - self.start + 1 }
    }
}

/// The name of a field, borrowed from the text where it has no escapes.
struct Name<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// Hands out the fields of an object, in their order; none of a piece that is no object.
pub(super) fn fields<'t>(piece: &'t RawValue, take: impl FnMut(&str, &'t RawValue)) {
    struct Fields<F>(F);
    impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Fields<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                (self.0)(&name, value);
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(piece.get());
    // A piece was read as JSON before; a name with half a surrogate pair ends it.
    let _ = deserializer.deserialize_map(Fields(take));
}

/// Hands out the members of a list, in their order; none of a piece that is no list.
pub(super) fn members<'t>(piece: &'t RawValue, take: impl FnMut(&'t RawValue)) {
    struct Members<F>(F);
    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(member) = seq.next_element::<&'de RawValue>()? {
                (self.0)(member);
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(piece.get());
    // As above.
    let _ = deserializer.deserialize_seq(Members(take));
}

/// The names of an object's fields, as many as tell what it is.
#[derive(Debug, Default)]
pub(super) struct Names<'t>(Vec<Cow<'t, str>>);

impl<'t> Names<'t> {
    /// No answer of AWS has a member with more fields.
    const MOST: usize = 128;

    pub(super) fn of(piece: &'t RawValue) -> Self {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Names<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names<'de>, A::Error> {
                let mut names = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    if names.len() < Names::MOST {
                        names.push(name);
                    }
                }
                Ok(Names(names))
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(piece.get());
        deserializer.deserialize_map(Read).unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }

    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Whether there are none but these.
    pub(super) fn are_of(&self, names: &[&str]) -> bool {
        !self.0.is_empty() && self.0.iter().all(|own| names.contains(&&**own))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

/// What a piece is, by its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    List,
    Text,
    Other,
}

pub(super) fn form(piece: &RawValue) -> Form {
    match piece.get().as_bytes().first() {
        Some(b'{') => Form::Object,
        Some(b'[') => Form::List,
        Some(b'"') => Form::Text,
        _ => Form::Other,
    }
}

/// What a text says.
pub(super) fn text(piece: &RawValue) -> Option<String> {
    serde_json::from_str(piece.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_know_where_they_begin() {
        let text = "{\n  \"a\": [1,\n 22],\r\n\"b\": {\"c\": \"\\u0041\"}}";
        let whole: &RawValue = serde_json::from_str(text).expect("JSON");
        let mut lines = Lines::of(text);
        let mut found = Vec::new();
        fields(whole, |name, value| {
            found.push(format!("{name} {}", lines.position(value)));
            members(value, |member| found.push(lines.position(member).to_string()));
            fields(value, |name, value| found.push(format!("{name} {:?}", super::text(value))));
        });
        assert_eq!(
            found,
            ["a line 2 column 8", "line 2 column 9", "line 3 column 2", "b line 4 column 6", "c Some(\"A\")"]
        );
        assert_eq!(lines.position(whole).to_string(), "line 1 column 1");
        assert_eq!(lines.position(whole).within(1, 3).to_string(), "line 1 column 3");
        assert_eq!(lines.position(whole).within(4, 3).to_string(), "line 4 column 3");
    }

    #[test]
    fn names_tell_what_an_object_is() {
        let piece: &RawValue = serde_json::from_str(r#"{"VpcId": {"a": 1}, "x\n": []}"#).expect("JSON");
        let names = Names::of(piece);
        assert!(names.has("VpcId") && names.has("x\n") && !names.has("a") && names.has_any(&["b", "VpcId"]));
        assert_eq!(Names::of(serde_json::from_str("[1]").expect("JSON")).iter().count(), 0);
    }
}
