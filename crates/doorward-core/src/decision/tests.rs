//! The decision, tried: each reason against, the limits, who may answer, and what random askers get.

mod clock;
mod told;

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
ipv6-prefix      = 64
special-networks = ["203.0.113.0/24"]

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-0a1b2c3d4e5f60718"
static         = ["198.51.100.0/24"]

[ssm]
jump-host = "tag:Name=jump"
shared    = true

[ssh]
jump-host = "tag:Name=jump"
shared    = true

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

fn holding(held: Option<&Grant>) -> Past<'_> {
    Past { unfinished: held.map(std::slice::from_ref).unwrap_or_default(), ended: &[] }
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
    let Decision::Refused { reasons } = decide(&policy, &people, request, &holding(held), now) else {
        panic!("not refused");
    };
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn a_member_is_let_in_for_as_long_as_is_usual() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
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
        let got = match decide(&policy, &people, &request, &Past::default(), noon()) {
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
    let not_yet = "this version does not support `wireguard` yet";
    check("inside", Some(Transport::Wireguard), Err(not_yet));
    check("later", None, Err(not_yet));
    let not = "the policy does not allow `ssh` for `orders-db`; it allows `direct`, `ssm`";
    check("orders-db", Some(Transport::Ssh), Err(not));
}

#[test]
fn a_way_without_its_jump_host_is_none() {
    let (mut policy, people) = world();
    policy.ssm = None;
    let request = Request { reason: Some("ticket".into()), ..request("jon", "secrets-db") };
    let decided = decide(&policy, &people, &request, &Past::default(), noon());
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

#[test]
fn a_way_is_no_part_of_another() {
    let (policy, people) = world();
    let by = |transport| Request { transport: Some(transport), ..request("jon", "orders-db") };
    let direct = granted(decide(&policy, &people, &by(Transport::Direct), &Past::default(), noon()));
    // What is held directly is not extended by asking for a session, and the other way round.
    let later = noon() + 30.minutes();
    let session = granted(decide(&policy, &people, &by(Transport::Ssm), &holding(Some(&direct)), later));
    assert_eq!((session.transport(), session.since()), (Transport::Ssm, Some(later)));
    let longer =
        granted(decide(&policy, &people, &by(Transport::Ssm), &holding(Some(&session)), later + 1.hour()));
    assert_eq!((longer.id(), longer.until()), (session.id(), Some(later + 3.hours())));
    assert_eq!(still_allowed(&policy, &people, &longer, later), Ok(()));
    assert_eq!(longer.end(Ending::TimeUp, later).live(later).map(|live| live.until()), None);
}

#[test]
fn an_ipv6_address_admits_as_much_as_the_policy_says() {
    let (policy, people) = world();
    let request = Request { from: "2a00:db8:1:2:3::4".parse().expect("v6"), ..request("jon", "orders-db") };
    let grant = granted(decide(&policy, &people, &request, &Past::default(), noon()));
    assert_eq!(grant.source().to_string(), "2a00:db8:1:2::/64");
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
            "the policy does not allow `direct` for `secrets-db`; it allows `ssm`",
            "`secrets-db` needs a reason",
            "`secrets-db` may be open for at most 8h at a time, and this would be 9h",
        ],
    );
    check_refused(
        &request("nobody", "orders-db"),
        None,
        noon(),
        &["`nobody` is not in the password file, or is locked there"],
    );
    let not = "there is no target `orders-db` that `maria` may open";
    check_refused(&request("maria", "orders-db"), None, noon(), &[not]);
    let not = "there is no target `nothing` that `jon` may open";
    check_refused(&request("jon", "nothing"), None, noon(), &[not]);
    let anywhere = Request { from: "0.0.0.0".parse().expect("v4"), ..request("jon", "orders-db") };
    check_refused(
        &anywhere,
        None,
        noon(),
        &["`0.0.0.0` cannot be the address of a client: it is the unspecified address"],
    );
}

#[test]
fn asking_again_extends_to_the_most_and_no_further() {
    let (policy, people) = world();
    let first = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
    let later = noon() + 90.minutes();
    let second =
        granted(decide(&policy, &people, &request("jon", "orders-db"), &holding(Some(&first)), later));
    assert_eq!((second.id(), second.until()), (first.id(), Some(noon() + 210.minutes())));
    // Shorter than what is left: it stays as it is.
    let short = Request { lasts: Some(SignedDuration::from_mins(1)), ..request("jon", "orders-db") };
    let third = granted(decide(&policy, &people, &short, &holding(Some(&second)), later));
    assert_eq!(third.until(), second.until());
    // What would be longer than four hours in all needs somebody who agrees, however it is sliced.
    let slice = Request { lasts: hours(4), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &slice, &holding(Some(&second)), later);
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
}

#[test]
fn what_is_too_long_by_less_than_a_second_is_told_with_what_is_left() {
    let (policy, people) = world();
    let first = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
    let most = Request { lasts: hours(8), ..request("jon", "orders-db") };
    let Decision::Refused { reasons } =
        decide(&policy, &people, &most, &holding(Some(&first)), noon() + 400.milliseconds())
    else {
        panic!("not refused");
    };
    let [refusal] = &reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(
        refusal.to_string(),
        "`orders-db` may be open for at most 8h at a time, and this would be 8h 1s"
    );
    let hint = refusal.hint().expect("a hint");
    assert_eq!(hint, "it has been open for a while; request 7h 59m 59s or less from now on");
}

