//! A mistake in a file that a person wrote: where it is, what is wrong, and what would be right.

use std::fmt;

use serde::Serialize;

/// Something wrong in a policy or in a people file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Whether it makes the file useless.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// How bad a mistake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file means something, though perhaps not what was meant.
    Warning,
    /// The file cannot be used, or lets somebody in or out against what is plainly meant.
    Error,
}

impl Mistake {
    /// Whether it is more than a warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// An error at a place.
    pub fn error(file: &str, spot: Spot, what: impl Into<String>, hint: Option<String>) -> Self {
        Self::new(file, spot, Severity::Error, what, hint)
    }

    /// A warning at a place.
    pub fn warning(file: &str, spot: Spot, what: impl Into<String>, hint: Option<String>) -> Self {
        Self::new(file, spot, Severity::Warning, what, hint)
    }

    /// Its place and what is wrong, in one line: for a log, where the hint is a field of its own.
    pub fn without_hint(&self) -> String {
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        format!("{}:{}:{}: {warning}{}", self.file, self.line, self.column, self.what)
    }

    fn new(
        file: &str,
        spot: Spot,
        severity: Severity,
        what: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        let Spot { line, column } = spot;
        Self { file: file.to_owned(), line, column, severity, what: what.into(), hint }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_hint())?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A place in a text, both counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub line: usize,
    pub column: usize,
}

impl Spot {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Finds the line and the column of a byte.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// An offset behind the end is the end; one within a character is that character.
    pub(super) fn spot(&self, offset: usize) -> Spot {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let end = self.text.floor_char_boundary(offset);
        let column = self.text.get(start..end).unwrap_or("").chars().count() + 1;
        Spot { line, column }
    }

    /// The text of a line, counted from 1, without its end.
    pub(super) fn line(&self, line: usize) -> &'t str {
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied();
        let rest = start.and_then(|start| self.text.get(start..)).unwrap_or("");
        rest.lines().next().unwrap_or("")
    }
}

/// The bytes of a file as text, or where they stop being UTF-8.
pub fn utf8<'b>(bytes: &'b [u8], file: &str) -> Result<&'b str, Mistake> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = std::str::from_utf8(good).unwrap_or_default();
        let byte = bytes.get(good.len()).copied().unwrap_or_default();
        not_utf8(file, Lines::of(good).spot(good.len()), byte)
    })
}

pub(super) fn not_utf8(file: &str, spot: Spot, byte: u8) -> Mistake {
    Mistake::error(
        file,
        spot,
        format!("the byte 0x{byte:02X} is not UTF-8"),
        Some(format!("if the file is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 {file}` writes it as UTF-8")),
    )
}

/// The one of `known` that was probably meant.
pub fn did_you_mean<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let given = plain(given);
    let near = |known: &'k str| {
        let distance = strsim::damerau_levenshtein(&given, &plain(known));
        let longest = given.chars().count().max(known.chars().count());
        (distance * 5 <= longest * 2).then_some((distance, known))
    };
    known.into_iter().filter_map(near).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters() {
        let lines = Lines::of("rené = 1\n\n  é!\n");
        let check = |offset, line, column| assert_eq!(lines.spot(offset), Spot { line, column }, "{offset}");
        check(0, 1, 1);
        check(4, 1, 4);
        check(5, 1, 5);
        check(10, 2, 1);
        check(13, 3, 3);
        check(15, 3, 4);
        check(999, 4, 1);
        assert_eq!(lines.line(3), "  é!");
        assert_eq!(lines.line(9), "");
    }

    #[test]
    fn a_byte_that_is_no_text_is_found() {
        let mistake = utf8(b"about = \"x\"\nabout = \"caf\xe9\"", "doorward.toml").expect_err("Latin-1");
        assert_eq!((mistake.line, mistake.column), (2, 13));
        assert_eq!(mistake.what, "the byte 0xE9 is not UTF-8");
    }

    #[test]
    fn what_was_meant_is_guessed_and_not_invented() {
        let check = |given, expected| {
            assert_eq!(did_you_mean(given, ["groups", "ports", "at-most"]), expected, "{given}");
        };
        check("group", Some("groups"));
        check("prots", Some("ports"));
        check("at_most", Some("at-most"));
        check("colour", None);
        check("", None);
    }

    #[test]
    fn a_mistake_reads_like_a_compilers() {
        let spot = Spot { line: 12, column: 5 };
        let mistake = Mistake::error("doorward.toml", spot, "no", Some("yes".into()));
        assert_eq!(mistake.to_string(), "doorward.toml:12:5: no\n  hint: yes");
        let mistake = Mistake::warning("doorward.toml", spot, "perhaps", None);
        assert_eq!(mistake.to_string(), "doorward.toml:12:5: warning: perhaps");
    }
}
