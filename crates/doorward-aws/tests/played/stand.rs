//! Session Manager, Instance Connect, KMS, STS and CloudTrail, as our own stand plays them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use doorward_aws::{Account, AssumedFor, ConnectEndpoint, Error, Put, Start, trail};
use doorward_core::audit::cloudtrail::{Matched, Row, Window, join};
use doorward_core::audit::{Event, What, Who};
use doorward_core::decision::{Decision, Past, Request, decide};
use doorward_core::export::iam::{self, Document, Machine, vend};
use doorward_core::export::session_document;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::AccountId;
use doorward_core::policy::{People, Policy, RoleArn, parse};
use doorward_core::session;
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::{Failed, Trial};
use session_agent::{Settings, Stand};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as Refused, Message};

use crate::profile;

const INSTANCE: &str = "i-0123456789abcdef0";

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, story: fn() -> Result<(), Failed>| Trial::test(format!("played: {name}"), story);
    vec![
        trial("a session is opened with a document that leads to one host", pinned),
        trial("an upgrade that was touched is refused", touched),
        trial("what is vended for a grant opens its session and no other", vended),
        trial("what is vended for a grant ends no other's session", apart),
        trial("the credentials of a grant that was revoked are denied", revoked),
        trial("a tunnel is opened by its address alone", tunnel),
        trial("keys, the console and the key of a shell", keys),
        trial("CloudTrail knows each session by its grant", watched),
    ]
}

fn story(settings: Settings, tell: impl AsyncFnOnce(&Stand, Account)) -> Result<(), Failed> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let key = settings.credentials[0].clone();
        let stand = Stand::start(settings).await?;
        let name = format!("stand-{number}");
        let account = profile::account(&name, &stand.api_url, &key.access_key, &key.secret).await;
        tell(&stand, account).await;
        stand.shutdown().await;
        Ok(())
    })
}

fn policy() -> Policy {
    let text = r#"
        [people]
        passwords = "p"
        groups    = "g"
        [aws]
        region = "eu-west-1"
        [ssm]
        jump-host = "instance:i-0123456789abcdef0"
        documents = "pinned"
        role      = "arn:aws:iam::123456789012:role/doorward-sessions"
        [target.orders-db]
        address    = "orders.internal"
        ports      = ["tcp/5432"]
        groups     = ["dbs"]
        transports = ["ssm"]
    "#;
    parse(text, "doorward.toml").expect("a policy")
}

fn granted(policy: &Policy, who: &str, seed: u8, now: Timestamp) -> Grant {
    let passwords = format!("{who}:{{SHA}}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n");
    let groups = format!("dbs: {who}\n");
    let people = People::parse(passwords.as_bytes(), "p", groups.as_bytes(), "g");
    let request = Request {
        id: GrantId::from_random([seed; 8]),
        person: who.parse().expect("a person"),
        from: "203.0.113.7".parse().expect("an address"),
        target: "orders-db".parse().expect("a target"),
        transport: None,
        lasts: Some(SignedDuration::from_mins(30)),
        reason: None,
    };
    match decide(policy, &people.expect("people"), &request, &Past::default(), now) {
        Decision::Granted { grant, .. } => grant,
        other => panic!("{other:?}"),
    }
}

fn start(document: &str, parameters: &[(&str, &str)], reason: Option<String>) -> Start {
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    Start { target: INSTANCE.into(), document: Some(document.into()), parameters, reason }
}

async fn put(account: &Account) {
    let policy = policy();
    let target = policy.targets.values().next().expect("a target");
    let document = session_document(target, Some("orders.internal")).expect("a document");
    let text = document.text();
    assert_eq!(account.put_document(&document.name, &text).await, Ok(Put::Created));
    assert_eq!(account.put_document(&document.name, &text).await, Ok(Put::Unchanged));
}

fn refused(result: Result<impl std::fmt::Debug, Error>, expected: &str) {
    match result {
        Err(Error::Refused { code, .. }) => assert_eq!(code, expected),
        other => panic!("{expected} was expected: {other:?}"),
    }
}

