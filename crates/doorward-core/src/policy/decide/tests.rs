//! The decision, tried: each reason against, the limits, who may answer, and what random askers get.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;
use crate::firewall::rulesets;
use crate::grant::{APPROVAL_WAITS, Ending};
use crate::policy::parse;

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[grants]
ipv6-prefix = 64

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-0a1b2c3d4e5f60718"
static         = ["198.51.100.0/24"]

[ssm]
jump-host = "tag:Name=jump"

[ssh]
jump-host = "tag:Name=jump"

[target.orders-db]
about      = "orders"
address    = "rds:orders-prod"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct", "ssm"]
firewall   = "clients"
lasts      = { usually = "2h", at-most = "8h" }
approval   = { from = ["leads"], above = "4h" }

[target.secrets-db]
about      = "secrets"
address    = "rds:secrets"
ports      = ["tcp/5432", "tcp/5433"]
groups     = ["dbs"]
transports = ["ssm"]
reason     = "required"

[target.inside]
address    = "10.0.0.0/16"
ports      = ["all"]
groups     = ["dbs"]
transports = ["wireguard", "ssh"]

[target.later]
address    = "10.1.0.0/16"
ports      = ["all"]
groups     = ["dbs"]
transports = ["wireguard"]
"#;

const PASSWORDS: &[u8] = b"jon:$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS
richard:$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS
maria:$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS
";
const GROUPS: &[u8] = b"dbs: jon richard\nleads: richard maria\nops: maria\n";

fn world() -> (Policy, People) {
    let policy = parse(POLICY, "doorward.toml").expect("a policy");
    let people = People::parse(PASSWORDS, "people.htpasswd", GROUPS, "people.groups").expect("people");
    (policy, people)
}

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("an instant")
}

fn person(name: &str) -> Person {
    name.parse().expect("a person")
}

fn request(who: &str, target: &str) -> Request {
    Request {
        id: GrantId::from_random([7; 8]),
        person: person(who),
        from: "203.0.113.7".parse().expect("an address"),
        target: target.parse().expect("a target"),
        transport: None,
        lasts: None,
        reason: None,
    }
}

fn hours(hours: i64) -> Option<SignedDuration> {
    Some(SignedDuration::from_hours(hours))
}

fn granted(decision: Decision) -> Grant {
    match decision {
        Decision::Granted { grant, .. } => grant,
        other => panic!("not granted: {other:?}"),
    }
}

fn check_refused(request: &Request, held: Option<&Grant>, now: Timestamp, expected: &[&str]) {
    let (policy, people) = world();
    let Decision::Refused { reasons } = decide(&policy, &people, request, held, now) else {
        panic!("not refused");
    };
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn a_member_is_let_in_for_as_long_as_is_usual() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), None, noon()));
    assert_eq!(grant.until(), Some(noon() + 2.hours()));
    let live = grant.live(noon()).expect("live");
    let rules: Vec<String> = live
        .rules(&policy.targets[grant.target()])
        .map(|rule| format!("{} {} {:?}", rule.flow(), rule.peer(), rule.until()))
        .collect();
    assert_eq!(rules, ["tcp/5432 203.0.113.7/32 Some(2026-11-22T14:00:00Z)"]);
    assert!(grant.live(noon() + 2.hours()).is_none(), "the end itself is not live");
}

