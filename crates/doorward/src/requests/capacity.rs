//! The firewall of a grant: its free capacity, whether the rule exists, and other rules that admit the same address.

use doorward_core::decision::Refusal;
use doorward_core::firewall::rulesets;
use doorward_core::grant::Grant;
use doorward_core::inventory::{Direction, Peer, SecurityGroupId, Seen};
use doorward_core::plan::{self, NoRoom};
use doorward_core::policy::{
    Closing, Enforcement, Firewall, FirewallName, Person, Policy, TargetName, Transport,
};
use jiff::Timestamp;

use super::turns::Turn;
use super::{Requests, WAITS};
use crate::policy_file::Loaded;
use crate::status::{Status, SyncState};
use crate::store::{Store, in_time};

impl Requests {
    /// Waits until the group of a grant was seen, for a while: whether there is room in it is decided by that.
    pub(super) async fn group_seen(&self, loaded: &Loaded, grant: &Grant, by: &Person) {
        self.group_of_target_seen(loaded, grant.target(), grant.transport(), by).await;
    }

    /// Waits until the group of a target was seen, for a while.
    pub(super) async fn group_of_target_seen(
        &self,
        loaded: &Loaded,
        target: &TargetName,
        transport: Transport,
        by: &Person,
    ) {
        let Some((firewall, group)) = group_of(loaded, target, transport) else { return };
        if matches!(self.app.nudge().status().inventory.group(group), Seen::There(_)) {
            return;
        }
        // It may be there by now.
        if let Some(_wait) = self.waits.begin(&(by.clone(), Some(firewall.name.clone())), WAITING) {
            self.app.nudge().settled(Some(&firewall.name), WAITS).await;
        }
    }

    /// A turn to decide what a security group has room for; none where a target is not behind one.
    pub(super) async fn turn_at(
        &self,
        loaded: &Loaded,
        target: &TargetName,
        transport: Transport,
    ) -> Option<Turn<'_, SecurityGroupId>> {
        let (_, group) = group_of(loaded, target, transport)?;
        Some(self.groups.turn(group.clone()).await)
    }

    /// Whether the firewall has room for a grant's rules in addition to all others, according to the last poll.
    pub(super) fn room(
        &self,
        loaded: &Loaded,
        unfinished: &[Grant],
        grant: &Grant,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some((firewall, _)) = group_of(loaded, grant.target(), grant.transport()) else { return Ok(()) };
        let status = self.app.nudge().status();
        let others = unfinished.iter().filter(|other| other.id() != grant.id()).chain([grant]);
        let live = others.filter_map(|grant| grant.live(now));
        let wanted = rulesets(&loaded.policy, live);
        let Some(ruleset) = wanted.get(&firewall.name) else { return Ok(()) };
        plan::room(&status.inventory, firewall, ruleset, self.app.store().installation()).map_err(|no_room| {
            let why = no_room.to_string();
            match no_room {
                NoRoom::Quota { .. } => Refusal::NoRoom { why },
                NoRoom::Gone { .. } | NoRoom::WrongVpc { .. } => Refusal::NotThere { why },
                NoRoom::Unseen { cause, .. } => Refusal::Unavailable { cause, why },
            }
        })
    }

    pub(super) fn firewall_of<'a>(&self, loaded: &'a Loaded, grant: &Grant) -> Option<&'a Firewall> {
        let name = loaded.policy.targets.get(grant.target())?.firewall.as_ref()?;
        loaded.policy.firewalls.get(name).filter(|_| grant.transport() == Transport::Direct)
    }

    pub(super) fn firewall_name(&self, grant: &Grant) -> Option<FirewallName> {
        self.firewall_of(&self.app.loaded(), grant).map(|firewall| firewall.name.clone())
    }

    pub(super) fn closing(&self, grant: &Grant) -> Closing {
        if grant.transport() != Transport::Direct {
            // The client program stops forwarding.
            return Closing::Severs;
        }
        let loaded = self.app.loaded();
        self.firewall_of(&loaded, grant).map_or(Closing::RefusesNewOnly, |firewall| firewall.kind.closing())
    }

    /// The state once a grant has ended: its sessions are looked for by a pass that has begun by then.
    pub(super) async fn sync_state_at_end(&self, grant: &Grant) -> SyncState {
        if grant.transport() != Transport::Direct
            && let Some(_wait) = self.waits.begin(&(grant.person().clone(), None), WAITING)
        {
            self.app.nudge().settled(None, WAITS).await;
        }
        self.sync_state(grant).await
    }

    pub(super) async fn sync_state(&self, grant: &Grant) -> SyncState {
        if grant.transport() != Transport::Direct {
            return SyncState::InSync;
        }
        let firewall = self.firewall_name(grant);
        let key = (grant.person().clone(), firewall.clone());
        let Some(_wait) = self.waits.begin(&key, WAITING) else {
            // A person with dozens of pending requests hears that this one is in progress.
            self.app.nudge().wake();
            return SyncState::Unknown;
        };
        let (covered, status) = self.app.nudge().settled(firewall.as_ref(), WAITS).await;
        match firewall {
            Some(firewall) if covered => status.of(&firewall),
            _ => SyncState::Unknown,
        }
    }

    /// What else admits the address of a grant that has ended.
    pub(super) async fn still_admitted(&self, grant: &Grant) -> Option<String> {
        let loaded = self.app.loaded();
        let now = self.app.clock().now();
        let firewall = self.firewall_of(&loaded, grant)?;
        let unfinished = in_time(self.unfinished()).await.unwrap_or_else(|_| self.known());
        let ours = || admits_still(&loaded.policy, firewall, &unfinished, grant, now);
        let foreign =
            || foreign_rule(&loaded.policy, firewall, &self.app.nudge().status(), grant, self.app.store());
        ours().or_else(foreign)
    }
}

