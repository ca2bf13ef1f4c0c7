//! The stand: everything that is played, started and stopped together.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::faults::{Blow, Faults};
use crate::kms::Kms;
use crate::policy;
use crate::record::{Event, Record, Violation};
use crate::session::{Order, Session};
use crate::settings::{Credential, Settings};
use crate::sigv4::{self, Claim, Unverified};
use crate::{agent, api, documents, gateway};

/// A started stand. Dropping it stops it.
pub struct Stand {
    /// The API's base URL, `http://127.0.0.1:…`.
    pub api_url: String,
    /// Where the websockets are, `ws://127.0.0.1:…`.
    pub gateway_url: String,
    world: Arc<World>,
    tasks: Vec<JoinHandle<()>>,
}

impl Stand {
    /// Starts everything on loopback.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let api = TcpListener::bind(settings.listen).await?;
        let gateway = TcpListener::bind(SocketAddr::new(settings.listen.ip(), 0)).await?;
        let gateway_address = gateway.local_addr()?;
        let api_url = format!("http://{}", api.local_addr()?);
        let world = Arc::new(World::new(settings, gateway_address));
        let tasks = vec![
            tokio::spawn(gateway::serve(Arc::clone(&world), gateway)),
            tokio::spawn(api::serve(Arc::clone(&world), api)),
        ];
        Ok(Self { api_url, gateway_url: format!("ws://{gateway_address}"), world, tasks })
    }

    /// What the client did and may not do.
    pub fn violations(&self) -> Vec<Violation> {
        self.world.record.violations()
    }

    /// What happened, in order.
    pub fn events(&self) -> Vec<Event> {
        self.world.record.events()
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.world.faults.send_replace(faults);
    }

    /// Does this to every connection of a data channel that is there now.
    pub fn strike(&self, blow: Blow) {
        self.world.blows.send_replace(Some(blow));
    }

    /// The agent ends a session, with this as the reason; false when there is no such session.
    pub fn close_channel(&self, session: &str, reason: &str) -> bool {
        let found = self.world.session(session);
        if let Some(session) = &found {
            session.order_end(reason);
        }
        found.is_some()
    }

    /// The agents vanish without a word: sessions stay open and silent, and new ones are refused.
    pub fn kill_agent(&self) {
        self.world.is_alive.store(false, Ordering::SeqCst);
        for session in self.world.sessions().values() {
            session.orders.send_replace(Order::Vanish);
        }
    }

    /// The agents are back; sessions that they had are not.
    pub fn revive_agent(&self) {
        self.world.is_alive.store(true, Ordering::SeqCst);
    }

    /// Denies these operations and no others from now on.
    pub fn deny(&self, operations: &[&str]) {
        *lock(&self.world.denied) = operations.iter().map(|it| (*it).to_owned()).collect();
    }

    /// Says where a host and port of the agent's network are from now on, for sessions that are not yet open: as after
    /// a failover.
    pub fn place(&self, host: &str, port: u16, is: SocketAddr) {
        lock(&self.world.places).insert((host.to_owned(), port), is);
    }

    /// One more instance has an agent from now on.
    pub fn add_instance(&self, id: &str) {
        lock(&self.world.instances).insert(id.to_owned());
    }

    /// Says what an instance wrote to its console.
    pub fn set_console(&self, instance: &str, text: &str) {
        lock(&self.world.console).insert(instance.to_owned(), text.to_owned());
    }

    /// Who may call by now, those that were vended among them.
    pub fn credentials(&self) -> Vec<Credential> {
        lock(&self.world.credentials).clone()
    }

    /// The policies that were put into roles, by the role's ARN and the policy's name.
    pub fn role_policies(&self) -> BTreeMap<(String, String), serde_json::Value> {
        lock(&self.world.role_policies).clone()
    }

    /// The sessions that are not over, in order.
    pub fn open_sessions(&self) -> Vec<String> {
        self.world.sessions().values().filter(|it| !it.is_over()).map(|it| it.id.clone()).collect()
    }

    /// Stops everything; what is connected is cut.
    pub async fn shutdown(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // Aborted is what it is meant to be.
            let _ = task.await;
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for session in self.world.sessions().values() {
            session.orders.send_replace(Order::Vanish);
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all parts share.
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) gateway: SocketAddr,
    pub(crate) record: Record,
    pub(crate) faults: watch::Sender<Faults>,
    pub(crate) blows: watch::Sender<Option<Blow>>,
    pub(crate) kms: Kms,
    pub(crate) trail: api::Trail,
    pub(crate) keys: api::PushedKeys,
    pub(crate) tunnels: Mutex<BTreeMap<String, usize>>,
    pub(crate) is_alive: AtomicBool,
    pub(crate) documents: Mutex<BTreeMap<String, String>>,
    /// The policies in roles, by the role's ARN and the policy's name.
    pub(crate) role_policies: Mutex<BTreeMap<(String, String), serde_json::Value>>,
    pub(crate) credentials: Mutex<Vec<Credential>>,
    pub(crate) instances: Mutex<BTreeSet<String>>,
    pub(crate) console: Mutex<BTreeMap<String, String>>,
    places: Mutex<BTreeMap<(String, u16), SocketAddr>>,
    denied: Mutex<BTreeSet<String>>,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
}

/// Who calls, and how they signed.
pub(crate) struct Caller {
    pub(crate) credential: Credential,
    pub(crate) claim: Claim,
}

/// Why a caller is nobody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Nobody {
    #[error(transparent)]
    Unverified(#[from] Unverified),
    #[error("The security token included in the request is invalid")]
    UnknownKey,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("Credential should be scoped to {0}")]
    Scope(String),
}