#[test]
fn the_cheapest_way_that_can_be_opened_is_taken() {
    let (policy, people) = world();
    let check = |target: &str, wanted: Option<Transport>, expected: Result<Transport, &str>| {
        let request =
            Request { transport: wanted, reason: Some("ticket 4711".into()), ..request("jon", target) };
        let got = match decide(&policy, &people, &request, None, noon()) {
            Decision::Granted { grant, .. } => Ok(grant.transport()),
            Decision::NeedsApproval { grant, .. } => panic!("{grant:?} waits"),
            Decision::Refused { reasons } => {
                Err(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
        };
        assert_eq!(got, expected.map_err(str::to_owned), "{target} by {wanted:?}");
    };
    check("orders-db", None, Ok(Transport::Direct));
    check("orders-db", Some(Transport::Ssm), Ok(Transport::Ssm));
    check("secrets-db", None, Ok(Transport::Ssm));
    check("inside", None, Ok(Transport::Ssh));
    let not_yet = "this version does not open `wireguard` yet";
    check("inside", Some(Transport::Wireguard), Err(not_yet));
    check("later", None, Err(not_yet));
    let not = "the policy does not permit `ssh` for `orders-db`; it permits `direct`, `ssm`";
    check("orders-db", Some(Transport::Ssh), Err(not));
}

#[test]
fn a_way_without_its_jump_host_is_none() {
    let (mut policy, people) = world();
    policy.ssm = None;
    let request = Request { reason: Some("ticket".into()), ..request("jon", "secrets-db") };
    let decided = decide(&policy, &people, &request, None, noon());
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

#[test]
fn a_way_is_no_part_of_another() {
    let (policy, people) = world();
    let by = |transport| Request { transport: Some(transport), ..request("jon", "orders-db") };
    let direct = granted(decide(&policy, &people, &by(Transport::Direct), None, noon()));
    // What is held directly is not extended by asking for a session, and the other way round.
    let later = noon() + 30.minutes();
    let session = granted(decide(&policy, &people, &by(Transport::Ssm), Some(&direct), later));
    assert_eq!((session.transport(), session.since()), (Transport::Ssm, Some(later)));
    let longer = granted(decide(&policy, &people, &by(Transport::Ssm), Some(&session), later + 1.hour()));
    assert_eq!((longer.id(), longer.until()), (session.id(), Some(later + 3.hours())));
    assert_eq!(still_allowed(&policy, &people, &longer, later), Ok(()));
    assert_eq!(longer.end(Ending::TimeUp, later).live(later).map(|live| live.until()), None);
}

#[test]
fn an_ipv6_address_admits_as_much_as_the_policy_says() {
    let (policy, people) = world();
    let request = Request { from: "2001:db8:1:2:3::4".parse().expect("v6"), ..request("jon", "orders-db") };
    let grant = granted(decide(&policy, &people, &request, None, noon()));
    assert_eq!(grant.source().to_string(), "2001:db8:1:2::/64");
}

#[test]
fn every_reason_against_it_is_told() {
    let both =
        Request { transport: Some(Transport::Direct), lasts: hours(9), ..request("jon", "secrets-db") };
    check_refused(
        &both,
        None,
        noon(),
        &[
            "the policy does not permit `direct` for `secrets-db`; it permits `ssm`",
            "`secrets-db` is opened only with a reason",
            "`secrets-db` may be open for at most 8h in one go, and this would be 9h",
        ],
    );
    check_refused(&request("nobody", "orders-db"), None, noon(), &["`nobody` is not in the password file"]);
    let not = "there is no target `orders-db` that `maria` may open";
    check_refused(&request("maria", "orders-db"), None, noon(), &[not]);
    let not = "there is no target `nothing` that `jon` may open";
    check_refused(&request("jon", "nothing"), None, noon(), &[not]);
    let anywhere = Request { from: "0.0.0.0".parse().expect("v4"), ..request("jon", "orders-db") };
    check_refused(&anywhere, None, noon(), &["`0.0.0.0` is not an address that a person can come from"]);
}

#[test]
fn asking_again_extends_to_the_most_and_no_further() {
    let (policy, people) = world();
    let first = granted(decide(&policy, &people, &request("jon", "orders-db"), None, noon()));
    let later = noon() + 90.minutes();
    let second = granted(decide(&policy, &people, &request("jon", "orders-db"), Some(&first), later));
    assert_eq!((second.id(), second.until()), (first.id(), Some(noon() + 210.minutes())));
    // Shorter than what is left: it stays as it is.
    let short = Request { lasts: Some(SignedDuration::from_mins(1)), ..request("jon", "orders-db") };
    let third = granted(decide(&policy, &people, &short, Some(&second), later));
    assert_eq!(third.until(), second.until());
    // What would be longer than four hours in all needs somebody who agrees, however it is sliced.
    let slice = Request { lasts: hours(4), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &slice, Some(&second), later);
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
}

#[test]
fn a_long_one_waits_for_somebody_else() {
    let (policy, people) = world();
    let long = Request { lasts: hours(6), ..request("richard", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &long, None, noon()) else {
        panic!("it should wait");
    };
    assert!(grant.live(noon()).is_none(), "what waits is not live");
    let refused = |by: &str| match approve(&policy, &people, &grant, &person(by), noon()) {
        Decision::Refused { reasons } => reasons[0].to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("richard"), "nobody may agree to their own request");
    let not = format!("`jon` is not among those who may answer for {}", grant.id());
    assert_eq!(refused("jon"), not);
    let later = noon() + 1.hour();
    let grant = granted(approve(&policy, &people, &grant, &person("maria"), later));
    assert_eq!(grant.until(), Some(later + 6.hours()));
    assert_eq!(grant.overdue(later + 6.hours()), Some(Ending::TimeUp));
}

#[test]
fn a_reason_is_a_line_that_can_be_read() {
    for reason in ["x".repeat(501), "ticket\u{1b}]0;yours\u{7}".into(), "ticket\n4711".into()] {
        let request = Request { reason: Some(reason), ..request("jon", "orders-db") };
        check_refused(&request, None, noon(), &["a reason is one line of at most 500 characters"]);
    }
    let (policy, people) = world();
    let request = Request { reason: Some(" é".repeat(250)), ..request("jon", "orders-db") };
    granted(decide(&policy, &people, &request, None, noon()));
}

#[test]
fn who_agreed_to_little_did_not_agree_to_more() {
    let (policy, people) = world();
    let asked = Request { lasts: hours(5), ..request("jon", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &asked, None, noon()) else {
        panic!("it should wait");
    };
    let held = granted(approve(&policy, &people, &grant, &person("maria"), noon()));
    let longer = Request { lasts: hours(8), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &longer, Some(&held), noon());
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
    // What was agreed to can be asked for again.
    let again = granted(decide(&policy, &people, &asked, Some(&held), noon()));
    assert_eq!(again.life(), held.life());
}

#[test]
fn a_clock_that_was_set_back_agrees_to_nothing() {
    let (policy, people) = world();
    let held = granted(decide(&policy, &people, &request("jon", "orders-db"), None, noon()));
    let longer = Request { lasts: hours(6), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &longer, Some(&held), noon() - 3.hours());
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
}

#[test]
fn what_nobody_answers_ends() {
    let (policy, people) = world();
    let long = Request { lasts: hours(6), ..request("jon", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &long, None, noon()) else {
        panic!("it should wait");
    };
    assert_eq!(grant.overdue(noon()), None);
    let late = noon().checked_add(APPROVAL_WAITS).expect("later");
    assert_eq!(grant.overdue(late), Some(Ending::Unanswered));
    // Also where nobody has looked at it since.
    let decided = approve(&policy, &people, &grant, &person("maria"), late);
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

#[test]
fn who_leaves_the_group_loses_what_is_open() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), None, noon()));
    assert_eq!(still_allowed(&policy, &people, &grant, noon()), Ok(()));
    let left = People::parse(PASSWORDS, "p", b"dbs: richard\n", "g").expect("people");
    assert!(still_allowed(&policy, &left, &grant, noon()).is_err());
    // In the group file but no longer in the password file: not let in either.
    let gone = People { passwords: std::collections::BTreeMap::new(), ..people.clone() };
    assert!(still_allowed(&policy, &gone, &grant, noon()).is_err());
    let shorter = POLICY.replace("\"8h\"", "\"2h\"").replace("above = \"4h\"", "above = \"1h\"");
    let shorter = parse(&shorter, "doorward.toml").expect("a policy");
    assert!(still_allowed(&shorter, &people, &grant, noon() + 3.hours()).is_err());
}

#[test]
fn others_see_and_close_only_what_the_policy_gives_them() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), None, noon()));
    let may = |who: &str, act: Act<'_>| authorise(&policy, &people, &person(who), act).is_ok();
    assert!(may("jon", Act::Close(&grant)) && may("maria", Act::Close(&grant)));
    assert!(!may("richard", Act::Close(&grant)), "one who may agree may not close");
    assert!(may("richard", Act::See(&grant)), "one who may agree may see");
    assert!(may("maria", Act::Operate) && !may("jon", Act::Operate));
    assert!(!may("stranger", Act::See(&grant)));
}

