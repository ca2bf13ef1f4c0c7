//! An approval is for what the approver saw: the request, and what the policy opens by it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::web::testing::{Answer, House};

/// Has the policy say something else; the server reads it when somebody approves.
fn policy_says(house: &House, before: &str, after: &str) {
    let file = house.folder().join("doorward.toml");
    let text = std::fs::read_to_string(&file).expect("a policy");
    assert!(text.contains(before), "no {before:?} in {text}");
    std::fs::write(&file, text.replacen(before, after, 1)).expect("written");
}

async fn asks(house: &House, lasts: &str) -> Value {
    let jon = house.token("jon").await;
    let wanted = json!({ "target": "orders-db", "lasts": lasts });
    let asked = house.call(Method::POST, "/api/v1/grants", &jon, Some(wanted)).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text());
    asked.json()["grant"].clone()
}

async fn approves(house: &House, request: &Value, seen: Option<&Value>) -> Answer {
    let richard = house.token("richard").await;
    let path = format!("/api/v1/grants/{}/approval", request["id"].as_str().expect("an id"));
    let body = match seen {
        Some(seen) => json!({ "agree": true, "seen": seen }),
        None => json!({ "agree": true }),
    };
    house.call(Method::POST, &path, &richard, Some(body)).await
}

#[tokio::test]
async fn a_policy_that_changed_since_the_page_was_shown_approves_nothing() {
    let house = House::new("").await;
    let request = asks(&house, "6h").await;
    let richard = house.sign_in("richard").await;
    let page = house.get("/", &richard).await;
    assert!(
        page.text().contains("orders.db.internal on tcp/5432, admitted by <code>door</code>"),
        "{}",
        page.text()
    );
    let form = |page: &Answer| format!("token={}&agree=yes&seen={}", page.field("token"), page.field("seen"));
    let path = format!("/grants/{}/answer", request["id"].as_str().expect("an id"));
    policy_says(&house, "orders.db.internal", "payroll.db.internal");
    let refused = house.post(&path, &richard, &form(&page)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let text = refused.text();
    assert!(text.contains("olicy was changed since: the request of jon for"), "{text}");
    assert!(text.contains("now opens payroll.db.internal on tcp/5432"), "{text}");
    assert_eq!(house.requests().app().store().unfinished().await.expect("grants")[0].until(), None);
    // Who looks again sees what it opens now, and approves that.
    let page = house.get("/", &richard).await;
    assert!(page.text().contains("payroll.db.internal on tcp/5432"), "{}", page.text());
    let approved = house.post(&path, &richard, &form(&page)).await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.text());
    let open = house.requests().app().store().unfinished().await.expect("grants");
    assert_eq!(open[0].approved_by().map(ToString::to_string).as_deref(), Some("richard"));
}

#[tokio::test]
async fn whatever_of_the_policy_decides_what_is_opened_is_compared() {
    let moved = [("[firewall.door]", "[firewall.moved]"), ("= \"door\"", "= \"moved\"")];
    for changes in [
        &[("orders.db.internal", "payroll.db.internal")][..],
        &[("tcp/5432", "tcp/5433")],
        &moved,
        &[("127.0.0.1:15080", "127.0.0.1:15090")],
        &[("at-most = \"8h\"", "at-most = \"5h\"")],
    ] {
        let house = House::new("").await;
        let request = asks(&house, "6h").await;
        changes.iter().for_each(|(before, after)| policy_says(&house, before, after));
        let after = changes[0].1;
        // Neither as it was shown nor as it was made.
        for seen in [Some(&request["seen"]), None] {
            let refused = approves(&house, &request, seen).await;
            assert_eq!(refused.status, StatusCode::CONFLICT, "{after}: {}", refused.text());
            let words = refused.json();
            assert!(
                words["error"].as_str().expect("words").starts_with("the policy was changed since"),
                "{words}"
            );
            assert!(words["hint"].as_str().expect("a hint").contains("read the request again"), "{words}");
        }
        let richard = house.token("richard").await;
        let waits = house.call(Method::GET, "/api/v1/grants?to_answer=true", &richard, None).await.json();
        assert_ne!(waits[0]["seen"], request["seen"], "{after}");
        let approved = approves(&house, &request, Some(&waits[0]["seen"])).await;
        assert_eq!(approved.status, StatusCode::OK, "{after}: {}", approved.text());
        // What is open does not wait.
        let open = approved.json();
        assert_eq!((&open["grant"]["seen"], &open["grant"]["opens"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn what_does_not_change_what_is_opened_leaves_an_approval_as_it_is() {
    for seen in [true, false] {
        let house = House::new("").await;
        let request = asks(&house, "6h").await;
        policy_says(&house, "Orders database (PostgreSQL)", "The orders");
        policy_says(&house, "reports.internal", "other-reports.internal");
        policy_says(&house, "usually = \"2h\", at-most = \"8h\"", "usually = \"1h\", at-most = \"9h\"");
        let approved = approves(&house, &request, Some(&request["seen"]).filter(|_| seen)).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.text());
    }
}

#[tokio::test]
async fn asking_again_after_the_policy_changed_is_another_request() {
    let house = House::new("").await;
    let request = asks(&house, "6h").await;
    assert_eq!(asks(&house, "6h").await["revision"], 0, "nothing changed");
    policy_says(&house, "orders.db.internal", "payroll.db.internal");
    house.requests().app().policy_file().refresh();
    let again = asks(&house, "6h").await;
    assert_eq!((&again["id"], &again["revision"]), (&request["id"], &json!(1)));
    let refused = approves(&house, &request, Some(&request["seen"])).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.json()["error"].as_str().expect("words").starts_with("the request was changed since"));
    assert_eq!(approves(&house, &request, Some(&again["seen"])).await.status, StatusCode::OK);
}
