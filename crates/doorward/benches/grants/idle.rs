//! What a server holds while nobody asks anything of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cost::{self, Memory};
use crate::server::Server;
use crate::shop::Shop;

/// The most that an idle server may hold, in MB.
const LIMIT: f64 = 30.0;

/// How long it is left alone after its first pass.
const RESTS: Duration = Duration::from_secs(5);

/// A server on a small policy, against the limit; what was missed.
pub fn small(shop: &Shop) -> Vec<String> {
    let house = shop.small();
    let server = house.serve();
    let held = rested(&server);
    println!(
        "An idle server, one target behind one security group: {:.1} MB, {:.2} of the {LIMIT} MB that it may hold\n\
         ({:.1} MB are its own; the rest is mapped from files, mostly the program itself).\n",
        held.resident,
        held.resident / LIMIT,
        held.anonymous
    );
    let over = held.resident >= LIMIT;
    over.then(|| format!("an idle server holds {:.1} MB, and should less than {LIMIT}", held.resident))
        .into_iter()
        .collect()
}

/// A server on the shop's whole store.
pub fn full(shop: &Shop) {
    let server = shop.house.serve();
    let held = rested(&server);
    println!(
        "An idle server, 500 targets and 10,000 live grants: {:.1} MB ({:.1} MB of them its own).",
        held.resident, held.anonymous
    );
}

fn rested(server: &Server) -> Memory {
    let begun = Instant::now();
    loop {
        let health = server.call(None, "GET", "/healthz", None).expect("an answer").1;
        if health["last_pass"] != Value::Null {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no pass: {}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(RESTS);
    cost::memory(server.pid())
}
