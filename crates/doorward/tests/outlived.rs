//! A grant that ends takes its sessions along: at once, after a restart, and beside whatever AWS refuses.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod assembled;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assembled::{HASH, account, assembled};
use doorward::clock::Clock;
use doorward::reconciler::Reconciler;
use doorward::requests::{Ask, Caller, Opened, Requests};
use doorward_aws::Simulated;
use doorward_core::audit::cloudtrail::reason;
use doorward_core::audit::{Verifier, What};
use doorward_core::grant::GrantId;
use doorward_core::policy::Transport;
use doorward_core::session::OpenSession;
use jiff::{SignedDuration, Timestamp};

const POLICY: &str = r#"
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
struct World {
    folder: tempfile::TempDir,
    account: Simulated,
    seconds: Arc<AtomicU64>,
    requests: Arc<Requests>,
    reconciler: Reconciler,
}

async fn assemble(
    folder: &Path,
    account: &Simulated,
    seconds: &Arc<AtomicU64>,
) -> (Arc<Requests>, Reconciler) {
    let (wall, uptime) = (Arc::clone(seconds), Arc::clone(seconds));
    let clock = Clock::by_hand(
        move || {
            let seconds = i64::try_from(wall.load(Ordering::SeqCst)).expect("seconds");
            Timestamp::from_second(1_800_000_000 + seconds).expect("an instant")
        },
        move || Duration::from_secs(uptime.load(Ordering::SeqCst)),
    );
    assembled(&folder.join("doorward.toml"), account, clock).await
}

fn caller(person: &str) -> Caller {
    Caller::known(person.parse().expect("a person"), None)
}

impl World {
    async fn new() -> Self {
        Self::with(POLICY).await
    }

    async fn with(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("doorward.toml"), policy).expect("a policy");
        std::fs::write(folder.path().join("people.htpasswd"), format!("jon:{HASH}\nmaria:{HASH}\n"))
            .expect("passwords");
        std::fs::write(folder.path().join("people.groups"), "dbs: jon\nops: maria\n").expect("groups");
        let account = account(&["sg-00000000000000001"]);
        let seconds = Arc::new(AtomicU64::new(0));
        let (requests, reconciler) = assemble(folder.path(), &account, &seconds).await;
        Self { folder, account, seconds, requests, reconciler }
    }

    /// Dies, and is started again.
    async fn restart(&mut self) {
        (self.requests, self.reconciler) = assemble(self.folder.path(), &self.account, &self.seconds).await;
    }

    async fn wait(&mut self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
        self.reconciler.pass().await;
    }

    /// Waits for an answer while the reconciler does its work; no pass is broken off.
    async fn answered<T: Send + 'static>(&mut self, answer: impl Future<Output = T> + Send + 'static) -> T {
        let answer = tokio::spawn(answer);
        while !answer.is_finished() {
            self.reconciler.pass().await;
        }
        answer.await.expect("an answer")
    }

    async fn open(&mut self, via: Transport) -> GrantId {
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

    async fn close(&mut self, grant: &GrantId) {
        let (requests, grant) = (Arc::clone(&self.requests), grant.clone());
        self.answered(async move { requests.close(&caller("maria"), &grant).await })
            .await
            .expect("it is closed");
        // Closing waits for a pass that has begun; this waits for what it sent out.
        self.reconciler.pass().await;
    }

    fn start(&self, id: &str, reason: &str) {
        let (id, target) = (id.to_owned(), "i-0a1b".to_owned());
        let session = OpenSession { id, target, reason: Some(reason.to_owned()), owner: None, since: None };
        self.account.sessions(|sessions| sessions.push(session));
    }

    /// Has credentials been vended for a grant, which are good for that long from now.
    async fn vend(&self, grant: &GrantId, seconds: i64) {
        let until = self.now() + SignedDuration::from_secs(seconds);
        let vended = What::CredentialsVended { grant: grant.clone(), until };
        let event = self.requests.event(&caller("jon"), vended);
        self.requests.record(vec![event]).await.expect("it is recorded");
    }

    fn now(&self) -> Timestamp {
        self.requests.clock().now()
    }

    /// Starts a session with vended credentials, and says nothing of why.
    fn start_vended(&self, id: &str, grant: &GrantId) {
        let owner = format!("arn:aws:sts::123456789012:assumed-role/sessions/{grant}.jon");
        let (id, target) = (id.to_owned(), "i-0a1b".to_owned());
        let session = OpenSession { id, target, reason: None, owner: Some(owner), since: None };
        self.account.sessions(|sessions| sessions.push(session));
    }

    /// What the role denies, as text.
    fn denies(&self) -> String {
        self.account.role_policies().into_values().collect()
    }

    fn sessions(&self) -> Vec<String> {
        self.account.sessions(|sessions| sessions.iter().map(|session| session.id.clone()).collect())
    }

    fn looks(&self) -> u64 {
        self.account.calls().get("DescribeSessions").copied().unwrap_or_default()
    }

    fn rules(&self) -> usize {
        self.account.inventory().groups.values().map(|group| group.rules.len()).sum()
    }

    /// What the record says with that word in it.
    async fn told(&self, word: &str) -> Vec<String> {
        let mut verifier = Verifier::default();
        let lines = self.requests.store().lines(0, 1000).await.expect("a record");
        let told = lines.iter().map(|(_, line)| verifier.line(line).expect("a line").event.what.to_string());
        told.filter(|line| line.contains(word)).collect()
    }
}

