//! The API as programs see it, and its description compared with what it really does.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{calls, openapi};
use crate::web::testing::{HASH, House, OTHER_HASH, PASSWORD};

fn document() -> Value {
    serde_json::from_str(openapi::TEXT).expect("JSON")
}

#[test]
fn the_document_has_every_call_and_no_other() {
    let served: BTreeSet<(String, String)> =
        calls().into_iter().map(|(method, path, _)| (path.to_owned(), method.to_owned())).collect();
    let document = document();
    let described = document["paths"].as_object().expect("paths").iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods").keys().map(move |method| (path.clone(), method.clone()))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), served);
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn walk(document: &Value, value: &Value, seen: &mut usize) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let target = document.pointer(reference.trim_start_matches('#'));
                    assert!(target.is_some(), "{reference}");
                    *seen += 1;
                }
                fields.values().for_each(|value| walk(document, value, seen));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(document, value, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    walk(&document, &document, &mut seen);
    assert!(seen > 50, "{seen}");
}

#[tokio::test]
async fn every_call_says_that_it_is_for_our_host_alone() {
    let house = House::new("").await;
    let document = house.call(Method::GET, "/api/v1/openapi.json", "", None).await.json();
    let mut seen = 0;
    for (path, calls) in document["paths"].as_object().expect("paths") {
        for (method, call) in calls.as_object().expect("calls") {
            let (responses, health) = (&call["responses"], path.ends_with("z"));
            assert_eq!(
                responses["421"].is_object() && responses["400"].is_object(),
                !health,
                "{method} {path}"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

/// What of a value is not as its schema says.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).expect("a schema");
        return faults(document, target, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let good = choices.iter().filter(|schema| faults(document, schema, value, at).is_empty()).count();
        return if good == 1 { Vec::new() } else { vec![format!("{at}: {good} choices fit {value}")] };
    }
    if let Some(constant) = schema.get("const") {
        return if constant == value { Vec::new() } else { vec![format!("{at}: {value}")] };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => vec![kind.as_str().unwrap_or_default()],
    };
    if !allowed.contains(&kind) {
        return vec![format!("{at}: {kind} instead of {allowed:?}")];
    }
    let mut found = Vec::new();
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        found.push(format!("{at}: {value} is none of {values:?}"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(faults(document, &schema["items"], item, &format!("{at}[{number}]")));
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, field) in fields {
            match properties.get(name) {
                Some(schema) => found.extend(faults(document, schema, field, &format!("{at}.{name}"))),
                None if schema["additionalProperties"] == json!(false) => {
                    found.push(format!("{at}.{name} is not described"));
                }
                None => {}
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{at}.{name} is missing"));
            }
        }
    }
    found
}

#[test]
fn the_comparison_with_a_schema_finds_faults() {
    let document = document();
    let schema = json!({ "$ref": "#/components/schemas/Health" });
    let good = json!({ "ok": true, "version": "1", "last_pass": null });
    assert_eq!(faults(&document, &schema, &good, ""), Vec::<String>::new());
    for bad in [
        json!({ "ok": true, "version": "1" }),
        json!({ "ok": true, "version": "1", "last_pass": null, "more": 1 }),
        json!({ "ok": "yes", "version": "1", "last_pass": null }),
    ] {
        assert_eq!(faults(&document, &schema, &bad, "").len(), 1, "{bad}");
    }
}

/// Calls, and compares the answer with what the document says of it.
async fn described(
    house: &House,
    method: &str,
    path: &str,
    token: &str,
    body: Option<Value>,
    expected: u16,
) -> Value {
    let verb: Method = method.to_uppercase().parse().expect("a method");
    let answer = house.call(verb, &format!("/api/v1{path}"), token, body).await;
    let status = answer.status.as_u16();
    assert_eq!(status, expected, "{method} {path}: {}", answer.text());
    let document = document();
    let bare = path.split('?').next().unwrap_or_default();
    let template = calls().into_iter().map(|(_, path, _)| path).find(|template| {
        let (template, bare): (Vec<_>, Vec<_>) = (template.split('/').collect(), bare.split('/').collect());
        template.len() == bare.len()
            && template.iter().zip(&bare).all(|(part, is)| part == is || part.starts_with('{'))
    });
    let template = template.expect("a call");
    let mut said = &document["paths"][template][method]["responses"][expected.to_string()];
    if let Some(reference) = said["$ref"].as_str() {
        said = document.pointer(reference.trim_start_matches('#')).expect("a response");
    }
    assert!(said.is_object(), "{method} {template} may answer {expected}, which the document does not say");
    if status == 204 {
        assert!(answer.body.is_empty());
        return Value::Null;
    }
    let (schema, value) = (&said["content"]["application/json"]["schema"], answer.json());
    assert_eq!(faults(&document, schema, &value, ""), Vec::<String>::new(), "{method} {path}: {value}");
    value
}

#[tokio::test]
async fn every_call_answers_as_the_document_says() {
    let house = House::new("").await;
    let credentials = json!({ "name": "jon", "password": PASSWORD });
    let session = described(&house, "post", "/sessions", "", Some(credentials), 201).await;
    let jon = session["token"].as_str().expect("a token");
    let (richard, maria) = (house.token("richard").await, house.token("maria").await);

    let me = described(&house, "get", "/me", jon, None, 200).await;
    assert_eq!(me["address"], "203.0.113.7");
    assert_eq!(me["operator"], false);
    assert_eq!(me["groups"], json!(["dbs"]));
    let targets = described(&house, "get", "/targets", jon, None, 200).await;
    assert_eq!(targets.as_array().map(Vec::len), Some(2));

    let wanted = json!({ "target": "orders-db", "lasts": "1h", "reason": "ticket 7" });
    let opened = described(&house, "post", "/grants", jon, Some(wanted), 201).await;
    assert_eq!(opened["grant"]["until"], "2026-11-22T11:00:00Z");
    assert_eq!(opened["standing"]["state"], "as-wanted");
    let wanted = json!({ "target": "orders-db", "lasts": 7200 });
    let extended = described(&house, "post", "/grants", jon, Some(wanted), 200).await;
    assert_eq!(extended["extended"], true);
    let id = extended["grant"]["id"].as_str().expect("a grant");
    described(&house, "get", &format!("/grants/{id}"), jon, None, 200).await;
    described(&house, "get", &format!("/grants/{id}"), &richard, None, 200).await;
    let all = described(&house, "get", "/grants?all=true", &maria, None, 200).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    let closed = described(&house, "delete", &format!("/grants/{id}"), jon, None, 200).await;
    assert_eq!(closed["grant"]["state"], "ended");
    described(&house, "delete", &format!("/grants/{id}"), jon, None, 200).await;
    let mine = described(&house, "get", "/grants", jon, None, 200).await;
    assert_eq!(mine, json!([]));

    for (agree, state) in [(true, "open"), (false, "ended")] {
        let wanted = json!({ "target": "orders-db", "lasts": "6h" });
        let waiting = described(&house, "post", "/grants", jon, Some(wanted), 202).await;
        assert_eq!(waiting["grant"]["waits_for"], json!(["leads"]));
        let id = waiting["grant"]["id"].as_str().expect("a grant");
        let path = format!("/grants/{id}/approval");
        described(&house, "post", &path, jon, Some(json!({ "agree": true })), 403).await;
        let answered = described(&house, "post", &path, &richard, Some(json!({ "agree": agree })), 200).await;
        assert_eq!(answered["grant"]["state"], state);
        described(&house, "post", &path, &richard, Some(json!({ "agree": true })), 409).await;
        described(&house, "delete", &format!("/grants/{id}"), &maria, None, 200).await;
    }

    // More of what is held is one request, whose approval extends the grant; a reason is for a denial.
    let open = described(&house, "post", "/grants", jon, Some(json!({ "target": "orders-db" })), 201).await;
    let wanted = json!({ "target": "orders-db", "lasts": "6h" });
    let asked = described(&house, "post", "/grants", jon, Some(wanted), 202).await;
    let path = format!("/grants/{}/approval", asked["grant"]["id"].as_str().expect("a grant"));
    let both = json!({ "agree": true, "reason": "ticket 9" });
    described(&house, "post", &path, &richard, Some(both), 422).await;
    let longer = described(&house, "post", &path, &richard, Some(json!({ "agree": true })), 200).await;
    assert_eq!((&longer["grant"]["id"], &longer["extended"]), (&open["grant"]["id"], &json!(true)));
    let mine = described(&house, "get", "/grants", jon, None, 200).await;
    assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine}");
    let path = format!("/grants/{}", open["grant"]["id"].as_str().expect("a grant"));
    described(&house, "delete", &path, jon, None, 200).await;
    let wanted = json!({ "target": "orders-db", "lasts": "6h" });
    let asked = described(&house, "post", "/grants", jon, Some(wanted), 202).await;
    let path = format!("/grants/{}", asked["grant"]["id"].as_str().expect("a grant"));
    let denial = Some(json!({ "agree": false, "reason": "not today" }));
    described(&house, "post", &format!("{path}/approval"), &richard, denial, 200).await;
    let denied = described(&house, "get", &path, jon, None, 200).await;
    assert_eq!(denied["ended"], "denied by richard: not today");

    // Asking again while it waits changes it, and what was seen before approves nothing.
    let wanted = |lasts: &str| Some(json!({ "target": "orders-db", "lasts": lasts, "reason": "ticket 8" }));
    let first = described(&house, "post", "/grants", jon, wanted("5h"), 202).await;
    let again = described(&house, "post", "/grants", jon, wanted("7h"), 202).await;
    assert_eq!((&again["grant"]["id"], &again["changed"]), (&first["grant"]["id"], &json!(true)));
    assert_eq!((&again["grant"]["revision"], &again["grant"]["asked_for"]), (&json!(1), &json!(25_200)));
    let same = described(&house, "post", "/grants", jon, wanted("7h"), 202).await;
    assert_eq!((&same["grant"]["revision"], &same["changed"]), (&json!(1), &Value::Null));
    let (before, seen) = (first["grant"]["seen"].clone(), again["grant"]["seen"].clone());
    let newer = json!(seen.as_str().expect("seen").replacen("1-", "2-", 1));
    let path = format!("/grants/{}/approval", first["grant"]["id"].as_str().expect("a grant"));
    for stale in [
        json!({ "agree": true }),
        json!({ "agree": true, "seen": before }),
        json!({ "agree": true, "seen": newer }),
    ] {
        let refused = described(&house, "post", &path, &richard, Some(stale), 409).await;
        let error = refused["error"].as_str().expect("words");
        assert!(
            error.contains("jon now requests `orders-db` for 7h from 203.0.113.7/32 (\"ticket 8\")"),
            "{error}"
        );
        assert!(
            refused["hint"].as_str().expect("a hint").contains(&format!("`seen` is {seen}")),
            "{refused}"
        );
    }
    for wrong in [json!(1), json!("1"), Value::Null] {
        let wrong = Some(json!({ "agree": true, "seen": wrong }));
        described(&house, "post", &path, &richard, wrong, 422).await;
    }
    let seen = Some(json!({ "agree": true, "seen": seen }));
    let approved = described(&house, "post", &path, &richard, seen, 200).await;
    assert_eq!(approved["grant"]["until"], "2026-11-22T17:00:00Z");

    // To the same address it stays; where the caller comes from by now it goes, with its end and its approval.
    let path = format!("/grants/{}/move", approved["grant"]["id"].as_str().expect("a grant"));
    let stays = described(&house, "post", &path, jon, None, 200).await;
    assert_eq!((&stays["grant"]["id"], &stays["moved_from"]), (&approved["grant"]["id"], &Value::Null));
    let moved = house.call_from([203, 0, 113, 99], Method::POST, &format!("/api/v1{path}"), jon, None).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.text());
    let moved = moved.json();
    assert_eq!(
        (&moved["moved_from"], &moved["grant"]["source"]),
        (&json!("203.0.113.7/32"), &json!("203.0.113.99/32"))
    );
    for kept in ["until", "approved_by", "since", "person", "target"] {
        assert_eq!(moved["grant"][kept], approved["grant"][kept], "{kept}");
    }
    let before = format!("/grants/{}", approved["grant"]["id"].as_str().expect("a grant"));
    let before = described(&house, "get", &before, jon, None, 200).await;
    assert_eq!(before["state"], "ended");
    described(&house, "post", &path, jon, None, 409).await;
    described(&house, "post", &path, &maria, None, 403).await;

    let record = described(&house, "get", "/record?limit=5", &maria, None, 200).await;
    assert_eq!(record["lines"].as_array().map(Vec::len), Some(5));
    let next = record["next"].as_u64().expect("a number");
    let earlier =
        described(&house, "get", &format!("/record?before={next}&limit=1"), &maria, None, 200).await;
    assert_eq!(earlier["lines"][0]["seq"].as_u64(), Some(next - 1));
    described(&house, "get", "/healthz", "", None, 200).await;
    described(&house, "get", "/openapi.json", "", None, 200).await;
    described(&house, "delete", "/sessions/current", jon, None, 204).await;
    described(&house, "get", "/me", jon, None, 401).await;
}

#[tokio::test]
async fn every_refusal_answers_as_the_document_says() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    let wrong = json!({ "name": "jon", "password": "wrong" });
    described(&house, "post", "/sessions", "", Some(wrong), 401).await;
    described(&house, "post", "/sessions", "", Some(json!({ "name": "jon" })), 422).await;
    for path in ["/me", "/targets", "/grants", "/record", "/grants/g-k3v9t2m4x7q8"] {
        described(&house, "get", path, "", None, 401).await;
        described(&house, "get", path, "made-up", None, 401).await;
    }
    described(&house, "get", "/record", &jon, None, 403).await;
    described(&house, "get", "/grants?all=true", &jon, None, 403).await;
    described(&house, "get", "/grants?all=perhaps", &jon, None, 422).await;
    described(&house, "get", "/grants?whose=mine", &jon, None, 422).await;
    described(&house, "get", "/record?limit=0", &jon, None, 422).await;
    described(&house, "get", "/grants/g-k3v9t2m4x7q8", &jon, None, 404).await;
    described(&house, "get", "/grants/nonsense", &jon, None, 404).await;
    described(&house, "delete", "/grants/g-k3v9t2m4x7q8", &jon, None, 404).await;

    let refused = |body| described(&house, "post", "/grants", &jon, Some(body), 422);
    let both = refused(json!({ "target": "reports", "lasts": "99h" })).await;
    let kinds: BTreeSet<&str> = both["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .filter_map(|refusal| refusal["refusal"].as_str())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["no-reason", "too-long"]), "{both}");
    refused(json!({ "target": "orders-db", "lasts": "soon" })).await;
    refused(json!({ "target": "orders-db", "lasts": [1] })).await;
    refused(json!({ "target": "orders-db", "lasts": -5 })).await;
    refused(json!({ "target": "orders-db", "transport": "teleport" })).await;
    refused(json!({ "target": "orders/db" })).await;
    refused(json!({ "target": "orders-db", "person": "maria" })).await;
    refused(json!(["orders-db"])).await;
    let unknown = json!({ "target": "nothing" });
    described(&house, "post", "/grants", &jon, Some(unknown), 404).await;
    let long = json!({ "target": "orders-db", "reason": "x".repeat(70_000) });
    described(&house, "post", "/grants", &jon, Some(long), 413).await;
}

#[tokio::test]
async fn errors_name_no_type_of_ours() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    for body in
        [json!([]), json!({}), json!(1), json!({ "target": 5 }), json!({ "target": "a", "transport": 1 })]
    {
        let answer = house.call(Method::POST, "/api/v1/grants", &jon, Some(body.clone())).await;
        let text = answer.text();
        for name in ["struct", "enum", "GrantRequest", "TargetName", "Transport", "tuple"] {
            assert!(!text.contains(name), "{body}: {text}");
        }
    }
}

