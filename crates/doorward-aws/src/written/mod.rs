//! Writes an inventory as the answers that would tell of it: what is read back is the same inventory.
//!
//! The notation is that of the AWS CLI, so that other programs understand it, too. What no answer can tell (which
//! call failed, which rules could not be read) stands in `gaps.json`.

mod answers;
mod balancers;
mod gateways;
mod groups;
mod networks;
mod scaling;
mod services;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use doorward_core::inventory::{AccountRegion, Inventory};
use serde_json::{Value, json};

use crate::recorded::is_region;
use answers::{Answers, unnamed, without_nulls};

/// An inventory that was not written down; what stood in its place before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum NotSaved {
    /// There is something in the folder.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// There is a file of that name, or the path has no name.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A Region that cannot be the name of a folder.
    #[error("`{0}` is not the name of a Region")]
    NotARegion(String),
    /// Something could not be written.
    #[error("cannot write {}", path.display())]
    Unwritten {
        /// Which file or folder.
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Writes an inventory into a folder of its own, which nobody else may read.
///
/// The folder appears whole or not at all. One that holds something already is replaced only with `replace`.
/// Returns how many files there are.
pub fn save(inventory: &Inventory, folder: &Path, replace: bool) -> Result<usize, NotSaved> {
    // A link to a folder stays one.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let there = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(NotSaved::NotAFolder(folder));
        }
        Err(source) => return Err(NotSaved::Unwritten { path: folder, source }),
    };
    if there && !replace {
        return Err(NotSaved::NotEmpty(folder));
    }
    let files = files(inventory)?;
    let beside = Beside::of(&folder)?;
    for (path, value) in &files {
        write(&beside.new.join(path), value)?;
    }
    beside.put(&folder, there)?;
    Ok(files.len())
}

/// Every file of an inventory by its path below the folder.
fn files(inventory: &Inventory) -> Result<BTreeMap<PathBuf, Value>, NotSaved> {
    let answers = Answers::of(inventory);
    // What is no Region would not be read back, and might lead out of the folder.
    if let Some(region) = answers.regions().find(|region| !is_region(region)) {
        return Err(NotSaved::NotARegion(region.to_owned()));
    }
    let mut files = answers.files();
    files.insert(PathBuf::from("gaps.json"), gaps(inventory));
    Ok(files)
}

/// What no answer can tell.
fn gaps(inventory: &Inventory) -> Value {
    let gap = |gap: &doorward_core::inventory::Gap| {
        let AccountRegion { region, account, .. } = unnamed(&gap.account_region);
        without_nulls(json!({
            "Call": gap.source,
            "Account": account,
            "Region": region,
            "Groups": gap.groups,
            "Why": gap.why,
        }))
    };
    let groups = inventory.incomplete_groups.iter().map(ToString::to_string);
    let tables = inventory.route_tables.values().filter(|table| table.incomplete);
    let acls = inventory.network_acls.values().filter(|acl| acl.incomplete);
    let tables = tables.map(|table| table.id.to_string());
    let incomplete = groups.chain(tables).chain(acls.map(|acl| acl.id.to_string()));
    json!({
        "Gaps": inventory.gaps.iter().map(gap).collect::<Vec<_>>(),
        "Incomplete": incomplete.collect::<Vec<_>>(),
    })
}

fn write(path: &Path, value: &Value) -> Result<(), NotSaved> {
    let unwritten = |source| NotSaved::Unwritten { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(unwritten)?;
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritten)?;
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from).map_err(unwritten)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(unwritten)
}

/// The folder that is being written, beside the one that it becomes; gone when it did not become it.
struct Beside {
    new: PathBuf,
    old: PathBuf,
}

impl Beside {
    fn of(folder: &Path) -> Result<Self, NotSaved> {
        let name = folder.file_name().ok_or_else(|| NotSaved::NotAFolder(folder.to_owned()))?;
        let named = |what: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}.{what}", std::process::id()));
            folder.with_file_name(hidden)
        };
        let beside = Self { new: named("new"), old: named("old") };
        let unwritten = |source| NotSaved::Unwritten { path: beside.new.clone(), source };
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(unwritten)?;
        }
        DirBuilder::new().mode(0o700).create(&beside.new).map_err(unwritten)?;
        Ok(beside)
    }

    /// Puts it where it belongs; what is there goes once the new one stands.
    fn put(self, folder: &Path, there: bool) -> Result<(), NotSaved> {
        let unwritten = |source| NotSaved::Unwritten { path: folder.to_owned(), source };
        if there {
            fs::rename(folder, &self.old).map_err(unwritten)?;
        }
        if let Err(source) = fs::rename(&self.new, folder) {
            if there {
                // Back to where it was; if that fails as well, the first reason is the one to tell.
                let _ = fs::rename(&self.old, folder);
            }
            return Err(unwritten(source));
        }
        if there {
            fs::remove_dir_all(&self.old).map_err(unwritten)?;
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It is there only when something failed, which has been told.
        let _ = fs::remove_dir_all(&self.new);
    }
}

#[cfg(test)]
mod tests;
