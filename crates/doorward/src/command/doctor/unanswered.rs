//! What to check if the target did not respond, by the transport that was used.

use doorward_tunnel::dial::DialError;

use crate::requests::{By, Relay, Through};

/// How it did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its name could not be resolved.
    Name,
    Refused,
    Silent,
    /// It was let go of at once.
    Cut,
}

impl Fault {
    /// By what a dial said.
    pub fn of(error: &DialError) -> Self {
        match error {
            DialError::TimedOut { .. } => Self::Silent,
            DialError::Local { source, .. } if is_name(&source.to_string()) => Self::Name,
            DialError::Unreachable { why, .. } if is_name(why) => Self::Name,
            DialError::Closed { .. } => Self::Cut,
            DialError::Refused { .. } | DialError::Unreachable { .. } | DialError::Local { .. } => {
                Self::Refused
            }
        }
    }
}

/// Whether these are a resolver's words (getaddrinfo's, as glibc, musl, macOS, and sshd and Go hand them on).
fn is_name(words: &str) -> bool {
    const WORDS: [&str; 7] = [
        "name or service not known",
        "temporary failure in name resolution",
        "no address associated with hostname",
        "name does not resolve",
        "nodename nor servname provided",
        "failed to lookup address",
        "no such host",
    ];
    let words = words.to_ascii_lowercase();
    WORDS.iter().any(|known| words.contains(known))
}

/// What to check.
pub fn fix(through: &Through, fault: Fault) -> String {
    if let Some(Relay { host, port }) = &through.relay {
        let host = host.as_deref().unwrap_or("the server");
        return match fault {
            Fault::Name => format!(
                "check that `{host}` is the name of the relay's machine, and that this machine can resolve it"
            ),
            Fault::Cut => format!(
                "the relay on {host} closed the connection: check that the target listens behind it, and that the relay \
                 admits this address (`doorward list` shows which one the grant admits)"
            ),
            Fault::Refused | Fault::Silent => format!(
                "check that `doorward serve` runs on {host}, and that every firewall on the path allows tcp/{port}"
            ),
        };
    }
    match (&through.by, fault) {
        (By::Direct, Fault::Name) => {
            "check the name. A private name is resolved only inside its VPC: then only `ssm` or \
             `ssh` reaches the target"
                .into()
        }
        (By::Direct, Fault::Silent) => {
            "check that this machine has the address that the grant admits (`doorward list`), that the \
             target can be reached from outside its VPC, and that its network ACLs allow it"
                .into()
        }
        (By::Direct, Fault::Refused | Fault::Cut) => "check that it listens on that port: this machine can reach its address".into(),
        (By::Ssm(_) | By::Ssh(_), Fault::Name) => {
            "check that the name is right, and that the resolver of the jump host knows it".into()
        }
        (By::Ssm(_) | By::Ssh(_), Fault::Silent) => {
            "its security group probably does not allow traffic from the jump host".into()
        }
        (By::Ssm(_) | By::Ssh(_), Fault::Refused | Fault::Cut) => {
            "check that it listens on that port, and that its security group allows traffic from that of the jump host".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use doorward_tunnel::dial::{Destination, Host};

    use super::*;
    use crate::requests::Sessions;

    fn through(by: By, relay: Option<Relay>) -> Through {
        Through {
            address: Some("db.internal".into()),
            networks: Vec::new(),
            ports: Vec::new(),
            names: None,
            profile: None,
            region: None,
            relay,
            vended: false,
            by,
        }
    }

    #[test]
    fn only_who_goes_by_a_jump_host_is_told_to_look_at_one() {
        let sessions = Sessions { jump_host: "tag:Name=jump".into(), document: None, sessions: 1 };
        let relay = Relay { host: Some("door.example.org".into()), port: 15_432 };
        let direct = through(By::Direct, None);
        let relayed = through(By::Direct, Some(relay));
        let carried = through(By::Ssm(sessions), None);
        for fault in [Fault::Name, Fault::Refused, Fault::Silent, Fault::Cut] {
            assert!(!fix(&direct, fault).contains("jump host"), "{fault:?}");
            assert!(!fix(&relayed, fault).contains("jump host"), "{fault:?}");
            assert!(fix(&relayed, fault).contains("door.example.org"), "{fault:?}");
            assert!(fix(&carried, fault).contains("jump host"), "{fault:?}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_no_firewall() {
        let to = || Destination { host: Host::Name("db.internal".into()), port: 5432 };
        let local = |words: &str| DialError::Local { to: to(), source: io::Error::other(words.to_owned()) };
        let glibc = local("failed to lookup address information: Name or service not known");
        assert_eq!(Fault::of(&glibc), Fault::Name);
        let why = "open failed: Temporary failure in name resolution".to_owned();
        assert_eq!(Fault::of(&DialError::Unreachable { to: to(), why }), Fault::Name);
        assert_eq!(Fault::of(&local("Network is unreachable")), Fault::Refused);
        assert_eq!(Fault::of(&DialError::TimedOut { to: to(), seconds: 15 }), Fault::Silent);
        assert_eq!(Fault::of(&DialError::Refused { to: to() }), Fault::Refused);
    }
}
