//! `kill -9` of the server at random moments: afterwards no expired rule, no lost grant, a whole record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::grants::descriptions;
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::server::{House, Server};

const REGION: &str = "us-east-1";

/// How often the server is killed.
const KILLS: u32 = 200;

/// How many people open and close at once.
const PEOPLE: u32 = 4;

pub fn trials() -> Vec<Trial> {
    vec![trial("crash: two hundred kills lose nothing and leave nothing", &[Need::Moto], killed)]
}

/// What a person was told: a grant is open, or it is closed. What was asked and never answered may be either.
#[derive(Default)]
struct Confirmed {
    open: BTreeSet<String>,
    closed: BTreeSet<String>,
    /// Its closing was asked for, and not confirmed: the server died before, or could not record it in time.
    unsure: BTreeSet<String>,
}

fn killed() -> Result<(), Failed> {
    let moto = Moto::shared();
    let group = moto.group(REGION, &moto.vpc(REGION), "crash-clients");
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let policy = policy(&group);
    let house = House::new(&[("dbs", &names), ("ops", &names[..1])], &policy).with_aws(&moto.url());

    let mut confirmed = Confirmed::default();
    let mut tokens: BTreeMap<String, String> = BTreeMap::new();
    let mut chance = Chance(0x5eed);
    let mut longest = 450 * pace(&house, &people[0]);
    let mut in_vain = 0;
    for kill in 0..KILLS {
        let server = house.serve();
        for person in &people {
            tokens.entry(person.clone()).or_insert_with(|| server.sign_in(person));
        }
        // From nothing to the whole of an opening and a closing.
        let lives = Duration::from_millis(chance.below(longest));
        let stop = Arc::new(AtomicBool::new(false));
        let news = std::thread::scope(|scope| {
            let workers: Vec<_> = people
                .iter()
                .enumerate()
                .map(|(number, person)| {
                    let (server, stop, token) = (&server, Arc::clone(&stop), tokens[person].clone());
                    let mut chance = Chance(u64::from(kill) * 31 + number as u64 + 1);
                    scope.spawn(move || work(server, &token, &stop, &mut chance))
                })
                .collect();
            std::thread::sleep(lives);
            kill_now(server.pid());
            stop.store(true, Ordering::SeqCst);
            workers.into_iter().map(|worker| worker.join().expect("a worker")).collect::<Vec<_>>()
        });
        server.kill();
        // A machine that became slower meanwhile would kill each server before anybody was told anything.
        in_vain = if news.iter().any(|news| !news.open.is_empty()) { 0 } else { in_vain + 1 };
        if in_vain == 4 {
            longest = (longest * 2).min(6_000);
            in_vain = 0;
        }
        for news in news {
            confirmed.open.retain(|id| !news.closed.contains(id) && !news.unsure.contains(id));
            confirmed.closed.extend(news.closed);
            confirmed.open.extend(news.open.into_iter().filter(|id| !confirmed.closed.contains(id)));
        }
    }

    let server = house.serve();
    let token = &tokens[&people[0]];
    settle(&server, token)?;
    let (_, all) = server.call(Some(token), "GET", "/api/v1/grants?all=true", None)?;
    let open: BTreeMap<String, Value> = all["grants"]
        .as_array()
        .or(all.as_array())
        .ok_or("no list of grants")?
        .iter()
        .filter_map(|grant| Some((grant["id"].as_str()?.to_owned(), grant.clone())))
        .collect();
    let lost: Vec<&String> = confirmed.open.iter().filter(|id| !open.contains_key(*id)).collect();
    let lost: Vec<Value> = lost.iter().filter_map(|id| not_over(&server, token, id)).collect();
    println!("{} grants are known to be open, {} to be closed", confirmed.open.len(), confirmed.closed.len());
    let undead: Vec<&String> = confirmed.closed.iter().filter(|id| open.contains_key(*id)).collect();
    assert!(lost.is_empty(), "grants that people were told are open, and are not: {lost:?}");
    assert!(undead.is_empty(), "grants that people were told are closed, and are open: {undead:?}");
    assert!(
        !confirmed.closed.is_empty() && confirmed.open.len() + confirmed.closed.len() > 20,
        "too little happened to mean anything"
    );

    let marked: BTreeSet<String> = descriptions(&moto, REGION, &group)
        .iter()
        .filter_map(|description| Some(description.split(' ').nth(2)?.to_owned()))
        .collect();
    let ids: BTreeSet<String> = open.keys().cloned().collect();
    // Several grants of one address share a rule, which bears one of their names.
    assert!(marked.is_subset(&ids), "rules without a live grant: {:?}", marked.difference(&ids));
    assert_eq!(marked.is_empty(), ids.is_empty());

    drop(server);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    Ok(())
}

