//! What a policy still gives where it has a mistake: so that what is taken out of it does not wait for the mistake to be
//! mended.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::net::{Cidr, Flow};
use crate::policy::{FirewallName, Group, Policy, TargetName, Transport};

/// What a policy names, mistakes or not. None of a list: it cannot be told what it says, and nothing is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    targets: BTreeMap<TargetName, Ways>,
    firewalls: BTreeMap<FirewallName, Option<BTreeSet<Cidr>>>,
    operators: Option<BTreeSet<Group>>,
    special_networks: Option<BTreeSet<Cidr>>,
    proxies: Option<BTreeSet<Cidr>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ways {
    groups: Option<BTreeSet<Group>>,
    approvers: Option<BTreeSet<Group>>,
    transports: Option<BTreeSet<String>>,
    ports: Option<BTreeSet<Flow>>,
}

type Table<'t> = DeTable<'t>;

impl Remains {
    /// Reads a document that is TOML from end to end.
    pub(super) fn of(document: &Table<'_>) -> Option<Self> {
        // A file that is being written is empty for a moment, and that takes nothing away.
        document.get("people")?;
        let mut remains = Self::default();
        for (name, target) in tables(document, "target")? {
            let approval = target.get("approval").map(Spanned::get_ref);
            let approvers = match approval {
                Some(DeValue::Table(approval)) => list(approval, "from"),
                _ => None,
            };
            // A target without groups admits nobody, and that is a mistake and no removal.
            let groups = target.get("groups").and_then(|_| list(target, "groups"));
            let transports = target.get("transports").and_then(|_| whole_list(target, "transports"));
            let ports = target.get("ports").and_then(|_| whole_list(target, "ports"));
            remains.targets.insert(name, Ways { groups, approvers, transports, ports });
        }
        for (name, firewall) in tables(document, "firewall")? {
            remains.firewalls.insert(name, list(firewall, "static"));
        }
        remains.operators = match document.get("people").map(Spanned::get_ref) {
            Some(DeValue::Table(people)) => list(people, "operators"),
            _ => None,
        };
        if let Some(DeValue::Table(grants)) = document.get("grants").map(Spanned::get_ref) {
            remains.special_networks = whole_list(grants, "special-networks");
        }
        if let Some(DeValue::Table(server)) = document.get("server").map(Spanned::get_ref) {
            remains.proxies = whole_list(server, "proxies");
        }
        Some(remains)
    }
}

/// The tables of a kind by name; none where they are no tables.
fn tables<'d, 't, N: FromStr + Ord>(document: &'d Table<'t>, kind: &str) -> Option<Vec<(N, &'d Table<'t>)>> {
    let Some(all) = document.get(kind) else { return Some(Vec::new()) };
    let DeValue::Table(all) = all.get_ref() else { return None };
    let mut tables = Vec::new();
    for (key, value) in all {
        let DeValue::Table(table) = value.get_ref() else { return None };
        if let Ok(name) = key.get_ref().parse() {
            tables.push((name, table));
        }
    }
    Some(tables)
}

/// What of a list can be understood; empty where there is none.
fn list<T: FromStr + Ord>(table: &Table<'_>, key: &str) -> Option<BTreeSet<T>> {
    match table.get(key).map(Spanned::get_ref) {
        None => Some(BTreeSet::new()),
        Some(DeValue::Array(array)) => {
            let texts = array.iter().filter_map(|item| match item.get_ref() {
                DeValue::String(text) => text.parse().ok(),
                _ => None,
            });
            Some(texts.collect())
        }
        Some(_) => None,
    }
}

/// A list of which everything can be understood; none of another.
fn whole_list<T: FromStr + Ord>(table: &Table<'_>, key: &str) -> Option<BTreeSet<T>> {
    let listed = match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::Array(array)) => array.len(),
        _ => 0,
    };
    list(table, key).filter(|list| list.len() == listed)
}

