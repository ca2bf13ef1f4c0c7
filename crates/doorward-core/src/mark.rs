//! The mark that a rule bears where it is enforced: who is let in, by which grant, until when.
//!
//! It is the rule's description in a security group and its comment in nftables, so the place of
//! enforcement explains itself, and a rule can be closed at its end with nothing else at hand.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{FirewallName, GrantId, NetworkName, Person, RoleName, TargetName};
pub use crate::name::{InstallationId, NotAnInstallation};

/// Why a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    Grant {
        id: GrantId,
        person: Person,
        target: TargetName,
    },
    /// A firewall's static list.
    Static {
        /// Which firewall's.
        firewall: FirewallName,
    },
    /// A role that is declared: it admits this, or reaches it.
    Role {
        /// Which role's table says so.
        role: RoleName,
    },
    /// A network that is declared.
    Network {
        network: NetworkName,
    },
}

impl Because {
    /// Whether a role or a network is the reason: such rules are planned with networks, and all others by the reconciler.
    pub fn is_declared(&self) -> bool {
        match self {
            Self::Role { .. } | Self::Network { .. } => true,
            Self::Grant { .. } | Self::Static { .. } => false,
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { id, person, target } => write!(f, "{id} {person} to {target}"),
            Self::Static { firewall } => write!(f, "the static list of {firewall}"),
            Self::Role { role } => write!(f, "the role {role}"),
            Self::Network { network } => write!(f, "the network {network}"),
        }
    }
}

/// What a rule's description says.
///
/// `doorward 3f9c2a1b g-k3v9t2m4x7q8 jon to orders-db until 2026-11-22T10:00:00Z`, or
/// `doorward 3f9c2a1b static orders-clients`; also `role db` or `network main` for what a policy declares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Which installation made the rule.
    pub by: InstallationId,
    /// Why it stands.
    pub because: Because,
    /// Its end, in whole seconds; none for a static rule.
    pub until: Option<Timestamp>,
}

/// A description that is not a mark of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mark of Doorward")]
pub struct NotAMark;

impl Mark {
    /// The tag that each rule of ours bears in AWS; its value is the installation.
    pub const TAG: &'static str = "doorward";

    /// The tag of each resource of a network, which says what it is for.
    pub const PART_TAG: &'static str = "doorward:part";

    /// A mark; the end is rounded up to a whole second, since a mark has no fractions.
    pub fn new(by: InstallationId, because: Because, until: Option<Timestamp>) -> Self {
        let whole = |until: Timestamp| {
            let up = i64::from(until.subsec_nanosecond() > 0);
            Timestamp::from_second(until.as_second() + up).unwrap_or(until)
        };
        Self { by, because, until: until.map(whole) }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.because, self.until) {
            (Because::Grant { id, person, target }, Some(until)) => {
                write!(f, "doorward {} {id} {} to {target} until {until}", self.by, escape(person.as_str()))
            }
            (Because::Grant { id, person, target }, None) => {
                write!(f, "doorward {} {id} {} to {target}", self.by, escape(person.as_str()))
            }
            (Because::Static { firewall }, _) => write!(f, "doorward {} static {firewall}", self.by),
            (Because::Role { role }, _) => write!(f, "doorward {} role {role}", self.by),
            (Because::Network { network }, _) => write!(f, "doorward {} network {network}", self.by),
        }
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let words: Vec<&str> = text.split(' ').collect();
        match *words.as_slice() {
            ["doorward", by, "static", firewall] => Ok(Self {
                by: by.parse().map_err(|_| NotAMark)?,
                because: Because::Static { firewall: firewall.parse().map_err(|_| NotAMark)? },
                until: None,
            }),
            ["doorward", by, "role", role] => Ok(Self {
                by: by.parse().map_err(|_| NotAMark)?,
                because: Because::Role { role: role.parse().map_err(|_| NotAMark)? },
                until: None,
            }),
            ["doorward", by, "network", network] => Ok(Self {
                by: by.parse().map_err(|_| NotAMark)?,
                because: Because::Network { network: network.parse().map_err(|_| NotAMark)? },
                until: None,
            }),
            ["doorward", by, id, person, "to", target, "until", until] => Ok(Self {
                by: by.parse().map_err(|_| NotAMark)?,
                because: Because::Grant {
                    id: id.parse().map_err(|_| NotAMark)?,
                    person: unescape(person).and_then(|person| person.parse().ok()).ok_or(NotAMark)?,
                    target: target.parse().map_err(|_| NotAMark)?,
                },
                until: Some(until.parse().map_err(|_| NotAMark)?),
            }),
            _ => Err(NotAMark),
        }
    }
}

