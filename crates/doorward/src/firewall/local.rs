//! The firewalls of this machine itself: its nftables, and the relay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::firewall::nftables::{Difference, Table};
use doorward_core::firewall::{InstallationId, Ruleset};
use doorward_core::net::{Cidr, Flow};
use doorward_core::policy::{Address, Enforcement, Firewall, FirewallName, Policy};
use doorward_tunnel::relay::{self, Limits, Upstream};
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::Outcome;
use super::nftables::{NftError, Nftables, is_local};
use super::turn::{RelayState, RelayTurn, Runs};

/// What this machine enforces by itself.
#[derive(Debug, Default)]
pub struct Local {
    nftables: Option<Arc<Nftables>>,
    relays: BTreeMap<FirewallName, Relay>,
    limits: Limits,
    carriers: Option<Handle>,
    turn: RelayTurn,
    /// The change of a grant to which another process brings the relays, where one carries them.
    elsewhere: Option<u64>,
    /// Whether that has not come to it yet.
    awaited: bool,
}

/// A relay, and how the last pass left it.
#[derive(Debug)]
struct Relay {
    relay: relay::Relay,
    listen: std::net::SocketAddr,
    rules: BTreeSet<(Flow, Cidr)>,
    cut: u64,
}

/// What is carried gets this long when the program stops.
const GRACE: Duration = Duration::from_secs(2);

impl Local {
    /// Each relay within these limits, and its connections carried by that runtime: by default, by the one that calls. By
    /// default no other process carries them.
    pub fn new(limits: Limits, carriers: Handle, turn: RelayTurn) -> Self {
        Self { limits, carriers: Some(carriers), turn, ..Self::default() }
    }

    /// Whether there is more to do for the relays that another process carries, or carried when they were last looked at.
    pub fn is_behind(&mut self) -> bool {
        let Some(change) = self.elsewhere else { return false };
        let is_there = self.awaited && self.turn.noted().is_some_and(|state| state.change >= change);
        is_there || self.turn.take() != Runs::Elsewhere
    }

    /// Whether another process has not come to what the relays shall let in.
    pub fn awaits(&self) -> bool {
        self.elsewhere.is_some() && self.awaited
    }

    /// Brings every relay of this machine to its ruleset, or says what another process made of them, which carries them.
    /// It waits for nobody. `change` is the last change of a grant that the rulesets come from.
    pub fn relays(
        &mut self,
        policy: &Policy,
        wanted: &BTreeMap<FirewallName, Ruleset>,
        change: u64,
    ) -> BTreeMap<FirewallName, Outcome> {
        let is_relay = |name: &&FirewallName| {
            let firewall = policy.firewalls.get(*name);
            firewall.is_some_and(|firewall| matches!(firewall.kind, Enforcement::Relay { .. }))
        };
        let any = wanted.keys().any(|name| is_relay(&name));
        let runs = if any { self.turn.take() } else { Runs::Here };
        if runs != Runs::Here {
            // One that was bound before, while nobody could tell, would keep the rules of that time.
            self.relays.clear();
            let is_elsewhere = runs == Runs::Elsewhere;
            let state = self.turn.noted().filter(|state| is_elsewhere && state.change >= change);
            self.elsewhere = is_elsewhere.then_some(change);
            self.awaited = is_elsewhere && state.is_none();
            let outcome = |name: &FirewallName| match (&runs, &state) {
                (Runs::Nowhere(why), _) => Outcome { failed: Some(why.clone()), ..Outcome::default() },
                (_, Some(state)) => {
                    Outcome { failed: state.failing.get(name).cloned(), ..Outcome::default() }
                }
                (_, None) => Outcome { awaited: true, ..Outcome::default() },
            };
            return wanted.keys().filter(is_relay).map(|name| (name.clone(), outcome(name))).collect();
        }
        self.elsewhere = None;
        let outcomes = self.brought(policy, wanted);
        let failing =
            |(name, outcome): (&FirewallName, &Outcome)| Some((name.clone(), outcome.failed.clone()?));
        self.turn.note(&RelayState { change, failing: outcomes.iter().filter_map(failing).collect() });
        outcomes
    }

    fn brought(
        &mut self,
        policy: &Policy,
        wanted: &BTreeMap<FirewallName, Ruleset>,
    ) -> BTreeMap<FirewallName, Outcome> {
        let mut outcomes = BTreeMap::new();
        let relays = |name: &FirewallName| {
            matches!(
                policy.firewalls.get(name).map(|firewall| &firewall.kind),
                Some(Enforcement::Relay { .. })
            )
        };
        // What the policy forgot is closed first: another firewall may listen there now.
        self.relays.retain(|name, _| relays(name));
        let firewalls =
            || policy.firewalls.iter().filter_map(|(name, firewall)| Some((firewall, wanted.get(name)?)));
        for (firewall, ruleset) in firewalls() {
            if let Enforcement::Relay { listen } = &firewall.kind {
                outcomes.insert(firewall.name.clone(), self.relay(policy, firewall, *listen, ruleset));
            }
        }
        outcomes
    }

