//! What people are told: what an approval opens, whether it is still what was seen, and what would help after a refusal.

use super::*;
use crate::inventory::Cause;

fn waiting(day: &mut Day) -> Grant {
    day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") }).0
}

#[test]
fn an_approval_says_what_it_opens_and_for_how_long() {
    let mut day = Day::new();
    let grant = waiting(&mut day);
    let told = |day: &Day, grant: &Grant| opens(&day.policy, grant);
    assert_eq!(
        told(&day, &grant).as_deref(),
        Some("rds:orders-prod on tcp/5432, admitted by `clients`, for 6h")
    );
    let name = "orders-db".parse().expect("a name");
    day.policy.targets.get_mut(&name).expect("a target").lasts.at_most = SignedDuration::from_hours(5);
    assert_eq!(
        told(&day, &grant).as_deref(),
        Some("rds:orders-prod on tcp/5432, admitted by `clients`, for 5h"),
        "the policy became stricter"
    );
    let (by_ssm, _) = day.waits(Request {
        lasts: hours(5),
        transport: Some(Transport::Ssm),
        from: "203.0.113.8".parse().expect("an address"),
        ..request("jon", "orders-db")
    });
    assert_eq!(
        told(&day, &by_ssm).as_deref(),
        Some("rds:orders-prod on tcp/5432, through `tag:Name=jump`, for 5h")
    );
    let open = day.approves(&grant);
    assert_eq!(told(&day, &open), None, "it waits no more");
    day.policy.targets.clear();
    assert_eq!(told(&day, &by_ssm), None, "the target is gone");
}

#[test]
fn what_was_seen_is_compared_with_the_request_and_with_the_policy() {
    let mut day = Day::new();
    let grant = waiting(&mut day);
    let saw = seen(&day.policy, &grant).expect("it waits");
    assert_eq!(saw.revision, grant.revision());
    assert_eq!(is_as_seen(&day.policy, &grant, Some(&saw)), Ok(()));
    assert_eq!(is_as_seen(&day.policy, &grant, None), Ok(()), "as it was requested");
    let text = saw.to_string();
    let (_, digest) = text.split_once('-').expect("a digest");
    let other: Seen = format!("{}-{digest}", saw.revision + 1).parse().expect("a text of ours");
    assert_eq!(is_as_seen(&day.policy, &grant, Some(&other)), Err(Differs::Request));
    let name: crate::policy::TargetName = "orders-db".parse().expect("a name");
    let mut wider = day.policy.clone();
    wider.targets.get_mut(&name).expect("a target").ports.insert("tcp/22".parse().expect("a port"));
    assert_eq!(is_as_seen(&wider, &grant, Some(&saw)), Err(Differs::Policy));
    assert_eq!(is_as_seen(&wider, &grant, None), Err(Differs::Policy), "than when it was requested");
    assert_eq!(is_as_seen(&wider, &grant, Some(&other)), Err(Differs::Request), "the request first");
    let mut none = day.policy.clone();
    none.targets.clear();
    assert_eq!(seen(&none, &grant), None);
    assert_eq!(is_as_seen(&none, &grant, Some(&other)), Ok(()), "it is refused for another reason");
    let open = day.approves(&grant);
    assert_eq!(seen(&day.policy, &open), None);
}

#[test]
fn after_a_refusal_somebody_knows_what_to_do() {
    let check = |refusal: Refusal, expected: Option<&str>| {
        assert_eq!(refusal.hint().as_deref(), expected, "{refusal}");
    };
    let (target, grant) = ("orders-db".parse().expect("a target"), GrantId::from_random([7; 8]));
    let transport = |permitted: &str| Refusal::Transport {
        target: "orders-db".parse().expect("a target"),
        transport: Transport::Ssh,
        permitted: permitted.into(),
    };
    check(transport("`direct`"), Some("choose `direct`"));
    check(transport("none"), None);
    let too_long = |left: Option<&str>| Refusal::TooLong {
        target: "orders-db".parse().expect("a target"),
        most: "8h".into(),
        asked: "9h".into(),
        left: left.map(str::to_owned),
    };
    check(too_long(None), Some("request 8h or less"));
    check(too_long(Some("3h")), Some("it has been open for a while; request 3h or less from now on"));
    let unavailable = |cause| Refusal::Unavailable { cause, why: "why".into() };
    for cause in [Cause::Throttled, Cause::Silent] {
        check(unavailable(cause), Some("try again in a moment; `/operators` shows an operator why"));
    }
    let expired = unavailable(Cause::Expired).hint().expect("a hint");
    assert!(expired.starts_with("an operator can fix it: "), "{expired}");
    let nowhere = |is: &str| Refusal::NoAddress { address: [127, 0, 0, 1].into(), is: is.into() };
    let loopback = nowhere("a loopback address").hint().expect("a hint");
    assert!(loopback.starts_with("use the address of the server instead"), "{loopback}");
    let other = nowhere("a multicast address").hint().expect("a hint");
    assert!(other.starts_with("a grant admits the source address"), "{other}");
    let many = |yours: usize| Refusal::TooManyGrants {
        of: Most::Person,
        most: 9,
        yours: (0..yours).map(|number| GrantId::from_random([number as u8 + 1; 8])).collect(),
    };
    check(many(0), Some("try again when another grant has ended"));
    let named = |yours: usize| many(yours).hint().expect("a hint");
    assert_eq!(named(5).matches("g-").count(), 5);
    assert!(!named(5).contains('…'), "{}", named(5));
    assert_eq!(named(6).matches("g-").count(), 5);
    assert!(named(6).contains(" …; "), "{}", named(6));
    check(
        Refusal::OwnDenial { grant: grant.clone() },
        Some(&format!("withdraw it with `doorward close {grant}`")),
    );
    check(Refusal::NotOpen { grant: grant.clone() }, Some("open the target again"));
    check(Refusal::NotWaiting { grant }, None);
    check(Refusal::NoReason { target }, Some("give a reason: a ticket number or a few words"));
    check(Refusal::TooShort, Some("write it as `30m` or `2h`"));
}

#[test]
fn who_moves_to_an_address_that_is_admitted_for_less_long_gets_a_grant_that_lasts() {
    for (first, second, stays) in [(2, 1, false), (1, 2, true), (2, 2, true)] {
        let mut day = Day::new();
        let here = day.opens(first);
        let from = "203.0.113.99".parse().expect("an address");
        let there = granted(day.ask(Request { lasts: hours(second), from, ..request("jon", "orders-db") }));
        let fresh = GrantId::from_random([9; 8]);
        let moved =
            relocate(&day.policy, &day.people, &here, (&person("jon"), fresh, from), &day.grants, day.now);
        let Relocation::Moved { before, after } = moved else { panic!("it should move: {moved:?}") };
        assert_eq!(before.len(), 1);
        match after {
            There::Already(grant) => {
                assert!(stays, "{first} {second}");
                assert_eq!(grant.id(), there.id());
            }
            There::New(grant) => {
                assert!(!stays, "{first} {second}");
                assert_eq!(grant.until(), here.until());
            }
        }
    }
}
