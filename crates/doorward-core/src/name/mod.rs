//! The names of a policy (persons, groups, targets, firewalls) and the ids of grants and installations. Parsed at the
//! border, then trusted.

mod id;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use id::{GrantId, InstallationId, NotAGrant, NotAnInstallation};

/// A text that cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Too long to be written into a rule's description.
    #[error("`{0}` is longer than 63 bytes")]
    TooLong(String),
    /// White space at an end of it, which nobody sees.
    #[error("`{0}` begins or ends with white space, which a name cannot")]
    Ends(String),
    /// AWS or the policy means something else by it.
    #[error(
        "`{0}` cannot be the name of a role: `default`, `internet` and names that begin with `sg-` are reserved"
    )]
    Reserved(String),
    /// RDS would not take it.
    #[error(
        "`{0}` cannot be the name of an environment, which has up to 32 lower-case letters, digits and single hyphens between them, and begins with a letter"
    )]
    Environment(String),
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
                $allowed(text)?;
                Ok(Self(text.into()))
            }
        }

    };
}

/// Apache ends a name at a colon; everything else may be in one, in any script, but for what nobody sees.
fn apache(text: &str) -> Result<(), NameError> {
    check(text, |letter| letter != ':' && !letter.is_control())?;
    // Apache takes white space away at the ends of a line, and keeps it before the colon.
    if text.trim() == text { Ok(()) } else { Err(NameError::Ends(text.into())) }
}

/// What may be a TOML bare key, a part of a URL and a part of a firewall's set name.
fn plain(text: &str) -> Result<(), NameError> {
    check(text, |letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
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
name!(
    /// A network that the policy declares.
    NetworkName, plain
);
name!(
    /// A role: a security group that resources have attached for what they are, or for what they may reach.
    RoleName, role
);

name!(
    /// An environment that the policy declares: an instance and a database in a network.
    EnvironmentName, environment
);

/// A part of the identifier of a DB instance, which RDS stores in lower case (RDS API reference, `CreateDBInstance`), and of
/// the name of a load balancer, which has up to 32 characters.
fn environment(text: &str) -> Result<(), NameError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=32).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(allowed)
        && !text.ends_with('-')
        && !text.contains("--");
    if good { Ok(()) } else { Err(NameError::Environment(text.into())) }
}

/// The name of a security group too, which AWS reserves `default` and the form of an id for (EC2 API reference,
/// `CreateSecurityGroup`). `internet` means everybody where a role could be named.
fn role(text: &str) -> Result<(), NameError> {
    plain(text)?;
    if text.starts_with("sg-") || matches!(text, "default" | "internet") {
        return Err(NameError::Reserved(text.into()));
    }
    Ok(())
}

impl Person {
    /// The person as AWS names a session and a source identity: see [`aws_name`].
    pub fn session_name(&self) -> String {
        aws_name(&self.0, AWS_NAME)
    }
}

/// How long a session's name and a source identity may be (STS API reference, `AssumeRole`).
pub(crate) const AWS_NAME: usize = 64;

/// How many hexadecimal digits of SHA-256 stand for what was cut: 64 bits.
const DIGEST: usize = 16;

/// A name as AWS takes it: 2 to `most` of `A-Z a-z 0-9 _ + = , . @ -` (STS API reference, `AssumeRole`).
///
/// Every other byte is written as `=XX`. What is longer than `most` is cut and ends with `==` and a digest of the whole
/// name, so that no two names are written alike: `=` is followed by two hexadecimal digits, by another `=` before the
/// digest, or by nothing in a name of one letter.
pub(crate) fn aws_name(name: &str, most: usize) -> String {
    let mut text = String::new();
    let mut fits = 0;
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() || "_+,.@-".contains(letter) {
            text.push(letter);
        } else {
            let mut bytes = [0; 4];
            text.extend(letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("={byte:02X}")));
        }
        if text.len() + 2 + DIGEST <= most {
            fits = text.len();
        }
    }
    if text.len() > most {
        let digest = Sha256::digest(name.as_bytes());
        text.truncate(fits);
        text.push_str("==");
        text.extend(digest.iter().take(DIGEST / 2).map(|byte| format!("{byte:02x}")));
    }
    // One letter alone is too short for AWS.
    if text.len() < 2 {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_border() {
        assert!("rené".parse::<Person>().is_ok());
        assert_eq!("".parse::<Person>(), Err(NameError::Empty));
        assert!("jon doe".parse::<Person>().is_ok());
        for name in ["jon ", " jon", "jon\u{a0}", "jon:doe", "jon\tdoe"] {
            assert!(name.parse::<Person>().is_err(), "{name:?}");
        }
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
        check("john smith", "john=20smith");
        check("j", "j=");
        check("李", "=E6=9D=8E");
        check(&"é".repeat(31), &format!("{}==f299f682f8ab27d5", "=C3=A9".repeat(7)));
        check(&"x".repeat(63), &"x".repeat(63));
    }

    #[test]
    fn persons_whose_names_are_cut_have_each_their_own() {
        // Two Cyrillic names of 16 letters that agree in all that fits.
        let check = |one: &str, other: &str| {
            let name = |person: &str| person.parse::<Person>().expect("a person").session_name();
            assert_ne!(name(one), name(other), "{one} and {other}");
        };
        check("александр.иванов", "александр.иваненко");
        check(&"я".repeat(30), &"я".repeat(31));
        check(&format!("{}a", "я".repeat(30)), &format!("{}b", "я".repeat(30)));
        check("j", "j=");
        check("j=", "j==");
        check("rené", "ren=C3=A9");
    }

    #[test]
    fn a_role_can_be_a_security_group() {
        for name in ["db", "db_connect", "web.1"] {
            assert!(name.parse::<RoleName>().is_ok(), "{name}");
        }
        for name in ["default", "internet", "sg-0a1b"] {
            assert_eq!(name.parse::<RoleName>(), Err(NameError::Reserved(name.into())));
        }
    }

    mod laws {
        use proptest::prelude::*;

        use super::*;

        /// Names that agree in much: a few letters of each kind, and what the writing itself uses.
        fn persons() -> impl Strategy<Value = Person> {
            "[aA=яé@李0-9,-]{1,63}".prop_filter_map("a person", |name| {
                let cut: String = name
                    .chars()
                    .scan(0, |length, letter| {
                        *length += letter.len_utf8();
                        (*length <= LONGEST).then_some(letter)
                    })
                    .collect();
                cut.parse().ok()
            })
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(1000))]

            #[test]
            fn each_person_has_a_name_of_their_own_that_aws_takes(
                one in persons(),
                tail in "[aя=]{0,3}",
                most in prop_oneof![Just(AWS_NAME), Just(49)],
            ) {
                let written = aws_name(one.as_str(), most);
                prop_assert!((2..=most).contains(&written.len()), "{written}");
                let valid = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
                prop_assert!(written.chars().all(valid), "{written}");
                if !tail.is_empty() {
                    let other = format!("{one}{tail}");
                    prop_assert_ne!(&written, &aws_name(&other, most), "{} and {}", one, other);
                }
            }

            #[test]
            fn two_persons_never_share_a_name(one in persons(), other in persons()) {
                prop_assert_eq!(one.session_name() == other.session_name(), one == other);
            }
        }
    }
}