    /// What it takes to bring every table of nftables to its ruleset: work for a task, since `nft` may not answer.
    pub fn tables(
        &mut self,
        policy: &Policy,
        wanted: &BTreeMap<FirewallName, Ruleset>,
        by: &InstallationId,
    ) -> Tables {
        let is_table = |firewall: &&Firewall| matches!(firewall.kind, Enforcement::Nftables { .. });
        let mut tables = BTreeMap::new();
        for firewall in policy.firewalls.values().filter(is_table) {
            let Some(ruleset) = wanted.get(&firewall.name) else { continue };
            let table = Table::new(firewall, policy.targets.values(), by, is_local);
            let table = table.map_err(|error| error.to_string());
            let table = table.and_then(|table| Ok((table, self.nftables()?)));
            tables.insert(firewall.name.clone(), table.map(|(table, nft)| (table, ruleset.clone(), nft)));
        }
        Tables(tables)
    }

    fn nftables(&mut self) -> Result<Arc<Nftables>, String> {
        if let Some(nftables) = &self.nftables {
            return Ok(Arc::clone(nftables));
        }
        // Looked for again at each pass: it may be installed while the server runs.
        let found = Nftables::find().map_err(|error| explained(&error))?;
        Ok(Arc::clone(self.nftables.insert(Arc::new(found))))
    }

    fn relay(
        &mut self,
        policy: &Policy,
        firewall: &Firewall,
        listen: std::net::SocketAddr,
        ruleset: &Ruleset,
    ) -> Outcome {
        let failed = |why: String| Outcome { failed: Some(why), ..Outcome::default() };
        let behind = policy.targets.values().find(|target| target.firewall.as_ref() == Some(&firewall.name));
        let upstream = behind.and_then(|target| {
            let flow = target.ports.first()?;
            match &target.address {
                Address::Host(host) => {
                    Some((Upstream { host: host.clone(), port: flow.ports()?.from() }, *flow))
                }
                _ => None,
            }
        });
        let Some((to, flow)) = upstream else {
            self.relays.remove(&firewall.name);
            return Outcome::default();
        };
        if self.relays.get(&firewall.name).is_some_and(|relay| relay.listen != listen) {
            self.relays.remove(&firewall.name);
        }
        let held = match self.relays.remove(&firewall.name) {
            Some(held) => held,
            None => {
                let _carriers = self.carriers.as_ref().map(Handle::enter);
                let limits = self.limits.clone();
                let bound = relay::Relay::bind(listen, to.clone(), flow, limits, relay::wall_clock());
                match bound {
                    Ok(relay) => Relay { relay, listen, rules: BTreeSet::new(), cut: 0 },
                    Err(error) => return failed(format!("{error}: {}", error.source)),
                }
            }
        };
        held.relay.retarget(to, flow);
        held.relay.replace(ruleset.clone());
        let rules: BTreeSet<(Flow, Cidr)> = ruleset.iter().map(|rule| (rule.flow(), rule.peer())).collect();
        let cut = held.relay.counts().cut;
        let because = |(flow, peer): &(Flow, Cidr)| {
            let because = ruleset.get(*flow, *peer).map(|rule| rule.because().to_string());
            format!("{flow} from {peer}: {}", because.unwrap_or_default())
        };
        let outcome = Outcome {
            added: rules.difference(&held.rules).map(because).collect(),
            removed: held
                .rules
                .difference(&rules)
                .map(|(flow, peer)| format!("{flow} from {peer}"))
                .collect(),
            cut: cut.saturating_sub(held.cut),
            ..Outcome::default()
        };
        self.relays.insert(firewall.name.clone(), Relay { rules, cut, ..held });
        outcome
    }

    /// Ends what only lives with the program: what the relays forward, after a moment's grace. A table stays, and its
    /// elements end by the kernel's count.
    pub async fn stop(self) {
        let mut stopping = tokio::task::JoinSet::new();
        for relay in self.relays.into_values() {
            stopping.spawn(relay.relay.stop(GRACE));
        }
        stopping.join_all().await;
    }
}

/// Tables of this machine, and what each shall admit.
#[derive(Debug)]
pub struct Tables(BTreeMap<FirewallName, Result<Wanted, String>>);

/// A table, the ruleset that it shall hold, and the driver that holds it.
type Wanted = (Table, Ruleset, Arc<Nftables>);

