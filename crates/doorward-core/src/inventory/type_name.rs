//! The type of an instance of EC2, or the class of a DB instance of RDS.

use std::fmt;
use std::str::FromStr;

/// More than any type or class has, in bytes: `db.x2iedn.32xlarge` has 18.
const LONGEST: usize = 32;

/// A type like `t4g.small`, or a class like `db.t4g.micro`. It is copied, so that a price can be asked for by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName([u8; LONGEST]);

/// A text that is no type and no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an instance type (like `t4g.small`) nor a DB instance class (like `db.t4g.micro`)")]
pub struct NotATypeName(String);

impl TypeName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        text.trim_end_matches('\0')
    }

    /// Whether it is the class of a database.
    pub fn is_of_database(&self) -> bool {
        self.as_str().starts_with("db.")
    }
}

impl FromStr for TypeName {
    type Err = NotATypeName;

    fn from_str(text: &str) -> Result<Self, NotATypeName> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let words: Vec<&str> = text.split('.').collect();
        let counted = match words.first() {
            Some(&"db") => (2..=3).contains(&words.len()),
            _ => words.len() == 2,
        };
        let mut bytes = [0; LONGEST];
        match bytes.get_mut(..text.len()) {
            Some(room) if counted && words.iter().all(|word| is_word(word)) => {
                room.copy_from_slice(text.as_bytes());
                Ok(Self(bytes))
            }
            _ => Err(NotATypeName(text.into())),
        }
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_classes_are_read_as_they_are_written() {
        for text in ["t4g.small", "u-12tb1.112xlarge", "db.t4g.micro", "db.serverless", "db.x2iedn.32xlarge"]
        {
            let name: TypeName = text.parse().expect("a type");
            assert_eq!(name.to_string(), text);
            assert_eq!(name.is_of_database(), text.starts_with("db."));
        }
        for text in
            ["", "small", "t4g.", ".small", "t4g.small.", "t4g.small.big", "T4G.small", "db", "db.a.b.c"]
        {
            assert!(text.parse::<TypeName>().is_err(), "{text}");
        }
        assert!(format!("t4g.{}", "x".repeat(40)).parse::<TypeName>().is_err());
    }
}
