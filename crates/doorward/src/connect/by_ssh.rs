//! SSH as the transport of a grant, and onto a target: what carries it, who is let in, whose word is taken for the host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use doorward_aws::Jump;
use doorward_core::policy::{Address, Hop, Over};
use doorward_tunnel::dial::{Destination, Dial, Host};
use doorward_tunnel::endpoint::Endpoint;
use doorward_tunnel::news::Tell;
use doorward_tunnel::ssh::host_keys::Host as HostName;
use doorward_tunnel::ssh::login::Login;
use doorward_tunnel::ssh::{self, Ssh};
use doorward_tunnel::ssm::Raw;
use doorward_tunnel::websocket::Connector;

use super::amazon::{Accounts, Amazon, Console, Document, Endpoints, InstanceConnect};
use super::carrier::{Carrier, Error, TransportContext, jump, straight};
use super::host_keys::host_keys;
use crate::bounded_file;
use crate::requests::{Key, Machine};

/// The machine that SSH goes to: an instance of EC2, or a host by its name.
enum Sshd {
    Instance(Jump),
    Host(Host),
}

/// What a policy's `[ssh]` asks: the sshd, what lies under it, and a second hop where one is named.
pub(super) async fn by_ssh(machine: &Machine, context: &TransportContext) -> Result<Carrier, Error> {
    let address: Address =
        machine.jump_host.parse().map_err(|_| Error::NotUnderstood(machine.jump_host.clone()))?;
    let sshd = match address {
        Address::Host(host) => {
            let Ok(host) = host.parse();
            Sshd::Host(host)
        }
        _ => Sshd::Instance(jump(&machine.jump_host, &context.accounts).await?),
    };
    let (under, host, carriers, last) = under(machine, &sshd, context).await?;
    let instance = match &sshd {
        Sshd::Instance(jump) => Some(jump),
        Sshd::Host(_) => None,
    };
    let vpc = instance.and_then(|jump| jump.vpc.clone());
    let login = login(machine, instance, context).await?;
    let at = Destination { host, port: machine.port };
    let (known, around) = (machine.known_hosts.as_deref(), (&context.accounts, &context.tell));
    let first = Arc::new(ssh_to(under, &at, instance, &machine.user, login, known, around)?);
    let Some(then) = &machine.then else {
        return Ok(Carrier { carriers, vpc, last, ssh: vec![Arc::clone(&first)], ..Carrier::of(first) });
    };
    let hop: Hop = then.parse().map_err(|_| Error::NotUnderstood(then.clone()))?;
    let Ok(host) = hop.host.parse();
    let at = Destination { host, port: hop.port };
    let login = match &machine.key {
        Key::File(path) => by_file(path).await?,
        // Instance Connect takes an instance's id, and of a second machine only its address is known.
        Key::InstanceConnect | Key::Agent => by_agent()?,
    };
    let carrier = Arc::clone(&first) as Arc<dyn Dial>;
    let second = Arc::new(ssh_to(carrier, &at, None, hop.user.as_str(), login, known, around)?);
    Ok(Carrier { carriers, vpc, last, ssh: vec![Arc::clone(&second), first], ..Carrier::of(second) })
}

type Under = (Arc<dyn Dial>, Host, Vec<IpAddr>, Arc<Mutex<Option<String>>>);

/// What carries the connection to the sshd, and by which host it is dialled.
async fn under(machine: &Machine, sshd: &Sshd, context: &TransportContext) -> Result<Under, Error> {
    let nothing = Arc::default;
    match (machine.over, sshd) {
        (Over::Direct, Sshd::Host(host)) => {
            let carriers = match host {
                Host::Address(address) => vec![*address],
                Host::Name(name) => tokio::net::lookup_host((name.as_str(), machine.port))
                    .await
                    .map(|found| found.map(|address| address.ip()).collect())
                    .unwrap_or_default(),
            };
            Ok((straight(context), host.clone(), carriers, nothing()))
        }
        (Over::Direct, Sshd::Instance(jump)) => {
            let address = jump.public.or(jump.address).ok_or_else(|| no_address(jump, "usable"))?;
            Ok((straight(context), Host::Address(address), vec![address], nothing()))
        }
        (Over::Ssm, Sshd::Instance(jump)) => {
            let amazon = Amazon::new(&context.accounts, &context.grant, jump.clone(), Document::Ssh);
            let last = Arc::clone(&amazon.last);
            let limits = doorward_tunnel::ssm::Limits::default();
            let connector = Connector::of_this_machine()?;
            let raw = Raw::new(Arc::new(amazon), connector, limits, Arc::clone(&context.tell));
            Ok((Arc::new(raw), Host::Name("localhost".into()), Vec::new(), last))
        }
        (Over::Endpoint, Sshd::Instance(jump)) => {
            let address = jump.address.ok_or_else(|| no_address(jump, "private"))?;
            let endpoint = endpoint(machine, jump, context).await?;
            let tunnels =
                Endpoints { accounts: Arc::clone(&context.accounts), endpoint, until: context.until };
            let dial = Endpoint::new(Arc::new(tunnels), Connector::of_this_machine()?);
            Ok((Arc::new(dial), Host::Address(address), Vec::new(), nothing()))
        }
        (over, _) => Err(Error::NotUnderstood(format!("over = {over}"))),
    }
}