fn policy(group: &str) -> String {
    let mut policy = format!("[firewall.clients]\nabout = \"clients\"\nsecurity-group = \"{group}\"\n\n");
    for port in [5432, 5433, 3306, 6379] {
        policy.push_str(&format!(
            "[target.db-{port}]\nabout = \"db\"\naddress = \"10.0.0.{}\"\nports = [\"tcp/{port}\"]\ngroups = [\"dbs\"]\n\
             transports = [\"direct\"]\nfirewall = \"clients\"\nlasts = {{ usually = \"20s\", at-most = \"2h\" }}\n\n",
            port % 250
        ));
    }
    policy
}

/// How many times longer an opening takes than on a machine that has nothing else to do: 1 to 5.
fn pace(house: &House, person: &str) -> u64 {
    let server = house.serve();
    let token = server.sign_in(person);
    let begun = Instant::now();
    let opened =
        server.call(Some(&token), "POST", "/api/v1/grants", Some(json!({ "target": "db-5432", "lasts": 1 })));
    assert!(matches!(opened, Ok((200..300, _))), "{opened:?}");
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).div_ceil(100).clamp(1, 5)
}

/// Opens and closes until it is stopped or the server is gone.
fn work(server: &Server, token: &str, stop: &AtomicBool, chance: &mut Chance) -> Confirmed {
    let mut confirmed = Confirmed::default();
    let mut mine: Vec<String> = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let target = ["db-5432", "db-5433", "db-3306", "db-6379"][chance.below(4) as usize];
        // Some are so short that they end while the server is dead; the others outlive the trial, so that none is at its
        // end just when the list is compared.
        let lasts = [1, 3, 7200][chance.below(3) as usize];
        let body = json!({ "target": target, "lasts": lasts });
        match server.call(Some(token), "POST", "/api/v1/grants", Some(body)) {
            Ok((200..300, answer)) => {
                if let Some(id) = answer["grant"]["id"].as_str() {
                    mine.push(id.to_owned());
                    confirmed.open.insert(id.to_owned());
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
        if chance.below(2) == 0
            && let Some(id) = mine.pop()
        {
            match server.call(Some(token), "DELETE", &format!("/api/v1/grants/{id}"), None) {
                Ok((200..300, _)) => {
                    confirmed.open.remove(&id);
                    confirmed.closed.insert(id);
                }
                other => {
                    confirmed.open.remove(&id);
                    confirmed.unsure.insert(id);
                    if other.is_err() {
                        break;
                    }
                }
            }
        }
    }
    confirmed
}

/// Waits until the server has made a pass over everything and what was short has ended.
fn settle(server: &Server, token: &str) -> Result<(), Failed> {
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(4));
    while begun.elapsed() < Duration::from_secs(30) {
        let (status, _) = server.call(Some(token), "GET", "/api/v1/healthz", None)?;
        if status == 200 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("the server did not come to rest".into())
}

/// What the server says of a grant that did not end by its time.
fn not_over(server: &Server, token: &str, id: &str) -> Option<Value> {
    match server.call(Some(token), "GET", &format!("/api/v1/grants/{id}"), None) {
        Ok((_, answer)) => {
            let grant = if answer["grant"].is_object() { &answer["grant"] } else { &answer };
            let over = grant["state"] == "ended" && grant["ended"] == "expired";
            (!over).then_some(answer)
        }
        Err(error) => Some(json!({ "id": id, "error": error.to_string() })),
    }
}

fn kill_now(pid: u32) {
    let done = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(done.is_ok_and(|status| status.success()), "kill -9 {pid}");
}

/// A small generator of numbers (SplitMix64), so that a run can be made again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
