//! AWS on a bad day: groups that are gone or elsewhere, calls denied, throttled, broken off and never answered.

use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use crate::desk::{Desk, Said};
use crate::faulty::{Fault, Faulty};
use crate::grants::{HOURS, descriptions, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::server::House;

const REGION: &str = "us-east-1";

pub fn trials() -> Vec<Trial> {
    let moto = |name: &str, test: fn() -> Result<(), Failed>| {
        trial(&format!("bad days: {name}"), &[Need::Moto], test)
    };
    vec![
        moto("a security group in the wrong VPC", wrong_vpc),
        moto("a security group that is gone", gone),
        moto("calls that are denied, throttled or broken off, while opening and while closing", broken_calls),
        moto("AWS that never answers", silence),
        moto("an account that cannot be looked at closes all the same", unseen),
    ]
}

/// Whether a rule of a grant to this target stands.
fn stands(moto: &Moto, group: &str, target: &str) -> bool {
    let to = format!(" to {target} ");
    descriptions(moto, REGION, group).iter().any(|text| text.contains(&to))
}

/// How often an event's words are in the record.
pub fn recorded(house: &House, words: &str) -> usize {
    let (code, out, err) = house.run(&["audit", "list", "--limit", "1000"]);
    assert_eq!(code, 0, "{err}");
    out.lines().filter(|line| line.contains(words)).count()
}

/// The record is whole, and nothing broke off.
pub fn whole(house: &House) {
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    let log = std::fs::read_to_string(house.folder().join("serve.log")).unwrap_or_default();
    assert!(!log.contains("panicked"), "{log}");
}

fn wrong_vpc() -> Result<(), Failed> {
    let moto = Moto::shared();
    let (vpc, other) = (moto.vpc(REGION), moto.vpc(REGION));
    let group = moto.group(REGION, &vpc, "wrong-vpc");
    let pinned = |vpc: &str| {
        let pin = format!("vpc = \"{vpc}\"\nstatic = ");
        policy(std::slice::from_ref(&group), HOURS).replace("static = ", &pin)
    };
    let house = House::new(&[("dbs", &["jon"])], &pinned(&other)).with_aws(&moto.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let why = format!("security group {group} is in {vpc}, but the policy says {other}");
    jon.run(&["open", "db-0"]).is(1, &[], &[&format!("error: {why}\n")]);
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    assert_eq!(descriptions(&moto, REGION, &group), Vec::<String>::new(), "not even the static list");
    eventually("the log says so", || server.log().contains(&why));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(recorded(&house, &format!("reconciling clients-0 failed: {why}")), 1);

    // The policy is put right, and then wrong again under an open grant: what is in doubt is shut.
    house.write_policy(&pinned(&vpc));
    eventually("it opens", || jon.run(&["open", "db-0"]).code == 0);
    assert!(stands(&moto, &group, "db-0"));
    house.write_policy(&pinned(&other));
    eventually("our rules go", || descriptions(&moto, REGION, &group).is_empty());
    jon.run(&["list"]).is(0, &["db-0", &format!("not open yet: {why}")], &[]);
    jon.run(&["open", "db-0"]).is(1, &[], &[&why]);
    whole(&house);
    Ok(())
}

fn gone() -> Result<(), Failed> {
    let moto = Moto::shared();
    let mut groups = new_groups(&moto, 2, "gone");
    groups.push("sg-0123456789abcdef0".into());
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let why = |group: &str| format!("security group {group} does not exist in {REGION}");
    jon.run(&["open", "db-2"]).is(1, &[], &[&why("sg-0123456789abcdef0")]);
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    // The others go on.
    jon.run(&["open", "db-0"]).is(0, &["db-0 is open"], &[]);
    jon.run(&["open", "db-1"]).is(0, &["db-1 is open"], &[]);
    assert!(stands(&moto, &groups[0], "db-0") && stands(&moto, &groups[1], "db-1"));

    // One is deleted under an open grant.
    let answer = moto.ec2(REGION, "DeleteSecurityGroup", &[("GroupId", &groups[0])]);
    assert!(answer.contains("DeleteSecurityGroupResponse"), "{answer}");
    jon.run(&["open", "db-1"]).is(0, &["db-1 stays open"], &[]);
    jon.run(&["list"]).is(0, &[&format!("not open yet: {}", why(&groups[0]))], &[]);
    jon.run(&["open", "db-0"]).is(1, &[], &[&why(&groups[0])]);
    let closed = jon.run(&["close", "db-1", "db-0"]);
    assert!(
        closed.out.contains("to db-1 is revoked") && closed.out.contains("to db-0 is revoked"),
        "{closed:?}"
    );
    assert!(!stands(&moto, &groups[1], "db-1"));
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    whole(&house);
    Ok(())
}

/// What is said of a firewall that has not answered by the time a person is told.
const UNANSWERED: &str = "its firewall has not responded yet";

/// What is closed was said to be gone and is, or was said to be in doubt; and it goes.
fn closes(said: &Said, moto: &Moto, group: &str, words: &str) {
    if said.code == 0 {
        assert!(!stands(moto, group, "db-0"), "it was said to be closed: {said:?}");
        return;
    }
    // A machine with much else to do is told of before AWS has broken off.
    let words = if said.err.contains(UNANSWERED) { UNANSWERED } else { words };
    said.is(69, &["to db-0 is revoked"], &["has ended, but its rule may still exist: ", words, "\nhint: "]);
}

/// Faults of the two calls that change a group, and the words in which a person learns of them.
fn faults() -> Vec<(&'static str, Fault, &'static str)> {
    let html = "<html><body>Bad gateway</body></html>";
    vec![
        (
            "denied",
            Fault::denied(),
            "was denied: UnauthorizedOperation: You are not authorized to perform this operation.",
        ),
        ("throttled", Fault::throttled(), "RequestLimitExceeded"),
        ("error", Fault::Answer(500, String::new()), "was refused: HTTP 500: the response has no details"),
        ("gateway", Fault::Answer(502, html.into()), "was refused: HTTP 502: the response has no details"),
        ("half", Fault::Half, "failed: "),
        ("short", Fault::Short, "failed: "),
    ]
}

fn broken_calls() -> Result<(), Failed> {
    let moto = Moto::shared();
    std::thread::scope(|scope| {
        let days: Vec<_> = faults()
            .into_iter()
            .map(|(name, fault, words)| {
                let moto = &moto;
                (name, scope.spawn(move || broken_day(moto, name, &fault, words)))
            })
            .collect();
        for (name, day) in days {
            assert!(day.join().is_ok(), "`{name}` went wrong");
        }
    });
    Ok(())
}

fn broken_day(moto: &Moto, name: &str, fault: &Fault, words: &str) {
    let group = new_groups(moto, 1, &format!("day-{name}")).remove(0);
    let faulty = Faulty::before(moto.port());
    let policy = policy(std::slice::from_ref(&group), HOURS);
    let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["list"]).is(0, &["No grants are open."], &[]);
    eventually("the office is let in", || !descriptions(moto, REGION, &group).is_empty());

    faulty.breaks("AuthorizeSecurityGroupIngress", usize::MAX, fault.clone());
    let opened = jon.run(&["open", "db-0"]);
    let doubt = " is not open yet: its firewall does not admit it yet: ec2:AuthorizeSecurityGroupIngress in us-east-1 ";
    // AWS may have done what it did not say, and that may have been seen since.
    let out = "db-0 is granted, but not open yet, for 203.0.113.9/32 until ";
    match opened.code {
        0 => assert!(stands(moto, &group, "db-0"), "{name}: it was said to be open: {opened:?}"),
        _ if opened.err.contains(UNANSWERED) => opened.is(69, &[out], &["\nhint: "]),
        _ => opened.is(69, &[out], &[doubt, words, "\nhint: Doorward retries until the grant expires"]),
    }
    eventually("a list says why, or it stands", || {
        let listed = jon.run(&["list"]);
        listed.out.contains("not open yet: ec2:AuthorizeSecurityGroupIngress") || stands(moto, &group, "db-0")
    });
    faulty.mends();
    let mended = Instant::now();
    eventually("it stands", || stands(moto, &group, "db-0"));
    eventually("that is seen", || !jon.run(&["list"]).out.contains("not let in"));
    println!("{name}: open {:?} after AWS answered", mended.elapsed());

    faulty.breaks("RevokeSecurityGroupIngress", usize::MAX, fault.clone());
    closes(&jon.run(&["close", "db-0"]), moto, &group, words);
    faulty.mends();
    let mended = Instant::now();
    eventually("it is gone", || !stands(moto, &group, "db-0"));
    println!("{name}: closed {:?} after AWS answered", mended.elapsed());

    // A few failures are got over by themselves, before anybody is told.
    faulty.breaks("AuthorizeSecurityGroupIngress", 1, fault.clone());
    let opened = jon.run(&["open", "db-0"]);
    if matches!(name, "throttled" | "error" | "gateway" | "half") && !opened.err.contains(UNANSWERED) {
        opened.is(0, &["db-0 is open"], &[]);
    }
    eventually("it stands", || stands(moto, &group, "db-0"));
    drop(server);
    whole(&house);
    assert!(recorded(&house, "reconciling clients-0") <= 3, "told when it begins, not at each try");
}

fn silence() -> Result<(), Failed> {
    let moto = Moto::shared();
    let group = new_groups(&moto, 1, "silence").remove(0);
    let faulty = Faulty::before(moto.port());
    let policy = policy(std::slice::from_ref(&group), HOURS);
    let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    eventually("the office is let in", || !descriptions(&moto, REGION, &group).is_empty());

    faulty.breaks("AuthorizeSecurityGroupIngress", usize::MAX, Fault::Silence);
    let begun = Instant::now();
    let opened = jon.run(&["open", "db-0"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "a person waits {:?}", begun.elapsed());
    opened.is(
        69,
        &["db-0 is granted, but not open yet, for"],
        &[&format!("error: db-0 is not open yet: {UNANSWERED}\nhint: ")],
    );
    faulty.mends();
    eventually("it stands", || stands(&moto, &group, "db-0"));

    faulty.breaks("RevokeSecurityGroupIngress", usize::MAX, Fault::Silence);
    let closed = jon.run(&["close", "db-0"]);
    closed.is(
        69,
        &["to db-0 is revoked"],
        &[&format!("has ended, but its rule may still exist: {UNANSWERED}\nhint: ")],
    );
    faulty.mends();
    eventually("it is gone", || !stands(&moto, &group, "db-0"));

    // A server that waits for AWS still ends when it is told to, and pages are read meanwhile.
    faulty.breaks("Describe", usize::MAX, Fault::Silence);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| jon.run(&["open", "db-0"]));
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        jon.run(&["list"]).is(0, &["YOU MAY OPEN"], &[]);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let _ = opening.join();
    });
    let begun = Instant::now();
    assert_eq!(server.terminate(), Some(0), "SIGTERM");
    println!("stopped within {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    whole(&house);
    Ok(())
}

