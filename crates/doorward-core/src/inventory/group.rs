//! Security groups, their rules, and whose a rule is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::{
    AccountRegion, NotAnId, Owned, PeeringId, PrefixListId, SecurityGroupId, SecurityGroupRuleId, Tags, VpcId,
};
use crate::mark::Mark;
use crate::name::InstallationId;
use crate::net::{Cidr, Family, Flow, NetError};

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    pub id: SecurityGroupId,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The account that owns it: twelve digits.
    pub owner: Option<String>,
    pub vpc: Option<VpcId>,
    pub name: String,
    /// Its description.
    pub about: String,
    pub tags: Tags,
    /// Its rules by what they let through: AWS, too, knows a rule by that and not by its description.
    pub rules: BTreeMap<RuleIdentity, ExistingRule>,
}

impl SecurityGroup {
    /// What the rules of a direction and family count against the quota.
    ///
    /// A prefix or a group reference counts one; a reference counts for both families; a prefix list counts
    /// its weight, for its own family (VPC user guide, quotas).
    pub fn weight(&self, direction: Direction, family: Family, weights: &BTreeMap<PrefixListId, u32>) -> u32 {
        self.rules
            .keys()
            .filter(|rule| rule.direction == direction)
            .map(|rule| rule.peer.weight(family, weights))
            .sum()
    }
}

/// Into the interfaces that carry a group, or out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Ingress.
    In,
    /// Egress.
    Out,
}

/// What makes two rules the same rule to AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIdentity {
    /// Which way.
    pub direction: Direction,
    /// What is let through.
    pub flow: Flow,
    /// Whom with.
    pub peer: Peer,
}

impl RuleIdentity {
    /// Admits a prefix.
    pub fn admitting(flow: Flow, peer: Cidr) -> Self {
        Self { direction: Direction::In, flow, peer: Peer::Cidr(peer) }
    }
}

impl fmt::Display for RuleIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::In => write!(f, "{} from {}", self.flow, self.peer),
            Direction::Out => write!(f, "{} to {}", self.flow, self.peer),
        }
    }
}

/// A text that is no rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARule {
    /// It does not say what is let through, and where from or to.
    #[error("`{0}` is not a rule (like `tcp/5432 from 203.0.113.7/32` or `all to sg-0a1b2c3d4e5f60718`)")]
    Shape(String),
    /// What it lets through is no flow, or whom with is no prefix.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Whom with looks like the id of a group or of a prefix list, and is none.
    #[error(transparent)]
    Id(#[from] NotAnId),
}

impl FromStr for RuleIdentity {
    type Err = NotARule;

    /// `FLOW from PEER`, or `FLOW to PEER`: as it is shown.
    fn from_str(text: &str) -> Result<Self, NotARule> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (flow, direction, peer) = match *words.as_slice() {
            [flow, "from", peer] => (flow, Direction::In, peer),
            [flow, "to", peer] => (flow, Direction::Out, peer),
            _ => return Err(NotARule::Shape(text.into())),
        };
        Ok(Self { direction, flow: flow.parse()?, peer: peer.parse()? })
    }
}

/// The other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A prefix.
    Cidr(Cidr),
    /// The interfaces that carry a group.
    Group(SecurityGroupId),
    /// The entries of a prefix list.
    PrefixList(PrefixListId),
}

impl Peer {
    /// What it counts in a family.
    pub(crate) fn weight(&self, family: Family, weights: &BTreeMap<PrefixListId, u32>) -> u32 {
        match self {
            Self::Cidr(cidr) => u32::from(cidr.family() == family),
            Self::Group(_) => 1,
            // A list's family is not always known; counting it for both can refuse, never overrun.
            Self::PrefixList(list) => weights.get(list).copied().unwrap_or(1),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::Group(group) => group.fmt(f),
            Self::PrefixList(list) => list.fmt(f),
        }
    }
}

impl FromStr for Peer {
    type Err = NotARule;

