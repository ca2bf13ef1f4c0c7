//! The lines of an Apache file, and what is wrong with them before anybody asks what they say.

use crate::policy::mistake::{Mistake, Spot, not_utf8};

/// A line that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'b> {
    /// From 1.
    pub(super) number: usize,
    /// Where it begins in the file, in bytes.
    pub(super) offset: usize,
    /// Its text, without its end.
    pub(super) text: &'b str,
}

impl<'b> Line<'b> {
    /// The place of a byte of the line.
    pub(super) fn spot(&self, at: usize) -> Spot {
        let before = self.text.get(..self.text.floor_char_boundary(at)).unwrap_or("");
        Spot { line: self.number, column: before.chars().count() + 1 }
    }
}

/// The lines that can be read; for each that cannot, a mistake.
pub(super) fn lines<'b>(
    bytes: &'b [u8],
    file: &str,
    longest: usize,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Line<'b>> {
    let mut lines = Vec::new();
    let mut offset = 0;
    let mut windows = None;
    for (index, whole) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let begins = offset;
        offset += whole.len();
        let line = whole.strip_suffix(b"\n").unwrap_or(whole);
        let line = match line.strip_suffix(b"\r") {
            Some(line) => {
                windows.get_or_insert((number, line));
                line
            }
            None => line,
        };
        if line.len() > longest {
            let what = format!("this line has {} bytes, and {longest} are the most", line.len());
            mistakes.push(Mistake::error(file, Spot { line: number, column: 1 }, what, None));
            continue;
        }
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => {
                let good = line.get(..error.valid_up_to()).unwrap_or_default();
                let byte = line.get(good.len()).copied().unwrap_or_default();
                mistakes.push(not_utf8(file, behind(good, number), byte));
                continue;
            }
        };
        if let Some(at) = text.find('\0') {
            let spot = Line { number, offset: begins, text }.spot(at);
            let what = "a NUL byte is in this line, so it is no text file of Apache's";
            mistakes.push(Mistake::error(file, spot, what, None));
            continue;
        }
        if number == 1 && text.starts_with('\u{feff}') {
            let what = "the file begins with a byte order mark, which Apache takes for a part of the name";
            let hint = format!("`dos2unix {file}` takes it away");
            mistakes.push(Mistake::error(file, Spot::START, what, Some(hint)));
            continue;
        }
        lines.push(Line { number, offset: begins, text });
    }
    // One mistake for the file, since one command puts all of its lines right.
    if let Some((number, line)) = windows {
        let what = "the line ends in CR LF, as on Windows";
        let hint = format!("`dos2unix {file}` makes every line end in LF");
        mistakes.push(Mistake::error(file, behind(line, number), what, Some(hint)));
    }
    lines
}

/// The place behind some good bytes of a line.
fn behind(good: &[u8], line: usize) -> Spot {
    Spot { line, column: String::from_utf8_lossy(good).chars().count() + 1 }
}
