//! Reads where a target is: `rds:`, `proxy:`, `cache:`, `instance:`, `tag:KEY=VALUE`, an address, a name or networks.

use std::net::IpAddr;
use std::str::FromStr;

use super::Address;
use super::mistake::did_you_mean;
use crate::net::{Cidr, NetError};

/// A text that says no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing at all.
    #[error("an address cannot be empty")]
    Empty,
    /// `KIND:` that is none of ours.
    #[error("`{kind}:` is not a kind of address; the kinds are `rds:`, `proxy:`, `cache:`, `instance:` and `tag:`{}", meant.map(|meant| format!("; did you mean `{meant}:`?")).unwrap_or_default())]
    Kind {
        /// What was typed.
        kind: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A port behind a host.
    #[error("`{0}` has a port in it; ports belong in `ports`, like `ports = [\"tcp/5432\"]`")]
    Port(String),
    /// Not an identifier.
    #[error("`{given}` is not {what} (like `{like}`)")]
    Identifier {
        /// What was typed.
        given: String,
        /// What was expected.
        what: &'static str,
        /// An example.
        like: &'static str,
    },
    /// Neither an address nor a name.
    #[error("`{0}` is neither an address nor a host name")]
    Host(String),
    /// A prefix that is none.
    #[error("{0}")]
    Network(NetError),
    /// All that there is.
    #[error("`{0}` contains every address; name the networks of the VPC, like `10.0.0.0/16`")]
    Everything(Cidr),
}

const KINDS: [&str; 5] = ["rds", "proxy", "cache", "instance", "tag"];

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Host(address.to_canonical().to_string()));
        }
        if text.contains('/') && !KINDS.iter().any(|kind| text.starts_with(&format!("{kind}:"))) {
            return text
                .split(',')
                .map(|network| network.trim().parse().map_err(AddressError::Network))
                .collect::<Result<Vec<Cidr>, _>>()
                .and_then(networks);
        }
        let Some((kind, rest)) = text.split_once(':') else {
            return host(text).map(Self::Host);
        };
        let identifier = |what, like| AddressError::Identifier { given: text.to_owned(), what, like };
        // RDS and ElastiCache: letters, digits and hyphens, a letter first (API references, `DBInstanceIdentifier`,
        // `DBProxyName`, `ReplicationGroupId`).
        let named = |longest| {
            let good = rest.len() <= longest
                && rest.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && !rest.ends_with('-')
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            good.then(|| rest.to_owned())
        };
        match kind {
            "rds" => named(63)
                .map(Self::Rds)
                .ok_or_else(|| identifier("the identifier of a DB instance or cluster", "rds:orders-prod")),
            "proxy" => named(63)
                .map(Self::Proxy)
                .ok_or_else(|| identifier("the name of an RDS Proxy", "proxy:orders")),
            "cache" => named(50)
                .map(Self::Cache)
                .ok_or_else(|| identifier("the id of an ElastiCache cluster", "cache:sessions")),
            "instance" => rest
                .strip_prefix("i-")
                .filter(|digits| matches!(digits.len(), 1..=64))
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_alphanumeric()))
                .map(|_| Self::Instance(rest.to_owned()))
                .ok_or_else(|| identifier("the id of an instance", "instance:i-0a1b2c3d4e5f60718")),
            "tag" => rest
                .split_once('=')
                .filter(|(key, value)| !key.is_empty() && !value.is_empty())
                .filter(|(key, value)| key.chars().count() <= 128 && value.chars().count() <= 256)
                .filter(|_| !rest.chars().any(char::is_control))
                .map(|(key, value)| Self::Tag(key.to_owned(), value.to_owned()))
                .ok_or_else(|| identifier("a tag", "tag:Name=jump")),
            _ if is_port(rest) => Err(AddressError::Port(text.to_owned())),
            _ if text.starts_with('[') => Err(AddressError::Host(text.to_owned())),
            _ => Err(AddressError::Kind { kind: kind.to_owned(), meant: did_you_mean(kind, KINDS) }),
        }
    }
}

/// Networks as one address: at least one, and none that is everything.
pub(super) fn networks(networks: Vec<Cidr>) -> Result<Address, AddressError> {
    match networks.iter().find(|network| network.is_everyone()) {
        Some(everything) => Err(AddressError::Everything(*everything)),
        None if networks.is_empty() => Err(AddressError::Empty),
        None => Ok(Address::Network(networks.into_iter().collect())),
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name as DNS has it (RFC 1123, and `_`, which real names have): labels of 1 to 63 letters, digits and hyphens.
fn host(text: &str) -> Result<String, AddressError> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // `10.0.0.300` would be looked up as a name, and was meant as an address.
    let last = text.rsplit('.').next().unwrap_or(text);
    if text.len() > 253 || !text.split('.').all(label) || is_port(last) {
        return Err(AddressError::Host(text.to_owned()));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let read =
            text.parse::<Address>().map(|address| address.to_string()).map_err(|error| error.to_string());
        assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }

    #[test]
    fn addresses_read_and_write_alike() {
        for text in [
            "rds:orders-prod",
            "proxy:orders",
            "cache:sessions",
            "instance:i-0a1b2c3d4e5f60718",
            "tag:Name=jump host=1",
            "10.0.0.7",
            "2001:db8::7",
            "db.internal.example.org",
            "localhost",
            "10.0.0.0/16",
            "10.0.0.0/16, 2001:db8::/56",
        ] {
            check(text, Ok(text));
        }
        check("10.1.0.0/16,10.0.0.0/16", Ok("10.0.0.0/16, 10.1.0.0/16"));
        check("::ffff:10.0.0.7", Ok("10.0.0.7"));
        check("DB.Example.ORG", Ok("db.example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        check("", Err("an address cannot be empty"));
        check(
            "db.internal:5432",
            Err(
                "`db.internal:5432` has a port in it; ports belong in `ports`, like `ports = [\"tcp/5432\"]`",
            ),
        );
        check(
            "rsd:orders",
            Err(
                "`rsd:` is not a kind of address; the kinds are `rds:`, `proxy:`, `cache:`, `instance:` and `tag:`; did you mean `rds:`?",
            ),
        );
        check("10.0.0.7/16", Err("`10.0.0.7/16` has host bits set; did you mean `10.0.0.0/16`?"));
        check(
            "10.0.0.0/16, ::/0",
            Err("`::/0` contains every address; name the networks of the VPC, like `10.0.0.0/16`"),
        );
        let not = "is not an address or a CIDR (like `203.0.113.7` or `198.51.100.0/24`)";
        check("10.0.0.0/16,", Err(&format!("`` {not}")));
        check("orders/db", Err(&format!("`orders/db` {not}")));
        for text in ["10.0.0.300", "db..internal", "-db", "db internal", "db.internal.", "café", "[::1]:5432"]
        {
            check(text, Err(&format!("`{text}` is neither an address nor a host name")));
        }
        check(
            "instance:orders",
            Err("`instance:orders` is not the id of an instance (like `instance:i-0a1b2c3d4e5f60718`)"),
        );
        check("tag:Name", Err("`tag:Name` is not a tag (like `tag:Name=jump`)"));
        check(
            "rds:",
            Err("`rds:` is not the identifier of a DB instance or cluster (like `rds:orders-prod`)"),
        );
    }

    proptest! {
        #[test]
        fn what_was_read_reads_again(text in "\\PC{0,20}|(rds|tag|proxy|instance):[-a-z=0-9]{0,9}|[0-9a-f:.]{0,20}|([0-9]{1,3}\\.0\\.0\\.0/[0-9]{1,2},? ?){1,3}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
