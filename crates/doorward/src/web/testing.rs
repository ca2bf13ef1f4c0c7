//! Shared parts of the web's tests: a policy and people in a folder, the router over them, and requests to it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use doorward_core::policy::{Closing, Policy, Transport};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tower::ServiceExt as _;

use super::session::Signed;
use super::{Web, router};
use crate::app::App;
use crate::clock::{Clock, random};
use crate::overdue::Overdue;
use crate::policy_file::PolicyFile;
use crate::requests::{Caller, GrantView, Offer, Requests, State};
use crate::status::{Nudge, Nudged, Status, SyncState};
use crate::store::Store;

/// Everybody's password.
pub const PASSWORD: &str = "open-sesame";
/// Its hash at bcrypt's least cost, so that tests do not wait.
pub const HASH: &str = "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS";
/// Another's.
pub const OTHER_HASH: &str = "$2y$04$abcdefghijklmnopqrstuuT7sCmgsGpKyDa5MGqzQi2nSEYmRYyoG";

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[grants]
ipv6-prefix      = 64
special-networks = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]

[firewall.door]
about = "in front of the orders"
relay = "127.0.0.1:15080"

[firewall.gate]
about = "in front of the reports"
relay = "127.0.0.1:15081"

[target.orders-db]
about      = "Orders database (PostgreSQL)"
address    = "orders.db.internal"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "door"
lasts      = { usually = "2h", at-most = "8h" }
approval   = { from = ["leads"], above = "4h" }

