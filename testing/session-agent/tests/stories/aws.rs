//! Signed calls, as a client of AWS makes them.

use jiff::Timestamp;
use ring::{digest, hmac};
use serde_json::{Value, json};
use session_agent::{Credential, Settings, Stand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn signature(who: &Credential, service: &str, at: Timestamp, canonical: &str) -> (String, String) {
    let day = at.strftime("%Y%m%d").to_string();
    let scope = format!("{day}/eu-west-1/{service}/aws4_request");
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        at.strftime("%Y%m%dT%H%M%SZ"),
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    let key = [day.as_str(), "eu-west-1", service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", who.secret).into_bytes(), |key, part| sign(&key, part));
    (scope, hex(&sign(&key, &text)))
}

/// The headers that sign a request: the date, the token and `Authorization`.
pub fn headers(
    who: &Credential,
    service: &str,
    method: &str,
    (path, query): (&str, &str),
    others: &[(&str, &str)],
    body: &[u8],
) -> Vec<(String, String)> {
    let at = Timestamp::now();
    let mut signed: Vec<(String, String)> =
        others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    signed.push(("x-amz-date".into(), at.strftime("%Y%m%dT%H%M%SZ").to_string()));
    signed.extend(who.token.clone().map(|token| ("x-amz-security-token".to_owned(), token)));
    signed.sort();
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}");
    let (scope, signature) = signature(who, service, at, &canonical);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        who.access_key
    );
    // Whoever gave the others sends them.
    signed.retain(|(name, _)| !others.iter().any(|(it, _)| it == name));
    signed.push(("authorization".into(), authorization));
    signed
}

/// A presigned URL of an endpoint's tunnel; `path` begins with a slash and the query is sorted.
pub fn presigned(
    who: &Credential,
    host: &str,
    query: &[(&str, &str)],
    expires: u32,
    at: Timestamp,
) -> String {
    let day = at.strftime("%Y%m%d").to_string();
    let credential = format!("{}/{day}/eu-west-1/ec2-instance-connect/aws4_request", who.access_key);
    let mut pairs: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.extend([
        ("X-Amz-Algorithm".into(), "AWS4-HMAC-SHA256".into()),
        ("X-Amz-Credential".into(), session_agent::percent::encode(&credential)),
        ("X-Amz-Date".into(), at.strftime("%Y%m%dT%H%M%SZ").to_string()),
        ("X-Amz-Expires".into(), expires.to_string()),
        ("X-Amz-SignedHeaders".into(), "host".into()),
    ]);
    pairs.sort();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = query.join("&");
    let empty = hex(digest::digest(&digest::SHA256, b"").as_ref());
    let canonical = format!("GET\n/openTunnel\n{query}\nhost:{host}\n\nhost\n{empty}");
    let (_, signature) = signature(who, "ec2-instance-connect", at, &canonical);
    format!("ws://{host}/openTunnel?{query}&X-Amz-Signature={signature}")
}

/// A POST, and its status and body.
pub async fn post(url: &str, headers: &[(String, String)], body: &[u8]) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let mut tcp = tokio::net::TcpStream::connect(host).await.unwrap();
    let mut head =
        format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    tcp.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    tcp.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The API's address, to call it.
pub struct Api<'a>(pub &'a str);

impl Api<'_> {
    /// A call of a JSON service. The error is AWS's code.
    pub async fn call(&self, who: &Credential, target: &str, body: Value) -> Result<Value, String> {
        let service = match target.split_once('.').unwrap().0 {
            "AmazonSSM" => "ssm",
            "TrentService" => "kms",
            "CloudTrail_20131101" => "cloudtrail",
            _ => "ec2-instance-connect",
        };
        let body = body.to_string();
        let host = self.0.strip_prefix("http://").unwrap();
        let kind = "application/x-amz-json-1.1";
        let others = [("content-type", kind), ("host", host), ("x-amz-target", target)];
        let mut all = headers(who, service, "POST", ("/", ""), &others, body.as_bytes());
        all.push(("content-type".into(), kind.into()));
        all.push(("x-amz-target".into(), target.into()));
        let (status, answer) = post(self.0, &all, body.as_bytes()).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if status == 200 { Ok(answer) } else { Err(answer["__type"].as_str().unwrap().to_owned()) }
    }
}

/// A call of a JSON service. The error is AWS's code.
pub async fn call(stand: &Stand, who: &Credential, target: &str, body: Value) -> Result<Value, String> {
    Api(&stand.api_url).call(who, target, body).await
}

