//! How we show that we may: with a key of the moment, a key that is given, or an agent's keys.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use russh::client::{AuthResult, Handle, Handler};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};

use crate::dial::Answer;

/// Lets a public key in for a moment. (EC2 Instance Connect's `SendSSHPublicKey`: valid for 60 seconds, for logging
/// in only.)
pub trait Admit: Send + Sync + 'static {
    /// Sends a public key in OpenSSH's form before each login; why it could not be sent.
    fn admit<'a>(&'a self, public: &'a str) -> Answer<'a, Result<(), String>>;
}

/// How we show that we may.
#[derive(Clone)]
pub enum Login {
    /// A new Ed25519 key for each connection, kept in memory alone and let in just before.
    Pushed(Arc<dyn Admit>),
    /// A key that the far side knows.
    Key(Arc<PrivateKey>),
    /// The keys of an agent, one after the other: its socket, as in `SSH_AUTH_SOCK`.
    Agent(PathBuf),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pushed(_) => f.write_str("Pushed"),
            Self::Key(key) => write!(f, "Key({})", key.fingerprint(HashAlg::Sha256)),
            Self::Agent(socket) => f.debug_tuple("Agent").field(socket).finish(),
        }
    }
}

impl Login {
    /// A key from the text of its file, in any of the usual forms.
    pub fn key(text: &str, passphrase: Option<&str>) -> Result<Self, LoginError> {
        use russh::keys::Error;
        match russh::keys::decode_secret_key(text, passphrase) {
            Ok(key) => Ok(Self::Key(Arc::new(key))),
            Err(Error::KeyIsEncrypted) => Err(LoginError::Encrypted),
            Err(error) => Err(LoginError::Key { why: error.to_string() }),
        }
    }
}

/// Why we were not let in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The private key cannot be read.
    #[error("cannot read the private key: {why}")]
    Key {
        /// What is wrong with it.
        why: String,
    },
    /// The private key has a passphrase, and none was given.
    #[error("the private key has a passphrase")]
    Encrypted,
    /// No randomness, or what was made of it is no key.
    #[error("cannot create a key")]
    NoKey,
    /// The key could not be pushed.
    #[error("cannot push a key for `{user}`: {why}")]
    NotAdmitted {
        /// Which account.
        user: String,
        /// What was said.
        why: String,
    },
    /// The agent does not answer.
    #[error("cannot ask the agent at `{}`: {why}", socket.display())]
    Agent {
        socket: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// The agent holds no key.
    #[error("the agent at `{}` has no key", socket.display())]
    NoKeys { socket: PathBuf },
    /// The far side said no.
    #[error("the server rejects `{user}` with {with}; it accepts: {takes}")]
    Refused {
        /// Which account.
        user: String,
        /// With what we tried.
        with: String,
        /// What else it takes, by its own account.
        takes: String,
    },
    /// The far side wants something more.
    #[error("the server accepts the key of `{user}`, but requires more: {takes}")]
    MoreWanted {
        /// Which account.
        user: String,
        /// What it wants.
        takes: String,
    },
    /// The connection broke meanwhile.
    #[error("the connection broke while logging in: {why}")]
    Broke { why: String },
}

/// A key that nobody had before, made of the system's randomness.
fn fresh() -> Result<PrivateKey, LoginError> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| LoginError::NoKey)?;
    Ok(PrivateKey::from(Ed25519Keypair::from_seed(&seed)))
}

/// Logs in.
pub(super) async fn log_in<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    login: &Login,
) -> Result<(), LoginError> {
    match login {
        Login::Pushed(admit) => {
            let key = fresh()?;
            let public = key.public_key().to_openssh().map_err(|_| LoginError::NoKey)?;
            let not_admitted = |why| LoginError::NotAdmitted { user: user.to_owned(), why };
            admit.admit(&public).await.map_err(not_admitted)?;
            with_key(handle, user, Arc::new(key), "the key that was pushed").await
        }
        Login::Key(key) => with_key(handle, user, Arc::clone(key), "the given key").await,
        Login::Agent(socket) => with_agent(handle, user, socket).await,
    }
}

async fn with_key<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    key: Arc<PrivateKey>,
    with: &str,
) -> Result<(), LoginError> {
    let hash = hash(handle, key.public_key()).await?;
    let with = format!("{with} {}", key.fingerprint(HashAlg::Sha256));
    let said = handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await;
    said.map_err(broke).and_then(|said| let_in(&said, user, &with))
}

async fn with_agent<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    socket: &PathBuf,
) -> Result<(), LoginError> {
    let agent = |why: String| LoginError::Agent { socket: socket.clone(), why };
    let stream =
        tokio::net::UnixStream::connect(socket).await.map_err(|error: io::Error| agent(error.to_string()))?;
    let mut client = AgentClient::connect(stream);
    let identities = client.request_identities().await.map_err(|error| agent(error.to_string()))?;
    let mut last = Err(LoginError::NoKeys { socket: socket.clone() });
    for identity in identities {
        let AgentIdentity::PublicKey { key, .. } = identity else { continue };
        let hash = hash(handle, &key).await?;
        let with = format!("the agent's key {}", key.fingerprint(HashAlg::Sha256));
        let said = handle.authenticate_publickey_with(user, key, hash, &mut client).await;
        let said = said.map_err(|error| agent(error.to_string()))?;
        last = let_in(&said, user, &with);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// With which hash an RSA key signs; the far side says.
async fn hash<H: Handler>(handle: &Handle<H>, key: &PublicKey) -> Result<Option<HashAlg>, LoginError> {
    if !key.algorithm().is_rsa() {
        return Ok(None);
    }
    // A server that does not say is old, but SHA-256 is older than any that still runs and forbids SHA-1.
    Ok(handle.best_supported_rsa_hash().await.map_err(broke)?.unwrap_or(Some(HashAlg::Sha256)))
}

fn broke(error: russh::Error) -> LoginError {
    LoginError::Broke { why: super::watcher::words(&error) }
}

fn let_in(said: &AuthResult, user: &str, with: &str) -> Result<(), LoginError> {
    let AuthResult::Failure { remaining_methods, partial_success } = said else { return Ok(()) };
    let takes: Vec<&str> = remaining_methods.iter().map(<&str>::from).collect();
    if takes.is_empty() {
        return Err(LoginError::Broke { why: format!("the server closed the connection after {with}") });
    }
    let (user, takes) = (user.to_owned(), takes.join(", "));
    Err(if *partial_success {
        LoginError::MoreWanted { user, takes }
    } else {
        LoginError::Refused { user, with: with.to_owned(), takes }
    })
}
