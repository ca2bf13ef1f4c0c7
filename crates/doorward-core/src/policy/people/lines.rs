//! The lines of an Apache file as Apache 2.4 hands them out (`ap_cfg_getline`, httpd's server/util.c), each with its place
//! in the file.
//!
//! A line that ends in `\` goes on in the next, glued without a space, in comments too; CR LF is a line's end as LF is;
//! white space at both ends of a line is taken away; what stands behind a NUL byte is not read.

use crate::policy::mistake::{Mistake, Spot};

/// What C calls a space (`isspace` in the C locale), which is what Apache asks for.
pub(super) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// A file, and its lines.
#[derive(Debug)]
pub(super) struct File<'b> {
    bytes: &'b [u8],
    /// Where each physical line begins.
    starts: Vec<usize>,
    /// What is to be read, without blank lines and comments.
    pub(super) lines: Vec<Line>,
}

/// A line as Apache reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    /// Where pieces of the text stand in the file: an index into the text, and the file's byte.
    pieces: Vec<(usize, usize)>,
    /// The bytes of the file that it takes, with the end of its last physical line.
    pub(super) takes: std::ops::Range<usize>,
    /// Why nothing of it counts, though it still takes the name that it begins with.
    pub(super) useless: Option<Useless>,
    /// A NUL byte in it, in the file: what stands behind that is not read.
    pub(super) nul: Option<usize>,
}

/// Why a line counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Useless {
    /// It has this many bytes.
    TooLong(usize),
    /// It begins the file, and with a byte order mark, which Apache takes for a part of the name.
    ByteOrderMark,
}

impl Line {
    /// Where a byte of the text stands in the file.
    pub(super) fn offset(&self, at: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(index, _)| *index <= at);
        piece.map_or(self.takes.start, |(index, offset)| offset + (at - index))
    }
}

impl<'b> File<'b> {
    /// The lines of a file; `longest` is how many bytes Apache has room for.
    pub(super) fn of(bytes: &'b [u8], longest: usize) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        let mut lines = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let line = next(bytes, at, longest);
            at = line.takes.end;
            if line.text.first().is_some_and(|first| *first != b'#') {
                lines.push(line);
            }
        }
        Self { bytes, starts, lines }
    }

    /// The place of a byte of the file.
    pub(super) fn spot(&self, offset: usize) -> Spot {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.bytes.get(start..offset).unwrap_or_default();
        Spot { line, column: String::from_utf8_lossy(before).chars().count() + 1 }
    }

    /// The place of a byte of a line.
    pub(super) fn spot_in(&self, line: &Line, at: usize) -> Spot {
        self.spot(line.offset(at))
    }

    /// What is wrong with a line that has a NUL byte in it; what stands before that counts.
    pub(super) fn nul(&self, line: &Line, file: &str) -> Option<Mistake> {
        let what = "this line has a NUL byte, so this is not a text file of Apache";
        Some(Mistake::error(file, self.spot(line.nul?), what, None))
    }

    /// What is wrong with a line that counts for nothing.
    pub(super) fn useless(&self, line: &Line, why: Useless, file: &str, longest: usize) -> Mistake {
        match why {
            Useless::TooLong(bytes) => {
                let what = format!("this line has {bytes} bytes, and the limit is {longest}");
                Mistake::error(file, self.spot(line.takes.start), what, None)
            }
            Useless::ByteOrderMark => {
                let what = "the file begins with a byte order mark, which Apache reads as a part of the name";
                let hint = format!("remove it with `dos2unix {file}`");
                Mistake::error(file, Spot::START, what, Some(hint))
            }
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The line that begins at a byte, as `ap_cfg_getline_core` and `cfg_trim_line` make it.
fn next(bytes: &[u8], begins: usize, longest: usize) -> Line {
    let (mut text, mut pieces) = (Vec::new(), Vec::new());
    let (mut useless, mut found) = (None, None);
    let mut at = begins;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        let whole = rest.get(..length).unwrap_or(rest);
        pieces.push((text.len(), at));
        let nul = whole.iter().position(|byte| *byte == 0);
        text.extend_from_slice(whole.get(..nul.unwrap_or(whole.len())).unwrap_or(whole));
        if let Some(nul) = nul {
            found = found.or(Some(at + nul));
        }
        at += length;
        if text.last() != Some(&b'\n') {
            break;
        }
        text.pop();
        if text.len() > longest {
            useless = useless.or(Some(Useless::TooLong(text.len())));
        }
        let mut end = text.len();
        if text.last() == Some(&b'\r') {
            end -= 1;
        }
        if end.checked_sub(1).and_then(|last| text.get(last)) != Some(&b'\\') {
            break;
        }
        text.truncate(end - 1);
        // A backslash that stood before this one is of an earlier piece, and what comes next begins here.
        pieces.retain(|(index, _)| *index < text.len() || *index == 0);
    }
    if text.len() > longest {
        useless = useless.or(Some(Useless::TooLong(text.len())));
    }
    let to = text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    text.truncate(to);
    let from = text.iter().position(|byte| !is_space(*byte)).unwrap_or(0);
    let mut line = Line { text, pieces, takes: begins..at, useless, nul: found };
    if from > 0 {
        let first = line.offset(from);
        line.text.drain(..from);
        let rest = line.pieces.iter().filter(|(index, _)| *index > from);
        line.pieces =
            std::iter::once((0, first)).chain(rest.map(|(index, offset)| (index - from, *offset))).collect();
    }
    if begins == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
        line.useless = line.useless.or(Some(Useless::ByteOrderMark));
    }
    line
}

