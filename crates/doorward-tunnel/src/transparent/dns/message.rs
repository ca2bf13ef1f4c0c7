//! As much of a DNS message as is needed to send it the right way (RFC 1035, RFC 6891).

use std::fmt;
use std::str::FromStr;

/// The server could not answer.
pub const SERVFAIL: u8 = 2;

/// A message's header, in bytes.
const HEADER: usize = 12;
/// The longest name on the wire.
const LONGEST_NAME: usize = 255;
/// What every client takes by UDP.
const LEAST_UDP: usize = 512;
/// The type of the record that tells what a client takes.
const OPT: u16 = 41;

/// Bytes that are no question that could be sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a DNS query")]
pub struct NotAQuery;

/// A question, with where it stands in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its number, by which its answer is known.
    pub id: u16,
    /// The labels of the name that is asked for, in lower case, the last one first.
    labels: Vec<Vec<u8>>,
    /// Where the question ends.
    end: usize,
    /// What the client takes by UDP, in bytes; 512 when it does not say.
    pub udp: usize,
    /// Whether it said so.
    edns: bool,
}

impl Query {
    /// Reads one; what has not exactly one question, or is an answer, is none.
    pub fn read(message: &[u8]) -> Result<Self, NotAQuery> {
        let flags = number(message, 2)?;
        let is_query = flags & 0x8000 == 0;
        if !is_query || number(message, 4)? != 1 {
            return Err(NotAQuery);
        }
        let (labels, end) = question(message)?;
        let (udp, edns) = match opt(message, end) {
            Some(size) => (usize::from(size).max(LEAST_UDP), true),
            None => (LEAST_UDP, false),
        };
        Ok(Self { id: number(message, 0)?, labels, end, udp, edns })
    }

    /// The answer that there is none, for the reason of that code.
    pub fn failed(&self, message: &[u8], code: u8) -> Vec<u8> {
        self.empty(message, u16::from(code & 0x0f), 0)
    }

    /// Header and question alone, with the client's own flags where an answer repeats them.
    fn empty(&self, message: &[u8], code: u16, more: u16) -> Vec<u8> {
        // QR and RA are set; opcode, RD and CD are the question's.
        let flags = 0x8080 | more | code | (number(message, 2).unwrap_or_default() & 0x7910);
        let mut answer = Vec::with_capacity(self.end.saturating_add(11));
        answer.extend(self.id.to_be_bytes());
        answer.extend(flags.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns)]);
        answer.extend(message.get(HEADER..self.end).unwrap_or_default());
        if self.edns {
            // The root's name, OPT, 1,232 bytes taken, no flags, no options.
            answer.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        }
        answer
    }
}

/// What of an answer goes into one datagram: all of it, or word that it has to be asked for by TCP.
pub fn truncated(answer: Vec<u8>, query: &Query) -> Vec<u8> {
    if answer.len() <= query.udp {
        return answer;
    }
    let code = number(&answer, 2).unwrap_or_default() & 0x0f;
    // TC, and AA where it was set.
    let more = 0x0200 | (number(&answer, 2).unwrap_or_default() & 0x0400);
    let mut short = query.empty(&answer, code, more);
    if let (Some(to), Some(id)) = (short.get_mut(..2), answer.get(..2)) {
        to.copy_from_slice(id);
    }
    short
}

/// Whether bytes are an answer to that question.
///
/// An answer that could not read the question may leave it out.
pub fn answers(answer: &[u8], query: &Query) -> bool {
    let is_answer = number(answer, 2).is_ok_and(|flags| flags & 0x8000 != 0);
    match number(answer, 4) {
        Ok(0) => is_answer,
        Ok(1) => {
            is_answer
                && question(answer).is_ok_and(|(labels, end)| labels == query.labels && end == query.end)
        }
        _ => false,
    }
}

/// The name that is asked for, its last label first, and where the question ends.
fn question(message: &[u8]) -> Result<(Vec<Vec<u8>>, usize), NotAQuery> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*message.get(at).ok_or(NotAQuery)?);
        at = at.saturating_add(1);
        if length == 0 {
            break;
        }
        // The only name before this one is none, so there is nothing that a pointer could mean.
        let label = message.get(at..at.saturating_add(length)).filter(|_| length < 64).ok_or(NotAQuery)?;
        labels.push(label.to_ascii_lowercase());
        at = at.saturating_add(length);
        if at.saturating_sub(HEADER) >= LONGEST_NAME {
            return Err(NotAQuery);
        }
    }
    labels.reverse();
    let end = at.saturating_add(4);
    if message.len() < end { Err(NotAQuery) } else { Ok((labels, end)) }
}

