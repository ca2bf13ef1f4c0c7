//! `doorward audit verify`: the whole store, or an exported record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use doorward_core::audit::{Contained, Head, Sealed, Whole};
use serde::Serialize;

use crate::command::{Code, Failure, count, json, note, print};
use crate::store::{Key, Store};

/// Verify that the audit log and the store were not altered
///
/// Without a file the whole store is verified: every entry of the audit log, with the key that is kept outside of
/// the store; the head that is noted next to the key; and every grant, which must match the audit log.
///
/// Of an exported file the hash chain is verified, and with `--key` also that each entry was written with the key.
/// A file alone does not show whether its last entries were cut off: pass a head that was noted earlier.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward audit verify
  doorward audit verify --head 128:9f2c…
  doorward audit verify --json | jq .whole
  doorward audit verify audit.jsonl --head head-of-last-week --key audit.key

Exit code 0: the audit log is intact. 1: it was altered, and the output says where.")]
pub(super) struct Verify {
    /// An exported audit log
    pub(super) file: Option<PathBuf>,
    /// A head that was noted earlier and must be contained: NUMBER:HASH as `export` prints it, or a file that
    /// contains it
    #[arg(long, value_name = "HEAD", value_parser = head)]
    head: Vec<Head>,
    /// The key of an exported audit log; the policy names the key of the store
    #[arg(long, value_name = "FILE", requires = "file")]
    key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found, for programs.
#[derive(Default, Serialize)]
struct Report {
    whole: bool,
    /// The last line, as NUMBER:HASH.
    head: Option<String>,
    lines: u64,
    /// Whether the key was there to say who wrote it.
    authentic: bool,
    /// Grants that match the audit log; none of a file.
    grants: Option<u64>,
    found: Vec<String>,
    not_contained: Vec<String>,
    sealed: Vec<String>,
}

impl Report {
    fn of(head: Head, sealed: &[Sealed]) -> Self {
        let sealed = sealed.iter().map(in_words).collect();
        Self { head: Some(head.to_string()), lines: head.seq, sealed, ..Self::default() }
    }

    fn print(self) -> Result<ExitCode, Failure> {
        let whole = self.found.is_empty() && self.not_contained.is_empty();
        print(&json(&Self { whole, ..self })?)?;
        Ok(if whole { ExitCode::SUCCESS } else { Code::No.into() })
    }
}

/// The most bytes of a file with a head.
const HEAD_AT_MOST: u64 = 1 << 16;

/// A head, or a file that has one: alone, after the word `head`, or as it is noted next to the key.
fn head(text: &str) -> Result<Head, String> {
    let wrong = match text.parse() {
        Ok(head) => return Ok(head),
        Err(error) => format!("{error}"),
    };
    let Ok(kept) = crate::bounded_file::read(Path::new(text), HEAD_AT_MOST) else { return Err(wrong) };
    let kept = String::from_utf8_lossy(&kept);
    let words = kept.split(|letter: char| letter.is_whitespace() || letter == '"');
    let mut heads = words.filter_map(|word| word.parse().ok());
    heads
        .next()
        .ok_or_else(|| format!("there is no head in `{text}` (like `128:` and 64 hexadecimal digits)"))
}

impl Verify {
    pub(super) fn run_on_file(&self, file: &Path) -> Result<ExitCode, Failure> {
        let key = match &self.key {
            None => None,
            Some(path) => {
                let key = Key::read(path).map_err(Failure::with(Code::NoInput))?;
                let missing =
                    || Failure::new(Code::NoInput, format!("there is no key at `{}`", path.display()));
                Some(key.ok_or_else(missing)?)
            }
        };
        let unreadable = |error: std::io::Error| {
            Failure::of(Code::NoInput, &error).context(format!("`{}` could not be read", file.display()))
        };
        let mut whole = Whole::new(key.as_ref().map(|key| key as _));
        let mut contained: Vec<Contained> = self.head.iter().copied().map(Contained::new).collect();
        let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
        while let Some(line) = next_line(&mut input).map_err(unreadable)? {
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            // Bytes that are no text are a change like any other.
            whole.line(&String::from_utf8_lossy(line));
            contained.iter_mut().for_each(|one| one.take(whole.end()));
            if key.is_none() && whole.broken().is_some() {
                break;
            }
        }
        let empty = (whole.end().seq == 0 && whole.broken().is_none())
            .then(|| format!("`{}` has no entry of an audit log", file.display()));
        if self.json {
            let missed = contained.iter().filter_map(|one| one.check(whole.end()).err());
            return Report {
                authentic: key.is_some(),
                found: whole.broken().map(ToString::to_string).into_iter().chain(empty).collect(),
                not_contained: missed.map(|missed| missed.to_string()).collect(),
                ..Report::of(whole.end(), whole.sealed())
            }
            .print();
        }
        let missed = contained.iter().find_map(|one| one.check(whole.end()).err());
        if let Some(broken) = whole.broken() {
            return Err(Failure::of(Code::No, broken));
        }
        if let Some(empty) = empty {
            return Err(Failure::new(Code::No, empty));
        }
        if let Some(missed) = missed {
            return Err(Failure::of(Code::No, &missed)
                .hint("the entries form an unbroken chain: check that the head belongs to this audit log"));
        }
        note_sealed(whole.sealed());
        note(match key {
            Some(_) => "Every entry was written with the key.",
            None => {
                "The authenticity of the entries was not checked: name the key of the audit log with `--key FILE`."
            }
        });
        is_whole(whole.end())
    }

