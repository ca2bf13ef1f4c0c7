//! A Doorward server as the command line sees it: its API, and the session that `doorward login` keeps.

mod bodies;
mod login;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use doorward_core::grant::GrantId;
use doorward_core::policy::{Person, TargetName, Transport};
use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::tls::{RootCerts, TlsConfig};

use self::bodies::{Ended, Failed, OpenBody, Signed};
use self::login::{Devices, sign_in};
use self::text::read;
use crate::requests::{Answer, Carried, ClosedView, GrantView, Offer, OpenedView, Through};
use crate::vending::Vended;

pub use self::bodies::{Me, Session};
pub use self::login::{Login, own_folder};

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
        if let (Some(device), Some(body)) = (devices.of(&client.url, name), body.as_object_mut()) {
            body.insert("device".into(), device.into());
        }
        let signed: Signed = client.send("POST", "/api/v1/sessions", Some(&body))?;
        if let Some(device) = &signed.device {
            // Without it the next sign-in is as good, and may have to wait for what others do.
            let _ = devices.keep(&client.url, name, device);
        }
        let Signed { token, person, ends, idle_seconds, .. } = signed;
        Ok(Login { url: client.url, person, token, ends, idle_seconds, insecure })
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
        let Signed { token, ends, idle_seconds, .. } = signed;
        Ok(Login { token, ends, idle_seconds, ..login.clone() })
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
            Answer::Approve { seen: Some(seen) } => serde_json::json!({ "agree": true, "seen": seen }),
            Answer::Approve { seen: None } => serde_json::json!({ "agree": true }),
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

#[cfg(test)]
mod tests {
    use super::*;

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
