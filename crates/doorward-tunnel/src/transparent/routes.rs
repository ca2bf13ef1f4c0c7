//! The machine's routes, as `ip -j route show table all` tells them.

use std::net::IpAddr;

use doorward_core::net::{Cidr, Family};
use serde::Deserialize;

use super::program::{ProgramError, run};

/// A route that is narrower than "everything".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// To where.
    pub to: Cidr,
    /// Over which link; none where packets are discarded (`blackhole`, `unreachable`).
    pub link: Option<String>,
}

/// What the machine can reach, and by what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Routes {
    /// Every route but the default ones and those to the machine itself.
    pub routes: Vec<Route>,
    /// The next hops of all of them.
    pub gateways: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct RouteOutput {
    #[serde(default)]
    dst: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    dev: Option<String>,
    gateway: Option<IpAddr>,
    via: Option<Via>,
    #[serde(default)]
    nexthops: Vec<Hop>,
}

#[derive(Deserialize)]
struct Hop {
    dev: Option<String>,
    gateway: Option<IpAddr>,
    via: Option<Via>,
}

#[derive(Deserialize)]
struct Via {
    host: IpAddr,
}

impl Routes {
    /// Asks the kernel.
    pub async fn read() -> Result<Self, ProgramError> {
        let mut all = Self::default();
        for family in [Family::V4, Family::V6] {
            let option = if family == Family::V4 { "-4" } else { "-6" };
            let said = run("ip", &["-j", option, "route", "show", "table", "all"], "", "show routes").await?;
            all.add(family, &said)?;
        }
        Ok(all)
    }

    fn add(&mut self, family: Family, said: &str) -> Result<(), ProgramError> {
        // An empty table is no list, or a list of an empty object.
        let said = if said.trim().is_empty() { "[]" } else { said };
        let route: Vec<RouteOutput> =
            serde_json::from_str(said).map_err(|source| ProgramError::Answer("ip", source))?;
        for route in route {
            let discards = match route.kind.as_deref() {
                None | Some("unicast") => false,
                Some("blackhole" | "unreachable" | "prohibit") => true,
                Some(_) => continue,
            };
            let hops = route.nexthops.iter();
            let gateways = hops.clone().flat_map(|hop| [hop.gateway, hop.via.as_ref().map(|via| via.host)]);
            let own = [route.gateway, route.via.as_ref().map(|via| via.host)];
            self.gateways.extend(own.into_iter().chain(gateways).flatten());
            let Ok(to) = route.dst.parse::<Cidr>() else { continue };
            if to.is_everyone() || to.family() != family {
                continue;
            }
            let link = route.dev.clone().or_else(|| hops.clone().find_map(|hop| hop.dev.clone()));
            self.routes.push(Route { to, link: link.filter(|_| !discards) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: Family, said: &str, routes: &[(&str, Option<&str>)], gateways: &[&str]) {
        let mut found = Routes::default();
        found.add(family, said).expect("it is read");
        let wanted: Vec<Route> = routes
            .iter()
            .map(|(to, link)| Route { to: to.parse().expect("a CIDR"), link: link.map(str::to_owned) })
            .collect();
        assert_eq!(found.routes, wanted);
        let wanted: Vec<IpAddr> = gateways.iter().map(|text| text.parse().expect("an address")).collect();
        assert_eq!(found.gateways, wanted);
    }

    #[test]
    fn routes_are_read_as_ip_tells_them() {
        check(Family::V4, "", &[], &[]);
        check(Family::V4, "[{}]", &[], &[]);
        check(
            Family::V4,
            r#"[{"dst":"default","gateway":"192.168.1.1","dev":"eth0","flags":[]},
                {"dst":"192.168.1.0/24","dev":"eth0","protocol":"kernel","scope":"link","flags":[]},
                {"dst":"10.8.0.1","dev":"wg0","table":"51820","flags":[]},
                {"type":"blackhole","dst":"10.9.0.0/16","flags":[]},
                {"dst":"10.7.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"eth1","flags":[]},
                {"dst":"10.6.0.0/16","flags":[],"nexthops":[{"gateway":"192.168.1.2","dev":"eth0","weight":1}]},
                {"type":"local","dst":"127.0.0.0/8","dev":"lo","table":"local","flags":[]}]"#,
            &[
                ("192.168.1.0/24", Some("eth0")),
                ("10.8.0.1", Some("wg0")),
                ("10.9.0.0/16", None),
                ("10.7.0.0/16", Some("eth1")),
                ("10.6.0.0/16", Some("eth0")),
            ],
            &["192.168.1.1", "fe80::1", "192.168.1.2"],
        );
        check(
            Family::V6,
            r#"[{"dst":"fd00:1::/64","dev":"eth0","flags":[]},{"dst":"fe80::/64","dev":"eth0","flags":[]},
                {"type":"unreachable","dst":"default","dev":"lo","metric":4294967295,"flags":[]}]"#,
            &[("fd00:1::/64", Some("eth0")), ("fe80::/64", Some("eth0"))],
            &[],
        );
    }
}
