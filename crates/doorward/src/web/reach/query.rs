//! The query parameters of the reachability page.

use std::fmt::Write as _;

use axum::http::StatusCode;

use crate::web::failure::Failure;
use doorward_picture::Focus;

/// A question, and what the picture is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReachQuery {
    /// Who sends, as typed.
    pub from: String,
    /// Who receives, as typed.
    pub to: String,
    /// What, as typed.
    pub flow: String,
    /// Which part of the picture.
    pub show: Option<Focus>,
}

/// The longest list of flows that a link asks about; all that passes is asked for otherwise.
const FLOWS: usize = 300;

impl ReachQuery {
    /// Reads a query. Fields that it does not know are left alone.
    pub fn read(query: &str) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in fields(query) {
            match name.as_str() {
                "from" => asked.from = value.trim().to_owned(),
                "to" => asked.to = value.trim().to_owned(),
                "flow" => asked.flow = value.trim().to_owned(),
                "show" if value.is_empty() => asked.show = None,
                "show" => {
                    let focus = value
                        .parse::<Focus>()
                        .map_err(|error| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
                    asked.show = Some(focus);
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The same part of the picture with another question.
    pub fn about(&self, from: &str, to: &str, flow: &str) -> Self {
        let flow = if flow.len() <= FLOWS { flow.to_owned() } else { String::new() };
        Self { from: from.into(), to: to.into(), flow, show: self.show }
    }

    /// Another part of the picture without a question.
    pub fn showing(&self, show: Option<Focus>) -> Self {
        Self { show, ..Self::default() }
    }

    /// Where it is asked.
    pub fn path(&self) -> String {
        let show = self.show.map(|focus| focus.to_string()).unwrap_or_default();
        let fields = [("from", &self.from), ("to", &self.to), ("flow", &self.flow), ("show", &show)];
        let mut path = String::from("/reach");
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            let start = if path.contains('?') { '&' } else { '?' };
            let _ = write!(path, "{start}{name}={}", encoded(value));
        }
        path
    }
}

/// The fields of a query.
fn fields(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                text.push(char::from(byte));
            }
            b' ' => text.push('+'),
            byte => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut ahead = rest.clone();
                let mut digit = || ahead.next().and_then(|byte| char::from(byte).to_digit(16));
                match digit().zip(digit()).map(|(high, low)| high * 16 + low).map(u8::try_from) {
                    Some(Ok(byte)) => {
                        bytes.push(byte);
                        rest = ahead;
                    }
                    _ => bytes.push(b'%'),
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_goes_there_and_back() {
        for (from, to, flow, show) in [
            ("internet", "rds:orders prod", "tcp/80, tcp/443", None),
            ("a&b=c?d#e+f%20", "öffentlich", "", Some("role-3.outside-0")),
            ("2001:db8::/32", "i-0a1b", "icmp/8/0", Some("role-3")),
        ] {
            let show = show.map(|show| show.parse().expect("a focus"));
            let asked = ReachQuery { from: from.into(), to: to.into(), flow: flow.into(), show };
            let path = asked.path();
            let query = path.strip_prefix("/reach?").expect("a query");
            assert_eq!(ReachQuery::read(query).ok(), Some(asked), "{path}");
        }
        assert_eq!(ReachQuery::default().path(), "/reach");
    }

    #[test]
    fn a_broken_query_is_read_as_far_as_it_goes() {
        assert_eq!(
            ReachQuery::read("from=%zz&to=100%&x&&=").map(|asked| (asked.from, asked.to)).ok(),
            Some(("%zz".into(), "100%".into()))
        );
        assert!(ReachQuery::read("show=everything").is_err());
    }
}
