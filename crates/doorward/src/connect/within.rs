//! Nothing beyond the grant: whatever stands in front of a transport, only what was granted is dialled.

use std::net::IpAddr;
use std::sync::Arc;

use doorward_core::net::{Cidr, Flow};
use doorward_tunnel::dial::{Answer, BoxedStream, Destination, Dial, DialError, Host};
use doorward_tunnel::forward::Allowed;

use crate::requests::Through;

/// What a grant lets reach.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The places: one host, or networks.
    pub places: Places,
    /// TCP ports, each from and to.
    pub ports: Vec<(u16, u16)>,
}

/// Which places.
#[derive(Debug, Clone)]
pub enum Places {
    /// Exactly this.
    One(Host),
    /// Every address of these; names that the far side looks up, below these domains.
    Networks {
        /// The networks.
        cidrs: Vec<Cidr>,
        /// The domains.
        below: Vec<String>,
        /// Who answers for names, by TCP port 53.
        resolver: Option<IpAddr>,
    },
}

impl Granted {
    /// Of the flows of a grant. What is not TCP is not carried.
    pub fn new(places: Places, flows: &[Flow]) -> Self {
        let ports = flows.iter().flat_map(|flow| match flow {
            Flow::Tcp(ports) => Some((ports.from(), ports.to())),
            Flow::All => Some((0, u16::MAX)),
            _ => None,
        });
        Self { places, ports: ports.collect() }
    }

    /// Each port, where there are no more than `most`; a range of them counts one by one.
    pub fn each(&self, most: usize) -> Option<Vec<u16>> {
        let mut ports: Vec<u16> = Vec::new();
        for (from, to) in &self.ports {
            if usize::from(to - from) >= most {
                return None;
            }
            ports.extend(*from..=*to);
        }
        ports.sort_unstable();
        ports.dedup();
        (ports.len() <= most).then_some(ports)
    }

    /// Whether it lets reach a place; why not, in words.
    pub fn lets(&self, to: &Destination) -> Result<(), String> {
        if let Places::Networks { resolver: Some(resolver), .. } = &self.places
            && to.port == 53
            && to.host == Host::Address(*resolver)
        {
            return Ok(());
        }
        let place = match (&self.places, &to.host) {
            (Places::One(host), asked) => host == asked,
            (Places::Networks { cidrs, .. }, Host::Address(address)) => {
                cidrs.iter().any(|cidr| cidr.contains(*address))
            }
            (Places::Networks { below, .. }, Host::Name(name)) => {
                below.iter().any(|domain| is_below(name, domain))
            }
        };
        if !place {
            return Err("the grant does not include that destination".into());
        }
        if !self.ports.iter().any(|(from, to_port)| (*from..=*to_port).contains(&to.port)) {
            return Err(format!("the grant does not include tcp/{}", to.port));
        }
        Ok(())
    }
}

/// What a grant of a target that is a network lets reach.
pub fn granted_networks(through: &Through) -> Granted {
    let places = Places::Networks {
        cidrs: through.networks.clone(),
        below: through.names.iter().flat_map(|names| names.below.iter().cloned()).collect(),
        resolver: through.names.as_ref().map(|names| names.resolver),
    };
    Granted::new(places, &through.ports)
}

fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.').to_ascii_lowercase(), domain.to_ascii_lowercase());
    name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
}

/// A transport of which only what was granted is used.
pub struct Within {
    dial: Arc<dyn Dial>,
    granted: Arc<Granted>,
}

impl Within {
    /// Limits a transport.
    pub fn new(dial: Arc<dyn Dial>, granted: Granted) -> Self {
        Self { dial, granted: Arc::new(granted) }
    }

    /// The same for front ends that refuse in their own words.
    pub fn allowed(&self) -> Allowed {
        let granted = Arc::clone(&self.granted);
        Arc::new(move |to| granted.lets(to))
    }
}

impl Dial for Within {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            self.granted.lets(to).map_err(|why| DialError::Unreachable { to: to.clone(), why })?;
            self.dial.dial(to).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(granted: &Granted, host: &str, port: u16, expected: bool) {
        let Ok(host) = host.parse();
        assert_eq!(granted.lets(&Destination { host, port }).is_ok(), expected, "{port}");
    }

    fn flows(texts: &[&str]) -> Vec<Flow> {
        texts.iter().map(|text| text.parse().expect("a flow")).collect()
    }

    #[test]
    fn one_place_is_that_place_and_its_ports() {
        let Ok(host) = "10.0.0.7".parse();
        let one = Granted::new(Places::One(host), &flows(&["tcp/5432", "udp/53"]));
        check(&one, "10.0.0.7", 5432, true);
        check(&one, "10.0.0.7", 53, false);
        check(&one, "10.0.0.8", 5432, false);
        check(&one, "db.internal", 5432, false);
    }

    #[test]
    fn a_network_is_its_addresses_its_names_and_its_resolver() {
        let places = Places::Networks {
            cidrs: vec!["10.0.0.0/16".parse().expect("a network")],
            below: vec!["internal.example".into()],
            resolver: Some("10.0.0.2".parse().expect("an address")),
        };
        let network = Granted::new(places, &flows(&["tcp/5432", "tcp/8000-8010"]));
        check(&network, "10.0.255.1", 5432, true);
        check(&network, "10.0.255.1", 8005, true);
        check(&network, "10.0.255.1", 8011, false);
        check(&network, "10.1.0.1", 5432, false);
        check(&network, "10.0.0.2", 53, true);
        check(&network, "10.0.0.3", 53, false);
        check(&network, "db.Internal.example.", 5432, true);
        check(&network, "internal.example", 5432, true);
        check(&network, "evilinternal.example", 5432, false);
    }

    #[test]
    fn ports_are_counted_one_by_one() {
        fn check(texts: &[&str], expected: Option<&[u16]>) {
            let Ok(host) = "10.0.0.7".parse();
            let granted = Granted::new(Places::One(host), &flows(texts));
            assert_eq!(granted.each(4).as_deref(), expected, "{texts:?}");
        }
        check(&["tcp/5432"], Some(&[5432]));
        check(&["tcp/8000-8003"], Some(&[8000, 8001, 8002, 8003]));
        check(&["tcp/8000-8001", "tcp/8001-8002"], Some(&[8000, 8001, 8002]));
        check(&["tcp/8000-8004"], None);
        check(&["tcp/0-65535"], None);
        check(&["udp/53"], Some(&[]));
    }

    #[test]
    fn no_port_is_no_port() {
        let Ok(host) = "10.0.0.7".parse();
        check(&Granted::new(Places::One(host), &[]), "10.0.0.7", 5432, false);
    }
}
