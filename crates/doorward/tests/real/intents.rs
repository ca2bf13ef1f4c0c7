//! A server proves the intents of its policy on the live account, and nothing waits for that.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use crate::desk::Wiki;
use crate::moto::{Moto, between};
use crate::need::{Need, trial};
use crate::server::{House, Server};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "intents: a server alarms about a broken one, and `check --live` proves them",
            &[Need::Moto],
            broken,
        ),
        trial("intents: an account that never answers delays nothing, and is undecided", &[], silent),
    ]
}

/// A Region of its own in moto.
const REGION: &str = "me-central-1";

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];

fn aws(profile: &str) -> String {
    format!("[aws]\nregion = \"{REGION}\"\nprofile = \"{profile}\"\n\n")
}

fn ready(server: &Server) -> (u16, serde_json::Value) {
    server.call(None, "GET", "/readyz", None).expect("an answer")
}

/// What AWS gives a default VPC, and moto does not.
fn internet_gateway(moto: &Moto, vpc: &str) {
    let gateway = moto.ec2(REGION, "CreateInternetGateway", &[]);
    let gateway = between(&gateway, "<internetGatewayId>", "</internetGatewayId>");
    moto.ec2(REGION, "AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", vpc)]);
    let of_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
    let table =
        between(&moto.ec2(REGION, "DescribeRouteTables", &of_vpc), "<routeTableId>", "</routeTableId>");
    let route =
        [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "0.0.0.0/0"), ("GatewayId", &gateway)];
    moto.ec2(REGION, "CreateRoute", &route);
}

/// One call after another to a busy moto takes its time.
fn within_minutes(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(180), "not within three minutes: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn broken() -> Result<(), Failed> {
    let moto = Moto::shared();
    let subnets = moto.ec2(REGION, "DescribeSubnets", &[]);
    let [vpc, subnet] =
        ["vpcId", "subnetId"].map(|key| between(&subnets, &format!("<{key}>"), &format!("</{key}>")));
    internet_gateway(&moto, &vpc);
    let image = between(&moto.ec2(REGION, "DescribeImages", &[]), "<imageId>", "</imageId>");
    let group = moto.group(REGION, &vpc, "orders");
    let fields = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", &subnet),
        ("SecurityGroupId.1", &group),
    ];
    let instance = between(&moto.ec2(REGION, "RunInstances", &fields), "<instanceId>", "</instanceId>");
    moto.rule_by_hand(REGION, &group, 5432, "0.0.0.0/0", "somebody was in a hurry");
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let intents = format!(
        "[[never]]\nfrom = \"internet\"\nto = \"{instance}\"\nports = [\"tcp/5432\"]\nreason = \"orders are private\"\n\n\
         [[never]]\nfrom = \"internet\"\nto = \"{instance}\"\nports = [\"tcp/22\"]\n\n\
         [[never]]\nfrom = \"internet\"\nto = \"i-0123456789abcdef0\"\n\n"
    );
    let policy = format!("{}{intents}{}", aws("intents"), wiki.policy);
    let house = House::new(&GROUPS, &policy).with_profiles(&[("intents", &moto.url())]);
    let server = house.serve();
    within_minutes("an intent is broken", || {
        ready(&server).1["reasons"].as_array().is_some_and(|it| {
            it.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with("1 intent is broken")))
        })
    });
    let (status, readiness) = ready(&server);
    assert_eq!(status, 503, "{readiness}");
    assert_eq!(
        readiness["notes"][0],
        "1 intent is undecided: `/operators` and the log say what could not be read"
    );
    let log = server.log();
    let line = log.lines().find(|line| line.contains("intent broken")).ok_or("no line in the log")?;
    for part in ["ERROR", "never tcp/5432 from internet to", &instance, "orders are private", "0.0.0.0/0"] {
        assert!(line.contains(part), "no {part}: {line}");
    }
    assert!(log.lines().any(|line| line.contains("intent undecided") && line.contains("WARN")), "{log}");
    let (code, listed, told) = house.run(&["audit", "list", "--json"]);
    assert_eq!(code, 0, "{told}");
    let entries: Vec<&str> = listed.lines().filter(|line| line.contains("\"intent-broken\"")).collect();
    assert!(entries.len() == 1 && entries[0].contains("orders are private"), "{listed}");
    let (code, out, told) = house.run(&["check", "--live"]);
    assert_eq!(code, 1, "{out}{told}");
    for part in [
        "broken     never tcp/5432",
        "kept       never tcp/22",
        "undecided  never",
        "inbound tcp/5432 from 0.0.0.0/0",
    ] {
        assert!(out.contains(part), "no {part}: {out}");
    }
    let health = server.call(None, "GET", "/healthz", None).expect("an answer");
    assert_eq!(health.0, 200, "{health:?}");
    Ok(())
}

fn silent() -> Result<(), Failed> {
    let nobody = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", nobody.local_addr()?);
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let policy = format!(
        "{}[[never]]\nfrom = \"internet\"\nto = \"i-0123456789abcdef0\"\n\n{}",
        aws("intents-silent"),
        wiki.policy
    );
    let house = House::new(&GROUPS, &policy).with_profiles(&[("intents-silent", &url)]);
    let server = house.serve();
    let jon = server.sign_in("jon");
    for _ in 0..5 {
        let begun = Instant::now();
        let body = json!({ "target": "wiki" });
        let (status, grant) =
            server.call(Some(&jon), "POST", "/api/v1/grants", Some(body)).expect("an answer");
        assert!(status < 300, "{status}: {grant}");
        let id = grant["grant"]["id"].as_str().ok_or("a grant")?;
        let path = format!("/api/v1/grants/{id}");
        let (status, closed) = server.call(Some(&jon), "DELETE", &path, None).expect("an answer");
        assert!(status < 300, "{status}: {closed}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    within_minutes("it is undecided", || {
        ready(&server).1["notes"].as_array().is_some_and(|it| it.len() == 1)
    });
    let (status, readiness) = ready(&server);
    assert_eq!(status, 200, "an undecided intent is no alert: {readiness}");
    let begun = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    Ok(())
}
