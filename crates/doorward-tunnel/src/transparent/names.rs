//! How names are told apart: what this machine's resolver is, and which names go to the far side's.

use std::net::IpAddr;

use super::dns::Domain;
use super::program::{ProgramError, find, run};

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
        .map_or_else(|_| vec![std::net::Ipv4Addr::LOCALHOST.into()], |text| read(&text))
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

/// Tells systemd-resolved, where it runs, which names belong to our link. It forgets them with the link.
pub(super) async fn tell_resolved(link: &str, names: &Names) -> Result<bool, ProgramError> {
    const PROGRAM: &str = "resolvectl";
    if names.domains.is_empty() || find(PROGRAM).is_none() {
        return Ok(false);
    }
    if run(PROGRAM, &["--no-pager", "status"], "", "tell its state").await.is_err() {
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
