//! Walks a TOML document and notes every mistake, rather than stopping at the first.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::mistake::{Lines, Mistake, Spot, did_you_mean};

/// Bytes of the document.
pub(super) type Span = Range<usize>;

/// What is read, and what was wrong with it so far.
pub(super) struct Walk<'t> {
    pub(super) file: &'t str,
    pub(super) lines: Lines<'t>,
    pub(super) mistakes: Vec<Mistake>,
    /// Lines that are no TOML. While there are some, what seems to be missing may stand in one of them.
    pub(super) unreadable: Vec<usize>,
}

impl<'t> Walk<'t> {
    pub(super) fn spot(&self, span: &Span) -> Spot {
        self.lines.spot(span.start)
    }

    /// Where a span begins, as a message about another place names it.
    pub(super) fn place(&self, span: &Span) -> String {
        let spot = self.spot(span);
        format!("{}:{}:{}", self.file, spot.line, spot.column)
    }

    pub(super) fn error(&mut self, span: &Span, what: impl Into<String>, hint: Option<String>) {
        let spot = self.spot(span);
        if !self.unreadable.contains(&spot.line) {
            self.mistakes.push(Mistake::error(self.file, spot, what, hint));
        }
    }

    pub(super) fn warning(&mut self, span: &Span, what: impl Into<String>, hint: Option<String>) {
        let spot = self.spot(span);
        if !self.unreadable.contains(&spot.line) {
            self.mistakes.push(Mistake::warning(self.file, spot, what, hint));
        }
    }

    /// An error that something is not there, kept back while parts of the file could not be read.
    pub(super) fn missing(&mut self, span: &Span, what: impl Into<String>, hint: Option<String>) {
        if self.unreadable.is_empty() {
            self.error(span, what, hint);
        }
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'t>>, name: &str, wanted: &str, like: &str) {
        let is = in_words(value.get_ref());
        let hint = (!like.is_empty()).then(|| format!("write `{like}`"));
        self.error(&value.span(), format!("{name} must be {wanted}, and is {is}"), hint);
    }

    pub(super) fn text<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'t>>,
        name: &str,
        like: &str,
    ) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => {
                self.wrong_type(value, name, "a string in quotes", like);
                None
            }
        }
    }

    /// A text that parses as `T`.
    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        value: &Spanned<DeValue<'t>>,
        name: &str,
        like: &str,
    ) -> Option<T> {
        let text = self.text(value, name, like)?;
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.error(&value.span(), error.to_string(), None);
                None
            }
        }
    }

    /// A table, whose keys are checked against those that it may have.
    pub(super) fn section<'v>(
        &mut self,
        name: &str,
        at: Span,
        value: &'v Spanned<DeValue<'t>>,
        keys: &[&str],
    ) -> Option<Section<'t, 'v>> {
        let DeValue::Table(table) = value.get_ref() else {
            let what = format!("{name} must be a table, and is {}", in_words(value.get_ref()));
            self.error(&at, what, None);
            return None;
        };
        let section = Section { name: name.to_owned(), at, table };
        self.unknown_keys(&section, keys);
        Some(section)
    }

    fn unknown_keys(&mut self, section: &Section<'t, '_>, keys: &[&str]) {
        for key in section.table.keys() {
            let given: &str = key.get_ref();
            if keys.contains(&given) {
                continue;
            }
            let free = keys.iter().copied().filter(|key| !section.table.contains_key(*key));
            let hint = match did_you_mean(given, free) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are {}", and(keys)),
            };
            self.error(&key.span(), format!("{} has no key `{given}`", section.name), Some(hint));
        }
    }
}

/// A table of the document.
pub(super) struct Section<'t, 'v> {
    /// As it is headed, in back-ticks.
    pub(super) name: String,
    /// Where its name stands.
    pub(super) at: Span,
    pub(super) table: &'v DeTable<'t>,
}

impl<'t, 'v> Section<'t, 'v> {
    pub(super) fn get(&self, key: &str) -> Option<&'v Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Where a key stands, or else its table's name.
    pub(super) fn key_at(&self, key: &str) -> Span {
        self.table.get_key_value(key).map_or_else(|| self.at.clone(), |(key, _)| key.span())
    }

    /// Where a value stands, or else its table's name.
    pub(super) fn value_at(&self, key: &str) -> Span {
        self.get(key).map_or_else(|| self.at.clone(), Spanned::span)
    }

    /// A value that has to be there.
    pub(super) fn need(
        &self,
        walk: &mut Walk<'t>,
        key: &str,
        like: &str,
    ) -> Option<&'v Spanned<DeValue<'t>>> {
        let value = self.get(key);
        if value.is_none() {
            let what = format!("{} needs `{key}`", self.name);
            walk.missing(&self.at, what, Some(format!("add `{like}`")));
        }
        value
    }

    pub(super) fn text(&self, walk: &mut Walk<'t>, key: &str, like: &str) -> Option<&'v str> {
        walk.text(self.get(key)?, &format!("`{key}`"), like)
    }

    /// A text that is not empty and has no control characters.
    pub(super) fn plain(&self, walk: &mut Walk<'t>, key: &str, like: &str) -> Option<&'v str> {
        let text = self.text(walk, key, like)?;
        if text.trim().is_empty() {
            walk.error(&self.value_at(key), format!("`{key}` is empty"), Some(format!("write `{like}`")));
            return None;
        }
        if text.chars().any(char::is_control) {
            walk.error(&self.value_at(key), format!("`{key}` has a control character"), None);
            return None;
        }
        Some(text)
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(
        &self,
        walk: &mut Walk<'t>,
        key: &str,
        like: &str,
    ) -> Option<T> {
        walk.parsed(self.get(key)?, &format!("`{key}`"), like)
    }

    pub(super) fn flag(&self, walk: &mut Walk<'t>, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                walk.wrong_type(value, &format!("`{key}`"), "true or false", "");
                None
            }
        }
    }

    pub(super) fn number(&self, walk: &mut Walk<'t>, key: &str, like: &str) -> Option<i64> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Some(number),
                Err(_) => {
                    walk.error(&value.span(), format!("`{key}` is out of range"), None);
                    None
                }
            },
            _ => {
                walk.wrong_type(value, &format!("`{key}`"), "a whole number", like);
                None
            }
        }
    }

    /// A list of texts that parse as `T`, each with its place; those that do not parse are left out, with a
    /// mistake. A value that is there twice is told of, and is no harm.
    pub(super) fn list<T: FromStr<Err: Display> + PartialEq>(
        &self,
        walk: &mut Walk<'t>,
        key: &str,
        like: &str,
    ) -> Option<Vec<(T, Span)>> {
        let value = self.get(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            walk.wrong_type(value, &format!("`{key}`"), "a list", like);
            return None;
        };
        let mut list: Vec<(T, Span)> = Vec::with_capacity(array.len());
        for item in array.iter() {
            let Some(parsed) = walk.parsed::<T>(item, &format!("each entry of `{key}`"), like) else {
                continue;
            };
            if list.iter().any(|(before, _)| *before == parsed) {
                walk.warning(&item.span(), format!("this is twice in `{key}`"), None);
            } else {
                list.push((parsed, item.span()));
            }
        }
        Some(list)
    }
}

fn in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Names in back-ticks, with an `and` before the last.
pub(super) fn and(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
