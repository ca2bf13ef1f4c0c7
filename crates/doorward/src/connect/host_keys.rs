//! Whose word is taken for a machine's host key: the policy's list, the person's own file, or the first time that it was seen.

use std::path::PathBuf;
use std::sync::Arc;

use doorward_tunnel::ssh::host_keys::{Either, HostKeys};
use doorward_tunnel::ssh::known_hosts::{KnownHosts, KnownHostsFile, Listed};
use doorward_tunnel::ssh::pins::{Consoles, Pins};

use crate::client::own_folder;

/// The keys of the policy where it lists any, and then of nobody else; else the person's own, and what was seen before.
///
/// What was never seen is compared with the instance's console, where there is one to ask, and remembered.
pub fn host_keys(listed: Option<&str>, console: Option<Arc<dyn Consoles>>) -> Option<Arc<dyn HostKeys>> {
    if let Some(text) = listed {
        let hosts = KnownHosts::parse(text);
        return Some(Arc::new(Listed { hosts, place: "the policy's known hosts".into() }));
    }
    let pins = Pins::new(own_folder().ok()?.join("known_hosts"));
    let pins = match console {
        Some(console) => pins.compared_with(console),
        None => pins,
    };
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let own = home.map(|home| KnownHostsFile(home.join(".ssh").join("known_hosts")));
    let own = own.map(|own| Arc::new(own) as Arc<dyn HostKeys>);
    Some(Arc::new(Either(own.into_iter().chain([Arc::new(pins) as Arc<dyn HostKeys>]).collect())))
}
