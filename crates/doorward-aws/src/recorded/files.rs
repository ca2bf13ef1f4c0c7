//! Which files of a folder are tried, and which account and Region their paths name.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use doorward_core::inventory::{AccountId, AccountRegion};

use super::{MOST, NotRecorded};

/// How deep a folder is searched: `accounts/ID/REGION/CALL/CLUSTER/TASK`, in some folders of one's own.
const DEEPEST: usize = 16;

/// Every file, in the order of the paths, so that the same folder is always the same account.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>, NotRecorded> {
    let mut files = Vec::new();
    search(folder, &mut Vec::new(), &mut files)?;
    Ok(files)
}

fn search(folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), NotRecorded> {
    let unreadable = |source| NotRecorded::Unreadable { path: folder.to_owned(), source };
    let real = folder.canonicalize().map_err(unreadable)?;
    // A link that leads back to where it stands.
    if above.contains(&real) || above.len() >= DEEPEST {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    above.push(real);
    for path in entries {
        // What `.git` and its like hold is no answer.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            search(&path, above, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// What a file holds.
pub(super) enum Content {
    /// What may be JSON.
    Whole(Vec<u8>),
    /// The first bytes of what is none.
    Head(Vec<u8>),
}

/// Reads a file, or no more than its first bytes where they say already that it is no JSON.
pub(super) fn read(path: &Path) -> Result<Content, NotRecorded> {
    let unreadable = |source| NotRecorded::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    content(path, file, size)
}

/// Reads what is piped in.
pub(super) fn piped(path: &Path, input: impl Read) -> Result<Vec<u8>, NotRecorded> {
    match content(path, input, 0)? {
        Content::Whole(bytes) | Content::Head(bytes) => Ok(bytes),
    }
}

fn content(path: &Path, mut input: impl Read, size: u64) -> Result<Content, NotRecorded> {
    let unreadable = |source| NotRecorded::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    input.by_ref().take(4096).read_to_end(&mut bytes).map_err(unreadable)?;
    if !is_tried(path, &utf8(&bytes)) {
        return Ok(Content::Head(bytes));
    }
    // It may have grown since it was measured.
    let left = MOST.saturating_sub(bytes.len() as u64) + 1;
    if size <= MOST {
        bytes.reserve_exact(usize::try_from(size).unwrap_or_default().saturating_sub(bytes.len()) + 1);
        input.take(left).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let size = size.max(bytes.len() as u64);
    if size > MOST {
        return Err(NotRecorded::TooLarge { path: path.to_owned(), size });
    }
    Ok(Content::Whole(bytes))
}

/// As UTF-8 without a mark at its beginning. What PowerShell redirects is UTF-16.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |read: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(read);
        let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(text.collect::<String>().into_bytes())
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(rest),
        [0xFF, 0xFE, rest @ ..] => wide(u16::from_le_bytes, rest),
        [0xFE, 0xFF, rest @ ..] => wide(u16::from_be_bytes, rest),
        bytes => Cow::Borrowed(bytes),
    }
}

/// Whether a file may be an answer: it is called JSON, or begins like it.
pub(super) fn is_tried(path: &Path, text: &[u8]) -> bool {
    is_json(path) || begins(text)
}

pub(super) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

pub(super) fn begins(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// The Region and the account that the folders of a path name; the nearest to the file counts.
pub(super) fn account_region(path: &Path) -> AccountRegion {
    let folders: Vec<&str> = path.parent().into_iter().flatten().filter_map(|part| part.to_str()).collect();
    let region = folders.iter().rev().find(|folder| is_region(folder));
    let account = folders.iter().rev().find_map(|folder| account(folder));
    AccountRegion { profile: None, region: region.map(|region| (*region).to_owned()), account }
}

/// An account, by its twelve digits.
pub(super) fn account(name: &str) -> Option<AccountId> {
    name.parse().ok()
}

/// Like `eu-west-1`, `us-gov-east-1`, `eusc-de-east-1`: letters, then words, then a number.
pub(crate) fn is_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let [first, middle @ .., number] = words.as_slice() else { return false };
    let lower = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    (2..=4).contains(&first.len())
        && lower(first)
        && (1..=2).contains(&middle.len())
        && middle.iter().all(|word| lower(word))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(account_region(Path::new(path)).to_string(), expected, "{path}");
    }

    #[test]
    fn folders_say_where_answers_are_from() {
        check("vpcs.json", "the default Region");
        check("eu-west-1/vpcs.json", "eu-west-1");
        check("a/eu-west-1/ecs-describe-tasks/x/y", "eu-west-1");
        check("a/us-gov-east-1/vpcs.json", "us-gov-east-1");
        check("eusc-de-east-1/vpcs.json", "eusc-de-east-1");
        check("accounts/123456789012/eu-west-1/vpcs.json", "eu-west-1 of account 123456789012");
        check("accounts/123456789012/vpcs.json", "the default Region of account 123456789012");
        check("accounts/prod/eu-west-1/vpcs.json", "eu-west-1");
        check("prod/123456789012/eu-west-1/vpcs.json", "eu-west-1 of account 123456789012");
        check("12345678901/vpcs.json", "the default Region");
        check("eu-west-1/eu-west-2/vpcs.json", "eu-west-2");
        for other in
            ["eu-west-1.json", "test-1/x.json", "eu-west/x.json", "a-b-c-d-1/x.json", "eu-west-/x.json"]
        {
            check(other, "the default Region");
        }
    }

    #[test]
    fn a_text_may_begin_with_a_mark() {
        let check = |bytes: &[u8]| assert_eq!(&*utf8(bytes), br#"{"a"}"#);
        check(br#"{"a"}"#);
        check(b"\xEF\xBB\xBF{\"a\"}");
        check(b"\xFF\xFE{\0\"\0a\0\"\0}\0");
        check(b"\xFE\xFF\0{\0\"\0a\0\"\0}");
        assert_eq!(&*utf8(b""), b"");
        assert_eq!(&*utf8(b"\xFF\xFE{"), b"");
    }
}