/// How many requests of one person wait for one firewall at once; each holds a connection and a task.
const WAITING: usize = 16;

/// The security group behind which a target is, and its firewall.
fn group_of<'a>(
    loaded: &'a Loaded,
    target: &TargetName,
    transport: Transport,
) -> Option<(&'a Firewall, &'a SecurityGroupId)> {
    let name = loaded.policy.targets.get(target)?.firewall.as_ref()?;
    let firewall = loaded.policy.firewalls.get(name).filter(|_| transport == Transport::Direct)?;
    match &firewall.kind {
        Enforcement::SecurityGroup { group, .. } => Some((firewall, group)),
        Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
    }
}

/// Why a firewall admits the address of a grant to the grant's target.
pub(super) fn admits_still(
    policy: &Policy,
    firewall: &Firewall,
    grants: &[Grant],
    grant: &Grant,
    now: Timestamp,
) -> Option<String> {
    let target = policy.targets.get(grant.target())?;
    let wanted = rulesets(policy, grants.iter().filter_map(|grant| grant.live(now)));
    let to = firewall.destination(target);
    let mut admitting = wanted.get(&firewall.name)?.iter().filter(|rule| {
        // A packet filter tells a target from its neighbour on the same port.
        target.ports.contains(&rule.flow()) && rule.peer().covers(grant.source()) && rule.to() == to
    });
    admitting.next().map(|rule| rule.because().to_string())
}

/// A rule of the group, as it was last seen, that is not ours and admits the address to the target all the same.
fn foreign_rule(
    policy: &Policy,
    firewall: &Firewall,
    status: &Status,
    grant: &Grant,
    store: &Store,
) -> Option<String> {
    let Enforcement::SecurityGroup { group, .. } = &firewall.kind else { return None };
    let target = policy.targets.get(grant.target())?;
    let inventory = &status.inventory;
    let Seen::There(group) = inventory.group(group) else { return None };
    let mut admitting = group.rules.iter().filter(|(rule, existing)| {
        let peer = matches!(&rule.peer, Peer::Cidr(peer) if peer.covers(grant.source()));
        let flow = target.ports.iter().any(|wanted| rule.flow.meets(*wanted));
        rule.direction == Direction::In && peer && flow && !inventory.made_by(existing, store.installation())
    });
    let (rule, existing) = admitting.next()?;
    let about = match existing.description.as_str() {
        "" => "without a description".to_owned(),
        text => format!("({text})"),
    };
    Some(format!("a rule of {} that Doorward does not manage: {rule} {about}", group.id))
}
