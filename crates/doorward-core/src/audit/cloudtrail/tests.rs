//! The comparison, tried: what fits, what does not, and what CloudTrail has not told yet.

use proptest::prelude::*;

use super::*;
use crate::audit::{Event, What, Who};
use crate::grant::Ending;
use crate::policy::Transport;
use crate::session::reason;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).expect("an instant")
}

fn id(number: u8) -> GrantId {
    GrantId::from_random([number; 8])
}

fn person(name: &str) -> Person {
    name.parse().expect("a person")
}

fn opened(minute: i64, number: u8, who: &str, transport: Transport) -> Event {
    let what = What::Opened {
        grant: id(number),
        target: "orders-db".parse().expect("a target"),
        transport,
        source: "203.0.113.7".parse().expect("an address"),
        until: at(minute + 60),
        reason: None,
        because: "you are in `dbs`".into(),
        person: None,
    };
    Event::new(at(minute), Who::Person(person(who)), what)
}

fn ended(minute: i64, number: u8) -> Event {
    Event::new(at(minute), Who::Doorward, What::Ended { grant: id(number), how: Ending::TimeUp })
}

fn call(minute: i64, what: Asked) -> Call {
    Call {
        id: format!("{minute} {what:?}"),
        at: at(minute),
        what,
        by: Caller { arn: None, name: Some("jon".into()), source_identity: None },
        from: Some("203.0.113.7".into()),
        region: Some("eu-west-1".into()),
        refused: None,
    }
}

fn start(minute: i64, session: &str, reason: Option<&str>) -> Call {
    let what = Asked::Start {
        session: Some(session.into()),
        target: Some("i-0a".into()),
        document: Some("doorward-orders-db".into()),
        reason: reason.map(str::to_owned),
    };
    call(minute, what)
}

fn day() -> Window {
    Window { from: at(-600), to: at(600) }
}

fn check(record: &[Event], calls: &[Call], window: Window, expected: &[&str]) {
    let rows: Vec<String> = join(record, calls, window).iter().map(ToString::to_string).collect();
    assert_eq!(rows, expected);
    // In whatever order, and however often they were delivered.
    let mut twice: Vec<Call> = calls.iter().rev().chain(calls).cloned().collect();
    twice.rotate_left(calls.len() / 2);
    let again: Vec<String> = join(record, &twice, window).iter().map(ToString::to_string).collect();
    assert_eq!(again, expected);
}

#[test]
fn a_session_finds_its_grant_by_its_reason() {
    let record = [opened(0, 1, "jon", Transport::Ssm), ended(50, 1)];
    let calls = [
        start(1, "jon-01", Some(&reason(&id(1)))),
        call(40, Asked::Resume { session: "jon-01".into() }),
        call(50, Asked::Terminate { session: "jon-01".into() }),
    ];
    check(
        &record,
        &calls,
        day(),
        &[
            "2027-01-15T08:01:00Z g-biacsaeabiac jon to orders-db: jon-01 to i-0a with doorward-orders-db, resumed once, ended 2027-01-15T08:50:00Z",
        ],
    );
}

#[test]
fn what_happened_within_a_second_is_put_in_order() {
    let record = [opened(0, 1, "jon", Transport::Ssm)];
    let mut calls = [
        call(1, Asked::Terminate { session: "s".into() }),
        call(1, Asked::Resume { session: "s".into() }),
        start(1, "s", Some(&reason(&id(1)))),
    ];
    for (number, call) in calls.iter_mut().enumerate() {
        call.id = number.to_string();
    }
    check(
        &record,
        &calls,
        day(),
        &[
            "2027-01-15T08:01:00Z g-biacsaeabiac jon to orders-db: s to i-0a with doorward-orders-db, resumed once, ended 2027-01-15T08:01:00Z",
        ],
    );
}

#[test]
fn a_session_without_a_grant_is_told_with_who_and_where_from() {
    let record = [opened(0, 1, "jon", Transport::Ssm), ended(30, 1)];
    let stranger = id(9).to_string();
    let calls = [
        start(1, "a", None),
        start(2, "b", Some("just looking")),
        start(3, "c", Some(&format!("doorward {stranger}"))),
        // A minute is within what clocks may be apart; two are not.
        start(31, "d", Some(&reason(&id(1)))),
        start(32, "e", Some(&reason(&id(1)))),
    ];
    let rows = join(&record, &calls, day());
    let why: Vec<String> = rows
        .iter()
        .map(|row| match row {
            Row::Alone { why, by, from, .. } => {
                assert_eq!((by.as_str(), from.as_deref()), ("jon", Some("203.0.113.7")));
                why.to_string()
            }
            other => other.to_string(),
        })
        .collect();
    assert_eq!(
        why,
        [
            "no grant".to_owned(),
            "no grant".to_owned(),
            format!("{stranger} is not in the audit log"),
            format!("2027-01-15T08:31:00Z {} jon to orders-db: d to i-0a with doorward-orders-db", id(1)),
            format!("{} was open from 2027-01-15T08:00:00Z to 2027-01-15T08:30:00Z", id(1)),
        ]
    );
}

