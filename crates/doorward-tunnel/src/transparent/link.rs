//! A link of our own with the routes of the ranges, so that a destination can be connected to at all.
//!
//! With a route of its own a flow keeps working when the machine changes its network, and what the table does not
//! take (because somebody flushed it) leads nowhere, instead of leaving in the clear.

use std::os::fd::OwnedFd;

use doorward_core::net::Family;

use super::program::{ProgramError, run};
use super::ranges::{LINK, Ranges};
use super::socket;

/// Addresses that exist to be senders: RFC 7600 and RFC 9780. No packet with them leaves this machine.
const SENDER_V4: &str = "192.0.0.8/32";
const SENDER_V6: &str = "100:0:0:1::1/128";

/// Why there is no such link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The kernel makes none.
    #[error("the kernel cannot create a `tun` link")]
    Make(#[source] std::io::Error),
    /// `ip` did not do as it was asked.
    #[error(transparent)]
    Ip(#[from] ProgramError),
}

/// The link; it is gone when this is dropped, however that comes.
pub(super) struct Link {
    pub name: String,
    _device: OwnedFd,
}

impl Link {
    /// Makes it, with a route for each range.
    pub async fn new(ranges: &Ranges) -> Result<Self, LinkError> {
        let name = format!("{LINK}{}", std::process::id());
        let device = socket::tun(&name).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => LinkError::Ip(ProgramError::NotPermitted),
            _ => LinkError::Make(error),
        })?;
        // As wide as loopback, which is where its flows go: the kernel cuts them into fewer pieces.
        let mut commands = vec![format!("link set dev {name} mtu 65535 up")];
        if ranges.has(Family::V4) {
            commands.push(format!("address add {SENDER_V4} dev {name}"));
        }
        if ranges.has(Family::V6) {
            commands.push(format!("address add {SENDER_V6} dev {name} nodad"));
        }
        commands.extend(ranges.carried().iter().map(|range| format!("route add {range} dev {name}")));
        commands.push(String::new());
        run("ip", &["-batch", "-"], &commands.join("\n"), "add a link and its routes").await?;
        Ok(Self { name, _device: device })
    }
}
