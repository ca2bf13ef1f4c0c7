//! Targets that nothing tells apart where they are enforced: a grant of one is a grant of the other, so both must admit
//! the same people.

use std::collections::BTreeSet;
use std::net::IpAddr;

use toml::de::DeValue;

use super::firewall::FirewallAt;
use super::target::TargetAt;
use super::walk::{Section, Walk, and};
use crate::policy::{Address, Documents, Enforcement, Ssh, Ssm, Target, Transport};

/// Reports every two targets of which one is reached by a grant of the other that its own lines would refuse.
///
/// Both lists are in the order of the file.
pub(super) fn check<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    (ssm, ssh): (Option<&Ssm>, Option<&Ssh>),
    firewalls: &[FirewallAt],
    targets: &[TargetAt],
) {
    let chosen = |section: &str| match root.get(section).map(|value| value.get_ref()) {
        Some(DeValue::Table(table)) => {
            matches!(table.get("shared").map(|value| value.get_ref()), Some(DeValue::Boolean(true)))
        }
        _ => false,
    };
    let jump = Jump { ssm, ssh, ssm_shared: chosen("ssm"), ssh_shared: chosen("ssh") };
    for (index, at) in targets.iter().enumerate() {
        for before in targets.iter().take(index) {
            let ways = [(before, at), (at, before)];
            let found = ways.into_iter().find_map(|(from, to)| {
                let less = Less::of(&from.target, &to.target);
                if less.is_nothing() {
                    return None;
                }
                let shared = direct(firewalls, &from.target, &to.target)
                    .or_else(|| jump.carried(&from.target, &to.target))
                    .or_else(|| within(&from.target, &to.target))?;
                Some((from, to, less, shared))
            });
            if let Some((from, to, less, shared)) = found {
                tell(walk, (before, at), (&from.target, &to.target), &less, &shared);
            }
        }
    }
}

/// What two targets share.
struct Shared {
    /// Where nothing tells them apart.
    place: String,
    /// Whether the policy says there that it is meant.
    chosen: bool,
    /// What would tell them apart.
    fix: String,
}

/// What the second of two targets asks for and the first does not.
#[derive(Default)]
struct Less {
    /// Groups that may open the first alone.
    groups: Vec<String>,
    approval: bool,
    /// What is less than who may open it: how long, and with a reason.
    conditions: Vec<&'static str>,
}

impl Less {
    fn of(from: &Target, to: &Target) -> Self {
        let groups = from.groups.difference(&to.groups).map(|group| group.as_str().to_owned()).collect();
        // Whoever opens the first without being asked about has the second without being asked about.
        let approval = match (&to.approval, &from.approval) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(to), Some(from)) => from.above > to.above || !from.from.is_subset(&to.from),
        };
        let mut conditions = Vec::new();
        if from.lasts.at_most > to.lasts.at_most {
            conditions.push("at-most");
        }
        if to.reason_required && !from.reason_required {
            conditions.push("reason");
        }
        Self { groups, approval, conditions }
    }

    fn is_nothing(&self) -> bool {
        self.groups.is_empty() && !self.approval && self.conditions.is_empty()
    }
}

fn tell(
    walk: &mut Walk<'_>,
    (before, at): (&TargetAt, &TargetAt),
    (from, to): (&Target, &Target),
    less: &Less,
    shared: &Shared,
) {
    let other = walk.place(&before.name_at);
    let groups: Vec<&str> = less.groups.iter().map(String::as_str).collect();
    let why = match (groups.as_slice(), less.approval) {
        ([], true) => format!("`{}` without the approval of `{}`", from.name, to.name),
        ([], false) => format!("`{}` without its {}", from.name, and(&less.conditions)),
        (groups, _) => format!("{} members may open `{}` and not `{}`", and(groups), from.name, to.name),
    };
    let why = match groups.as_slice() {
        [] => format!("a person who opens {why} can also reach `{}`", to.name),
        _ => format!("{why}, and reach it through that"),
    };
    let what = format!(
        "{} does not distinguish this target from `[target.{}]`, at {other}: {why}",
        shared.place, before.target.name
    );
    let one = before.shared || at.shared;
    // A target that nobody may open is one that somebody put away: that is no reason to refuse the whole policy.
    let weak = to.groups.is_empty() || (less.groups.is_empty() && !less.approval);
    let hint = format!(
        "give both the same `groups` and `approval`, {}, or set `shared = true` in one of them if this is intended",
        shared.fix
    );
    match shared.chosen || one {
        true => walk.warning(&at.name_at, what, None),
        false if weak => walk.warning(&at.name_at, what, Some(hint)),
        false => walk.error(&at.name_at, what, Some(hint)),
    }
}

