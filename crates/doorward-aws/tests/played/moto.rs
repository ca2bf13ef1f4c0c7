//! Where targets and jump hosts are, asked of moto, which has databases, caches and instances.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use doorward_aws::{Account, JumpError, LocateError, Put};
use doorward_core::policy::Address;
use libtest_mimic::{Failed, Trial};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::place;

pub fn trials() -> Vec<Trial> {
    let name = "moto: targets and jump hosts are found, and documents kept";
    match find() {
        Some(_) => vec![Trial::test(name, located)],
        // Under CI what is missing is a failure, and no test that passed.
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            vec![Trial::test(name, || Err(Failed::from("needs moto_server")))]
        }
        None => vec![Trial::test(format!("{name} (needs moto_server)"), || Ok(())).with_ignored_flag(true)],
    }
}

/// In the virtual environment that `./test` names, or on the `PATH`.
fn find() -> Option<PathBuf> {
    let venv = std::env::var_os("DOORWARD_VENV").map(|venv| Path::new(&venv).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = venv.into_iter().chain(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    places.find_map(|dir| Some(dir.join("moto_server")).filter(|file| file.is_file()))
}

struct Moto {
    port: u16,
    child: Child,
}

impl Moto {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        // The shell ends moto when its own input ends: also when the test is killed and drops nothing.
        let child = Command::new("sh")
            .arg("-c")
            .arg("\"$0\" -H 127.0.0.1 -p \"$1\" >/dev/null 2>&1 & server=$!; cat; kill $server; wait $server")
            .arg(find().expect("moto_server"))
            .arg(port.to_string())
            .env("AWS_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let moto = Self { port, child };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "moto_server does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        moto
    }

    /// One call, as fields of a form.
    async fn call(&self, service: &str, version: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in fields {
            form.push_str(&format!("&{name}={value}"));
        }
        let request = format!(
            "POST / HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20261122/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{form}",
            self.port,
            form.len()
        );
        let mut tcp = TcpStream::connect(("127.0.0.1", self.port)).await.expect("moto");
        tcp.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    async fn instance(&self, name: &str) -> String {
        let fields = [
            ("ImageId", "ami-12c6146b"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", name),
        ];
        let answer = self.call("ec2", "2016-11-15", "RunInstances", &fields).await;
        between(&answer, "<instanceId>", "</instanceId>")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The shell ends when moto has.
        let _ = self.child.wait();
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after)).map(|(found, _)| found.to_owned());
    found.unwrap_or_else(|| panic!("no {before} in {text}"))
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn located() -> Result<(), Failed> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let moto = Moto::start().await;
        let account =
            place::account("moto", &format!("http://127.0.0.1:{}", moto.port), "test", "test").await;
        databases(&moto, &account).await;
        machines(&moto, &account).await;
        documents(&account).await;
        Ok(())
    })
}

async fn databases(moto: &Moto, account: &Account) {
    let rds = "2014-10-31";
    let orders = [
        ("DBInstanceIdentifier", "orders"),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
        ("AllocatedStorage", "20"),
        ("EnableIAMDatabaseAuthentication", "true"),
    ];
    moto.call("rds", rds, "CreateDBInstance", &orders).await;
    let cluster = [
        ("DBClusterIdentifier", "books"),
        ("Engine", "aurora-postgresql"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
    ];
    moto.call("rds", rds, "CreateDBCluster", &cluster).await;
    let cache = [
        ("CacheClusterId", "sessions"),
        ("Engine", "redis"),
        ("NumCacheNodes", "1"),
        ("CacheNodeType", "cache.t4g.micro"),
    ];
    moto.call("elasticache", "2015-02-02", "CreateCacheCluster", &cache).await;

    let located = account.locate(&address("rds:orders")).await.expect("an instance");
    assert_eq!(
        (located.port, located.engine.as_deref(), located.iam),
        (Some(5432), Some("postgres"), Some(true))
    );
    assert!(located.host.contains("orders") && located.resource.is_some_and(|id| id.starts_with("db-")));
    let located = account.locate(&address("rds:books")).await.expect("a cluster");
    assert!(located.host.starts_with("books.cluster-") && located.port.is_some(), "{located:?}");
    for gone in ["rds:gone", "proxy:gone", "cache:gone"] {
        let error = account.locate(&address(gone)).await.expect_err("nothing of that name");
        assert!(matches!(error, LocateError::Missing { .. }), "{gone}: {error}");
    }
    match account.locate(&address("cache:sessions")).await {
        Ok(located) => assert_eq!(located.port, Some(6379), "{located:?}"),
        // moto makes caches without an endpoint.
        Err(LocateError::NoEndpoint { what, .. }) => assert_eq!(what, "the cache cluster sessions"),
        Err(other) => panic!("{other}"),
    }
}

async fn documents(account: &Account) {
    let text = |port: &str| {
        format!(
            r#"{{"schemaVersion":"1.0","description":"a test","sessionType":"Port","parameters":{{}},"properties":{{"portNumber":"{port}"}}}}"#
        )
    };
    let name = "doorward-orders-db";
    assert_eq!(account.document(name).await, Ok(None));
    assert_eq!(account.put_document(name, &text("5432")).await, Ok(Put::Created));
    assert_eq!(account.put_document(name, &text("5432")).await, Ok(Put::Unchanged));
    assert_eq!(account.put_document(name, &text("5433")).await, Ok(Put::Updated));
    let document = account.document(name).await.expect("an answer").expect("a document");
    assert_eq!(
        (document.version.as_deref(), document.says(&text("5433"))),
        (Some("2"), true),
        "{document:?}"
    );
    assert_eq!(account.put_document(name, &text("5433")).await, Ok(Put::Unchanged));
    assert_eq!(account.delete_document(name).await, Ok(()));
    assert_eq!(account.delete_document(name).await, Ok(()), "what is not there is no error");
}

async fn machines(moto: &Moto, account: &Account) {
    let jump = moto.instance("jump").await;
    moto.instance("jumper").await;
    let found = account.jump(&address("tag:Name=jump")).await.expect("a jump host");
    assert_eq!((found.instance.as_str(), found.state.as_str()), (jump.as_str(), "running"));
    assert!(found.address.is_some() && found.zone.is_some() && found.vpc.is_some(), "{found:?}");
    assert_eq!(account.jump(&address(&format!("instance:{jump}"))).await, Ok(found.clone()));
    let located = account.locate(&address("tag:Name=jump")).await.expect("an instance");
    assert_eq!(Some(located.host), found.address.map(|address| address.to_string()));
    // What stands for other letters in a filter stands for itself here.
    let error = account.jump(&address("tag:Name=jum*")).await.expect_err("none is called so");
    assert!(matches!(error, JumpError::Missing { .. }), "{error}");
    moto.instance("jump").await;
    let error = account.jump(&address("tag:Name=jump")).await.expect_err("two are called so");
    assert!(matches!(&error, JumpError::Several { those, .. } if those.len() == 2), "{error}");
    moto.call("ec2", "2016-11-15", "StopInstances", &[("InstanceId.1", &jump)]).await;
    let error = account.jump(&address(&format!("instance:{jump}"))).await.expect_err("it is stopped");
    assert!(error.to_string().contains("stop"), "{error}");
    assert!(account.console_output(&jump, false).await.is_ok());
}
