//! A session document that leads to one target: the host stands in it, and only the target's ports can be asked for.
//!
//! AWS's own document for this, `AWS-StartPortForwardingSessionToRemoteHost`, takes any host: whoever may use it reaches
//! all that the jump host reaches.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::net::{Flow, Ports};
use crate::policy::{Ssm, Target, TargetName};

/// A document to be put into Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionDocument {
    /// Its name: `doorward-orders-db`.
    pub name: String,
    /// Its text, as JSON.
    pub content: Value,
}

impl SessionDocument {
    /// Its text.
    pub fn text(&self) -> String {
        self.content.to_string()
    }
}

/// Why a target has no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDocument {
    /// A session carries TCP alone.
    #[error("no port of `{0}` is TCP, and a session forwards only TCP")]
    NoPorts(TargetName),
    /// Something that is neither a name nor an address, or is one that an agent refuses.
    #[error("a session cannot connect to `{0}`")]
    Host(String),
}

/// The document of a target. `host` is where it answers, as the jump host knows it; none where it is the jump host itself.
pub fn session_document(target: &Target, host: Option<&str>) -> Result<SessionDocument, NoDocument> {
    let ranges = ports(target);
    let Some(first) = ranges.first() else { return Err(NoDocument::NoPorts(target.name.clone())) };
    if let Some(host) = host.filter(|host| !is_host(host)) {
        return Err(NoDocument::Host(host.to_owned()));
    }
    let parameter = |description: &str, ranges: &[Ports], default: &str| {
        let pattern = pattern(ranges);
        json!({"type": "String", "description": description, "allowedPattern": pattern, "default": default})
    };
    let any: Vec<Ports> = Ports::range(0, u16::MAX).into_iter().collect();
    let mut properties = json!({
        "type": "LocalPortForwarding",
        "portNumber": "{{ portNumber }}",
        "localPortNumber": "{{ localPortNumber }}",
    });
    if let (Some(host), Some(properties)) = (host, properties.as_object_mut()) {
        properties.insert("host".to_owned(), json!(host));
    }
    let content = json!({
        "schemaVersion": "1.0",
        "description": format!("Doorward: {} and nothing else", target.name),
        "sessionType": "Port",
        "parameters": {
            "portNumber": parameter("The port of the target", &ranges, &first.from().to_string()),
            "localPortNumber": parameter("The port at the person's own machine", &any, "0"),
        },
        "properties": properties,
    });
    Ok(SessionDocument { name: Ssm::pinned(&target.name), content })
}

/// The TCP ports of a target, apart and in order; port 0 is none.
fn ports(target: &Target) -> Vec<Ports> {
    let of = |flow: &Flow| match flow {
        Flow::Tcp(ports) => Ports::range(ports.from().max(1), ports.to()),
        Flow::All => Ports::range(1, u16::MAX),
        Flow::Udp(_) | Flow::Icmp(_) | Flow::Icmpv6(_) | Flow::Protocol(_) => None,
    };
    let ranges: BTreeSet<(u16, u16)> =
        target.ports.iter().filter_map(of).map(|ports| (ports.from(), ports.to())).collect();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (from, to) in ranges {
        match merged.last_mut() {
            Some((_, last)) if u32::from(from) <= u32::from(*last) + 1 => *last = (*last).max(to),
            _ => merged.push((from, to)),
        }
    }
    merged.into_iter().filter_map(|(from, to)| Ports::range(from, to)).collect()
}

/// What Systems Manager takes as a host, and nothing that it would take for a parameter.
fn is_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && !host.starts_with('-')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
}

/// A regular expression for exactly the numbers of some ranges, written without leading zeros.
fn pattern(ranges: &[Ports]) -> String {
    let mut pieces = Vec::new();
    for range in ranges {
        let (mut from, to) = (u32::from(range.from()), u32::from(range.to()));
        while from <= to {
            // The numbers of equal length from here on.
            let longest = 10_u32.saturating_pow(from.max(1).ilog10() + 1) - 1;
            let end = longest.min(to);
            digits(from, end, &mut pieces);
            from = end + 1;
        }
    }
    format!("^({})$", pieces.join("|"))
}

