//! Where targets and jump hosts are.

use super::*;
use crate::{JumpError, LocateError, Ping};

fn instances(those: &[(&str, &str, &str)]) -> Answer {
    let item = |(id, name, state): &(&str, &str, &str)| {
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState><privateIpAddress>10.0.1.7</privateIpAddress><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId><placement><availabilityZone>eu-west-1a</availabilityZone></placement><tagSet><item><key>Name</key><value>{name}</value></item></tagSet></item>"
        )
    };
    let items: String = those.iter().map(item).collect();
    ok(&format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

#[tokio::test]
async fn the_one_that_runs_is_the_jump_host() {
    let answer = instances(&[
        ("i-0a", "jump", "terminated"),
        ("i-0b", "jump", "running"),
        ("i-0c", "jump", "stopped"),
    ]);
    let standin = Standin::with([answer]).await;
    let jump = standin.account().jump(&address("tag:Name=jump*?\\")).await.expect("a jump host");
    assert_eq!(
        (jump.instance.as_str(), jump.zone.as_deref(), jump.vpc.as_deref()),
        ("i-0b", Some("eu-west-1a"), Some("vpc-1"))
    );
    assert_eq!(jump.address.map(|address| address.to_string()).as_deref(), Some("10.0.1.7"));
    // In a filter these letters stand for others.
    let body = &standin.heard()[0].body;
    assert!(body.contains("Filter.1.Name=tag%3AName&Filter.1.Value.1=jump%5C%2A%5C%3F%5C%5C"), "{body}");
}

#[tokio::test]
async fn which_machine_is_meant_is_plain_or_asked() {
    async fn check(those: &[(&str, &str, &str)], what: &str, expected: &str, hint: &str) {
        let standin = Standin::with([instances(those)]).await;
        let error = standin.account().jump(&address(what)).await.expect_err("no jump host");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some_and(|given| given.contains(hint)), "{:?}", error.hint());
    }
    check(
        &[],
        "tag:Name=jump",
        "the instance `tag:Name=jump` does not exist in eu-west-1",
        "Name=tag:Name,Values=jump",
    )
    .await;
    check(
        &[("i-0a", "", "terminated")],
        "instance:i-0a",
        "the instance `instance:i-0a` does not exist in eu-west-1",
        "Region",
    )
    .await;
    check(
        &[("i-0a", "jump", "stopped"), ("i-0b", "", "pending")],
        "tag:role=jump",
        "`tag:role=jump` is not running: i-0a (jump) is stopped, i-0b is pending",
        "start-instances --instance-ids i-0a",
    )
    .await;
    check(
        &[("i-0b", "second", "running"), ("i-0a", "first", "running"), ("i-0c", "", "running")],
        "tag:role=jump",
        "`tag:role=jump` matches 3 running instances; name one of them: i-0a (first), i-0b (second), i-0c",
        "a unique tag",
    )
    .await;
    let account = Standin::with([]).await.account();
    let error = account.jump(&address("10.0.0.7")).await.expect_err("no instance");
    assert_eq!(error, JumpError::NoInstance(address("10.0.0.7")));
}

#[tokio::test]
async fn a_database_is_an_instance_or_a_cluster() {
    let database = "<R><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>orders</DBInstanceIdentifier><Engine>postgres</Engine><DBInstanceStatus>available</DBInstanceStatus><DbiResourceId>db-ABC</DbiResourceId><IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled><Endpoint><Address>orders.example</Address><Port>5432</Port></Endpoint></DBInstance></DBInstances></DescribeDBInstancesResult></R>";
    let cluster = "<R><DescribeDBClustersResult><DBClusters><DBCluster><DBClusterIdentifier>orders</DBClusterIdentifier><Engine>aurora-mysql</Engine><Status>available</Status><Endpoint>writer.example</Endpoint><Port>3306</Port><DbClusterResourceId>cluster-ABC</DbClusterResourceId></DBCluster></DBClusters></DescribeDBClustersResult></R>";
    let making = "<R><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>orders</DBInstanceIdentifier><DBInstanceStatus>creating</DBInstanceStatus></DBInstance></DBInstances></DescribeDBInstancesResult></R>";
    let standin = Standin::with([
        ok(database),
        not_found("DBInstanceNotFound"),
        ok(cluster),
        not_found("DBInstanceNotFound"),
        not_found("DBClusterNotFoundFault"),
        ok(making),
        (
            403,
            "",
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                .to_owned(),
        ),
    ])
    .await;
    let account = standin.account();
    let orders = address("rds:orders");
    let located = account.locate(&orders).await.expect("an instance");
    assert_eq!(
        (located.host.as_str(), located.port, located.iam),
        ("orders.example", Some(5432), Some(true))
    );
    assert_eq!((located.resource.as_deref(), located.engine.as_deref()), (Some("db-ABC"), Some("postgres")));
    let located = account.locate(&orders).await.expect("a cluster");
    assert_eq!((located.host.as_str(), located.port), ("writer.example", Some(3306)));
    assert_eq!(located.resource.as_deref(), Some("cluster-ABC"));
    let error = account.locate(&orders).await.expect_err("neither");
    assert_eq!(error.to_string(), "`rds:orders` does not exist in eu-west-1");
    let error = account.locate(&orders).await.expect_err("not yet");
    assert_eq!(error.to_string(), "the DB instance orders has no endpoint: it is creating");
    assert!(error.hint().is_some());
    let error = account.locate(&orders).await.expect_err("denied");
    assert_eq!(error.to_string(), "rds:DescribeDBInstances in eu-west-1 was denied: AccessDenied: no");
    assert_eq!(error.hint().as_deref(), Some("`doorward iam` prints the IAM policy that Doorward needs"));
    assert!(standin.heard()[0].body.contains("DBInstanceIdentifier=orders"));
}

