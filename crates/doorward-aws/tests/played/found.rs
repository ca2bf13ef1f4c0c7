//! Where targets and jump hosts are, asked of moto, which has databases, caches and instances.

use std::sync::Arc;

use doorward_aws::{Account, JumpError, LocateError, Put};
use doorward_core::policy::Address;
use libtest_mimic::{Failed, Trial};

use crate::moto::{Moto, between};
use crate::need::{Need, trial};
use crate::profile;

const REGION: &str = "eu-west-1";

pub fn trials() -> Vec<Trial> {
    vec![trial("moto: targets and jump hosts are found, and documents kept", &[Need::Moto], located)]
}

fn instance(moto: &Moto, name: &str) -> String {
    between(&moto.instance(REGION, name), "<instanceId>", "</instanceId>")
}

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn located() -> Result<(), Failed> {
    let moto: Arc<Moto> = Moto::shared();
    tokio::runtime::Runtime::new()?.block_on(async {
        let account = profile::account("moto", &moto.url(), "test", "test").await;
        databases(&moto, &account).await;
        machines(&moto, &account).await;
        documents(&account).await;
        Ok(())
    })
}

async fn databases(moto: &Moto, account: &Account) {
    let rds = ("rds", "2014-10-31");
    let orders = [
        ("DBInstanceIdentifier", "orders"),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
        ("AllocatedStorage", "20"),
        ("EnableIAMDatabaseAuthentication", "true"),
    ];
    moto.call(rds, REGION, "CreateDBInstance", &orders);
    let cluster = [
        ("DBClusterIdentifier", "books"),
        ("Engine", "aurora-postgresql"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
    ];
    moto.call(rds, REGION, "CreateDBCluster", &cluster);
    let cache = [
        ("CacheClusterId", "sessions"),
        ("Engine", "redis"),
        ("NumCacheNodes", "1"),
        ("CacheNodeType", "cache.t4g.micro"),
    ];
    moto.call(("elasticache", "2015-02-02"), REGION, "CreateCacheCluster", &cache);

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
    let jump = instance(moto, "jump");
    instance(moto, "jumper");
    let found = account.jump(&address("tag:Name=jump")).await.expect("a jump host");
    assert_eq!((found.instance.as_str(), found.state.as_str()), (jump.as_str(), "running"));
    assert!(found.address.is_some() && found.zone.is_some() && found.vpc.is_some(), "{found:?}");
    assert_eq!(account.jump(&address(&format!("instance:{jump}"))).await, Ok(found.clone()));
    let located = account.locate(&address("tag:Name=jump")).await.expect("an instance");
    assert_eq!(Some(located.host), found.address.map(|address| address.to_string()));
    // What stands for other letters in a filter stands for itself here.
    let error = account.jump(&address("tag:Name=jum*")).await.expect_err("none is called so");
    assert!(matches!(error, JumpError::Missing { .. }), "{error}");
    instance(moto, "jump");
    let error = account.jump(&address("tag:Name=jump")).await.expect_err("two are called so");
    assert!(matches!(&error, JumpError::Several { those, .. } if those.len() == 2), "{error}");
    moto.ec2(REGION, "StopInstances", &[("InstanceId.1", &jump)]);
    let error = account.jump(&address(&format!("instance:{jump}"))).await.expect_err("it is stopped");
    assert!(error.to_string().contains("stop"), "{error}");
    assert!(account.console_output(&jump, false).await.is_ok());
}