/// Dials the websocket of a session, as a client does; the status where it is refused.
async fn dial(url: &str, headers: &[(String, String)]) -> Result<(), u16> {
    let mut request = url.into_client_request().expect("a request");
    for (name, value) in headers {
        let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let tcp = tokio::net::TcpStream::connect(request.uri().authority().expect("an authority").as_str()).await;
    match tokio_tungstenite::client_async(request, tcp.expect("a connection")).await {
        Ok(_) => Ok(()),
        Err(Refused::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

fn pinned() -> Result<(), Failed> {
    story(Settings::default(), async |stand, account| {
        put(&account).await;
        let name = "doorward-orders-db";
        let opened = account
            .start_session(&start(name, &[("portNumber", "5432"), ("localPortNumber", "15432")], None))
            .await
            .expect("a session");
        let upgrade = account.sign_upgrade(&opened.url).await.expect("an upgrade");
        assert_eq!(dial(&upgrade.url, &upgrade.headers).await, Ok(()));
        // Neither the host nor another port can be chosen.
        refused(
            account.start_session(&start(name, &[("portNumber", "5433")], None)).await,
            "InvalidParameters",
        );
        refused(
            account.start_session(&start(name, &[("host", "10.0.0.1")], None)).await,
            "InvalidParameters",
        );
        let resumed = account.resume_session(&opened.session).await.expect("an answer").expect("a session");
        assert_eq!(resumed.session, opened.session);
        assert_eq!(account.terminate_session(&opened.session).await, Ok(()));
        assert_eq!(account.terminate_session(&opened.session).await, Ok(()), "to end twice is no error");
        assert_eq!(account.managed(&[INSTANCE.to_owned()]).await.expect("agents").len(), 1);
        assert_eq!(account.delete_document(name).await, Ok(()));
        assert_eq!(account.document(name).await, Ok(None));
        stand.kill_agent();
        refused(account.start_session(&start("AWS-StartSSHSession", &[], None)).await, "TargetNotConnected");
        assert_eq!(stand.violations(), []);
    })
}

fn touched() -> Result<(), Failed> {
    story(Settings::default(), async |stand, account| {
        let opened =
            account.start_session(&start("AWS-StartSSHSession", &[], None)).await.expect("a session");
        let upgrade = account.sign_upgrade(&opened.url).await.expect("an upgrade");
        let other = format!("{}&x=1", opened.url);
        assert_eq!(dial(&other, &upgrade.headers).await, Err(403));
        assert_eq!(dial(&opened.url, &[]).await, Err(403));
        assert!(!stand.violations().is_empty(), "the stand looks at signatures");
    })
}

/// Credentials for a grant of `who`, asked for as a server does.
async fn vended_for(account: &Account, policy: &Policy, who: &str, seed: u8) -> (Grant, Account) {
    let now = Timestamp::now();
    let grant = granted(policy, who, seed, now);
    let target = &policy.targets[grant.target()];
    let id: AccountId = "123456789012".parse().expect("an account");
    let machine = Machine { instance: INSTANCE, address: None, account: Some(&id) };
    let wanted =
        vend(policy, target, grant.live(now).expect("live"), machine, None).expect("a session policy");
    let asked = AssumedFor {
        role: wanted.role,
        session_name: wanted.session_name,
        source_identity: Some(wanted.source_identity),
        policy: Some(wanted.policy),
        seconds: wanted.seconds,
        tags: wanted.tags,
    };
    let credentials = account.assume(&asked).await.expect("credentials");
    (grant, account.with(&credentials))
}

fn orders() -> Start {
    start("doorward-orders-db", &[("portNumber", "5432")], None)
}

fn vended() -> Result<(), Failed> {
    story(Settings::default(), async |stand, account| {
        put(&account).await;
        let (grant, vended) = vended_for(&account, &policy(), "jon", 1).await;
        let name = format!("{}.jon", grant.id());
        assert_eq!(
            vended.identity().await.expect("an identity").arn,
            format!("arn:aws:sts::123456789012:assumed-role/doorward-sessions/{name}")
        );
        let opened = vended.start_session(&orders()).await.expect("a session");
        assert!(opened.session.starts_with(&format!("{name}-")), "{}", opened.session);
        let upgrade = vended.sign_upgrade(&opened.url).await.expect("an upgrade");
        assert_eq!(dial(&upgrade.url, &upgrade.headers).await, Ok(()));
        for document in [
            "AWS-StartPortForwardingSessionToRemoteHost",
            "AWS-StartSSHSession",
            "SSM-SessionManagerRunShell",
        ] {
            refused(vended.start_session(&start(document, &[], None)).await, "AccessDeniedException");
        }
        refused(vended.document("doorward-orders-db").await, "AccessDeniedException");
        assert!(vended.resume_session(&opened.session).await.expect("an answer").is_some());
        assert_eq!(vended.terminate_session(&opened.session).await, Ok(()));
        assert_eq!(stand.violations(), []);
    })
}

fn apart() -> Result<(), Failed> {
    story(Settings::default(), async |stand, account| {
        put(&account).await;
        let policy = policy();
        let (_, jon) = vended_for(&account, &policy, "jon", 1).await;
        let (_, jons_other) = vended_for(&account, &policy, "jon", 2).await;
        let (_, smith) = vended_for(&account, &policy, "jon-smith", 3).await;
        for other in [&smith, &jons_other] {
            let opened = other.start_session(&orders()).await.expect("a session");
            refused(jon.resume_session(&opened.session).await, "AccessDeniedException");
            refused(jon.terminate_session(&opened.session).await, "AccessDeniedException");
            assert!(other.resume_session(&opened.session).await.expect("an answer").is_some());
        }
        let open = account.open_sessions().await.expect("sessions");
        assert_eq!(open.len(), 2, "{open:?}");
        assert_eq!(stand.violations(), []);
    })
}

fn revoked() -> Result<(), Failed> {
    story(Settings::default(), async |stand, account| {
        put(&account).await;
        let policy = policy();
        let (over, closed) = vended_for(&account, &policy, "jon", 1).await;
        let (_, still) = vended_for(&account, &policy, "jon", 2).await;
        let opened = closed.start_session(&orders()).await.expect("a session");
        let role = policy.ssm.as_ref().and_then(|ssm| ssm.role.clone()).expect("a role");
        let deny = async |document: &Document| {
            let text = serde_json::to_string(document).expect("JSON");
            account.put_role_policy(&role, "doorward-revoked-0a1b", &text).await
        };
        assert_eq!(deny(&iam::revoked(&[over.id().clone()].into(), Timestamp::now())).await, Ok(()));
        refused(closed.start_session(&orders()).await, "AccessDeniedException");
        refused(closed.resume_session(&opened.session).await, "AccessDeniedException");
        assert!(still.start_session(&orders()).await.is_ok(), "the same person's other grant");
        // Where they are too many to be named: all that were issued before, and none that is issued later.
        let now = Timestamp::now() + SignedDuration::from_secs(1);
        assert_eq!(deny(&iam::older(now)).await, Ok(()));
        refused(still.start_session(&orders()).await, "AccessDeniedException");
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let (_, later) = vended_for(&account, &policy, "jon", 3).await;
        assert!(later.start_session(&orders()).await.is_ok());
        // A role of the same name in the server's own account is another role.
        let elsewhere: RoleArn = "arn:aws:iam::210987654321:role/doorward-sessions".parse().expect("a role");
        let put = account.put_role_policy(&elsewhere, "x", "{}").await;
        assert!(matches!(put, Err(Error::OtherAccount { .. })), "{put:?}");
        assert_eq!(stand.role_policies().len(), 1);
        stand.deny(&["PutRolePolicy"]);
        refused(account.put_role_policy(&role, "x", "{}").await, "AccessDenied");
        assert_eq!(stand.violations(), []);
    })
}

async fn echo() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut bytes = [0; 64];
            if let Ok(length) = tcp.read(&mut bytes).await {
                let _ = tcp.write_all(&bytes[..length]).await;
            }
        }
    });
    address
}

