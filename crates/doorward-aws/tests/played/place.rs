//! The AWS configuration of these tests alone, and an account in it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use doorward_aws::Account;
use doorward_core::inventory::Place;

const CONFIG: &str = "AWS_CONFIG_FILE";
const MARK: &str = "DOORWARD_TEST_AWS";

/// Runs this program again with a configuration of its own: no test reads the developer's. None in the second run.
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

/// An account in eu-west-1 with these keys, whose every service is at one address.
pub async fn account(name: &str, url: &str, key: &str, secret: &str) -> Account {
    {
        static WRITING: Mutex<()> = Mutex::new(());
        let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let path = PathBuf::from(std::env::var_os(CONFIG).expect("a configuration"));
        let mut config = std::fs::read_to_string(&path).expect("the configuration");
        config.push_str(&format!(
            "[profile {name}]\nregion = eu-west-1\nendpoint_url = {url}\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        ));
        // Renamed into place, since another test may be reading it.
        let mut new = tempfile::NamedTempFile::new_in(path.parent().expect("a folder")).expect("a file");
        new.write_all(config.as_bytes()).expect("the configuration");
        new.persist(&path).expect("the configuration");
    }
    let place = Place { profile: Some(name.to_owned()), region: None, account: None };
    Account::connect(&place).await.expect("an account")
}
