//! A Doorward server as the command line sees it: its API, and the session that `doorward login` keeps.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use doorward_core::grant::GrantId;
use doorward_core::policy::{Group, Person, TargetName, Transport, people};
use doorward_core::text::one_line;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};

use crate::requests::{Answer, Carried, ClosedView, GrantView, Offer, OpenedView, Through};
use crate::vending::Vended;

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in.
    #[error("you are not signed in to a server")]
    NotSignedIn,
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
        /// What to do about it, in its words.
        hint: Option<String>,
    },
    /// It was not reached.
    #[error("cannot reach `{url}`")]
    Unreachable { url: String, source: ureq::Error },
    /// It is no Doorward.
    #[error("`{url}` did not respond like a Doorward server")]
    Foreign { url: String, source: ureq::Error },
    /// What is secret would cross a network without TLS, and nobody said that it may.
    #[error("`{url}` has no TLS, so {what} would cross the network in clear text")]
    InClear {
        /// The server.
        url: String,
        /// What would be read on the way.
        what: &'static str,
    },
    /// It sends its clients somewhere else, where neither a password nor a token is sent unasked.
    #[error("`{url}` redirects its clients to `{to}`")]
    Redirected {
        /// The server.
        url: String,
        /// Where to, as far as that can be printed.
        to: String,
    },
    /// Others than its owner can write the session's file, so that it may be theirs.
    #[error("`{}` has your session, and other users can write it", .0.display())]
    Exposed(PathBuf),
    /// Not a server's address.
    #[error("`{0}` is not the address of a server (like `https://doorward.example.org`)")]
    NotAUrl(String),
    /// No name of a session.
    #[error("`{0}` is not a session (like `s-3f9c21d07ab4`)")]
    NotASession(String),
    /// The session's file could not be read or written.
    #[error("cannot use `{}`", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// There is no folder to keep a session in.
    #[error("neither XDG_CONFIG_HOME nor HOME is set, so there is no folder for the session")]
    NoHome,
}

/// Where what belongs to one person is kept.
pub fn own_folder() -> Result<PathBuf, Error> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let config = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(config.or_else(home).ok_or(Error::NoHome)?.join("doorward"))
}

/// What `doorward login` keeps, readable by its owner alone.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The server.
    pub url: String,
    /// Who is signed in.
    pub person: Person,
    /// The token.
    pub token: String,
    pub ends: Timestamp,
    /// Whether the token may cross a network without TLS, because the person said so when they signed in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

/// The token is a secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("url", &self.url).field("person", &self.person).finish_non_exhaustive()
    }
}

impl Login {
    fn path() -> Result<PathBuf, Error> {
        Ok(own_folder()?.join("login.json"))
    }

    /// Makes the session's file its owner's alone: which it was, where others could read it. Refused where others could
    /// write it, because what stands there may be theirs.
    pub fn shut() -> Result<Option<PathBuf>, Error> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = Self::path()?;
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        let mode = about.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(Error::Exposed(path));
        }
        if mode & 0o077 == 0 {
            return Ok(None);
        }
        match std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)) {
            Ok(()) => Ok(Some(path)),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// What was typed to sign in as who was signed in last, where their session has expired.
    pub fn again(now: Timestamp) -> Option<String> {
        let text = std::fs::read_to_string(Self::path().ok()?).ok()?;
        let login: Self = serde_json::from_str(&text).ok()?;
        (now >= login.ends).then(|| sign_in(&login.url, Some(&login.person)))
    }

    /// The session that was kept, unless there is none or it has expired.
    pub fn kept(now: Timestamp) -> Result<Option<Self>, Error> {
        let path = Self::path()?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        let login: Self =
            serde_json::from_str(&text).map_err(|error| Error::File { path, source: error.into() })?;
        Ok((now < login.ends).then_some(login))
    }

    /// Keeps it.
    pub fn keep(&self) -> Result<PathBuf, Error> {
        write_own(Self::path()?, self)
    }

    /// Forgets it.
    pub fn forget() -> Result<(), Error> {
        let path = Self::path()?;
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File { path, source }),
            _ => Ok(()),
        }
    }
}

/// How somebody signs in to a server.
fn sign_in(url: &str, person: Option<&Person>) -> String {
    let person = person.map(|person| format!(" --as {}", people::shell_word(person.as_str())));
    format!("doorward login {url}{}", person.unwrap_or_default())
}

/// A connection to a server's API.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
    /// Who is signed in.
    person: Option<Person>,
}

/// The token is a secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Signed {
    token: String,
    person: Person,
    ends: Timestamp,
    device: Option<String>,
}

