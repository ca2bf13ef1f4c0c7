//! Chromium, driven through chromedriver by the W3C's WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::need::find;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys, as WebDriver writes them.
pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';

/// How the browser is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Whether scripts run.
    pub scripts: bool,
    /// The window's width in CSS pixels.
    pub width: u32,
    /// Whether dark is preferred.
    pub dark: bool,
}

/// A desk: wide, with scripts.
pub const DESK: Setup = Setup { scripts: true, width: 1280, dark: false };
/// A phone.
pub const PHONE: Setup = Setup { width: 360, ..DESK };

/// A browser with a profile of its own; both end with it.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    // Removed when the browser is gone.
    _profile: tempfile::TempDir,
}

/// Something on a page.
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Browser {
    /// Starts one.
    pub fn start(setup: Setup) -> Self {
        Self::with(setup, &[])
    }

    /// Starts one with further command-line arguments.
    pub fn with(setup: Setup, further: &[String]) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let (driver, port) = start_driver();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false);
        let mut browser =
            Self { driver, session: String::new(), agent: config.build().new_agent(), _profile: profile };
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", browser._profile.path().display()));
        arguments.push(format!("--window-size={},900", setup.width.max(500)));
        if setup.dark {
            arguments.push("--force-dark-mode".into());
            arguments.push("--blink-settings=preferredColorScheme=0".into());
        }
        arguments.extend_from_slice(further);
        let scripts = if setup.scripts { 1 } else { 2 };
        let mut options = json!({
            "binary": find("chromium").expect("chromium"),
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": scripts },
        });
        if setup.width < 500 {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": setup.width, "height": 740, "pixelRatio": 2.0 } });
        }
        let base = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let made = browser.send("POST", &base, Some(wanted));
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        browser.session = format!("{base}/{id}");
        browser
    }

    fn send(&self, method: &str, url: &str, body: Option<Value>) -> Value {
        let request = ureq::http::Request::builder().method(method).uri(url);
        let answer = match body {
            Some(body) => self.agent.run(
                request.header("content-type", "application/json").body(body.to_string()).expect("a request"),
            ),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.expect("chromedriver answers");
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().expect("an answer");
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        value["value"].clone()
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.send(method, &format!("{}{path}", self.session), body)
    }

    /// Goes to an address.
    pub fn go(&self, url: &str) {
        let went = self.call("POST", "/url", Some(json!({ "url": url })));
        assert!(went.is_null(), "{url}: {went}");
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.call("POST", "/refresh", Some(json!({})));
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.call("GET", "/url", None).as_str().unwrap_or_default().to_owned()
    }

    /// The first element of a CSS selector, as soon as there is one.
    pub fn find(&self, css: &str) -> Element<'_> {
        let query = json!({ "using": "css selector", "value": css });
        let begun = Instant::now();
        loop {
            let found = self.call("POST", "/element", Some(query.clone()));
            if let Some(id) = found[ELEMENT].as_str() {
                return Element { browser: self, id: id.to_owned() };
            }
            assert!(begun.elapsed() < PATIENCE, "no `{css}` on {}:\n{}", self.url(), self.text());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many elements of a selector there are now.
    pub fn count(&self, css: &str) -> usize {
        let query = json!({ "using": "css selector", "value": css });
        self.call("POST", "/elements", Some(query)).as_array().map_or(0, Vec::len)
    }

    /// The whole visible text.
    pub fn text(&self) -> String {
        let query = json!({ "using": "css selector", "value": "body" });
        let body = self.call("POST", "/element", Some(query));
        let Some(id) = body[ELEMENT].as_str() else { return body.to_string() };
        self.call("GET", &format!("/element/{id}/text"), None).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    pub fn says(&self, text: &str) {
        self.wait(&format!("the page says {text:?}"), |browser| browser.text().contains(text));
    }

    /// Waits until something holds.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}; on {}:\n{}", self.url(), self.text());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a script returns. Only where scripts run.
    pub fn script(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", Some(json!({ "script": script, "args": [] })))
    }

    /// Presses keys one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                let key = key.to_string();
                [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
            })
            .collect();
        let pressed = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] });
        let done = self.call("POST", "/actions", Some(pressed));
        assert!(done.is_null(), "{done}");
    }

    /// What has the focus: its accessible name, as a screen reader would say it.
    pub fn focused(&self) -> String {
        let active = self.call("GET", "/element/active", None);
        let Some(id) = active[ELEMENT].as_str() else { return String::new() };
        self.call("GET", &format!("/element/{id}/computedlabel"), None)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Keeps a picture of the whole page under a name.
    pub fn screenshot(&self, name: &str) {
        // Only chromedriver's own command takes the page beyond the window.
        let metrics = self.devtools("Page.getLayoutMetrics", json!({}));
        let size = &metrics["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let taken = self.devtools(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }),
        );
        let data = taken["data"].as_str().unwrap_or_else(|| panic!("{taken}"));
        let png = base64::engine::general_purpose::STANDARD.decode(data).expect("base 64");
        let folder = screenshots();
        std::fs::create_dir_all(&folder).expect("the folder of screenshots");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("a screenshot");
    }

    /// Whether the page is no wider than the window.
    pub fn fits(&self) -> bool {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({}));
        let (page, window) =
            (&metrics["cssContentSize"]["width"], &metrics["cssLayoutViewport"]["clientWidth"]);
        page.as_f64().expect("a width") <= window.as_f64().expect("a width")
    }

    /// What the browser itself complained of since it was asked last: errors of scripts, and what the policy of
    /// the page's content blocked.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", Some(json!({ "type": "browser" })));
        let lines = log.as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.call("POST", "/goog/cdp/execute", Some(json!({ "cmd": command, "params": parameters })))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !thread::panicking() {
            self.send("DELETE", &self.session, None);
        }
        // Chromium's processes are chromedriver's group.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.driver.wait();
    }
}

impl Element<'_> {
    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.browser.call(method, &format!("/element/{}{path}", self.id), body)
    }

    /// Clicks it.
    pub fn click(&self) {
        let clicked = self.call("POST", "/click", Some(json!({})));
        assert!(clicked.is_null(), "{clicked}");
    }

    /// Types into it.
    pub fn type_in(&self, text: &str) {
        let typed = self.call("POST", "/value", Some(json!({ "text": text })));
        assert!(typed.is_null(), "{typed}");
    }

    /// A property, like a field's `value`.
    pub fn property(&self, name: &str) -> Value {
        self.call("GET", &format!("/property/{name}"), None)
    }
}

/// Where screenshots are kept.
pub fn screenshots() -> PathBuf {
    let named = std::env::var_os("DOORWARD_SCREENSHOTS").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots"))
}

/// Starts chromedriver in a group of its own, on a port that it chooses.
fn start_driver() -> (Child, u16) {
    // It takes a free port of IPv4 and then wants the same of IPv6, and ends where somebody else has that.
    (0..5).find_map(|_| try_driver()).expect("chromedriver says its port")
}

fn try_driver() -> Option<(Child, u16)> {
    use std::os::unix::process::CommandExt as _;
    let mut driver = Command::new(find("chromedriver").expect("chromedriver"))
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("chromedriver starts");
    let output = driver.stdout.take().expect("its output");
    let mut lines = BufReader::new(output).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
    });
    let Some(port) = port else {
        driver.wait().expect("chromedriver ended");
        return None;
    };
    // What it says later must not fill the pipe.
    thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}