#[test]
fn a_session_finds_its_grant_by_our_own_record() {
    let carried =
        What::TransportOpened { grant: id(1), transport: Transport::Ssm, session: Some("s".into()) };
    let record =
        [opened(0, 1, "jon", Transport::Ssm), Event::new(at(1), Who::Person(person("jon")), carried)];
    let matched = |calls: &[Call]| match join(&record, calls, day()).as_slice() {
        [Row::Granted { matched, grant, .. }] => Some((*matched, grant.clone())),
        _ => None,
    };
    assert_eq!(matched(&[start(1, "s", None)]), Some((Matched::Session, id(1))));
    // Opened before the window: what followed is still the grant's.
    let resumed = [call(30, Asked::Resume { session: "s".into() })];
    assert_eq!(matched(&resumed), Some((Matched::Session, id(1))));
    let other = [call(30, Asked::Resume { session: "t".into() })];
    let rows = join(&record, &other, day());
    assert!(
        matches!(rows.as_slice(), [Row::Unused { .. }, Row::Alone { why: Alone::BeganBefore, .. }]),
        "{rows:?}"
    );
}

#[test]
fn a_key_and_a_tunnel_are_the_persons_who_has_ssh_open() {
    let record = [
        opened(0, 1, "jon", Transport::Ssh),
        opened(5, 2, "jon", Transport::Ssm),
        opened(0, 3, "richard", Transport::Ssh),
    ];
    let key = Asked::Key { instance: Some("i-0a".into()), user: Some("ec2-user".into()) };
    let tunnel = Asked::Tunnel { endpoint: None, address: Some("10.0.0.7".into()), port: Some(22) };
    let rows = join(&record, &[call(10, key.clone()), call(11, tunnel), call(100, key)], day());
    let told: Vec<String> = rows
        .iter()
        .map(|row| match row {
            Row::Granted { grant, matched, to, .. } => {
                format!("{grant} {matched:?} {}", to.as_deref().unwrap_or(""))
            }
            Row::Alone { why, .. } => why.to_string(),
            Row::Unused { grant, .. } => format!("{grant} unused"),
            Row::Refused { .. } => "refused".to_owned(),
        })
        .collect();
    let one = id(1);
    assert_eq!(
        told,
        [
            format!("{} unused", id(3)),
            format!("{} unused", id(2)),
            format!("{one} Person ec2-user@i-0a"),
            format!("{one} Person 10.0.0.7:22"),
            "no grant".to_owned(),
        ]
    );
}

#[test]
fn credentials_of_another_are_no_secret() {
    let record = [opened(0, 1, "jon", Transport::Direct)];
    let mut used = start(1, "s", Some(&reason(&id(1))));
    used.by.source_identity = Some("richard".into());
    let rows = join(&record, &[used.clone()], day());
    let [Row::Granted { doubts, .. }] = rows.as_slice() else { panic!("{rows:?}") };
    let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    assert_eq!(doubts, ["with the credentials of richard", "the grant is for direct"]);
    // Credentials of one's own may bear any name.
    used.by = Caller { arn: None, name: Some("jon.doe@example.org".into()), source_identity: None };
    let rows = join(&record, &[used], day());
    assert!(rows[0].to_string().ends_with("; but the grant is for direct"), "{}", rows[0]);
}

/// With credentials that were vended for a grant: they bear it in their name, whatever the caller says.
fn vended(number: u8, who: &str, call: Call) -> Call {
    let name = format!("{}.{who}", id(number));
    let arn = format!("arn:aws:sts::123456789012:assumed-role/doorward-sessions/{name}");
    let by = Caller { arn: Some(arn), name: Some(name), source_identity: Some(who.into()) };
    Call { by, ..call }
}

#[test]
fn vended_credentials_name_their_grant_whatever_the_reason_is() {
    let record = [opened(0, 1, "jon", Transport::Ssm), opened(0, 2, "jon", Transport::Ssh), ended(30, 1)];
    let tell = |call: Call| {
        let rows = join(&record, &[call], day());
        let told = rows.iter().find_map(|row| match row {
            Row::Granted { grant, matched, doubts, .. } => {
                let doubts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
                Some(format!("{grant} {matched:?} {}", doubts.join("; ")).trim().to_owned())
            }
            Row::Alone { why, .. } => Some(why.to_string()),
            Row::Refused { grant, .. } => Some(format!("refused {grant:?}")),
            Row::Unused { .. } => None,
        });
        told.unwrap_or_default()
    };
    let (one, two, nine) = (id(1), id(2), id(9));
    assert_eq!(tell(vended(1, "jon", start(1, "s", None))), format!("{one} Owner"));
    assert_eq!(tell(vended(1, "jon", start(1, "s", Some("looking around")))), format!("{one} Owner"));
    let other = vended(1, "jon", start(1, "s", Some(&reason(&two))));
    assert_eq!(tell(other), format!("{one} Owner its reason names {two}"));
    // A key and a tunnel have no reason, and are of this grant and not of the person's youngest.
    let key = Asked::Key { instance: Some("i-0a".into()), user: Some("ec2-user".into()) };
    assert_eq!(tell(vended(2, "jon", call(10, key.clone()))), format!("{two} Owner"));
    // After the grant, with another's name, of no grant of ours, and refused.
    let closed = format!("{one} was open from 2027-01-15T08:00:00Z to 2027-01-15T08:30:00Z");
    assert_eq!(tell(vended(1, "jon", start(40, "s", Some(&reason(&two))))), closed);
    assert_eq!(tell(vended(1, "jon", call(40, key))), closed);
    assert_eq!(
        tell(vended(1, "richard", start(1, "s", None))),
        format!("{one} Owner with the credentials of richard")
    );
    assert_eq!(tell(vended(9, "jon", start(1, "s", None))), format!("{nine} is not in the audit log"));
    let refused = Call { refused: Some("AccessDenied".into()), ..start(40, "s", None) };
    assert_eq!(tell(vended(1, "jon", refused)), format!("refused {:?}", Some(one)));
    // A user of that name has long-lived credentials, which nobody vended.
    let mut user = vended(1, "jon", start(1, "s", None));
    user.by.arn = Some(format!("arn:aws:iam::123456789012:user/{}.jon", id(1)));
    assert_eq!(tell(user), "no grant");
}

