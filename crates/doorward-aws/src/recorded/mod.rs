//! Reads a recording: answers as `aws ec2 describe-vpcs > vpcs.json` leaves them, in a folder, a file or a pipe.
//!
//! An answer is recognised by its keys and by the fields of its members, and not by the file's name. Folders that are
//! named like a Region or an account, and keys around an answer, say where it is from.

mod cores;
mod defaults;
mod files;
mod keys;
mod owned;
mod passed_over;
mod piece;
mod refusal;
mod saved;
mod shapes;
mod walk;
mod whole;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use doorward_core::inventory::{AccountRegion, Call, Inventory};
use serde_json::value::RawValue;

use crate::reading::Reader;
use files::Content;
pub(crate) use files::is_region;
pub use passed_over::{PassedOver, Unread, lines as passed_over_lines};
use saved::Saved;
use shapes::Held;
use walk::Walk;

/// What was read of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The account, or several accounts and Regions.
    pub inventory: Inventory,
    /// The files that look as if they were meant, and were not read.
    pub passed_over: Vec<PassedOver>,
}

/// What holds no account.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file is not JSON, or ends within it.
    #[error("`{}` is not JSON as `aws … --output json` writes it: {why} at line {line} column {column}", path.display())]
    NotJson {
        path: PathBuf,
        /// What is wrong there.
        why: String,
        /// The line, from one on.
        line: usize,
        /// The byte of the line, from one on.
        column: usize,
    },
    /// A file is greater than any answer.
    #[error("`{}` has {} MiB; a recorded answer has {} at most", path.display(), size.div_ceil(1 << 20), MOST >> 20)]
    TooLarge {
        path: PathBuf,
        /// How many bytes it has.
        size: u64,
    },
    /// Nothing in it is an answer.
    #[error("`{}` has no recorded output of an `aws … describe-…` command", path.display())]
    Empty {
        /// The folder or the file.
        path: PathBuf,
        /// The files that were not read.
        passed_over: Vec<PassedOver>,
    },
}

/// The most bytes that a file may have: ten times what the largest accounts answer.
const MOST: u64 = 512 << 20;

/// The account that a recording holds: a folder, or a single file.
///
/// What is not in it is a gap, so that nothing is taken for absent that was not looked for. Where only groups
/// are recorded and not their rules, the rules are there without ids and tags: they can be reasoned about, and
/// nobody owns them.
pub fn recorded(path: &Path) -> Result<Inventory, NotRecorded> {
    Ok(recording(path)?.inventory)
}

/// The same, with the files that were passed over.
pub fn recording(path: &Path) -> Result<Recording, NotRecorded> {
    if path.is_dir() {
        return cores::gather(&files::below(path)?)?.finish(path);
    }
    let mut gathered = Gathered::default();
    match files::read(path)? {
        Content::Whole(bytes) => gathered.file(path, &bytes, true)?,
        Content::Head(bytes) => gathered.head(path, &bytes),
    }
    gathered.finish(path)
}

/// The same of a recording that is piped in; errors call it by this name.
pub fn piped(name: &Path, input: impl Read) -> Result<Recording, NotRecorded> {
    let mut gathered = Gathered::default();
    let bytes = files::piped(name, input)?;
    gathered.file(name, &bytes, true)?;
    gathered.finish(name)
}

/// The same of files that are not on a disk: what [`recording`] would make of them below a folder.
pub fn recorded_files<'a>(
    files: impl IntoIterator<Item = (&'a Path, &'a [u8])>,
) -> Result<Recording, NotRecorded> {
    let mut gathered = Gathered::default();
    for (path, bytes) in files {
        gathered.file(path, bytes, false)?;
    }
    gathered.finish(Path::new(""))
}

/// All that was read so far.
#[derive(Default)]
struct Gathered {
    account_regions: BTreeMap<AccountRegion, Recorded>,
    saved: Saved,
    passed_over: Vec<PassedOver>,
}

/// What was recorded of one account and Region.
pub(super) struct Recorded {
    reader: Reader,
    /// The calls of which there is an answer, with what is known of their pages.
    answered: BTreeMap<Call, Pages>,
    /// Calls whose refusal was recorded.
    refused: BTreeSet<Call>,
    /// Answers that make sense only beside all others.
    later: Vec<Later>,
}

/// Members that are held back until everything else was read, and what reads them then.
struct Later {
    read: fn(&mut Reader, &Held),
    held: Held,
}

/// Whether the last page of an answer is there.
#[derive(Debug, Clone, Copy, Default)]
struct Pages {
    last: bool,
    more: bool,
}