fn unseen() -> Result<(), Failed> {
    let moto = Moto::shared();
    let group = new_groups(&moto, 1, "unseen").remove(0);
    let faulty = Faulty::before(moto.port());
    let policy = policy(std::slice::from_ref(&group), HOURS);
    let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "db-0"]).is(0, &["db-0 is open"], &[]);
    moto.rule_by_hand(REGION, &group, 22, "192.0.2.0/24", "made by hand");

    faulty.breaks("Describe", usize::MAX, Fault::denied());
    let closed = jon.run(&["close", "db-0"]);
    assert!(!stands(&moto, &group, "db-0"), "a gap blocks no closing: {closed:?}");
    assert!(closed.out.contains("to db-0 is revoked"), "{closed:?}");
    let refused = jon.run(&["open", "db-0"]);
    refused.is(
        1,
        &[],
        &[
            &format!("security group {group} could not be read"),
            "was denied: UnauthorizedOperation",
            "doorward iam",
        ],
    );
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    // So it is after a restart, when nothing at all is known.
    faulty.mends();
    eventually("it opens", || jon.run(&["open", "db-0", "--for", "4s"]).code == 0);
    faulty.breaks("Describe", usize::MAX, Fault::denied());
    server.kill();
    let server = house.serve();
    eventually("its end is met", || !stands(&moto, &group, "db-0"));
    let left = descriptions(&moto, REGION, &group);
    assert!(left.iter().any(|text| text == "made by hand"), "{left:?}");
    assert!(left.iter().any(|text| text.contains(" static ")), "{left:?}");
    drop(server);
    whole(&house);
    Ok(())
}
