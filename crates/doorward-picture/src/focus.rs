//! Narrowing: the same drawing with only the paths of a role, or between two tiers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use doorward_core::reach::RoleId;

use crate::{Drawing, Spot, Tier};

/// What a picture is narrowed to. Written `role-12`, `outside-0`, and `role-12.outside-0` for everything between
/// the tier of the first and that of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// The ways of one end.
    Of(Spot),
    /// The ways from the tier of one to the tier of the other.
    Between(Spot, Spot),
}

/// A text that is no focus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of the picture (such as `role-12` or `role-12.outside-0`)")]
pub struct NotAFocus(String);

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(place) => write!(f, "outside-{place}"),
            Self::Role(RoleId(number)) => write!(f, "role-{number}"),
        }
    }
}

impl fmt::Display for Focus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(spot) => spot.fmt(f),
            Self::Between(from, to) => write!(f, "{from}.{to}"),
        }
    }
}

impl FromStr for Focus {
    type Err = NotAFocus;

    fn from_str(text: &str) -> Result<Self, NotAFocus> {
        let spot = |text: &str| match text.split_once('-') {
            Some(("role", number)) => number.parse().ok().map(|number| Spot::Role(RoleId(number))),
            Some(("outside", place)) => place.parse().ok().map(Spot::Outside),
            _ => None,
        };
        let focus = match text.split_once('.') {
            Some((from, to)) => spot(from).zip(spot(to)).map(|(from, to)| Self::Between(from, to)),
            None => spot(text).map(Self::Of),
        };
        focus.ok_or_else(|| NotAFocus(text.into()))
    }
}

impl Drawing {
    /// The same with the ways of a part alone; none when the part is not in it.
    pub fn narrowed(&self, focus: Focus) -> Option<Self> {
        // The tier of each role.
        let mut tiers: BTreeMap<Spot, SpotOwner> =
            (0..self.outside.len()).map(|place| (Spot::Outside(place), SpotOwner::Outside(place))).collect();
        for (number, tier) in self.vpcs.iter().flat_map(|vpc| &vpc.tiers).enumerate() {
            tiers.extend(tier.roles.iter().map(|role| (Spot::Role(role.id), SpotOwner::Tier(number))));
        }
        let mut part = self.clone();
        part.part = true;
        match focus {
            Focus::Of(spot) => {
                tiers.get(&spot)?;
                part.edges.retain(|edge| edge.from == spot || edge.to == spot);
            }
            Focus::Between(from, to) => {
                let (from, to) = (tiers.get(&from)?, tiers.get(&to)?);
                part.edges
                    .retain(|edge| tiers.get(&edge.from) == Some(from) && tiers.get(&edge.to) == Some(to));
            }
        }
        // What has no part in it is not drawn: a tier that nothing leads to or from, and a VPC of such tiers.
        let ends: BTreeSet<Spot> = part.edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
        for vpc in &mut part.vpcs {
            vpc.tiers.retain(|tier| tier.roles.iter().any(|role| ends.contains(&Spot::Role(role.id))));
        }
        part.vpcs.retain(|vpc| !vpc.tiers.is_empty());
        part.title = self.heading(focus);
        Some(part)
    }

    fn heading(&self, focus: Focus) -> String {
        match focus {
            Focus::Of(spot) => format!("Paths of {}", self.name(spot)),
            Focus::Between(from, to) => {
                format!("Paths from {} to {}", self.tier_name(from), self.tier_name(to))
            }
        }
    }

    /// The name of an end.
    pub fn name(&self, spot: Spot) -> &str {
        match spot {
            Spot::Outside(place) => self.outside.get(place).map_or("", |outside| outside.name.as_str()),
            Spot::Role(id) => self
                .tiers()
                .flat_map(|tier| &tier.roles)
                .find(|role| role.id == id)
                .map_or("", |role| role.name.as_str()),
        }
    }

    /// The name of the tier of an end.
    fn tier_name(&self, spot: Spot) -> &str {
        let has = |tier: &&Tier| tier.roles.iter().any(|role| Spot::Role(role.id) == spot);
        self.tiers().find(has).map_or_else(|| self.name(spot), |tier| tier.title.as_str())
    }

    /// The names of all ends.
    pub fn names(&self) -> BTreeMap<Spot, &str> {
        let outside = self.outside.iter().enumerate();
        let outside = outside.map(|(place, outside)| (Spot::Outside(place), outside.name.as_str()));
        let roles = self.tiers().flat_map(|tier| &tier.roles);
        outside.chain(roles.map(|role| (Spot::Role(role.id), role.name.as_str()))).collect()
    }

    fn tiers(&self) -> impl Iterator<Item = &Tier> {
        self.vpcs.iter().flat_map(|vpc| &vpc.tiers)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SpotOwner {
    Outside(usize),
    Tier(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_focus_reads_and_writes_alike() {
        for text in ["role-12", "outside-0", "role-12.outside-0", "outside-1.role-3"] {
            assert_eq!(text.parse::<Focus>().map(|focus| focus.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "role", "role-", "role-x", "role-1.", "role--1", "role-1.role-2.role-3", "vpc-1"] {
            assert_eq!(text.parse::<Focus>(), Err(NotAFocus(text.into())));
        }
    }
}
