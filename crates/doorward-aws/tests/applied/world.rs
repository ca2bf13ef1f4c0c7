//! An account of its own for each story: a Region of moto, behind a proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use account_proxy::Proxy;
use doorward_aws::{Account, Applied, Applying, Event, Pace, Stop};
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::plan::Plan;
use doorward_core::plan::network::{NetworkStep, network_difference};
use doorward_core::topology::{
    Environment, Layout, Obstacle, Site, Topology, Transition, after_transition, layout, without,
};
use tokio::runtime::Runtime;

use crate::moto::{Moto, profile};

/// How many servers there are. A world is in a Region of one of them, in which no other is.
pub const MOTOS: usize = 2;

/// Regions with three zones each, so that the default VPCs are alike.
const REGIONS: [&str; 28] = [
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "mx-central-1",
    "us-east-2",
    "ap-southeast-5",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-south-1",
    "ap-south-2",
    "ap-northeast-1",
    "ap-southeast-7",
    "ap-northeast-3",
    "ap-east-1",
    "af-south-1",
    "ca-central-1",
    "ca-west-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "sa-east-1",
];

/// The servers that run, until the last story has ended: one takes seconds to start.
static RUNNING: [Mutex<Option<Arc<Moto>>>; MOTOS] = [const { Mutex::new(None) }; MOTOS];

/// The server of this thread, and a Region of it that no world had before.
fn place_of_thread() -> (Arc<Moto>, usize, &'static str) {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    static TAKEN: [AtomicUsize; MOTOS] = [const { AtomicUsize::new(0) }; MOTOS];
    thread_local! {
        static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed) % MOTOS;
    }
    let number = NUMBER.with(|number| *number);
    let mut running = RUNNING[number].lock().unwrap_or_else(PoisonError::into_inner);
    let moto = Arc::clone(running.get_or_insert_with(|| Arc::new(Moto::alone())));
    (moto, number, REGIONS[TAKEN[number].fetch_add(1, Ordering::Relaxed)])
}

