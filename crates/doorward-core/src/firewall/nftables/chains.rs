//! The chains of a table: which packets are guarded, and whose are let through.
//!
//! In each hook everything that admits comes before everything that refuses, so that of two guards that overlap
//! either may admit. Nothing is accepted for being established: a live connection is checked packet by packet
//! and is cut when its sender's element goes or times out. Three ways of seeing a packet are needed:
//!
//! - *toward*: by its own header, on its way to what is guarded. No connection tracking is asked where it can
//!   be avoided, because tracking that begins in the middle of a connection may take the answering side for
//!   the one that began it, and such a connection would then outlive its grant.
//! - *back*: the answers. Without this the far side could still send what fits in one window, and would never
//!   learn that the connection is cut; with it, its next packet is answered by a reset.
//! - *dialled*: by what the client dialled, where a destination was rewritten before our hooks (a published port
//!   of a container): the packet's own header no longer names the guarded port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Guarded, LONGEST_COMMENT, cut};
use crate::net::{Cidr, Family, Flow, Icmp, Ports};
use crate::policy::TargetName;

/// One set as a rule asks it: the sender of a family's packets, under the mask of a prefix of `bits`; none for
/// the static prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lookup {
    pub guarded: Guarded,
    pub family: Family,
    pub bits: Option<u8>,
}

impl Lookup {
    /// The name of the set.
    pub fn set(self) -> String {
        let family = match self.family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        match self.bits {
            Some(bits) => format!("{}.{family}.{bits}", self.guarded.name()),
            None => format!("{}.{family}.static", self.guarded.name()),
        }
    }

    /// What a rule says to find the address `key` (`saddr`, `daddr`, `ct original … saddr`) in the set.
    fn words(self, tracked: bool, key: &str) -> String {
        let ip = match self.family {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        };
        let tracked = if tracked { "ct original " } else { "" };
        let mask =
            self.bits.and_then(|bits| mask(self.family, bits)).map_or(String::new(), |m| format!(" & {m}"));
        format!("{tracked}{ip} {key}{mask} @{}", self.set())
    }
}

/// The mask of a prefix; none where it leaves the address as it is.
fn mask(family: Family, bits: u8) -> Option<IpAddr> {
    let all: IpAddr = match family {
        Family::V4 => [0xff; 4].into(),
        Family::V6 => [0xff; 16].into(),
    };
    let mask = Cidr::around(all, bits).address();
    (mask != all).then_some(mask)
}

/// The lengths of prefix for which a table has sets, by family.
pub(super) type Lengths = BTreeSet<(Family, u8)>;

/// The lengths that are always there, so that a table's rules do not change with who is let in: whole addresses,
/// and what policies usually admit of IPv6.
pub(super) const USUAL: [(Family, u8); 5] =
    [(Family::V4, 32), (Family::V6, 48), (Family::V6, 56), (Family::V6, 64), (Family::V6, 128)];

/// Every set of a guard, the narrowest last but for the static prefixes.
pub(super) fn lookups(guarded: Guarded, lengths: &Lengths) -> impl Iterator<Item = Lookup> {
    guarded.families().flat_map(move |family| {
        let granted = lengths.iter().filter(move |(of, _)| *of == family).map(|(_, bits)| Some(*bits));
        granted.chain([None]).map(move |bits| Lookup { guarded, family, bits })
    })
}

/// A chain: its name, its place in the kernel where it has one, and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub name: String,
    pub hook: Option<Hook>,
    /// What each rule says, and its comment.
    pub rules: Vec<(String, String)>,
}

/// Where the kernel enters a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hook {
    pub name: &'static str,
    /// As nft shows it: -150 is `mangle`, 0 is `filter`.
    pub priority: i32,
}

/// Ports from here on are handed out by Linux to connections that name none (`ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;

/// Whether a packet's own port is proof enough that it goes to what is guarded, so that nobody needs to know
/// which side began the connection. Not so for other protocols: time and name servers ask from the port that
/// they answer on.
fn plain(flow: Flow) -> bool {
    matches!(flow, Flow::Tcp(ports) if ports.to() < EPHEMERAL)
}

