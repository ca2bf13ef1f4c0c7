//! Recorded CloudTrail, read: both notations, every kind of caller, and what is no trail.

use doorward_core::session::granted;
use serde_json::json;

use super::*;

fn record(name: &str, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:jon",
            "arn": "arn:aws:sts::123456789012:assumed-role/doorward/jon",
            "sessionContext": {"sessionIssuer": {"userName": "doorward"}, "sourceIdentity": "jon"},
        },
        "eventTime": "2026-11-22T10:00:00Z",
        "eventSource": "ssm.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": {
            "target": "i-0a1b", "documentName": "doorward-orders-db", "reason": "doorward g-k3v9t2m4x7q8",
            "parameters": {"portNumber": ["5432"]},
        },
        "responseElements": {"sessionId": "jon-0a1b", "tokenValue": "Value hidden due to security reasons."},
        "eventID": "11112222",
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        record[key] = value;
    }
    record
}

fn read(value: &Value) -> Trail {
    trail(value.to_string().as_bytes()).expect("a trail")
}

#[test]
fn both_notations_are_the_same() {
    let start = record("StartSession", json!({}));
    let told = json!({"EventId": "11112222", "EventTime": "2026-11-22T11:00:00+01:00", "CloudTrailEvent": start.to_string()});
    let wanted = read(&json!({"Records": [start]}));
    assert_eq!(wanted.gaps, [""; 0]);
    let [call] = wanted.calls.as_slice() else { panic!("{wanted:?}") };
    assert_eq!(
        (call.by.who(), call.by.name.as_deref(), call.from.as_deref()),
        ("jon", Some("jon"), Some("203.0.113.7"))
    );
    let Asked::Start { session, reason, .. } = &call.what else { panic!("{call:?}") };
    assert_eq!(session.as_deref(), Some("jon-0a1b"));
    let grant = granted(reason.as_deref().expect("a reason")).expect("a grant");
    assert_eq!(grant.as_str(), "g-k3v9t2m4x7q8");
    for other in
        [json!({"Events": [told.clone()], "NextToken": "x"}), json!([told]), json!([start.clone()]), start]
    {
        assert_eq!(read(&other), wanted);
    }
}

#[test]
fn each_call_is_known_by_its_service() {
    let connect = json!({"eventSource": "ec2-instance-connect.amazonaws.com"});
    let with = |name: &str, request: Value| {
        let mut record = record(name, connect.clone());
        record["requestParameters"] = request;
        record["responseElements"] = Value::Null;
        record
    };
    let records = json!({"Records": [
        record("ResumeSession", json!({"requestParameters": {"sessionId": "s"}})),
        record("TerminateSession", json!({"requestParameters": {"sessionId": "s"}, "responseElements": null})),
        with("SendSSHPublicKey", json!({"instanceId": "i-0a", "osUser": "ec2-user", "SSHKey": {"publicKey": "x"}})),
        with("SendSSHPublicKey", json!({"instanceId": "i-0a", "instanceOSUser": "admin"})),
        with("OpenTunnel", json!({"instanceConnectEndpointId": "eice-0a", "remotePort": "22", "privateIpAddress": "10.0.1.7"})),
        with("OpenTunnel", json!({"remotePort": 22})),
        // Of other services, or none that opens a way.
        record("StartSession", json!({"eventSource": "athena.amazonaws.com"})),
        record("TerminateSession", json!({"eventSource": "glue.amazonaws.com"})),
        record("DescribeSessions", json!({})),
        with("SendSerialConsoleSSHPublicKey", json!({})),
    ]});
    let read = read(&records);
    assert_eq!(read.gaps, [""; 0]);
    let told: Vec<String> = read
        .calls
        .iter()
        .map(|call| format!("{} {}", call.what.session().unwrap_or("-"), call.what.to().unwrap_or_default()))
        .collect();
    assert_eq!(told, ["s ", "s ", "- ec2-user@i-0a", "- admin@i-0a", "- 10.0.1.7:22", "- ?:22"]);
}

#[test]
fn a_refusal_says_little_and_is_read() {
    let denied = json!({"errorCode": "AccessDenied", "requestParameters": null, "responseElements": null});
    let names = ["StartSession", "ResumeSession", "TerminateSession"];
    let records: Vec<Value> = names.iter().map(|name| record(name, denied.clone())).collect();
    let read = read(&Value::Array(records));
    assert_eq!(read.gaps, [""; 0]);
    let [call] = read.calls.as_slice() else { panic!("{read:?}") };
    assert_eq!(call.refused.as_deref(), Some("AccessDenied"));
}

#[test]
fn who_it_was() {
    let check = |identity: Value, expected: &str| {
        let read = read(&record("StartSession", json!({"userIdentity": identity})));
        assert_eq!(read.calls[0].by.who(), expected);
    };
    check(json!({"type": "IAMUser", "userName": "jon", "arn": "arn:aws:iam::1:user/jon"}), "jon");
    check(
        json!({"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/ops/maria@example.org"}),
        "maria@example.org",
    );
    check(json!({"type": "Root", "arn": "arn:aws:iam::123456789012:root"}), "arn:aws:iam::123456789012:root");
    check(json!({"type": "AWSService", "invokedBy": "ssm.amazonaws.com"}), "somebody");
    check(Value::Null, "somebody");
}

#[test]
fn one_that_cannot_be_read_hides_no_other() {
    let records = json!({"Records": [
        record("StartSession", json!({"eventTime": "yesterday"})),
        record("ResumeSession", json!({"requestParameters": {}, "responseElements": {}})),
        record("StartSession", json!({"eventID": "2"})),
        null,
        {"eventID": "9"},
    ]});
    let read = read(&records);
    assert_eq!(read.calls.len(), 1);
    assert_eq!(read.gaps.len(), 4, "{:?}", read.gaps);
    assert!(read.gaps[0].starts_with("the event 11112222 cannot be read: "), "{}", read.gaps[0]);
    assert_eq!(read.gaps[1], "the event 11112222 cannot be read: `ResumeSession` has no session");
    assert_eq!(read.gaps[3], "the event 9 cannot be read: it has no `eventName`");
}

#[test]
fn what_is_no_trail_is_said() {
    let check = |bytes: &[u8], expected: &str| {
        let error = trail(bytes).expect_err("no trail").to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check(b"", "it is not JSON");
    check(b"hello", "it is not JSON");
    check(&[0x1f, 0x8b, 8, 0], "it is compressed");
    for other in ["{}", "3", "null", "{\"Vpcs\":[]}", "{\"Events\":{}}"] {
        check(other.as_bytes(), "it has neither `Events`");
    }
    assert_eq!(trail(b"{\"Records\":[]}"), Ok(Trail::default()));
}
