//! How names are told apart: what this machine's resolver is, and which names go to the far side's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::dns::{Domain, Elsewhere, Far, Listener};
use super::program::{ProgramError, find, run};
use super::ranges::Ranges;
use super::table::Redirected;
use crate::dial::{Destination, Dial, Host};

/// Where glibc reads its servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// It takes no more.
const MOST: usize = 3;

/// Which names the far side answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The far side's resolver, as the far side reaches it: a VPC's is its first address plus two. TCP port 53.
    pub resolver: IpAddr,
    /// Names that it answers; every other name stays with this machine's own resolver. None: only what is asked of
    /// it by its address.
    pub domains: Vec<Domain>,
}

/// This machine's name servers.
pub(super) async fn servers() -> Vec<IpAddr> {
    // A machine without the file has a server on loopback, by `resolv.conf(5)`.
    tokio::fs::read_to_string(RESOLV_CONF)
        .await
        .map_or_else(|_| vec![Ipv4Addr::LOCALHOST.into()], |text| read(&text))
}

fn read(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let mut servers: Vec<IpAddr> = Vec::new();
    for line in lines.filter(|line| line.starts_with([' ', '\t'])).take(MOST) {
        // One on a link (`fe80::1%eth0`) cannot be told by its address alone.
        let Some(Ok(server)) = line.split_whitespace().next().map(str::parse) else { continue };
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

/// A listener for each of this machine's name servers, and one for the far side's own address.
pub(super) async fn listeners(
    names: &Names,
    servers: &[IpAddr],
    ranges: &Ranges,
    dial: &Arc<dyn Dial>,
    mark: u32,
) -> io::Result<(Vec<Listener>, Vec<Redirected>)> {
    let resolver = Destination { host: Host::Address(names.resolver), port: 53 };
    let far = Far::new(Arc::clone(dial), resolver);
    let (mut listeners, mut redirected) = (Vec::new(), Vec::new());
    let near = servers.iter().filter(|_| !names.domains.is_empty()).map(|server| {
        let elsewhere = Elsewhere::Near(SocketAddr::new(*server, 53), mark);
        (*server, elsewhere, true)
    });
    // This machine's own server may have the same address, where the machine is in a VPC itself: then it is that.
    let is_near = servers.contains(&names.resolver) && !names.domains.is_empty();
    let itself =
        (ranges.contains(names.resolver) && !is_near).then_some((names.resolver, Elsewhere::Far, false));
    for (server, elsewhere, near) in near.chain(itself) {
        let loopback = if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let listener = Listener::bind(loopback, far.clone(), names.domains.clone(), elsewhere).await?;
        redirected.push(Redirected { server, port: listener.address.port(), near });
        listeners.push(listener);
    }
    Ok((listeners, redirected))
}

/// Tells systemd-resolved, where it runs, which names belong to our link. It forgets them with the link.
pub(super) async fn tell_resolved(link: &str, names: &Names) -> Result<bool, ProgramError> {
    const PROGRAM: &str = "resolvectl";
    if names.domains.is_empty() || find(PROGRAM).is_none() {
        return Ok(false);
    }
    if run(PROGRAM, &["--no-pager", "status"], "", "report its state").await.is_err() {
        // It is installed and does not run.
        return Ok(false);
    }
    let domains: Vec<String> = names.domains.iter().map(|domain| format!("~{domain}")).collect();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    let server = names.resolver.to_string();
    let everything = if names.domains.iter().any(|domain| domain.to_string() == ".") { "yes" } else { "no" };
    run(PROGRAM, &["dns", link, &server], "", "take a server").await?;
    run(PROGRAM, &[&["domain", link][..], &domains].concat(), "", "take domains").await?;
    run(PROGRAM, &["default-route", link, everything], "", "take a link").await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let servers: Vec<String> = read(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, expected);
    }

    #[test]
    fn servers_are_read_as_glibc_does() {
        check("# comment\nsearch example.org\nnameserver 127.0.0.53\noptions edns0\n", &["127.0.0.53"]);
        check(
            "nameserver\t10.0.0.2 # ours\n nameserver fd00::53\nnameserver 10.0.0.2",
            &["10.0.0.2", "fd00::53"],
        );
        check("nameserver fe80::1%eth0\nnameservers 1.1.1.1\n#nameserver 8.8.8.8\n", &[]);
        check(
            "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
            &["1.1.1.1", "1.1.1.2", "1.1.1.3"],
        );
    }
}
