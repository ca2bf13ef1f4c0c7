//! The AWS configuration of a run of tests: its own, and nobody else's.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use doorward_core::inventory::AccountRegion;

const CONFIG: &str = "AWS_CONFIG_FILE";
const MARK: &str = "DOORWARD_TEST_AWS";

/// Runs this program again with an AWS configuration of its own: no test reads the developer's.
///
/// A process may not change its environment while threads run, so it is set from outside. None in the second run.
pub fn hermetic() -> Option<ExitCode> {
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    std::fs::write(&config, "").expect("a file");
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        again.env_remove(name);
    }
    let status = again
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .env(CONFIG, &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .status()
        .expect("this program");
    Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Adds a profile of these lines.
pub fn profile_with(name: &str, lines: &str) -> AccountRegion {
    static WRITING: Mutex<()> = Mutex::new(());
    let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(std::env::var_os(CONFIG).expect("a configuration"));
    let mut config = std::fs::read_to_string(&path).expect("the configuration");
    config.push_str(&format!("[profile {name}]\n{lines}\n"));
    // Renamed into place, since another test may be reading it.
    let mut new = tempfile::NamedTempFile::new_in(path.parent().expect("a folder")).expect("a file");
    new.write_all(config.as_bytes()).expect("the configuration");
    new.persist(&path).expect("the configuration");
    AccountRegion { profile: Some(name.to_owned()), region: None, account: None }
}
