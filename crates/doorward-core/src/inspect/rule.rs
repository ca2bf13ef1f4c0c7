//! The rules that an account is inspected by, each with an id that stays.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How much a finding matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody may get in today.
    High,
    /// With one more error somebody may; or something does not work.
    Medium,
    /// A misconfiguration without immediate effect.
    Low,
    /// Worth knowing, or not known for certain.
    Note,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Note];
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Note => "note",
        })
    }
}

/// A text that is the id of no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{given}`{}", .meant.map(|rule| format!("; did you mean `{rule}`?")).unwrap_or_default())]
pub struct NoSuchRule {
    given: String,
    meant: Option<Rule>,
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident $title:literal $help:literal)*) => {
        /// What is looked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $title] $name,)*
        }

        impl Rule {
            /// All of them, in the order in which findings of one severity are listed.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its id, which never changes: what `--only`, SARIF and people who keep lists go by.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What it finds, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What its findings usually are; each finding has a severity of its own.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// When it finds something, why that matters, and what the severities are.
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

rules! {
    InternetReachable "internet-reachable" High "Reachable from the internet"
        "A packet from the internet reaches it and the replies come back: gateway, routes, network ACLs, security groups and public address all allow it. High for databases, SSH, RDP and the like and for all ports at once; note for web ports of load balancers and where only named addresses are admitted; low for ICMP alone; medium for the rest."
    PublicDatabase "public-database" High "Database that is publicly accessible"
        "RDS gives a database with PubliclyAccessible a public address. High when everyone reaches its port, medium when only named addresses do; note when only the flag is set and something else blocks the packets, which the next change may undo."
    WideRule "wide-rule" Medium "Security group that admits very many addresses"
        "The rules of a group together admit everyone, or more addresses than a /8 of IPv4 or a /32 of IPv6, on some port. Prefixes are joined exactly: two halves are everyone. Medium when packets from the internet reach an interface by it, low when an interface has it attached, note when none has or when it is a load balancer's web port."
    StaleReference "stale-reference" Low "Rule that references a group which does not exist"
        "A rule references a group that was deleted, or one in a VPC without an active peering. It matches nothing, counts against the quota, and misleads its readers. Note when the group may be among the resources that could not be read."
    SelfReference "self-reference" Medium "Security group that admits itself"
        "All interfaces with the group attached reach each other, on ports that most of them were never meant to offer. Medium when it opens paths to interfaces that are not known to serve those ports, low when it opens only paths to interfaces that do or that accept nothing, note when fewer than two interfaces have it attached."
    HalfRole "half-role" Medium "Role whose other half is missing"
        "A path needs two rules: an outbound rule of the sender's groups and an inbound rule of the receiver's groups. Medium when one of them exists and the other does not; note when a group is admitted that no interface has attached."
    Quota "quota" Low "Quota that is reached or nearly so"
        "Ninety per cent or more of a quota of Amazon VPC: rules of a group, groups of an interface, routes of a table, entries of a network ACL, groups and interfaces of a Region. Medium when no more fits, low when little more does, note when only a default that can be raised is reached."
    UnusedGroup "unused-group" Low "Security group that nothing uses"
        "No interface has it attached, no other group references it, and no service that was described is set to use it. Note when a call that could have shown a use gave no answer: then it is not known."
    AclCutsReplies "acl-cuts-replies" Medium "Network ACL that cuts replies"
        "A network ACL allows a connection in one direction and not its replies, which go to a port that the client chose: 32768 to 60999 on Linux, 49152 to 65535 on Windows, 1024 to 65535 for NAT gateways, load balancers and Lambda. Medium when clients on Linux or Windows are cut, low when only others are or when no interface is there."
    BlackholeRoute "blackhole-route" Medium "Route to something that is gone"
        "Packets that it matches are dropped. Medium when subnets use the table, low when none does, and low in a transit gateway, where a black hole may be meant."
    UnusedRouteTable "unused-route-table" Note "Route table that nothing uses"
        "No subnet and no gateway is associated with it, and it is not the main table of its VPC."
    DatabaseWayOut "database-way-out" Medium "Database subnet with a default route"
        "A subnet of databases or caches has a default route. A database needs none: without a route an intruder cannot send data out. High when the route leads to an internet gateway and a database in it has a public address, medium to an internet gateway otherwise, low to a NAT gateway or anything else."
    DatabaseInDefaultGroup "database-in-default-group" High "Database in its VPC's default security group"
        "A database that is restored from a snapshot without naming groups gets the VPC's default one, which by default admits every other interface that has it attached. High when the group admits itself and other interfaces have it attached, else medium."
    DefaultGroup "default-group" Low "Default security group that has rules"
        "Resources that are created without naming a group get the default one, so it should have no rules. Low when an interface has it attached, note when none has."
    DatabaseZones "database-zones" Low "Database subnet group in one Availability Zone"
        "RDS requires two zones in a subnet group, and a database cannot move to another zone without."
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl FromStr for Rule {
    type Err = NoSuchRule;

    fn from_str(text: &str) -> Result<Self, NoSuchRule> {
        let named = Self::ALL.iter().copied().find(|rule| rule.id() == text);
        named.ok_or_else(|| {
            let likeness = |rule: &Rule| strsim::jaro_winkler(text, rule.id());
            let near = Self::ALL.iter().copied().filter(|rule| likeness(rule) > 0.8);
            let meant = near.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            NoSuchRule { given: text.to_owned(), meant }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_known_by_its_id() {
        for rule in Rule::ALL {
            assert_eq!(rule.id().parse(), Ok(*rule));
            assert!(rule.help().ends_with('.'), "{rule}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_asked_about() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Rule>().map_err(|error| error.to_string()), Err(expected.to_owned()));
        };
        check("wide-rules", "there is no rule `wide-rules`; did you mean `wide-rule`?");
        check("", "there is no rule ``");
    }
}
