//! Sets of flows: exact, canonical, and as quick to combine as a few ranges of numbers are.

pub(crate) mod bounds;
pub(crate) mod intern;

use std::fmt;
use std::sync::LazyLock;

use crate::net::{Family, Flow, Icmp, Ports};

/// Where each protocol stands on the line that all flows are laid out on.
///
/// TCP and UDP take a number for each destination port, ICMP of each family one for each type and code, and
/// every other protocol one. A set is then a sorted list of half-open ranges of that line.
const UDP: u32 = 0x1_0000;

const ICMP: u32 = 0x2_0000;

const ICMPV6: u32 = 0x3_0000;

const OTHERS: u32 = 0x4_0000;

const END: u32 = OTHERS + 256;

/// The lowest port that any client chooses for itself (VPC user guide, ephemeral ports).
const FIRST_CLIENT_PORT: u32 = 1024;

/// Where a family's messages are, and which type answers which: echo, timestamp, information, address mask.
const ECHOES: [(u32, u32, u32); 5] =
    [(ICMP, 8, 0), (ICMP, 13, 14), (ICMP, 15, 16), (ICMP, 17, 18), (ICMPV6, 128, 129)];

/// The protocols that have a place of their own on the line.
const NUMBERED: [(u8, u32); 4] = [(1, ICMP), (6, 0), (17, UDP), (58, ICMPV6)];

// Every question begins with these.
static OF_V4: LazyLock<Flows> =
    LazyLock::new(|| Flows(vec![(0, ICMPV6), (OTHERS, END)]).minus(&Flows::unused()));

// The other protocols follow ICMP at once: two ranges that touch would be no value of their own.
static OF_V6: LazyLock<Flows> =
    LazyLock::new(|| Flows(vec![(0, ICMP), (ICMPV6, END)]).minus(&Flows::unused()));

static ALL: LazyLock<Flows> = LazyLock::new(|| OF_V4.union(&OF_V6));

/// A set of flows. Equal sets are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flows(Vec<(u32, u32)>);

impl Flows {
    /// Nothing.
    pub const NONE: Self = Self(Vec::new());

    /// Everything that a packet of a family can be: ICMP is bound to its own.
    pub fn of_family(family: Family) -> Self {
        match family {
            Family::V4 => OF_V4.clone(),
            Family::V6 => OF_V6.clone(),
        }
    }

    /// Everything, of both families.
    pub fn all() -> Self {
        ALL.clone()
    }

    /// The numbers among the other protocols that belong to one with a place of its own.
    fn unused() -> Self {
        let mut ranges: Vec<(u32, u32)> =
            NUMBERED.iter().map(|(number, _)| OTHERS + u32::from(*number)).map(|at| (at, at + 1)).collect();
        ranges.sort_unstable();
        Self(ranges)
    }

    /// TCP, UDP and ICMP: what a NAT gateway carries.
    pub fn tcp_udp_icmp(family: Family) -> Self {
        Self::from_iter([Flow::Tcp(Ports::ALL), Flow::Udp(Ports::ALL), Icmp::All.flow(family)])
    }

    /// What a NAT gateway translates from IPv6 to IPv4: of ICMP the echo alone.
    pub(crate) fn nat64() -> Self {
        Self::from_iter([Flow::Tcp(Ports::ALL), Flow::Udp(Ports::ALL), Flow::Icmpv6(Icmp::Type(128))])
    }

    /// Flows of IPv4 behind such a translation as those of IPv6 that they are before it.
    pub(crate) fn before_nat64(&self) -> Self {
        let rest = self.minus(&Self(vec![(ICMP, OTHERS)]));
        [(8, 128), (0, 129)].into_iter().fold(rest, |sum, (v4, v6)| {
            let (from, to) = (ICMP + 256 * v4, ICMPV6 + 256 * v6);
            let echo =
                self.within(from, from + 256).map(|(first, last)| (first - from + to, last - from + to));
            sum.union(&Self(echo.collect()))
        })
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every flow of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        other.minus(self).is_empty()
    }

    /// Whether they share any flow.
    pub fn meets(&self, other: &Self) -> bool {
        !self.and(other).is_empty()
    }