impl Gathered {
    /// Reads a file; one that stands alone is meant to be read.
    fn file(&mut self, path: &Path, bytes: &[u8], alone: bool) -> Result<(), NotRecorded> {
        let text = files::utf8(bytes);
        if let Some((call, why)) = refusal::instead_of(path, &text) {
            self.at(&files::account_region(path)).refused(call, why);
            if text.trim_ascii().is_empty() {
                self.pass_over(path, Unread::Empty);
            }
            return Ok(());
        }
        if !files::begins(&text) {
            let kind = passed_over::other_than_json(path, text.get(..HEAD).unwrap_or(&text));
            if let Some(kind) = kind {
                self.pass_over(path, kind);
                return Ok(());
            }
            if !files::is_json(path) && !alone {
                return Ok(());
            }
        }
        let may_be_another_kind = path.extension().is_some() && !files::is_json(path) && !alone;
        match self.documents(path, &text, may_be_another_kind) {
            Err(_) if may_be_another_kind => Ok(()),
            done => done,
        }
    }

    fn documents(&mut self, path: &Path, text: &[u8], check_first: bool) -> Result<(), NotRecorded> {
        let text = std::str::from_utf8(text).map_err(|error| not_utf8(path, text, error.valid_up_to()))?;
        let not_json = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            NotRecorded::NotJson { path: path.to_owned(), why: words::plain(&error), line, column }
        };
        let documents = || serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        if check_first && let Some(error) = documents().find_map(Result::err) {
            return Err(not_json(error));
        }
        let mut walk = Walk::of(self, path, text);
        for document in documents() {
            walk.document(document.map_err(not_json)?);
        }
        let (taken, unread) = (walk.taken, walk.unread);
        let named = || refusal::named(path).filter(|_| !taken).map(Unread::NoAnswerOf);
        if let Some(kind) = unread.or_else(named) {
            self.pass_over(path, kind);
        }
        Ok(())
    }

    /// Notes a file of which only the beginning was read, since it is no JSON.
    fn head(&mut self, path: &Path, head: &[u8]) {
        if let Some((call, why)) = refusal::instead_of(path, &files::utf8(head)) {
            self.at(&files::account_region(path)).refused(call, why);
        }
        if let Some(kind) = passed_over::other_than_json(path, head) {
            self.pass_over(path, kind);
        }
    }

    fn pass_over(&mut self, path: &Path, kind: Unread) {
        self.passed_over.push(PassedOver { path: path.to_owned(), kind });
    }

    /// Takes what a saved inventory says beside its answers, and says whether it is one.
    fn saved(&mut self, key: &str, piece: &RawValue, account_region: &AccountRegion) -> bool {
        let is_ours = self.saved.take(key, piece);
        if let Some(rules) = self.saved.quota.take() {
            self.at(account_region).reader.inventory.rules_per_group.insert(account_region.clone(), rules);
        }
        is_ours
    }

    fn at(&mut self, account_region: &AccountRegion) -> &mut Recorded {
        self.account_regions.entry(account_region.clone()).or_insert_with(|| Recorded::of(account_region))
    }

    fn finish(mut self, path: &Path) -> Result<Recording, NotRecorded> {
        let passed_over = std::mem::take(&mut self.passed_over);
        if self.account_regions.is_empty() && self.saved.is_empty() {
            return Err(NotRecorded::Empty { path: path.to_owned(), passed_over });
        }
        for (call, gap) in self.saved.of_calls() {
            let recorded = self.at(&gap.account_region.clone());
            recorded.refused.insert(call);
            recorded.reader.inventory.gaps.push(gap);
        }
        let mut whole = Inventory::default();
        for inventory in
            cores::on_all_cores(self.account_regions.into_values().collect(), Recorded::inventory)
        {
            whole.merge(inventory);
        }
        self.saved.finish(&mut whole);
        Ok(Recording { inventory: whole, passed_over })
    }
}

/// How much of a file that is no JSON tells what it is.
const HEAD: usize = 4096;

fn not_utf8(path: &Path, text: &[u8], valid: usize) -> NotRecorded {
    let before = text.get(..valid).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let why = "a letter that is not UTF-8 (save the file as UTF-8)".to_owned();
    NotRecorded::NotJson { path: path.to_owned(), why, line, column }
}

impl Recorded {
    fn of(account_region: &AccountRegion) -> Self {
        Self {
            reader: Reader::of_recording(account_region.clone()),
            answered: BTreeMap::new(),
            refused: BTreeSet::new(),
            later: Vec::new(),
        }
    }

    /// Notes that there is an answer of a call, and whether there are pages after it.
    fn note_answer(&mut self, call: Call, more: bool) {
        let pages = self.answered.entry(call).or_default();
        pages.more |= more;
        pages.last |= !more;
    }

    fn refused(&mut self, call: Call, why: String) {
        self.refused.insert(call);
        self.reader.gap(call, why);
    }

    fn inventory(mut self) -> Inventory {
        for later in std::mem::take(&mut self.later) {
            (later.read)(&mut self.reader, &later.held);
        }
        let Self { reader, answered, refused, .. } = self;
        let account_region = reader.account_region.clone();
        let mut inventory = reader.finish();
        whole::note_what_is_missing(&mut inventory, &account_region, &answered, &refused);
        inventory
    }
}

#[cfg(test)]
mod tests;