/// The size that the OPT record behind the question tells.
fn opt(message: &[u8], end: usize) -> Option<u16> {
    let counts: [u16; 3] = [6, 8, 10].map(|at| number(message, at).unwrap_or_default());
    let mut at = end;
    // A client may send any records before it; each takes at least eleven bytes, so this ends.
    for _ in 0..counts.iter().map(|count| usize::from(*count)).sum::<usize>() {
        at = skip_name(message, at)?;
        let kind = number(message, at).ok()?;
        if kind == OPT {
            return number(message, at.checked_add(2)?).ok();
        }
        let length = number(message, at.checked_add(8)?).ok()?;
        at = at.checked_add(10)?.checked_add(usize::from(length))?;
    }
    None
}

/// Where a record's name ends.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return at.checked_add(1),
            1..64 => at = at.checked_add(usize::from(length))?.checked_add(1)?,
            // A pointer ends a name.
            192.. => return at.checked_add(2),
            _ => return None,
        }
    }
}

fn number(message: &[u8], at: usize) -> Result<u16, NotAQuery> {
    let two = message.get(at..at.saturating_add(2)).and_then(|two| <[u8; 2]>::try_from(two).ok());
    two.map(u16::from_be_bytes).ok_or(NotAQuery)
}

/// A text that is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain (like `internal.example.org`, or `.` for every name)")]
pub struct NotADomain(String);

/// Names that end alike, and belong to one resolver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain {
    /// In lower case, the last one first; none is every name.
    labels: Vec<Vec<u8>>,
}

impl Domain {
    /// Whether a question is for the domain itself or for a name below it.
    pub fn contains(&self, query: &Query) -> bool {
        query.labels.starts_with(&self.labels)
    }
}

impl FromStr for Domain {
    type Err = NotADomain;