#[tokio::test]
async fn what_bears_a_grant_that_was_closed_is_ended_and_nothing_else() {
    let mut world = World::new().await;
    let (grant, other) = (world.open(Transport::Ssm).await, "g-zzzzzzzzzzzz".parse().expect("a grant"));
    world.start("jon-1", &reason(&grant));
    world.start("jon-2", &reason(&grant));
    world.start("elsewhere-1", &reason(&other));
    world.start("maria-1", &format!("looking after {grant}"));
    world.wait(300).await;
    assert_eq!((world.sessions().len(), world.looks()), (4, 0), "nothing is over, and nobody is asked");

    world.close(&grant).await;
    assert_eq!(world.sessions(), ["elsewhere-1", "maria-1"]);
    let told = world.told("ended the session").await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], format!("ended the session jon-1 to i-0a1b: {grant} by ssm is over"));

    // One that was being started when the grant ended, and then an account at rest.
    world.start("jon-3", &reason(&grant));
    world.wait(30).await;
    assert_eq!(world.sessions(), ["elsewhere-1", "maria-1"]);
    world.wait(60).await;
    let looks = world.looks();
    world.wait(60).await;
    world.wait(3600).await;
    assert_eq!(world.looks(), looks, "nobody is asked any more");
    assert!(looks <= 5, "{looks} looks");
    assert_eq!(world.requests.store().unfinished().await.expect("grants"), []);
}

#[tokio::test]
async fn an_end_by_time_and_one_while_the_server_was_dead_take_sessions_along() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    world.wait(599).await;
    assert_eq!(world.sessions(), ["jon-1"]);
    world.wait(1).await;
    assert_eq!(world.sessions(), Vec::<String>::new());

    let grant = world.open(Transport::Ssm).await;
    world.start("jon-2", &reason(&grant));
    world.seconds.fetch_add(3600, Ordering::SeqCst);
    world.restart().await;
    world.reconciler.pass().await;
    assert_eq!(world.sessions(), Vec::<String>::new());

    // It had ended, and the server died before anything was done about that.
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-3", &reason(&grant));
    world.account.deny_ending(true);
    world.close(&grant).await;
    world.restart().await;
    world.account.deny_ending(false);
    world.reconciler.pass().await;
    assert_eq!(world.sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn who_leaves_the_group_loses_the_session() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    std::fs::write(world.folder.path().join("people.groups"), "dbs: maria\nops: maria\n").expect("groups");
    world.wait(5).await;
    assert_eq!(world.sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_is_told_once_and_holds_up_no_firewall() {
    let mut world = World::new().await;
    let (carried, direct) = (world.open(Transport::Ssm).await, world.open(Transport::Direct).await);
    world.start("jon-1", &reason(&carried));
    assert_eq!(world.rules(), 1);
    world.account.deny_ending(true);
    world.close(&carried).await;
    world.close(&direct).await;
    assert_eq!((world.rules(), world.sessions().len()), (0, 1));
    for _ in 0..5 {
        world.wait(30).await;
    }
    let told = world.told("could not end").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("ssm:TerminateSession in eu-west-1 was denied"), "{told:?}");
    // It is shown as what it is, with what ends it.
    let overdue = world.requests.nudge().status().overdue.clone();
    assert_eq!(overdue.len(), 1, "{overdue:?}");
    assert!(overdue[0].seen && overdue[0].at == "Session Manager in eu-west-1", "{overdue:?}");
    assert_eq!(overdue[0].fix, "aws ssm terminate-session --region eu-west-1 --session-id jon-1");
    let listed = world.requests.current(&caller("jon").person).await.expect("grants");
    assert_eq!(listed.iter().filter(|grant| grant.overdue.is_some()).count(), 1, "{listed:?}");
    // Nudged a hundred times within a second, AWS is not asked a hundred times.
    let looks = world.looks();
    for _ in 0..100 {
        world.wait(0).await;
    }
    assert!(world.looks() <= looks + 1);
    world.account.deny_ending(false);
    world.wait(60).await;
    assert_eq!(world.sessions(), Vec::<String>::new());
    assert_eq!(world.told("again").await, ["ends what outlives its grant in eu-west-1 again"]);
    assert_eq!(world.requests.nudge().status().overdue, []);
}

#[tokio::test]
async fn what_cannot_be_ended_for_a_day_is_given_up() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    world.account.deny_ending(true);
    world.close(&grant).await;
    world.wait(23 * 3600).await;
    assert_eq!(world.requests.store().unfinished().await.expect("grants").len(), 1);
    world.wait(3600).await;
    world.wait(60).await;
    let looks = world.looks();
    world.wait(60).await;
    assert_eq!(world.looks(), looks);
    assert_eq!(world.requests.store().unfinished().await.expect("grants"), []);
}