    fn from_str(text: &str) -> Result<Self, NotARule> {
        Ok(if text.starts_with("sg-") {
            Self::Group(text.parse()?)
        } else if text.starts_with("pl-") {
            Self::PrefixList(text.parse()?)
        } else {
            Self::Cidr(text.parse()?)
        })
    }
}

/// What AWS tells of a reference from a group to one of another account or VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupReference {
    /// The account that owns the referenced group.
    pub owner: Option<String>,
    /// The VPC of the referenced group.
    pub vpc: Option<VpcId>,
    /// The peering connection between the VPCs.
    pub peering: Option<PeeringId>,
    /// The state of the peering connection, like `active` or `deleted`.
    pub peering_state: Option<String>,
}

impl GroupReference {
    /// Whether the peering connection that it needs is gone or not there yet: then it matches nothing.
    ///
    /// Source: VPC peering guide, working with stale security group rules.
    pub fn is_stale(&self) -> bool {
        self.peering_state.as_deref().is_some_and(|state| state != "active")
    }
}

/// A rule as it stands in a group, apart from what makes it itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExistingRule {
    /// Its id; none while it is only wanted.
    pub id: Option<SecurityGroupRuleId>,
    pub description: String,
    /// The value of the tag [`Mark::TAG`], if it bears that.
    pub tag: Option<String>,
}

/// Whose a rule is, read from the rule itself.
///
/// Only tag and description together tell: whoever may write tags (`ec2:CreateTags`) may not yet take rules away, and
/// whoever may edit descriptions may not either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's that we know: never touched.
    Foreign,
    /// A Doorward's by its tag and by its description, which says all.
    Marked(Mark),
    /// It has a Doorward's tag, and a description that is no mark: nobody's, unless the store has its id.
    TagOnly(InstallationId),
    /// It has a Doorward's mark, and not the tag of the same one: nobody's, unless the store has its id.
    MarkOnly(Mark),
}

impl ExistingRule {
    /// Whose it is.
    pub fn ownership(&self) -> Ownership {
        let tag = self.tag.as_deref().and_then(|tag| tag.parse::<InstallationId>().ok());
        match (self.description.parse::<Mark>(), tag) {
            (Ok(mark), Some(by)) if mark.by == by => Ownership::Marked(mark),
            (Ok(mark), _) => Ownership::MarkOnly(mark),
            (Err(_), Some(by)) => Ownership::TagOnly(by),
            (Err(_), None) => Ownership::Foreign,
        }
    }

    /// Whether `by` made it, as its tag and its mark say together.
    pub fn made_by(&self, by: &InstallationId) -> bool {
        matches!(self.ownership(), Ownership::Marked(mark) if mark.by == *by)
    }

    /// The right to touch it, if `by` made it.
    pub fn owned(&self, by: &InstallationId) -> Option<Owned<SecurityGroupRuleId>> {
        self.id.clone().filter(|_| self.made_by(by)).map(Owned::proven)
    }

    /// The right to touch it, if its id is among those that a store has noted as its own.
    pub(super) fn noted(&self, ids: &BTreeSet<SecurityGroupRuleId>) -> Option<Owned<SecurityGroupRuleId>> {
        self.id.clone().filter(|id| ids.contains(id)).map(Owned::proven)
    }

