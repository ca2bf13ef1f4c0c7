//! What is asked twice.

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
    Caller { person: name.parse().expect("a name"), from: None }
}

#[tokio::test]
async fn asking_again_extends_what_was_agreed_to() {
    for _ in 0..8 {
        let house = House::new("").await;
        let (requests, jon) = (house.requests(), caller("jon"));
        requests.open(&jon, ask(None)).await.expect("open");
        let waiting = requests.open(&jon, ask(Some(6))).await.expect("asked");
        let Opened::Waiting { grant, .. } = waiting else { panic!("{waiting:?}") };
        requests.answer(&caller("richard"), grant.id(), true).await.expect("agreed");
        house.pass(60);
        // Names are random: whichever of the two stands first, it is the one that lasts longer.
        let again = requests.open(&jon, ask(Some(5))).await.expect("extended");
        let Opened::Granted { grant: again, extended, .. } = again else { panic!("{again:?}") };
        assert_eq!((again.id(), extended), (grant.id(), true));
    }
}
