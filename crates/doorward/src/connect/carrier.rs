//! Builds the transport of a grant: which dials stand on which.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use doorward_aws::{Jump, JumpError, LocateError, Located};
use doorward_core::audit::cloudtrail;
use doorward_core::grant::GrantId;
use doorward_core::policy::{Address, Hop};
use doorward_tunnel::dial::{Destination, Dial, DialError, Host};
use doorward_tunnel::endpoint::Endpoint;
use doorward_tunnel::news::Tell;
use doorward_tunnel::ssh::host_keys::Host as HostName;
use doorward_tunnel::ssh::login::{Login, LoginError};
use doorward_tunnel::ssh::{self, Ssh, SshError};
use doorward_tunnel::ssm::{Pool, Raw, Ssm};
use doorward_tunnel::transparent::{MARK, Marked};
use doorward_tunnel::websocket::{Connector, WebSocketError};
use jiff::Timestamp;

use super::amazon::{Accounts, Amazon, Console, Document, Endpoints, InstanceConnect, NoAccount};
use super::host_keys::host_keys;
use crate::requests::{By, Key, Machine, Sessions, Through};

/// Why a grant cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was sent is not what this version knows.
    #[error("the policy says `{0}`, which this version does not understand")]
    NotUnderstood(String),
    /// Where the target is.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The jump host.
    #[error(transparent)]
    Jump(#[from] JumpError),
    /// AWS.
    #[error(transparent)]
    Aws(#[from] doorward_aws::Error),
    /// Credentials.
    #[error(transparent)]
    Account(#[from] NoAccount),
    /// There is no Instance Connect Endpoint to go through.
    #[error("no Instance Connect Endpoint leads into {vpc}")]
    NoEndpoint {
        /// The VPC.
        vpc: String,
    },
    /// There is one, and it is not ready.
    #[error("the endpoint {id} carries nothing: it is {state}")]
    NotReady {
        /// Which.
        id: String,
        /// Its state.
        state: String,
    },
    /// The jump host has no address that is of use here.
    #[error("{instance} has no {what} address")]
    NoAddress {
        /// Which.
        instance: String,
        /// Which kind.
        what: &'static str,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] LoginError),
    /// The key's file.
    #[error("cannot read the key `{}`", path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No agent runs.
    #[error("the policy has SSH log in by your agent's keys, and SSH_AUTH_SOCK names none")]
    NoAgent,
    /// There is nowhere to remember host keys.
    #[error("neither HOME nor XDG_CONFIG_HOME is set, so host keys cannot be remembered")]
    NoHome,
    /// Certificates and proxies.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    /// SSH did not come to stand.
    #[error(transparent)]
    Ssh(#[from] Arc<SshError>),
    /// The transport did not come to stand.
    #[error(transparent)]
    Dial(#[from] DialError),
}

impl Error {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locate(error) => error.hint(),
            Self::Jump(error) => error.hint(),
            Self::Aws(error) | Self::Account(NoAccount::Own(error)) => error.hint().map(str::to_owned),
            Self::NoEndpoint { .. } => Some(
                "make one (`aws ec2 create-instance-connect-endpoint`), or write `over = \"ssm\"`".into(),
            ),
            Self::NoAgent => Some("start one (`eval $(ssh-agent)`) and add your key (`ssh-add`)".into()),
            Self::NotUnderstood(_) => Some("is this doorward as new as the server?".into()),
            _ => None,
        }
    }
}

/// For whom and what a transport is built.
pub struct Place {
    /// The grant, which every session bears in its reason.
    pub grant: GrantId,
    /// Its end.
    pub until: Option<Timestamp>,
    /// By whose credentials AWS is asked.
    pub accounts: Arc<Accounts>,
    /// Who is told what happens.
    pub tell: Tell,
    /// Whether our own sockets are marked, so that a range leaves them alone.
    pub marked: bool,
}

/// A transport, with all that it stands on.
pub struct Carrier {
    /// What dials.
    pub dial: Arc<dyn Dial>,
    /// Addresses by which the far side itself is reached.
    pub carriers: Vec<IpAddr>,
    /// The last session, by the name that AWS gave it.
    last: Arc<Mutex<Option<String>>>,
    ssm: Option<Arc<Ssm>>,
    /// The last hop first.
    ssh: Vec<Arc<Ssh>>,
}

impl Carrier {
    fn of(dial: Arc<dyn Dial>) -> Self {
        Self { dial, carriers: Vec::new(), last: Arc::default(), ssm: None, ssh: Vec::new() }
    }

    /// The session, by the name that AWS gave it.
    pub fn session(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a session that was started beside the transport.
    pub fn note_session(&self, session: &str) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.to_owned());
    }

    /// Connects now, so that what is wrong is said before anybody uses it.
    pub async fn open(&self, to: Option<&Destination>) -> Result<(), Error> {
        if let Some(ssh) = self.ssh.first() {
            ssh.connect().await?;
        }
        if let (Some(ssm), Some(to)) = (&self.ssm, to) {
            ssm.open(to).await?;
        }
        Ok(())
    }

    /// SSH itself, where that is what carries.
    pub fn ssh(&self) -> Option<&Ssh> {
        self.ssh.first().map(|ssh| &**ssh)
    }

    /// Says goodbye to the far side and cuts what is still carried.
    pub async fn close(self) {
        for ssh in &self.ssh {
            ssh.close().await;
        }
        if let Some(ssm) = &self.ssm {
            ssm.close().await;
        }
    }
}

/// Builds the transport; nothing is dialled yet, but AWS is asked where the jump host is.
pub async fn build(through: &Through, place: &Place) -> Result<Carrier, Error> {
    match &through.by {
        By::Direct => Ok(Carrier::of(straight(place))),
        By::Ssm(sessions) => by_sessions(sessions, place).await,
        By::Ssh(machine) => by_ssh(machine, place).await,
    }
}

/// Where the target is, as the far side knows it.
pub async fn locate(through: &Through, accounts: &Accounts) -> Result<Located, Error> {
    let address = through.address.as_deref().unwrap_or_default();
    let address: Address = address.parse().map_err(|_| Error::NotUnderstood(address.to_owned()))?;
    if let Address::Host(host) = address {
        // It is where it says, and nobody needs to be asked.
        return Ok(Located { what: format!("`{host}`"), host, ..Located::default() });
    }
    if let Some(told) = accounts.told().await?
        && told.target == address.to_string()
        && let Some(host) = told.host
    {
        return Ok(Located { what: format!("`{address}`"), host, ..Located::default() });
    }
    Ok(accounts.get().await?.locate(&address).await?)
}

fn straight(place: &Place) -> Arc<dyn Dial> {
    if place.marked { Arc::new(Marked(MARK)) } else { Arc::new(doorward_tunnel::dial::Straight) }
}

async fn jump(text: &str, accounts: &Accounts) -> Result<Jump, Error> {
    let address: Address = text.parse().map_err(|_| Error::NotUnderstood(text.to_owned()))?;
    if let Some(told) = accounts.told().await?.filter(|told| told.jump_host == text) {
        return Ok(Jump {
            instance: told.instance,
            name: None,
            zone: told.zone,
            address: told.address,
            public: None,
            vpc: told.vpc,
            subnet: None,
            state: "running".into(),
        });
    }
    Ok(accounts.get().await?.jump(&address).await?)
}

impl Amazon {
    /// Sessions to an instance, for a grant.
    pub fn of(place: &Place, jump: Jump, document: Document) -> Self {
        Self {
            accounts: Arc::clone(&place.accounts),
            jump,
            document,
            reason: cloudtrail::reason(&place.grant),
            last: Arc::default(),
        }
    }
}

async fn by_sessions(sessions: &Sessions, place: &Place) -> Result<Carrier, Error> {
    let jump = jump(&sessions.jump_host, &place.accounts).await?;
    let document = sessions.document.clone().map_or(Document::Shared, Document::Pinned);
    let amazon = Amazon::of(place, jump, document);
    let last = Arc::clone(&amazon.last);
    let pool = Pool { sessions: usize::from(sessions.sessions.max(1)), ..Pool::default() };
    let connector = Connector::of_this_machine()?;
    let ssm = Arc::new(Ssm::new(Arc::new(amazon), connector, pool, Arc::clone(&place.tell)));
    Ok(Carrier { ssm: Some(Arc::clone(&ssm)), last, ..Carrier::of(ssm) })
}

/// The machine that SSH goes to: an instance of EC2, or a host by its name.
enum Sshd {
    Instance(Jump),
    Host(Host),
}

async fn by_ssh(machine: &Machine, place: &Place) -> Result<Carrier, Error> {
    let address: Address =
        machine.jump_host.parse().map_err(|_| Error::NotUnderstood(machine.jump_host.clone()))?;
    let sshd = match address {
        Address::Host(host) => {
            let Ok(host) = host.parse();
            Sshd::Host(host)
        }
        _ => Sshd::Instance(jump(&machine.jump_host, &place.accounts).await?),
    };
    let (under, host, carriers, last) = under(machine, &sshd, place).await?;
    let instance = match &sshd {
        Sshd::Instance(jump) => Some(jump),
        Sshd::Host(_) => None,
    };
    let login = login(machine, instance, place).await?;
    let at = Destination { host, port: machine.port };
    let (known, around) = (machine.known_hosts.as_deref(), (&place.accounts, &place.tell));
    let first = Arc::new(ssh_to(under, &at, instance, &machine.user, login, known, around)?);
    let Some(then) = &machine.then else {
        return Ok(Carrier { carriers, last, ssh: vec![Arc::clone(&first)], ..Carrier::of(first) });
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
    Ok(Carrier { carriers, last, ssh: vec![Arc::clone(&second), first], ..Carrier::of(second) })
}

type Under = (Arc<dyn Dial>, Host, Vec<IpAddr>, Arc<Mutex<Option<String>>>);

/// What carries the connection to the sshd, and by which host it is dialled.
async fn under(machine: &Machine, sshd: &Sshd, place: &Place) -> Result<Under, Error> {
    let nothing = Arc::default;
    match (machine.over.as_str(), sshd) {
        ("direct", Sshd::Host(host)) => {
            let carriers = match host {
                Host::Address(address) => vec![*address],
                Host::Name(name) => tokio::net::lookup_host((name.as_str(), machine.port))
                    .await
                    .map(|found| found.map(|address| address.ip()).collect())
                    .unwrap_or_default(),
            };
            Ok((straight(place), host.clone(), carriers, nothing()))
        }
        ("direct", Sshd::Instance(jump)) => {
            let address = jump.public.or(jump.address).ok_or_else(|| no_address(jump, "usable"))?;
            Ok((straight(place), Host::Address(address), vec![address], nothing()))
        }
        ("ssm", Sshd::Instance(jump)) => {
            let amazon = Amazon::of(place, jump.clone(), Document::Ssh);
            let last = Arc::clone(&amazon.last);
            let limits = doorward_tunnel::ssm::Limits::default();
            let connector = Connector::of_this_machine()?;
            let raw = Raw::new(Arc::new(amazon), connector, limits, Arc::clone(&place.tell));
            Ok((Arc::new(raw), Host::Name("localhost".into()), Vec::new(), last))
        }
        ("endpoint", Sshd::Instance(jump)) => {
            let address = jump.address.ok_or_else(|| no_address(jump, "private"))?;
            let endpoint = endpoint(machine, jump, place).await?;
            let tunnels = Endpoints { accounts: Arc::clone(&place.accounts), endpoint, until: place.until };
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
    place: &Place,
) -> Result<doorward_aws::ConnectEndpoint, Error> {
    let account = place.accounts.get().await?;
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

async fn login(machine: &Machine, instance: Option<&Jump>, place: &Place) -> Result<Login, Error> {
    match (&machine.key, instance) {
        (Key::InstanceConnect, Some(jump)) => {
            Ok(Login::Pushed(Arc::new(let_in(&place.accounts, jump, &machine.user))))
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
    let text = tokio::fs::read_to_string(&path).await;
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

/// Shells on the instance that an address names.
pub async fn shells(grant: GrantId, accounts: &Arc<Accounts>, address: &str) -> Result<Amazon, Error> {
    let jump = jump(address, accounts).await?;
    Ok(Amazon {
        accounts: Arc::clone(accounts),
        jump,
        document: Document::Shell,
        reason: cloudtrail::reason(&grant),
        last: Arc::default(),
    })
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
