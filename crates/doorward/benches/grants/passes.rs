//! A pass over 500 security groups, at more and more live grants: calls to AWS, time on a processor, memory.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::cloud::Cloud;
use doorward::firewall::Local;
use doorward::reconciler::Reconciler;
use doorward::requests::{Ask, Caller, Opened, Requests};
use doorward::status::SyncState;
use jiff::SignedDuration;

use crate::cost;
use crate::shop::{self, GROUPS, Shop};
use crate::table::{self, median, thousands};

/// How many live grants.
const LIVE: [usize; 3] = [100, 1_000, 10_000];

/// Passes in which nothing changed are made for that long, but so many at least and at most.
const LASTS: Duration = Duration::from_secs(10);
const LEAST: usize = 5;
const MOST: usize = 40;

/// Measures every pass; what is in the store then stays there. Calls that should not be are added to `missed`.
pub async fn measure(shop: &Shop, missed: &mut Vec<String>) -> Arc<Requests> {
    let (requests, nudged) = shop.requests().await;
    let cloud = Cloud::live();
    let mut reconciler = Reconciler::new(Arc::clone(&requests), cloud.clone(), Local::default(), nudged);
    println!("Bringing the rules of more and more grants in, through moto:");
    let mut rows = Vec::new();
    let mut before = 0;
    for live in LIVE {
        shop::fill(&requests, before, live).await;
        let begun = Instant::now();
        // The first pass of a process knows nothing yet, and moto is slow: what it did not take is tried again.
        let mut passes = 1;
        while !reconciler
            .pass()
            .await
            .firewalls
            .values()
            .all(|(_, sync_state)| *sync_state == SyncState::InSync)
        {
            passes += 1;
            assert!(passes < 10, "{:?}", requests.app().nudge().status().firewalls);
        }
        let new = thousands(live - before);
        println!("  {new} new grants: {:.1} s in {passes} pass(es)", begun.elapsed().as_secs_f64());
        let row = stage(live, &requests, &mut reconciler, &cloud).await;
        row.judge(missed);
        rows.push(row);
        before = live;
    }
    println!("\nA pass over {GROUPS} security groups in one place, through HTTP and XML:\n");
    let titles = [
        "live grants",
        "describe calls",
        "writes, nothing changed",
        "one opened",
        "one extended",
        "one closed",
        "CPU ms",
        "wall ms",
        "ms to open",
        "MB",
    ];
    table::print(&titles, &rows.iter().map(Row::cells).collect::<Vec<_>>());
    println!(
        "CPU is that of this process, the median of the passes in which nothing changed, and wall the time that they\n\
         took. Opening is from the request until the rule stands. MB is what this process holds after them, the bench\n\
         included. EC2 is moto, behind a front that hands out pages of 1,000 rules as EC2 does, without AWS's latency.\n"
    );
    requests
}

/// What a pass costs at so many grants.
struct Row {
    live: usize,
    describes: Vec<u64>,
    unchanged: u64,
    changed: [u64; 3],
    busy: Duration,
    wall: Duration,
    opening: Duration,
    megabytes: f64,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        let [opened, extended, closed] = self.changed.map(|writes| writes.to_string());
        vec![
            thousands(self.live),
            median(self.describes.clone()).to_string(),
            self.unchanged.to_string(),
            opened,
            extended,
            closed,
            milliseconds(self.busy),
            milliseconds(self.wall),
            milliseconds(self.opening),
            format!("{:.0}", self.megabytes),
        ]
    }

    fn judge(&self, missed: &mut Vec<String>) {
        let live = thousands(self.live);
        if self.unchanged > 0 {
            missed.push(format!(
                "at {live} grants, passes in which nothing changed made {} write calls",
                self.unchanged
            ));
        }
        for (change, writes) in ["opened", "extended", "closed"].iter().zip(self.changed) {
            if writes != 1 {
                missed.push(format!("at {live} grants, one {change} made {writes} write calls, and not 1"));
            }
        }
    }
}

/// Calls so far: those that only look, and those that write.
fn calls(cloud: &Cloud) -> (u64, u64) {
    let looks = |call: &str| call.starts_with("Describe") || call.starts_with("Get");
    let (looks, writes): (BTreeMap<_, _>, BTreeMap<_, _>) =
        cloud.calls().into_iter().partition(|(call, _)| looks(call));
    (looks.values().sum(), writes.values().sum())
}

async fn stage(live: usize, requests: &Arc<Requests>, reconciler: &mut Reconciler, cloud: &Cloud) -> Row {
    let (mut describes, mut busy, mut wall) = (Vec::new(), Vec::new(), Vec::new());
    let written = calls(cloud).1;
    let begun = Instant::now();
    while busy.len() < LEAST || (busy.len() < MOST && begun.elapsed() < LASTS) {
        let (looked, on_processor, started) = (calls(cloud).0, cost::busy(""), Instant::now());
        reconciler.pass().await;
        wall.push(started.elapsed());
        busy.push(cost::busy("").saturating_sub(on_processor));
        describes.push(calls(cloud).0 - looked);
    }
    let unchanged = calls(cloud).1 - written;
    let megabytes = cost::memory(std::process::id()).resident;
    let (changed, opening) = change(requests, reconciler, cloud).await;
    Row { live, describes, unchanged, changed, busy: median(busy), wall: median(wall), opening, megabytes }
}

/// Write calls of one opening, one extension and one closing, each by the one pass that it wakes; and how long
/// the opening took.
async fn change(
    requests: &Arc<Requests>,
    reconciler: &mut Reconciler,
    cloud: &Cloud,
) -> ([u64; 3], Duration) {
    let from: IpAddr = "192.0.2.1".parse().expect("an address");
    let caller = Caller::known(shop::person(0), Some(from));
    let ask = |hours| Ask {
        target: shop::target(0),
        address: from,
        transport: None,
        lasts: Some(SignedDuration::from_hours(hours)),
        reason: None,
    };
    let mut writes = [0; 3];
    let mut opening = None;
    let mut id = None;
    for (place, hours) in [1, 2].into_iter().enumerate() {
        let (before, begun) = (calls(cloud).1, Instant::now());
        let (opened, ()) = tokio::join!(requests.open(&caller, ask(hours)), reconciler.pass_when_nudged());
        let Ok(Opened::Granted { grant, sync_state: SyncState::InSync, extended, .. }) = opened else {
            panic!("{opened:?}");
        };
        assert_eq!(extended, place == 1);
        opening.get_or_insert(begun.elapsed());
        writes[place] = calls(cloud).1 - before;
        id = Some(grant.id().clone());
    }
    let before = calls(cloud).1;
    let id = id.expect("a grant");
    let (closed, ()) = tokio::join!(requests.close(&caller, &id), reconciler.pass_when_nudged());
    assert_eq!(closed.expect("closed").sync_state, SyncState::InSync);
    writes[2] = calls(cloud).1 - before;
    (writes, opening.expect("an opening"))
}