/// A call of a form service: status and XML.
pub async fn form(stand: &Stand, who: &Credential, service: &str, body: &str) -> (u16, String) {
    let host = stand.api_url.strip_prefix("http://").unwrap();
    let kind = "application/x-www-form-urlencoded";
    let mut all =
        headers(who, service, "POST", ("/", ""), &[("content-type", kind), ("host", host)], body.as_bytes());
    all.push(("content-type".into(), kind.into()));
    post(&stand.api_url, &all, body.as_bytes()).await
}

/// The settings' own caller.
pub fn jon() -> Credential {
    Settings::default().credentials.remove(0)
}

fn start_session(document: &str, parameters: Value) -> Value {
    json!({"Target": "i-0123456789abcdef0", "DocumentName": document, "Parameters": parameters,
           "Reason": "doorward grant 7"})
}

#[tokio::test]
async fn a_session_is_started_shown_ended_and_in_cloudtrail() {
    let stand = Stand::start(Settings::default()).await.unwrap();
    let jon = jon();
    let asked = start_session("AWS-StartPortForwardingSession", json!({"portNumber": ["5432"]}));
    let started = call(&stand, &jon, "AmazonSSM.StartSession", asked).await.unwrap();
    let id = started["SessionId"].as_str().unwrap();
    assert!(id.starts_with("jon-") && id.len() == 21, "{id}");
    assert!(started["StreamUrl"].as_str().unwrap().ends_with("?role=publish_subscribe"));
    let sessions = |state: &str| call(&stand, &jon, "AmazonSSM.DescribeSessions", json!({"State": state}));
    let active = sessions("Active").await.unwrap();
    assert_eq!(active["Sessions"][0]["Reason"], "doorward grant 7");
    assert_eq!(active["Sessions"][0]["Status"], "Connecting");
    assert_eq!(sessions("History").await.unwrap(), json!({"Sessions": []}));
    call(&stand, &jon, "AmazonSSM.TerminateSession", json!({"SessionId": id})).await.unwrap();
    while !stand.open_sessions().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sessions("History").await.unwrap()["Sessions"][0]["SessionId"], id);
    let resumed = call(&stand, &jon, "AmazonSSM.ResumeSession", json!({"SessionId": id})).await.unwrap();
    assert_eq!(resumed["TokenValue"], "");
    let asked =
        json!({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "StartSession"}]});
    let events = call(&stand, &jon, "CloudTrail_20131101.LookupEvents", asked).await.unwrap();
    let event: Value =
        serde_json::from_str(events["Events"][0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(event["requestParameters"]["reason"], "doorward grant 7");
    assert_eq!(event["responseElements"]["sessionId"], id);
    assert_eq!(
        (&event["userIdentity"]["userName"], &event["sourceIPAddress"]),
        (&json!("jon"), &json!("127.0.0.1"))
    );
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn sessions_are_listed_by_filters_and_in_pages() {
    let stand = Stand::start(Settings::default()).await.unwrap();
    stand.add_instance("i-1");
    let mut ids = Vec::new();
    for number in 0..25 {
        let mut asked = start_session("AWS-StartPortForwardingSession", json!({"portNumber": ["5432"]}));
        let asked_for = asked.as_object_mut().unwrap();
        if number % 5 == 0 {
            asked_for.insert("Target".into(), "i-1".into());
            asked_for.remove("Reason");
        }
        let started = call(&stand, &jon(), "AmazonSSM.StartSession", asked).await.unwrap();
        ids.push(started["SessionId"].as_str().unwrap().to_owned());
    }
    ids.sort();
    let describe = async |body: Value| call(&stand, &jon(), "AmazonSSM.DescribeSessions", body).await;
    let listed = |answer: &Value| -> Vec<String> {
        let sessions = answer["Sessions"].as_array().unwrap();
        sessions.iter().map(|it| it["SessionId"].as_str().unwrap().to_owned()).collect()
    };
    let first = describe(json!({"State": "Active", "MaxResults": 200})).await.unwrap();
    let next = json!({"State": "Active", "NextToken": first["NextToken"]});
    let second = describe(next).await.unwrap();
    assert_eq!([listed(&first), listed(&second)].concat(), ids);
    assert!(second.get("NextToken").is_none());

    let by = async |key: &str, value: &str| {
        let body = json!({"State": "Active", "Filters": [{"key": key, "value": value}]});
        describe(body).await.map(|answer| listed(&answer).len())
    };
    assert_eq!(by("Target", "i-1").await.unwrap(), 5);
    assert_eq!(by("SessionId", &ids[3]).await.unwrap(), 1);
    assert_eq!(by("Owner", &jon().arn).await.unwrap(), 20);
    assert_eq!(by("Owner", "arn:aws:iam::123456789012:user/maria").await.unwrap(), 0);
    assert_eq!(by("Status", "Connected").await.unwrap(), 0);
    assert_eq!(by("InvokedAfter", "2099-01-01T00:00:00Z").await.unwrap(), 0);
    assert_eq!(by("InvokedBefore", "2099-01-01T00:00:00Z").await.unwrap(), 20);
    assert_eq!(by("target", "i-1").await.unwrap_err(), "InvalidFilterKey");
    for (key, value) in [("InvokedAfter", "yesterday"), ("Status", "Open"), ("Target", "")] {
        assert_eq!(by(key, value).await.unwrap_err(), "ValidationException", "{key}");
    }
    for (body, code) in [
        (json!({}), "ValidationException"),
        (json!({"State": "Open"}), "ValidationException"),
        (json!({"State": "Active", "MaxResults": 0}), "ValidationException"),
        (json!({"State": "Active", "MaxResults": 201}), "ValidationException"),
        (json!({"State": "Active", "Filters": []}), "ValidationException"),
        (json!({"State": "Active", "Filters": [{"key": "Target"}]}), "ValidationException"),
        (json!({"State": "Active", "NextToken": "more"}), "InvalidNextToken"),
    ] {
        assert_eq!(describe(body.clone()).await.unwrap_err(), code, "{body}");
    }
    let one = &describe(json!({"State": "Active", "Filters": [{"key": "Target", "value": "i-1"}]}))
        .await
        .unwrap()["Sessions"][0];
    assert!(one.get("Reason").is_none() && one.get("EndDate").is_none(), "{one}");

    call(&stand, &jon(), "AmazonSSM.TerminateSession", json!({"SessionId": ids[0]})).await.unwrap();
    while stand.open_sessions().len() > 24 {
        tokio::task::yield_now().await;
    }
    let over = describe(json!({"State": "History"})).await.unwrap();
    assert_eq!((listed(&over), &over["Sessions"][0]["Status"]), (vec![ids[0].clone()], &json!("Terminated")));
    assert!(over["Sessions"][0]["EndDate"].is_number());
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let stand = Stand::start(Settings::default()).await.unwrap();
    let code = async |body: Value| call(&stand, &jon(), "AmazonSSM.StartSession", body).await.unwrap_err();
    let pinned = start_session("AWS-StartPortForwardingSession", json!({"host": ["db.internal"]}));
    assert_eq!(code(pinned).await, "InvalidParameters");
    assert_eq!(code(start_session("nowhere", json!({}))).await, "InvalidDocument");
    let mut elsewhere = start_session("SSM-SessionManagerRunShell", json!({}));
    elsewhere["Target"] = "i-1".into();
    assert_eq!(code(elsewhere).await, "TargetNotConnected");
    stand.kill_agent();
    assert_eq!(code(start_session("SSM-SessionManagerRunShell", json!({}))).await, "TargetNotConnected");
    stand.revive_agent();
    stand.add_instance("i-1");
    let mut elsewhere = start_session("SSM-SessionManagerRunShell", json!({}));
    elsewhere["Target"] = "i-1".into();
    call(&stand, &jon(), "AmazonSSM.StartSession", elsewhere).await.unwrap();
    stand.deny(&["StartSession"]);
    assert_eq!(code(start_session("SSM-SessionManagerRunShell", json!({}))).await, "AccessDeniedException");
    let stranger = Credential { secret: "another".into(), ..jon() };
    let refused = call(&stand, &stranger, "AmazonSSM.DescribeSessions", json!({"State": "Active"})).await;
    assert_eq!(refused.unwrap_err(), "InvalidSignatureException");
    assert_eq!(stand.violations().len(), 1);
    let (status, answer) =
        post(&stand.api_url, &[("x-amz-target".into(), "AmazonSSM.StartSession".into())], b"{}").await;
    assert!(status == 403 && answer.contains("MissingAuthenticationToken"), "{status} {answer}");
    let unknown = Credential { access_key: "AKIAUNKNOWN".into(), ..jon() };
    let refused = call(&stand, &unknown, "AmazonSSM.DescribeSessions", json!({"State": "Active"})).await;
    assert_eq!(refused.unwrap_err(), "UnrecognizedClientException");
}

#[tokio::test]
async fn a_registered_document_pins_its_host() {
    let stand = Stand::start(Settings::default()).await.unwrap();
    let content = json!({"schemaVersion": "1.0", "sessionType": "Port", "description": "orders",
        "parameters": {"localPortNumber": {"type": "String", "default": "0"}},
        "properties": {"portNumber": "5432", "host": "orders.internal", "type": "LocalPortForwarding"}});
    let create =
        json!({"Name": "doorward-orders", "DocumentType": "Session", "Content": content.to_string()});
    call(&stand, &jon(), "AmazonSSM.CreateDocument", create.clone()).await.unwrap();
    assert_eq!(
        call(&stand, &jon(), "AmazonSSM.CreateDocument", create).await.unwrap_err(),
        "DocumentAlreadyExists"
    );
    let name = json!({"Name": "doorward-orders"});
    let got = call(&stand, &jon(), "AmazonSSM.GetDocument", name.clone()).await.unwrap();
    assert_eq!(got["Content"], content.to_string());
    let described = call(&stand, &jon(), "AmazonSSM.DescribeDocument", name).await.unwrap();
    assert_eq!(described["Document"]["Description"], "orders");
    let sessions = json!({"Filters": [{"Key": "DocumentType", "Values": ["Session"]}]});
    let listed = call(&stand, &jon(), "AmazonSSM.ListDocuments", sessions).await.unwrap();
    assert_eq!(listed["DocumentIdentifiers"][0]["Name"], "doorward-orders");
    call(&stand, &jon(), "AmazonSSM.StartSession", start_session("doorward-orders", json!({})))
        .await
        .unwrap();
    let other = start_session("doorward-orders", json!({"host": ["other.internal"]}));
    assert_eq!(call(&stand, &jon(), "AmazonSSM.StartSession", other).await.unwrap_err(), "InvalidParameters");
    let name = json!({"Name": "doorward-orders"});
    call(&stand, &jon(), "AmazonSSM.DeleteDocument", name.clone()).await.unwrap();
    assert_eq!(call(&stand, &jon(), "AmazonSSM.GetDocument", name).await.unwrap_err(), "InvalidDocument");
}

#[tokio::test]
async fn a_role_is_held_to_its_session_policy_and_named_in_cloudtrail() {
    let stand = Stand::start(Settings::default()).await.unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:StartSession",
        "Resource": ["arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0",
                     "arn:aws:ssm:eu-west-1::document/AWS-StartSSHSession"]}]});
    let encoded = session_agent::percent::encode(&policy.to_string());
    let body = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdoorward\
         &RoleSessionName=maria&SourceIdentity=maria&DurationSeconds=900&Policy={encoded}"
    );
    let (status, answer) = form(&stand, &jon(), "sts", &body).await;
    assert_eq!(status, 200, "{answer}");
    let part = |name: &str| {
        let from = answer.split_once(&format!("<{name}>")).unwrap().1;
        from.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    };
    let maria = Credential {
        access_key: part("AccessKeyId"),
        secret: part("SecretAccessKey"),
        token: Some(part("SessionToken")),
        ..jon()
    };
    let ssh = start_session("AWS-StartSSHSession", json!({}));
    let started = call(&stand, &maria, "AmazonSSM.StartSession", ssh).await.unwrap();
    assert!(started["SessionId"].as_str().unwrap().starts_with("maria-"));
    let shell = start_session("SSM-SessionManagerRunShell", json!({}));
    let refused = call(&stand, &maria, "AmazonSSM.StartSession", shell).await;
    assert_eq!(refused.unwrap_err(), "AccessDeniedException");
    let (_, identity) = form(&stand, &maria, "sts", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(identity.contains("assumed-role/doorward/maria"), "{identity}");
    let events = call(&stand, &jon(), "CloudTrail_20131101.LookupEvents", json!({})).await.unwrap();
    let events = events["Events"].as_array().unwrap();
    let event = |at: usize| -> Value {
        serde_json::from_str(events[at]["CloudTrailEvent"].as_str().unwrap()).unwrap()
    };
    let codes: Vec<Value> = (0..2).map(|at| event(at)["errorCode"].clone()).collect();
    assert!(codes.contains(&Value::Null) && codes.contains(&json!("AccessDenied")), "{codes:?}");
    assert_eq!(event(0)["userIdentity"]["sessionContext"]["sourceIdentity"], "maria");
    let tokenless = Credential { token: None, ..maria };
    let refused = call(&stand, &tokenless, "AmazonSSM.DescribeSessions", json!({"State": "Active"})).await;
    assert_eq!(refused.unwrap_err(), "UnrecognizedClientException");
}

