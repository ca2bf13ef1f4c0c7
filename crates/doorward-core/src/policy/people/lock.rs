//! Locking a person: a `!` in front of the hash, as passwd(1) does. No password fits such a hash, in Apache either.

use super::passwords;
use crate::policy::Person;

/// Whether a file has a line for a person.
pub fn is_named(text: &str, person: &Person) -> bool {
    !passwords::hashes_at(text, person).is_empty()
}

/// The file with the person locked or unlocked; none when they are so already, or not in it.
pub fn set(text: &str, person: &Person, locked: bool) -> Option<String> {
    let mut edited = text.to_owned();
    // From the last line on: what stands before stays where it is.
    for hash in passwords::hashes_at(text, person).into_iter().rev().flatten() {
        match (locked, hash.locks.first()) {
            (true, None) => edited.insert(hash.at, '!'),
            (true, Some(_)) => {}
            (false, _) => {
                for lock in hash.locks.into_iter().rev() {
                    edited.remove(lock);
                }
            }
        }
    }
    (edited != text).then_some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::people::passwords::read;

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

    #[test]
    fn a_line_that_goes_on_in_the_next_is_locked_as_it_is_read() {
        let jon: Person = "jon".parse().expect("a name");
        for open in [
            "jon\\\n:abl0JrMf6tlhw\n",
            "jon:\\\nabl0JrMf6tlhw\n",
            "jo\\\r\nn:abl0\\\r\nJrMf6tlhw\n",
            "\\\n jon:abl0JrMf6tlhw",
            "jon:abl0JrMf6tlhw\njon:abl0JrMf6tlhw\n",
        ] {
            let is_open = |text: &str| read(text.as_bytes(), "p").hashes.contains_key(&jon);
            assert!(is_open(open), "{open:?}");
            let shut = set(open, &jon, true).expect("locked");
            assert!(!is_open(&shut), "{shut:?}");
            assert_eq!(set(&shut, &jon, true), None);
            assert_eq!(set(&shut, &jon, false).as_deref(), Some(open), "{shut:?}");
        }
        // A comment that goes on is one.
        assert!(!is_named("# a comment \\\njon:abl0JrMf6tlhw\n", &jon));
        // What is split between two lines is taken away all the same.
        assert_eq!(set("jon:!\\\n!abl0JrMf6tlhw\n", &jon, false).as_deref(), Some("jon:\\\nabl0JrMf6tlhw\n"));
    }
}
