//! Sessions, documents, keys, tunnels and credentials.

use std::collections::BTreeMap;

use doorward_core::session::OpenSession;
use jiff::Timestamp;
use serde_json::json as value;

use super::*;
use crate::{AssumedFor, Error, Put, Start};

const STARTED: &str = r#"{"SessionId":"jon-0a1b","TokenValue":"hidden","StreamUrl":"wss://ssmmessages.example/v1/data-channel/jon-0a1b?role=publish_subscribe"}"#;

fn start() -> Start {
    Start {
        target: "i-0a1b".into(),
        document: Some("doorward-orders-db".into()),
        parameters: BTreeMap::from([("portNumber".into(), vec!["5432".into()])]),
        reason: Some("doorward g-k3v9t2m4x7q8".into()),
    }
}

#[tokio::test]
async fn a_session_is_started_with_its_grant_for_a_reason() {
    let standin = Standin::with([ok(STARTED)]).await;
    let opened = standin.account().start_session(&start()).await.expect("a session");
    assert_eq!((opened.session.as_str(), opened.token.as_str()), ("jon-0a1b", "hidden"));
    assert!(!format!("{opened:?}").contains("hidden"));
    let heard = standin.heard();
    let body = value!({
        "Target": "i-0a1b",
        "DocumentName": "doorward-orders-db",
        "Parameters": {"portNumber": ["5432"]},
        "Reason": "doorward g-k3v9t2m4x7q8",
    });
    assert_eq!(json(&heard), [("AmazonSSM.StartSession".to_owned(), body)]);
    assert_eq!(scope(&heard[0]), "AKIDTEST eu-west-1 ssm");
    assert_eq!(heard[0].header("x-amz-security-token"), Some("token"));
    assert_eq!(heard[0].header("content-type"), Some("application/x-amz-json-1.1"));
}

#[tokio::test]
async fn a_reason_is_one_line_that_aws_takes() {
    let standin = Standin::with([ok(STARTED), ok(STARTED)]).await;
    let account = standin.account();
    for reason in [format!("a\nb{}", "é".repeat(300)), " \n".to_owned()] {
        let start = Start { reason: Some(reason), ..start() };
        account.start_session(&start).await.expect("a session");
    }
    let asked = json(&standin.heard());
    let reason = asked[0].1["Reason"].as_str().expect("a reason");
    assert!(reason.starts_with("a bé") && reason.chars().count() == 256, "{reason}");
    assert_eq!(asked[1].1.get("Reason"), None, "an empty reason is none, which AWS would refuse");
}