[target.reports]
about      = "Reports <b>"
address    = "reports.internal"
ports      = ["tcp/3306"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "gate"
reason     = "required"
"#;

/// A policy for tests of parts.
pub fn policy() -> Policy {
    doorward_core::policy::parse(POLICY, "doorward.toml").expect("a good policy")
}

/// What a target offers.
pub fn offer(usually: i64, at_most: i64) -> Offer {
    Offer {
        target: "orders-db".parse().expect("a name"),
        about: String::new(),
        address: "orders.db.internal".into(),
        ports: Vec::new(),
        transports: vec![Transport::Direct],
        usually,
        at_most,
        approval_above: None,
        approval_from: Vec::new(),
        reason_required: false,
        closing: Some(Closing::Severs),
        sync_state: SyncState::InSync,
        always_from: Vec::new(),
        by_ssh_also: None,
        region: None,
    }
}

/// A grant of jon's.
pub fn grant_view(since: &str, until: &str) -> GrantView {
    GrantView {
        also: None,
        overdue: None,
        unrecorded: None,
        id: "g-k3v9t2m4x7q8".parse().expect("a grant"),
        person: "jon".parse().expect("a name"),
        target: "orders-db".parse().expect("a name"),
        transport: Transport::Direct,
        source: "203.0.113.7".parse().expect("an address"),
        reason: None,
        state: State::Open,
        since: Some(since.parse().expect("an instant")),
        until: Some(until.parse().expect("an instant")),
        asked_for: None,
        waits_for: Vec::new(),
        approved_by: None,
        ended: None,
        sync_state: Some(SyncState::InSync),
        closing: Closing::Severs,
        revision: 0,
        opens: None,
        seen: None,
    }
}

/// Jon, signed in.
pub fn signed() -> Signed {
    let caller = Caller::known("jon".parse().expect("a name"), None);
    let token = super::session::Token::new().expect("random bytes");
    Signed { caller, operator: false, ends: Timestamp::UNIX_EPOCH, token, remembered: false }
}

/// The web over a policy in a folder, with clocks that are turned manually, and everything always in force.
pub struct House {
    folder: tempfile::TempDir,
    router: Router,
    now: Arc<Mutex<Timestamp>>,
    uptime: Arc<AtomicU64>,
    requests: Arc<Requests>,
    web: Arc<Web>,
    reconciler: tokio::task::JoinHandle<()>,
    /// What its passes find overdue.
    late: Arc<Mutex<Vec<Overdue>>>,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// As text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The cookies that it sets, as they are sent back.
    pub fn cookies(&self) -> String {
        let cookies = self.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        cookies.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    /// The value of a page's first hidden field of that name.
    pub fn field(&self, name: &str) -> String {
        let text = self.text();
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {text}"));
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.reconciler.abort();
    }
}

impl House {
    /// With lines for `[server]`.
    pub async fn new(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_people(folder.path(), &[("jon", HASH), ("richard", HASH), ("maria", HASH)]);
        fs::write(folder.path().join("people.groups"), "dbs: jon richard\nleads: richard\nops: maria\n")
            .expect("groups");
        let policy = format!("[server]\nstore = \"doorward.db\"\n{server}\n{POLICY}");
        fs::write(folder.path().join("doorward.toml"), policy).expect("a policy");
        let policy = PolicyFile::open(&folder.path().join("doorward.toml")).expect("a good policy");
        let store = policy.current().policy.server.store.clone();
        let store = Store::open(&store, random().expect("random bytes")).await.expect("a store");
        let now = Arc::new(Mutex::new("2026-11-22T10:00:00Z".parse().expect("an instant")));
        let uptime = Arc::new(AtomicU64::new(1000));
        let clock = {
            let (now, uptime) = (Arc::clone(&now), Arc::clone(&uptime));
            Clock::by_hand(
                move || *now.lock().expect("a clock"),
                move || Duration::from_secs(uptime.load(Ordering::SeqCst)),
            )
        };
        let (nudge, nudged) = Nudge::pair();
        let requests = Arc::new(Requests::new(App::new(store, Arc::new(policy), clock, nudge)));
        let late = Arc::default();
        let reconciler = tokio::spawn(play(Arc::clone(&requests), nudged, Arc::clone(&late)));
        let web = Web::new(Arc::clone(&requests)).expect("random bytes");
        let router = router(Arc::clone(&web));
        Self { folder, router, now, uptime, requests, web, reconciler, late }
    }

    /// What every pass from now on finds overdue.
    pub async fn overdue(&self, overdue: Vec<Overdue>) {
        *self.late.lock().expect("what is overdue") = overdue;
        let (waited, _) = self.requests.app().nudge().settled(None, Duration::from_secs(60)).await;
        assert!(waited, "no pass");
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().expect("a clock")
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        *self.now.lock().expect("a clock") +=
            SignedDuration::from_secs(i64::try_from(seconds).expect("a time"));
        self.uptime.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sets the wall clock back.
    pub fn set_back(&self, seconds: i64) {
        *self.now.lock().expect("a clock") -= SignedDuration::from_secs(seconds);
    }

    /// Writes the password file again, and has it read.
    pub fn people(&self, people: &[(&str, &str)]) {
        write_people(self.folder.path(), people);
        self.requests.app().policy_file().refresh();
    }

    /// What every request shares.
    pub fn web(&self) -> Arc<Web> {
        Arc::clone(&self.web)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What is asked.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Sends a request from an address.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let mut request = request;
        let peer = SocketAddr::from(([203, 0, 113, 7], 50_000));
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        if request.version() < Version::HTTP_2 && !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.host());
        }
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The host that the policy names, or the one on which it listens.
    fn host(&self) -> HeaderValue {
        let loaded = self.requests.app().loaded();
        let url = loaded.policy.server.url.as_deref().unwrap_or("http://127.0.0.1:8080");
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        authority.expect("a host").parse().expect("a header")
    }

    /// Sends a request through a proxy on another machine, with what that proxy adds.
    pub async fn through(
        &self,
        proxy: [u8; 4],
        added: &[(&'static str, &str)],
        request: Request<Body>,
    ) -> Answer {
        let mut request = request;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((proxy, 50_000))));
        for (name, value) in added {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        self.send(request).await
    }

    /// Gets a page with cookies.
    pub async fn get(&self, path: &str, cookies: &str) -> Answer {
        let request = Request::get(path).header(COOKIE, cookies).body(Body::empty());
        self.send(request.expect("a request")).await
    }

    /// Sends a form with cookies.
    pub async fn post(&self, path: &str, cookies: &str, form: &str) -> Answer {
        self.send(form_request(path, cookies, form)).await
    }

    /// Signs in on the page and returns the cookie.
    pub async fn sign_in(&self, name: &str) -> String {
        let answer = self.try_sign_in(name, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        answer.cookies()
    }

    /// Tries to.
    pub async fn try_sign_in(&self, name: &str, password: &str) -> Answer {
        self.try_sign_in_with("", name, password).await
    }

    /// Tries to, with more cookies.
    pub async fn try_sign_in_with(&self, cookies: &str, name: &str, password: &str) -> Answer {
        let page = self.get("/sign-in", "").await;
        let form = format!("token={}&name={name}&password={password}", page.field("token"));
        self.post("/sign-in", &format!("{}; {cookies}", page.cookies()), &form).await
    }

    /// The same over the same store, with nothing left in memory.
    pub fn restarted(self) -> Self {
        let web = Web::new(Arc::clone(&self.requests)).expect("random bytes");
        let mut house = self;
        house.router = router(Arc::clone(&web));
        house.web = web;
        house
    }

    /// Does what a pass of the reconciler does with grants.
    pub async fn end_expired(&self) {
        let (requests, loaded) = (&self.requests, self.requests.app().loaded());
        let now = requests.app().clock().now();
        requests.end_expired(&loaded, now, |_| false).await.expect("a pass");
    }

    /// Calls the API.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).expect("a request")).await
    }

    /// Calls the API from another address.
    pub async fn call_from(
        &self,
        from: [u8; 4],
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((from, 50_000))));
        self.send(request).await
    }

    /// Signs in to the API and returns the token.
    pub async fn token(&self, name: &str) -> String {
        let body = serde_json::json!({ "name": name, "password": PASSWORD });
        let answer = self.call(Method::POST, "/api/v1/sessions", "", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Every line of the audit log.
    pub async fn record(&self) -> Vec<Value> {
        let lines = self.requests.app().store().lines(0, 10_000).await.expect("the record");
        lines.iter().map(|(_, line)| serde_json::from_str(line).expect("a line")).collect()
    }
}

/// A form as a browser sends it.
pub fn form_request(path: &str, cookies: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header(COOKIE, cookies)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(form.to_owned()))
        .expect("a request")
}

fn write_people(folder: &Path, people: &[(&str, &str)]) {
    let passwords: String = people.iter().map(|(name, hash)| format!("{name}:{hash}\n")).collect();
    fs::write(folder.join("people.htpasswd"), passwords).expect("passwords");
}

/// Says of every firewall that it is as wanted.
async fn play(requests: Arc<Requests>, nudged: Nudged, late: Arc<Mutex<Vec<Overdue>>>) {
    loop {
        let covers = nudged.count();
        let (loaded, now) = (requests.app().loaded(), requests.app().clock().now());
        let firewalls = loaded.policy.firewalls.keys();
        let firewalls = firewalls.map(|name| (name.clone(), (covers, SyncState::InSync))).collect();
        let overdue = late.lock().expect("what is overdue").clone();
        nudged.change(|status| {
            *status = Status { covers, at: Some(now), firewalls, overdue, ..Status::default() };
        });
        nudged.wait(Duration::from_millis(50)).await;
    }
}
