//! What is asked twice, and what still admits somebody whose grant is over.

use doorward_core::decision::{Decision, Past, Request, decide};
use doorward_core::policy::parse;

use super::capacity::admits_still;
use super::*;
use crate::web::testing::House;

fn ask(lasts: Option<i64>) -> Ask {
    Ask {
        target: "orders-db".parse().expect("a name"),
        address: "203.0.113.7".parse().expect("an address"),
        transport: None,
        lasts: lasts.map(SignedDuration::from_hours),
        reason: None,
    }
}

fn caller(name: &str) -> Caller {
    Caller::known(name.parse().expect("a name"), None)
}

#[tokio::test]
async fn what_is_approved_extends_what_is_open_already() {
    for _ in 0..8 {
        let house = House::new("").await;
        let (requests, jon) = (house.requests(), caller("jon"));
        let open = requests.open(&jon, ask(None)).await.expect("open");
        let Opened::Granted { grant: open, .. } = open else { panic!("{open:?}") };
        let waiting = requests.open(&jon, ask(Some(6))).await.expect("asked");
        let Opened::Waiting { grant, .. } = waiting else { panic!("{waiting:?}") };
        let approved = requests.answer(&caller("richard"), grant.id(), Answer::Approve { seen: None }).await;
        let Ok(Opened::Granted { grant: longer, extended: true, .. }) = approved else {
            panic!("{approved:?}")
        };
        assert_eq!(
            (longer.id(), longer.until()),
            (open.id(), Some(house.now() + SignedDuration::from_hours(6)))
        );
        let unfinished = requests.app().store().unfinished().await.expect("read");
        assert_eq!(unfinished, [longer], "the request is over, and there is one grant");
        let over = requests.app().store().grant(grant.id()).await.expect("read").expect("a request");
        assert!(
            matches!(over.life(), Life::Ended { how: Ending::Extended { grant }, .. } if grant == open.id())
        );
        house.pass(60);
        let again = requests.open(&jon, ask(Some(5))).await.expect("extended");
        let Opened::Granted { grant: again, extended, .. } = again else { panic!("{again:?}") };
        assert_eq!((again.id(), extended), (open.id(), true));
    }
}

#[tokio::test]
async fn asking_for_less_than_is_left_changes_and_records_nothing() {
    let house = House::new("").await;
    let (requests, jon) = (house.requests(), caller("jon"));
    let first = requests.open(&jon, ask(Some(2))).await.expect("open");
    let Opened::Granted { grant, .. } = first else { panic!("{first:?}") };
    let before = requests.app().store().verify().await.expect("read").expect("whole");
    let again = requests.open(&jon, ask(Some(1))).await.expect("open");
    let Opened::Granted { grant: again, extended, .. } = again else { panic!("{again:?}") };
    assert_eq!((&again, extended), (&grant, true));
    assert_eq!(requests.app().store().verify().await.expect("read"), Ok(before));
    let longer = requests.open(&jon, ask(Some(3))).await.expect("open");
    let Opened::Granted { grant: longer, .. } = longer else { panic!("{longer:?}") };
    assert!(longer.until() > grant.until());
    assert_ne!(requests.app().store().verify().await.expect("read"), Ok(before));
}

#[test]
fn a_neighbour_on_the_same_port_is_not_still_open() {
    const POLICY: &str = r#"
[people]
passwords = "p"
groups    = "g"

[grants]
special-networks = ["203.0.113.0/24"]

[firewall.gate]
about    = "gate"
nftables = "inet doorward"

[target.one]
about      = "one"
address    = "10.0.0.1"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "gate"

[target.other]
about      = "other"
address    = "10.0.0.2"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "gate"
"#;
    let policy = parse(POLICY, "doorward.toml").expect("a policy");
    let people = doorward_core::policy::People::parse(b"jon:abl0JrMf6tlhw\n", "p", b"dbs: jon\n", "g");
    let people = people.expect("people");
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("an instant");
    let grant = |target: &str, id: u8| {
        let request = Request {
            id: GrantId::from_random([id; 8]),
            person: "jon".parse().expect("a name"),
            from: "203.0.113.7".parse().expect("an address"),
            target: target.parse().expect("a name"),
            transport: None,
            lasts: None,
            reason: None,
        };
        match decide(&policy, &people, &request, &Past::default(), now) {
            Decision::Granted { grant, .. } => grant,
            other => panic!("{other:?}"),
        }
    };
    let (one, other) = (grant("one", 1), grant("other", 2));
    let gate = policy.firewalls.values().next().expect("a firewall");
    let still = |grants: &[Grant]| admits_still(&policy, gate, grants, &one, now);
    assert_eq!(still(std::slice::from_ref(&other)), None);
    assert!(still(&[other, one.clone()]).is_some());
}