#[test]
fn emptiness_is_never_permission() {
    let (mut policy, people) = world();
    let target =
        policy.targets.get_mut(&"orders-db".parse::<TargetName>().expect("a name")).expect("a target");
    target.groups.clear();
    assert!(matches!(
        decide(&policy, &people, &request("jon", "orders-db"), None, noon()),
        Decision::Refused { .. }
    ));
    let (mut policy, people) = world();
    policy.people.operators.clear();
    assert!(authorise(&policy, &people, &person("maria"), Act::Operate).is_err());
    let target =
        policy.targets.get_mut(&"orders-db".parse::<TargetName>().expect("a name")).expect("a target");
    target.transports.clear();
    target.ports.clear();
    check_none(&policy, &people);
    policy.targets.clear();
    check_none(&policy, &people);
}

fn check_none(policy: &Policy, people: &People) {
    let decided = decide(policy, people, &request("jon", "orders-db"), None, noon());
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

proptest! {
    /// Whatever is asked, and however often: no grant lives longer than the policy allows, none admits more than
    /// its address, and an extension keeps its beginning.
    #[test]
    fn no_grant_outlives_the_policy(asks in prop::collection::vec((0i64..40_000, prop::option::of(0i64..50_000)), 1..20)) {
        let (policy, people) = world();
        let mut now = noon();
        let mut held: Option<Grant> = None;
        for (wait, lasts) in asks {
            now = now.checked_add(SignedDuration::from_secs(wait)).expect("later");
            let request = Request { lasts: lasts.map(SignedDuration::from_secs), ..request("jon", "orders-db") };
            if let Decision::Granted { grant, .. } = decide(&policy, &people, &request, held.as_ref(), now) {
                let (since, until) = (grant.since().expect("open"), grant.until().expect("open"));
                prop_assert!(until.duration_since(since) <= SignedDuration::from_hours(4), "unapproved");
                prop_assert!(until > now);
                prop_assert_eq!(grant.source(), Cidr::host(request.from));
                if let Some(held) = held.filter(|held| held.live(now).is_some()) {
                    prop_assert!(Some(until) >= held.until());
                    prop_assert_eq!(Some(since), held.since());
                }
                held = Some(grant);
            }
            let live = held.iter().filter_map(|grant| grant.live(now));
            for (_, ruleset) in rulesets(&policy, live) {
                for rule in ruleset.iter() {
                    prop_assert!(rule.until().is_none_or(|until| until > now), "an expired rule");
                }
            }
        }
    }

    /// A grant that carries its own packets opens nothing anywhere, whatever else is open and whenever it is asked.
    #[test]
    fn no_rule_stands_for_what_carries_its_own_packets(
        asks in prop::collection::vec((0usize..4, prop::option::of(0usize..4), 1i64..14_000, 0i64..20_000, 0usize..3), 1..24),
    ) {
        let (policy, people) = world();
        let mut now = noon();
        let mut grants: Vec<Grant> = Vec::new();
        for (target, way, lasts, wait, held) in asks {
            now = now.checked_add(SignedDuration::from_secs(wait)).expect("later");
            let request = Request {
                id: GrantId::from_random((grants.len() as u64).to_le_bytes()),
                transport: way.map(|way| Transport::ALL[way]),
                lasts: Some(SignedDuration::from_secs(lasts)),
                reason: Some("ticket".into()),
                ..request("jon", ["orders-db", "secrets-db", "inside", "later"][target])
            };
            let held = grants.iter().rev().nth(held).cloned();
            let decided = decide(&policy, &people, &request, held.as_ref(), now);
            if let Decision::Granted { grant, .. } = decided {
                prop_assert!(grant.transport() != Transport::Wireguard);
                grants.retain(|other| other.id() != grant.id());
                grants.push(grant);
            }
            for grant in &grants {
                let Some(live) = grant.live(now) else { continue };
                for target in policy.targets.values() {
                    let count = live.rules(target).count();
                    prop_assert!(count == 0 || grant.transport() == Transport::Direct, "{grant:?}");
                }
            }
            let carried: Vec<&Grant> =
                grants.iter().filter(|grant| grant.transport() != Transport::Direct).collect();
            let live = carried.iter().filter_map(|grant| grant.live(now));
            for (_, ruleset) in rulesets(&policy, live) {
                prop_assert!(ruleset.iter().all(|rule| rule.until().is_none()), "only the static list");
            }
        }
    }
}