    /// With or without a dot at its end; a dot, a star or a tilde before it is what others write.
    fn from_str(text: &str) -> Result<Self, NotADomain> {
        let wrong = || NotADomain(text.into());
        let bare = text.strip_prefix('~').unwrap_or(text);
        let bare = bare.strip_prefix("*.").unwrap_or(bare);
        if bare == "." {
            return Ok(Self { labels: Vec::new() });
        }
        let bare = bare.strip_prefix('.').unwrap_or(bare);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = |label: &str| (1..64).contains(&label.len()) && label.bytes().all(letter);
        if bare.len() > LONGEST_NAME.saturating_sub(2) || !bare.split('.').all(fits) {
            return Err(wrong());
        }
        Ok(Self { labels: bare.rsplit('.').map(|label| label.to_ascii_lowercase().into_bytes()).collect() })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.labels.is_empty() {
            return f.write_str(".");
        }
        let labels: Vec<_> = self.labels.iter().rev().map(|label| String::from_utf8_lossy(label)).collect();
        f.write_str(&labels.join("."))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A question as a client sends it.
    pub fn ask(id: u16, name: &str, size: Option<u16>) -> Vec<u8> {
        let mut message = id.to_be_bytes().to_vec();
        message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(size.is_some())]);
        for label in name.split('.').filter(|label| !label.is_empty()) {
            message.push(u8::try_from(label.len()).expect("a label"));
            message.extend(label.as_bytes());
        }
        message.extend([0, 0, 1, 0, 1]);
        if let Some(size) = size {
            message.extend([0, 0, 41]);
            message.extend(size.to_be_bytes());
            message.extend([0, 0, 0, 0, 0, 0]);
        }
        message
    }

    fn belongs(name: &str, domain: &str, expected: bool) {
        let query = Query::read(&ask(1, name, None)).expect("a query");
        let domain: Domain = domain.parse().expect("a domain");
        assert_eq!(domain.contains(&query), expected, "{name} in {domain}");
    }

    #[test]
    fn a_name_belongs_to_a_domain_by_whole_labels() {
        belongs("orders.internal", "internal", true);
        belongs("internal", "internal", true);
        belongs("ORDERS.Internal", "inTERNAL.", true);
        belongs("orders.notinternal", "internal", false);
        belongs("a.db.eu-west-1.rds.amazonaws.com", "~rds.amazonaws.com", true);
        belongs("rds.amazonaws.com.example.org", "rds.amazonaws.com", false);
        belongs("example.org", ".", true);
        belongs("example.org", "*.example.org", true);
        belongs("org", "example.org", false);
    }

    #[test]
    fn a_domain_that_is_none_is_refused() {
        for text in ["", "..", "a..b", "a b", "*", "~", "ü.org", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
        for (text, said) in [(".", "."), ("~Internal.", "internal"), (".a.b", "a.b"), ("_tcp.x", "_tcp.x")] {
            assert_eq!(text.parse::<Domain>().expect("a domain").to_string(), said);
        }
    }

    #[test]
    fn a_query_says_what_it_takes() {
        fn check(size: Option<u16>, expected: usize) {
            assert_eq!(Query::read(&ask(7, "a.b", size)).expect("a query").udp, expected);
        }
        check(None, 512);
        check(Some(1232), 1232);
        check(Some(100), 512);
        check(Some(65_535), 65_535);
    }

    #[test]
    fn what_is_no_query_is_none() {
        let good = ask(7, "orders.internal", Some(1232));
        for length in 0..good.len() - 11 {
            assert_eq!(Query::read(&good[..length]), Err(NotAQuery), "{length}");
        }
        let spoilt = |at: usize, byte: u8| {
            let mut bad = good.clone();
            bad[at] = byte;
            Query::read(&bad)
        };
        assert_eq!(spoilt(2, 0x81), Err(NotAQuery), "an answer");
        assert_eq!(spoilt(5, 2), Err(NotAQuery), "two questions");
        assert_eq!(spoilt(5, 0), Err(NotAQuery), "no question");
        assert_eq!(spoilt(12, 0xc0), Err(NotAQuery), "a pointer to nothing");
        assert_eq!(spoilt(12, 64), Err(NotAQuery), "a label that is too long");
        assert_eq!(Query::read(&ask(1, &"a.".repeat(200), None)), Err(NotAQuery), "a name that is too long");
    }

    #[test]
    fn a_failure_repeats_the_question() {
        let asked = ask(0xbeef, "orders.internal", Some(1232));
        let query = Query::read(&asked).expect("a query");
        let failed = query.failed(&asked, SERVFAIL);
        assert_eq!(failed[..12], [0xbe, 0xef, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(failed[12..query.end], asked[12..query.end]);
        assert!(answers(&failed, &query));
        let plain = ask(1, "orders.internal", None);
        let failed = Query::read(&plain).expect("a query").failed(&plain, SERVFAIL);
        assert_eq!(failed.len(), plain.len());
    }

    #[test]
    fn an_answer_that_is_too_long_says_so() {
        let asked = ask(9, "a.b", None);
        let query = Query::read(&asked).expect("a query");
        let mut answer = asked.clone();
        answer[2] = 0x85;
        answer[3] = 0x83;
        answer.resize(512, 1);
        assert_eq!(truncated(answer.clone(), &query), answer);
        answer.push(1);
        let short = truncated(answer, &query);
        assert_eq!(short[..12], [0, 9, 0x87, 0x83, 0, 1, 0, 0, 0, 0, 0, 0], "TC, AA, RD, RA and NXDOMAIN");
        assert_eq!(short.len(), asked.len());
    }

    #[test]
    fn an_answer_is_for_its_own_question() {
        let query = Query::read(&ask(9, "a.b", None)).expect("a query");
        let answer = |name: &str| {
            let mut answer = ask(1, name, None);
            answer[2] |= 0x80;
            answer
        };
        assert!(answers(&answer("A.b"), &query));
        assert!(!answers(&answer("c.b"), &query));
        assert!(!answers(&ask(9, "a.b", None), &query), "a question is no answer");
        assert!(answers(&[0, 1, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0], &query), "the question is left out");
        assert!(!answers(&[0, 1, 0x81], &query));
    }
}
