//! `doorward connect`: a target answers on a port of this machine, until the grant ends.

mod held;
mod hold;
mod range;
mod show;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use doorward_core::policy::TargetName;

use self::held::Held;
use self::hold::hold;
use self::range::RangeRequest;
use super::access::{Access, Asking};
use super::desk::Desk;
use super::{Code, Failure};
use crate::connect::{Line, environment, sign_in};
use crate::requests::Offer;

/// Forward a port of this machine to a target
///
/// The command requests a grant, opens the cheapest transport that the policy allows, prints a command line for the
/// client, and keeps the tunnel up until the grant expires or you stop it. The local port of a target is always the
/// same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward connect orders-db
  doorward connect orders-db reports=15433 --for 2h --reason 'ticket 4711'
  doorward connect orders-db --exec psql -c 'select 1'
  doorward connect inside --range auto
  doorward connect inside --socks 127.0.0.1:1080

The command of --exec finds PGHOST, PGPORT and the like in its environment, and DOORWARD_<TARGET>_PORT for each \
target. Its exit code is that of doorward. --range needs root on Linux; --socks and --http-proxy do not.")]
pub struct Connect {
    /// The targets, by their names in the policy; `TARGET=PORT` chooses the local port
    #[arg(required_unless_present = "range", value_name = "TARGET")]
    pub targets: Vec<Target>,
    /// The address of this machine to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind: IpAddr,
    /// Route a range of addresses through the tunnel, as if this machine were inside the network: a CIDR, or `auto`
    /// for the part of the target that is in the jump host's VPC
    #[arg(long, value_name = "CIDR")]
    pub range: Vec<RangeRequest>,
    /// Listen for SOCKS 5, for a target that is a network
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub socks: Option<SocketAddr>,
    /// Listen for HTTP CONNECT, for a target that is a network
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http_proxy: Option<SocketAddr>,
    /// Allow --bind, --socks and --http-proxy to listen on an address that other machines reach: they then have
    /// your access
    #[arg(long)]
    pub anybody: bool,
    /// Sign in to PostgreSQL as this user with IAM: the command of --exec finds the password in its environment,
    /// and sends it only to a server that proves its name
    #[arg(long, value_name = "USER", requires = "exec")]
    pub iam: Option<String>,
    /// Print JSON when the tunnel is up
    #[arg(long)]
    pub json: bool,
    /// Run a command when the tunnel is up, and end with it; everything that follows belongs to the command
    #[arg(long, num_args = 1.., allow_hyphen_values = true, value_name = "COMMAND")]
    pub exec: Vec<OsString>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// A target and the local port that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    name: TargetName,
    port: Option<u16>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = match text.split_once('=') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let wrong = |port: &str| format!("`{port}` is not a port (1 to 65535)");
        let port =
            port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| wrong(port)));
        Ok(Self { name: name.parse().map_err(|error| format!("{error}"))?, port: port.transpose()? })
    }
}

