//! Signing in: sessions that begin, end and cannot be taken over, and guesses that are slowed down.

use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;

use super::sent_to;
use crate::web::guard::SignInAttempt;
use crate::web::testing::{HASH, House, OTHER_HASH, PASSWORD, form_request};

/// How many guesses at an account are looked at, each from a network of its own.
fn looked_at(house: &House) -> usize {
    let (web, uptime) = (house.web(), house.requests().app().clock().uptime());
    let guess = |number: u8| {
        let address = std::net::IpAddr::from([number + 11, number, 0, 1]);
        let asked = SignInAttempt { account: "jon", address, device: None, known: false, fingerprint: 0 };
        web.guard().attempt(&asked, uptime).is_ok()
    };
    (0..60).filter(|number| guess(*number)).count()
}

#[tokio::test]
async fn a_restart_gives_an_account_no_new_attempts() {
    let house = House::new("").await;
    house.web().keep_house(false).await;
    let file = house.folder().join("doorward.db.audit-head.attempts");
    assert!(!file.exists(), "nobody has guessed");
    assert_eq!(looked_at(&house), 20);
    house.web().keep_house(true).await;
    let house = house.restarted();
    assert_eq!(looked_at(&house), 0);
    house.web().keep_house(true).await;
    house.pass(60);
    let house = house.restarted();
    assert_eq!(looked_at(&house), 4, "one each 15 s, also while no server ran");
    house.pass(3600);
    house.web().keep_house(true).await;
    assert!(std::fs::read_to_string(&file).expect("a file").contains("\"cells\":[]"));
    assert_eq!(looked_at(&house.restarted()), 20);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let house = House::new("").await;
    let answer = house.get("/", "").await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in");
    let answer = house.get("/record", "doorward=nonsense").await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in?next=/record");
    let page = house.get("/sign-in?next=/record", "").await;
    let form =
        |next: &str| format!("token={}&next={next}&name=maria&password={PASSWORD}", page.field("token"));
    assert_eq!(page.field("next"), "/record");
    let answer = house.post("/sign-in", &page.cookies(), &form("/record")).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/record");
    for elsewhere in ["https://evil.test/", "//evil.test", "/%5Cevil.test", "/sign-out"] {
        let answer = house.post("/sign-in", &page.cookies(), &form(elsewhere)).await;
        assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn every_refusal_of_a_sign_in_is_the_same() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let mut seen = Vec::new();
    let long = "x".repeat(2000);
    for (name, password) in [
        ("jon", "wrong"),
        ("nobody", "wrong"),
        ("jon", ""),
        ("nobody", PASSWORD),
        ("no%20body", "wrong"),
        ("richard", long.as_str()),
    ] {
        let form = format!("token={}&name={name}&password={password}", page.field("token"));
        let begun = std::time::Instant::now();
        let answer = house.post("/sign-in", &page.cookies(), &form).await;
        let took = begun.elapsed();
        assert!(took.as_millis() >= 500, "{name}: answered after {took:?}");
        let typed = name.replace("%20", " ");
        seen.push((answer.status, answer.text().replace(&format!("value=\"{typed}\""), "")));
    }
    assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn a_session_begins_with_a_new_token_and_ends_the_old_one() {
    let house = House::new("").await;
    let first = house.sign_in("jon").await;
    let page = house.get("/sign-in", "").await;
    let form = format!("token={}&name=jon&password={PASSWORD}", page.field("token"));
    let both = format!("{}; {first}", page.cookies());
    let second = house.post("/sign-in", &both, &form).await.cookies();
    assert_ne!(first, second);
    assert_eq!(house.get("/", &first).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &second).await.status, StatusCode::OK);

    let page = house.get("/", &second).await;
    let answer = house.post("/sign-out", &second, &format!("token={}", page.field("token"))).await;
    assert_eq!(sent_to(&answer, StatusCode::SEE_OTHER), "/sign-in?out=1");
    assert!(answer.header(SET_COOKIE.as_str()).contains("Max-Age=0"));
    assert_eq!(house.get("/", &second).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_ends_with_the_person_and_the_password() {
    let house = House::new("").await;
    let (jon, richard) = (house.sign_in("jon").await, house.sign_in("richard").await);
    house.people(&[("jon", OTHER_HASH), ("maria", HASH)]);
    assert_eq!(house.get("/", &jon).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &richard).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn under_https_the_cookie_is_of_this_host_alone() {
    let house = House::new("url = \"https://door.example\"").await;
    let page = house.get("/sign-in", "").await;
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("__Host-doorward-form=") && cookie.contains("; Secure"), "{cookie}");
    assert!(page.header("strict-transport-security").starts_with("max-age="));
    let answer = house.try_sign_in("jon", PASSWORD).await;
    let cookie = answer.header("set-cookie");
    for part in ["__Host-doorward=", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
}

#[tokio::test]
async fn a_form_of_nobody_signs_nobody_in() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let form = |token: &str| format!("token={token}&name=jon&password={PASSWORD}");
    let token = page.field("token");
    let other = house.get("/sign-in", "").await;
    for (cookie, token) in
        [("", token.as_str()), (page.cookies().as_str(), ""), (other.cookies().as_str(), token.as_str())]
    {
        let answer = house.post("/sign-in", cookie, &form(token)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{cookie} {token}");
        assert!(!answer.cookies().contains("doorward="), "{}", answer.cookies());
        assert_eq!(answer.field("name"), "jon", "what was typed is kept");
    }
    let mut request = form_request("/sign-in", &page.cookies(), &form(&token));
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().expect("a header"));
    assert_eq!(house.send(request).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_does_not_fill_the_record() {
    let house = House::new("").await;
    let page = house.get("/sign-in", "").await;
    let form = format!("token={}&name=jon&password=wrong", page.field("token"));
    let mut statuses = Vec::new();
    for _ in 0..13 {
        let answer = house.post("/sign-in", &page.cookies(), &form).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait <= 300));
        }
        statuses.push(answer.status);
    }
    let looked_at = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 3, "{statuses:?}");
    let refused = async || {
        let record = house.record().await;
        record.into_iter().filter(|line| line["what"] == "sign-in-refused").collect::<Vec<_>>()
    };
    assert_eq!(refused().await.len(), 10);
    // The right password is not looked at either, until the delay is over.
    let answer = house.try_sign_in("jon", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    house.pass(900);
    house.sign_in("jon").await;
    house.try_sign_in("jon", "wrong").await;
    let refused = refused().await;
    let summary = refused.iter().find(|line| line["who"] == "doorward").expect("a summary");
    assert!(summary["why"].as_str().is_some_and(|why| why.starts_with("4 more")), "{summary}");
}

#[tokio::test]
async fn a_neighbour_keeps_nobody_out_who_signed_in_before() {
    let house = House::new("").await;
    let browser = house.try_sign_in("jon", PASSWORD).await.cookies();
    assert!(browser.contains("doorward-device="), "{browser}");
    for guess in 0..6 {
        house.try_sign_in("jon", &format!("guess-{guess}")).await;
    }
    // A stranger to this network is held up, in the same words as somebody who is not there at all.
    let mut elsewhere = Vec::new();
    for name in ["richard", "nobody"] {
        for guess in 0..4 {
            elsewhere.push(house.try_sign_in(name, &format!("guess-{guess}")).await.status);
        }
    }
    assert_eq!(elsewhere[3], StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(elsewhere[..4], elsewhere[4..]);
    // Jon's own browser is let in, and so is another of his in the same network.
    let device = browser.split("; ").find(|cookie| cookie.starts_with("doorward-device=")).expect("a device");
    assert_eq!(house.try_sign_in_with(device, "jon", PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.try_sign_in("jon", PASSWORD).await.status, StatusCode::SEE_OTHER);
    // A wrong password of the neighbour's does not tell that it was looked at.
    assert_eq!(house.try_sign_in("jon", "guess-7").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn what_is_known_of_a_network_outlives_a_restart() {
    let house = House::new("").await;
    house.sign_in("jon").await;
    let again = house.restarted();
    for guess in 0..5 {
        again.try_sign_in("jon", &format!("guess-{guess}")).await;
    }
    assert_eq!(again.try_sign_in("jon", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_hash_that_takes_years_is_never_tried_and_keeps_nobody_else_out() {
    let house = House::new("").await;
    let slow = format!("$2y$31${}", ".".repeat(53));
    let rounds = format!("$6$rounds=999999999$abc${}", ".".repeat(86));
    house.people(&[("jon", HASH), ("slow", &slow), ("slower", &rounds), ("maria", HASH)]);
    for name in ["slow", "slower", "nobody"] {
        assert_eq!(house.try_sign_in(name, "wrong").await.status, StatusCode::UNAUTHORIZED, "{name}");
    }
    let page = house.get("/operators", &house.sign_in("maria").await).await.text();
    assert!(
        page.contains("<strong>slow</strong> cannot sign in") && page.contains("doorward user passwd slower"),
        "{page}"
    );
}