#[test]
fn a_long_one_waits_for_somebody_else() {
    let (policy, people) = world();
    let long = Request { lasts: hours(6), ..request("richard", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &long, &Past::default(), noon())
    else {
        panic!("it should wait");
    };
    assert!(grant.live(noon()).is_none(), "what waits is not live");
    let refused = |by: &str| match approve(&policy, &people, &grant, &person(by), &[], noon()) {
        Decision::Refused { reasons } => reasons[0].to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("richard"), "nobody may approve their own request");
    let not = format!("`jon` may not approve or deny {}", grant.id());
    assert_eq!(refused("jon"), not);
    let later = noon() + 1.hour();
    let grant = granted(approve(&policy, &people, &grant, &person("maria"), &[], later));
    assert_eq!(grant.until(), Some(later + 6.hours()));
    assert_eq!(grant.overdue(later + 6.hours()), Some(Ending::TimeUp));
}

#[test]
fn a_reason_is_a_line_that_can_be_read() {
    for reason in ["x".repeat(501), "ticket\u{1b}]0;yours\u{7}".into(), "ticket\n4711".into()] {
        let request = Request { reason: Some(reason), ..request("jon", "orders-db") };
        check_refused(
            &request,
            None,
            noon(),
            &[
                "a reason is one line of at most 500 characters, without control characters and bidirectional overrides",
            ],
        );
    }
    let (policy, people) = world();
    let request = Request { reason: Some(" é".repeat(250)), ..request("jon", "orders-db") };
    granted(decide(&policy, &people, &request, &Past::default(), noon()));
}

#[test]
fn who_agreed_to_little_did_not_agree_to_more() {
    let (policy, people) = world();
    let asked = Request { lasts: hours(5), ..request("jon", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &asked, &Past::default(), noon())
    else {
        panic!("it should wait");
    };
    let held = granted(approve(&policy, &people, &grant, &person("maria"), &[], noon()));
    let longer = Request { lasts: hours(8), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &longer, &holding(Some(&held)), noon());
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
    // What was agreed to can be asked for again.
    let again = granted(decide(&policy, &people, &asked, &holding(Some(&held)), noon()));
    assert_eq!(again.life(), held.life());
}

#[test]
fn a_clock_that_was_set_back_agrees_to_nothing() {
    let (policy, people) = world();
    let held = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
    let longer = Request { lasts: hours(6), ..request("jon", "orders-db") };
    let decided = decide(&policy, &people, &longer, &holding(Some(&held)), noon() - 3.hours());
    assert!(matches!(decided, Decision::NeedsApproval { .. }), "{decided:?}");
}

#[test]
fn what_nobody_answers_ends() {
    let (policy, people) = world();
    let long = Request { lasts: hours(6), ..request("jon", "orders-db") };
    let Decision::NeedsApproval { grant, .. } = decide(&policy, &people, &long, &Past::default(), noon())
    else {
        panic!("it should wait");
    };
    assert_eq!(grant.overdue(noon()), None);
    let late = noon().checked_add(APPROVAL_WAITS).expect("later");
    assert_eq!(grant.overdue(late), Some(Ending::Unanswered));
    // Also where nobody has looked at it since.
    let decided = approve(&policy, &people, &grant, &person("maria"), &[], late);
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

#[test]
fn who_leaves_the_group_loses_what_is_open() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
    assert_eq!(still_allowed(&policy, &people, &grant, noon()), Ok(()));
    let left = People::parse(PASSWORDS, "p", b"dbs: richard\n", "g").expect("people");
    assert!(still_allowed(&policy, &left, &grant, noon()).is_err());
    // In the group file but no longer in the password file: not let in either.
    let gone = People { passwords: std::collections::BTreeMap::new(), ..people.clone() };
    assert!(still_allowed(&policy, &gone, &grant, noon()).is_err());
    let shorter = POLICY.replace("\"8h\"", "\"2h\"").replace("above = \"4h\"", "above = \"1h\"");
    let shorter = parse(&shorter, "doorward.toml").expect("a policy");
    assert!(still_allowed(&shorter, &people, &grant, noon() + 3.hours()).is_err());
    // An approval that the policy asks for since is asked of whoever was there before.
    let asks = POLICY.replace("above = \"4h\"", "above = \"1h\"");
    let asks = parse(&asks, "doorward.toml").expect("a policy");
    assert_eq!(still_allowed(&asks, &people, &grant, noon() + 1.hour()), Ok(()));
    let later = noon() + 1.hour() + 1.second();
    assert_eq!(
        still_allowed(&asks, &people, &grant, later).expect_err("a refusal").to_string(),
        "`orders-db` needs an approval to be open for longer than 1h, and there is none"
    );
    let life = Life::Open {
        since: noon(),
        until: grant.until().expect("an end"),
        approved_by: Some(person("richard")),
        approved_at: None,
    };
    assert_eq!(still_allowed(&asks, &people, &grant.with_life(life), later), Ok(()));
}

#[test]
fn others_see_and_close_only_what_the_policy_gives_them() {
    let (policy, people) = world();
    let grant = granted(decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()));
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
        decide(&policy, &people, &request("jon", "orders-db"), &Past::default(), noon()),
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
    let decided = decide(policy, people, &request("jon", "orders-db"), &Past::default(), noon());
    assert!(matches!(decided, Decision::Refused { .. }), "{decided:?}");
}

/// A person's requests one after the other, with all that a server would know of what was before.
struct Day {
    policy: Policy,
    people: People,
    grants: Vec<Grant>,
    now: Timestamp,
}

impl Day {
    fn new() -> Self {
        Self::of(POLICY)
    }

    fn of(policy: &str) -> Self {
        let policy = parse(policy, "doorward.toml").expect("a policy");
        let people = People::parse(PASSWORDS, "people.htpasswd", GROUPS, "people.groups").expect("people");
        Self { policy, people, grants: Vec::new(), now: noon() }
    }

    fn wait(&mut self, minutes: i64) {
        self.now += minutes.minutes();
        let now = self.now;
        for grant in &mut self.grants {
            if let Some(how) = grant.overdue(now) {
                // As the server ends it, at its end.
                let at = grant.next_change().expect("an end");
                *grant = grant.end(how, at);
            }
        }
    }

    fn decide(&self, request: &Request) -> Decision {
        let (ended, unfinished): (Vec<Grant>, Vec<Grant>) =
            self.grants.iter().cloned().partition(|grant| grant.ended());
        let past = Past { unfinished: &unfinished, ended: &ended };
        decide(&self.policy, &self.people, request, &past, self.now)
    }

    /// What is decided, kept as a server keeps it.
    fn ask(&mut self, request: Request) -> Decision {
        let number = u64::try_from(self.grants.len()).expect("few") + 1;
        let request = Request { id: GrantId::from_random(number.to_le_bytes()), ..request };
        let decision = self.decide(&request);
        if let Decision::Granted { grant, .. } | Decision::NeedsApproval { grant, .. } = &decision {
            self.grants.retain(|other| other.id() != grant.id());
            self.grants.push(grant.clone());
        }
        decision
    }

    fn opens(&mut self, lasts: i64) -> Grant {
        granted(self.ask(Request { lasts: hours(lasts), ..request("jon", "orders-db") }))
    }

    fn close(&mut self, id: &GrantId) {
        let now = self.now;
        let grant = self.grants.iter_mut().find(|grant| grant.id() == id).expect("a grant");
        *grant = grant.end(Ending::Closed { by: person("jon") }, now);
    }

    fn waits(&mut self, request: Request) -> (Grant, String) {
        match self.ask(request) {
            Decision::NeedsApproval { grant, reasons } => {
                let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                (grant, reasons.join("; "))
            }
            other => panic!("it should wait: {other:?}"),
        }
    }

    fn approves(&mut self, grant: &Grant) -> Grant {
        let by = person("maria");
        let approved = granted(approve(&self.policy, &self.people, grant, &by, &self.grants, self.now));
        self.grants.retain(|other| other.id() != approved.id() && other.id() != grant.id());
        if approved.id() != grant.id() {
            self.grants.push(grant.end(Ending::Extended { grant: approved.id().clone() }, self.now));
        }
        self.grants.push(approved.clone());
        approved
    }

    /// As earlier versions approved: beside what is open from the same address.
    fn approves_beside(&mut self, grant: &Grant) -> Grant {
        let by = person("maria");
        let approved = granted(approve(&self.policy, &self.people, grant, &by, &[], self.now));
        self.grants.retain(|other| other.id() != grant.id());
        self.grants.push(approved.clone());
        approved
    }

    fn refused(&mut self, request: Request) -> String {
        match self.ask(request) {
            Decision::Refused { reasons } => {
                reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}

#[test]
fn closing_and_opening_again_gets_round_no_approval() {
    let mut day = Day::new();
    let first = day.opens(3);
    day.wait(180);
    assert!(day.grants.iter().any(|grant| grant.id() == first.id() && grant.ended()));
    // One hour of the four is left, and that is said.
    let (_, why) = day.waits(Request { lasts: hours(2), ..request("jon", "orders-db") });
    let held =
        "you have had access for 3h of the last 1d without approval, and 4h is the most that needs none";
    assert!(why.contains(held), "{why}");
    let second = day.opens(1);
    day.close(second.id());
    // Closed at once, it was held for no time, and the hour is left.
    let third = day.opens(1);
    day.wait(60);
    assert!(day.grants.iter().any(|grant| grant.id() == third.id() && grant.ended()));
    day.waits(Request { lasts: Some(SignedDuration::from_secs(1)), ..request("jon", "orders-db") });
    // A day after the first began, what it took is given back bit by bit.
    day.wait(20 * 60 + 60);
    day.opens(1);
}

#[test]
fn a_network_that_the_target_lies_in_gets_round_no_approval() {
    let address: crate::policy::Address = "10.0.0.7".parse().expect("an address");
    for (address, waits) in [(address, true), ("10.1.0.7".parse().expect("an address"), false)] {
        let mut day = Day::new();
        day.policy.targets.get_mut(&"orders-db".parse().expect("a name")).expect("a target").address =
            address;
        granted(day.ask(Request {
            lasts: hours(2),
            transport: Some(Transport::Ssh),
            ..request("jon", "inside")
        }));
        day.wait(120);
        match waits {
            true => drop(day.waits(Request { lasts: hours(3), ..request("jon", "orders-db") })),
            false => drop(day.opens(3)),
        }
    }
}

#[test]
fn another_address_another_transport_and_another_name_are_no_other_target() {
    let other =
        |from: &str| Request { from: from.parse().expect("an address"), ..request("jon", "orders-db") };
    let mut day = Day::new();
    day.opens(4);
    // Beside what is open already it takes no more time, and after it there is none.
    granted(day.ask(Request { lasts: hours(4), ..other("203.0.113.8") }));
    day.wait(1);
    day.waits(Request { lasts: hours(4), ..other("203.0.113.9") });
    day.waits(Request { lasts: hours(4), transport: Some(Transport::Ssm), ..request("jon", "orders-db") });

    let twin = POLICY.replace(
        "[target.secrets-db]",
        "[target.twin]\naddress = \"rds:twin\"\nports = [\"tcp/5000-6000\"]\ngroups = [\"dbs\"]\n\
         transports = [\"direct\"]\nfirewall = \"clients\"\n\
         approval = { from = [\"leads\"], above = \"4h\" }\n\n[target.secrets-db]",
    );
    let mut day = Day::of(&twin);
    day.opens(4);
    day.wait(240);
    day.waits(Request { lasts: hours(1), ..request("jon", "twin") });
    // Another person's time is another person's.
    granted(day.ask(Request { lasts: hours(4), ..request("richard", "twin") }));
}

/// Two targets are one where they are enforced: on one table of nftables unless both have an address there, and on one port of
/// it; behind one relay; and in one security group.
#[test]
fn what_a_firewall_cannot_distinguish_is_one_target() {
    let check = |firewalls: &str, one: &str, other: &str, is_one: bool| {
        let target = |name: &str, lines: &str| {
            format!(
                "[target.{name}]\n{lines}\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\n\
                 approval = {{ from = [\"leads\"], above = \"4h\" }}\n"
            )
        };
        let general = POLICY.split("[firewall.clients]").next().expect("the beginning");
        let mut day =
            Day::of(&format!("{general}{firewalls}{}{}", target("one", one), target("other", other)));
        granted(day.ask(Request { lasts: hours(4), ..request("jon", "one") }));
        day.wait(240);
        match (day.ask(Request { lasts: hours(4), ..request("jon", "other") }), is_one) {
            (Decision::NeedsApproval { .. }, true) | (Decision::Granted { .. }, false) => {}
            (other, _) => panic!("{one} and {other:?}"),
        }
    };
    let table = "[firewall.a]\nnftables = \"inet doorward\"\nshared = true\n";
    let tables = &format!("{table}[firewall.b]\nnftables = \"inet other\"\nshared = true\n");
    let at = |firewall: &str, address: &str, ports: &str| {
        format!("address = \"{address}\"\nports = [\"{ports}\"]\nfirewall = \"{firewall}\"")
    };
    let first = &at("a", "10.0.0.7", "tcp/5432");
    check(table, first, &at("a", "10.0.0.8", "tcp/5432"), false);
    check(table, first, &at("a", "db.example.org", "tcp/5432"), true);
    check(table, &at("a", "db.example.org", "tcp/5432"), first, true);
    check(table, &at("a", "db.example.org", "tcp/5432"), &at("a", "web.example.org", "tcp/5432"), true);
    check(table, first, &at("a", "db.example.org", "tcp/5433"), false);
    check(tables, first, &at("b", "db.example.org", "tcp/5432"), false);
    check(tables, &at("a", "db.example.org", "tcp/1"), &at("b", "web.example.org", "tcp/1"), false);
    let relays = "[firewall.a]\nrelay = \"0.0.0.0:15432\"\n[firewall.b]\nrelay = \"0.0.0.0:15433\"\n";
    check(relays, first, &at("b", "10.0.0.8", "tcp/5432"), false);
    // A host is one target by whichever firewall it is reached.
    check(relays, first, &at("b", "10.0.0.7", "tcp/5432"), true);
    let groups =
        "[firewall.a]\nsecurity-group = \"sg-0a1b2c3d\"\n[firewall.b]\nsecurity-group = \"sg-0b1b2c3d\"\n";
    check(groups, first, &at("a", "10.0.0.8", "tcp/5432"), true);
    check(groups, first, &at("b", "10.0.0.8", "tcp/5432"), false);
    let mixed =
        "[firewall.a]\nsecurity-group = \"sg-0a1b2c3d\"\n[firewall.b]\nnftables = \"inet doorward\"\n";
    check(mixed, first, &at("b", "10.0.0.8", "tcp/5432"), false);
}

#[test]
fn what_was_approved_does_not_count_and_is_not_lengthened() {
    let mut day = Day::new();
    let (asked, _) = day.waits(Request { lasts: hours(8), ..request("jon", "orders-db") });
    let approved = day.approves(&asked);
    day.wait(480);
    assert!(day.grants.iter().any(|grant| grant.id() == approved.id() && grant.approved_by().is_some()));
    let held = day.opens(4);
    day.close(held.id());
    // An approval for an hour is no approval for two, although four would need none.
    let mut day = Day::new();
    day.opens(4);
    day.wait(240);
    let (asked, _) = day.waits(Request { lasts: hours(1), ..request("jon", "orders-db") });
    day.approves(&asked);
    day.wait(24 * 60 - 1);
    let (asked, _) = day.waits(Request { lasts: hours(5), ..request("jon", "orders-db") });
    day.approves(&asked);
    day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") });
}

#[test]
fn an_approval_extends_what_is_open_already() {
    let mut day = Day::new();
    let first = day.opens(1);
    day.wait(30);
    let asks = Request { lasts: hours(6), reason: Some("ticket 4711".into()), ..request("jon", "orders-db") };
    let (asked, _) = day.waits(asks);
    day.wait(10);
    let longer = day.approves(&asked);
    assert_eq!((longer.id(), longer.since()), (first.id(), first.since()));
    assert_eq!(longer.until(), Some(day.now + 6.hours()), "as long as was approved, from the approval");
    assert_eq!((longer.approved_by(), longer.approved_at()), (Some(&person("maria")), Some(day.now)));
    assert_eq!(longer.reason(), Some("ticket 4711"));
    assert_eq!(still_allowed(&day.policy, &day.people, &longer, day.now + 6.hours()), Ok(()));
    let live = day.grants.iter().filter(|grant| grant.live(day.now).is_some());
    assert_eq!(live.count(), 1, "one grant");
    let over = day.grants.iter().find(|grant| grant.id() == asked.id()).expect("the request");
    assert!(over.ended() && !over.was_revoked(), "{over:?}");

    // The 40 minutes before count as time without approval: 3 h 20 min of the four hours are left.
    day.close(longer.id());
    let minutes =
        |minutes| Request { lasts: Some(SignedDuration::from_mins(minutes)), ..request("jon", "orders-db") };
    day.waits(minutes(201));
    granted(day.ask(minutes(200)));
}

#[test]
fn an_approval_extends_no_further_than_the_policy_allows_in_one_go_and_only_the_same() {
    let ask = |lasts: i64, from: &str| Request {
        lasts: hours(lasts),
        from: from.parse().expect("an address"),
        ..request("jon", "orders-db")
    };
    let mut day = Day::new();
    let first = day.opens(3);
    day.wait(120);
    let (asked, _) = day.waits(ask(6, "203.0.113.7"));
    day.wait(30);
    let longer = day.approves(&asked);
    assert_eq!((longer.id(), longer.until()), (first.id(), Some(noon() + 8.hours())));
    // What was approved in the beginning stays so, whoever approves more.
    let mut day = Day::new();
    let (asked, _) = day.waits(ask(5, "203.0.113.7"));
    let first = day.approves(&asked);
    let (asked, _) = day.waits(ask(7, "203.0.113.7"));
    let longer = day.approves(&asked);
    assert_eq!((longer.id(), longer.approved_at()), (first.id(), None));
    // From another address, by another transport, and after its end it is a grant of its own.
    let (other, _) = day.waits(ask(7, "203.0.113.8"));
    assert_eq!(day.approves(&other).id(), other.id());
    let (carried, _) = day.waits(Request { transport: Some(Transport::Ssm), ..ask(7, "203.0.113.7") });
    assert_eq!(day.approves(&carried).id(), carried.id());
    let mut day = Day::new();
    day.opens(1);
    let (asked, _) = day.waits(ask(6, "203.0.113.7"));
    day.wait(60);
    let own = day.approves(&asked);
    assert_eq!((own.id(), own.since(), own.approved_at()), (asked.id(), Some(day.now), None));
}

#[test]
fn a_request_for_more_of_what_is_open_is_no_grant_more() {
    let mut day = Day::new();
    day.policy.limits.per_person_and_target = 1;
    day.opens(1);
    let (asked, _) = day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") });
    let longer = Request { lasts: Some(SignedDuration::from_mins(90)), ..request("jon", "orders-db") };
    granted(day.ask(longer));
    let elsewhere =
        Request { from: "203.0.113.8".parse().expect("an address"), ..request("jon", "orders-db") };
    let most = "1 grants of yours to `orders-db` are open or requested, the most that the policy allows";
    assert_eq!(day.refused(elsewhere.clone()), most);
    // Asked for from another address it would be one more.
    assert_eq!(day.refused(Request { lasts: hours(6), ..elsewhere }), most);
    // Nor is it approved once what is open admits another address.
    let open = day.grants.iter().find(|grant| grant.live(day.now).is_some()).expect("open").clone();
    let (by, to) = (person("jon"), "203.0.113.9".parse().expect("an address"));
    let fresh = GrantId::from_random([9; 8]);
    let moved = relocate(&day.policy, &day.people, &open, (&by, fresh, to), &day.grants, day.now);
    let Relocation::Moved { after: There::New(after), .. } = moved else { panic!("{moved:?}") };
    day.grants.retain(|grant| grant.id() != open.id());
    day.grants.push(after.clone());
    let by = person("maria");
    let decided = approve(&day.policy, &day.people, &asked, &by, &day.grants, day.now);
    let Decision::Refused { reasons } = decided else { panic!("{decided:?}") };
    let most = "1 grants of `jon` to `orders-db` are open or requested, the most that the policy allows";
    assert_eq!(reasons.iter().map(ToString::to_string).collect::<Vec<_>>(), [most]);
    day.close(after.id());
    assert_eq!(day.approves(&asked).id(), asked.id());
}

#[test]
fn asking_again_changes_the_request_that_waits() {
    let mut day = Day::new();
    let ask = |lasts: i64, from: &str, reason: Option<&str>| Request {
        lasts: hours(lasts),
        from: from.parse().expect("an address"),
        reason: reason.map(str::to_owned),
        ..request("jon", "orders-db")
    };
    let (first, _) = day.waits(ask(6, "203.0.113.7", Some("ticket 1")));
    assert_eq!(first.revision(), 0);
    day.wait(5);
    let (same, _) = day.waits(ask(6, "203.0.113.7", None));
    assert_eq!(same, first, "asked for again as it is, it is as it was");
    let check = |grant: &Grant, seconds: i64, source: &str, reason: &str, revision: u32| {
        assert_eq!(grant.id(), first.id());
        let Life::Waiting { seconds: waits, .. } = grant.life() else { panic!("{grant:?}") };
        assert_eq!((*waits, grant.source().to_string().as_str()), (seconds, source));
        assert_eq!((grant.reason(), grant.revision()), (Some(reason), revision));
    };
    let (longer, _) = day.waits(ask(7, "203.0.113.7", None));
    check(&longer, 7 * 3600, "203.0.113.7/32", "ticket 1", 1);
    let (moved, _) = day.waits(ask(7, "203.0.113.8", None));
    check(&moved, 7 * 3600, "203.0.113.8/32", "ticket 1", 2);
    let (said, _) = day.waits(ask(7, "203.0.113.8", Some("ticket 2")));
    check(&said, 7 * 3600, "203.0.113.8/32", "ticket 2", 3);
    // An address of the other family, or another transport, is another request.
    let (six, _) = day.waits(ask(7, "2a00:db8::1", None));
    assert_ne!(six.id(), first.id());
    let (carried, _) = day.waits(Request { transport: Some(Transport::Ssm), ..ask(7, "203.0.113.8", None) });
    assert_ne!(carried.id(), first.id());
}

#[test]
fn limits_count_what_is_open_and_what_waits() {
    let limits = "[limits]\nper-person = 4\nper-person-and-target = 3\n\n[firewall.clients]";
    let policy =
        POLICY.replace("[firewall.clients]", limits).replace("reason     = \"required\"", "limit = 2");
    let mut day = Day::of(&policy);
    let from = |who: &str, target: &str, last: u8| Request {
        from: [203, 0, 113, last].into(),
        lasts: hours(1),
        ..request(who, target)
    };
    for last in 1..=3 {
        granted(day.ask(from("jon", "orders-db", last)));
    }
    let here = "3 grants of yours to `orders-db` are open or requested, the most that the policy allows";
    assert_eq!(day.refused(from("jon", "orders-db", 4)), here);
    assert_eq!(day.refused(Request { lasts: hours(6), ..from("jon", "orders-db", 4) }), here);
    // What is held is extended all the same, and others have their own.
    granted(day.ask(Request { lasts: hours(2), ..from("jon", "orders-db", 3) }));
    granted(day.ask(from("richard", "orders-db", 4)));
    granted(day.ask(from("jon", "secrets-db", 1)));
    granted(day.ask(from("richard", "secrets-db", 1)));
    let all = "4 grants of yours are open or requested, the most that the policy allows";
    assert_eq!(day.refused(Request { transport: Some(Transport::Ssh), ..from("jon", "inside", 1) }), all);
    day.wait(60);
    granted(day.ask(from("jon", "secrets-db", 1)));
    granted(day.ask(from("richard", "secrets-db", 1)));
    let policy = POLICY.replace("reason     = \"required\"", "limit = 1");
    let mut day = Day::of(&policy);
    granted(day.ask(from("jon", "secrets-db", 1)));
    let target =
        "1 grants of all people to `secrets-db` are open or requested, the most that the policy allows";
    assert_eq!(day.refused(from("richard", "secrets-db", 1)), target);
}

#[test]
fn one_person_fills_no_firewall_although_the_policy_sets_no_limits() {
    let mut day = Day::new();
    let from = |last: u8| Request {
        from: [203, 0, 113, last].into(),
        lasts: hours(1),
        ..request("jon", "orders-db")
    };
    for last in 1..=10 {
        granted(day.ask(from(last)));
    }
    let most = "10 grants of yours to `orders-db` are open or requested, the most that the policy allows";
    assert_eq!(day.refused(from(11)), most);
    granted(day.ask(Request { from: [203, 0, 113, 12].into(), ..request("richard", "orders-db") }));
}

#[test]
fn a_grant_moves_with_its_end_and_its_approval() {
    let mut day = Day::new();
    let (asked, _) = day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") });
    let grant = day.approves(&asked);
    day.wait(60);
    let fresh = || GrantId::from_random([9; 8]);
    let go = |day: &Day, by: &str, grant: &Grant, to: &str| {
        let to = to.parse().expect("an address");
        relocate(&day.policy, &day.people, grant, (&person(by), fresh(), to), &day.grants, day.now)
    };
    let Relocation::Moved { before, after: There::New(after) } = go(&day, "jon", &grant, "203.0.113.99")
    else {
        panic!("it should move")
    };
    let [before] = before.as_slice() else { panic!("one grant ends, not {before:?}") };
    assert_eq!(before.overdue(day.now), None);
    let moved = Life::Ended {
        since: grant.since(),
        at: day.now,
        how: Ending::Moved { to: fresh() },
        approved_by: Some(person("maria")),
        approved_at: None,
        lived: None,
    };
    assert_eq!((before.id(), before.life()), (grant.id(), &moved));
    assert_eq!((after.id(), after.source().to_string().as_str()), (&fresh(), "203.0.113.99/32"));
    assert_eq!((after.life(), after.moves()), (grant.life(), 1));

    let refused = |day: &Day, by: &str, grant: &Grant, to: &str| match go(day, by, grant, to) {
        Relocation::Refused { reason } => reason.to_string(),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(go(&day, "jon", &grant, "203.0.113.7"), Relocation::Stays);
    assert!(
        refused(&day, "maria", &grant, "203.0.113.99").contains("only its own person can move it"),
        "not even operators"
    );
    assert!(refused(&day, "jon", &grant, "169.254.1.1").contains("a link-local address"));
    assert!(refused(&day, "jon", &asked, "203.0.113.99").ends_with("is not open"));
    day.policy.limits.moves = 1;
    assert!(refused(&day, "jon", &after, "203.0.113.8").contains("was moved 1 times"));
    let carried = granted(day.ask(Request {
        transport: Some(Transport::Ssm),
        lasts: hours(1),
        ..request("jon", "orders-db")
    }));
    assert!(refused(&day, "jon", &carried, "203.0.113.99").contains("admits no address"));
}

#[test]
fn a_slip_of_the_pen_is_noticed_among_what_somebody_may_open() {
    let (policy, people) = world();
    let hint = |who: &str, target: &str| match decide(
        &policy,
        &people,
        &request(who, target),
        &Past::default(),
        noon(),
    ) {
        Decision::Refused { reasons } => reasons.iter().find_map(Refusal::hint).unwrap_or_default(),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(hint("jon", "order-db"), "did you mean `orders-db`?");
    assert!(hint("jon", "nothing-like-it").contains("ask an operator"));
    assert!(
        !hint("maria", "order-db").contains("orders-db"),
        "she may not open it, nor learn that it is there"
    );
}

#[test]
fn an_approval_says_of_each_person_which_group_lets_them() {
    let mut day = Day::new();
    let (asked, _) = day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") });
    let reasons = match approve(&day.policy, &day.people, &asked, &person("maria"), &[], day.now) {
        Decision::Granted { reasons, .. } => reasons,
        other => panic!("not granted: {other:?}"),
    };
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, ["`jon` is in `dbs`", "maria, who is in `leads`, approved"]);
}

#[test]
fn every_refusal_of_an_address_or_a_length_says_what_would_do() {
    let (policy, people) = world();
    let asks = |from: &str, lasts: Option<i64>| Request {
        from: from.parse().expect("an address"),
        lasts: lasts.map(SignedDuration::from_secs),
        ..request("jon", "orders-db")
    };
    for asked in [
        asks("127.0.0.1", None),
        asks("169.254.0.1", None),
        asks("10.0.0.1", None),
        asks("203.0.113.7", Some(0)),
        asks("203.0.113.7", Some(1_000_000)),
    ] {
        match decide(&policy, &people, &asked, &Past::default(), noon()) {
            Decision::Refused { reasons } => assert!(reasons[0].hint().is_some(), "{}", reasons[0]),
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Every grant from the address that was left ends, and the new address is admitted for as long as the longest of them.
#[test]
fn an_address_that_was_left_is_admitted_by_no_other_grant() {
    let fresh = GrantId::from_random([9; 8]);
    let (old, new) = ("203.0.113.7/32", "203.0.113.99");
    // The length of what is open from the old address without and with an approval, and from the new one.
    let moves = |there: Option<i64>, named: usize| {
        let mut day = Day::new();
        let short = granted(day.ask(Request { lasts: hours(1), ..request("jon", "orders-db") }));
        let (asked, _) = day.waits(Request { lasts: hours(6), ..request("jon", "orders-db") });
        let long = day.approves_beside(&asked);
        if let Some(hours_there) = there {
            let from = new.parse().expect("an address");
            let asks = Request { from, lasts: hours(hours_there), ..request("jon", "orders-db") };
            match day.ask(asks) {
                Decision::NeedsApproval { grant, .. } => drop(day.approves(&grant)),
                decided => drop(granted(decided)),
            }
        }
        let grant = [&short, &long][named];
        let who = (&person("jon"), fresh.clone(), new.parse().expect("an address"));
        let moved = relocate(&day.policy, &day.people, grant, who, &day.grants, day.now);
        let Relocation::Moved { before, after } = moved else { panic!("not moved: {moved:?}") };
        assert!(before.iter().all(|ended| ended.ended() && ended.source().to_string() == old));
        let ids: std::collections::BTreeSet<_> = before.iter().map(Grant::id).collect();
        assert_eq!(ids, [short.id(), long.id()].into(), "both end");
        let lasts = after.grant().until().expect("open").duration_since(day.now).as_hours();
        (matches!(after, There::New(_)), lasts)
    };
    for named in [0, 1] {
        assert_eq!(moves(None, named), (true, 6));
        assert_eq!(moves(Some(2), named), (true, 6), "what is open there ends sooner");
        assert_eq!(moves(Some(7), named), (false, 7), "what is open there ends later");
    }
}

#[test]
fn a_grant_that_admits_more_than_the_policy_is_allowed_no_longer() {
    let (policy, people) = world();
    let six = Request { from: "2a00:db8::7".parse().expect("an address"), ..request("jon", "orders-db") };
    let grant = granted(decide(&policy, &people, &six, &Past::default(), noon()));
    assert_eq!(still_allowed(&policy, &people, &grant, noon()), Ok(()));
    let refused = |policy: &Policy, grant: &Grant| match still_allowed(policy, &people, grant, noon()) {
        Err(refusal) => refusal.to_string(),
        Ok(()) => panic!("{grant:?} is allowed"),
    };
    let mut narrower = policy.clone();
    narrower.grants.ipv6_prefix = 128;
    assert_eq!(
        refused(&narrower, &grant),
        "`2a00:db8::/64` is wider than the `2a00:db8::/128` that the policy allows"
    );
    // What somebody wrote into the store.
    let everybody = grant.with_source("0.0.0.0/0".parse().expect("a prefix"));
    assert!(refused(&policy, &everybody).contains("the unspecified address"));
    let many = grant.with_source("8.8.8.0/24".parse().expect("a prefix"));
    assert_eq!(refused(&policy, &many), "`8.8.8.0/24` is wider than the `8.8.8.0/32` that the policy allows");
    // What an earlier version admitted.
    let private = grant.with_source("10.0.0.7".parse().expect("a prefix"));
    assert!(refused(&policy, &private).contains("does not list `10.0.0.0/8`"));
}

proptest! {
    /// However a person opens, closes, extends and moves, from whatever address and by whatever transport: in no 24
    /// hours do they hold a target for longer than the policy allows without approval.
    #[test]
    fn no_slices_get_round_an_approval(
        acts in prop::collection::vec((0u8..5, 0i64..500, 1i64..300, 0u8..3, any::<bool>(), 0usize..4), 1..40),
    ) {
        let mut day = Day::new();
        day.policy.limits.per_person_and_target = 1000;
        day.policy.limits.per_person = 1000;
        for (act, wait, minutes, address, ssm, which) in acts {
            day.wait(wait);
            let open: Vec<Grant> = day.grants.iter().filter(|grant| grant.live(day.now).is_some()).cloned().collect();
            match (act, open.get(which)) {
                (0, Some(grant)) => day.close(grant.id()),
                (1, Some(grant)) => {
                    let number = u64::try_from(day.grants.len()).expect("few") + 1;
                    let fresh = GrantId::from_random(number.to_le_bytes());
                    let to = [203, 0, 113, 100 + address].into();
                    let by = person("jon");
                    let moved = relocate(&day.policy, &day.people, grant, (&by, fresh, to), &day.grants, day.now);
                    if let Relocation::Moved { before, after } = moved {
                        let ended = |other: &Grant| before.iter().any(|before| before.id() == other.id());
                        day.grants.retain(|other| !ended(other));
                        day.grants.extend(before);
                        if let There::New(after) = after {
                            day.grants.push(after);
                        }
                    }
                }
                _ => {
                    let request = Request {
                        from: [203, 0, 113, address].into(),
                        transport: Some(if ssm { Transport::Ssm } else { Transport::Direct }),
                        lasts: Some(SignedDuration::from_mins(minutes)),
                        ..request("jon", "orders-db")
                    };
                    let waits = match day.ask(request) {
                        Decision::NeedsApproval { grant, .. } => Some(grant),
                        _ => None,
                    };
                    if let Some(grant) = waits.filter(|_| act == 2) {
                        day.approves(&grant);
                    }
                }
            }
        }
        // Minute by minute: an independent count.
        let minute = |at: Timestamp| usize::try_from(at.duration_since(noon()).as_mins()).expect("later");
        let last = day.grants.iter().filter_map(|grant| match grant.life() {
            Life::Open { until, .. } => Some(minute(*until)),
            Life::Ended { at, .. } => Some(minute(*at)),
            Life::Waiting { .. } => None,
        }).max().unwrap_or(0);
        let mut held = vec![false; last + 1];
        for grant in &day.grants {
            let (since, end) = match grant.life() {
                Life::Open { since, until, .. } => (*since, *until),
                Life::Ended { since: Some(since), at, .. } => (*since, *at),
                Life::Ended { since: None, .. } | Life::Waiting { .. } => continue,
            };
            let end = match (grant.approved_by(), grant.approved_at()) {
                (Some(_), None) => continue,
                (Some(_), Some(approved)) => end.min(approved),
                (None, _) => end,
            };
            held[minute(since)..minute(end)].fill(true);
        }
        for window in held.windows((24 * 60).min(held.len())) {
            let minutes = window.iter().filter(|held| **held).count();
            prop_assert!(minutes <= 4 * 60, "{minutes} minutes without approval");
        }
    }
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
            if let Decision::Granted { grant, .. } = decide(&policy, &people, &request, &holding(held.as_ref()), now) {
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
            let decided = decide(&policy, &people, &request, &holding(held.as_ref()), now);
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

#[test]
fn what_a_person_is_offered_is_what_they_may_open() {
    let (policy, people) = world();
    for name in ["jon", "maria", "nobody"] {
        let person = person(name);
        let may = |target: &&Target| authorise(&policy, &people, &person, Act::Open(&target.name)).is_ok();
        let one_by_one: Vec<&TargetName> =
            policy.targets.values().filter(may).map(|target| &target.name).collect();
        let offered: Vec<&TargetName> =
            openable(&policy, &people, &person).map(|target| &target.name).collect();
        assert_eq!(offered, one_by_one, "{name}");
        assert_eq!(offered.len(), if name == "jon" { 4 } else { 0 }, "{name}");
    }
}