/// Ends the servers.
pub fn end() {
    for running in &RUNNING {
        running.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

pub struct World {
    pub moto: Arc<Moto>,
    pub region: &'static str,
    pub runtime: Runtime,
    proxy: Option<Proxy>,
    url: String,
    account_region: AccountRegion,
    account: Mutex<Account>,
    pub by: InstallationId,
}

impl World {
    pub fn new() -> Self {
        let (moto, number, region) = place_of_thread();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let proxy = runtime.block_on(Proxy::start("127.0.0.1:0", &moto.url())).expect("a proxy");
        let url = proxy.url.clone();
        let mut account_region = profile(&format!("applied-{number}-{region}"), region, &url);
        account_region.region = Some(region.to_owned());
        let account = Mutex::new(runtime.block_on(Account::connect(&account_region)).expect("an account"));
        let world = Self {
            moto,
            region,
            runtime,
            proxy: Some(proxy),
            url,
            account_region,
            account,
            by: InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b]),
        };
        // What takes time takes it by being asked.
        world.steer("clock", "{\"tick\": 10}");
        world
    }

    /// Steers the proxy.
    pub fn steer(&self, what: &str, body: &str) {
        let sent = ureq::post(format!("{}/account-proxy/{what}", self.url)).send(body);
        assert!(sent.is_ok(), "{what}: {sent:?}");
    }

    /// All calls so far that changed something, and were performed, by their names.
    pub fn performed(&self) -> BTreeMap<String, usize> {
        let state = self.state();
        assert_eq!(state["violations"], serde_json::json!([]), "parameters that AWS does not know");
        let mut performed = BTreeMap::new();
        for call in state["calls"].as_array().expect("calls") {
            let action = call["action"].as_str().expect("a name");
            let done = call["status"] == 200 && call["code"].is_null();
            let done =
                done && (call["fault"].is_null() || call["fault"] == "Lose" || call["fault"] == "FailAfter");
            let writes =
                ["Create", "Allocate", "Delete", "Release", "Run", "Terminate", "Restore", "Start", "Stop"]
                    .iter()
                    .any(|it| action.starts_with(it));
            if done && writes {
                *performed.entry(action.to_owned()).or_default() += 1;
            }
        }
        performed
    }

    /// A call of a service of forms, through the proxy, which keeps what moto does not.
    pub fn call(&self, service: &str, version: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let fields = [("Action", action), ("Version", version)].into_iter().chain(fields.iter().copied());
        let mut answer = ureq::post(&self.url)
            .header("authorization", self.signed(service))
            .send_form(fields)
            .unwrap_or_else(|error| panic!("{action}: {error}"));
        answer.body_mut().read_to_string().expect("a text")
    }

    /// The same of a service of JSON: a path, or the target of a call.
    pub fn json(&self, service: &str, path: &str, target: Option<&str>, body: &str) -> String {
        let post = ureq::post(format!("{}{path}", self.url)).header("authorization", self.signed(service));
        let post = match target {
            Some(target) => {
                post.header("content-type", "application/x-amz-json-1.1").header("x-amz-target", target)
            }
            None => post.header("content-type", "application/json"),
        };
        let mut answer = post.send(body).unwrap_or_else(|error| panic!("{path} {target:?}: {error}"));
        answer.body_mut().read_to_string().expect("a text")
    }

    /// moto reads the Region from the signature and believes it.
    fn signed(&self, service: &str) -> String {
        let scope = format!("test/20261122/{}/{service}/aws4_request", self.region);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    }

    /// What the layout of a text reports as obstacles.
    pub fn obstacles(&self, text: &str, actual: &Inventory) -> Vec<String> {
        let obstacles = layout(&self.topology(text), actual, &self.site(actual)).expect_err("obstacles");
        obstacles.iter().map(ToString::to_string).collect()
    }

    /// The account as a process that has just started knows it.
    pub fn restart(&self) {
        let account = self.runtime.block_on(Account::connect(&self.account_region)).expect("an account");
        *self.account.lock().expect("an account") = account;
    }

    fn account(&self) -> Account {
        self.account.lock().expect("an account").clone()
    }

    /// The whole account. On a busy machine moto may answer too late.
    pub fn survey(&self) -> Inventory {
        let survey = || self.runtime.block_on(async { self.account().survey(&|_| ()).await });
        let late = |actual: &Inventory| actual.gaps.iter().any(|gap| gap.why.contains("it took longer"));
        (0..4).map(|_| survey()).find(|actual| !late(actual)).expect("moto answers in time")
    }

    pub fn ec2(&self, action: &str, fields: &[(&str, &str)]) -> String {
        self.moto.ec2(self.region, action, fields)
    }

    fn site(&self, actual: &Inventory) -> Site {
        let account_region =
            actual.vpcs.values().map(|vpc| vpc.account_region.clone()).next().expect("a VPC");
        Site::of(actual, account_region, self.by.clone())
    }

    fn topology(&self, text: &str) -> Topology {
        let profile = self.account_region.profile.as_deref().expect("a profile");
        let text = format!(
            "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"{}\"\nprofile = \"{profile}\"\n{text}",
            self.region
        );
        doorward_core::policy::parse(&text, "p").expect("a policy").topology
    }

    fn difference(&self, actual: &Inventory, layout: &Layout) -> Plan<NetworkStep> {
        network_difference(actual, &layout.wanted, &self.by)
    }

    pub fn plan(&self, text: &str, actual: &Inventory) -> Plan<NetworkStep> {
        let layout = layout(&self.topology(text), actual, &self.site(actual));
        self.difference(actual, &layout.expect("nothing prevents it"))
    }

    pub fn plan_without(&self, network: &str, actual: &Inventory) -> Option<Plan<NetworkStep>> {
        let name: NetworkName = network.parse().expect("a name");
        match without(&name, actual, &self.site(actual)) {
            Ok(layout) => Some(self.difference(actual, &layout)),
            Err(obstacles) if matches!(obstacles[..], [Obstacle::NothingToDestroy { .. }]) => None,
            Err(obstacles) => panic!("{obstacles:?}"),
        }
    }

    /// The environment of a text.
    pub fn environment(&self, text: &str) -> Environment {
        self.topology(text).environments.into_values().next().expect("an environment")
    }

    pub fn plan_transition(&self, text: &str, to: Transition, actual: &Inventory) -> Plan<NetworkStep> {
        let (topology, environment) = (self.topology(text), self.environment(text));
        let layout = after_transition(&environment, to, &topology, actual, &self.site(actual));
        self.difference(actual, &layout.expect("nothing prevents it"))
    }

    /// Starts or stops the environment of a text, in one run, after which nothing is left to do.
    pub fn turn(&self, text: &str, to: Transition) -> Inventory {
        let actual = self.survey();
        let applied = self.perform(self.plan_transition(text, to, &actual), &actual);
        assert!(applied.is_whole(), "{}", summary(&applied));
        let actual = self.survey();
        let left = self.plan_transition(text, to, &actual);
        let left: Vec<String> = left.steps().iter().map(|step| step.change.to_string()).collect();
        assert_eq!(left, Vec::<String>::new(), "something is left to do");
        actual
    }

    pub fn perform(&self, plan: Plan<NetworkStep>, actual: &Inventory) -> Applied {
        self.perform_telling(plan, actual, &Stop::default(), &|_| ())
    }

    pub fn perform_telling(
        &self,
        plan: Plan<NetworkStep>,
        actual: &Inventory,
        stop: &Stop,
        events: &(dyn Fn(Event) + Send + Sync),
    ) -> Applied {
        let pace = Pace { first: Duration::from_millis(1), longest: Duration::from_millis(8) };
        let how = Applying { by: &self.by, pace, stop, events };
        let before = self.state()["calls"].as_array().expect("calls").len();
        let applied = self.runtime.block_on(async { self.account().apply(plan, actual, how).await });
        let applied = applied.expect("the account did not move");
        self.made_the_calls(before, &applied, actual);
        applied
    }

    /// That a run made the calls that its changes say, on which the IAM policies are built: no others, and all of them where
    /// nothing failed.
    fn made_the_calls(&self, before: usize, applied: &Applied, actual: &Inventory) {
        let state = self.state();
        let calls = state["calls"].as_array().expect("calls").iter().skip(before);
        let writes = |name: &str| !["Describe", "Get", "List", "GET "].iter().any(|it| name.starts_with(it));
        let named = |call: &serde_json::Value| {
            let (service, action) = (call["service"].as_str()?, call["action"].as_str()?);
            let is_function = service == "lambda" && action.ends_with("/configuration");
            let action = if is_function { "UpdateFunctionConfiguration" } else { action };
            writes(action).then(|| format!("{service}:{action}"))
        };
        let has_faults = calls.clone().any(|call| !call["fault"].is_null());
        let made: BTreeSet<String> = calls.filter_map(named).collect();
        let said = applied.steps.iter().flat_map(|step| step.change.calls(actual));
        let said: BTreeSet<String> = said.map(str::to_owned).collect();
        assert!(made.is_subset(&said), "{made:?} is not within {said:?}");
        if applied.is_whole() && !has_faults {
            assert_eq!(made, said);
        }
    }

    fn state(&self) -> serde_json::Value {
        let state = ureq::get(format!("{}/account-proxy/state", self.url)).call();
        let text = state.expect("the state").body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Makes the account into what is declared, in one run.
    pub fn apply(&self, text: &str) -> Inventory {
        let actual = self.survey();
        let applied = self.perform(self.plan(text, &actual), &actual);
        assert!(applied.is_whole(), "{}", summary(&applied));
        self.is_as_declared(text)
    }

    /// That nothing is left to do.
    pub fn is_as_declared(&self, text: &str) -> Inventory {
        let actual = self.survey();
        let left = self.plan(text, &actual);
        let left: Vec<String> = left.steps().iter().map(|step| step.change.to_string()).collect();
        assert_eq!(left, Vec::<String>::new(), "something is left to do");
        actual
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            let _guard = self.runtime.enter();
            proxy.stop();
        }
    }
}