#[tokio::test]
async fn a_proxy_a_cache_and_what_needs_no_call() {
    let proxy = "<R><DescribeDBProxiesResult><DBProxies><member><DBProxyName>orders</DBProxyName><DBProxyArn>arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-0a1b</DBProxyArn><Status>available</Status><EngineFamily>POSTGRESQL</EngineFamily><Endpoint>proxy.example</Endpoint></member></DBProxies></DescribeDBProxiesResult></R>";
    let group = "<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><Status>available</Status><Engine>valkey</Engine><NodeGroups><NodeGroup><PrimaryEndpoint><Address>primary.example</Address><Port>6379</Port></PrimaryEndpoint></NodeGroup></NodeGroups></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>";
    let sharded = "<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><ConfigurationEndpoint><Address>config.example</Address><Port>6379</Port></ConfigurationEndpoint></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>";
    let cache = "<R><DescribeCacheClustersResult><CacheClusters><CacheCluster><CacheClusterId>sessions</CacheClusterId><Engine>memcached</Engine><ConfigurationEndpoint><Address>cache.example</Address><Port>11211</Port></ConfigurationEndpoint></CacheCluster></CacheClusters></DescribeCacheClustersResult></R>";
    let standin = Standin::with([
        ok(proxy),
        ok(group),
        ok(sharded),
        not_found("ReplicationGroupNotFoundFault"),
        ok(cache),
        instances(&[("i-0b", "app", "running")]),
    ])
    .await;
    let account = standin.account();
    let located = account.locate(&address("proxy:orders")).await.expect("a proxy");
    assert_eq!(
        (located.host.as_str(), located.port, located.resource.as_deref()),
        ("proxy.example", Some(5432), Some("prx-0a1b"))
    );
    for (host, port) in [("primary.example", 6379), ("config.example", 6379), ("cache.example", 11211)] {
        let located = account.locate(&address("cache:sessions")).await.expect("a cache");
        assert_eq!((located.host.as_str(), located.port), (host, Some(port)));
    }
    let located = account.locate(&address("tag:Name=app")).await.expect("an instance");
    assert_eq!((located.host.as_str(), located.instance.as_deref()), ("10.0.1.7", Some("i-0b")));
    let asked = standin.heard().len();
    let located = account.locate(&address("db.internal.example.org")).await.expect("a name");
    assert_eq!(located.host, "db.internal.example.org");
    let error = account.locate(&address("10.0.0.0/16")).await.expect_err("a network");
    assert_eq!(error, LocateError::Network(address("10.0.0.0/16")));
    assert_eq!(standin.heard().len(), asked);
}

#[tokio::test]
async fn which_agents_answer() {
    let page = |id: &str, ping: &str, next: &str| {
        ok(&format!(
            r#"{{"InstanceInformationList":[{{"InstanceId":"{id}","PingStatus":"{ping}","LastPingDateTime":1800000000.5,"AgentVersion":"3.3.551.0","IsLatestVersion":false,"PlatformName":"Amazon Linux"}},{{"PingStatus":"Online"}}]{next}}}"#
        ))
    };
    let answers = [page("i-0a", "Online", r#","NextToken":"more""#), page("i-0b", "ConnectionLost", "")];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let managed = account.managed(&["i-0a".to_owned(), "i-0b".to_owned()]).await.expect("an answer");
    let told: Vec<(&str, Ping)> = managed.iter().map(|one| (one.instance.as_str(), one.ping)).collect();
    assert_eq!(told, [("i-0a", Ping::Online), ("i-0b", Ping::ConnectionLost)]);
    assert_eq!(managed[0].last_ping.map(|at| at.to_string()).as_deref(), Some("2027-01-15T08:00:00.5Z"));
    let asked = json(&standin.heard());
    assert_eq!(asked[0].1["Filters"][0]["Values"], serde_json::json!(["i-0a", "i-0b"]));
    assert_eq!(asked[1].1["NextToken"], "more");
    assert_eq!(account.managed(&[]).await.as_deref(), Ok(&[][..]), "none named are none, and not all");
}

#[tokio::test]
async fn what_the_console_says_is_unpacked() {
    let output = |text: &str| ok(&format!("<R><instanceId>i-0a</instanceId>{text}</R>"));
    let answers = [
        // As EC2 wraps its lines.
        output("<output>LS0tLS1CRUdJTiBTU0gg\nSE9TVCBLRVkgS0VZUy0t\nLS0t</output>"),
        output(""),
        output("<output/>"),
        output("<output>%%%</output>"),
    ];
    let standin = Standin::with(answers).await;
    let account = standin.account();
    let console = account.console_output("i-0a", true).await.expect("an answer");
    assert_eq!(console.as_deref(), Some("-----BEGIN SSH HOST KEY KEYS-----"));
    assert_eq!(account.console_output("i-0a", false).await, Ok(None));
    assert_eq!(account.console_output("i-0a", false).await, Ok(None));
    assert!(account.console_output("i-0a", false).await.is_err());
    let heard = standin.heard();
    assert!(heard[0].body.contains("&Latest=true") && !heard[1].body.contains("Latest"));
}