const LONGEST_NAME: usize = 120;

/// EC2 allows `a-z A-Z 0-9` and ` ._-:/()#,@[]+=&;{}!$*` in a description (API reference, `IpRange`);
/// what else a name has is written as `=XX` a byte. A description has 255 bytes, so a name that grows beyond
/// [`LONGEST_NAME`] is cut and ends in `*`; the grant's own name is never cut.
fn escape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        let mut bytes = [0; 4];
        let mut piece = String::new();
        for byte in letter.encode_utf8(&mut bytes).bytes() {
            if byte.is_ascii_alphanumeric() || b"._-:/()#,@[]+&;{}!$*".contains(&byte) {
                piece.push(char::from(byte));
            } else {
                piece.push_str(&format!("={byte:02X}"));
            }
        }
        if text.len() + piece.len() > LONGEST_NAME {
            text.push('*');
            break;
        }
        text.push_str(&piece);
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(person: &str) -> Mark {
        Mark::new(
            InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b]),
            Because::Grant {
                id: GrantId::from_random([7; 8]),
                person: person.parse().expect("a person"),
                target: "orders-db".parse().expect("a target"),
            },
            Some("2026-11-22T10:00:00.5Z".parse().expect("an instant")),
        )
    }

    #[test]
    fn a_mark_reads_as_it_writes() {
        for person in ["jon", "rené", "o'neil", "jon@example.org", "a=b", "李"] {
            let mark = mark(person);
            assert_eq!(mark.to_string().parse(), Ok(mark.clone()), "{mark}");
            assert!(mark.to_string().ends_with("until 2026-11-22T10:00:01Z"), "{mark}");
        }
    }

    #[test]
    fn a_mark_of_what_is_declared_reads_as_it_writes() {
        let by = InstallationId::from_random([7; 4]);
        let role = Because::Role { role: "db_connect".parse().expect("a role") };
        let network = Because::Network { network: "main".parse().expect("a network") };
        for (because, text) in [(role, "role db_connect"), (network, "network main")] {
            let mark = Mark::new(by.clone(), because, None);
            assert_eq!(mark.to_string(), format!("doorward 07070707 {text}"));
            assert_eq!(mark.to_string().parse(), Ok(mark.clone()));
            assert!(mark.because.is_declared());
        }
        assert!(!self::mark("jon").because.is_declared());
    }

    #[test]
    fn the_longest_mark_fits_a_description() {
        let mark = Mark::new(
            InstallationId::from_random([0; 4]),
            Because::Grant {
                id: GrantId::from_random([7; 8]),
                person: "é".repeat(31).parse().expect("a person"),
                target: "t".repeat(63).parse().expect("a target"),
            },
            Some(Timestamp::UNIX_EPOCH),
        );
        assert!(mark.to_string().len() <= 255, "{mark}");
        assert_eq!(mark.to_string().parse::<Mark>().map(|read| read.until), Ok(mark.until));
    }

    #[test]
    fn a_whole_second_stays_and_a_fraction_is_rounded_up() {
        let until = |until: &str| {
            let static_ = Because::Role { role: "db".parse().expect("a role") };
            let until = until.parse().expect("an instant");
            let mark = Mark::new(InstallationId::from_random([0; 4]), static_, Some(until));
            mark.until.expect("an end").to_string()
        };
        assert_eq!(until("2026-11-22T10:00:00Z"), "2026-11-22T10:00:00Z");
        assert_eq!(until("2026-11-22T10:00:00.000000001Z"), "2026-11-22T10:00:01Z");
    }

    #[test]
    fn a_name_is_cut_only_beyond_its_limit() {
        assert_eq!(escape(&"x".repeat(LONGEST_NAME)), "x".repeat(LONGEST_NAME));
        assert_eq!(escape(&"x".repeat(LONGEST_NAME + 1)), format!("{}*", "x".repeat(LONGEST_NAME)));
        assert_eq!(escape("rené"), "ren=C3=A9");
    }

    #[test]
    fn what_others_wrote_is_no_mark() {
        for text in ["", "doorward", "office", "doorward 3f9c2a1b static", "doorward xyz static a"] {
            assert_eq!(text.parse::<Mark>(), Err(NotAMark), "{text}");
        }
    }
}
