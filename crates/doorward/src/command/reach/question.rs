//! What is asked, from the words of the command line.

use doorward_core::inventory::Inventory;
use doorward_core::net::{Flow, NetError};
use doorward_core::policy::did_you_mean;
use doorward_core::reach::{Flows, NotFound, Selector};

use super::Reach;
use crate::command::{Code, Failure};

/// The question. Its ends are still text, because only the inventory resolves them.
#[derive(Debug)]
pub(super) enum Question {
    /// Does it pass?
    One { from: String, to: String, flows: Option<Flows> },
    /// Which paths are there?
    List { from: Option<String>, to: Option<String>, flows: Option<Flows>, pairs: bool },
    /// What would a change open and close?
    After { change: String, flows: Option<Flows> },
}

impl Reach {
    pub(super) fn question(&self) -> Result<Question, Failure> {
        if let Some(change) = &self.after {
            return Ok(Question::After { change: change.clone(), flows: flows(&self.words)? });
        }
        let (from, to) = (self.from.clone(), self.to.clone());
        if from.is_some() || to.is_some() || self.all {
            return Ok(Question::List { from, to, flows: flows(&self.words)?, pairs: self.pairs });
        }
        let [from, to, rest @ ..] = self.words.as_slice() else {
            let failure = Failure::new(Code::Usage, "`reach` needs FROM and TO");
            return Err(failure.hint(
                "like `doorward reach internet orders-db tcp/5432`; `--to X`, `--from X` and `--all` list",
            ));
        };
        if self.pairs {
            let failure = Failure::new(Code::Usage, "`--pairs` is for a list, not for a single question");
            return Err(failure.hint("name the ends with `--from X` and `--to X`, or use `--all`"));
        }
        if self.svg.is_some() {
            let failure = Failure::new(Code::Usage, "`--svg` is for a list, not for a single question");
            return Err(failure.hint("name the ends with `--from X` and `--to X`, or use `--all`"));
        }
        if let Some(flow) = [from, to].into_iter().find(|word| word.parse::<Flow>().is_ok()) {
            let failure = Failure::new(Code::Usage, format!("`{flow}` is where FROM and TO should be"));
            return Err(failure.hint("FROM and TO come first: `doorward reach FROM TO tcp/5432`"));
        }
        Ok(Question::One { from: from.clone(), to: to.clone(), flows: flows(rest)? })
    }
}

/// The union of what was typed; none when nothing was.
fn flows(words: &[String]) -> Result<Option<Flows>, Failure> {
    let flows: Vec<Flow> = words.iter().map(|word| flow(word)).collect::<Result<_, _>>()?;
    Ok((!flows.is_empty()).then(|| flows.into_iter().collect()))
}

fn flow(word: &str) -> Result<Flow, Failure> {
    word.parse().map_err(|error: NetError| {
        let failure = Failure::of(Code::Usage, &error);
        match meant(word) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure,
        }
    })
}

/// Services that people call by name.
const SERVICES: [(&str, &str); 9] = [
    ("dns", "udp/53"),
    ("http", "tcp/80"),
    ("https", "tcp/443"),
    ("mysql", "tcp/3306"),
    ("ping", "icmp/8/0"),
    ("postgres", "tcp/5432"),
    ("postgresql", "tcp/5432"),
    ("redis", "tcp/6379"),
    ("ssh", "tcp/22"),
];

/// The flow that was probably meant by a text that is none.
fn meant(word: &str) -> Option<Flow> {
    let word = word.to_lowercase().replace(':', "/");
    let (first, rest) = word.split_once('/').unwrap_or((&word, ""));
    let service = SERVICES.iter().find(|(name, _)| *name == word).map(|(_, flow)| (*flow).to_owned());
    let protocol = did_you_mean(first, ["tcp", "udp", "icmp", "icmpv6", "proto", "all"]);
    let ports = rest.split_once('-').map(|(from, to)| format!("{first}/{to}-{from}"));
    let written = [
        Some(word.clone()),
        service,
        matches!(word.as_str(), "any" | "*" | "-1").then(|| "all".to_owned()),
        // A protocol without ports, and ports without a protocol.
        matches!(word.as_str(), "tcp" | "udp").then(|| format!("{word}/0-65535")),
        Some(format!("tcp/{word}")),
        Some(format!("{rest}/{first}")),
        ports,
        protocol.map(|protocol| format!("{protocol}/{rest}")),
    ];
    written.into_iter().flatten().find_map(|text| text.trim_end_matches('/').parse().ok())
}

/// What a word names in the inventory.
pub(super) fn endpoint(word: &str, inventory: &Inventory) -> Result<Selector, Failure> {
    Selector::find(word, inventory).map_err(|error| {
        let failure = Failure::of(Code::Usage, &error);
        match &error {
            NotFound::Nothing { meant, gaps, .. } => {
                let unseen = gaps.iter().map(|gap| format!("not readable: {gap}"));
                let failure = failure.details(unseen);
                match meant {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None if gaps.is_empty() => {
                        failure.hint("`doorward reach --all` lists the resources by their names")
                    }
                    None => failure.hint("it may be in a part of the inventory that could not be read"),
                }
            }
            NotFound::Several { .. } => failure
                .hint("name one of them as it is listed: by its id, its ARN, or like `rds:REGION/NAME`"),
            NotFound::Address(_) => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_is_none_is_guessed() {
        let check = |word: &str, expected: Option<&str>| {
            assert!(word.parse::<Flow>().is_err(), "{word}");
            assert_eq!(meant(word).map(|flow| flow.to_string()).as_deref(), expected, "{word}");
        };
        check("5432", Some("tcp/5432"));
        check("1000-2000", Some("tcp/1000-2000"));
        check("TCP/5432", Some("tcp/5432"));
        check("tcp:5432", Some("tcp/5432"));
        check("5432/tcp", Some("tcp/5432"));
        check("tpc/5432", Some("tcp/5432"));
        check("tcp/2000-1000", Some("tcp/1000-2000"));
        check("tcp", Some("tcp/0-65535"));
        check("postgres", Some("tcp/5432"));
        check("ping", Some("icmp/8/0"));
        check("-1", Some("all"));
        check("orders-db", None);
        check("", None);
        check("/", None);
        check("tcp/99999", None);
    }
}
