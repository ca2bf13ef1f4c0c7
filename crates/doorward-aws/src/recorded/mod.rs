//! Reads a folder of recorded answers, as `aws ec2 describe-vpcs > vpcs.json` leaves them.
//!
//! A file is recognised by its top-level keys and not by its name, and may be wrapped as `{"data": …}`. A folder
//! above it that is named like a Region says which one the answers are from, and `accounts/ID/` whose they are.

mod answer;
mod files;
mod keys;
mod owned;
mod refusal;
mod saved;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use doorward_core::inventory::{Call, Inventory, Place};

use crate::reading::Reader;
use answer::{Answer, Later, Sheet};
pub(crate) use files::is_region;
use files::place;
use saved::Saved;

/// A folder that holds no account.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not JSON, or not the answer that its key says it is.
    #[error("`{}` is not an answer as the AWS CLI writes it", path.display())]
    NotAnAnswer {
        /// Which.
        path: PathBuf,
        /// Why, with the line and the column.
        #[source]
        source: serde_json::Error,
    },
    /// A file is greater than any answer.
    #[error("`{}` has {} MiB; a recorded answer has {} at most", path.display(), size.div_ceil(1 << 20), MOST >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// How many bytes it has.
        size: u64,
    },
    /// Nothing in the folder tells of an account.
    #[error("`{}` holds no recorded answer of an `aws … describe-…` command", .0.display())]
    Empty(PathBuf),
}

/// The most bytes that a file may have: ten times what the largest accounts answer.
const MOST: u64 = 512 << 20;

/// The account that a folder holds, or several accounts and Regions.
///
/// Whatever is not told is a gap, so that nothing is taken for absent that was not looked for. Where only groups
/// are recorded and not their rules, the rules are there without ids and tags: they can be reasoned about, and
/// nobody owns them.
pub fn recorded(folder: &Path) -> Result<Inventory, NotRecorded> {
    let mut recording = Recording::default();
    for path in files::below(folder)? {
        if let Some(bytes) = files::read(&path)? {
            recording.file(&path, &bytes)?;
        }
    }
    recording.inventory().ok_or_else(|| NotRecorded::Empty(folder.to_owned()))
}

/// The same of files that are not on a disk: what [`recorded`] would make of them below a folder.
pub fn recorded_files<'a>(
    files: impl IntoIterator<Item = (&'a Path, &'a [u8])>,
) -> Result<Inventory, NotRecorded> {
    let mut recording = Recording::default();
    for (path, bytes) in files {
        recording.file(path, bytes)?;
    }
    recording.inventory().ok_or_else(|| NotRecorded::Empty(PathBuf::new()))
}

/// All that was read so far.
#[derive(Default)]
struct Recording {
    places: BTreeMap<Place, Recorded>,
    saved: Saved,
}

/// What was recorded of one place.
pub(super) struct Recorded {
    reader: Reader,
    /// The calls of which there is an answer, with what is known of their pages.
    told: BTreeMap<Call, Pages>,
    /// Calls whose refusal was recorded.
    refused: BTreeSet<Call>,
    /// Answers that make sense only beside all others.
    later: Vec<Later>,
}

/// Whether the last page of an answer is there.
#[derive(Debug, Clone, Copy, Default)]
struct Pages {
    last: bool,
    more: bool,
}

impl Recording {
    fn file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), NotRecorded> {
        let text = files::utf8(bytes);
        let place = place(path);
        if let Some((call, why)) = refusal::instead_of(path, &text) {
            self.at(&place).refused(call, why);
            return Ok(());
        }
        if !files::is_tried(path, &text) {
            return Ok(());
        }
        // Read into a sheet of its own, so that half a file leaves nothing behind.
        let mut sheets = Vec::new();
        if let Err(source) = answer::read(&text, path, &mut sheets) {
            if files::may_be_another_kind(path) {
                return Ok(());
            }
            return Err(NotRecorded::NotAnAnswer { path: path.to_owned(), source });
        }
        for mut sheet in sheets {
            let saved = std::mem::take(&mut sheet.saved);
            if let Some(rules) = saved.quota {
                let quota = (place.clone(), rules);
                self.at(&place).reader.inventory.rules_per_group.extend([quota]);
            }
            self.saved.extend(saved);
            if let Some((call, why)) = refusal::recorded(path, &sheet) {
                self.at(&place).refused(call, why);
            }
            if !sheet.answers.is_empty() {
                self.at(&place).take(sheet);
            }
        }
        Ok(())
    }

    fn at(&mut self, place: &Place) -> &mut Recorded {
        self.places.entry(place.clone()).or_insert_with(|| Recorded {
            reader: Reader::new(place.clone()),
            told: BTreeMap::new(),
            refused: BTreeSet::new(),
            later: Vec::new(),
        })
    }

    fn inventory(mut self) -> Option<Inventory> {
        if self.places.is_empty() && self.saved.is_empty() {
            return None;
        }
        for (call, gap) in self.saved.of_calls() {
            let recorded = self.at(&gap.place.clone());
            recorded.refused.insert(call);
            recorded.reader.inventory.gaps.push(gap);
        }
        let mut whole = Inventory::default();
        for recorded in self.places.into_values() {
            whole.merge(recorded.inventory());
        }
        self.saved.finish(&mut whole);
        Some(whole)
    }
}

impl Recorded {
    fn take(&mut self, sheet: Sheet) {
        let Sheet { about, answers, .. } = sheet;
        let more = about.goes_on();
        for Answer { key, members } in answers {
            let pages = self.told.entry(key.call).or_default();
            pages.more |= more;
            pages.last |= !more;
            match key.read {
                keys::Read::Each(read) => {
                    for (index, member) in members.into_iter().enumerate() {
                        if let Err(why) = read(&mut self.reader, member) {
                            let what = format!("{}[{index}] of {}", key.name, about.path.display());
                            self.reader.unreadable(key.call, Some(&what), &why);
                        }
                    }
                }
                keys::Read::Together(read) => {
                    self.later.push(Later { read, members, about: about.clone() });
                }
            }
        }
    }

    fn refused(&mut self, call: Call, why: String) {
        self.refused.insert(call);
        self.reader.gap(call, why);
    }

    fn inventory(mut self) -> Inventory {
        for later in std::mem::take(&mut self.later) {
            (later.read)(&mut self.reader, &later.about, later.members);
        }
        let Self { reader, told, refused, .. } = self;
        let place = reader.place.clone();
        let mut inventory = reader.finish();
        whole::note_what_is_missing(&mut inventory, &place, &told, &refused);
        inventory
    }
}

#[cfg(test)]
mod tests;