#[tokio::test]
async fn an_instance_without_an_agent_is_told_with_what_to_do() {
    let standin = Standin::with([refused("TargetNotConnected"), ok(r#"{"SessionId":"x"}"#)]).await;
    let account = standin.account();
    let error = account.start_session(&start()).await.expect_err("it is not connected");
    assert_eq!(error.to_string(), "ssm:StartSession in eu-west-1 was refused: TargetNotConnected: said so");
    assert!(error.hint().expect("a hint").contains("agent"), "{error:?}");
    let error = account.start_session(&start()).await.expect_err("half an answer");
    assert!(matches!(error, Error::Silent { .. }), "{error}");
}

#[tokio::test]
async fn a_session_is_resumed_until_it_is_over() {
    let over = r#"{"SessionId":"jon-0a1b","TokenValue":"","StreamUrl":""}"#;
    let answers = [ok(STARTED), ok(over), refused("DoesNotExistException"), refused("AccessDeniedException")];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let resumed = account.resume_session("jon-0a1b").await.expect("an answer");
    assert_eq!(resumed.expect("a session").token, "hidden");
    assert_eq!(account.resume_session("jon-0a1b").await, Ok(None));
    assert_eq!(account.resume_session("jon-0a1b").await, Ok(None));
    assert!(matches!(account.resume_session("jon-0a1b").await, Err(Error::Refused { .. })));
    for (call, body) in json(&standin.heard()) {
        assert_eq!((call.as_str(), body), ("AmazonSSM.ResumeSession", value!({"SessionId": "jon-0a1b"})));
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_ended_without_a_word() {
    let answers =
        [ok(r#"{"SessionId":"x"}"#), refused("DoesNotExistException"), refused("AccessDeniedException")];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    assert_eq!(account.terminate_session("x").await, Ok(()));
    assert_eq!(account.terminate_session("x").await, Ok(()));
    assert!(account.terminate_session("x").await.is_err());
}

#[tokio::test]
async fn open_sessions_are_told_with_all_pages() {
    let first = r#"{"Sessions":[
        {"SessionId":"jon-0a1b","Target":"i-0a1b","Status":"Connected","StartDate":1.7953416E9,"DocumentName":"AWS-StartSSHSession",
         "Owner":"arn:aws:iam::123456789012:user/jon","Reason":"doorward g-k3v9t2m4x7q8","OutputUrl":{},"MaxSessionDuration":"60","AccessType":"Standard"},
        {"SessionId":"jon-0c","Target":"i-0a1b","Status":"Terminating"},
        {"Target":"i-0a1b","Status":"Connected"}],"NextToken":"more"}"#;
    let second =
        r#"{"Sessions":[{"SessionId":"maria-0d","Target":"mi-0e","Status":"Disconnected","Reason":""}]}"#;
    let answers = [ok(first), ok(second), ok("{}"), refused("AccessDeniedException")];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let open = account.open_sessions().await.expect("sessions");
    let jons = OpenSession {
        id: "jon-0a1b".into(),
        target: "i-0a1b".into(),
        reason: Some("doorward g-k3v9t2m4x7q8".into()),
        owner: Some("arn:aws:iam::123456789012:user/jon".into()),
        since: Some("2026-11-22T10:00:00Z".parse().expect("an instant")),
    };
    let marias =
        OpenSession { id: "maria-0d".into(), target: "mi-0e".into(), reason: None, owner: None, since: None };
    assert_eq!(open, [jons, marias]);
    assert_eq!(account.open_sessions().await, Ok(Vec::new()));
    let error = account.open_sessions().await.expect_err("a refusal");
    assert!(error.to_string().starts_with("ssm:DescribeSessions in eu-west-1 was denied"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("doorward iam --for server")));
    let asked = json(&standin.heard());
    let call = "AmazonSSM.DescribeSessions".to_owned();
    assert_eq!(asked[0], (call.clone(), value!({"State": "Active", "MaxResults": 200})));
    assert_eq!(asked[1], (call, value!({"State": "Active", "MaxResults": 200, "NextToken": "more"})));
}

#[tokio::test]
async fn a_document_is_made_or_changed_or_left_as_it_is() {
    let there =
        r#"{"Name":"d","DocumentVersion":"1","DocumentType":"Session","Content":"{ \"b\": 1, \"a\": [2] }"}"#;
    let updated = r#"{"DocumentDescription":{"DocumentVersion":"2","Status":"Updating"}}"#;
    let creating = r#"{"Document":{"DocumentVersion":"1","Status":"Creating"}}"#;
    let active = r#"{"Document":{"DocumentVersion":"1","Status":"Active"}}"#;
    let answers = [
        refused("InvalidDocument"),
        ok(r#"{"DocumentDescription":{"DocumentVersion":"1","Status":"Creating"}}"#),
        ok(creating),
        ok(active),
        ok(there),
        ok(there),
        ok(updated),
        ok("{}"),
    ];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let text = r#"{"a":[2],"b":1}"#;
    assert_eq!(account.put_document("d", text).await, Ok(Put::Created));
    assert_eq!(account.put_document("d", text).await, Ok(Put::Unchanged));
    assert_eq!(account.put_document("d", r#"{"a":[3],"b":1}"#).await, Ok(Put::Updated));
    let asked = json(&standin.heard());
    let calls: Vec<&str> = asked.iter().map(|(call, _)| call.trim_start_matches("AmazonSSM.")).collect();
    assert_eq!(
        calls,
        [
            "GetDocument",
            "CreateDocument",
            "DescribeDocument",
            "DescribeDocument",
            "GetDocument",
            "GetDocument",
            "UpdateDocument",
            "UpdateDocumentDefaultVersion"
        ]
    );
    let made = value!({"Name": "d", "Content": text, "DocumentType": "Session", "DocumentFormat": "JSON"});
    assert_eq!(asked[1].1, made);
    assert_eq!(asked[7].1, value!({"Name": "d", "DocumentVersion": "2"}));
}

#[tokio::test]
async fn a_document_of_another_type_is_none_of_ours() {
    let standin = Standin::with([
        ok(r#"{"DocumentType":"Command","Content":"{}"}"#),
        refused("InvalidDocument"),
        ok(""),
    ])
    .await;
    let account = standin.account();
    assert_eq!(account.document("d").await, Ok(None));
    assert_eq!(account.delete_document("d").await, Ok(()));
    assert_eq!(account.delete_document("d").await, Ok(()), "an answer of nothing is an answer");
}

#[tokio::test]
async fn a_key_is_pushed_and_a_tunnel_signed() {
    let endpoints = "<DescribeInstanceConnectEndpointsResponse><instanceConnectEndpointSet>
        <item><instanceConnectEndpointId>eice-0b</instanceConnectEndpointId><state>delete-in-progress</state><dnsName>b.example</dnsName><vpcId>vpc-1</vpcId></item>
        <item><instanceConnectEndpointId>eice-0c</instanceConnectEndpointId><state>create-complete</state><dnsName>c.example</dnsName><fipsDnsName>f.example</fipsDnsName><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId></item>
        <item><instanceConnectEndpointId>eice-0d</instanceConnectEndpointId><state>create-failed</state><stateMessage>no addresses</stateMessage></item>
        </instanceConnectEndpointSet></DescribeInstanceConnectEndpointsResponse>";
    let answers = [ok(r#"{"RequestId":"1","Success":true}"#), ok(r#"{"Success":false}"#), ok(endpoints)];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let key = "ssh-ed25519 AAAA jon";
    assert_eq!(account.send_ssh_key("i-0a1b", "ec2-user", Some("eu-west-1a"), key).await, Ok(()));
    assert!(account.send_ssh_key("i-0a1b", "ec2-user", None, key).await.is_err());
    let found = account.connect_endpoints("vpc-1").await.expect("endpoints");
    let told: Vec<(&str, bool, &str)> =
        found.iter().map(|one| (one.id.as_str(), one.ready, one.state.as_str())).collect();
    assert_eq!(told, [("eice-0c", true, "create-complete"), ("eice-0b", false, "delete-in-progress")]);
    let heard = standin.heard();
    assert_eq!(scope(&heard[0]), "AKIDTEST eu-west-1 ec2-instance-connect");
    let pushed = value!({
        "InstanceId": "i-0a1b", "InstanceOSUser": "ec2-user", "SSHPublicKey": key, "AvailabilityZone": "eu-west-1a",
    });
    assert_eq!(json(&heard)[0], ("AWSEC2InstanceConnectService.SendSSHPublicKey".to_owned(), pushed));
    assert!(heard[2].body.contains("Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1"), "{}", heard[2].body);
    let address = "10.0.1.7".parse().expect("an address");
    let url = account.tunnel_url(&found[0], address, 22, None).await.expect("a URL");
    for part in [
        "ws://c.example/openTunnel?",
        "remotePort=22",
        "X-Amz-Expires=60",
        "%2Fec2-instance-connect%2F",
        "X-Amz-Signature=",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
}

#[tokio::test]
async fn an_upgrade_is_signed_with_the_accounts_own_credentials() {
    let account = Standin::with([]).await.account();
    let url = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/jon-0a1b?role=publish_subscribe";
    let upgrade = account.sign_upgrade(url).await.expect("an upgrade");
    assert_eq!(upgrade.url, url);
    let names: Vec<&str> = upgrade.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-amz-date", "authorization", "x-amz-security-token"]);
    let (_, authorization) = &upgrade.headers[1];
    assert!(authorization.contains("/eu-west-1/ssmmessages/aws4_request"), "{authorization}");
    assert!(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"), "{authorization}");
    let signed = format!("{url}&X-Amz-Signature=1");
    assert_eq!(account.sign_upgrade(&signed).await.expect("an upgrade").headers, []);
    let error = account.sign_upgrade("ssmmessages?secret").await.expect_err("no address");
    assert_eq!(error.to_string(), "`ssmmessages` cannot be signed");
}

#[tokio::test]
async fn what_is_signed_by_hand_has_the_time_of_aws() {
    let standin =
        Standin::with([(200, "date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", r#"{"SessionId":"x"}"#.to_owned())])
            .await;
    let account = standin.account();
    assert_eq!(account.clock_ahead(), None);
    account.terminate_session("x").await.expect("an answer");
    assert!(account.clock_ahead().expect("a clock").unsigned_abs() > 3600);
    let upgrade = account.sign_upgrade("wss://host/v1").await.expect("an upgrade");
    let (_, date) = upgrade.headers.iter().find(|(name, _)| name == "x-amz-date").expect("a date");
    assert!(date.starts_with("20300101T0000"), "{date}");
}

const ASSUMED: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials><AccessKeyId>ASIAVENDED</AccessKeyId><SecretAccessKey>hidden</SecretAccessKey><SessionToken>vended-token</SessionToken><Expiration>2099-11-22T11:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/doorward/jon</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn vended_credentials_are_used_and_not_shown() {
    let standin = Standin::with([ok(ASSUMED), ok(STARTED)]).await;
    let account = standin.account();
    let what = AssumedFor {
        role: "arn:aws:iam::123456789012:role/doorward".into(),
        session_name: "jon".into(),
        source_identity: Some("jon".into()),
        policy: Some(r#"{"Version":"2012-10-17","Statement":[]}"#.into()),
        seconds: 60,
        tags: vec![("doorward-grant".into(), "g-k3v9t2m4x7q8".into())],
    };
    let vended = account.assume(&what).await.expect("credentials");
    assert_eq!(
        (vended.id.as_str(), vended.until),
        ("ASIAVENDED", "2099-11-22T11:00:00Z".parse().expect("an instant"))
    );
    assert!(!format!("{vended:?}").contains("hidden"));
    account.with(&vended).start_session(&start()).await.expect("a session");
    let heard = standin.heard();
    for field in [
        "Action=AssumeRole",
        "RoleSessionName=jon",
        "SourceIdentity=jon",
        // AWS takes no less.
        "DurationSeconds=900",
        "Policy=%7B%22Version%22",
        "Tags.member.1.Key=doorward-grant",
        "Tags.member.1.Value=g-k3v9t2m4x7q8",
    ] {
        assert!(heard[0].body.contains(field), "{field} in {}", heard[0].body);
    }
    assert_eq!(scope(&heard[0]), "AKIDTEST eu-west-1 sts");
    assert_eq!(scope(&heard[1]), "ASIAVENDED eu-west-1 ssm");
    assert_eq!(heard[1].header("x-amz-security-token"), Some("vended-token"));
}

#[tokio::test]
async fn a_database_token_needs_no_call() {
    let standin = Standin::with([]).await;
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("an instant");
    let account = standin.account();
    let token = account.database_token("orders.example", 5432, "jon", now).await.expect("a token");
    assert!(token.starts_with("orders.example:5432/?Action=connect&DBUser=jon&X-Amz-Algorithm="), "{token}");
    assert!(token.contains("X-Amz-Date=20261122T100000Z&X-Amz-Expires=900&"), "{token}");
    for host in ["", "evil/?x=", "a@b"] {
        assert!(account.database_token(host, 5432, "jon", now).await.is_err(), "{host}");
    }
    assert_eq!(standin.heard().len(), 0);
}

#[tokio::test]
async fn a_shells_key_is_bound_to_its_session() {
    let plain = [7u8; 64];
    use base64::Engine as _;
    let encoded = base64::prelude::BASE64_STANDARD.encode(plain);
    let answers = [
        ok(&format!(r#"{{"CiphertextBlob":"AQID","Plaintext":"{encoded}","KeyId":"k"}}"#)),
        ok(r#"{"CiphertextBlob":"AQID","Plaintext":"AQID"}"#),
        ok(&format!(r#"{{"Plaintext":"{encoded}"}}"#)),
        ok(r#"{"Plaintext":"not base64"}"#),
    ];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let context = BTreeMap::from([("aws:ssm:SessionId".to_owned(), "jon-0a1b".to_owned())]);
    let key = account.data_key("alias/sessions", &context).await.expect("a key");
    assert_eq!((key.plain.as_slice(), key.encrypted.as_slice()), (&plain[..], &[1, 2, 3][..]));
    assert_eq!(format!("{key:?}"), "DataKey { .. }");
    let error = account.data_key("alias/sessions", &context).await.expect_err("3 bytes are no key");
    assert!(error.to_string().contains("the key has 3 bytes"), "{error}");
    assert_eq!(account.decrypt(&[1, 2, 3], &context, None).await.as_deref(), Ok(&plain[..]));
    assert!(account.decrypt(&[1, 2, 3], &context, None).await.is_err());
    let asked = json(&standin.heard());
    let wanted = value!({
        "KeyId": "alias/sessions", "NumberOfBytes": 64, "EncryptionContext": {"aws:ssm:SessionId": "jon-0a1b"},
    });
    assert_eq!(asked[0], ("TrentService.GenerateDataKey".to_owned(), wanted));
    let wanted = value!({"CiphertextBlob": "AQID", "EncryptionContext": {"aws:ssm:SessionId": "jon-0a1b"}});
    assert_eq!(asked[2], ("TrentService.Decrypt".to_owned(), wanted));
}