fn no_address(jump: &Jump, what: &'static str) -> Error {
    Error::NoAddress { instance: jump.instance.clone(), what }
}

async fn endpoint(
    machine: &Machine,
    jump: &Jump,
    context: &TransportContext,
) -> Result<doorward_aws::ConnectEndpoint, Error> {
    let account = context.accounts.get().await?;
    let vpc = jump.vpc.clone().unwrap_or_default();
    let found = match &machine.endpoint {
        Some(id) => {
            let id = id.parse().map_err(|_| Error::NotUnderstood(id.clone()))?;
            account.connect_endpoint(&id).await?
        }
        None => account.connect_endpoints(&vpc).await?.into_iter().next(),
    };
    let endpoint = found.ok_or(Error::NoEndpoint { vpc })?;
    if endpoint.ready {
        Ok(endpoint)
    } else {
        Err(Error::NotReady { id: endpoint.id.to_string(), state: endpoint.state })
    }
}

async fn login(
    machine: &Machine,
    instance: Option<&Jump>,
    context: &TransportContext,
) -> Result<Login, Error> {
    match (&machine.key, instance) {
        (Key::InstanceConnect, Some(jump)) => {
            Ok(Login::Pushed(Arc::new(let_in(&context.accounts, jump, &machine.user))))
        }
        (Key::InstanceConnect, None) => Err(Error::NotUnderstood("key = instance-connect".into())),
        (Key::Agent, _) => by_agent(),
        (Key::File(path), _) => by_file(path).await,
    }
}

fn by_agent() -> Result<Login, Error> {
    let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
    Ok(Login::Agent(socket.ok_or(Error::NoAgent)?.into()))
}

async fn by_file(path: &str) -> Result<Login, Error> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let path = path.strip_prefix("~/").map_or_else(|| PathBuf::from(path), |rest| home.join(rest));
    let read = path.clone();
    // A pipe waits for its writer.
    let read = tokio::task::spawn_blocking(move || bounded_file::input_text(&read, bounded_file::SMALL));
    let text = read.await.map_err(std::io::Error::other).and_then(|text| text);
    let text = text.map_err(|source| Error::KeyFile { path, source })?;
    Ok(Login::key(&text, None)?)
}

/// Keys let in for a minute on the instance that an address names.
pub async fn instance_connect(
    accounts: &Arc<Accounts>,
    address: &str,
    user: &str,
) -> Result<InstanceConnect, Error> {
    let jump = jump(address, accounts).await?;
    Ok(let_in(accounts, &jump, user))
}

fn let_in(accounts: &Arc<Accounts>, jump: &Jump, user: &str) -> InstanceConnect {
    InstanceConnect {
        accounts: Arc::clone(accounts),
        instance: jump.instance.clone(),
        zone: jump.zone.clone(),
        user: user.to_owned(),
    }
}

/// SSH onto a target itself, over whatever carries its grant. An instance takes a key by Instance Connect, any other
/// machine one of the person's agent.
pub async fn ssh_onto(
    carrier: Arc<dyn Dial>,
    accounts: &Arc<Accounts>,
    tell: Tell,
    at: Destination,
    address: &str,
    user: &str,
) -> Result<Ssh, Error> {
    let named: Address = address.parse().map_err(|_| Error::NotUnderstood(address.to_owned()))?;
    let instance = if named.is_instance() { Some(jump(address, accounts).await?) } else { None };
    let login = match &instance {
        Some(jump) => Login::Pushed(Arc::new(let_in(accounts, jump, user))),
        None => by_agent()?,
    };
    ssh_to(carrier, &at, instance.as_ref(), user, login, None, (accounts, &tell))
}

fn ssh_to(
    carrier: Arc<dyn Dial>,
    at: &Destination,
    instance: Option<&Jump>,
    user: &str,
    login: Login,
    known_hosts: Option<&str>,
    (accounts, tell): (&Arc<Accounts>, &Tell),
) -> Result<Ssh, Error> {
    let console = instance
        .map(|_| Arc::new(Console(Arc::clone(accounts))) as Arc<dyn doorward_tunnel::ssh::pins::Consoles>);
    let keys = host_keys(known_hosts, console).ok_or(Error::NoHome)?;
    let address = instance.and_then(|jump| jump.address).map(|address| address.to_string());
    let names = match instance {
        Some(jump) => [Some(jump.instance.clone()), address].into_iter().flatten().collect(),
        None => vec![at.host.to_string()],
    };
    let host = HostName { names, port: at.port, instance: instance.map(|jump| jump.instance.clone()) };
    let options = ssh::Options {
        at: at.clone(),
        host,
        user: user.to_owned(),
        login,
        host_keys: keys,
        tell: Arc::clone(tell),
        limits: ssh::Limits::default(),
    };
    Ok(Ssh::new(carrier, options))
}