/// A session of the person who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// By which it is ended.
    pub id: String,
    /// `browser` or `api`.
    pub kind: String,
    /// When it began.
    pub since: Timestamp,
    /// The address from which it began.
    pub from: String,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// The address from which it was last used.
    pub used_from: String,
    /// Its end, if it is used until then.
    pub ends: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

#[derive(Deserialize)]
struct Ended {
    ended: usize,
}

/// By what this machine is known to servers at which somebody signed in from it; it signs nobody in.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Devices(BTreeMap<String, String>);

impl Devices {
    fn path() -> Result<PathBuf, Error> {
        Ok(own_folder()?.join("devices.json"))
    }

    fn key(url: &str, person: &str) -> String {
        format!("{person}@{url}")
    }

    /// Those that are kept; none of a file that cannot be read: it only makes a sign-in wait less.
    fn kept() -> Self {
        let text = Self::path().ok().and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn keep(mut self, url: &str, person: &str, device: &str) -> Result<(), Error> {
        self.0.insert(Self::key(url, person), device.to_owned());
        write_own(Self::path()?, &self).map(drop)
    }
}

/// Writes a file that its owner alone can read, whole or not at all.
fn write_own(path: PathBuf, value: &impl Serialize) -> Result<PathBuf, Error> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source| Error::File { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let fresh = path.with_extension("new");
    // One that was left behind would keep the mode that it has.
    match std::fs::remove_file(&fresh) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(failed(source)),
        _ => {}
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    let text = serde_json::to_string_pretty(value).map_err(|error| failed(error.into()))?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)?;
    Ok(path)
}

/// Who is signed in, as a server sees them.
#[derive(Debug, Deserialize)]
pub struct Me {
    /// The person.
    pub person: Person,
    /// Their groups; none from a server that does not report them.
    #[serde(default)]
    pub groups: BTreeSet<Group>,
    /// Whether they are an operator.
    pub operator: bool,
    /// When the session expires, if it is not used until then.
    pub ends: Timestamp,
    /// The address that a grant would admit; none where the server cannot tell.
    pub address: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Failed {
    error: String,
    hint: Option<String>,
}

#[derive(Serialize)]
struct OpenBody<'a> {
    target: &'a TargetName,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Trusts what the machine trusts, a company's own authority too (SSL_CERT_FILE names another file).
pub fn system_trust() -> TlsConfig {
    TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build()
}

/// Whether a URL's host is this machine: an address of the loopback network, or a name that always leads there (RFC 6761,
/// section 6.3).
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

impl Client {
    /// Whether a password for a server would cross a network without TLS; asked before the password is.
    pub fn check(url: &str, insecure: bool) -> Result<(), Error> {
        Self::new(url, None, insecure).map(drop)
    }

    fn new(url: &str, token: Option<String>, insecure: bool) -> Result<Self, Error> {
        let read: Option<ureq::http::Uri> = url.parse().ok();
        let good = |read: &ureq::http::Uri| {
            let named = read.host().is_some_and(|host| !host.is_empty());
            named && matches!(read.scheme_str(), Some("https" | "http")) && read.query().is_none()
        };
        let Some(read) = read.filter(good) else { return Err(Error::NotAUrl(url.into())) };
        let here = read.host().is_some_and(is_loopback);
        if !here && !insecure && read.scheme_str() == Some("http") {
            let what = if token.is_some() { "your session" } else { "your password" };
            return Err(Error::InClear { url: url.into(), what });
        }
        let mut config = ureq::Agent::config_builder();
        if here {
            // What is for this machine is not handed to a proxy that the environment names.
            config = config.proxy(None);
        }
        let agent = config
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(system_trust())
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, url: url.trim_end_matches('/').into(), token, person: None })
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's host, without brackets.
    pub fn host(&self) -> Option<String> {
        let url: ureq::http::Uri = self.url.parse().ok()?;
        url.host().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }

    /// Signs in; the session is returned, not kept. `insecure`: also where the password crosses a network without TLS.
    pub fn login(url: &str, name: &str, password: &str, insecure: bool) -> Result<Login, Error> {
        let client = Self::new(url, None, insecure)?;
        let devices = Devices::kept();
        let mut body = serde_json::json!({ "name": name, "password": password });
        if let (Some(device), Some(body)) =
            (devices.0.get(&Devices::key(&client.url, name)), body.as_object_mut())
        {
            body.insert("device".into(), device.as_str().into());
        }
        let signed: Signed = client.send("POST", "/api/v1/sessions", Some(&body))?;
        if let Some(device) = &signed.device {
            // Without it the next sign-in is as good, and may have to wait for what others do.
            let _ = devices.keep(&client.url, name, device);
        }
        Ok(Login { url: client.url, person: signed.person, token: signed.token, ends: signed.ends, insecure })
    }

