//! Locking a person: a `!` in front of the hash, as passwd(1) does. No password fits such a hash, in Apache either.

use crate::policy::Person;

/// The name and the rest of a line, unless it is blank or a comment.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    if line.starts_with('#') { None } else { line.split_once(':') }
}

/// Whether a file has a line for a person.
pub fn is_named(text: &str, person: &Person) -> bool {
    text.lines().filter_map(entry).any(|(name, _)| name == person.as_str())
}

/// The file with the person locked or unlocked; none when they are so already, or not in it.
pub fn set(text: &str, person: &Person, locked: bool) -> Option<String> {
    let mut edited = String::with_capacity(text.len() + 1);
    for line in text.split_inclusive('\n') {
        let rest = entry(line).filter(|(name, _)| *name == person.as_str()).map(|(_, rest)| rest);
        let Some(rest) = rest else {
            edited.push_str(line);
            continue;
        };
        let before = line.len() - rest.len();
        edited.push_str(line.get(..before).unwrap_or_default());
        if locked && !rest.starts_with('!') {
            edited.push('!');
        }
        edited.push_str(if locked { rest } else { rest.trim_start_matches('!') });
    }
    (edited != text).then_some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_locked_and_unlocked_and_nobody_else() {
        let jon: Person = "jon".parse().expect("a name");
        let open = "# jon:x\n  jon:abl0JrMf6tlhw:third\r\njonathan:abl0JrMf6tlhw\n";
        let shut = "# jon:x\n  jon:!abl0JrMf6tlhw:third\r\njonathan:abl0JrMf6tlhw\n";
        assert_eq!(set(open, &jon, true).as_deref(), Some(shut));
        assert_eq!(set(shut, &jon, true), None);
        assert_eq!(set(shut, &jon, false).as_deref(), Some(open));
        assert_eq!(set(open, &jon, false), None);
        assert!(is_named(shut, &jon) && !is_named("# jon:x\n", &jon));
        assert_eq!(set("lee:x\n", &jon, true), None);
    }
}
