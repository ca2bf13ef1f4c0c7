//! Who can reach what, as operators see it.

use axum::http::StatusCode;

use super::sent_to;
use crate::web::testing::House;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/account");

async fn house(folder: &str) -> House {
    House::new(&format!("[inventory]\nfolder = \"{folder}\"\n")).await
}

/// The `href` of the first link behind a text.
fn link_behind(page: &str, text: &str) -> String {
    let (_, rest) = page.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {page}"));
    let (_, rest) = rest.split_once("href=\"").expect("a link");
    rest.split('"').next().expect("its end").replace("&amp;", "&").replace("#answer", "")
}

#[tokio::test]
async fn only_operators_see_the_network() {
    let house = house(EXAMPLE).await;
    assert_eq!(sent_to(&house.get("/reach", "").await, StatusCode::SEE_OTHER), "/sign-in?next=/reach");
    let jon = house.sign_in("jon").await;
    let refused = house.get("/reach?from=internet&to=alb", &jon).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.text().contains("<svg"), "{}", refused.text());
    assert!(!house.get("/", &jon).await.text().contains("/reach"));
    let maria = house.sign_in("maria").await;
    assert_eq!(house.get("/reach", &maria).await.status, StatusCode::OK);
    assert!(house.get("/", &maria).await.text().contains("href=\"/reach\""));
}

#[tokio::test]
async fn without_an_inventory_the_page_says_how_to_get_one() {
    let house = House::new("").await;
    let maria = house.sign_in("maria").await;
    let page = house.get("/reach?from=internet&to=alb", &maria).await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    assert!(text.contains("the policy names no recorded account") && text.contains("[inventory]"), "{text}");
    assert!(!text.contains("<svg"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_said_to_be_so() {
    let house = house("gone").await;
    let maria = house.sign_in("maria").await;
    let page = house.get("/reach", &maria).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text().contains("cannot be read"), "{}", page.text());
    // It is looked at again at the next request.
    let folder = house.folder().join("gone");
    std::fs::create_dir(&folder).expect("a folder");
    for file in std::fs::read_dir(EXAMPLE).expect("the example") {
        let file = file.expect("a file").path();
        std::fs::copy(&file, folder.join(file.file_name().expect("a name"))).expect("a copy");
    }
    assert_eq!(house.get("/reach", &maria).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_picture_and_the_table_lead_to_every_trace() {
    let house = house(EXAMPLE).await;
    let maria = house.sign_in("maria").await;
    let page = house.get("/reach", &maria).await.text();
    assert!(page.contains("<svg class=\"picture\""), "{page}");
    assert!(
        !page.contains(" style=") && !page.contains("<style"),
        "the policy of the page's content forbids it"
    );
    // A line of the picture, and a row of the table.
    for behind in ["<g class=\"lines\"", "<table class=\"ways\""] {
        let way = link_behind(&page, behind);
        assert!(way.starts_with("/reach?from="), "{way}");
        let traced = house.get(&way, &maria).await;
        assert_eq!(traced.status, StatusCode::OK, "{way}");
        let text = traced.text();
        assert!(text.contains("badge good") || text.contains("badge pending"), "{way}: {text}");
        assert!(text.contains("class=\"hops\"") && text.contains("security group"), "{way}");
    }
    // A box shows its own lines alone.
    let alone = link_behind(&page, "class=\"node role\"").replace("#picture", "");
    assert!(alone.starts_with("/reach?show=role-"), "{alone}");
    let part = house.get(&alone, &maria).await.text();
    assert!(part.contains("Paths of ") && part.contains("Show everything"), "{alone}");
    assert!(part.matches("class=\"hit\"").count() < page.matches("class=\"hit\"").count());
}

#[tokio::test]
async fn a_question_is_answered_with_its_reasons() {
    let house = house(EXAMPLE).await;
    let maria = house.sign_in("maria").await;
    let no = house.get("/reach?from=internet&to=group%3Aweb&flow=tcp%2F22", &maria).await;
    assert_eq!(no.status, StatusCode::OK);
    let text = no.text();
    assert!(text.contains("badge bad") && text.contains("Blocked by"), "{text}");
    assert!(text.contains("ENI_SG_RULES_MISMATCH"), "{text}");
    // What was typed stays in the fields.
    assert!(text.contains("value=\"group:web\"") && text.contains("value=\"tcp/22\""));
    let yes = house.get("/reach?from=internet&to=group%3Aalb&flow=tcp/443", &maria).await.text();
    assert!(yes.contains("badge good") && yes.contains("Replies come back"), "{yes}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_beside_the_picture() {
    let house = house(EXAMPLE).await;
    let maria = house.sign_in("maria").await;
    for (query, says) in [
        ("from=internet&to=nobody", "nothing in the inventory is called"),
        ("from=internet&to=", "enter a destination"),
        ("from=10.0.0.1/8&to=internet", "host bits set"),
        ("from=internet&to=group:web&flow=5432", "is not a flow"),
        ("from=%3Cscript%3Ealert(1)%3C/script%3E&to=internet", "&lt;script&gt;"),
    ] {
        let page = house.get(&format!("/reach?{query}"), &maria).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        let text = page.text();
        assert!(text.to_lowercase().contains(says), "{query}: {text}");
        assert!(text.contains("<svg") && !text.contains("<script>alert"), "{query}");
    }
    let no_part = house.get("/reach?show=nothing", &maria).await;
    assert_eq!(no_part.status, StatusCode::UNPROCESSABLE_ENTITY);
    // A role that is not there any more: all is shown.
    assert_eq!(house.get("/reach?show=role-4711", &maria).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_recording_and_each_mistake_are_named() {
    let house = house(EXAMPLE).await;
    let maria = house.sign_in("maria").await;
    let page = house.get("/reach", &maria).await.text();
    let named = format!("This is the account as it was recorded in <code>{EXAMPLE}</code>");
    assert!(page.contains(&named) && page.contains("It does not include the rules of grants."), "{page}");
    // All that is wrong with a question is said at once.
    let query = "from=nobody&to=10.0.0.1/8&flow=5432";
    let page = house.get(&format!("/reach?{query}"), &maria).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = page.text().to_lowercase();
    for says in ["nothing in the inventory is called", "host bits set", "is not a flow"] {
        assert!(text.contains(says), "{says}: {text}");
    }
}
