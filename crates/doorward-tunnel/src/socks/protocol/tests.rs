//! SOCKS 5 byte by byte.

use proptest::prelude::*;

use super::*;

const GREETING: &[u8] = &[5, 1, 0];

/// Where a client goes, and what of its bytes is for the far side.
type Goes<'a> = (&'a str, &'a [u8]);

/// What a client is told, and why.
type ExpectedReply<'a> = (&'a [u8], &'a str);

/// What becomes of a client that says all of this at once.
fn check(said: &[u8], expected: Result<Goes<'_>, ExpectedReply<'_>>) {
    let mut conversation = Conversation::default();
    conversation.heard(said);
    match (conversation.next(), expected) {
        (Ok(Event::Asked { to, say }), Ok((destination, rest))) => {
            assert_eq!(to.to_string(), destination);
            assert_eq!(say, [5, 0]);
            assert_eq!(conversation.rest(), rest);
        }
        (Err(refused), Err((say, why))) => {
            assert_eq!(refused.say, say);
            assert!(refused.why.contains(why), "{}", refused.why);
        }
        (came, expected) => panic!("{came:?} and not {expected:?}"),
    }
}

fn request(rest: &[u8]) -> Vec<u8> {
    [GREETING, rest].concat()
}

#[test]
fn a_client_asks_for_an_address_or_a_name() {
    check(&request(&[5, 1, 0, 1, 10, 0, 0, 1, 21, 56]), Ok(("10.0.0.1:5432", b"")));
    check(&request(b"\x05\x01\x00\x03\x02db\x15\x38"), Ok(("db:5432", b"")));
    let mut v6 = vec![5, 1, 0, 4];
    v6.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    v6.extend([21, 56]);
    check(&request(&v6), Ok(("[2001:db8::1]:5432", b"")));
    // What is said already is for the far side.
    check(&request(b"\x05\x01\x00\x03\x02db\x15\x38SELECT"), Ok(("db:5432", b"SELECT")));
    // An address in the clothes of a name.
    check(&request(b"\x05\x01\x00\x03\x0810.0.0.1\x15\x38"), Ok(("10.0.0.1:5432", b"")));
    check(&[5, 3, 2, 0, 1, 5, 1, 0, 1, 10, 0, 0, 1, 0, 22], Ok(("10.0.0.1:22", b"")));
}

#[test]
fn what_is_not_carried_is_refused_with_its_code() {
    let reply = |code: u8| [5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    check(&request(&[5, 2, 0, 1, 10, 0, 0, 1, 0, 22]), Err((&reply(7), "BIND")));
    check(&request(&[5, 3, 0, 1, 10, 0, 0, 1, 0, 22]), Err((&reply(7), "UDP ASSOCIATE")));
    check(&request(&[5, 9, 0, 1]), Err((&reply(7), "command 9")));
    check(&request(&[5, 1, 0, 2, 1]), Err((&reply(8), "unknown kind 2")));
    check(&request(&[5, 1, 0, 3, 0, 0, 22]), Err((&reply(1), "cannot be one")));
    check(&request(b"\x05\x01\x00\x03\x03d b\x15\x38"), Err((&reply(1), "cannot be one")));
    check(&request(&[4, 1, 0, 1]), Err((&reply(1), "version 4")));
}

#[test]
fn what_is_not_socks_5_is_told_so() {
    check(&[5, 1, 2], Err((&[5, 0xff], "password")));
    check(&[5, 0], Err((&[5, 0xff], "password")));
    check(&[4, 1, 0, 22, 10, 0, 0, 1, 0], Err((&[0, 91, 0, 0, 0, 0, 0, 0], "SOCKS 4")));
    check(b"GET / HTTP/1.1\r\n", Err((b"", "0x47")));
}

proptest! {
    /// However the bytes are cut into pieces, the same comes of them.
    #[test]
    fn pieces_do_not_matter(said in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|rest| request(&rest)),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|rest| request(&[&[5, 1, 0], &*rest].concat())),
    ], cut in 0_usize..40) {
        let whole = hear(&[&said]);
        let cut = cut.min(said.len());
        let pieces = hear(&[&said[..cut], &said[cut..]]);
        // Bytes after a refusal are not looked at any more, so that both have refused or neither.
        prop_assert_eq!(whole, pieces);
    }
}

/// All that is said to the client, and what came of it.
fn hear(pieces: &[&[u8]]) -> (Vec<u8>, Option<Result<Destination, String>>) {
    let (mut conversation, mut all) = (Conversation::default(), Vec::new());
    for piece in pieces {
        conversation.heard(piece);
        match conversation.next() {
            Ok(Event::More { say }) => all.extend(say),
            Ok(Event::Asked { say, to }) => {
                all.extend(say);
                return (all, Some(Ok(to)));
            }
            Err(refused) => {
                all.extend(refused.say);
                return (all, Some(Err(refused.why)));
            }
        }
    }
    (all, None)
}
