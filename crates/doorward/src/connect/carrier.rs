//! Builds the transport of a grant: which dials stand on which.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use doorward_aws::{Jump, JumpError, LocateError, Located};
use doorward_core::grant::GrantId;
use doorward_core::net::Cidr;
use doorward_core::policy::Address;
use doorward_tunnel::dial::{Destination, Dial, DialError};
use doorward_tunnel::news::Tell;
use doorward_tunnel::ssh::login::LoginError;
use doorward_tunnel::ssh::{Ssh, SshError};
use doorward_tunnel::ssm::{Pool, Ssm};
use doorward_tunnel::transparent::{MARK, Marked};
use doorward_tunnel::websocket::{Connector, WebSocketError};
use jiff::Timestamp;

use super::amazon::{Accounts, Amazon, Document, NoAccount};
use super::by_ssh::by_ssh;
use crate::requests::{By, Relay, Sessions, Through};

/// Why a grant cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was sent is not what this version knows.
    #[error("the policy has `{0}`, which this version does not support")]
    NotUnderstood(String),
    /// Where the target is.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The jump host.
    #[error(transparent)]
    Jump(#[from] JumpError),
    #[error(transparent)]
    Aws(#[from] doorward_aws::Error),
    /// Credentials.
    #[error(transparent)]
    Account(#[from] NoAccount),
    /// There is no Instance Connect Endpoint to go through.
    #[error("no Instance Connect Endpoint is in {vpc}")]
    NoEndpoint { vpc: String },
    /// There is one, and it is not ready.
    #[error("the endpoint {id} cannot be used: it is {state}")]
    NotReady { id: String, state: String },
    /// The jump host has no address that is of use here.
    #[error("{instance} has no {what} address")]
    NoAddress {
        instance: String,
        /// Which kind.
        what: &'static str,
    },
    #[error(transparent)]
    Key(#[from] LoginError),
    /// The key's file.
    #[error("cannot read the key `{}`", path.display())]
    KeyFile { path: PathBuf, source: std::io::Error },
    /// No agent runs.
    #[error("the policy requires SSH login with the keys of your agent, and SSH_AUTH_SOCK is not set")]
    NoAgent,
    /// There is nowhere to remember host keys.
    #[error("neither HOME nor XDG_CONFIG_HOME is set, so host keys cannot be saved")]
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
                "create one (`aws ec2 create-instance-connect-endpoint`), or write `over = \"ssm\"`".into(),
            ),
            Self::NoAgent => Some("start one (`eval $(ssh-agent)`) and add your key (`ssh-add`)".into()),
            Self::NotUnderstood(_) => Some("this doorward may be older than the server: update it".into()),
            _ => None,
        }
    }
}

/// For whom and what a transport is built.
pub struct TransportContext {
    /// The grant, which every session bears in its reason.
    pub grant: GrantId,
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
    /// The VPC of the instance that it goes through.
    pub(super) vpc: Option<String>,
    /// The last session, by the name that AWS gave it.
    pub(super) last: Arc<Mutex<Option<String>>>,
    pub(super) ssm: Option<Arc<Ssm>>,
    /// The last hop first.
    pub(super) ssh: Vec<Arc<Ssh>>,
}

impl Carrier {
    pub(super) fn of(dial: Arc<dyn Dial>) -> Self {
        Self { dial, carriers: Vec::new(), vpc: None, last: Arc::default(), ssm: None, ssh: Vec::new() }
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

    /// The prefixes of the VPC that it leads into, where that is one that can be looked up.
    pub async fn vpc_networks(&self, accounts: &Accounts) -> Result<Option<Vec<Cidr>>, Error> {
        let Some(vpc) = &self.vpc else { return Ok(None) };
        Ok(accounts.get().await?.vpc_networks(vpc).await?)
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
pub async fn build(through: &Through, context: &TransportContext) -> Result<Carrier, Error> {
    match &through.by {
        By::Direct => Ok(Carrier::of(straight(context))),
        By::Ssm(sessions) => by_sessions(sessions, context).await,
        By::Ssh(machine) => by_ssh(machine, context).await,
    }
}

/// Where packets to the target go, as the far side knows it: to the relay before it, where there is one.
pub async fn locate(through: &Through, accounts: &Accounts) -> Result<Located, Error> {
    if let Some(Relay { host: Some(host), port }) = &through.relay {
        let what = format!("the relay `{host}:{port}`");
        return Ok(Located { what, host: host.clone(), port: Some(*port), ..Located::default() });
    }
    let address = through.address.as_deref().unwrap_or_default();
    let address: Address = address.parse().map_err(|_| Error::NotUnderstood(address.to_owned()))?;
    if let Address::Host(host) = address {
        // It is where it says, and nobody needs to be asked.
        return Ok(Located { what: format!("`{host}`"), host, ..Located::default() });
    }
    if let Some(vended) = accounts.vended().await?
        && vended.target == address.to_string()
        && let Some(host) = vended.host
    {
        return Ok(Located { what: format!("`{address}`"), host, ..Located::default() });
    }
    Ok(accounts.get().await?.locate(&address).await?)
}

pub(super) fn straight(context: &TransportContext) -> Arc<dyn Dial> {
    if context.marked { Arc::new(Marked(MARK)) } else { Arc::new(doorward_tunnel::dial::Straight) }
}

pub(super) async fn jump(text: &str, accounts: &Accounts) -> Result<Jump, Error> {
    let address: Address = text.parse().map_err(|_| Error::NotUnderstood(text.to_owned()))?;
    if let Some(vended) = accounts.vended().await?.filter(|vended| vended.jump_host == text) {
        return Ok(Jump {
            instance: vended.instance,
            name: None,
            zone: vended.zone,
            address: vended.address,
            public: None,
            vpc: vended.vpc,
            subnet: None,
            state: "running".into(),
        });
    }
    Ok(accounts.get().await?.jump(&address).await?)
}

async fn by_sessions(sessions: &Sessions, context: &TransportContext) -> Result<Carrier, Error> {
    let jump = jump(&sessions.jump_host, &context.accounts).await?;
    let (vpc, document) = (jump.vpc.clone(), sessions.document.clone());
    let document = document.map_or(Document::Shared, Document::Pinned);
    let amazon = Amazon::new(&context.accounts, &context.grant, jump, document);
    let last = Arc::clone(&amazon.last);
    let pool = Pool { sessions: usize::from(sessions.sessions.max(1)), ..Pool::default() };
    let connector = Connector::of_this_machine()?;
    let ssm = Arc::new(Ssm::new(Arc::new(amazon), connector, pool, Arc::clone(&context.tell)));
    Ok(Carrier { ssm: Some(Arc::clone(&ssm)), vpc, last, ..Carrier::of(ssm) })
}

/// Shells on the instance that an address names.
pub async fn shells(grant: GrantId, accounts: &Arc<Accounts>, address: &str) -> Result<Amazon, Error> {
    let jump = jump(address, accounts).await?;
    Ok(Amazon::new(accounts, &grant, jump, Document::Shell))
}