impl Tables {
    /// Whether a firewall is one of them.
    pub fn has(&self, firewall: &FirewallName) -> bool {
        self.0.contains_key(firewall)
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings each to its ruleset.
    pub async fn bring(self, now: Timestamp) -> BTreeMap<FirewallName, Outcome> {
        let mut outcomes = BTreeMap::new();
        for (firewall, table) in self.0 {
            let replaced = match table {
                Ok((table, ruleset, nft)) => {
                    nft.replace(&table, &ruleset, now).await.map_err(|error| explained(&error))
                }
                Err(why) => Err(why),
            };
            let outcome = match replaced {
                Ok(replaced) => {
                    let words =
                        |differences: &[Difference]| differences.iter().map(ToString::to_string).collect();
                    Outcome { drift: words(&replaced.drift), ..changes(&replaced.differed) }
                }
                Err(why) => Outcome { failed: Some(why), ..Outcome::default() },
            };
            outcomes.insert(firewall, outcome);
        }
        outcomes
    }
}

fn explained(error: &NftError) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// What a table lacked was added, and what it had too much was taken away.
fn changes(differed: &[Difference]) -> Outcome {
    let mut outcome = Outcome::default();
    for difference in differed {
        match difference {
            Difference::Missing { peer, guarded, comment } => {
                outcome.added.push(format!("{guarded} from {peer}: {comment}"));
            }
            Difference::Extra { peer, guarded, .. } => outcome.removed.push(format!("{guarded} from {peer}")),
            Difference::End { peer, guarded, .. } | Difference::Comment { peer, guarded, .. } => {
                outcome.added.push(format!("{guarded} from {peer}: expiry changed"));
            }
            Difference::TableGone
            | Difference::OtherGuards
            | Difference::ChainGone(_)
            | Difference::ChainMoved(_)
            | Difference::ChainFlushed(_)
            | Difference::ChainChanged(_)
            | Difference::Foreign(_)
            | Difference::SetGone(_) => {}
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const POLICY: &str = r#"
[people]
passwords = "p"
groups    = "g"

[firewall.a-table]
about    = "table"
nftables = "inet doorward"

[firewall.relay]
about = "relay"
relay = "127.0.0.1:0"

[target.one]
about      = "one"
address    = "10.0.0.1"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "a-table"

[target.other]
about      = "other"
address    = "10.0.0.2"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "relay"
"#;

    #[tokio::test]
    async fn no_relay_is_run_where_the_file_of_the_turn_is_a_link_or_another_process_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (head, file) = (folder.path().join("head"), folder.path().join("head.relays"));
        let policy = doorward_core::policy::parse(POLICY, "doorward.toml").expect("a policy");
        let wanted = doorward_core::firewall::rulesets(&policy, []);
        let mut local = Local { turn: RelayTurn::beside(&head), ..Local::default() };
        std::os::unix::fs::symlink(folder.path().join("other"), &file).expect("a link");
        let outcomes = local.relays(&policy, &wanted, 1);
        let failed = outcomes.values().next().and_then(|outcome| outcome.failed.clone());
        assert!(failed.is_some_and(|why| why.contains("a symbolic link")), "{outcomes:?}");
        assert!(local.relays.is_empty() && !local.awaits() && !local.is_behind());
        std::fs::remove_file(&file).expect("removed");
        // A relay that was bound while nobody could tell keeps none of its rules when another process has the turn.
        local.turn = RelayTurn::default();
        assert_eq!(local.relays(&policy, &wanted, 2).len(), 1);
        assert_eq!(local.relays.len(), 1);
        let mut another = RelayTurn::beside(&head);
        assert_eq!(another.take(), Runs::Here);
        local.turn = RelayTurn::beside(&head);
        assert!(local.relays(&policy, &wanted, 3).values().all(|outcome| outcome.awaited));
        assert!(local.relays.is_empty() && local.awaits());
    }

    #[tokio::test]
    async fn a_relay_does_not_wait_for_nft() {
        let folder = tempfile::tempdir().expect("a folder");
        let slow = folder.path().join("nft");
        std::fs::write(&slow, "#!/bin/sh\nexec sleep 5\n").expect("a program");
        std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o700)).expect("a program");
        let policy = doorward_core::policy::parse(POLICY, "doorward.toml").expect("a policy");
        let mut local = Local { nftables: Some(Arc::new(Nftables::by(slow))), ..Local::default() };
        let wanted = doorward_core::firewall::rulesets(&policy, []);
        let by = InstallationId::from_random([1; 4]);
        let tables = local.tables(&policy, &wanted, &by).bring(Timestamp::UNIX_EPOCH);
        assert!(tokio::time::timeout(Duration::from_millis(300), tables).await.is_err(), "nft is slow");
        assert_eq!(local.relays(&policy, &wanted, 0).len(), 1);
    }
}
