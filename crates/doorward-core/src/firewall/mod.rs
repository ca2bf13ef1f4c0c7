//! Rules, and whole rulesets of them: the one currency of security groups, nftables and the relay.

pub mod nftables;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::grant::Live;
pub use crate::mark::{Because, InstallationId, Mark, NotAnInstallation};
use crate::net::{Cidr, Flow};
use crate::policy::{Enforcement, Firewall, FirewallName, Target, Transport};

/// Lets one prefix in to one flow, because of a grant or of a line of the policy.
///
/// Made only from a [`Live`] grant or from a static line; there is no other constructor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    flow: Flow,
    peer: Cidr,
    to: Option<IpAddr>,
    until: Option<Timestamp>,
    because: Because,
}

impl Rule {
    fn of_live(live: Live<'_>, flow: Flow, peer: Cidr) -> Self {
        let grant = live.grant();
        let because = Because::Grant {
            id: grant.id().clone(),
            person: grant.person().clone(),
            target: grant.target().clone(),
        };
        Self { flow, peer, to: None, until: Some(live.until()), because }
    }

    /// The rule, narrowed to one destination.
    fn only_to(self, to: Option<IpAddr>) -> Self {
        Self { to, ..self }
    }

    /// The rules of a firewall's static list: each entry, to the ports of each target behind it.
    pub fn statics<'a>(
        firewall: &'a Firewall,
        targets: impl IntoIterator<Item = &'a Target> + 'a,
    ) -> impl Iterator<Item = Self> + 'a {
        targets
            .into_iter()
            .filter(|target| target.firewall.as_ref() == Some(&firewall.name))
            .flat_map(|target| target.ports.iter().map(|flow| (*flow, firewall.destination(target))))
            .flat_map(|(flow, to)| firewall.statics.iter().map(move |peer| (flow, *peer, to)))
            .filter(|(flow, peer, _)| flow.fits(peer.family()))
            .map(|(flow, peer, to)| Self {
                flow,
                peer,
                to,
                until: None,
                because: Because::Static { firewall: firewall.name.clone() },
            })
    }

    /// What it lets through.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// Whom it lets in.
    pub fn peer(&self) -> Cidr {
        self.peer
    }

    /// The one destination that it lets them to; none where the firewall does not tell destinations apart.
    pub fn to(&self) -> Option<IpAddr> {
        self.to
    }

    /// Its end; none for a static rule.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Why it stands.
    pub fn because(&self) -> &Because {
        &self.because
    }

    /// Of two rules that admit the same, the one that speaks for both: a static one, else the later end.
    fn outlasts(&self, other: &Self) -> bool {
        match (self.until, other.until) {
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (mine, theirs) => (mine, &other.because) > (theirs, &self.because),
        }
    }
}

impl<'a> Live<'a> {
    /// What a firewall must admit for it: the person's address, to exactly the target's ports.
    ///
    /// Only a direct grant admits an address; every other transport carries its own packets.
    pub fn rules(self, target: &'a Target) -> impl Iterator<Item = Rule> + 'a {
        let direct = self.grant().transport() == Transport::Direct && target.name == *self.grant().target();
        let source = self.grant().source();
        target
            .ports
            .iter()
            .filter(move |flow| direct && flow.fits(source.family()))
            .map(move |flow| Rule::of_live(self, *flow, source))
    }
}

impl Firewall {
    /// The destination that a rule for a target behind this firewall is bound to, where it can be.
    ///
    /// A packet filter on the way sees where a packet goes, so that a grant to one database does not open its
    /// neighbour on the same port. A security group and a relay stand before their target and cannot tell.
    pub fn destination(&self, target: &Target) -> Option<IpAddr> {
        match self.kind {
            Enforcement::Nftables { .. } => target.address.ip(),
            Enforcement::SecurityGroup { .. } | Enforcement::Relay { .. } => None,
        }
    }
}

/// Everything that one firewall lets in: at most one rule for each flow, peer and destination.
///
/// A firewall is replaced by a ruleset, never patched. An empty ruleset admits nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset(BTreeMap<(Flow, Cidr, Option<IpAddr>), Rule>);

impl Ruleset {
    /// The rules, in order of flow, peer and destination.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is let in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule for exactly that flow and peer, to wherever the firewall stands before.
    pub fn get(&self, flow: Flow, peer: Cidr) -> Option<&Rule> {
        self.0.get(&(flow, peer, None))
    }

    /// The end until which an address is admitted to a flow, at `now`.
    ///
    /// A rule whose end has come admits nobody, also when nobody has replaced the ruleset yet.
    pub fn admits(&self, address: IpAddr, flow: Flow, now: Timestamp) -> Option<&Rule> {
        // A look for each length of prefix, however many rules there are.
        let address = address.to_canonical();
        (0..=if address.is_ipv4() { 32 } else { 128 })
            .map(|bits| Cidr::around(address, bits))
            .flat_map(|peer| {
                let rules = self.0.range((flow, peer, None)..);
                rules.take_while(move |((of, from, _), _)| *of == flow && *from == peer)
            })
            .map(|(_, rule)| rule)
            .filter(|rule| rule.until.is_none_or(|until| now < until))
            .reduce(|best, rule| if rule.outlasts(best) { rule } else { best })
    }

    /// The first end in it.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|rule| rule.until).min()
    }
}

impl FromIterator<Rule> for Ruleset {
    /// Two rules that admit the same are one rule; the one that lives longer speaks for both.
    fn from_iter<T: IntoIterator<Item = Rule>>(rules: T) -> Self {
        let mut set: BTreeMap<(Flow, Cidr, Option<IpAddr>), Rule> = BTreeMap::new();
        for rule in rules {
            match set.entry((rule.flow, rule.peer, rule.to)) {
                Entry::Vacant(place) => {
                    place.insert(rule);
                }
                Entry::Occupied(mut place) => {
                    if rule.outlasts(place.get()) {
                        place.insert(rule);
                    }
                }
            }
        }
        Self(set)
    }
}

/// The wanted rulesets of every firewall of a policy, from the live grants and the static lists.
///
/// Each firewall is there, also one that lets nobody in: its ruleset is empty, and that is enforced too.
pub fn rulesets<'a>(
    policy: &'a crate::policy::Policy,
    live: impl IntoIterator<Item = Live<'a>>,
) -> BTreeMap<FirewallName, Ruleset> {
    let mut behind: BTreeMap<&FirewallName, Vec<&Target>> = BTreeMap::new();
    for target in policy.targets.values() {
        if let Some(firewall) = &target.firewall {
            behind.entry(firewall).or_default().push(target);
        }
    }
    let statics = |(name, firewall)| {
        let targets = behind.remove(name).unwrap_or_default();
        (name, Rule::statics(firewall, targets).collect())
    };
    let mut rules: BTreeMap<&FirewallName, Vec<Rule>> = policy.firewalls.iter().map(statics).collect();
    for live in live {
        let Some(target) = policy.targets.get(live.grant().target()) else { continue };
        let Some(firewall) = target.firewall.as_ref().and_then(|name| policy.firewalls.get(name)) else {
            continue;
        };
        let to = firewall.destination(target);
        let Some(rules) = rules.get_mut(&firewall.name) else { continue };
        rules.extend(live.rules(target).map(|rule| rule.only_to(to)));
    }
    rules.into_iter().map(|(name, rules)| (name.clone(), rules.into_iter().collect())).collect()
}
