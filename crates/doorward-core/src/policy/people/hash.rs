//! A hashed password as Apache's password file has it: taken apart here, computed by the program.

use std::fmt;
use std::str::FromStr;

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKind {
    /// `$2y$`, `$2a$` and `$2b$`, which are the same where the implementation is right.
    Bcrypt,
    /// `$apr1$`, Apache's own variant of MD5-crypt.
    Apr1,
    /// `$1$`, MD5-crypt.
    Md5Crypt,
    /// `{SHA}`, a bare SHA-1 without salt.
    Sha1,
    /// `$5$`
    Sha256Crypt,
    /// `$6$`
    Sha512Crypt,
    /// Thirteen characters: crypt(3) by DES, which looks at eight characters of a password.
    DesCrypt,
}

impl HashKind {
    /// What stands before the salt.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Bcrypt => "$2y$",
            Self::Apr1 => "$apr1$",
            Self::Md5Crypt => "$1$",
            Self::Sha1 => "{SHA}",
            Self::Sha256Crypt => "$5$",
            Self::Sha512Crypt => "$6$",
            Self::DesCrypt => "",
        }
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt => "bcrypt",
            Self::Apr1 => "apr1-md5",
            Self::Md5Crypt => "md5-crypt",
            Self::Sha1 => "sha-1",
            Self::Sha256Crypt => "sha-256-crypt",
            Self::Sha512Crypt => "sha-512-crypt",
            Self::DesCrypt => "des-crypt",
        })
    }
}

/// A hashed password. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    kind: HashKind,
    cost: u32,
    salt: String,
    digest: String,
}

/// A text that is no hash of ours. It never says what stands there: it may be somebody's password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Nothing behind the colon.
    #[error("the hash after the `:` is missing")]
    Empty,
    /// What locks an account by convention: `!` or `*`, alone or before a hash, or `x`.
    #[error("it is locked, since no password matches `{0}`")]
    Locked(&'static str),
    /// A prefix that is none of ours.
    #[error("`{0}` is an unsupported kind of password hash")]
    Unknown(String),
    /// No prefix, and not thirteen characters of crypt(3).
    #[error("unsupported password hash; a password in plain text is refused")]
    Plain,
    /// Known by its prefix, and not whole.
    #[error("this {kind} hash is damaged: {why}")]
    Damaged {
        kind: HashKind,
        /// What is wrong.
        why: &'static str,
    },
}

/// Digits of crypt(3)'s base 64; bcrypt uses the same in another order.
fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
}

/// Rounds of SHA-crypt where nothing is said, and the bounds outside of which crypt(3) does not go.
const ROUNDS: u32 = 5_000;
const MOST_ROUNDS: u32 = 999_999_999;

impl PasswordHash {
    /// How it is hashed.
    pub fn kind(&self) -> HashKind {
        self.kind
    }

    /// bcrypt: the logarithm of the rounds, 4 to 31. SHA-crypt: the rounds. Else 0.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// The salt, as written.
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// What the password is hashed to, as written.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A hash that is of nobody's password, and that takes as long to try as others of the kind and cost.
    pub fn decoy(kind: HashKind, cost: u32) -> Self {
        let (salt, digest) = match kind {
            HashKind::Bcrypt => (22, 31),
            HashKind::Apr1 | HashKind::Md5Crypt => (8, 22),
            HashKind::Sha1 => (0, 28),
            HashKind::Sha256Crypt => (16, 43),
            HashKind::Sha512Crypt => (16, 86),
            HashKind::DesCrypt => (2, 11),
        };
        Self { kind, cost, salt: ".".repeat(salt), digest: ".".repeat(digest) }
    }

