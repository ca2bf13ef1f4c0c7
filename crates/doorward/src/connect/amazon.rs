//! What transports need of AWS, asked of an account: sessions, keys for a minute, tunnels, what a console said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use doorward_aws::{Account, ConnectEndpoint, Error, Jump, Start};
use doorward_core::grant::GrantId;
use doorward_core::inventory::AccountRegion;
use doorward_core::session;
use doorward_tunnel::dial::{Answer, Destination, Host};
use doorward_tunnel::endpoint::Tunnels;
use doorward_tunnel::news::in_words;
use doorward_tunnel::ssh::login::Admit;
use doorward_tunnel::ssh::pins::Consoles;
use doorward_tunnel::ssm::{DataKey, Opened, SessionError, Sessions};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::vending::Vended;

/// Gets credentials anew for one grant.
pub type Vend = Arc<dyn Fn() -> Answer<'static, Result<Vended, String>> + Send + Sync>;

/// How long before their end vended credentials are asked for anew.
const BEFORE_END: Duration = Duration::from_secs(120);

/// By whose credentials AWS is asked: the person's own, or those that the server vends for the grant.
///
/// Nothing is read and nobody is asked before it is needed: a way that does not lead through AWS needs no account.
pub struct Accounts {
    account_region: AccountRegion,
    own: OnceCell<Account>,
    vend: Option<Vend>,
    vended: tokio::sync::Mutex<Option<(Account, Vended)>>,
}

impl Accounts {
    /// Of a profile and a Region; of the environment where they are not named.
    pub fn new(profile: Option<String>, region: Option<String>, vend: Option<Vend>) -> Self {
        let account_region = AccountRegion { profile, region, account: None };
        Self { account_region, own: OnceCell::new(), vend, vended: tokio::sync::Mutex::default() }
    }

    /// The account, with credentials that are good for a while.
    pub async fn get(&self) -> Result<Account, NoAccount> {
        Ok(self.both().await?.0)
    }

    /// Where the grant leads, as the server that vends the credentials says; none where they are the person's own.
    pub async fn vended(&self) -> Result<Option<Vended>, NoAccount> {
        Ok(self.both().await?.1)
    }

    /// Lets go of vended credentials that AWS does not take, so that the next are fetched anew: when very many grants are
    /// revoked, all that were vended before are denied. Whether there is anything else to come by.
    async fn renew(&self) -> bool {
        self.vend.is_some() && self.vended.lock().await.take().is_some()
    }

    /// Whether what AWS answered is to be asked once more, with new credentials.
    async fn again<T>(&self, answer: &Result<T, Error>) -> bool {
        answer.as_ref().is_err_and(Error::is_denial) && self.renew().await
    }

    async fn account(&self) -> Result<Account, SessionError> {
        self.get().await.map_err(|error| failed(in_words(&error)))
    }

    async fn both(&self) -> Result<(Account, Option<Vended>), NoAccount> {
        let own = self.own.get_or_try_init(|| Account::connect(&self.account_region)).await?;
        let Some(vend) = &self.vend else { return Ok((own.clone(), None)) };
        let mut kept = self.vended.lock().await;
        let soon = Timestamp::now().checked_add(BEFORE_END).unwrap_or(Timestamp::MAX);
        if let Some((account, vended)) = kept.as_ref().filter(|(_, vended)| vended.credentials.until > soon) {
            return Ok((account.clone(), Some(vended.clone())));
        }
        let vended = vend().await.map_err(NoAccount::NotVended)?;
        let account = own.with(&vended.credentials);
        *kept = Some((account.clone(), vended.clone()));
        Ok((account, Some(vended)))
    }
}

/// Why there are no credentials to ask AWS with.
#[derive(Debug, thiserror::Error)]
pub enum NoAccount {
    /// One's own.
    #[error(transparent)]
    Own(#[from] Error),
    /// Those of the server.
    #[error("the server vended no credentials: {0}")]
    NotVended(String),
}

/// Which document a session is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Port forwarding: AWS's own documents, the place as parameters.
    Shared,
    /// Port forwarding by a document in which the place stands.
    Pinned(String),
    /// The bytes of one connection to the instance's own sshd.
    Ssh,
    Shell,
}

/// Sessions to one instance, for one grant.
pub struct Amazon {
    /// By whose credentials.
    pub accounts: Arc<Accounts>,
    /// The instance.
    pub jump: Jump,
    /// What the sessions are to be.
    pub document: Document,
    /// What CloudTrail is told.
    pub reason: String,
    /// The session that was started last, for the record.
    pub last: Arc<Mutex<Option<String>>>,
}

fn refused_or_failed(error: &Error) -> SessionError {
    let why = in_words(error);
    if matches!(error, Error::Refused { .. }) {
        SessionError::Refused { why }
    } else {
        SessionError::Failed { why }
    }
}

fn failed(why: String) -> SessionError {
    SessionError::Failed { why }
}

fn opened(opened: doorward_aws::OpenedSession) -> Opened {
    Opened { session: opened.session, token: opened.token, url: opened.url }
}

impl Amazon {
    /// Sessions to an instance, for a grant, which stands in the reason of each.
    pub fn new(accounts: &Arc<Accounts>, grant: &GrantId, jump: Jump, document: Document) -> Self {
        let (accounts, reason) = (Arc::clone(accounts), session::reason(grant));
        Self { accounts, jump, document, reason, last: Arc::default() }
    }

