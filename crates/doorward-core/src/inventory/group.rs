//! Security groups, their rules, and whose a rule is.

use std::collections::BTreeMap;
use std::fmt;

use super::{Place, PrefixListId, SecurityGroupId, SecurityGroupRuleId, VpcId};
use crate::firewall::{InstallationId, Mark};
use crate::net::{Cidr, Family, Flow};

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Where it was seen.
    pub place: Place,
    /// The account that owns it: twelve digits.
    pub owner: Option<String>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its name.
    pub name: String,
    /// Its description.
    pub about: String,
    /// Its rules by what they let through: AWS, too, knows a rule by that and not by its description.
    pub rules: BTreeMap<RuleIdentity, StandingRule>,
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
    fn weight(&self, family: Family, weights: &BTreeMap<PrefixListId, u32>) -> u32 {
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

/// A rule as it stands in a group, apart from what makes it itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandingRule {
    /// Its id; none while it is only wanted.
    pub id: Option<SecurityGroupRuleId>,
    /// Its description.
    pub description: String,
    /// The value of the tag [`Mark::TAG`], if it bears that.
    pub tag: Option<String>,
}

/// Whose a rule is, read from its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's that we know: never touched.
    Foreign,
    /// A Doorward's, and its description says all.
    Marked(Mark),
    /// A Doorward's by its tag, with a description that no longer says which grant.
    TagOnly(InstallationId),
}

impl StandingRule {
    /// Whose it is. The description decides; without a readable one, the tag does.
    pub fn ownership(&self) -> Ownership {
        match (self.description.parse::<Mark>(), self.tag.as_deref().map(str::parse)) {
            (Ok(mark), _) => Ownership::Marked(mark),
            (Err(_), Some(Ok(by))) => Ownership::TagOnly(by),
            (Err(_), _) => Ownership::Foreign,
        }
    }

    /// Whether `by` made it.
    pub fn made_by(&self, by: &InstallationId) -> bool {
        match self.ownership() {
            Ownership::Foreign => false,
            Ownership::Marked(mark) => mark.by == *by,
            Ownership::TagOnly(tag) => tag == *by,
        }
    }

    /// The right to touch it, if `by` made it.
    pub fn owned(&self, by: &InstallationId) -> Option<Owned<SecurityGroupRuleId>> {
        self.id.clone().filter(|_| self.made_by(by)).map(Owned)
    }

    /// The right to close it because its own mark says that its time is up, whoever made it.
    ///
    /// A mark that has a tag and no readable end is past its end: in doubt, the door is shut.
    pub fn expired(&self, now: jiff::Timestamp) -> Option<Owned<SecurityGroupRuleId>> {
        let over = match self.ownership() {
            Ownership::Foreign => false,
            Ownership::Marked(mark) => mark.until.is_some_and(|until| until <= now),
            Ownership::TagOnly(_) => true,
        };
        self.id.clone().filter(|_| over).map(Owned)
    }
}

/// The id of something that a Doorward made: what destroys takes only this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned<Id>(Id);

impl<Id> Owned<Id> {
    /// The id.
    pub fn id(&self) -> &Id {
        &self.0
    }
}