    /// With a session that was kept.
    pub fn with(login: &Login) -> Result<Self, Error> {
        let client = Self::new(&login.url, Some(login.token.clone()), login.insecure)?;
        Ok(Self { person: Some(login.person.clone()), ..client })
    }

    /// Ends the session.
    pub fn logout(&self) -> Result<(), Error> {
        self.send::<serde::de::IgnoredAny>("DELETE", "/api/v1/sessions/current", None::<&()>).map(drop)
    }

    /// Where the person is signed in.
    pub fn sessions(&self) -> Result<Vec<Session>, Error> {
        self.send("GET", "/api/v1/sessions", None::<&()>)
    }

    /// Ends one of the person's sessions.
    pub fn end_session(&self, id: &str) -> Result<(), Error> {
        let good = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !good {
            return Err(Error::NotASession(id.into()));
        }
        self.send::<serde::de::IgnoredAny>("DELETE", &format!("/api/v1/sessions/{id}"), None::<&()>).map(drop)
    }

    /// Ends all of the person's sessions but this one; how many.
    pub fn end_other_sessions(&self) -> Result<usize, Error> {
        self.send::<Ended>("DELETE", "/api/v1/sessions", None::<&()>).map(|ended| ended.ended)
    }

    /// Changes the person's password; the session that goes on is returned, not kept.
    pub fn change_password(&self, login: &Login, present: &str, new: &str) -> Result<Login, Error> {
        let body = serde_json::json!({ "present": present, "new": new });
        let signed: Signed = self.send("PUT", "/api/v1/me/password", Some(&body))?;
        Ok(Login { token: signed.token, ends: signed.ends, ..login.clone() })
    }

    /// What may be opened.
    pub fn targets(&self) -> Result<Vec<Offer>, Error> {
        self.send("GET", "/api/v1/targets", None::<&()>)
    }

    /// The person's grants, or everybody's.
    pub fn grants(&self, all: bool) -> Result<Vec<GrantView>, Error> {
        self.send("GET", if all { "/api/v1/grants?all=true" } else { "/api/v1/grants" }, None::<&()>)
    }

    /// The grants that wait for the person's answer.
    pub fn to_answer(&self) -> Result<Vec<GrantView>, Error> {
        self.send("GET", "/api/v1/grants?to_answer=true", None::<&()>)
    }

    /// The person's grants that have ended, the latest first.
    pub fn history(&self) -> Result<Vec<GrantView>, Error> {
        self.send("GET", "/api/v1/grants?history=true", None::<&()>)
    }

    /// Opens or extends.
    pub fn open(
        &self,
        target: &TargetName,
        lasts: Option<SignedDuration>,
        transport: Option<Transport>,
        reason: Option<&str>,
    ) -> Result<OpenedView, Error> {
        let body = OpenBody { target, lasts: lasts.map(|lasts| lasts.as_secs()), transport, reason };
        self.send("POST", "/api/v1/grants", Some(&body))
    }

    /// One grant as it is now.
    pub fn grant(&self, grant: &GrantId) -> Result<GrantView, Error> {
        self.send("GET", &format!("/api/v1/grants/{grant}"), None::<&()>)
    }

    /// What carries a grant.
    pub fn through(&self, grant: &GrantId) -> Result<Through, Error> {
        self.send("GET", &format!("/api/v1/grants/{grant}/transport"), None::<&()>)
    }

    /// Credentials for exactly a grant.
    pub fn credentials(&self, grant: &GrantId) -> Result<Vended, Error> {
        self.send("POST", &format!("/api/v1/grants/{grant}/credentials"), None::<&()>)
    }

    /// Has what became of what carries a grant recorded.
    pub fn carried(&self, grant: &GrantId, carried: &Carried) -> Result<(), Error> {
        self.send("POST", &format!("/api/v1/grants/{grant}/transport"), Some(carried))
    }

    /// Closes.
    pub fn close(&self, grant: &GrantId) -> Result<ClosedView, Error> {
        self.send("DELETE", &format!("/api/v1/grants/{grant}"), None::<&()>)
    }

    /// Who is signed in, and from which address.
    pub fn me(&self) -> Result<Me, Error> {
        self.send("GET", "/api/v1/me", None::<&()>)
    }