/// Where a direct grant of one admits to the other too.
fn direct(firewalls: &[FirewallAt], from: &Target, to: &Target) -> Option<Shared> {
    let is_direct = |target: &Target| target.transports.contains(&Transport::Direct);
    if !is_direct(from) || !is_direct(to) || from.firewall.is_none() || from.firewall != to.firewall {
        return None;
    }
    let at = firewalls.iter().find(|at| Some(&at.firewall.name) == from.firewall.as_ref())?;
    let both = from.ports.iter().find(|one| to.ports.iter().any(|other| one.meets(*other)))?;
    let (place, fix) = match &at.firewall.kind {
        Enforcement::SecurityGroup { group, .. } => {
            (format!("security group `{group}`"), "give each its own security group")
        }
        Enforcement::Nftables { table } => {
            // A rule without a destination admits to every one.
            let (one, other): (Option<IpAddr>, Option<IpAddr>) =
                (at.firewall.destination(from), at.firewall.destination(to));
            if one.is_some() && one != other {
                return None;
            }
            (format!("the table `inet {table}`"), "give each its own IP address in `address`")
        }
        // A relay leads to one target, and a second one is a mistake of its own.
        Enforcement::Relay { .. } => return None,
    };
    Some(Shared { place: format!("{place} (`{both}`)"), chosen: at.shared, fix: fix.to_owned() })
}

/// Where one is a network that the other lies in, whatever the transports and the firewall of the other.
fn within(from: &Target, to: &Target) -> Option<Shared> {
    let network = from.network_with(to)?;
    let both = from.ports.iter().find(|one| to.ports.iter().any(|other| one.meets(*other)))?;
    Some(Shared {
        place: format!("the network of `[target.{}]` (`{network}`, `{both}`)", from.name),
        chosen: false,
        fix: "narrow the network or its `ports`".to_owned(),
    })
}

/// The jump hosts of a policy.
struct Jump<'p> {
    ssm: Option<&'p Ssm>,
    ssh: Option<&'p Ssh>,
    ssm_shared: bool,
    ssh_shared: bool,
}

impl Jump<'_> {
    /// Where what carries one reaches the other too: a session with AWS's own documents, whose host is free, and a
    /// login on the jump host.
    fn carried(&self, from: &Target, to: &Target) -> Option<Shared> {
        let by = |target: &Target, way| target.transports.contains(&way);
        let through: BTreeSet<&Address> = [
            self.ssm.filter(|_| by(to, Transport::Ssm)).map(|ssm| &ssm.jump_host),
            self.ssh.filter(|_| by(to, Transport::Ssh)).map(|ssh| &ssh.jump_host),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(ssm) = self.ssm.filter(|_| by(from, Transport::Ssm)) {
            // A session to the jump host itself leads to its own ports alone.
            let within = from.address != ssm.jump_host || to.address == ssm.jump_host;
            if ssm.documents == Documents::Shared && within && through.contains(&ssm.jump_host) {
                return Some(Shared {
                    place: format!("a session through `{}` with AWS's own documents", ssm.jump_host),
                    chosen: self.ssm_shared,
                    fix: "write `documents = \"pinned\"` in `[ssm]`".to_owned(),
                });
            }
        }
        let ssh = self.ssh.filter(|ssh| by(from, Transport::Ssh) && through.contains(&ssh.jump_host))?;
        Some(Shared {
            place: format!("the login that `ssh` gives on `{}`", ssh.jump_host),
            chosen: self.ssh_shared,
            fix: "remove `ssh` from the `transports` of one of them".to_owned(),
        })
    }
}