/// The policy of a server that vends credentials.
fn vending() -> String {
    let role = "[ssm]\nrole = \"arn:aws:iam::123456789012:role/sessions\"";
    POLICY.replace("[ssm]", role)
}

#[tokio::test]
async fn the_credentials_of_a_closed_grant_are_denied_for_as_long_as_they_are_good() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.start_vended("s-1", &grant);
    world.wait(60).await;
    assert_eq!((world.sessions().len(), world.denies()), (1, String::new()), "nothing is over");
    world.close(&grant).await;
    assert_eq!(world.sessions(), Vec::<String>::new(), "it is found by its owner");
    assert!(world.denies().contains(grant.as_str()), "{}", world.denies());

    // A later one stands beside it, also after a restart; a grant that nobody was vended anything for does not.
    world.restart().await;
    let (second, third) = (world.open(Transport::Ssm).await, world.open(Transport::Direct).await);
    world.vend(&second, 900).await;
    world.close(&third).await;
    world.close(&second).await;
    let denies = world.denies();
    assert!(denies.contains(grant.as_str()) && denies.contains(second.as_str()), "{denies}");
    let writes = || world.account.calls().get("PutRolePolicy").copied().unwrap_or_default();
    assert_eq!(writes(), 3, "one for each, and one after the restart, which knows nothing of the first");
    assert_eq!(world.told("denied the credentials").await.len(), 3);

    // When they are over by themselves, the next one no longer has them, and nothing is kept.
    world.wait(900 + 180).await;
    world.wait(60).await;
    assert_eq!(world.requests.store().unfinished().await.expect("grants"), []);
    let last = world.open(Transport::Ssm).await;
    world.vend(&last, 900).await;
    world.close(&last).await;
    let denies = world.denies();
    assert!(denies.contains(last.as_str()) && !denies.contains(grant.as_str()), "{denies}");
}

#[tokio::test]
async fn a_grant_whose_time_is_up_needs_no_denial() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.start_vended("s-1", &grant);
    world.wait(600).await;
    assert_eq!((world.sessions(), world.denies()), (Vec::new(), String::new()));
}

#[tokio::test]
async fn while_credentials_cannot_be_denied_their_sessions_are_ended_as_they_come() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.account.deny_revoking(true);
    world.close(&grant).await;
    assert_eq!(world.told("could not deny").await.len(), 1);
    for number in 0..8 {
        world.start_vended(&format!("s-{number}"), &grant);
        world.wait(90).await;
        world.wait(30).await;
        assert_eq!(world.sessions(), Vec::<String>::new(), "{number}");
    }
    assert_eq!(world.told("could not deny").await.len(), 1, "it is told once");
    world.account.deny_revoking(false);
    world.wait(60).await;
    assert!(world.denies().is_empty(), "they are over by now");
    world.wait(180).await;
    world.wait(60).await;
    assert_eq!(world.requests.store().unfinished().await.expect("grants"), []);
}