    /// What is in one or the other.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.0.is_empty() {
            return other.clone();
        }
        if other.0.is_empty() {
            return self.clone();
        }
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 <= b.0 => left.next(),
                (Some(_), None) => left.next(),
                (_, Some(_)) => right.next(),
                (None, None) => return Self(ranges),
            };
            let Some(&(from, to)) = next else { return Self(ranges) };
            match ranges.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => ranges.push((from, to)),
            }
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            let (from, to) = (a.max(c), b.min(d));
            if from < to {
                ranges.push((from, to));
            }
            if b <= d {
                left.next();
            } else {
                right.next();
            }
        }
        Self(ranges)
    }

    /// What is in it and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for &(mut from, to) in &self.0 {
            while let Some(&&(cut_from, cut_to)) = cuts.peek() {
                if cut_to <= from {
                    cuts.next();
                    continue;
                }
                if cut_from >= to {
                    break;
                }
                if from < cut_from {
                    ranges.push((from, cut_from));
                }
                from = cut_to;
                if cut_to >= to {
                    break;
                }
                cuts.next();
            }
            if from < to {
                ranges.push((from, to));
            }
        }
        Self(ranges)
    }

    /// The flows in the fewest words, in their order; all of a family is `all`.
    pub fn list(&self) -> Vec<Flow> {
        if self.is_all() {
            return vec![Flow::All];
        }
        let mut flows = Vec::new();
        let ports = |flows: &mut Vec<Flow>, base: u32, flow: fn(Ports) -> Flow| {
            for (from, to) in self.within(base, base + 0x1_0000) {
                flows.extend(Ports::range(low(from - base), low(to - 1 - base)).map(flow));
            }
        };
        ports(&mut flows, 0, Flow::Tcp);
        ports(&mut flows, UDP, Flow::Udp);
        for (base, family) in [(ICMP, Family::V4), (ICMPV6, Family::V6)] {
            for (from, to) in self.within(base, base + 0x1_0000) {
                flows.extend(messages(from - base, to - base).map(|icmp| icmp.flow(family)));
            }
        }
        for (from, to) in self.within(OTHERS, END) {
            flows.extend((from..to).filter_map(|at| u8::try_from(at - OTHERS).ok()).map(Flow::Protocol));
        }
        flows
    }

    /// Whether it is all that a packet of either family can be.
    pub fn is_all(&self) -> bool {
        [Family::V4, Family::V6].into_iter().any(|family| self.covers(&Self::of_family(family)))
    }

    /// Taken as the packets that are let back: the requests that get some of their replies, and those that get all.
    ///
    /// A reply of TCP or UDP goes to the port that the client chose: the ranges of Linux, Windows and of what AWS
    /// translates are all within 1024 to 65535 (VPC user guide, ephemeral ports). ICMP is answered by another type,
    /// any other protocol by itself.
    pub(crate) fn requests(&self) -> (Self, Self) {
        // Where all is let back, as almost everywhere, every request is answered.
        if [&*ALL, &*OF_V4, &*OF_V6].contains(&self) {
            return (self.clone(), self.clone());
        }
        let (mut some, mut every) = (Self::NONE, Self::NONE);
        for base in [0, UDP] {
            let clients = Self(vec![(base + FIRST_CLIENT_PORT, base + 0x1_0000)]);
            let whole = Self(vec![(base, base + 0x1_0000)]);
            let back = self.and(&clients);
            if !back.is_empty() {
                some = some.union(&whole);
                if back == clients {
                    every = every.union(&whole);
                }
            }
        }
        let mut rest = self.minus(&Self(vec![(0, ICMP)]));
        for (base, request, reply) in ECHOES {
            let (request, reply) = (base + 256 * request, base + 256 * reply);
            let answers = self.0.iter().map(|&(from, to)| (from.max(reply), to.min(reply + 256)));
            let asked = answers
                .filter(|(from, to)| from < to)
                .map(|(from, to)| (from - reply + request, to - reply + request));
            rest = rest.minus(&Self(vec![(request, request + 256)])).union(&Self(asked.collect()));
        }
        (some.union(&rest), every.union(&rest))
    }

    /// The packets that answer a request: to a port of the client's own, to which an echo or a query is answered by the
    /// message of its kind, and any other protocol by itself.
    pub(crate) fn replies_to(request: Flow) -> Flow {
        let clients = || {
            let first = u16::try_from(FIRST_CLIENT_PORT).unwrap_or_default();
            Ports::range(first, u16::MAX).unwrap_or(Ports::ALL)
        };
        match request {
            Flow::Tcp(_) => Flow::Tcp(clients()),
            Flow::Udp(_) => Flow::Udp(clients()),
            Flow::Icmp(icmp) => Flow::Icmp(answer(ICMP, icmp)),
            Flow::Icmpv6(icmp) => Flow::Icmpv6(answer(ICMPV6, icmp)),
            other => other,
        }
    }

    /// Taken as the packets that are let back: whether all of some requests get all of their replies.
    pub(crate) fn answers(&self, requests: &Self) -> bool {
        // Most questions are of one protocol with ports.
        for base in [0, UDP] {
            let within = |(from, to): &(u32, u32)| *from >= base && *to <= base + 0x1_0000;
            if requests.0.iter().all(within) {
                return requests.is_empty()
                    || self.covers(&Self(vec![(base + FIRST_CLIENT_PORT, base + 0x1_0000)]));
            }
        }
        self.requests().1.covers(requests)
    }

    /// The ports of clients among the packets that are let back, of one protocol.
    pub(crate) fn client_ports(&self, udp: bool) -> Vec<Ports> {
        let base = if udp { UDP } else { 0 };
        self.within(base + FIRST_CLIENT_PORT, base + 0x1_0000)
            .filter_map(|(from, to)| Ports::range(low(from - base), low(to - 1 - base)))
            .collect()
    }

    /// Some flow of the set, the same for equal sets.
    pub(crate) fn first(&self) -> Option<Self> {
        self.0.first().map(|&(from, _)| Self(vec![(from, from + 1)]))
    }

    fn within(&self, base: u32, end: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let clipped = self.0.iter().map(move |&(from, to)| (from.max(base), to.min(end)));
        clipped.filter(|(from, to)| from < to)
    }
}