#[test]
fn a_grant_that_nobody_used_is_told_once_cloudtrail_had_its_time() {
    let record = [
        opened(0, 1, "jon", Transport::Ssm),
        opened(0, 2, "jon", Transport::Direct),
        // Agreed to by maria, and jon's.
        Event::new(
            at(1),
            Who::Person(person("jon")),
            What::Asked {
                grant: id(3),
                target: "orders-db".parse().expect("a target"),
                seconds: 60,
                reason: None,
            },
        ),
        opened(2, 3, "maria", Transport::Ssh),
    ];
    check(
        &record,
        &[],
        Window { from: at(-1), to: at(75) },
        &[
            "2027-01-15T08:00:00Z g-biacsaeabiac jon to orders-db by ssm: no session",
            "2027-01-15T08:02:00Z g-d2agsbnad2ag jon to orders-db by ssh: no session so far; CloudTrail may be late",
        ],
    );
    check(&record, &[], Window { from: at(3), to: at(75) }, &[]);
}

#[test]
fn what_aws_refused_opened_nothing() {
    let mut refused = start(1, "s", Some(&reason(&id(1))));
    refused.refused = Some("AccessDenied".into());
    check(
        &[],
        &[refused],
        day(),
        &["2027-01-15T08:01:00Z refused to jon: i-0a with doorward-orders-db: AccessDenied"],
    );
}

#[test]
fn a_reason_is_searched_for_a_grant_and_nothing_else() {
    let grant = id(1);
    assert_eq!(granted(&reason(&grant)), Some(grant.clone()));
    assert_eq!(granted(&format!("(ticket 4711: {grant})")), Some(grant));
    for none in ["", "doorward", "g-", "g-ABCDEFGHIJKL", "doorward g-k3v9t2m4x7q8x"] {
        assert_eq!(granted(none), None, "{none}");
    }
}

proptest! {
    /// Every call that was not refused is in exactly one row, and no grant is both used and unused.
    #[test]
    fn nothing_is_lost_and_nothing_is_told_twice(
        grants in prop::collection::vec((0i64..100, 0u8..4, 0usize..4), 0..6),
        calls in prop::collection::vec((0i64..200, 0usize..5, 0u8..6, 0usize..3), 0..20),
    ) {
        let record: Vec<Event> = grants
            .iter()
            .map(|(minute, number, way)| opened(*minute, *number, "jon", Transport::ALL[*way]))
            .collect();
        let calls: Vec<Call> = calls
            .iter()
            .map(|(minute, kind, number, session)| {
                let session = format!("s{session}");
                let mut made = match kind {
                    0 => start(*minute, &session, Some(&reason(&id(*number)))),
                    1 => start(*minute, &session, None),
                    2 => call(*minute, Asked::Resume { session }),
                    3 => call(*minute, Asked::Terminate { session }),
                    _ => call(*minute, Asked::Key { instance: None, user: None }),
                };
                made.id = format!("{minute} {kind} {number} {session}", session = made.what.session().unwrap_or(""));
                made
            })
            .collect();
        let rows = join(&record, &calls, day());
        let sessions = |rows: &[Row]| -> Vec<String> {
            rows.iter().filter_map(|row| match row {
                Row::Granted { session, .. } | Row::Alone { session, .. } => session.clone(),
                _ => None,
            }).collect()
        };
        let mut told = sessions(&rows);
        told.sort();
        let mut wanted: Vec<String> = calls.iter().filter_map(|call| call.what.session().map(str::to_owned)).collect();
        wanted.sort();
        wanted.dedup();
        prop_assert_eq!(told, wanted);
        let used: Vec<&GrantId> = rows.iter().filter_map(|row| match row {
            Row::Granted { grant, .. } => Some(grant),
            _ => None,
        }).collect();
        for row in &rows {
            if let Row::Unused { grant, .. } = row {
                prop_assert!(!used.contains(&grant));
            }
        }
    }
}
