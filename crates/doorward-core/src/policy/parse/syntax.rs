//! What is no TOML at all: the reader's own errors, in our words and with the other place of a thing said twice.

use super::walk::Walk;
use crate::policy::mistake::{Mistake, Spot};

/// Notes the errors of the TOML reader, one a line: what follows on the same line is mostly its echo.
pub(super) fn note(walk: &mut Walk<'_>, errors: &[toml::de::Error]) {
    let mut doubled = Vec::new();
    let mut told_list = None;
    for error in errors {
        let spot = error.span().map_or(Spot::START, |span| walk.lines.spot(span.start));
        if error.message() == "duplicate key" {
            doubled.push(spot);
            continue;
        }
        if walk.unreadable.contains(&spot.line) {
            continue;
        }
        walk.unreadable.push(spot.line);
        // A list without its end takes in every line that follows.
        let in_list = error.message().contains("array");
        if in_list && told_list == Some(spot.line - 1) {
            told_list = Some(spot.line);
            continue;
        }
        told_list = in_list.then_some(spot.line);
        // The reader expects nothing where a value goes on that should have ended.
        let message = error.message().trim().trim_end_matches(", expected nothing");
        let what = format!("this is not TOML: {message}");
        let hint = if in_list {
            Some("a list that begins here or above may miss a `,` or its `]`".to_owned())
        } else {
            hint(walk.lines.line(spot.line))
        };
        walk.mistakes.push(Mistake::error(walk.file, spot, what, hint));
    }
    // The keys of a table that is there twice are doubled too; the table says it all.
    let mut headers = Vec::new();
    for spot in doubled {
        let header = header_of(walk, spot.line);
        if header.is_some_and(|line| headers.contains(&line)) && header != Some(spot.line) {
            continue;
        }
        headers.extend(header.filter(|line| *line == spot.line));
        let (what, hint) = twice(walk, spot.line);
        walk.mistakes.push(Mistake::error(walk.file, spot, what, hint));
        walk.unreadable.push(spot.line);
    }
}

/// A table or a key that is there twice, with the line of the first.
fn twice(walk: &Walk<'_>, line: usize) -> (String, Option<String>) {
    let text = walk.lines.line(line);
    let (name, first, hint) = if let Some(name) = header(text) {
        let first = (1..line).find(|line| header(walk.lines.line(*line)).as_ref() == Some(&name));
        let hint = match name.split_once('.') {
            Some((kind, _)) => format!("rename one of them, or merge them into one {kind}"),
            None => "merge them into one table".to_owned(),
        };
        (format!("`[{name}]`"), first, Some(hint))
    } else {
        let begins = header_of(walk, line).unwrap_or(0) + 1;
        let key = key(text);
        let first = (begins..line).find(|line| key.is_some() && self::key(walk.lines.line(*line)) == key);
        (key.map_or_else(|| "a key".to_owned(), |key| format!("`{key}`")), first, None)
    };
    let first = first.map(|first| format!("; the first is on line {first}")).unwrap_or_default();
    (format!("{name} is defined twice{first}"), hint)
}

/// The line of the header above a line, which may be that line itself.
fn header_of(walk: &Walk<'_>, line: usize) -> Option<usize> {
    (1..=line).rev().find(|line| header(walk.lines.line(*line)).is_some())
}

/// `target.orders-db` of `[target.orders-db]`, however it is spaced and quoted.
fn header(line: &str) -> Option<String> {
    let (inside, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let plain = |letter: &char| !letter.is_whitespace() && !matches!(letter, '"' | '\'');
    Some(inside.chars().filter(plain).collect())
}

fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim().trim_matches(['"', '\'']))
}

/// What is most often wrong with a line that is no TOML.
fn hint(line: &str) -> Option<String> {
    let line = line.trim();
    if line.matches('"').count() % 2 == 1 {
        return Some("a string begins and ends with `\"` on one line".into());
    }
    if let Some((key, value)) = line.split_once('=') {
        let (key, value) = (key.trim(), value.trim());
        let word = |text: &str| {
            !text.is_empty()
                && text.chars().all(|letter| letter.is_alphanumeric() || "-_./:".contains(letter))
        };
        return (word(key) && word(value)).then(|| format!("a string needs quotes: `{key} = \"{value}\"`"));
    }
    if let Some((key, value)) = line.split_once(':') {
        return Some(format!("TOML uses `=`: `{} = {}`", key.trim(), value.trim()));
    }
    None
}