/// The message of a family that answers another.
fn answer(family: u32, request: Icmp) -> Icmp {
    let answer = |kind: u8| {
        let mut echoes = ECHOES.iter().filter(|(base, ..)| *base == family);
        let found = echoes.find(|(_, asked, _)| *asked == u32::from(kind));
        found.and_then(|(_, _, answer)| u8::try_from(*answer).ok()).unwrap_or(kind)
    };
    match request {
        Icmp::All => Icmp::All,
        Icmp::Type(kind) => Icmp::Type(answer(kind)),
        Icmp::Code(kind, code) => Icmp::Code(answer(kind), code),
    }
}

fn low(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Types and codes of a range of messages, in the fewest words.
fn messages(from: u32, to: u32) -> impl Iterator<Item = Icmp> {
    let mut at = from;
    std::iter::from_fn(move || {
        if at >= to {
            return None;
        }
        let [kind, code] = low(at).to_be_bytes();
        if at == 0 && to == 0x1_0000 {
            at = to;
            return Some(Icmp::All);
        }
        if code == 0 && at + 256 <= to {
            at += 256;
            return Some(Icmp::Type(kind));
        }
        at += 1;
        Some(Icmp::Code(kind, code))
    })
}

impl From<Flow> for Flows {
    fn from(flow: Flow) -> Self {
        let icmp = |base: u32, icmp: Icmp| match icmp {
            Icmp::All => (base, base + 0x1_0000),
            Icmp::Type(kind) => {
                let from = base + 256 * u32::from(kind);
                (from, from + 256)
            }
            Icmp::Code(kind, code) => {
                let from = base + 256 * u32::from(kind) + u32::from(code);
                (from, from + 1)
            }
        };
        let ports =
            |base: u32, ports: Ports| (base + u32::from(ports.from()), base + u32::from(ports.to()) + 1);
        let range = match flow {
            Flow::All => return Self::all(),
            Flow::Tcp(range) => ports(0, range),
            Flow::Udp(range) => ports(UDP, range),
            Flow::Icmp(kind) => icmp(ICMP, kind),
            Flow::Icmpv6(kind) => icmp(ICMPV6, kind),
            // A protocol that has a place of its own is all of that place, however it was written.
            Flow::Protocol(number) => match NUMBERED.iter().find(|(known, _)| *known == number) {
                Some(&(_, base)) => (base, base + 0x1_0000),
                None => (OTHERS + u32::from(number), OTHERS + u32::from(number) + 1),
            },
        };
        Self(vec![range])
    }
}

impl FromIterator<Flow> for Flows {
    fn from_iter<I: IntoIterator<Item = Flow>>(flows: I) -> Self {
        flows.into_iter().fold(Self::NONE, |set, flow| set.union(&flow.into()))
    }
}

impl fmt::Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        for (number, flow) in self.list().iter().enumerate() {
            write!(f, "{}{flow}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_where_all_replies_to_them_come_back() {
        let sets = |texts: &[&str]| -> Vec<Flows> {
            let flows =
                |text: &&str| text.split(' ').map(|flow| flow.parse::<Flow>().expect("a flow")).collect();
            texts.iter().map(flows).chain([Flows::NONE, Flows::of_family(Family::V4)]).collect()
        };
        let back =
            sets(&["all", "tcp/1024-65535", "tcp/32768-60999 udp/53", "udp/1000-65535 icmp/0", "proto/47"]);
        let asked =
            sets(&["all", "tcp/443", "tcp/1-2 tcp/9-65535", "udp/53", "tcp/22 udp/53", "icmp/8", "proto/47"]);
        for back in &back {
            for asked in &asked {
                assert_eq!(back.answers(asked), back.requests().1.covers(asked), "{back} to {asked}");
            }
        }
    }
}