impl Nobody {
    /// AWS's code, and whether the client is to blame and not its credentials.
    pub(crate) fn code(&self) -> (&'static str, bool) {
        match self {
            Self::Unverified(Unverified::Missing) => ("MissingAuthenticationToken", true),
            Self::Unverified(Unverified::Unreadable(_)) => ("IncompleteSignature", true),
            Self::Unverified(Unverified::Expired { .. }) => ("InvalidSignatureException", false),
            Self::Unverified(_) => ("InvalidSignatureException", true),
            Self::UnknownKey => ("UnrecognizedClientException", false),
            Self::Expired => ("ExpiredTokenException", false),
            Self::Scope(_) => ("InvalidSignatureException", true),
        }
    }
}

impl World {
    pub(crate) fn new(settings: Settings, gateway: SocketAddr) -> Self {
        Self {
            gateway,
            record: Record::default(),
            faults: watch::Sender::new(settings.faults.clone()),
            blows: watch::Sender::new(None),
            kms: Kms::default(),
            trail: api::Trail::new(&settings.recorded_events),
            keys: api::PushedKeys::default(),
            tunnels: Mutex::default(),
            is_alive: AtomicBool::new(true),
            documents: Mutex::new(documents::built_in()),
            role_policies: Mutex::default(),
            credentials: Mutex::new(settings.credentials.clone()),
            instances: Mutex::new(settings.instances.iter().cloned().collect()),
            console: Mutex::new(settings.console.clone()),
            places: Mutex::new(settings.agent.places.clone()),
            denied: Mutex::new(settings.denied.iter().cloned().collect()),
            sessions: Mutex::default(),
            settings,
        }
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        lock(&self.sessions)
    }

    pub(crate) fn session(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions().get(id).cloned()
    }

    pub(crate) fn place(&self, host: &str, port: u16) -> Option<SocketAddr> {
        lock(&self.places).get(&(host.to_owned(), port)).copied()
    }

    /// Whether an instance has an agent, and it is there.
    pub(crate) fn is_online(&self, instance: &str) -> bool {
        self.is_alive.load(Ordering::SeqCst) && lock(&self.instances).contains(instance)
    }

    pub(crate) fn is_denied(&self, operation: &str) -> bool {
        lock(&self.denied).contains(operation)
    }

    /// Whether the caller may: neither a denied operation nor outside their session policy.
    pub(crate) fn may(&self, who: &Credential, service: &str, operation: &str, resources: &[String]) -> bool {
        self.may_on(who, service, operation, resources, &[])
    }

    /// The same of a resource that has tags.
    pub(crate) fn may_on(
        &self,
        who: &Credential,
        service: &str,
        operation: &str,
        resources: &[String],
        tags: &[(&str, String)],
    ) -> bool {
        let action = format!("{service}:{operation}");
        let mut context = policy::Context::from([
            ("aws:currenttime".to_owned(), Timestamp::now().to_string()),
            ("aws:userid".to_owned(), who.user_id()),
        ]);
        if who.arn.contains(":user/") {
            context.insert("aws:username".to_owned(), who.name().to_owned());
        }
        context.extend(who.issued.map(|at| ("aws:tokenissuetime".to_owned(), at.to_string())));
        let principal =
            who.tags.iter().map(|(key, value)| (format!("aws:PrincipalTag/{key}"), value.clone()));
        let resource = tags.iter().map(|(key, value)| (format!("ssm:resourceTag/{key}"), value.clone()));
        context.extend(principal.chain(resource).map(|(key, value)| (key.to_lowercase(), value)));
        let role = who.role();
        let denied = lock(&self.role_policies).iter().any(|((of, _), document)| {
            Some(of) == role.as_ref() && policy::denies(document, &action, resources, &context)
        });
        !self.is_denied(operation)
            && !denied
            && who.policy.as_ref().is_none_or(|it| policy::allows(it, &action, resources, &context))
    }

    /// Makes a session and its agent.
    pub(crate) fn begin(self: &Arc<Self>, session: Session, ends: crate::session::AgentEnd) -> Arc<Session> {
        let session = Arc::new(session);
        self.sessions().insert(session.id.clone(), Arc::clone(&session));
        tokio::spawn(agent::run(Arc::clone(self), Arc::clone(&session), ends));
        session
    }

    /// Who signed a request, for the service if one is named.
    pub(crate) fn verify(
        &self,
        request: &sigv4::Request<'_>,
        service: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Caller>, Nobody> {
        let claim = match sigv4::claim(request) {
            Err(Unverified::Missing) if !self.settings.require_signatures => return Ok(None),
            claim => claim?,
        };
        let known = lock(&self.credentials).iter().find(|it| it.access_key == claim.access_key).cloned();
        let credential = known.filter(|it| it.token == claim.token).ok_or(Nobody::UnknownKey)?;
        sigv4::verify(request, &claim, &credential.secret, now)?;
        if credential.expires.is_some_and(|end| end <= now) {
            return Err(Nobody::Expired);
        }
        let region = &self.settings.region;
        if claim.region != *region && !matches!(claim.service.as_str(), "sts" | "iam") {
            return Err(Nobody::Scope(format!("the Region {region}, and not {}", claim.region)));
        }
        if let Some(service) = service.filter(|it| *it != claim.service) {
            return Err(Nobody::Scope(format!("the service {service}, and not {}", claim.service)));
        }
        Ok(Some(Caller { credential, claim }))
    }

    /// The identity of a request that nobody signed and nobody has to.
    pub(crate) fn anybody(&self) -> Credential {
        self.settings.credentials.first().cloned().unwrap_or_else(|| Credential {
            access_key: String::new(),
            secret: String::new(),
            token: None,
            arn: format!("arn:aws:iam::{}:user/anybody", self.settings.account),
            policy: None,
            tags: BTreeMap::new(),
            issued: None,
            source_identity: None,
            expires: None,
        })
    }
}
