//! A path in front of every path: nothing on any page leads out of it, whether the proxy hands it on or takes it away.

use axum::http::{Method, StatusCode};

use super::sent_to;
use crate::web::testing::{Answer, House, PASSWORD};

const SERVER: &str = "url = \"https://x.example/door\"";

/// What leads out of the prefix.
fn leads_out(page: &Answer) -> Vec<String> {
    let text = page.text();
    let attributes = text.split([' ', '>']).filter_map(|word| word.split_once("=\"/"));
    let out = attributes.filter(|(name, path)| *name != "value" && !path.starts_with("door"));
    out.map(|(name, path)| format!("{name}=/{path}")).collect()
}

#[tokio::test]
async fn nothing_leads_out_of_the_prefix() {
    let house = House::new(SERVER).await;
    // Handed on, and taken away by the proxy.
    for base in ["/door", ""] {
        let first = house.get(&format!("{base}/"), "").await;
        assert_eq!(sent_to(&first, StatusCode::SEE_OTHER), "/door/sign-in");
        let page = house.get(&format!("{base}/sign-in"), "").await;
        assert!(page.text().contains("action=\"/door/sign-in\""), "{}", page.text());
        let cookie = page.header("set-cookie");
        assert!(
            cookie.starts_with("__Secure-doorward-form=") && cookie.contains("; Path=/door;"),
            "{cookie}"
        );
        let form = format!("token={}&name=maria&password={PASSWORD}", page.field("token"));
        let signed_in = house.post(&format!("{base}/sign-in"), &page.cookies(), &form).await;
        assert_eq!(sent_to(&signed_in, StatusCode::SEE_OTHER), "/door/");
        let cookies = signed_in.cookies();
        assert!(cookies.starts_with("__Secure-doorward="), "{cookies}");
        for path in
            ["/", "/history", "/operators", "/reach", "/record", "/live", "/operators/live", "/nothing"]
        {
            let page = house.get(&format!("{base}{path}"), &cookies).await;
            assert_eq!(leads_out(&page), Vec::<String>::new(), "{base}{path}");
        }
        let home = house.get(&format!("{base}/"), &cookies).await;
        let text = home.text();
        let style = text
            .split("href=\"")
            .find(|link| link.contains("style-"))
            .and_then(|link| link.split('"').next());
        let style = style.expect("a style");
        assert!(style.starts_with("/door/assets/"), "{style}");
        assert_eq!(house.get(style, "").await.status, StatusCode::OK);
        let out = house
            .post(&format!("{base}/sign-out"), &cookies, &format!("token={}", home.field("token")))
            .await;
        assert_eq!(sent_to(&out, StatusCode::SEE_OTHER), "/door/sign-in?out=1");
    }
    for path in ["/door", "/door/"] {
        assert_eq!(house.get(path, "").await.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(house.get("/doors", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn programs_find_the_api_under_the_prefix() {
    let house = House::new(SERVER).await;
    for base in ["/door", ""] {
        let document = house.call(Method::GET, &format!("{base}/api/v1/openapi.json"), "", None).await.json();
        assert_eq!(document["servers"][0]["url"], "/door/api/v1");
        let nothing = house.call(Method::GET, &format!("{base}/api/v1/nothing"), "", None).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
        assert!(nothing.json()["error"].is_string());
        assert!(house.get(&format!("{base}/healthz"), "").await.json()["version"].is_string());
    }
    let head = house.call(Method::HEAD, "/door/sign-in", "", None).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}