/// `ap_getword`: what stands before a byte, where that begins, and where what is behind the run of such bytes begins.
pub(super) fn word(text: &[u8], from: usize, stop: u8) -> (&[u8], Option<usize>) {
    let rest = text.get(from..).unwrap_or_default();
    let Some(length) = rest.iter().position(|byte| *byte == stop) else { return (rest, None) };
    let (before, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    let run = behind.iter().position(|byte| *byte != stop).unwrap_or(behind.len());
    (before, Some(from + length + run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &[(&str, usize, usize)]) {
        let file = File::of(bytes, 100);
        let lines: Vec<(String, usize, usize)> = file
            .lines
            .iter()
            .map(|line| {
                let Spot { line: number, column } = file.spot_in(line, 0);
                (String::from_utf8_lossy(&line.text).into_owned(), number, column)
            })
            .collect();
        let lines: Vec<(&str, usize, usize)> =
            lines.iter().map(|(text, line, column)| (text.as_str(), *line, *column)).collect();
        assert_eq!(lines, expected, "{:?}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn lines_are_those_of_apache() {
        check(b"", &[]);
        check(b"a\n\n b \r\n# c\n\x0b d", &[("a", 1, 1), ("b", 3, 2), ("d", 5, 3)]);
        check(b"a\\\nb\\\r\n c\nd", &[("ab c", 1, 1), ("d", 4, 1)]);
        check(b"# a\\\nb\nc\\", &[("c\\", 3, 1)]);
        check(b" \\\n  a\n", &[("a", 2, 3)]);
        check(b"\\\n\\\n", &[]);
        // Two backslashes: one goes on, and the other is left; an empty line behind it goes on too, as in Apache.
        check(b"a\\\\\nb\n", &[("a\\b", 1, 1)]);
        check(b"a\\\\\n\nb\n", &[("ab", 1, 1)]);
        check(b"a\0b\\\nc\n", &[("a", 1, 1), ("c", 2, 1)]);
    }

    #[test]
    fn a_byte_of_a_glued_line_is_found_in_the_file() {
        let file = File::of(b"x\n  jon\\\r\n  lee\n", 100);
        let line = file.lines.get(1).expect("a line");
        assert_eq!(line.text, b"jon  lee");
        assert_eq!((line.offset(0), line.offset(2), line.offset(3), line.offset(5)), (4, 6, 10, 12));
        assert_eq!(file.spot_in(line, 5), Spot { line: 3, column: 3 });
    }
}
