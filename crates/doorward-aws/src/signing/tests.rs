//! Signatures compared with botocore's at a clock that stands still; `golden.py` says how they were made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    id: String,
    secret: String,
    token: String,
    now: Timestamp,
    region: String,
    databases: Vec<DatabaseToken>,
    upgrades: Vec<SignedUpgrade>,
    tunnels: Vec<SignedTunnel>,
}

#[derive(Deserialize)]
struct DatabaseToken {
    host: String,
    port: u16,
    user: String,
    with_token: bool,
    signed: String,
}

#[derive(Deserialize)]
struct SignedUpgrade {
    url: String,
    with_token: bool,
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct SignedTunnel {
    url: String,
    with_token: bool,
    signed: String,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden.json")).expect("golden.json")
}

impl Golden {
    fn credentials(&self, with_token: bool) -> Credentials {
        let token = with_token.then(|| self.token.clone());
        Credentials::new(self.id.clone(), self.secret.clone(), token, None, "test")
    }

    fn scope<'a>(&'a self, credentials: &'a Credentials, service: &'a str) -> Scope<'a> {
        Scope { credentials, region: &self.region, service, now: SystemTime::from(self.now) }
    }
}

#[test]
fn a_database_token_is_botocores_byte_for_byte() {
    let golden = golden();
    assert!(golden.databases.len() >= 8);
    for database in &golden.databases {
        let credentials = golden.credentials(database.with_token);
        let scope = golden.scope(&credentials, "rds-db");
        let token = crate::sessions::token_for(&database.host, database.port, &database.user, scope);
        assert_eq!(token.as_deref(), Some(database.signed.as_str()));
    }
}

#[test]
fn an_upgrade_is_signed_as_botocore_signs_it() {
    let golden = golden();
    assert!(golden.upgrades.len() >= 6);
    for upgrade in &golden.upgrades {
        let credentials = golden.credentials(upgrade.with_token);
        let headers = headers(&upgrade.url, golden.scope(&credentials, "ssmmessages")).expect("headers");
        let headers: BTreeMap<String, String> = headers.into_iter().collect();
        assert_eq!(headers, upgrade.headers, "{}", upgrade.url);
    }
}

#[test]
fn a_tunnel_is_signed_as_botocore_signs_it() {
    let golden = golden();
    assert!(golden.tunnels.len() >= 4);
    for tunnel in &golden.tunnels {
        let credentials = golden.credentials(tunnel.with_token);
        let scope = golden.scope(&credentials, "ec2-instance-connect");
        let signed = presigned(&tunnel.url, scope, Duration::from_secs(60));
        assert_eq!(signed.as_deref(), Some(tunnel.signed.as_str()));
    }
}

#[test]
fn what_has_no_host_is_not_signed() {
    let golden = golden();
    let credentials = golden.credentials(false);
    let scope = golden.scope(&credentials, "ssmmessages");
    for url in [
        "",
        "/v1",
        "wss://",
        "wss:///v1",
        "wss://:443/",
        "ftp://host/",
        "wss://user@host/",
        "wss://ho st/",
        "wss://[::1/",
        "mailto:jon@example.org",
    ] {
        assert_eq!(headers(url, scope), None, "{url}");
        assert_eq!(presigned(url, scope, Duration::from_secs(60)), None, "{url}");
    }
}