fn tunnel() -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let profile = runtime.block_on(echo());
    let endpoint = session_agent::ConnectEndpoint {
        id: "eice-0a1b2c3d4e5f60718".into(),
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        places: BTreeMap::from([(("10.0.1.7".to_owned(), 22), profile)]),
    };
    let settings = Settings { endpoints: vec![endpoint], ..Settings::default() };
    story(settings, async |stand, account| {
        assert_eq!(account.connect_endpoints("vpc-2").await, Ok(Vec::new()));
        let found = account.connect_endpoints("vpc-1").await.expect("endpoints");
        let [endpoint] = found.as_slice() else { panic!("{found:?}") };
        assert!(endpoint.ready && endpoint.subnet.as_deref() == Some("subnet-1"), "{endpoint:?}");
        assert_eq!(account.connect_endpoint(&endpoint.id).await.expect("an answer").as_ref(), Some(endpoint));
        let url = url(&account, endpoint).await;
        let request = url.as_str().into_client_request().expect("a request");
        let authority = request.uri().authority().expect("an authority").to_string();
        let tcp = tokio::net::TcpStream::connect(authority).await.expect("a connection");
        let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await.expect("a tunnel");
        socket.send(Message::binary(b"hello".to_vec())).await.expect("sent");
        let back = socket.next().await.expect("an answer").expect("a frame");
        assert_eq!(back.into_data().as_ref(), b"hello");
        // What was signed for one address is for no other.
        let other = url.replace("10.0.1.7", "10.0.1.8");
        assert_eq!(stand.violations(), []);
        assert_eq!(dial(&other, &[]).await, Err(403));
    })
}