    fn bcrypt(rest: &str) -> Result<Self, HashError> {
        let damaged = |why| HashError::Damaged { kind: HashKind::Bcrypt, why };
        let (cost, rest) = rest.split_once('$').ok_or_else(|| damaged("its cost is missing"))?;
        let cost = Some(cost)
            .filter(|cost| cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|cost| cost.parse().ok())
            .filter(|cost| (4..=31).contains(cost))
            .ok_or_else(|| damaged("its cost must be from 04 to 31"))?;
        if rest.len() != 53 {
            return Err(damaged("salt and digest are not 53 characters"));
        }
        if !digits(rest) {
            return Err(damaged("it has a character that is not base64"));
        }
        let (salt, digest) = rest.split_at_checked(22).ok_or_else(|| damaged("it is too short"))?;
        Ok(Self { kind: HashKind::Bcrypt, cost, salt: salt.into(), digest: digest.into() })
    }

    fn salted(kind: HashKind, cost: u32, rest: &str) -> Result<Self, HashError> {
        let damaged = |why| HashError::Damaged { kind, why };
        let (longest, digest_length) = match kind {
            HashKind::Sha256Crypt => (16, 43),
            HashKind::Sha512Crypt => (16, 86),
            _ => (8, 22),
        };
        let (salt, digest) = rest.split_once('$').ok_or_else(|| damaged("its salt is missing"))?;
        if salt.len() > longest {
            return Err(damaged("its salt is too long"));
        }
        if digest.len() != digest_length {
            return Err(damaged("its digest is too short or too long"));
        }
        if !digits(salt) || !digits(digest) {
            return Err(damaged("it has a character that is not base64"));
        }
        Ok(Self { kind, cost, salt: salt.into(), digest: digest.into() })
    }

    fn sha_crypt(kind: HashKind, rest: &str) -> Result<Self, HashError> {
        let Some(given) = rest.strip_prefix("rounds=") else { return Self::salted(kind, ROUNDS, rest) };
        let damaged = |why| HashError::Damaged { kind, why };
        let (rounds, rest) = given.split_once('$').ok_or_else(|| damaged("its salt is missing"))?;
        let rounds = rounds
            .parse()
            .ok()
            .filter(|rounds| (1_000..=MOST_ROUNDS).contains(rounds))
            .ok_or_else(|| damaged("its rounds must be from 1000 to 999999999"))?;
        Self::salted(kind, rounds, rest)
    }

    fn sha1(rest: &str) -> Result<Self, HashError> {
        // Twenty bytes are 27 digits and one sign of padding.
        let good = rest.len() == 28
            && rest.strip_suffix('=').is_some_and(|digits| {
                digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            });
        let damaged = HashError::Damaged { kind: HashKind::Sha1, why: "it is not 20 bytes in base64" };
        if !good {
            return Err(damaged);
        }
        Ok(Self { kind: HashKind::Sha1, cost: 0, salt: String::new(), digest: rest.into() })
    }
}

impl FromStr for PasswordHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.is_empty() {
            return Err(HashError::Empty);
        }
        match text.as_bytes() {
            [b'!'] => return Err(HashError::Locked("!")),
            [b'!', ..] => return Err(HashError::Locked("!…")),
            [b'*'] => return Err(HashError::Locked("*")),
            [b'*', ..] => return Err(HashError::Locked("*…")),
            [b'x'] => return Err(HashError::Locked("x")),
            _ => {}
        }
        for prefix in ["$2y$", "$2a$", "$2b$"] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Self::bcrypt(rest);
            }
        }
        if let Some(rest) = text.strip_prefix("$apr1$") {
            return Self::salted(HashKind::Apr1, 0, rest);
        }
        if let Some(rest) = text.strip_prefix("$1$") {
            return Self::salted(HashKind::Md5Crypt, 0, rest);
        }
        if let Some(rest) = text.strip_prefix("$5$") {
            return Self::sha_crypt(HashKind::Sha256Crypt, rest);
        }
        if let Some(rest) = text.strip_prefix("$6$") {
            return Self::sha_crypt(HashKind::Sha512Crypt, rest);
        }
        if let Some(rest) = text.strip_prefix("{SHA}") {
            return Self::sha1(rest);
        }
        if let Some(prefix) = foreign_prefix(text) {
            return Err(HashError::Unknown(prefix));
        }
        match text.split_at_checked(2) {
            Some((salt, digest)) if text.len() == 13 && digits(text) => {
                Ok(Self { kind: HashKind::DesCrypt, cost: 0, salt: salt.into(), digest: digest.into() })
            }
            _ => Err(HashError::Plain),
        }
    }
}

