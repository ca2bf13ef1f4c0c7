//! What a sign-in leaves on the person's machine: the session, and by what the machine is known to a server.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use doorward_core::policy::{Person, people};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::bounded_file::{SMALL, text};

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
    pub token: String,
    pub ends: Timestamp,
    /// After how many seconds without use the session expires earlier, as far as the server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<i64>,
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
        let text = text(&Self::path().ok()?, SMALL).ok()?;
        let login: Self = serde_json::from_str(&text).ok()?;
        (now >= login.ends).then(|| sign_in(&login.url, Some(&login.person)))
    }

    /// The session that was kept, unless there is none or it has expired.
    pub fn kept(now: Timestamp) -> Result<Option<Self>, Error> {
        let path = Self::path()?;
        let text = match text(&path, SMALL) {
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
pub(super) fn sign_in(url: &str, person: Option<&Person>) -> String {
    let person = person.map(|person| format!(" --as {}", people::shell_word(person.as_str())));
    format!("doorward login {url}{}", person.unwrap_or_default())
}

/// By what this machine is known to servers at which somebody signed in from it; it signs nobody in.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Devices(BTreeMap<String, String>);

impl Devices {
    fn path() -> Result<PathBuf, Error> {
        Ok(own_folder()?.join("devices.json"))
    }

    fn key(url: &str, person: &str) -> String {
        format!("{person}@{url}")
    }

    /// Those that are kept; none of a file that cannot be read: it only makes a sign-in wait less.
    pub(super) fn kept() -> Self {
        let text = Self::path().ok().and_then(|path| text(&path, SMALL).ok());
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// The secret of a person at a server.
    pub(super) fn of(&self, url: &str, person: &str) -> Option<&str> {
        self.0.get(&Self::key(url, person)).map(String::as_str)
    }

    pub(super) fn keep(mut self, url: &str, person: &str, device: &str) -> Result<(), Error> {
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
