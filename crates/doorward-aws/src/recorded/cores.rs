//! Reads the files of a folder on all cores: those of one account and Region in their order, those of different
//! accounts and Regions at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use doorward_core::inventory::AccountRegion;

use super::files::{self, Content};
use super::{Gathered, NotRecorded};

/// What the files of a folder hold.
///
/// An answer tells of the account and Region that the folders of its path name. Where answers of one account and Region
/// are in files of different ones, because a collector named it around them, all files are read in their order.
pub(super) fn gather(files: &[PathBuf]) -> Result<Gathered, NotRecorded> {
    let mut shares: BTreeMap<AccountRegion, Vec<(usize, &Path)>> = BTreeMap::new();
    for (number, path) in files.iter().enumerate() {
        shares.entry(files::account_region(path)).or_default().push((number, path));
    }
    let read = on_all_cores(shares.into_values().collect(), |share| in_order(share));
    let (mut gathered, mut failed) = (Vec::new(), Vec::new());
    for share in read {
        match share {
            Ok(share) => gathered.push(share),
            Err(error) => failed.push(error),
        }
    }
    // The first file that cannot be read, as if they had been read one after the other.
    if let Some((_, error)) = failed.into_iter().min_by_key(|(number, _)| *number) {
        return Err(error);
    }
    let mut account_regions = BTreeSet::new();
    if !gathered
        .iter()
        .flat_map(|share| share.account_regions.keys())
        .all(|account_region| account_regions.insert(account_region))
    {
        let all = files.iter().map(PathBuf::as_path).enumerate().collect();
        return in_order(all).map_err(|(_, error)| error);
    }
    let mut whole = Gathered::default();
    for share in gathered {
        whole.account_regions.extend(share.account_regions);
        whole.saved.extend(share.saved);
        whole.passed_over.extend(share.passed_over);
    }
    let numbers: HashMap<&Path, usize> = files.iter().map(PathBuf::as_path).zip(0..).collect();
    whole.passed_over.sort_by_key(|passed_over| numbers.get(passed_over.path.as_path()).copied());
    Ok(whole)
}

fn in_order(files: Vec<(usize, &Path)>) -> Result<Gathered, (usize, NotRecorded)> {
    let mut gathered = Gathered::default();
    for (number, path) in files {
        let read = files::read(path).and_then(|content| match content {
            Content::Whole(bytes) => gathered.file(path, &bytes, false),
            Content::Head(bytes) => {
                gathered.head(path, &bytes);
                Ok(())
            }
        });
        read.map_err(|error| (number, error))?;
    }
    Ok(gathered)
}

/// Does the same work on each item, on all cores; the results are in the order of the items.
pub(super) fn on_all_cores<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    if cores <= 1 {
        return items.into_iter().map(work).collect();
    }
    let items = Mutex::new(items.into_iter().enumerate());
    let next = || items.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let worker = || {
        let mut done = Vec::new();
        while let Some((number, item)) = next() {
            done.push((number, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let squares = on_all_cores((0..1_000_u64).collect(), |number| number * number);
        assert_eq!(squares, (0..1_000).map(|number| number * number).collect::<Vec<_>>());
        assert!(on_all_cores(Vec::<u64>::new(), |number| number).is_empty());
    }
}
