//! Bytes as a question, as what comes on a connection to a resolver, and as a domain: never a panic, and every answer
//! goes to who asked.
#![no_main]

use std::time::{Duration, Instant};

use doorward_tunnel::transparent::{Domain, Exchange, Query, SERVFAIL, answers, truncated};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    question(data);
    if let Ok(text) = std::str::from_utf8(data) {
        domain(text);
    }
    conversation(data);
});

fn question(message: &[u8]) {
    let Ok(query) = Query::read(message) else { return };
    assert!(query.udp >= 512);
    let failed = query.failed(message, SERVFAIL);
    assert!(answers(&failed, &query));
    assert_eq!(failed[..2], message[..2]);
    let mut long = failed.clone();
    long.resize(query.udp + 1, 0);
    let short = truncated(long, &query);
    assert!(short.len() <= query.udp && answers(&short, &query) && short[2] & 2 != 0);
}

fn domain(text: &str) {
    let Ok(domain) = text.parse::<Domain>() else { return };
    assert_eq!(domain.to_string().parse(), Ok(domain));
}

/// The first byte says how many questions are asked; half of the rest is the question, and all of it is what comes back,
/// in pieces and with the numbers that were given in some places.
fn conversation(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (message, came) = rest.split_at(rest.len() / 2);
    let mut exchange = Exchange::default();
    let now = Instant::now();
    let mut asked = 0;
    if let Ok(query) = Query::read(message) {
        for who in 0..usize::from(*first) {
            let message = message.to_vec().into();
            if exchange.ask(query.clone(), message, who, now + Duration::from_secs(who as u64)).is_ok() {
                asked += 1;
            }
        }
        // What was sent comes back as answers, then whatever else.
        let mut sent = exchange.output().split();
        let mut at = 0;
        while let Some(length) = sent.get(at..at + 2).map(|two| usize::from(u16::from_be_bytes([two[0], two[1]]))) {
            if let Some(flags) = sent.get_mut(at + 4) {
                *flags |= 0x80;
            }
            at += length + 2;
        }
        for piece in sent.chunks(usize::from(*first).max(1)) {
            exchange.input().extend_from_slice(piece);
            while let Some(answered) = exchange.answered() {
                assert_eq!(answered.message[..2], message[..2]);
                assert!(answers(&answered.message, &query));
                asked -= 1;
            }
        }
    }
    for piece in came.chunks(usize::from(*first).max(1)) {
        exchange.input().extend_from_slice(piece);
        while exchange.answered().is_some() {
            asked -= 1;
        }
        assert!(exchange.input().len() <= 65_537 + piece.len());
    }
    assert_eq!(exchange.len(), asked);
    assert_eq!(exchange.expired(now + Duration::from_secs(300)).len(), asked);
    assert!(exchange.is_empty() && exchange.until().is_none());
}
