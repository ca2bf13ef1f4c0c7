//! The doors of this machine itself: its nftables, and the relay.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use doorward_core::firewall::nftables::{Difference, Table};
use doorward_core::firewall::{InstallationId, Ruleset};
use doorward_core::net::{Cidr, Flow};
use doorward_core::policy::{Address, Enforcement, Firewall, FirewallName, Policy};
use doorward_tunnel::relay::{self, Limits, Upstream};
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::nftables::{NftError, Nftables};
use crate::reconciler::Outcome;

/// What this machine enforces by itself.
#[derive(Debug, Default)]
pub struct Local {
    nftables: Option<Nftables>,
    relays: BTreeMap<FirewallName, Relay>,
    limits: Limits,
    carriers: Option<Handle>,
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
    /// Each relay within these limits, and its connections carried by that runtime: by default, by the one that calls.
    pub fn new(limits: Limits, carriers: Handle) -> Self {
        Self { limits, carriers: Some(carriers), ..Self::default() }
    }

    /// Brings every door of this machine to its ruleset.
    pub async fn bring(
        &mut self,
        policy: &Policy,
        wanted: &BTreeMap<FirewallName, Ruleset>,
        by: &InstallationId,
        now: Timestamp,
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
        // Relays first: they wait for nobody, and a table waits for `nft`.
        for (firewall, ruleset) in firewalls() {
            if let Enforcement::Relay { listen } = &firewall.kind {
                outcomes.insert(firewall.name.clone(), self.relay(policy, firewall, *listen, ruleset));
            }
        }
        for (firewall, ruleset) in firewalls() {
            if let Enforcement::Nftables { .. } = &firewall.kind {
                let outcome = self.table(policy, firewall, ruleset, by, now).await;
                outcomes.insert(firewall.name.clone(), outcome);
            }
        }
        outcomes
    }

    async fn table(
        &mut self,
        policy: &Policy,
        firewall: &Firewall,
        ruleset: &Ruleset,
        by: &InstallationId,
        now: Timestamp,
    ) -> Outcome {
        let failed = |why: String| Outcome { failed: Some(why), ..Outcome::default() };
        let table = match Table::new(firewall, policy.targets.values(), by) {
            Ok(table) => table,
            Err(error) => return failed(error.to_string()),
        };
        let nftables = match &mut self.nftables {
            Some(nftables) => nftables,
            // Looked for again at each pass: it may be installed while the server runs.
            none => match Nftables::find() {
                Ok(found) => none.insert(found),
                Err(error) => return failed(told(&error)),
            },
        };
        match nftables.replace(&table, ruleset, now).await {
            Ok(replaced) => {
                let words =
                    |differences: &[Difference]| differences.iter().map(ToString::to_string).collect();
                Outcome { drift: words(&replaced.drift), ..changes(&replaced.differed) }
            }
            Err(error) => failed(told(&error)),
        }
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

    /// Ends what only lives with the program: what the relays carry, after a moment's grace. A table stays, and
    /// its elements end by the kernel's count.
    pub async fn stop(self) {
        let mut stopping = tokio::task::JoinSet::new();
        for relay in self.relays.into_values() {
            stopping.spawn(relay.relay.stop(GRACE));
        }
        stopping.join_all().await;
    }
}

fn told(error: &NftError) -> String {
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
                outcome.added.push(format!("{guarded} from {peer}: now to another end"));
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
    async fn a_relay_does_not_wait_for_nft() {
        let folder = tempfile::tempdir().expect("a folder");
        let slow = folder.path().join("nft");
        std::fs::write(&slow, "#!/bin/sh\nexec sleep 5\n").expect("a program");
        std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o700)).expect("a program");
        let policy = doorward_core::policy::parse(POLICY, "doorward.toml").expect("a policy");
        let mut local = Local { nftables: Some(Nftables::by(slow)), ..Local::default() };
        let wanted = doorward_core::firewall::rulesets(&policy, []);
        let by = InstallationId::from_random([1; 4]);
        let bring = local.bring(&policy, &wanted, &by, Timestamp::UNIX_EPOCH);
        assert!(tokio::time::timeout(Duration::from_millis(300), bring).await.is_err(), "nft is slow");
        assert_eq!(local.relays.len(), 1);
    }
}