    pub(super) async fn run(self, store: &Store) -> Result<ExitCode, Failure> {
        let verified = store.verify_all(&self.head).await.map_err(|error| Failure::of_store(&error))?;
        if self.json {
            return Report {
                authentic: true,
                grants: Some(verified.grants),
                found: verified.faults(),
                not_contained: verified.not_contained.iter().map(ToString::to_string).collect(),
                ..Report::of(verified.head, &verified.sealed)
            }
            .print();
        }
        note_sealed(&verified.sealed);
        let faults = verified.faults();
        let Some(failure) = super::found(faults.iter().chain(&verified.not_contained)) else {
            let grants = usize::try_from(verified.grants).unwrap_or(usize::MAX);
            note(&format!(
                "Every entry was written with the key, and {} the audit log.",
                count(grants, "grant matches", "grants match")
            ));
            return is_whole(verified.head);
        };
        if faults.is_empty() {
            return Err(failure.hint(
                "the audit log itself is intact: compare the head with your note; if it was noted from this audit log, the audit log was replaced",
            ));
        }
        let remove = "remove from the database what is not Doorward's (`DROP TRIGGER …`, `DELETE FROM …`), and find out who added it";
        if verified.found.is_empty() {
            return Err(failure.hint(remove));
        }
        let accept = format!("`doorward audit accept --head {}`", verified.head);
        let first_step = if !verified.foreign.is_empty() {
            remove
        } else if verified.found.iter().all(|found| is_of_head_file(found)) {
            "put back a current copy of that file, and find out who removed or replaced it"
        } else {
            "find out who writes to the store"
        };
        Err(failure.hint(format!("{first_step}; then accept the present state of the store with {accept}")))
    }
}

/// The largest line of an exported audit log that is read, in bytes; entries have some hundred.
const LINE_AT_MOST: u64 = 16 << 20;

/// The next line without its end; none at the end of the input.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input.take(LINE_AT_MOST + 1).read_until(b'\n', &mut line)?;
    if line.pop_if(|last| *last == b'\n').is_none() && read as u64 > LINE_AT_MOST {
        let what = format!("a line has more bytes than the limit of {LINE_AT_MOST}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok((read > 0).then_some(line))
}

/// Whether a fault is one of the head file and says nothing of the store.
fn is_of_head_file(found: &str) -> bool {
    found.contains("the head file of the audit log") || found.contains("was not written with the audit key")
}

fn note_sealed(sealed: &[Sealed]) {
    for one in sealed {
        note(&in_words(one));
    }
}

fn in_words(Sealed { by, found }: &Sealed) -> String {
    match found.as_slice() {
        [] => format!("The entries before {by} were written before there was a key; entry {by} sealed them."),
        found => {
            format!("Entry {by} accepted what was found in the entries before it: {}", found.join("; "))
        }
    }
}

fn is_whole(head: Head) -> Result<ExitCode, Failure> {
    print(&format!("The audit log is intact: {} entries, head {head}\n", head.seq))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_up_to_their_limit() {
        let lines = |mut text: &[u8]| {
            std::iter::from_fn(|| next_line(&mut text).transpose()).collect::<io::Result<Vec<_>>>()
        };
        assert_eq!(lines(b"a\n\nb\r\nc").expect("read"), [&b"a"[..], b"", b"b\r", b"c"]);
        assert_eq!(lines(b"a\n").expect("read"), [b"a"]);
        let mut most = vec![b'x'; usize::try_from(LINE_AT_MOST).expect("a size")];
        assert_eq!(lines(&most).expect("read").len(), 1);
        most.extend(b"\ny");
        assert_eq!(lines(&most).expect("read").len(), 2);
        most[0] = b'\n';
        most.splice(1..1, *b"zz");
        assert_eq!(lines(&most).expect_err("refused").kind(), io::ErrorKind::FileTooLarge);
    }
}
