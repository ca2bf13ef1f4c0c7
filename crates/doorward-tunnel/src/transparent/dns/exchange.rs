//! Many questions on one connection: framed, numbered anew, and their answers given back to who asked (RFC 7766).

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};

use super::message::{Query, answers};

/// Questions at once on one connection.
const MOST: usize = 1024;

/// No more can be asked before something is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many DNS queries are pending")]
pub struct Full;

/// Who is told an answer, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered<W> {
    /// Who asked.
    pub who: W,
    /// The whole message, under the number that they gave it.
    pub message: Vec<u8>,
}

struct Waiting<W> {
    who: W,
    query: Query,
    asked: Bytes,
    until: Instant,
}

/// One connection to a resolver, as bytes in and out.
pub struct Exchange<W> {
    waiting: BTreeMap<u16, Waiting<W>>,
    next: u16,
    /// What is to be sent.
    output: BytesMut,
    /// What came and is no whole message yet.
    input: BytesMut,
}

impl<W> Default for Exchange<W> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), next: 0, output: BytesMut::new(), input: BytesMut::new() }
    }
}

impl<W> Exchange<W> {
    /// Asks on behalf of `who`. At most 65,535 bytes and 1,024 questions at once.
    pub fn ask(&mut self, query: Query, message: Bytes, who: W, until: Instant) -> Result<(), (W, Full)> {
        let Ok(length) = u16::try_from(message.len()) else { return Err((who, Full)) };
        if self.waiting.len() >= MOST {
            return Err((who, Full));
        }
        while self.waiting.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.output.extend_from_slice(&length.to_be_bytes());
        self.output.extend_from_slice(&id.to_be_bytes());
        self.output.extend_from_slice(message.get(2..).unwrap_or_default());
        self.waiting.insert(id, Waiting { who, query, asked: message, until });
        Ok(())
    }

    /// What is to be sent; what was sent is taken from its front.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Where what comes is put; [`Self::answered`] is asked afterwards.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// The next answer that has come. Answers that nobody waits for are dropped.
    pub fn answered(&mut self) -> Option<Answered<W>> {
        loop {
            let length = usize::from(u16::from_be_bytes(*self.input.first_chunk()?));
            if self.input.len() < length.saturating_add(2) {
                return None;
            }
            self.input.advance(2);
            let mut message = self.input.split_to(length);
            let Some(id) = message.first_chunk().map(|id| u16::from_be_bytes(*id)) else { continue };
            if !self.waiting.get(&id).is_some_and(|waiting| answers(&message, &waiting.query)) {
                continue;
            }
            let Some(waiting) = self.waiting.remove(&id) else { continue };
            if let Some(place) = message.get_mut(..2) {
                place.copy_from_slice(&waiting.query.id.to_be_bytes());
            }
            return Some(Answered { who: waiting.who, message: message.to_vec() });
        }
    }

    /// When the first question is given up.
    pub fn until(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// Those who waited too long.
    pub fn expired(&mut self, now: Instant) -> Vec<W> {
        self.waiting
            .extract_if(.., |_, waiting| waiting.until <= now)
            .map(|(_, waiting)| waiting.who)
            .collect()
    }

    /// Everything that waits, when the connection is gone: to be asked again elsewhere, by the same end.
    pub fn abandoned(self) -> impl Iterator<Item = (Query, Bytes, W, Instant)> {
        self.waiting.into_values().map(|waiting| (waiting.query, waiting.asked, waiting.who, waiting.until))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::message::tests::ask;
    use super::*;

    fn asks(exchange: &mut Exchange<&'static str>, id: u16, name: &str, who: &'static str, until: Instant) {
        let message = Bytes::from(ask(id, name, None));
        let query = Query::read(&message).expect("a query");
        exchange.ask(query, message, who, until).expect("there is room");
    }

    /// What a resolver answers to everything that was sent, in reverse.
    fn answer(exchange: &mut Exchange<&'static str>) -> Vec<u8> {
        let sent = exchange.output().split();
        let mut answers: Vec<Vec<u8>> = Vec::new();
        let mut rest = &sent[..];
        while let [high, low, tail @ ..] = rest {
            let (one, tail) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            let mut one = [&[*high, *low], one].concat();
            one[4] |= 0x80;
            answers.push(one);
            rest = tail;
        }
        answers.into_iter().rev().flatten().collect()
    }

    #[test]
    fn answers_in_any_order_and_in_any_pieces_come_to_who_asked() {
        let mut exchange = Exchange::default();
        let until = Instant::now();
        asks(&mut exchange, 5, "a.internal", "jon", until);
        asks(&mut exchange, 5, "b.internal", "maria", until);
        asks(&mut exchange, 9, "c.internal", "richard", until);
        let mut told = Vec::new();
        for byte in answer(&mut exchange) {
            exchange.input().extend_from_slice(&[byte]);
            while let Some(answered) = exchange.answered() {
                told.push((answered.who, u16::from_be_bytes([answered.message[0], answered.message[1]])));
            }
        }
        assert_eq!(told, [("richard", 9), ("maria", 5), ("jon", 5)]);
        assert!(exchange.is_empty());
    }

    #[test]
    fn an_answer_to_another_question_is_nobodys() {
        let mut exchange = Exchange::default();
        asks(&mut exchange, 5, "a.internal", "jon", Instant::now());
        let mut lie = answer(&mut exchange);
        lie[15] = b'z';
        exchange.input().extend_from_slice(&lie);
        exchange.input().extend_from_slice(&[0, 0, 0, 1, 7]);
        assert_eq!(exchange.answered(), None);
        assert_eq!(exchange.len(), 1, "the true one may still come");
    }

    #[test]
    fn who_waited_too_long_is_told() {
        let mut exchange = Exchange::default();
        let now = Instant::now();
        asks(&mut exchange, 1, "a", "jon", now + Duration::from_secs(1));
        asks(&mut exchange, 2, "b", "maria", now + Duration::from_secs(2));
        assert_eq!(exchange.until(), Some(now + Duration::from_secs(1)));
        assert_eq!(exchange.expired(now + Duration::from_secs(1)), ["jon"]);
        let left: Vec<&str> = exchange.abandoned().map(|(_, _, who, _)| who).collect();
        assert_eq!(left, ["maria"]);
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for() {
        let mut exchange = Exchange::default();
        for _ in 0..MOST {
            asks(&mut exchange, 1, "a", "jon", Instant::now());
        }
        let message = Bytes::from(ask(1, "a", None));
        let query = Query::read(&message).expect("a query");
        assert_eq!(exchange.ask(query, message, "maria", Instant::now()), Err(("maria", Full)));
    }
}
