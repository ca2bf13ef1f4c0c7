//! Bytes as a client of the SOCKS port and of the HTTP proxy: never a panic, and pieces do not matter.
#![no_main]

use doorward_tunnel::dial::Destination;
use doorward_tunnel::http_proxy;
use doorward_tunnel::socks::protocol::{Conversation, Event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, said) = input;
    let (first, second) = said.split_at(usize::from(cut).min(said.len()));
    assert_eq!(hear(&[said]), hear(&[first, second]));
    let greeted = [&[5, 1, 0][..], said].concat();
    let bytes: Vec<&[u8]> = greeted.chunks(1).collect();
    assert_eq!(hear(&[&greeted]), hear(&bytes));
    proxied(said);
});

/// All that is said to a client, what came of it, and what is left for the far side.
fn hear(pieces: &[&[u8]]) -> (Vec<u8>, Option<Result<(Destination, Vec<u8>), String>>) {
    let (mut conversation, mut all) = (Conversation::default(), Vec::new());
    for (number, piece) in pieces.iter().enumerate() {
        conversation.heard(piece);
        match conversation.next() {
            Ok(Event::More { say }) => all.extend(say),
            Ok(Event::Asked { say, to }) => {
                all.extend(say);
                let mut rest = conversation.rest();
                rest.extend(pieces[number + 1..].concat());
                return (all, Some(Ok((to, rest))));
            }
            Err(refused) => {
                all.extend(refused.say);
                return (all, Some(Err(refused.why)));
            }
        }
    }
    (all, None)
}

fn proxied(said: &[u8]) {
    let Ok(Some((to, size))) = http_proxy::parse(said) else { return };
    for end in 0..size {
        assert_eq!(http_proxy::parse(&said[..end]), Ok(None));
    }
    let again = format!("CONNECT {to} HTTP/1.1\r\n\r\n");
    assert_eq!(http_proxy::parse(again.as_bytes()), Ok(Some((to, again.len()))));
}