/// That an account is what it was.
pub fn same(after: &Inventory, before: &Inventory) {
    assert_eq!(after.vpcs, before.vpcs);
    assert_eq!(after.subnets, before.subnets);
    assert_eq!(after.route_tables, before.route_tables);
    assert_eq!(after.network_acls, before.network_acls);
    assert_eq!(after.groups, before.groups);
    assert_eq!(after.interfaces, before.interfaces);
    assert_eq!(after.elastic_addresses, before.elastic_addresses);
    assert_eq!(after.internet_gateways, before.internet_gateways);
    assert_eq!(after.nat_gateways, before.nat_gateways);
    assert_eq!(after.endpoints, before.endpoints);
    assert_eq!(after.database_subnet_groups, before.database_subnet_groups);
    assert_eq!(after.digest(), before.digest());
}

/// What failed, and what was left.
pub fn summary(applied: &Applied) -> String {
    let failed = applied.failed.iter().map(|(step, why)| format!("{}: {why}", applied.steps[*step].change));
    let left = applied.left.iter().map(|step| format!("left: {}", applied.steps[*step].change));
    failed.chain(left).collect::<Vec<_>>().join("\n")
}

/// How many resources of each kind there are.
pub fn counted(account: &Inventory) -> BTreeMap<&'static str, usize> {
    [
        ("VPCs", account.vpcs.len()),
        ("subnets", account.subnets.len()),
        ("route tables", account.route_tables.len()),
        ("routes", account.route_tables.values().map(|it| it.routes.len()).sum()),
        ("security groups", account.groups.len()),
        ("rules", account.groups.values().map(|it| it.rules.len()).sum()),
        ("elastic addresses", account.elastic_addresses.len()),
        ("internet gateways", account.internet_gateways.len()),
        ("NAT gateways", account.nat_gateways.len()),
        ("endpoints", account.endpoints.len()),
        ("DB subnet groups", account.database_subnet_groups.len()),
        ("interfaces", account.interfaces.len()),
    ]
    .into()
}