/// `$argon2id$` or `{SSHA}`, where something that looks like one begins the text.
fn foreign_prefix(text: &str) -> Option<String> {
    let (open, close) = if text.starts_with('{') { ('{', '}') } else { ('$', '$') };
    let (name, _) = text.strip_prefix(open)?.split_once(close)?;
    let good = (1..=12).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    good.then(|| format!("{open}{name}{close}"))
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(HashKind, u32), &str>) {
        let read = text
            .parse::<PasswordHash>()
            .map(|hash| (hash.kind(), hash.cost()))
            .map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn every_kind_of_apache_is_known() {
        check("$2y$05$6x3y2q0mV1WcKzX7kq8FMuK1hUoF0Xb0m2Y8mH6tC3pG5sD7eF9aK", Ok((HashKind::Bcrypt, 5)));
        check("$apr1$abcdefgh$0123456789abcdefghijkl", Ok((HashKind::Apr1, 0)));
        check("$1$abc$jWy0FsfCoVBK.I85XpXf30", Ok((HashKind::Md5Crypt, 0)));
        check("{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=", Ok((HashKind::Sha1, 0)));
        check("$5$abc$W6SISEcmf6GfVdGFK0lGBXz2NPDhGZ.FBBMOz418YA7", Ok((HashKind::Sha256Crypt, 5_000)));
        check(&format!("$6$rounds=1000$abc${}", "x".repeat(86)), Ok((HashKind::Sha512Crypt, 1_000)));
        check("abl0JrMf6tlhw", Ok((HashKind::DesCrypt, 0)));
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_repeated() {
        check("", Err("the hash after the `:` is missing"));
        check("secret", Err("unsupported password hash; a password in plain text is refused"));
        check("$argon2id$v=19$m=1,t=2$x$y", Err("`$argon2id$` is an unsupported kind of password hash"));
        check("{SSHA}abc", Err("`{SSHA}` is an unsupported kind of password hash"));
        check("$2x$05$abc", Err("`$2x$` is an unsupported kind of password hash"));
        check("$my $ecret$", Err("unsupported password hash; a password in plain text is refused"));
        check("$2y$05$short", Err("this bcrypt hash is damaged: salt and digest are not 53 characters"));
        check("$2y$99$x", Err("this bcrypt hash is damaged: its cost must be from 04 to 31"));
        check("$apr1$ab$c", Err("this apr1-md5 hash is damaged: its digest is too short or too long"));
        check("{SHA}x", Err("this sha-1 hash is damaged: it is not 20 bytes in base64"));
        check(
            "$5$rounds=9$a$b",
            Err("this sha-256-crypt hash is damaged: its rounds must be from 1000 to 999999999"),
        );
    }

    #[test]
    fn what_locks_an_account_says_so() {
        check("!", Err("it is locked, since no password matches `!`"));
        check("!$2y$05$x", Err("it is locked, since no password matches `!…`"));
        check("*", Err("it is locked, since no password matches `*`"));
        check("*LK*", Err("it is locked, since no password matches `*…`"));
        check("x", Err("it is locked, since no password matches `x`"));
    }

    #[test]
    fn a_hash_is_not_shown() {
        let hash: PasswordHash = "abl0JrMf6tlhw".parse().expect("a hash");
        assert_eq!(format!("{hash:?}"), "PasswordHash(des-crypt)");
    }
}
