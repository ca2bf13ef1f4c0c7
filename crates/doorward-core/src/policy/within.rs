//! Targets that lie in a network that is a target, too.

use super::{Address, Target, Transport};

impl Target {
    /// The network, or the domain, of this target by which a grant of it leads to another one as well, whatever the transports
    /// and the firewall of that. Ports are not compared.
    pub(crate) fn network_with(&self, other: &Self) -> Option<String> {
        let Address::Network(networks) = &self.address else { return None };
        // WireGuard is not carried yet, and nothing else leads into a whole network.
        if !self.transports.contains(&Transport::Ssh) {
            return None;
        }
        match &other.address {
            Address::Network(others) => {
                let meets = |one: &&crate::net::Cidr| {
                    others.iter().any(|other| one.covers(*other) || other.covers(**one))
                };
                networks.iter().find(meets).map(ToString::to_string)
            }
            Address::Host(host) => match other.address.ip() {
                Some(address) => {
                    networks.iter().find(|network| network.contains(address)).map(ToString::to_string)
                }
                // Where the name leads is known only where it is resolved, which for these names is in the network.
                None => {
                    let has = |below: &&String| {
                        host.strip_suffix(below.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    };
                    self.names.as_ref()?.below.iter().find(has).cloned()
                }
            },
            // What they resolve to is not in the policy.
            Address::Rds(_)
            | Address::Proxy(_)
            | Address::Cache(_)
            | Address::Instance(_)
            | Address::Tag(..) => None,
        }
    }
}