/// Pieces for all from one number to another of the same length: a common beginning, one class, then any digits.
fn digits(from: u32, to: u32, pieces: &mut Vec<String>) {
    let mut begin = from;
    while begin <= to {
        // As many whole tens, hundreds, thousands as begin here and end in time.
        let mut unit = 1_u32;
        while begin.is_multiple_of(unit * 10) && begin + unit * 10 - 1 <= to && unit * 10 <= begin.max(1) {
            unit *= 10;
        }
        let digit = begin / unit % 10;
        // Not past 9, where the digit before would change.
        let most = (9 - digit).min((to + 1 - begin) / unit - 1);
        let head = begin / unit / 10;
        let head = if head == 0 { String::new() } else { head.to_string() };
        let class = if most == 0 { digit.to_string() } else { format!("[{digit}-{}]", digit + most) };
        pieces.push(format!("{head}{class}{}", "[0-9]".repeat(unit.ilog10() as usize)));
        begin += (most + 1) * unit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::Policy;

    fn target(ports: &str) -> Target {
        let text = format!(
            "[people]\npasswords = \"p\"\ngroups = \"g\"\n[ssm]\njump-host = \"tag:Name=jump\"\n[target.orders-db]\naddress = \"rds:orders\"\nports = {ports}\ngroups = [\"dbs\"]\ntransports = [\"ssm\"]\n"
        );
        let policy: Policy = crate::policy::parse(&text, "p").expect("a policy");
        policy.targets.into_values().next().expect("a target")
    }

    #[test]
    fn a_document_leads_to_one_host_and_its_ports() {
        let document = session_document(&target("[\"tcp/5432\", \"tcp/6432-6434\"]"), Some("orders.example"));
        let document = document.expect("a document");
        assert_eq!(document.name, "doorward-orders-db");
        let any = "^([0-9]|[1-9][0-9]|[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9]|[1-5][0-9][0-9][0-9][0-9]|6[0-4][0-9][0-9][0-9]|65[0-4][0-9][0-9]|655[0-2][0-9]|6553[0-5])$";
        let expected = json!({
            "schemaVersion": "1.0",
            "description": "Doorward: orders-db and nothing else",
            "sessionType": "Port",
            "parameters": {
                "portNumber": {
                    "type": "String",
                    "description": "The port of the target",
                    "allowedPattern": "^(5432|643[2-4])$",
                    "default": "5432",
                },
                "localPortNumber": {
                    "type": "String",
                    "description": "The port at the person's own machine",
                    "allowedPattern": any,
                    "default": "0",
                },
            },
            "properties": {
                "type": "LocalPortForwarding",
                "host": "orders.example",
                "portNumber": "{{ portNumber }}",
                "localPortNumber": "{{ localPortNumber }}",
            },
        });
        assert_eq!(document.content, expected);
        assert_eq!(document.text().parse::<Value>().ok(), Some(expected));
    }

    #[test]
    fn the_jump_host_itself_has_no_host() {
        let document = session_document(&target("[\"tcp/22\"]"), None).expect("a document");
        assert_eq!(document.content["properties"].get("host"), None);
    }

    #[test]
    fn what_no_session_carries_has_no_document() {
        let mut udp = target("[\"tcp/53\"]");
        udp.ports = BTreeSet::from(["udp/53".parse().expect("a flow"), "icmp".parse().expect("a flow")]);
        assert!(matches!(session_document(&udp, Some("a")), Err(NoDocument::NoPorts(_))));
        udp.ports.clear();
        assert!(
            matches!(session_document(&udp, Some("a")), Err(NoDocument::NoPorts(_))),
            "empty is never all"
        );
        for host in ["", "a b", "{{ host }}", "a\"b", "-a", &"x".repeat(254)] {
            let refused = session_document(&target("[\"tcp/1\"]"), Some(host));
            assert!(matches!(refused, Err(NoDocument::Host(_))), "{host}");
        }
    }

    /// The few things that our patterns have: pieces of digits and classes of digits.
    fn fits(pattern: &str, number: &str) -> bool {
        let pieces = pattern.strip_prefix("^(").and_then(|rest| rest.strip_suffix(")$")).expect("a pattern");
        pieces.split('|').any(|piece| {
            let (mut given, mut piece) = (number.bytes(), piece.bytes());
            while let Some(byte) = piece.next() {
                let Some(digit) = given.next() else { return false };
                let range = match byte {
                    b'[' => {
                        let class = [piece.next(), piece.next(), piece.next(), piece.next()];
                        let [Some(from), Some(b'-'), Some(to), Some(b']')] = class else {
                            panic!("{pattern}")
                        };
                        from..=to
                    }
                    digit => digit..=digit,
                };
                if !range.contains(&digit) {
                    return false;
                }
            }
            given.next().is_none()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_pattern_is_exactly_its_ranges(ranges in prop::collection::vec((0u16.., 0u16..), 1..4)) {
            let ranges: Vec<Ports> =
                ranges.into_iter().filter_map(|(one, other)| Ports::range(one.min(other), one.max(other))).collect();
            let pattern = pattern(&ranges);
            for number in 0..=70_000_u32 {
                let within = ranges.iter().any(|range| {
                    u32::from(range.from()) <= number && number <= u32::from(range.to())
                });
                prop_assert_eq!(fits(&pattern, &number.to_string()), within, "{} in {}", number, pattern);
            }
            for other in ["", "00", "01", "x", "-1"] {
                prop_assert!(!fits(&pattern, other), "{other} in {pattern}");
            }
        }

        #[test]
        fn small_ranges_too(from in 0u16..300, length in 0u16..300) {
            let range = Ports::range(from, from + length).expect("a range");
            let pattern = pattern(&[range]);
            for number in 0..1000_u16 {
                prop_assert_eq!(fits(&pattern, &number.to_string()), range.contains(number), "{} in {}", number, pattern);
            }
        }
    }
}
