//! The intents of a policy over an account in memory that somebody changes.

use std::fs;
use std::path::Path;

use doorward_aws::Simulated;
use doorward_core::inventory::{Call, Gap};

use super::*;
use crate::clock::Clock;
use crate::policy_file::PolicyFile;
use crate::status::Nudged;

const POLICY: &str = "[people]\npasswords = \"p\"\ngroups = \"g\"\n\n[server]\nstore = \"doorward.db\"\n\n\
                      [aws]\nregion = \"eu-west-1\"\n\n[[never]]\nfrom = \"internet\"\nto = \"rds:orders-prod\"\n\
                      reason = \"databases are private\"\n";

/// A database that one address of the internet reaches, by this group.
const GROUP: &str = "sg-0a1b2c3d4e5f60718";

struct Played {
    _folder: tempfile::TempDir,
    account: Simulated,
    requests: Arc<Requests>,
    nudged: Nudged,
}

impl Played {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("p", ""), ("g", ""), ("doorward.toml", POLICY)] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let file = Arc::new(PolicyFile::open(&folder.path().join("doorward.toml")).expect("a policy"));
        let (nudge, nudged) = crate::status::Nudge::pair();
        let store = file.current().policy.server.store.clone();
        let store = crate::store::Store::open(&store, [7; 4]).await.expect("a store");
        let app = crate::app::App::new(store, file, Clock::system(), nudge);
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/intents.in/account");
        let account = Simulated::new(doorward_aws::recorded(&recorded).expect("a recording"));
        Self { _folder: folder, account, requests: Arc::new(Requests::new(app)), nudged }
    }

    fn prover(&self) -> Prover {
        Prover {
            requests: Arc::clone(&self.requests),
            threads: FewThreads::new(1),
            unrecorded: VecDeque::new(),
        }
    }

    fn cloud(&self) -> Cloud {
        Cloud::Simulated(self.account.clone())
    }

    fn report(&self) -> Arc<IntentReport> {
        Arc::clone(&self.requests.app().intents().borrow())
    }

    /// Whether the internet reaches the database.
    fn is_open(&self, open: bool, rules: &BTreeMap<RuleIdentity, doorward_core::inventory::ExistingRule>) {
        self.account.by_hand(|inventory| {
            let group = inventory.groups.get_mut(GROUP).expect("a group");
            group.rules = if open { rules.clone() } else { BTreeMap::new() };
        });
    }

    fn rules(&self) -> BTreeMap<RuleIdentity, doorward_core::inventory::ExistingRule> {
        self.account.inventory().groups[GROUP].rules.clone()
    }

    /// What the audit log has of intents.
    async fn recorded(&self) -> Vec<String> {
        let lines = self.requests.app().store().lines(0, 100).await.expect("a log");
        let events =
            lines.iter().map(|(_, line)| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let kinds = events.map(|event| event["what"].as_str().unwrap_or_default().to_owned());
        kinds.filter(|kind| kind.starts_with("intent-")).collect()
    }
}

fn outcomes(report: &IntentReport) -> Vec<(IntentOutcome, bool)> {
    report.each.iter().map(|it| (it.outcome, it.broken_since.is_some())).collect()
}

#[tokio::test]
async fn a_broken_intent_is_an_alarm_until_it_is_kept_and_is_recorded_once() {
    let played = Played::new().await;
    let (mut prover, rules) = (played.prover(), played.rules());
    assert_eq!(played.report().at, None);
    for _ in 0..2 {
        prover.prove_all(&played.cloud()).await;
        assert_eq!(outcomes(&played.report()), [(IntentOutcome::Broken, true)]);
    }
    let why = played.report().each[0].why.join("\n");
    assert!(why.contains("allowed: tcp/5432") && why.contains("192.0.2.44/32"), "{why}");
    assert_eq!(played.recorded().await, ["intent-broken"]);
    played.is_open(false, &rules);
    prover.prove_all(&played.cloud()).await;
    assert_eq!(outcomes(&played.report()), [(IntentOutcome::Kept, false)]);
    played.is_open(true, &rules);
    prover.prove_all(&played.cloud()).await;
    assert_eq!(played.recorded().await, ["intent-broken", "intent-kept", "intent-broken"]);
}

/// AWS denies a call: nothing is known, so that a broken intent stays an alarm and one that was kept raises none.
#[tokio::test]
async fn an_account_that_cannot_be_read_makes_an_intent_undecided() {
    let played = Played::new().await;
    let (mut prover, rules) = (played.prover(), played.rules());
    let unread = |inventory: &mut Inventory| {
        let at = AccountRegion::default();
        inventory.gaps.push(Gap::of(Call::SecurityGroups, &at, "UnauthorizedOperation: no"));
        inventory.incomplete_groups.extend(inventory.groups.keys().cloned());
    };
    played.is_open(false, &rules);
    prover.prove_all(&played.cloud()).await;
    assert_eq!(outcomes(&played.report()), [(IntentOutcome::Kept, false)]);
    played.account.by_hand(unread);
    played.account.by_hand(|inventory| inventory.groups.clear());
    prover.prove_all(&played.cloud()).await;
    assert_eq!(outcomes(&played.report()), [(IntentOutcome::Undecided, false)], "{:?}", played.report());
    assert_eq!((played.report().broken().count(), played.report().undecided().count()), (0, 1));
    assert_eq!(played.recorded().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_changed_security_group_is_proved_soon_and_everything_else_in_an_hour() {
    let played = Played::new().await;
    let rules = played.rules();
    let rhythm = Rhythm {
        every: Duration::from_secs(3600),
        after_change: Duration::from_millis(20),
        least: Duration::from_millis(40),
    };
    let (account, show) = (played.account.clone(), |played: &Played| {
        let inventory = Arc::new(played.account.inventory());
        played.nudged.change(|status| status.inventory = inventory);
    });
    show(&played);
    let connect = move || Cloud::Simulated(account.clone());
    let proving = tokio::spawn(keep_proving(Arc::clone(&played.requests), connect, rhythm));
    let mut reports = played.requests.app().intents().subscribe();
    let broken = |report: &Arc<IntentReport>| report.at.is_some() && report.broken().count() == 1;
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, reports.wait_for(broken)).await.expect("in time").expect("a report");
    // A pass that saw the same rules is no reason.
    show(&played);
    let first = played.report().at;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(played.report().at, first);
    played.is_open(false, &rules);
    show(&played);
    let kept = |report: &Arc<IntentReport>| report.broken().count() == 0;
    tokio::time::timeout(limit, reports.wait_for(kept)).await.expect("in time").expect("a report");
    proving.abort();
}

#[test]
fn a_policy_without_accounts_is_proved_in_that_of_the_machine() {
    let policy = doorward_core::policy::parse(POLICY, "p").expect("a policy");
    let all: Vec<String> = account_regions(&policy).iter().map(ToString::to_string).collect();
    assert_eq!(all, ["eu-west-1"]);
}
