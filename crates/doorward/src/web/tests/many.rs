//! The page of a person with many targets, and of one whose address has changed.

use axum::body::Body;
use axum::http::header::COOKIE;
use axum::http::{Request, StatusCode};

use super::sent_to;
use crate::web::testing::{House, form_request};

/// So many more targets of dbs, and a few of leads.
async fn house() -> House {
    let target = |name: String, port: u16, group: &str| {
        format!(
            "[target.{name}]\nabout = \"Part {name} of the shop\"\naddress = \"{name}.internal\"\nports = [\"tcp/{port}\"]\n\
             groups = [\"{group}\"]\ntransports = [\"direct\"]\nfirewall = \"many\"\n"
        )
    };
    let firewall = "[firewall.many]\nabout = \"a table\"\nnftables = \"inet many\"\n".to_owned();
    let dbs = (0..200).map(|number| target(format!("shard-{number}"), 6000 + number, "dbs"));
    let leads = (0..3).map(|number| target(format!("lead-{number}"), 7000 + number, "leads"));
    House::new(&dbs.chain(leads).fold(firewall, |policy, target| policy + &target)).await
}

#[tokio::test]
async fn many_targets_are_found_without_a_script() {
    let house = house().await;
    let richard = house.sign_in("richard").await;
    let all = house.get("/", &richard).await.text();
    assert!(all.contains("role=\"search\"") && !all.contains("Show all"), "there is a search");
    assert_eq!(all.matches("<details").count(), 205);
    for heading in [
        "<h3 class=\"group\">dbs<span class=\"quiet\"> 202</span>",
        "<h3 class=\"group\">leads<span class=\"quiet\"> 3</span>",
    ] {
        assert!(all.contains(heading), "{heading}");
    }
    let few = house.get("/?find=shop+SHARD-17", &richard).await.text();
    assert!(few.contains("id=\"target-shard-17\"") && few.contains("id=\"target-shard-170\""));
    assert!(!few.contains("id=\"target-shard-18\"") && !few.contains("<details"));
    assert!(few.contains("11 of 205 targets.") && few.contains("Show all"), "{few}");
    assert!(few.contains("value=\"shop SHARD-17\""));
    let none = house.get("/?find=%3Ci%3E", &richard).await.text();
    assert!(none.contains("None of your targets matches.") && none.contains("value=\"&lt;i&gt;\""), "{none}");
    // A form that is refused comes back unfolded.
    let token = house.get("/", &richard).await.field("token");
    let refused =
        house.post("/grants", &richard, &format!("token={token}&target=shard-3&lasts=99999999")).await;
    assert!(refused.status.is_client_error());
    assert_eq!(refused.text().matches("<details open>").count(), 1);

    let small = House::new("").await;
    let jon = small.sign_in("jon").await;
    let page = small.get("/", &jon).await.text();
    assert!(!page.contains("role=\"search\"") && !page.contains("<details"), "{page}");
}

#[tokio::test]
async fn what_is_open_for_an_address_that_is_no_longer_ones_own_is_pointed_out() {
    let house = House::new("").await;
    let jon = house.sign_in("jon").await;
    let page = house.get("/", &jon).await;
    assert!(!page.text().contains("Your address has changed"));
    let form = format!("token={}&target=orders-db", page.field("token"));
    sent_to(&house.post("/grants", &jon, &form).await, StatusCode::SEE_OTHER);
    let here = house.get("/", &jon).await.text();
    assert!(!here.contains("Your address has changed"), "{here}");
    let get = |path: &str| Request::get(path).header(COOKIE, &jon).body(Body::empty()).expect("a request");
    for path in ["/", "/live"] {
        let moved = house.through([198, 51, 100, 4], &[], get(path)).await.text();
        assert!(moved.contains("Your address is now <code>198.51.100.4</code>"), "{moved}");
        assert!(moved.contains("orders-db</a> for <code>203.0.113.7</code>"), "{moved}");
    }
    let form = format!("token={}&target=reports&reason=x", page.field("token"));
    let opened = house.through([198, 51, 100, 4], &[], form_request("/grants", &jon, &form)).await;
    sent_to(&opened, StatusCode::SEE_OTHER);
    let back = house.get("/", &jon).await.text();
    assert!(
        back.contains("reports</a> for <code>198.51.100.4</code>") && !back.contains("orders-db</a> for"),
        "{back}"
    );
}