    fn parameters(&self, to: &Destination) -> (Option<String>, BTreeMap<String, Vec<String>>) {
        let one = |name: &str, value: String| (name.to_owned(), vec![value]);
        let port = one("portNumber", to.port.to_string());
        let own = match &to.host {
            Host::Address(address) => self.jump.address == Some(*address) || address.is_loopback(),
            Host::Name(name) => name == "localhost",
        };
        match &self.document {
            Document::Shared if own => (Some("AWS-StartPortForwardingSession".into()), [port].into()),
            Document::Shared => (
                Some("AWS-StartPortForwardingSessionToRemoteHost".into()),
                [one("host", to.host.to_string()), port].into(),
            ),
            Document::Pinned(name) => (Some(name.clone()), [port].into()),
            Document::Ssh => (Some("AWS-StartSSHSession".into()), [port].into()),
            Document::Shell => (None, BTreeMap::new()),
        }
    }
}

impl Sessions for Amazon {
    fn start<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            let (document, parameters) = self.parameters(to);
            let target = self.jump.instance.clone();
            let start = Start { target, document, parameters, reason: Some(self.reason.clone()) };
            let mut answer = self.accounts.account().await?.start_session(&start).await;
            if self.accounts.again(&answer).await {
                answer = self.accounts.account().await?.start_session(&start).await;
            }
            let session = answer.map_err(|error| refused_or_failed(&error))?;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.session.clone());
            Ok(opened(session))
        })
    }

    fn resume<'a>(&'a self, session: &'a str) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            let mut answer = self.accounts.account().await?.resume_session(session).await;
            if self.accounts.again(&answer).await {
                answer = self.accounts.account().await?.resume_session(session).await;
            }
            let resumed = answer.map_err(|error| refused_or_failed(&error))?;
            resumed.map(opened).ok_or(SessionError::TimedOut)
        })
    }

    fn terminate<'a>(&'a self, session: &'a str) -> Answer<'a, Result<(), SessionError>> {
        Box::pin(async move {
            let account = self.accounts.account().await?;
            account.terminate_session(session).await.map_err(|error| refused_or_failed(&error))
        })
    }

    fn is_there(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async move {
            let account = self.accounts.get().await.ok()?;
            account.is_connected(&self.jump.instance).await.ok().flatten()
        })
    }

    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>> {
        Box::pin(async move {
            let account = self.accounts.account().await?;
            let upgrade = account.sign_upgrade(url).await.map_err(|error| refused_or_failed(&error))?;
            let mut request = http::Request::get(upgrade.url);
            for (name, value) in &upgrade.headers {
                request = request.header(name, value);
            }
            request.body(()).map_err(|error| failed(error.to_string()))
        })
    }

    fn data_key<'a>(&'a self, session: &'a str, key: &'a str) -> Answer<'a, Result<DataKey, SessionError>> {
        Box::pin(async move {
            let account = self.accounts.account().await?;
            let context = [
                ("aws:ssm:SessionId".to_owned(), session.to_owned()),
                ("aws:ssm:TargetId".to_owned(), self.jump.instance.clone()),
            ];
            let key = account.data_key(key, &context.into()).await;
            let key = key.map_err(|error| refused_or_failed(&error))?;
            Ok(DataKey { plaintext: key.plain, ciphertext: key.encrypted })
        })
    }
}

/// Lets a key in for 60 seconds, by EC2 Instance Connect.
pub struct InstanceConnect {
    /// By whose credentials.
    pub accounts: Arc<Accounts>,
    pub instance: String,
    pub zone: Option<String>,
    /// Who one is on it.
    pub user: String,
}

impl Admit for InstanceConnect {
    fn admit<'a>(&'a self, public: &'a str) -> Answer<'a, Result<(), String>> {
        Box::pin(async move {
            let account = self.accounts.get().await.map_err(|error| in_words(&error))?;
            let sent = account.send_ssh_key(&self.instance, &self.user, self.zone.as_deref(), public).await;
            sent.map_err(|error| in_words(&error))
        })
    }
}

/// Tunnels through an Instance Connect Endpoint.
pub struct Endpoints {
    /// By whose credentials.
    pub accounts: Arc<Accounts>,
    pub endpoint: ConnectEndpoint,
    /// The grant's end, after which no tunnel is to live.
    pub until: Option<Timestamp>,
}

impl Tunnels for Endpoints {
    fn open_url<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<String, String>> {
        Box::pin(async move {
            let Host::Address(address) = to.host else {
                return Err(format!("an endpoint connects only to addresses, and `{}` is a name", to.host));
            };
            let left = self.until.map(|until| until.duration_since(Timestamp::now()).as_secs().max(1));
            let lasts = left.map(|left| u32::try_from(left).unwrap_or(u32::MAX));
            let account = self.accounts.get().await.map_err(|error| in_words(&error))?;
            let url = account.tunnel_url(&self.endpoint, address, to.port, lasts).await;
            url.map_err(|error| in_words(&error))
        })
    }
}

/// What instances wrote to their consoles.
pub struct Console(pub Arc<Accounts>);

impl Consoles for Console {
    fn output<'a>(&'a self, instance: &'a str) -> Answer<'a, Result<String, String>> {
        Box::pin(async move {
            let account = self.0.get().await.map_err(|error| in_words(&error))?;
            let output = account.console_output(instance, false).await;
            Ok(output.map_err(|error| in_words(&error))?.unwrap_or_default())
        })
    }
}
