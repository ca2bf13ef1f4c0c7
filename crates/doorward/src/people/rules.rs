//! The rules for passwords that Doorward sets: long enough, short enough for bcrypt, and not easily guessed.

use doorward_core::policy::Person;

/// bcrypt looks at no more bytes of a password than this.
pub const LONGEST_NEW: usize = 72;

/// What holds for a new password.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Whose it will be.
    pub person: &'a Person,
    /// The least characters that it has.
    pub least: usize,
}

/// Why a password is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Nothing was typed.
    #[error("a password cannot be empty")]
    Empty,
    /// Fewer characters than the policy asks for.
    #[error("the password has {length} characters, at least {least} are required")]
    TooShort {
        /// Its length, in characters.
        length: usize,
        least: usize,
    },
    /// bcrypt would cut it.
    #[error("the password has {0} bytes, but bcrypt uses only the first {LONGEST_NEW}")]
    TooLong(usize),
    /// C programs would cut it.
    #[error("a password cannot contain a NUL byte")]
    Nul,
    /// It is the person's name and little else.
    #[error("the password is too similar to the name `{0}`")]
    Name(Person),
    /// It is what everybody tries first.
    #[error("the password is on the list of common passwords")]
    Common,
}

impl Rules<'_> {
    /// Whether a password may be set.
    pub fn check(&self, password: &str) -> Result<(), WeakPassword> {
        let length = password.chars().count();
        match password.len() {
            0 => return Err(WeakPassword::Empty),
            bytes if bytes > LONGEST_NEW => return Err(WeakPassword::TooLong(bytes)),
            _ if password.contains('\0') => return Err(WeakPassword::Nul),
            _ if length < self.least => return Err(WeakPassword::TooShort { length, least: self.least }),
            _ => {}
        }
        let plain = password.to_lowercase();
        let name = self.person.as_str().to_lowercase();
        let rest = plain.replace(&name, "");
        if rest.len() < plain.len() && rest.chars().count() < 4 {
            return Err(WeakPassword::Name(self.person.clone()));
        }
        if is_common(&plain) { Err(WeakPassword::Common) } else { Ok(()) }
    }
}

/// Words that lists of leaked passwords begin with, without the digits and signs that people put around them.
const WORDS: [&str; 28] = [
    "abc",
    "access",
    "admin",
    "administrator",
    "changeme",
    "database",
    "default",
    "doorward",
    "dragon",
    "football",
    "geheim",
    "iloveyou",
    "letmein",
    "login",
    "master",
    "monkey",
    "passwd",
    "passw0rd",
    "password",
    "passwort",
    "postgres",
    "princess",
    "qwerty",
    "root",
    "secret",
    "sunshine",
    "trustno",
    "welcome",
];

/// Keys that lie side by side, and letters and digits in their order.
const ROWS: [&str; 6] = [
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
];

fn is_common(plain: &str) -> bool {
    let letters: Vec<char> = plain.chars().collect();
    // `aaaaaaaa`, `abababab`, `123123123`
    let repeats = (1..=4).any(|period| {
        letters.len() >= 2 * period
            && letters.iter().zip(letters.iter().skip(period)).all(|(one, other)| one == other)
    });
    let core = plain.trim_matches(|letter: char| !letter.is_alphabetic());
    let twice = |word: &str| core == word || core == format!("{word}{word}");
    repeats
        || WORDS.iter().any(|word| twice(word))
        || ROWS.iter().any(|row| row.contains(plain) || (core.len() >= 6 && row.contains(core)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, expected: Result<(), WeakPassword>) {
        let person: Person = "richard".parse().expect("a name");
        assert_eq!(Rules { person: &person, least: 10 }.check(password), expected, "{password:?}");
    }

    #[test]
    fn passwords_have_rules() {
        check("open-sesame", Ok(()));
        check("correct horse", Ok(()));
        check("pässwört: ✓", Ok(()));
        check("richards-kitchen-door", Ok(()));
        check(&"x1".repeat(36), Err(WeakPassword::Common));
        check("", Err(WeakPassword::Empty));
        check("nine char", Err(WeakPassword::TooShort { length: 9, least: 10 }));
        check("ééééééééé", Err(WeakPassword::TooShort { length: 9, least: 10 }));
        check(&"long ".repeat(15), Err(WeakPassword::TooLong(75)));
        check("a\0bcdefghijk", Err(WeakPassword::Nul));
        check("Richard123", Err(WeakPassword::Name("richard".parse().expect("a name"))));
        check("richardrichard", Err(WeakPassword::Name("richard".parse().expect("a name"))));
        for common in [
            "Password1234",
            "1234567890",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "!Welcome2026!",
            "letmeinletmein",
            "123123123123",
        ] {
            check(common, Err(WeakPassword::Common));
        }
    }
}
