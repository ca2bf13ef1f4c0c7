//! The program without its edges, over an account in memory that also has sessions and roles.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use doorward::clock::Clock;
use doorward::reconciler::Reconciler;
use doorward::requests::{Ask, Caller, Opened, Requests};
use doorward_aws::Simulated;
use doorward_core::audit::{Verifier, What};
use doorward_core::grant::GrantId;
use doorward_core::policy::Transport;
use doorward_core::session::OpenSession;
use jiff::{SignedDuration, Timestamp};

use crate::assembled::{HASH, account, assembled};

pub const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[server]
store = "doorward.db"

[aws]
region = "eu-west-1"

[grants]
special-networks = ["203.0.113.0/24"]

[ssm]
jump-host = "tag:Name=jump"

[firewall.clients]
about          = "clients"
security-group = "sg-00000000000000001"

[target.orders]
about      = "orders"
address    = "orders.internal"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["ssm", "direct"]
firewall   = "clients"
lasts      = { usually = "10m", at-most = "1h" }
"#;

/// The program without its edges, over an account in memory.
pub struct World {
    pub folder: tempfile::TempDir,
    pub account: Simulated,
    jump: Arc<AtomicI64>,
    pub seconds: Arc<AtomicU64>,
    pub requests: Arc<Requests>,
    pub reconciler: Reconciler,
}

async fn assemble(
    folder: &Path,
    account: &Simulated,
    seconds: &Arc<AtomicU64>,
    jump: &Arc<AtomicI64>,
) -> (Arc<Requests>, Reconciler) {
    let (wall, uptime, jump) = (Arc::clone(seconds), Arc::clone(seconds), Arc::clone(jump));
    let clock = Clock::by_hand(
        move || {
            let seconds = i64::try_from(wall.load(Ordering::SeqCst)).expect("seconds");
            Timestamp::from_second(1_800_000_000 + seconds + jump.load(Ordering::SeqCst)).expect("an instant")
        },
        move || Duration::from_secs(uptime.load(Ordering::SeqCst)),
    );
    assembled(&folder.join("doorward.toml"), account, clock).await
}

pub fn caller(person: &str) -> Caller {
    Caller::known(person.parse().expect("a person"), None)
}

impl World {
    pub async fn new() -> Self {
        Self::with(POLICY).await
    }

    pub async fn with(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("doorward.toml"), policy).expect("a policy");
        std::fs::write(folder.path().join("people.htpasswd"), format!("jon:{HASH}\nmaria:{HASH}\n"))
            .expect("passwords");
        std::fs::write(folder.path().join("people.groups"), "dbs: jon\nops: maria\n").expect("groups");
        let account = account(&["sg-00000000000000001"]);
        let seconds = Arc::new(AtomicU64::new(0));
        let jump = Arc::new(AtomicI64::new(0));
        let (requests, reconciler) = assemble(folder.path(), &account, &seconds, &jump).await;
        Self { folder, account, jump, seconds, requests, reconciler }
    }

    /// Dies, and is started again.
    pub async fn restart(&mut self) {
        (self.requests, self.reconciler) =
            assemble(self.folder.path(), &self.account, &self.seconds, &self.jump).await;
    }

    pub async fn wait(&mut self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
        self.reconciler.pass().await;
    }

    /// Somebody sets the machine's clock: by so many hours from what it was at first.
    pub fn set_clock(&self, hours: i64) {
        self.set_clock_seconds(hours * 3600);
    }

    /// The same by so many seconds.
    pub fn set_clock_seconds(&self, seconds: i64) {
        self.jump.store(seconds, Ordering::SeqCst);
    }

    /// Has it tried what a revocation needs, as a server does.
    pub async fn serves(mut self) -> Self {
        self.reconciler = self.reconciler.trying_permissions();
        self.reconciler.pass().await;
        self
    }

    /// Waits for an answer while the reconciler does its work; no pass is broken off.
    pub async fn answered<T: Send + 'static>(
        &mut self,
        answer: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let answer = tokio::spawn(answer);
        while !answer.is_finished() {
            self.reconciler.pass().await;
        }
        answer.await.expect("an answer")
    }

    pub async fn open(&mut self, via: Transport) -> GrantId {
        let ask = Ask {
            target: "orders".parse().expect("a target"),
            address: "203.0.113.7".parse().expect("an address"),
            transport: Some(via),
            lasts: None,
            reason: None,
        };
        let requests = Arc::clone(&self.requests);
        match self.answered(async move { requests.open(&caller("jon"), ask).await }).await {
            Ok(Opened::Granted { grant, .. }) => grant.id().clone(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn close(&mut self, grant: &GrantId) {
        let (requests, grant) = (Arc::clone(&self.requests), grant.clone());
        self.answered(async move { requests.close(&caller("maria"), &grant).await })
            .await
            .expect("it is closed");
        // Closing waits for a pass that has begun; this waits for what it sent out.
        self.reconciler.pass().await;
    }

    pub fn start(&self, id: &str, reason: &str) {
        let (id, target) = (id.to_owned(), "i-0a1b".to_owned());
        let session = OpenSession { id, target, reason: Some(reason.to_owned()), owner: None, since: None };
        self.account.sessions(|sessions| sessions.push(session));
    }

    /// Has credentials been vended for a grant, which are good for that long from now.
    pub async fn vend(&self, grant: &GrantId, seconds: i64) {
        let until = self.now() + SignedDuration::from_secs(seconds);
        let vended = What::CredentialsVended { grant: grant.clone(), until };
        let event = self.requests.event(&caller("jon"), vended);
        self.requests.record(vec![event]).await.expect("it is recorded");
    }

    pub fn now(&self) -> Timestamp {
        self.requests.app().clock().now()
    }

    /// Starts a session with vended credentials, and says nothing of why.
    pub fn start_vended(&self, id: &str, grant: &GrantId) {
        let owner = format!("arn:aws:sts::123456789012:assumed-role/sessions/{grant}.jon");
        let (id, target) = (id.to_owned(), "i-0a1b".to_owned());
        let session = OpenSession { id, target, reason: None, owner: Some(owner), since: None };
        self.account.sessions(|sessions| sessions.push(session));
    }

    /// What the role denies, as text.
    pub fn denies(&self) -> String {
        self.account.role_policies().into_values().collect()
    }

    pub fn sessions(&self) -> Vec<String> {
        self.account.sessions(|sessions| sessions.iter().map(|session| session.id.clone()).collect())
    }

    pub fn looks(&self) -> u64 {
        self.account.calls().get("DescribeSessions").copied().unwrap_or_default()
    }

    pub fn rules(&self) -> usize {
        self.account.inventory().groups.values().map(|group| group.rules.len()).sum()
    }

    /// What the record says with that word in it.
    pub async fn audited(&self, word: &str) -> Vec<String> {
        let mut verifier = Verifier::default();
        let lines = self.requests.app().store().lines(0, 1000).await.expect("a record");
        let audited =
            lines.iter().map(|(_, line)| verifier.line(line).expect("a line").event.what.to_string());
        audited.filter(|line| line.contains(word)).collect()
    }
}

/// The policy of a server that vends credentials.
pub fn vending() -> String {
    let role = "[ssm]\nrole = \"arn:aws:iam::123456789012:role/sessions\"";
    POLICY.replace("[ssm]", role)
}