#[tokio::test]
async fn only_json_is_taken() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    let send = async |kind: Option<&str>, body: &str| {
        let mut request = Request::post("/api/v1/grants").header("authorization", format!("Bearer {jon}"));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = house.send(request.body(Body::from(body.to_owned())).expect("a request")).await;
        assert!(answer.json()["error"].is_string(), "{}", answer.text());
        answer.status
    };
    assert_eq!(send(None, "{}").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(send(form, "target=orders-db").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(Some("application/json"), "{").await, StatusCode::BAD_REQUEST);
    assert_eq!(send(Some("application/json; charset=utf-8"), "{}").await, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_json_too() {
    let house = House::new("").await;
    for (method, path, expected) in [
        (Method::GET, "/api/v1/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1", StatusCode::NOT_FOUND),
        (Method::PUT, "/api/v1/grants", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = house.call(method, path, "", None).await;
        assert_eq!(answer.status, expected, "{path}");
        assert!(answer.json()["hint"].is_string());
    }
}

#[tokio::test]
async fn a_path_or_a_query_that_cannot_be_read_is_json_too() {
    let house = House::new("").await;
    let jon = house.token("jon").await;
    for (method, path, expected) in [
        (Method::DELETE, "/api/v1/sessions/%ff", StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1/grants/%ff", StatusCode::NOT_FOUND),
        (Method::DELETE, "/api/v1/grants/%ff", StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1/grants?all=true&all=true", StatusCode::UNPROCESSABLE_ENTITY),
        (Method::GET, "/api/v1/record?before=x", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = house.call(method, path, &jon, None).await;
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    let cookie = house.sign_in("jon").await;
    for path in
        ["/?find=a&find=b", "/account?done=a&done=b", "/sign-in?next=a&next=b", "/operators?note=a&note=b"]
    {
        let page = house.get(path, &cookie).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}: {}", page.text());
    }
}

#[tokio::test]
async fn a_cookie_is_no_token_and_a_token_is_no_cookie() {
    let house = House::new("").await;
    let cookie = house.sign_in("jon").await;
    let token = house.token("jon").await;
    let request = Request::get("/api/v1/me").header("cookie", &cookie).body(Body::empty());
    assert_eq!(house.send(request.expect("a request")).await.status, StatusCode::UNAUTHORIZED);
    let value = cookie.split_once('=').expect("a cookie").1;
    assert_eq!(house.call(Method::GET, "/api/v1/me", value, None).await.status, StatusCode::UNAUTHORIZED);
    let page = house.get("/", &format!("doorward={token}")).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
}

#[tokio::test]
async fn a_session_ends_with_the_person_the_password_and_the_time() {
    let house = House::new("sessions = { idle = \"12h\" }").await;
    let me = async |token: &str| house.call(Method::GET, "/api/v1/me", token, None).await.status;
    let (jon, richard) = (house.token("jon").await, house.token("richard").await);
    house.people(&[("jon", OTHER_HASH), ("richard", HASH), ("maria", HASH)]);
    assert_eq!(me(&jon).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&richard).await, StatusCode::OK);
    house.people(&[("jon", HASH), ("maria", HASH)]);
    assert_eq!(me(&richard).await, StatusCode::UNAUTHORIZED);
    // It does not come back with the person.
    house.people(&[("jon", HASH), ("richard", HASH), ("maria", HASH)]);
    assert_eq!(me(&richard).await, StatusCode::UNAUTHORIZED);

    let maria = house.token("maria").await;
    house.pass(12 * 3600 - 1);
    assert_eq!(me(&maria).await, StatusCode::OK);
    house.pass(1);
    assert_eq!(me(&maria).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_proxy_that_does_not_say_for_whom_opens_nothing() {
    let house = House::new("proxies = [\"203.0.113.7\"]").await;
    let jon = house.token("jon").await;
    let me = house.call(Method::GET, "/api/v1/me", &jon, None).await.json();
    assert_eq!(me["address"], Value::Null);
    let wanted = json!({ "target": "orders-db" });
    let refused = house.call(Method::POST, "/api/v1/grants", &jon, Some(wanted)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("X-Forwarded-For"), "{}", refused.text());
}

#[test]
fn an_integer_may_be_written_with_a_fraction_of_nothing() {
    #[derive(Debug, serde::Deserialize)]
    struct Counts {
        of: Vec<u32>,
    }
    let read = |text: &str| super::whole::<Counts>(text.as_bytes()).map(|counts| counts.of);
    assert_eq!(
        read(r#"{ "of": [5.0, 7, 4294967295.0, 1e3, -0.0] }"#),
        Some(vec![5, 7, 4_294_967_295, 1000, 0])
    );
    for text in [
        r#"{ "of": [5.5] }"#,
        r#"{ "of": [-1.0] }"#,
        r#"{ "of": [1e300] }"#,
        r#"{ "of": [4294967296.0] }"#,
        "{",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[tokio::test]
async fn the_region_of_the_policy_reaches_people() {
    for region in [None, Some("eu-west-3")] {
        let lines = region.map_or_else(String::new, |region| format!("[aws]\nregion = \"{region}\"\n"));
        let house = House::new(&lines).await;
        let jon = house.token("jon").await;
        let offers = described(&house, "get", "/targets", &jon, None, 200).await;
        assert_eq!(offers[0]["region"].as_str(), region, "{offers}");
        let wanted = json!({ "target": "orders-db" });
        let opened = described(&house, "post", "/grants", &jon, Some(wanted), 201).await;
        assert_eq!(opened["through"]["region"].as_str(), region, "{opened}");
        let path = format!("/grants/{}/transport", opened["grant"]["id"].as_str().expect("a grant"));
        let through = described(&house, "get", &path, &jon, None, 200).await;
        assert_eq!(through["region"].as_str(), region, "{through}");
    }
}