/// Every chain, each before those that jump to it.
///
/// `local` is refused at every address of this machine.
pub(super) fn chains(
    guarded: &BTreeMap<Guarded, BTreeSet<TargetName>>,
    local: &BTreeMap<Flow, BTreeSet<TargetName>>,
    lengths: &Lengths,
) -> Vec<Chain> {
    let guards: Vec<Guard> =
        guarded.iter().filter_map(|(guarded, targets)| Guard::new(*guarded, targets)).collect();
    let elsewhere: Vec<Guard> =
        local.iter().map(|(flow, targets)| Guard::elsewhere(*flow, targets)).collect();
    let admitting = |see: fn(&Guard) -> Option<String>, kind: &str| Chain {
        name: format!("admitted.{kind}"),
        hook: None,
        rules: rules(&guards, see, |guard| Some(format!("jump {}", guard.chain(kind)))),
    };
    let goto = |guards: &[Guard], see: fn(&Guard) -> Option<String>, which: &dyn Fn(&Guard) -> bool| {
        rules(guards, see, |guard| which(guard).then(|| "goto refused".into()))
    };
    let refusing =
        |see: fn(&Guard) -> Option<String>, which: &dyn Fn(&Guard) -> bool| goto(&guards, see, which);
    let here = |guard: &Guard| plain(guard.guarded.flow);
    // A port alone says little about what passes through: any host behind this one may answer from it.
    let through = |guard: &Guard| plain(guard.guarded.flow) && guard.guarded.to.is_some();
    let entering = |hook: &str,
                    guards: &[Guard],
                    see: fn(&Guard) -> Option<String>,
                    plainly: &dyn Fn(&Guard) -> bool| {
        let mut rules = goto(guards, see, plainly);
        rules.push((
            "ct direction reply return".into(),
            "replies to connections that this side started".into(),
        ));
        rules.extend(goto(guards, see, &|guard| !plainly(guard)));
        Chain { name: format!("guarded.{hook}"), hook: None, rules }
    };
    let guarding = |kind: &str, rules| Chain { name: format!("guarded.{kind}"), hook: None, rules };

    let mut chains = vec![refused()];
    chains.extend(guards.iter().flat_map(|guard| guard.admitting(lengths)));
    chains.extend([
        admitting(Guard::toward, "toward"),
        admitting(Guard::back, "back"),
        admitting(Guard::dialled, "dialled"),
        entering("input", &guards, Guard::toward, &here),
        entering("forward", &guards, Guard::toward, &through),
        guarding("output", refusing(Guard::back, &here)),
        guarding("back", refusing(Guard::back, &|_| true)),
        guarding("dialled", refusing(Guard::dialled, &|_| true)),
    ]);
    if !elsewhere.is_empty() {
        let mut replies = goto(&elsewhere, Guard::back, &here);
        replies.push(("ct direction original return".into(), "connections that this side started".into()));
        replies.extend(goto(&elsewhere, Guard::back, &|guard| !here(guard)));
        chains.extend([
            entering("arriving", &elsewhere, Guard::toward_local, &here),
            entering("local", &elsewhere, Guard::toward, &here),
            guarding("replies", replies),
        ]);
    }
    chains.extend(hooks(!elsewhere.is_empty()));
    chains
}

/// A rule for each guard whose packets can be seen so and for which there is a verdict.
fn rules(
    guards: &[Guard],
    see: fn(&Guard) -> Option<String>,
    verdict: impl Fn(&Guard) -> Option<String>,
) -> Vec<(String, String)> {
    guards
        .iter()
        .filter_map(|guard| {
            let rule = format!("{} {}", see(guard)?, verdict(guard)?);
            Some((rule.trim().to_owned(), guard.comment.clone()))
        })
        .collect()
}

/// How a guarded packet is refused whose sender is not admitted.
fn refused() -> Chain {
    let rules = [
        // Our own resets leave through these very chains.
        ("tcp flags & rst == rst accept", "a reset ends a connection and opens none"),
        (
            "meta l4proto { icmp, ipv6-icmp } ct state related accept",
            "errors about a connection that is known",
        ),
        (
            "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, \
             nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept",
            "without these there is no IPv6 at all",
        ),
        // A reset for a stray packet could end a connection that nothing is wrong with.
        ("ct state invalid drop", "belongs to no connection"),
        ("meta l4proto tcp reject with tcp reset", "not admitted"),
        ("reject with icmpx admin-prohibited", "not admitted"),
    ];
    let rules = rules.into_iter().map(|(rule, why)| (rule.to_owned(), why.to_owned())).collect();
    Chain { name: "refused".into(), hook: None, rules }
}

