//! Endpoints of targets from AWS: looked up by a separate task, so that no request waits for AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorward_aws::Located;
use doorward_core::policy::{Address, Policy, Transport};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Requests;
use crate::cloud::Cloud;
use crate::few_threads::FewThreads;

/// How long an answer waits for a look-up that has not ended yet.
const WAITS: Duration = Duration::from_secs(2);

/// How long one look-up may take.
const TAKES: Duration = Duration::from_secs(10);

/// How often it is looked whether something new has to be looked up.
const LISTENS_EVERY: Duration = Duration::from_secs(1);

/// After how many of these everything is looked up again, and after how many what was not found.
const AGAIN: u32 = 300;
const MISSING_AGAIN: u32 = 30;

/// Where a target answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A DNS name or an address.
    pub host: String,
    /// The port, where AWS knows it.
    pub port: Option<u16>,
    /// The engine: `postgres`, `aurora-mysql`, `redis`.
    pub engine: Option<String>,
}

/// What is known of the addresses that only AWS knows, each by its text in the policy. A failure is why.
#[derive(Debug, Default)]
pub struct Endpoints {
    known: watch::Sender<BTreeMap<String, Result<Endpoint, String>>>,
    /// Whether somebody looks up; else nobody waits for it.
    looking: AtomicBool,
}

impl Endpoints {
    /// Where an address answers; none where it was not looked up, or not found.
    pub fn of(&self, address: &Address) -> Option<Endpoint> {
        self.known.borrow().get(&address.to_string())?.clone().ok()
    }

    /// Why it is not known, where it was looked up in vain.
    pub fn why_not(&self, address: &Address) -> Option<String> {
        self.known.borrow().get(&address.to_string())?.clone().err()
    }

    /// Waits for a moment until it was looked up.
    pub async fn wait(&self, address: &Address) {
        if !is_elsewhere(address) || !self.looking.load(Ordering::SeqCst) {
            return;
        }
        let name = address.to_string();
        let mut known = self.known.subscribe();
        // A longer look-up is reported without a name.
        let _ = tokio::time::timeout(WAITS, known.wait_for(|known| known.contains_key(&name))).await;
    }

    fn note(&self, address: &Address, found: Result<Endpoint, String>) {
        let name = address.to_string();
        if let Err(why) = &found
            && self.why_not(address).as_ref() != Some(why)
        {
            tracing::warn!(target = name, why, "endpoint lookup of a target failed");
        }
        self.known.send_modify(|known| match (known.get(&name), &found) {
            // What was found once is better than nothing.
            (Some(Ok(_)), Err(_)) => {}
            _ => {
                known.insert(name, found);
            }
        });
    }
}

/// Whether only AWS knows where an address leads.
pub(super) fn is_elsewhere(address: &Address) -> bool {
    !matches!(address, Address::Host(_) | Address::Network(_))
}

/// Addresses of a policy that people connect to directly, and that only AWS knows.
fn wanted(policy: &Policy) -> BTreeSet<&Address> {
    let direct = policy.targets.values().filter(|target| target.transports.contains(&Transport::Direct));
    direct.map(|target| &target.address).filter(|address| is_elsewhere(address)).collect()
}

/// Where an address answers by the recorded account that the policy names.
async fn recorded(threads: &FewThreads, folder: String, address: Address) -> Option<Endpoint> {
    let read = move || {
        let inventory = doorward_aws::recorded(Path::new(&folder)).ok()?;
        Located::in_inventory(&inventory, &address).map(Endpoint::from)
    };
    threads.read(TAKES, read).await.ok().flatten()
}

impl From<Located> for Endpoint {
    fn from(located: Located) -> Self {
        Self { host: located.host, port: located.port, engine: located.engine }
    }
}

/// Looks up where targets answer, for as long as it is let.
pub async fn look_up(requests: Arc<Requests>, cloud: Cloud) {
    requests.endpoints.looking.store(true, Ordering::SeqCst);
    for round in (0..AGAIN).cycle() {
        let loaded = requests.app().loaded();
        let policy = &loaded.policy;
        let due = |address: &&Address| match requests.endpoints.known.borrow().get(&address.to_string()) {
            None => true,
            Some(Ok(_)) => round == 0,
            Some(Err(_)) => round % MISSING_AGAIN == 0,
        };
        let due: Vec<Address> = wanted(policy).into_iter().filter(due).cloned().collect();
        let mut looking = JoinSet::new();
        for address in due {
            let (cloud, account_region, requests) =
                (cloud.clone(), policy.aws.clone(), Arc::clone(&requests));
            let folder = policy.inventory.clone();
            looking.spawn(async move {
                let live = match tokio::time::timeout(TAKES, cloud.endpoint(&account_region, &address)).await
                {
                    Ok(Ok(located)) => Ok(Endpoint::from(located)),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("AWS gave no answer within {} s", TAKES.as_secs())),
                };
                let found = match (live, &folder) {
                    (Err(why), Some(folder)) => {
                        recorded(&requests.recorded, folder.clone(), address.clone()).await.ok_or(why)
                    }
                    (live, _) => live,
                };
                requests.endpoints.note(&address, found);
            });
        }
        looking.join_all().await;
        tokio::time::sleep(LISTENS_EVERY).await;
    }
}