impl Connect {
    /// Connects, and holds it.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        Desk::work(&self.asking.backend, policy, async |desk| self.all(desk).await)
    }

    async fn all(&self, desk: &Desk) -> Result<ExitCode, Failure> {
        self.listens_for_this_machine()?;
        let offers = desk.offers().await?;
        let targets = self.chosen(&offers)?;
        let (tell, news) = show::channel();
        let mut held: Vec<Held> = Vec::new();
        let mut stopped = std::pin::pin!(super::interrupted_or_left());
        for target in &targets {
            let opening = async {
                let marked = !self.range.is_empty();
                let tell = tell.of(held.len());
                let access =
                    Access::open(&self.asking, desk, &target.name, &offers, Arc::clone(&tell), marked)
                        .await?;
                Held::open(self, desk, target, access, tell).await
            };
            // Who stops while it is being opened is not left with something open.
            let opened = tokio::select! {
                opened = opening => opened,
                () = &mut stopped => Err(Failure::new(Code::Interrupted, "interrupted while it was being opened")),
            };
            match opened {
                Ok(opened) => held.push(opened),
                Err(failure) => {
                    held::end(desk, held, "another target could not be connected").await;
                    return Err(failure);
                }
            }
        }
        if let Err(failure) = self.print_connected(&held) {
            held::end(desk, held, "nobody reads standard output").await;
            return Err(failure);
        }
        let environment = self.environment(&held).await;
        let environment = match environment {
            Ok(environment) => environment,
            Err(failure) => {
                held::end(desk, held, "there is no password").await;
                return Err(failure);
            }
        };
        hold(self, desk, held, news, environment, stopped).await
    }

    /// The targets that were named, or the one whose network holds the ranges.
    fn chosen(&self, offers: &[Offer]) -> Result<Vec<Target>, Failure> {
        if !self.targets.is_empty() {
            return Ok(self.targets.clone());
        }
        let holding = offers.iter().filter(|offer| range::holds(offer, &self.range));
        match holding.collect::<Vec<_>>().as_slice() {
            [one] => Ok(vec![Target { name: one.target.clone(), port: None }]),
            [] => Err(Failure::new(
                Code::No,
                "no target that you may open is a network that contains this range",
            )
            .hint("`doorward list` shows what you may open")),
            several => {
                let names: Vec<&str> = several.iter().map(|offer| offer.target.as_str()).collect();
                let what = format!("several targets contain this range: {}", names.join(", "));
                Err(Failure::new(Code::Usage, what).hint("name one of them"))
            }
        }
    }

    fn print_connected(&self, held: &[Held]) -> Result<(), Failure> {
        if self.json {
            let views: Vec<_> = held.iter().map(Held::view).collect();
            return super::print(&super::json(&views)?);
        }
        if self.exec.is_empty() {
            super::print(&held.iter().map(Held::ready).collect::<String>())?;
        }
        Ok(())
    }

    /// What the command of `--exec` finds.
    async fn environment(&self, held: &[Held]) -> Result<Vec<(String, String)>, Failure> {
        let lines: Vec<Line> = held.iter().flat_map(|held| held.lines.iter().cloned()).collect();
        let mut variables = environment(&lines);
        let Some(user) = &self.iam else { return Ok(variables) };
        let unverified =
            |error: sign_in::Unverified| Failure::of(Code::No, &error).hint(error.hint().to_owned());
        let line = sign_in::line(&lines).map_err(unverified)?;
        let (named, home) = (std::env::var("PGSSLROOTCERT").ok(), std::env::home_dir());
        let roots = sign_in::roots(&line.host, named.as_deref(), home.as_deref(), Path::is_file);
        let roots =
            roots.ok_or_else(|| unverified(sign_in::Unverified::NoRoots { host: line.host.clone() }))?;
        let Some(of) = held.iter().find(|held| held.lines.contains(line)) else { return Ok(variables) };
        let token = of.database_token(line, user).await?;
        let signed_in = sign_in::environment(line, user, token, &roots);
        variables.retain(|(name, _)| !signed_in.iter().any(|(ours, _)| ours == name));
        variables.extend(signed_in);
        Ok(variables)
    }

    /// Refuses listeners that other machines can reach, unless that is allowed: their clients have the access of the person.
    fn listens_for_this_machine(&self) -> Result<(), Failure> {
        let of = |front: Option<SocketAddr>| front.map(|front| front.ip());
        let listeners =
            [("--bind", Some(self.bind)), ("--socks", of(self.socks)), ("--http-proxy", of(self.http_proxy))];
        for (option, address) in listeners {
            let Some(address) = address.filter(|address| !is_of_this_machine(*address)) else { continue };
            let what = format!("every client that can reach {address} gets your access to the target");
            if !self.anybody {
                return Err(Failure::new(Code::Usage, format!("{option}: {what}"))
                    .hint("listen on 127.0.0.1, or add `--anybody` to allow that"));
            }
            super::note(&format!("warning: {what}"));
        }
        Ok(())
    }
}

/// Whether only this machine reaches an address.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_of_this_machine() {
        fn check(address: &str, expected: bool) {
            assert_eq!(is_of_this_machine(address.parse().expect("an address")), expected, "{address}");
        }
        check("127.0.0.1", true);
        check("127.1.2.3", true);
        check("::1", true);
        check("::ffff:127.0.0.1", true);
        check("0.0.0.0", false);
        check("::", false);
        check("10.0.0.1", false);
        check("::ffff:10.0.0.1", false);
        check("fe80::1", false);
    }

    #[test]
    fn a_listener_that_other_machines_reach_is_refused_unless_that_is_allowed() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            connect: Connect,
        }
        let check = |options: &str, expected: Option<&str>| {
            let words = ["doorward", "orders-db"].into_iter().chain(options.split_whitespace());
            let line = <Line as clap::Parser>::try_parse_from(words).expect("a command line");
            let refused = line.connect.listens_for_this_machine().err().map(|failure| format!("{failure:?}"));
            assert_eq!(refused.as_deref().is_some(), expected.is_some(), "{options}: {refused:?}");
            let (refused, expected) = (refused.unwrap_or_default(), expected.unwrap_or_default());
            assert!(refused.contains(expected), "{options}: {refused}");
        };
        check("", None);
        check("--bind 127.0.0.2", None);
        check("--bind 0.0.0.0", Some("--bind: every client that can reach 0.0.0.0 gets your access"));
        check("--socks [::]:1080", Some("--socks: every client that can reach ::"));
        check("--http-proxy 10.0.0.1:8080", Some("--http-proxy: every client that can reach 10.0.0.1"));
        check("--bind 0.0.0.0 --anybody", None);
        check("--socks [::1]:1080 --http-proxy 127.0.0.1:0", None);
    }

    #[test]
    fn a_target_may_name_its_local_port() {
        fn check(text: &str, expected: Option<(&str, Option<u16>)>) {
            let read = text.parse::<Target>().ok();
            let read = read.as_ref().map(|target| (target.name.as_str(), target.port));
            assert_eq!(read, expected, "{text}");
        }
        check("orders-db", Some(("orders-db", None)));
        check("orders-db=15432", Some(("orders-db", Some(15432))));
        for text in ["", "=1", "orders-db=", "orders-db=0", "orders-db=65536", "orders db", "a=b=1"] {
            check(text, None);
        }
    }
}
