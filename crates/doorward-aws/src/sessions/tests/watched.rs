//! CloudTrail asked: its pages, its pace, and what becomes of a name that cannot be asked for.

use std::time::Instant;

use doorward_core::audit::cloudtrail::{Asked, Window};

use super::*;

fn window() -> Window {
    let at = |text: &str| text.parse().expect("an instant");
    Window { from: at("2026-11-22T00:00:00Z"), to: at("2026-11-22T23:59:59.5Z") }
}

fn event(name: &str, source: &str, request: &str, response: &str) -> String {
    let record = serde_json::json!({
        "eventVersion": "1.08",
        "eventID": format!("{name}-{request}"),
        "eventTime": "2026-11-22T10:00:00Z",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userIdentity": {"type": "IAMUser", "userName": "jon"},
        "requestParameters": serde_json::from_str::<Value>(request).expect("JSON"),
        "responseElements": serde_json::from_str::<Value>(response).expect("JSON"),
    });
    serde_json::json!({"EventId": "1", "EventName": name, "EventTime": 1_795_341_600.0, "CloudTrailEvent": record.to_string()}).to_string()
}

#[tokio::test]
async fn every_name_is_asked_for_at_two_a_second() {
    let start = event(
        "StartSession",
        "ssm.amazonaws.com",
        r#"{"target":"i-0a","reason":"doorward g-k3v9t2m4x7q8"}"#,
        r#"{"sessionId":"jon-0a"}"#,
    );
    let athena =
        event("StartSession", "athena.amazonaws.com", r#"{"workGroup":"x"}"#, r#"{"sessionId":"1"}"#);
    let key = event(
        "SendSSHPublicKey",
        "ec2-instance-connect.amazonaws.com",
        r#"{"instanceId":"i-0a","osUser":"ec2-user"}"#,
        "null",
    );
    let none = ok(r#"{"Events":[]}"#);
    let standin = Standin::with([
        ok(&format!(r#"{{"Events":[{start},{athena}],"NextToken":"more"}}"#)),
        ok(r#"{"Events":[{"EventId":"broken","CloudTrailEvent":"{"},3]}"#),
        none.clone(),
        refused("InvalidTimeRangeException"),
        ok(&format!(r#"{{"Events":[{key}]}}"#)),
        none,
    ])
    .await;
    let begun = Instant::now();
    let trail = standin.account().trail(window()).await;
    assert!(begun.elapsed().as_millis() >= 2500, "six calls in {:?}", begun.elapsed());
    let names: Vec<&Asked> = trail.calls.iter().map(|call| &call.what).collect();
    assert!(matches!(names.as_slice(), [Asked::Start { .. }, Asked::Key { .. }]), "{names:?}");
    assert_eq!(trail.calls[0].by.who(), "jon");
    assert_eq!(
        trail.gaps,
        [
            "the event broken cannot be read: is not JSON: EOF while parsing an object at line 1 column 1",
            "the event without an id cannot be read: it has no `eventName`",
            "TerminateSession in eu-west-1: InvalidTimeRangeException: said so",
        ]
    );
    let asked = json(&standin.heard());
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    assert!(asked.iter().all(|(call, _)| call == target), "{asked:?}");
    assert_eq!(asked[0].1["LookupAttributes"][0]["AttributeValue"], "StartSession");
    assert_eq!(asked[1].1["NextToken"], "more");
    assert_eq!(asked[0].1["StartTime"], 1_795_305_600);
    // The last second, though it has begun.
    assert_eq!(asked[0].1["EndTime"], 1_795_392_000);
}

#[tokio::test]
async fn who_may_not_look_is_told_once() {
    let standin = Standin::with([refused("AccessDeniedException")]).await;
    let trail = standin.account().trail(window()).await;
    assert_eq!(trail.gaps, ["StartSession in eu-west-1: AccessDeniedException: said so"]);
    assert_eq!(standin.heard().len(), 1);
}
