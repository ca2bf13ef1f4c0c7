//! Carries a grant from this machine: the transport that the policy names is built, held, and cut at the grant's end.

mod amazon;
mod by_ssh;
mod carrier;
mod host_keys;
mod line;
mod ports;
pub mod sign_in;
mod within;

pub use amazon::{Accounts, Vend};
pub use by_ssh::{instance_connect, ssh_onto};
pub use carrier::{Carrier, Error, TransportContext, build, locate, shells};
pub use line::{Line, environment, lines};
pub use ports::usual;
pub use within::{Granted, Places, Within, granted_networks};