/// The chains that the kernel enters. What is not guarded falls through to `policy accept`, and an accepted
/// packet is still seen by every other table.
///
/// With `local`, services of this machine are guarded at every address that it has: as they were dialled, ahead of what
/// rewrites destinations, and as they come in after it.
fn hooks(local: bool) -> Vec<Chain> {
    let chain = |hook: &'static str, rules: &[(&str, &str)]| Chain {
        name: hook.into(),
        hook: Some(Hook { name: hook, priority: 0 }),
        rules: rules.iter().map(|(rule, why)| ((*rule).to_owned(), (*why).to_owned())).collect(),
    };
    let mut chains = Vec::from(guarded_hooks(chain));
    if local {
        let mut arriving = chain(
            "prerouting",
            &[
                ("iif \"lo\" accept", "this machine itself"),
                ("jump admitted.toward", "senders that are admitted"),
                ("jump guarded.arriving", ELSEWHERE),
            ],
        );
        arriving.hook = Some(Hook { name: "prerouting", priority: BEFORE_REWRITING });
        chains.push(arriving);
        for (hook, guarded) in [("input", "local"), ("output", "replies")] {
            if let Some(chain) = chains.iter_mut().find(|chain| chain.name == hook) {
                chain.rules.push((format!("jump guarded.{guarded}"), ELSEWHERE.to_owned()));
            }
        }
    }
    chains
}

/// Ahead of `dstnat` (-100), which rewrites destinations, and after connections are tracked (-200).
const BEFORE_REWRITING: i32 = -150;
const ELSEWHERE: &str = "packets for another address of this machine";

