//! The program without its edges: requests and a reconciler over one policy, an account in memory, and a clock by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use doorward::app::App;
use doorward::clock::Clock;
use doorward::cloud::Cloud;
use doorward::firewall::Local;
use doorward::policy_file::PolicyFile;
use doorward::reconciler::Reconciler;
use doorward::requests::Requests;
use doorward::status::Nudge;
use doorward::store::Store;
use doorward_aws::Simulated;
use doorward_core::inventory::{AccountRegion, Inventory, SecurityGroup};

/// The hash of everybody's password, at bcrypt's least cost.
pub const HASH: &str = "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS";

/// An account in memory with security groups of these ids, and no rules.
pub fn account(groups: &[&str]) -> Simulated {
    let group = |id: &&str| {
        let group = SecurityGroup {
            id: id.parse().expect("an id"),
            account_region: AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None },
            owner: None,
            vpc: None,
            name: (*id).into(),
            about: String::new(),
            tags: BTreeMap::new(),
            rules: BTreeMap::new(),
        };
        (group.id.clone(), group)
    };
    Simulated::new(Inventory { groups: groups.iter().map(group).collect(), ..Inventory::default() })
}

/// Puts it together, as at each start.
pub async fn assembled(policy: &Path, account: &Simulated, clock: Clock) -> (Arc<Requests>, Reconciler) {
    let file = Arc::new(PolicyFile::open(policy).expect("a policy"));
    let store = Store::open(&file.current().policy.server.store, [1, 2, 3, 4]).await.expect("a store");
    let (nudge, nudged) = Nudge::pair();
    let requests = Arc::new(Requests::new(App::new(store, file, clock, nudge)));
    let cloud = Cloud::Simulated(account.clone());
    let reconciler = Reconciler::new(Arc::clone(&requests), cloud, Local::default(), nudged);
    (requests, reconciler)
}