#[tokio::test]
async fn a_pushed_key_stands_in_the_file_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorized_keys");
    let stand = Stand::start(Settings {
        authorized_keys: Some(file.clone()),
        key_lives: std::time::Duration::from_millis(300),
        ..Settings::default()
    })
    .await
    .unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh jon";
    let push = |key: &str| json!({"InstanceId": "i-0123456789abcdef0", "InstanceOSUser": "admin", "SSHPublicKey": key});
    let target = "AWSEC2InstanceConnectService.SendSSHPublicKey";
    let answer = call(&stand, &jon(), target, push(key)).await.unwrap();
    assert_eq!(answer["Success"], true);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{key}\n"));
    assert_eq!(
        call(&stand, &jon(), target, push("ssh-ed25519 short")).await.unwrap_err(),
        "InvalidArgsException"
    );
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
}

#[tokio::test]
async fn the_console_and_the_endpoints_are_told() {
    let endpoint = session_agent::ConnectEndpoint {
        id: "eice-0123456789abcdef0".into(),
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        places: std::collections::BTreeMap::new(),
    };
    let console = [("i-0123456789abcdef0".to_owned(), "-----BEGIN SSH HOST KEY KEYS-----\n".to_owned())];
    let settings = Settings { console: console.into(), endpoints: vec![endpoint], ..Settings::default() };
    let stand = Stand::start(settings).await.unwrap();
    let ec2 = async |body: &str| form(&stand, &jon(), "ec2", &format!("{body}&Version=2016-11-15")).await;
    let (_, output) = ec2("Action=GetConsoleOutput&InstanceId=i-0123456789abcdef0").await;
    assert!(output.contains("<output>LS0tLS1CRUdJTiBTU0ggSE9TVCBLRVkgS0VZUy0tLS0tCg==</output>"), "{output}");
    let (status, unknown) = ec2("Action=GetConsoleOutput&InstanceId=i-1").await;
    assert!(status == 400 && unknown.contains("InvalidInstanceID.NotFound"), "{unknown}");
    stand.set_console("i-2", "hello");
    assert!(ec2("Action=GetConsoleOutput&InstanceId=i-2").await.1.contains("<output>aGVsbG8=</output>"));
    let describe = "Action=DescribeInstanceConnectEndpoints&Filter.1.Name=vpc-id&Filter.1.Value.1=";
    let (_, found) = ec2(&format!("{describe}vpc-1")).await;
    assert!(found.contains("eice-0123456789abcdef0") && found.contains("<dnsName>127.0.0.1:"), "{found}");
    let (_, none) = ec2(&format!("{describe}vpc-2")).await;
    assert!(!none.contains("eice-"), "{none}");
    let (_, nobody) = ec2("Action=DescribeVpcs").await;
    assert!(nobody.contains("UnknownOperationException"), "{nobody}");
}

/// A server that answers one request and remembers it.
async fn moto() -> (String, tokio::sync::oneshot::Receiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (said, heard) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = tcp.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 7\r\n\r\n<vpcs/>";
        tcp.write_all(answer).await.unwrap();
        let _ = said.send(String::from_utf8_lossy(&request[..length]).into_owned());
    });
    (url, heard)
}

#[tokio::test]
async fn what_is_not_played_goes_to_moto() {
    let (url, heard) = moto().await;
    let stand = Stand::start(Settings { moto: Some(url), ..Settings::default() }).await.unwrap();
    let answer = form(&stand, &jon(), "ec2", "Action=DescribeVpcs&Version=2016-11-15").await;
    assert_eq!(answer, (200, "<vpcs/>".to_owned()));
    let request = heard.await.unwrap();
    assert!(
        request.starts_with("POST / HTTP/1.1\r\n") && request.contains("authorization: AWS4-HMAC-SHA256")
    );
    // What is not signed is not passed on either.
    let unsigned = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let (status, _) = post(&stand.api_url, &unsigned, b"Action=DescribeVpcs&Version=2016-11-15").await;
    assert_eq!(status, 403);
}