fn guarded_hooks(chain: impl Fn(&'static str, &[(&str, &str)]) -> Chain) -> [Chain; 3] {
    const ADMITTED: &str = "senders that are admitted";
    const GUARDED: &str = "senders that are not";
    const DIALLED: &str = "by the address that was dialled";
    [
        // A grant is for people elsewhere; programs of this machine reach its services as before.
        chain(
            "input",
            &[
                ("iif \"lo\" accept", "this machine itself"),
                ("jump admitted.toward", ADMITTED),
                ("ct status dnat ct direction original jump admitted.dialled", DIALLED),
                ("jump guarded.input", GUARDED),
                ("ct status dnat ct direction original jump guarded.dialled", DIALLED),
            ],
        ),
        // Answers are looked at after refusals: a sender may choose the port that answers come from.
        chain(
            "forward",
            &[
                ("jump admitted.toward", ADMITTED),
                ("ct status dnat jump admitted.dialled", DIALLED),
                ("jump guarded.forward", GUARDED),
                ("ct status dnat ct direction original jump guarded.dialled", DIALLED),
                ("ct direction reply jump admitted.back", "replies to senders that are admitted"),
                ("ct direction reply jump guarded.back", "replies to senders that are not"),
                ("ct status dnat ct direction reply jump guarded.dialled", DIALLED),
            ],
        ),
        chain(
            "output",
            &[
                ("oif \"lo\" accept", "this machine itself"),
                ("jump admitted.back", "replies to senders that are admitted"),
                ("ct status dnat ct direction reply jump admitted.dialled", DIALLED),
                ("jump guarded.output", "replies to senders that are not"),
                ("ct direction reply jump guarded.back", "replies to senders that are not"),
                ("ct status dnat ct direction reply jump guarded.dialled", DIALLED),
            ],
        ),
    ]
}

/// One guarded flow and how its packets are told from others.
struct Guard {
    guarded: Guarded,
    comment: String,
}

impl Guard {
    /// None where no packet can be meant: ICMP for IPv4 to an IPv6 address.
    fn new(guarded: Guarded, targets: &BTreeSet<TargetName>) -> Option<Self> {
        guarded.families().next()?;
        let names: Vec<&str> = targets.iter().map(TargetName::as_str).collect();
        Some(Self { guarded, comment: cut(&format!("{guarded}: {}", names.join(", ")), LONGEST_COMMENT) })
    }

    /// A flow to any address of this machine.
    fn elsewhere(flow: Flow, targets: &BTreeSet<TargetName>) -> Self {
        let names: Vec<&str> = targets.iter().map(TargetName::as_str).collect();
        let comment = format!("{flow} at any address of this machine: {}", names.join(", "));
        Self { guarded: Guarded { to: None, flow }, comment: cut(&comment, LONGEST_COMMENT) }
    }

    fn chain(&self, kind: &str) -> String {
        format!("{}.{kind}", self.guarded.name())
    }

    /// The chains that accept who is in this guard's sets.
    fn admitting(&self, lengths: &Lengths) -> Vec<Chain> {
        let chain = |kind: &str, tracked: bool, key: &str| Chain {
            name: self.chain(kind),
            hook: None,
            rules: lookups(self.guarded, lengths)
                .map(|lookup| (format!("{} accept", lookup.words(tracked, key)), self.comment.clone()))
                .collect(),
        };
        let mut chains = vec![chain("toward", false, "saddr")];
        chains.extend(self.back().map(|_| chain("back", false, "daddr")));
        chains.extend(self.dialled().map(|_| chain("dialled", true, "saddr")));
        chains
    }

    /// Packets on their way to what is guarded, by their own header.
    fn toward(&self) -> Option<String> {
        let to = self.guarded.to.map(|to| format!("{} daddr {to} ", ip(to))).unwrap_or_default();
        Some(format!("{to}{}", self.header("dport")).trim().to_owned())
    }

    /// The same on its way to an address of this machine.
    fn toward_local(&self) -> Option<String> {
        self.toward().map(|toward| format!("fib daddr type local {toward}"))
    }

    /// Answers from what is guarded. What has no ports of its own needs none: what was not let in is not
    /// answered.
    fn back(&self) -> Option<String> {
        if matches!(self.guarded.flow, Flow::Icmp(_) | Flow::Icmpv6(_)) {
            return None;
        }
        let from = self.guarded.to.map(|from| format!("{} saddr {from} ", ip(from))).unwrap_or_default();
        Some(format!("{from}{}", self.header("sport")).trim().to_owned())
    }

    /// Packets of connections that were dialled so and whose destination was rewritten. Where neither an address
    /// nor a port was named there is nothing that a rewritten packet could have lost.
    fn dialled(&self) -> Option<String> {
        let to = self.guarded.to.map(|to| format!("ct original {} daddr {to} ", ip(to)));
        let ports = self.guarded.flow.ports();
        let port = ports.filter(|ports| *ports != Ports::ALL);
        if to.is_none() && port.is_none() {
            return None;
        }
        let flow = match (ports, port) {
            (Some(_), Some(ports)) => format!("{} ct original proto-dst {ports}", self.protocol()),
            (Some(_), None) => self.protocol().to_owned(),
            (None, _) => self.header("dport"),
        };
        Some(format!("{}{flow}", to.unwrap_or_default()).trim().to_owned())
    }

    fn protocol(&self) -> &'static str {
        if matches!(self.guarded.flow, Flow::Udp(_)) { "meta l4proto udp" } else { "meta l4proto tcp" }
    }

    fn header(&self, port: &str) -> String {
        let icmp = |name: &str, proto: &str, messages: Icmp| match messages {
            Icmp::All => {
                format!("meta nfproto {} meta l4proto {proto}", if name == "icmp" { "ipv4" } else { "ipv6" })
            }
            Icmp::Type(kind) => format!("{name} type {kind}"),
            Icmp::Code(kind, code) => format!("{name} type {kind} {name} code {code}"),
        };
        match self.guarded.flow {
            Flow::All => String::new(),
            Flow::Tcp(Ports::ALL) | Flow::Udp(Ports::ALL) => self.protocol().into(),
            Flow::Tcp(ports) => format!("tcp {port} {ports}"),
            Flow::Udp(ports) => format!("udp {port} {ports}"),
            Flow::Icmp(messages) => icmp("icmp", "icmp", messages),
            Flow::Icmpv6(messages) => icmp("icmpv6", "ipv6-icmp", messages),
            Flow::Protocol(number) => format!("meta l4proto {number}"),
        }
    }
}

fn ip(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

/// The chains as nft reads them.
pub(super) fn text(chains: &[Chain]) -> String {
    let mut text = String::new();
    for (index, chain) in chains.iter().enumerate() {
        let space = if index == 0 { "" } else { "\n" };
        text.push_str(&format!("{space}\tchain {} {{\n", chain.name));
        if let Some(hook) = chain.hook {
            let priority = if hook.priority == 0 { "filter".into() } else { hook.priority.to_string() };
            text.push_str(&format!(
                "\t\ttype filter hook {} priority {priority}; policy accept;\n",
                hook.name
            ));
        }
        for (rule, comment) in &chain.rules {
            text.push_str(&format!("\t\t{rule} comment \"{comment}\"\n"));
        }
        text.push_str("\t}\n");
    }
    text
}
