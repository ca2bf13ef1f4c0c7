//! What the pages show: what persists, what may be opened, and nothing that somebody wrote as more than text.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::sent_to;
use crate::overdue::Overdue;
use crate::web::testing::{House, form_request};

#[tokio::test]
async fn a_rule_past_its_end_is_shown_on_the_page_of_its_person_and_on_that_of_the_operators() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("maria").await);
    let page = house.get("/", &jon).await;
    let form = format!("token={}&target=orders-db", page.field("token"));
    sent_to(&house.post("/grants", &jon, &form).await, StatusCode::SEE_OTHER);
    let grants = house.requests().app().store().unfinished().await.expect("read");
    let grant = grants.first().expect("a grant");
    let form = format!("token={}", page.field("token"));
    let closed = house.post(&format!("/grants/{}/close", grant.id()), &jon, &form).await;
    sent_to(&closed, StatusCode::SEE_OTHER);
    let overdue = Overdue {
        since: house.now(),
        grant: Some(grant.id().clone()),
        person: Some(grant.person().clone()),
        target: Some(grant.target().clone()),
        source: Some(grant.source()),
        firewall: None,
        at: "security group sg-0a in eu-west-1".into(),
        seen: true,
        why: "ec2:RevokeSecurityGroupIngress was denied".into(),
        fix: "aws ec2 revoke-security-group-ingress --group-id sg-0a".into(),
    };
    house.overdue(vec![overdue]).await;
    for (path, cookies) in [("/", &jon), ("/operators", &richard)] {
        let page = house.get(path, cookies).await.text();
        for part in [
            "Expired, but not revoked yet",
            "sg-0a in eu-west-1",
            "was denied",
            "aws ec2 revoke-security-group-ingress --group-id sg-0a",
        ] {
            assert!(page.contains(part), "{path}: {part}: {page}");
        }
    }
}

#[tokio::test]
async fn what_people_wrote_is_text_on_every_page() {
    let house = House::new("").await;
    let (jon, maria) = (house.sign_in("jon").await, house.sign_in("maria").await);
    let token = house.get("/", &jon).await.field("token");
    let reason = "%3Cscript%3Ealert(1)%3C/script%3E%22%20x";
    // What hides is refused, and not shown as it is in the form that comes back.
    let form = format!("token={token}&target=reports&reason={reason}%E2%80%AEgnp.exe%1B%5B31m");
    let refused = house.post("/grants", &jon, &form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        !refused.text().contains(['\u{202e}', '\u{1b}']) && !refused.text().contains("alert(1)</script>")
    );
    let form = format!("token={token}&target=reports&reason={reason}");
    sent_to(&house.post("/grants", &jon, &form).await, StatusCode::SEE_OTHER);
    for (path, cookies) in
        [("/", &jon), ("/history", &jon), ("/operators", &maria), ("/record", &maria), ("/live", &jon)]
    {
        let page = house.get(path, cookies).await;
        let text = page.text();
        let body = text.split_once("<main").map_or(text.as_str(), |(_, main)| main);
        assert!(!body.contains("alert(1)</script>") && !text.contains("Reports <b>"), "{path}: {text}");
        assert!(
            !text.contains('\u{202e}') && !text.contains('\u{1b}'),
            "{path}: it shows characters that hide"
        );
    }
    assert!(house.get("/operators", &maria).await.text().contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[tokio::test]
async fn no_way_is_offered_that_this_version_cannot_open() {
    let more = "[firewall.table]\nabout = \"a table\"\nnftables = \"inet table\"\n\
                [target.vpn]\nabout = \"by WireGuard\"\naddress = \"vpn.internal\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\"]\n\
                transports = [\"wireguard\", \"direct\"]\nfirewall = \"table\"\n";
    let house = House::new(more).await;
    let token = house.token("jon").await;
    let targets = house.call(Method::GET, "/api/v1/targets", &token, None).await.json();
    let vpn =
        targets.as_array().expect("targets").iter().find(|target| target["target"] == "vpn").expect("one");
    assert_eq!(vpn["transports"], json!(["direct"]));
    let page = house.get("/", &house.sign_in("jon").await).await.text();
    assert!(page.contains("by WireGuard") && !page.contains("value=\"wireguard\""), "{page}");
}

#[tokio::test]
async fn the_form_moves_a_grant_to_the_address_that_it_came_from_in_one_step() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let token = house.get("/", &jon).await.field("token");
    let form = format!("token={token}&target=orders-db");
    sent_to(&house.post("/grants", &jon, &form).await, StatusCode::SEE_OTHER);
    let before = house.requests().app().store().unfinished().await.expect("read").remove(0);
    let path = format!("/grants/{}/move", before.id());
    let moved = form_request(&path, &jon, &format!("token={token}"));
    sent_to(&house.through([198, 51, 100, 4], &[], moved).await, StatusCode::SEE_OTHER);
    let live = house.requests().app().store().unfinished().await.expect("read");
    let live: Vec<_> = live.iter().filter(|grant| grant.live(house.now()).is_some()).collect();
    let [after] = &live[..] else { panic!("{live:?}") };
    assert_eq!((after.source().to_string().as_str(), after.until()), ("198.51.100.4/32", before.until()));
}