    /// Has a grant admit the caller's address by now.
    pub fn relocate(&self, grant: &GrantId) -> Result<OpenedView, Error> {
        self.send("POST", &format!("/api/v1/grants/{grant}/move"), None::<&()>)
    }

    /// Approves what waits, as it was seen, or denies it.
    pub fn answer(&self, grant: &GrantId, answer: &Answer) -> Result<OpenedView, Error> {
        let body = match answer {
            Answer::Approve { seen } => serde_json::json!({ "agree": true, "seen": seen }),
            Answer::Deny { reason: Some(reason) } => serde_json::json!({ "agree": false, "reason": reason }),
            Answer::Deny { reason: None } => serde_json::json!({ "agree": false }),
        };
        self.send("POST", &format!("/api/v1/grants/{grant}/approval"), Some(&body))
    }

    fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Error> {
        let url = format!("{}{path}", self.url);
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let foreign = |source| Error::Foreign { url: self.url.clone(), source };
        let mut request = ureq::http::Request::builder().method(method).uri(&url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = match body {
            Some(body) => {
                let text = serde_json::to_string(body).map_err(|error| foreign(ureq::Error::Json(error)))?;
                let request = request.header("content-type", "application/json").body(text);
                self.agent.run(request.map_err(|error| foreign(error.into()))?)
            }
            None => self.agent.run(request.body(()).map_err(|error| foreign(error.into()))?),
        };
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        if (300..400).contains(&status) {
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            return Err(Error::Redirected { url: self.url.clone(), to: to.to_owned() });
        }
        if status == 204 {
            return serde_json::from_str("null").map_err(|error| foreign(ureq::Error::Json(error)));
        }
        if status >= 400 {
            let said = read::<Failed>(&mut answer);
            return Err(match said {
                // The session is over; the server does not know by which name it was reached.
                Ok(failed) if status == 401 && self.token.is_some() => Error::Refused {
                    status,
                    message: failed.error,
                    hint: Some(format!("sign in again with `{}`", sign_in(&self.url, self.person.as_ref()))),
                },
                Ok(failed) => Error::Refused { status, message: failed.error, hint: failed.hint },
                Err(error) => foreign(error),
            });
        }
        read(&mut answer).map_err(foreign)
    }
}

/// What a server answers. Each text in it is one line: it begins no lines of ours, and neither does an error
/// that quotes it.
fn read<T: DeserializeOwned>(answer: &mut ureq::http::Response<ureq::Body>) -> Result<T, ureq::Error> {
    let mut value: Value = answer.body_mut().read_json()?;
    join_lines(&mut value);
    T::deserialize(value).map_err(ureq::Error::Json)
}

fn join_lines(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(line) = one_line(text) {
                *text = line;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Object(fields) => {
            let in_one_line = |(name, mut field): (String, Value)| {
                join_lines(&mut field);
                (one_line(&name).into_owned(), field)
            };
            *fields = std::mem::take(fields).into_iter().map(in_one_line).collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_writes_no_lines_of_ours() {
        let mut value = serde_json::json!({
            "why\nhint: x": ["a\r\nfix: x", { "still": "\u{2028}\u{1b}[2J" }], "plain": "rené \u{26a0}", "n": 1
        });
        join_lines(&mut value);
        let expected = serde_json::json!({
            "why\\nhint: x": ["a\\r\\nfix: x", { "still": "\\u{2028}\u{1b}[2J" }], "plain": "rené \u{26a0}", "n": 1
        });
        assert_eq!(value, expected);
        // Neither does an error that quotes it.
        let quoted = GrantId::deserialize(Value::from("g\nerror: x")).expect_err("no grant");
        assert!(quoted.to_string().contains('\n'), "{quoted}");
        let mut value = Value::from("g\nerror: x");
        join_lines(&mut value);
        assert!(!GrantId::deserialize(value).expect_err("no grant").to_string().contains('\n'));
    }

    #[test]
    fn nothing_secret_crosses_a_network_in_clear_unasked() {
        let check = |url: &str, refused: bool| {
            for token in [None, Some("token".to_owned())] {
                let made = Client::new(url, token.clone(), false);
                assert_eq!(matches!(made, Err(Error::InClear { .. })), refused, "{url}");
                assert!(Client::new(url, token, true).is_ok(), "{url}");
            }
        };
        for url in [
            "http://door.example",
            "HTTP://10.0.0.5:8080/door",
            "http://localhost.evil.test",
            "http://0.0.0.0:8080",
        ] {
            check(url, true);
        }
        for url in [
            "https://door.example",
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "http://door.localhost.",
        ] {
            check(url, false);
        }
    }
}
