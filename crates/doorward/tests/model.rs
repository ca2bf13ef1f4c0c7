//! Random histories against a reference: requests, answers, crashes, drift by hand, denied calls, people who leave,
//! clocks that jump. After any of them one pass leaves exactly the rules of what is live, and loses no grant.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod assembled;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use assembled::{HASH, account, assembled};
use doorward::clock::Clock;
use doorward::reconciler::Reconciler;
use doorward::requests::{Answer, Ask, Caller, Opened, Relocated, Requests};
use doorward_aws::Simulated;
use doorward_core::firewall::Mark;
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::inventory::{ExistingRule, RuleIdentity, SecurityGroupId, SecurityGroupRuleId};
use doorward_core::net::{Flow, Ports};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[server]
store = "doorward.db"

[grants]
special-networks = ["198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]

[aws]
region = "eu-west-1"

[firewall.clients]
about          = "clients"
security-group = "sg-00000000000000001"
static         = ["198.51.100.0/24"]
shared         = true

[firewall.admins]
about          = "admins"
security-group = "sg-00000000000000002"

[target.orders]
about      = "orders"
address    = "rds:orders"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"
lasts      = { usually = "10m", at-most = "1h" }

[target.stock]
about      = "stock"
address    = "rds:stock"
ports      = ["tcp/5432", "tcp/5433"]
groups     = ["dbs", "ops"]
transports = ["direct"]
firewall   = "clients"
lasts      = { usually = "20m", at-most = "1h" }

[target.admin]
about      = "admin"
address    = "rds:admin"
ports      = ["tcp/3306"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "admins"
lasts      = { usually = "5m", at-most = "2h" }
approval   = { from = ["ops"], above = "10m" }
"#;

const PEOPLE: [&str; 3] = ["jon", "richard", "maria"];
const TARGETS: [&str; 3] = ["orders", "stock", "admin"];
const GROUPS: [&str; 2] = ["sg-00000000000000001", "sg-00000000000000002"];

/// Something that happens.
#[derive(Debug, Clone)]
enum Act {
    Open {
        person: usize,
        target: usize,
        address: u8,
        minutes: Option<i64>,
    },
    /// The server dies after the grant was written and before anything was done about it.
    OpenAndDie {
        person: usize,
        target: usize,
        address: u8,
    },
    Close {
        person: usize,
        which: usize,
    },
    Answer {
        which: usize,
        agree: bool,
        /// The approver saw the request as it was before it was changed.
        stale: bool,
    },
    /// A person's address has changed.
    Move {
        person: usize,
        which: usize,
        address: u8,
    },
    Pass,
    Wait {
        seconds: u32,
    },
    /// The wall clock alone.
    Jump {
        seconds: i32,
    },
    Crash,
    Remove {
        group: usize,
        which: usize,
    },
    AddForeign {
        group: usize,
        port: u16,
    },
    Describe {
        group: usize,
        which: usize,
    },
    Strip {
        group: usize,
        which: usize,
    },
    Deny {
        seeing: bool,
    },
    Leave {
        person: usize,
    },
    ComeBack,
}

fn act() -> impl Strategy<Value = Act> {
    let minutes = prop::option::of(1i64..70);
    prop_oneof![
        6 => (0usize..3, 0usize..3, 0u8..4, minutes)
            .prop_map(|(person, target, address, minutes)| Act::Open { person, target, address, minutes }),
        1 => (0usize..3, 0usize..3, 0u8..4).prop_map(|(person, target, address)| Act::OpenAndDie { person, target, address }),
        2 => (0usize..3, 0usize..8).prop_map(|(person, which)| Act::Close { person, which }),
        2 => (0usize..4, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(which, agree, stale)| Act::Answer { which, agree, stale }),
        2 => (0usize..3, 0usize..8, 0u8..4)
            .prop_map(|(person, which, address)| Act::Move { person, which, address }),
        2 => Just(Act::Pass),
        4 => (1u32..2_400).prop_map(|seconds| Act::Wait { seconds }),
        1 => (-90_000i32..90_000).prop_map(|seconds| Act::Jump { seconds }),
        1 => Just(Act::Crash),
        1 => (0usize..2, 0usize..8).prop_map(|(group, which)| Act::Remove { group, which }),
        1 => (0usize..2, 1u16..9).prop_map(|(group, port)| Act::AddForeign { group, port }),
        1 => (0usize..2, 0usize..8).prop_map(|(group, which)| Act::Describe { group, which }),
        1 => (0usize..2, 0usize..8).prop_map(|(group, which)| Act::Strip { group, which }),
        1 => any::<bool>().prop_map(|seeing| Act::Deny { seeing }),
        1 => (0usize..3).prop_map(|person| Act::Leave { person }),
        1 => Just(Act::ComeBack),
    ]
}

/// The hands of both clocks, in milliseconds.
#[derive(Debug, Default)]
struct Hands {
    wall: AtomicI64,
    uptime: AtomicU64,
}

/// A grant as the reference knows it.
#[derive(Debug, Clone)]
struct Known {
    person: usize,
    since: Timestamp,
    until: Timestamp,
    /// The most that it may last in all, in milliseconds.
    most: u64,
    /// When it began by the clock that is not set back; before this life of the process that is below zero.
    begun: i64,
    /// By the clock that is not set back, when the program has not died since.
    deadline: Option<u64>,
    ended: bool,
}

impl Known {
    fn first(grant: &Grant, person: usize, now: Timestamp, uptime: u64) -> Self {
        let (since, until) = (grant.since().expect("open"), grant.until().expect("open"));
        let hours = if grant.target().as_str() == "admin" { 2 } else { 1 };
        let most = hours * 3_600_000;
        let mut known = Self { person, since, until, most, begun: 0, deadline: None, ended: false };
        known.noted(now, uptime);
        known
    }

    /// A process that sees it for the first time: it has what is left of it, and no more than it was given where it began
    /// in time to come.
    fn noted(&mut self, now: Timestamp, uptime: u64) {
        self.deadline = Some(uptime + left(self.until, now.max(self.since)));
        self.begun =
            i64::try_from(uptime).expect("a short life").saturating_sub_unsigned(left(now, self.since));
    }
}

struct World {
    folder: tempfile::TempDir,
    account: Simulated,
    hands: Arc<Hands>,
    requests: Arc<Requests>,
    reconciler: Reconciler,
    known: BTreeMap<GrantId, Known>,
    waiting: BTreeSet<GrantId>,
    foreign: BTreeMap<SecurityGroupId, BTreeSet<RuleIdentity>>,
    out: BTreeSet<usize>,
}

fn write_people(folder: &Path, out: &BTreeSet<usize>) {
    let members: Vec<&str> = PEOPLE
        .iter()
        .enumerate()
        .filter(|(number, _)| !out.contains(number))
        .map(|(_, name)| *name)
        .collect();
    let passwords: String = PEOPLE.iter().map(|person| format!("{person}:{HASH}\n")).collect();
    std::fs::write(folder.join("people.htpasswd"), passwords).expect("passwords");
    std::fs::write(folder.join("people.groups"), format!("dbs: {}\nops: maria\n", members.join(" ")))
        .expect("groups");
}

async fn assemble(policy: PathBuf, account: &Simulated, hands: &Arc<Hands>) -> (Arc<Requests>, Reconciler) {
    let (wall, uptime) = (Arc::clone(hands), Arc::clone(hands));
    let clock = Clock::by_hand(
        move || Timestamp::from_millisecond(wall.wall.load(Ordering::SeqCst)).expect("an instant"),
        move || Duration::from_millis(uptime.uptime.load(Ordering::SeqCst)),
    );
    assembled(&policy, account, clock).await
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("doorward.toml"), POLICY).expect("a policy");
        write_people(folder.path(), &BTreeSet::new());
        let account = account(&GROUPS);
        let hands = Arc::new(Hands::default());
        hands.wall.store(1_800_000_000_000, Ordering::SeqCst);
        let (requests, reconciler) = assemble(folder.path().join("doorward.toml"), &account, &hands).await;
        Self {
            folder,
            account,
            hands,
            requests,
            reconciler,
            known: BTreeMap::new(),
            waiting: BTreeSet::new(),
            foreign: BTreeMap::new(),
            out: BTreeSet::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.hands.wall.load(Ordering::SeqCst)).expect("an instant")
    }

    fn uptime(&self) -> u64 {
        self.hands.uptime.load(Ordering::SeqCst)
    }

    fn caller(&self, person: usize) -> Caller {
        Caller::known(PEOPLE[person].parse().expect("a person"), None)
    }

    fn ask(&self, target: usize, address: u8, minutes: Option<i64>) -> Ask {
        // Two of four addresses are shared by everybody behind them, and one is IPv6.
        let address = ["203.0.113.1", "203.0.113.2", "198.51.100.7", "2001:db8::7"][usize::from(address)];
        Ask {
            target: TARGETS[target].parse().expect("a target"),
            address: address.parse::<IpAddr>().expect("an address"),
            transport: None,
            lasts: minutes.map(SignedDuration::from_mins),
            reason: None,
        }
    }

    /// Waits for an answer while the reconciler does its work.
    async fn answered<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let reconciler = &mut self.reconciler;
        let passes = async {
            loop {
                reconciler.pass_when_nudged().await;
            }
        };
        tokio::select! {
            answer = answer => answer,
            () = passes => unreachable!("passes go on"),
        }
    }

    fn note(&mut self, opened: Opened, person: usize) {
        match opened {
            Opened::Granted { grant, .. } => {
                let until = grant.until().expect("open");
                let (now, uptime) = (self.now(), self.uptime());
                let known = match self.known.get(grant.id()) {
                    // The end is as it was, and so is what is left by the other clock.
                    Some(before) if before.until == until => before.clone(),
                    // A clock that was set back makes no extension longer than a grant may last in all.
                    Some(before) => {
                        let last = before.begun.saturating_add_unsigned(before.most).max(0).unsigned_abs();
                        let deadline = Some((uptime + left(until, now)).min(last));
                        Known { until, deadline, ..before.clone() }
                    }
                    None => Known::first(&grant, person, now, uptime),
                };
                self.waiting.remove(grant.id());
                self.known.insert(grant.id().clone(), Known { ended: false, ..known });
            }
            Opened::Waiting { grant, .. } => {
                self.waiting.insert(grant.id().clone());
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Open { person, target, address, minutes } => {
                let (caller, ask) = (self.caller(person), self.ask(target, address, minutes));
                let requests = Arc::clone(&self.requests);
                if let Ok(opened) = self.answered(async move { requests.open(&caller, ask).await }).await {
                    self.note(opened, person);
                }
            }
            Act::OpenAndDie { person, target, address } => {
                let (caller, ask) = (self.caller(person), self.ask(target, address, None));
                let before: BTreeSet<GrantId> = self.stored().await;
                let opening = self.requests.open(&caller, ask);
                // Nobody makes a pass, so it never answers.
                let _ = tokio::time::timeout(Duration::from_millis(15), opening).await;
                self.crash().await;
                let (now, uptime) = (self.now(), self.uptime());
                for grant in self.requests.app().store().unfinished().await.expect("grants") {
                    let is_new = grant.until().is_some() && !before.contains(grant.id());
                    let until = grant.until();
                    if is_new {
                        let known = Known::first(&grant, person, now, uptime);
                        self.known.insert(grant.id().clone(), known);
                    } else if let (Some(_), Some(known)) = (until, self.known.get_mut(grant.id())) {
                        *known =
                            Known { ended: known.ended, ..Known::first(&grant, known.person, now, uptime) };
                    } else if matches!(grant.life(), Life::Waiting { .. }) {
                        self.waiting.insert(grant.id().clone());
                    }
                }
            }
            Act::Close { person, which } => {
                let mine: Vec<GrantId> = self
                    .known
                    .iter()
                    .filter(|(_, known)| known.person == person)
                    .map(|(id, _)| id.clone())
                    .collect();
                let Some(id) = mine.get(which).cloned() else { return };
                let (caller, requests) = (self.caller(person), Arc::clone(&self.requests));
                let closing = id.clone();
                if self.answered(async move { requests.close(&caller, &closing).await }).await.is_ok() {
                    self.known.get_mut(&id).expect("known").ended = true;
                }
            }
            Act::Answer { which, agree, stale } => {
                let Some(id) = self.waiting.iter().nth(which).cloned() else { return };
                let person = self.requests.app().store().grant(&id).await.expect("a store").expect("a grant");
                let mut seen = self.requests.views().view(&person).seen;
                let person = PEOPLE.iter().position(|name| *name == person.person().as_str()).expect("known");
                let (caller, requests) = (self.caller(2), Arc::clone(&self.requests));
                let answering = id.clone();
                if let Some(seen) = seen.as_mut().filter(|_| stale) {
                    seen.revision += 1;
                }
                let answer = if agree { Answer::Approve { seen } } else { Answer::Deny { reason: None } };
                let answered =
                    self.answered(async move { requests.answer(&caller, &answering, answer).await }).await;
                assert!(!(stale && agree && answered.is_ok()), "what was changed since was approved");
                if let Ok(opened) = answered
                    && agree
                {
                    // It is the grant now, or has extended one.
                    self.waiting.remove(&id);
                    self.note(opened, person);
                }
            }
            Act::Move { person, which, address } => {
                let mine = self.known.iter().filter(|(_, known)| known.person == person);
                let Some((id, before)) = mine.map(|(id, known)| (id.clone(), known.clone())).nth(which)
                else {
                    return;
                };
                let (caller, to) = (self.caller(person), self.ask(0, address, None).address);
                let (requests, moving) = (Arc::clone(&self.requests), id.clone());
                let moved = self.answered(async move { requests.relocate(&caller, &moving, to).await }).await;
                let Ok(Relocated { opened: Opened::Granted { grant, .. }, .. }) = moved else { return };
                assert!(grant.source().contains(to), "{grant:?} does not admit {to}");
                if *grant.id() != id {
                    // What else of theirs admitted the old address ended with it.
                    let mut longest = before;
                    for (other, known) in &mut self.known {
                        let kept = self.requests.app().store().grant(other).await.expect("a store");
                        let life = kept.as_ref().map(Grant::life);
                        let moved = matches!(life, Some(Life::Ended { how: Ending::Moved { to }, .. }) if to == grant.id());
                        if moved && !known.ended {
                            known.ended = true;
                            if known.until > longest.until {
                                longest = known.clone();
                            }
                        }
                    }
                    assert!(self.known.get(&id).is_some_and(|known| known.ended), "it ended");
                    if !self.known.contains_key(grant.id()) {
                        // Neither clock gives it a moment more.
                        assert_eq!(grant.until(), Some(longest.until), "it ends when it would have ended");
                        self.known.insert(grant.id().clone(), Known { ended: false, ..longest });
                    }
                }
            }
            Act::Pass => {
                self.reconciler.pass().await;
            }
            Act::Wait { seconds } => {
                self.hands.wall.fetch_add(i64::from(seconds) * 1000, Ordering::SeqCst);
                self.hands.uptime.fetch_add(u64::from(seconds) * 1000, Ordering::SeqCst);
                // Time is what wakes the reconciler.
                self.reconciler.pass().await;
            }
            Act::Jump { seconds } => {
                self.hands.wall.fetch_add(i64::from(seconds) * 1000, Ordering::SeqCst);
                self.reconciler.pass().await;
            }
            Act::Crash => self.crash().await,
            Act::Remove { group, which } => self.touch(group, which, |rules, identity| {
                rules.remove(identity);
            }),
            Act::Describe { group, which } => self.touch(group, which, |rules, identity| {
                rules.get_mut(identity).expect("a rule").description = "do not delete".into();
            }),
            Act::Strip { group, which } => self.touch(group, which, |rules, identity| {
                rules.get_mut(identity).expect("a rule").tag = None;
            }),
            Act::AddForeign { group, port } => {
                let id: SecurityGroupId = GROUPS[group].parse().expect("an id");
                let identity = RuleIdentity::admitting(
                    Flow::Tcp(Ports::one(port)),
                    "192.0.2.0/24".parse().expect("a prefix"),
                );
                let rule = ExistingRule {
                    id: Some(format!("sgr-f{port:04}").parse::<SecurityGroupRuleId>().expect("an id")),
                    description: "made by hand".into(),
                    tag: None,
                };
                self.account.by_hand(|account| {
                    account.groups.get_mut(&id).expect("a group").rules.insert(identity.clone(), rule);
                });
                self.foreign.entry(id).or_default().insert(identity);
            }
            Act::Deny { seeing } => self.account.deny(seeing, !seeing),
            Act::Leave { person } => {
                self.out.insert(person);
                self.write_people().await;
            }
            Act::ComeBack => {
                self.out.clear();
                self.write_people().await;
            }
        }
    }

    async fn write_people(&mut self) {
        write_people(self.folder.path(), &self.out);
        self.reconciler.pass().await;
    }

    async fn stored(&self) -> BTreeSet<GrantId> {
        let grants = self.requests.app().store().unfinished().await.expect("grants");
        grants.iter().map(|grant| grant.id().clone()).collect()
    }

    /// The process is gone, and another one starts on the same files and the same account.
    async fn crash(&mut self) {
        let is_behind = self.is_clock_behind().await;
        self.requests.app().store().close().await;
        let uptime = self.uptime();
        for known in self.known.values_mut() {
            // What had lived its time was ended by the pass that follows every wait.
            known.ended |= is_behind || known.deadline.is_some_and(|deadline| deadline <= uptime);
        }
        self.hands.uptime.fetch_add(1_000_000, Ordering::SeqCst);
        let policy = self.folder.path().join("doorward.toml");
        (self.requests, self.reconciler) = assemble(policy, &self.account, &self.hands).await;
        // A server begins with a pass, which notes how long each grant has still to live.
        self.reconciler.pass().await;
        let (now, uptime) = (self.now(), self.uptime());
        for known in self.known.values_mut() {
            known.noted(now, uptime);
        }
    }

    /// Whether the clock is more than five minutes behind the last entry of the audit log: a server that starts then ends
    /// everything, since it cannot say what is over.
    async fn is_clock_behind(&self) -> bool {
        let lines = self.requests.app().store().latest_lines(None, 1).await.expect("a store");
        let Some((_, line)) = lines.first() else { return false };
        let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let at: Timestamp = entry["at"].as_str().expect("a time").parse().expect("an instant");
        at.duration_since(self.now()) > SignedDuration::from_mins(5)
    }

    /// Changes one of our rules by hand.
    fn touch(
        &self,
        group: usize,
        which: usize,
        change: impl FnOnce(&mut BTreeMap<RuleIdentity, ExistingRule>, &RuleIdentity),
    ) {
        let id: SecurityGroupId = GROUPS[group].parse().expect("an id");
        let by = self.requests.app().store().installation().clone();
        self.account.by_hand(|account| {
            let rules = &mut account.groups.get_mut(&id).expect("a group").rules;
            // One that has lost its tag and its description is nobody's that we know: what is left of it stays.
            let whole = |rule: &ExistingRule| rule.tag.is_some() && rule.description.parse::<Mark>().is_ok();
            let ours = rules.iter().filter(|(_, rule)| rule.made_by(&by) && whole(rule));
            if let Some(identity) = ours.map(|(identity, _)| identity.clone()).nth(which) {
                change(rules, &identity);
            }
        });
    }

    /// What the account must look like now, from the grants that are live in the store.
    async fn check(&mut self) -> Result<(), TestCaseError> {
        self.account.deny(false, false);
        self.reconciler.pass().await;
        let now = self.now();
        let grants = self.requests.app().store().unfinished().await.expect("grants");
        let live: BTreeSet<GrantId> =
            grants.iter().filter(|grant| grant.live(now).is_some()).map(|grant| grant.id().clone()).collect();

        let mut wanted: BTreeMap<&str, BTreeSet<RuleIdentity>> = BTreeMap::new();
        let port = |port| Flow::Tcp(Ports::one(port));
        for flow in [port(5432), port(5433)] {
            let office = RuleIdentity::admitting(flow, "198.51.100.0/24".parse().expect("a prefix"));
            wanted.entry(GROUPS[0]).or_default().insert(office);
        }
        for grant in grants.iter().filter(|grant| live.contains(grant.id())) {
            let (group, ports) = match grant.target().as_str() {
                "orders" => (GROUPS[0], vec![5432]),
                "stock" => (GROUPS[0], vec![5432, 5433]),
                _ => (GROUPS[1], vec![3306]),
            };
            let rules = ports.into_iter().map(|number| RuleIdentity::admitting(port(number), grant.source()));
            wanted.entry(group).or_default().extend(rules);
        }
        let account = self.account.inventory();
        let by = self.requests.app().store().installation().clone();
        for id in GROUPS {
            let group = &account.groups[&id.parse::<SecurityGroupId>().expect("an id")];
            let ours: BTreeSet<RuleIdentity> = group
                .rules
                .iter()
                .filter(|(_, rule)| rule.made_by(&by))
                .map(|(identity, _)| identity.clone())
                .collect();
            let foreign: BTreeSet<RuleIdentity> = group
                .rules
                .iter()
                .filter(|(_, rule)| !rule.made_by(&by))
                .map(|(identity, _)| identity.clone())
                .collect();
            let by_hand = self.foreign.get(&group.id).cloned().unwrap_or_default();
            prop_assert_eq!(ours, wanted.get(id).cloned().unwrap_or_default(), "the rules of {}", id);
            prop_assert_eq!(foreign, by_hand, "what is not ours in {}", id);
            for (identity, rule) in group.rules.iter().filter(|(_, rule)| rule.made_by(&by)) {
                prop_assert!(
                    rule.expired(now).is_none(),
                    "{} is past its end: {}",
                    identity,
                    rule.description
                );
            }
        }

        // The reference: what nobody closed, whose person never left, and whose time is not up by either clock.
        for (id, known) in &self.known {
            let over = known.until <= now || known.deadline.is_some_and(|deadline| deadline <= self.uptime());
            if known.ended || over {
                prop_assert!(!live.contains(id), "{} outlived its end: {:?}", id, known);
            }
        }
        for id in &live {
            prop_assert!(self.known.contains_key(id), "{} is live and nobody was told", id);
        }
        let verified = self.requests.app().store().verify().await.expect("a store");
        prop_assert!(verified.is_ok(), "{:?}", verified);
        Ok(())
    }

    /// Grants that must still be live: nobody closed them, nobody left, and no clock has come to their end.
    async fn check_none_lost(&self, never_left: bool, latest: Timestamp) -> Result<(), TestCaseError> {
        let now = self.now();
        let live: BTreeSet<GrantId> = self.stored().await;
        for (id, known) in &self.known {
            let lives = !known.ended && now < known.until && latest < known.until;
            let by_uptime = known.deadline.is_none_or(|deadline| self.uptime() < deadline);
            if never_left && lives && by_uptime {
                prop_assert!(live.contains(id), "{} was lost: {:?}", id, known);
            }
        }
        Ok(())
    }
}