    /// The right to close it because its own mark, which its tag confirms, says that its time is up, whoever made it.
    pub fn expired(&self, now: jiff::Timestamp) -> Option<Owned<SecurityGroupRuleId>> {
        let over = match self.ownership() {
            Ownership::Marked(mark) => mark.until.is_some_and(|until| until <= now),
            Ownership::Foreign | Ownership::TagOnly(_) | Ownership::MarkOnly(_) => false,
        };
        self.id.clone().filter(|_| over).map(Owned::proven)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::net::{Icmp, Ports};

    fn flow() -> impl Strategy<Value = Flow> {
        let ports = || (any::<u16>(), any::<u16>()).prop_filter_map("backwards", |(a, b)| Ports::range(a, b));
        let icmp = || {
            prop_oneof![
                Just(Icmp::All),
                any::<u8>().prop_map(Icmp::Type),
                any::<(u8, u8)>().prop_map(|(kind, code)| Icmp::Code(kind, code)),
            ]
        };
        // Protocols that have a name of their own are read as that.
        let number = any::<u8>().prop_filter("it has a name", |number| ![1, 6, 17, 58].contains(number));
        prop_oneof![
            Just(Flow::All),
            ports().prop_map(Flow::Tcp),
            ports().prop_map(Flow::Udp),
            icmp().prop_map(Flow::Icmp),
            icmp().prop_map(Flow::Icmpv6),
            number.prop_map(Flow::Protocol),
        ]
    }

    fn peer() -> impl Strategy<Value = Peer> {
        prop_oneof![
            (any::<IpAddr>(), 0..=128_u8).prop_map(|(address, bits)| Peer::Cidr(Cidr::around(address, bits))),
            "sg-[0-9a-f]{8,17}".prop_filter_map("an id", |id| id.parse().ok().map(Peer::Group)),
            "pl-[0-9a-f]{8,17}".prop_filter_map("an id", |id| id.parse().ok().map(Peer::PrefixList)),
        ]
    }

    proptest! {
        #[test]
        fn a_rule_reads_as_it_is_shown(flow in flow(), peer in peer(), inward: bool) {
            let direction = if inward { Direction::In } else { Direction::Out };
            let rule = RuleIdentity { direction, flow, peer };
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }

        #[test]
        fn whatever_is_typed_is_a_rule_or_an_error(text in "\\PC{0,40}|(tcp/|all|icmp/)[0-9]{0,3}( from | to )\\PC{0,20}") {
            if let Ok(rule) = text.parse::<RuleIdentity>() {
                prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            }
        }
    }

    #[test]
    fn a_rule_is_ours_by_tag_and_mark_and_by_neither_alone() {
        const MARK: &str = "doorward 3f9c2a1b g-k3v9t2m4x7q8 jon to orders-db until 2026-11-22T10:00:00Z";
        let by: InstallationId = "3f9c2a1b".parse().expect("an installation");
        let late = "2026-11-23T10:00:00Z".parse().expect("an instant");
        let check = |description: &str, tag: Option<&str>, ours: bool| {
            let id = Some(SecurityGroupRuleId::numbered(1));
            let rule = ExistingRule { id, description: description.into(), tag: tag.map(Into::into) };
            assert_eq!(rule.made_by(&by), ours, "{rule:?}");
            assert_eq!(rule.owned(&by).is_some(), ours, "{rule:?}");
            assert_eq!(rule.expired(late).is_some(), ours, "{rule:?}");
        };
        check(MARK, Some("3f9c2a1b"), true);
        check(MARK, None, false);
        check(MARK, Some("deadbeef"), false);
        check(MARK, Some("yes"), false);
        check("mine", Some("3f9c2a1b"), false);
        check("", Some("3f9c2a1b"), false);
        check("mine", None, false);
        let theirs = ExistingRule {
            description: MARK.into(),
            tag: Some("3f9c2a1b".into()),
            ..ExistingRule::default()
        };
        assert!(!theirs.made_by(&"deadbeef".parse().expect("an installation")));
    }

    #[test]
    fn what_is_no_rule_says_why() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<RuleIdentity>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "`` is not a rule");
        check("tcp/5432", "`tcp/5432` is not a rule (like `tcp/5432 from 203.0.113.7/32`");
        check("tcp/5432 of 10.0.0.0/8", "is not a rule");
        check("tcp/5432 from 10.0.0.0/8 please", "is not a rule");
        check("tcp/x from 10.0.0.0/8", "`tcp/x` is not a flow");
        check("tcp/5432 from 10.0.0.1/8", "did you mean `10.0.0.0/8`?");
        check("tcp/5432 from office", "`office` is not an address or a CIDR");
        check("tcp/5432 from sg-", "`sg-` is not the id of a security group");
        check("tcp/5432 from pl-_", "`pl-_` is not the id of a prefix list");
    }
}
