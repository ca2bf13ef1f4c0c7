//! The names of a policy: persons, groups, targets, firewalls. Parsed at the border, then trusted.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Too long to be written into a rule's description.
    #[error("`{0}` is longer than 63 bytes")]
    TooLong(String),
    /// A byte that Apache's files, a rule's description or a URL could not carry.
    #[error("`{name}` has {what}, which a name cannot have")]
    Forbidden {
        /// What was typed.
        name: String,
        /// The first character that is not allowed, described.
        what: String,
    },
}

const LONGEST: usize = 63;

fn check(text: &str, allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > LONGEST {
        return Err(NameError::TooLong(text.into()));
    }
    match text.chars().find(|&letter| !allowed(letter)) {
        None => Ok(()),
        Some(letter) => {
            let what = match letter {
                ' ' => "a space".into(),
                letter if letter.is_control() => format!("the control character {:?}", letter),
                letter => format!("`{letter}`"),
            };
            Err(NameError::Forbidden { name: text.into(), what })
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        crate::text::is_text!($name);

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $allowed)?;
                Ok(Self(text.into()))
            }
        }

    };
}

/// Apache splits its files at colons and white space; everything else may be in a name, in any script.
fn apache(letter: char) -> bool {
    !(letter == ':' || letter == ',' || letter.is_whitespace() || letter.is_control())
}

/// What may be a TOML bare key, a part of a URL and a part of a firewall's set name.
fn plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

name!(
    /// A person, as the password file names them.
    Person, apache
);
name!(
    /// A group of people, as the group file names it.
    Group, apache
);
name!(
    /// A target: what people reach.
    TargetName, plain
);
name!(
    /// A firewall: where rules are enforced.
    FirewallName, plain
);

impl Person {
    /// The person as AWS names a session and a source identity: 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -` (STS API
    /// reference, `AssumeRole`). What else a name has is written as `=XX` a byte.
    ///
    /// Two persons never share one, but for those whose written names agree in the first 64.
    pub fn session_name(&self) -> String {
        const MOST: usize = 64;
        let mut text = String::new();
        for letter in self.0.chars() {
            let mut piece = String::new();
            let plain = letter.is_ascii_alphanumeric() || "_+,.@-".contains(letter);
            if plain {
                piece.push(letter);
            } else {
                let mut bytes = [0; 4];
                let written = letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}"));
                piece.extend(written);
            }
            if text.len() + piece.len() > MOST {
                break;
            }
            text.push_str(&piece);
        }
        // One letter alone is too short for AWS.
        if text.len() < 2 {
            text.push('=');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_border() {
        assert!("rené".parse::<Person>().is_ok());
        assert_eq!("".parse::<Person>(), Err(NameError::Empty));
        assert!("jon doe".parse::<Person>().is_err());
        assert!("orders/db".parse::<TargetName>().is_err());
        assert!("x".repeat(64).parse::<Group>().is_err());
    }

    #[test]
    fn a_person_has_a_name_that_aws_takes() {
        let check = |person: &str, expected: &str| {
            let name = person.parse::<Person>().expect("a person").session_name();
            assert_eq!(name, expected, "{person}");
            assert!((2..=64).contains(&name.len()));
        };
        check("jon", "jon");
        check("jon@example.org", "jon@example.org");
        check("rené", "ren=C3=A9");
        check("a=b", "a=3Db");
        check("j", "j=");
        check("李", "=E6=9D=8E");
        check(&"é".repeat(31), &"=C3=A9".repeat(10));
        check(&"x".repeat(63), &"x".repeat(63));
    }
}