/// Milliseconds from `now` to an end; none when that is past.
fn left(until: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_history_leaves_a_door_open_or_loses_a_grant(acts in prop::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut world = World::new().await;
            let mut latest = world.now();
            let mut never_left = true;
            for act in acts {
                never_left &= !matches!(act, Act::Leave { .. });
                world.act(act).await;
                latest = latest.max(world.now());
            }
            world.check().await?;
            world.check_none_lost(never_left, latest).await?;
            // A second pass has nothing to do.
            let calls = world.account.calls();
            world.reconciler.pass().await;
            let after = world.account.calls();
            let writes = |calls: &BTreeMap<&'static str, u64>| {
                calls.iter().filter(|(call, _)| !call.starts_with("Describe")).map(|(_, count)| *count).sum::<u64>()
            };
            prop_assert_eq!(writes(&calls), writes(&after), "a pass in which nothing changed wrote");
            Ok(())
        })?;
    }
}

/// What may be seen and what may be changed are denied apart: what is over is closed although nothing can be seen.
#[tokio::test]
async fn a_gap_never_holds_up_a_closing() {
    let mut world = World::new().await;
    let (caller, ask) = (world.caller(0), world.ask(0, 0, Some(10)));
    let requests = Arc::clone(&world.requests);
    world.answered(async move { requests.open(&caller, ask).await }).await.expect("opened");
    let rules = |world: &World| {
        let by = world.requests.app().store().installation().clone();
        let account = world.account.inventory();
        let rules = account.groups.values().flat_map(|group| group.rules.values());
        rules.filter(|rule| rule.description.contains(" to ") && rule.made_by(&by)).count()
    };
    assert_eq!(rules(&world), 1);

    world.account.deny(true, false);
    world.hands.wall.fetch_add(601_000, Ordering::SeqCst);
    world.reconciler.pass().await;
    assert_eq!(rules(&world), 0, "closed although the account could not be seen");

    // A new one cannot be opened meanwhile, and that is said.
    let (caller, ask) = (world.caller(0), world.ask(0, 0, Some(10)));
    let requests = Arc::clone(&world.requests);
    let refused = world.answered(async move { requests.open(&caller, ask).await }).await;
    assert!(refused.expect_err("refused").to_string().contains("could not be read"));

    // The same after a restart, when nothing is known but what the store says had been open.
    world.account.deny(false, false);
    let (caller, ask) = (world.caller(0), world.ask(0, 0, Some(10)));
    let requests = Arc::clone(&world.requests);
    world.reconciler.pass().await;
    world.answered(async move { requests.open(&caller, ask).await }).await.expect("opened");
    assert_eq!(rules(&world), 1);
    world.account.deny(true, false);
    world.crash().await;
    world.hands.wall.fetch_add(601_000, Ordering::SeqCst);
    world.reconciler.pass().await;
    assert_eq!(rules(&world), 0, "closed blind");
}