impl Policy {
    /// The policy without the targets, groups, operators, approvers, firewalls, static addresses, transports, ports,
    /// special networks and proxies that are no longer named. Nothing is added: what is new waits until the mistake is mended.
    pub fn narrowed(mut self, to: &Remains) -> Self {
        let keep = |groups: &mut BTreeSet<Group>, to: Option<&BTreeSet<Group>>| {
            if let Some(to) = to {
                groups.retain(|group| to.contains(group));
            }
        };
        keep(&mut self.people.operators, to.operators.as_ref());
        if let Some(networks) = &to.special_networks {
            self.grants.special_networks.retain(|network| networks.contains(network));
        }
        if let Some(proxies) = &to.proxies {
            self.server.proxies.retain(|proxy| proxies.contains(proxy));
        }
        self.targets.retain(|name, _| to.targets.contains_key(name));
        self.firewalls.retain(|name, _| to.firewalls.contains_key(name));
        for (name, firewall) in &mut self.firewalls {
            if let Some(Some(statics)) = to.firewalls.get(name) {
                firewall.statics.retain(|cidr| statics.contains(cidr));
            }
        }
        for (name, target) in &mut self.targets {
            let Some(ways) = to.targets.get(name) else { continue };
            keep(&mut target.groups, ways.groups.as_ref());
            if let Some(transports) = &ways.transports {
                target.transports.retain(|transport| transports.contains(&transport.to_string()));
            }
            if let Some(ports) = &ways.ports {
                target.ports.retain(|port| ports.contains(port));
            }
            if let Some(approval) = &mut target.approval {
                keep(&mut approval.from, ways.approvers.as_ref());
            }
            if target.firewall.as_ref().is_some_and(|firewall| !self.firewalls.contains_key(firewall)) {
                target.firewall = None;
                target.transports.remove(&Transport::Direct);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::read;

    const GOOD: &str = "[people]\npasswords = \"h\"\ngroups = \"g\"\noperators = [\"ops\", \"leads\"]\n\
        [firewall.f]\nnftables = \"inet doorward\"\nstatic = [\"198.51.100.0/24\", \"203.0.113.0/24\"]\n\
        [firewall.old]\nnftables = \"inet old\"\n\
        [target.t]\naddress = \"10.0.0.1\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\", \"devs\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n\
        [target.u]\naddress = \"10.0.0.2\"\nports = [\"tcp/2\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"old\"\n";

    /// What is in force of the good policy once the file is `newer`, which has a mistake.
    fn check(newer: &str, expected: &str) {
        let reading = read(newer, "p");
        assert!(reading.policy.is_none(), "{newer}");
        let good = read(GOOD, "p").policy.expect("a policy");
        let policy = match &reading.remains {
            Some(remains) => good.clone().narrowed(remains),
            None => good.clone(),
        };
        let targets = policy.targets.values().map(|target| {
            let groups: Vec<&str> = target.groups.iter().map(|group| group.as_str()).collect();
            let firewall = target.firewall.as_ref().map_or("-", |name| name.as_str());
            format!("{} {} {}", target.name, groups.join(","), firewall)
        });
        let statics =
            policy.firewalls.values().map(|firewall| format!("{} {}", firewall.name, firewall.statics.len()));
        let told: Vec<String> = targets.chain(statics).collect();
        assert_eq!(format!("{}; {} operators", told.join("; "), policy.people.operators.len()), expected);
    }

    /// What target `t`, the special networks and the proxies of a good policy are once the file is `newer`.
    fn ways(good: &str, newer: &str) -> String {
        let reading = read(newer, "p");
        assert!(reading.policy.is_none(), "{newer}");
        let good = read(good, "p").policy.expect("a policy");
        let policy = match &reading.remains {
            Some(remains) => good.narrowed(remains),
            None => good,
        };
        let target = &policy.targets[&"t".parse().expect("a name")];
        let ports: Vec<String> = target.ports.iter().map(ToString::to_string).collect();
        let transports: Vec<String> = target.transports.iter().map(ToString::to_string).collect();
        let (networks, proxies) = (policy.grants.special_networks.len(), policy.server.proxies.len());
        format!("{} {} {networks} {proxies}", ports.join(","), transports.join(","))
    }

    #[test]
    fn so_are_transports_ports_special_networks_and_proxies() {
        let good = GOOD
            .replace("ports = [\"tcp/1\"]", "ports = [\"tcp/1\", \"tcp/3\"]")
            .replace("\"devs\"]\ntransports = [\"direct\"]", "\"devs\"]\ntransports = [\"direct\", \"ssm\"]")
            + "[ssm]\njump-host = \"tag:Name=jump\"\n[aws]\nregion = \"eu-west-1\"\n\
               [grants]\nspecial-networks = [\"10.0.0.0/8\", \"192.168.0.0/16\"]\n\
               [server]\nproxies = [\"10.0.0.1\", \"10.0.0.2\"]\n";
        let newer = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            ways(&good, &good.replace("tcp/2", "tcp/x").replace(from, to))
        };
        let whole = "tcp/1,tcp/3 direct,ssm 2 2";
        assert_eq!(newer("tcp/1", "tcp/1"), whole);
        assert_eq!(newer(", \"tcp/3\"", ""), "tcp/1 direct,ssm 2 2");
        assert_eq!(newer(", \"ssm\"", ""), "tcp/1,tcp/3 direct 2 2");
        assert_eq!(newer(", \"192.168.0.0/16\"", ""), "tcp/1,tcp/3 direct,ssm 1 2");
        assert_eq!(newer("\"10.0.0.1\", ", ""), "tcp/1,tcp/3 direct,ssm 2 1");
        // What cannot be read takes nothing away, and what is new waits.
        assert_eq!(newer("\"tcp/3\"", "\"tcp/y\""), whole);
        assert_eq!(newer("\"10.0.0.1\"", "\"somewhere\""), whole);
        assert_eq!(newer("\"ssm\"]", "\"ssm\", \"ssh\"]"), whole);
    }

    #[test]
    fn what_is_taken_out_is_gone_although_something_else_is_wrong() {
        let wrong = |text: &str| text.replace("tcp/1", "tcp/x");
        let whole = "t dbs,devs f; u dbs old; f 2; old 0; 2 operators";
        check(&wrong(GOOD), whole);
        check(&wrong(GOOD).replace("\"dbs\", ", ""), "t devs f; u dbs old; f 2; old 0; 2 operators");
        check(&wrong(GOOD).replace(", \"leads\"", ""), "t dbs,devs f; u dbs old; f 2; old 0; 1 operators");
        check(
            &wrong(GOOD).replace(", \"203.0.113.0/24\"", ""),
            "t dbs,devs f; u dbs old; f 1; old 0; 2 operators",
        );
        let (rest, _) = GOOD.split_once("[target.u]").expect("two targets");
        check(&wrong(rest), "t dbs,devs f; f 2; old 0; 2 operators");
        check(
            &wrong(&GOOD.replace("[firewall.old]\nnftables = \"inet old\"\n", "")),
            "t dbs,devs f; u dbs -; f 2; 2 operators",
        );
        // What is new waits, and what cannot be told takes nothing away.
        check(&wrong(GOOD).replace("\"devs\"", "\"devs\", \"all\""), whole);
        check(&GOOD.replace("groups = [\"dbs\"]", "groups = \"dbs\""), whole);
        check(&GOOD.replace("[target.t]", "[target.t"), whole);
        check("", whole);
    }
}