async fn url(account: &Account, endpoint: &ConnectEndpoint) -> String {
    let address = "10.0.1.7".parse().expect("an address");
    account.tunnel_url(endpoint, address, 22, Some(600)).await.expect("a URL")
}

fn keys() -> Result<(), Failed> {
    let console = BTreeMap::from([(INSTANCE.to_owned(), "ssh-ed25519 AAAA host\r\n".to_owned())]);
    story(Settings { console, ..Settings::default() }, async |stand, account| {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk0bm90YXJlYWxrZXlidXRsb25nZW5vdWdoZm9ydGVzdHM jon";
        assert_eq!(account.send_ssh_key(INSTANCE, "ec2-user", Some("eu-west-1a"), key).await, Ok(()));
        refused(
            account.send_ssh_key("i-0f0f0f0f0f", "ec2-user", None, key).await,
            "EC2InstanceNotFoundException",
        );
        let console = account.console_output(INSTANCE, false).await.expect("an answer");
        assert_eq!(console.as_deref(), Some("ssh-ed25519 AAAA host\r\n"));
        let context = BTreeMap::from([
            ("aws:ssm:SessionId".to_owned(), "jon-0a1b".to_owned()),
            ("aws:ssm:TargetId".to_owned(), INSTANCE.to_owned()),
        ]);
        let key = account.data_key("alias/sessions", &context).await.expect("a key");
        assert_eq!(
            account.decrypt(&key.encrypted, &context, None).await.as_deref(),
            Ok(key.plain.as_slice())
        );
        let other = BTreeMap::from([("aws:ssm:SessionId".to_owned(), "maria-0a1b".to_owned())]);
        assert!(account.decrypt(&key.encrypted, &other, None).await.is_err(), "bound to its session");
        assert!(account.clock_ahead().is_none_or(|ahead| ahead.abs() < 5));
        assert_eq!(stand.violations(), []);
    })
}

fn watched() -> Result<(), Failed> {
    let settings = Settings { throttle_lookups: true, ..Settings::default() };
    story(settings, async |stand, account| {
        let (policy, now) = (policy(), Timestamp::now());
        let grant = granted(&policy, "jon", 1, now);
        let reason = session::reason(grant.id());
        let ssh = "AWS-StartSSHSession";
        let with = account.start_session(&start(ssh, &[], Some(reason))).await.expect("a session");
        account.terminate_session(&with.session).await.expect("ended");
        let without = account.start_session(&start(ssh, &[], None)).await.expect("a session");
        stand.deny(&["StartSession"]);
        assert!(account.start_session(&start(ssh, &[], None)).await.is_err());
        stand.deny(&[]);
        let opened = What::Opened {
            grant: grant.id().clone(),
            target: grant.target().clone(),
            transport: grant.transport(),
            source: grant.source(),
            until: grant.until().expect("open"),
            reason: None,
            because: String::new(),
            person: None,
        };
        let record = [Event::new(now, Who::Person(grant.person().clone()), opened)];
        let window = Window {
            from: now - SignedDuration::from_mins(1),
            to: Timestamp::now() + SignedDuration::from_secs(5),
        };
        let seen = account.trail(window).await;
        assert_eq!(seen.gaps, [""; 0], "two a second were enough");
        let rows = join(&record, &seen.calls, window);
        assert_eq!(rows.len(), 3, "{rows:?}");
        let ours = rows.iter().find_map(|row| match row {
            Row::Granted { session, matched, ended, .. } => {
                Some((session.as_deref(), *matched, ended.is_some()))
            }
            _ => None,
        });
        assert_eq!(ours, Some((Some(with.session.as_str()), Matched::Reason, true)), "{rows:?}");
        let alone = |row: &Row| matches!(row, Row::Alone { session, .. } if session.as_deref() == Some(&without.session));
        assert!(rows.iter().any(alone), "{rows:?}");
        assert!(rows.iter().any(|row| matches!(row, Row::Refused { .. })), "{rows:?}");
        assert_eq!(trail(b"{\"Events\":[]}").expect("a trail").calls, []);
        assert_eq!(stand.violations(), []);
    })
}
