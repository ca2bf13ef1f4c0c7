//! The policy's limits over two servers on one PostgreSQL: requests of one moment never open more than they allow.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Barrier;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::bad_days::whole;
use crate::need::{Need, trial};
use crate::server::{Server, free_address};
use crate::stores::{new_database, serve, twins};

pub fn trials() -> Vec<Trial> {
    let name = "limits: two servers on one PostgreSQL never open more than the policy allows";
    vec![trial(name, &[Need::Postgres], never_more)]
}

const PEOPLE: [&str; 4] = ["jon", "richard", "anna", "paul"];
const TARGETS: usize = 6;
const PER_PERSON: usize = 2;
const PER_TARGET: usize = 3;
const ROUNDS: usize = 15;

/// A relay for each target; nobody connects to what is behind them.
fn policy() -> String {
    let mut text = format!("[limits]\nper-person = {PER_PERSON}\nper-target = {PER_TARGET}\n\n");
    for number in 0..TARGETS {
        let door: SocketAddr = free_address();
        write!(
            text,
            "[firewall.door-{number}]\nabout = \"before db-{number}\"\nrelay = \"{door}\"\n\n\
             [target.db-{number}]\nabout = \"db-{number}\"\naddress = \"127.0.0.1\"\nports = [\"tcp/{port}\"]\n\
             groups = [\"staff\"]\ntransports = [\"direct\"]\nfirewall = \"door-{number}\"\n\n",
            port = 6000 + number,
        )
        .expect("a text");
    }
    text
}

/// A person who is signed in to both servers.
struct Client<'s> {
    servers: &'s [Server; 2],
    tokens: [String; 2],
}

impl Client<'_> {
    fn call(&self, server: usize, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.servers[server].call(Some(&self.tokens[server]), method, path, body).expect("an answer")
    }

    fn open_ids(&self, server: usize) -> BTreeSet<String> {
        let (status, grants) = self.call(server, "GET", "/api/v1/grants", None);
        assert_eq!(status, 200, "{grants}");
        let grants = grants.as_array().expect("a list").iter();
        grants.map(|grant| grant["id"].as_str().expect("a grant").to_owned()).collect()
    }
}

/// Opens targets in one moment, each by one of the servers, and says what was answered.
fn race(asks: &[(&Client<'_>, usize, usize)]) -> Vec<(u16, Value)> {
    let line = Barrier::new(asks.len());
    std::thread::scope(|scope| {
        let asking: Vec<_> = asks
            .iter()
            .map(|(client, server, target)| {
                let line = &line;
                scope.spawn(move || {
                    line.wait();
                    let body = json!({ "target": format!("db-{target}") });
                    client.call(*server, "POST", "/api/v1/grants", Some(body))
                })
            })
            .collect();
        asking.into_iter().map(|one| one.join().expect("an answer")).collect()
    })
}

/// As many were opened as the limit allows, all others were refused by it, and both servers list what was opened.
fn check(answers: &[(u16, Value)], most: usize, words: &str, open: &[BTreeSet<String>; 2]) {
    let opened = answers.iter().filter(|(status, _)| *status == 201);
    let opened: BTreeSet<String> =
        opened.filter_map(|(_, answer)| answer["grant"]["id"].as_str().map(str::to_owned)).collect();
    assert_eq!(opened.len(), most, "{answers:#?}");
    for (status, answer) in answers.iter().filter(|(status, _)| *status != 201) {
        let refused = answer["error"].as_str().unwrap_or_default();
        assert!(*status == 409 && refused.contains(words), "{status}: {answer}");
    }
    assert_eq!(open, &[opened.clone(), opened]);
}

fn never_more() -> Result<(), Failed> {
    let (_postgres, store) = new_database("limits");
    let (mine, other) = (policy(), policy());
    let houses = twins(&[("staff", &PEOPLE)], [&mine, &other], &store);
    // Whoever shares a store shares its people.
    for name in ["people.htpasswd", "people.groups"] {
        std::fs::copy(houses[0].folder().join(name), houses[1].folder().join(name))?;
    }
    let servers = serve(&houses)?;
    let client = |person: &&str| {
        let tokens = [servers[0].sign_in(person), servers[1].sign_in(person)];
        Client { servers: &servers, tokens }
    };
    let people: Vec<Client<'_>> = PEOPLE.iter().map(client).collect();
    for round in 0..ROUNDS {
        // One person, each target through one of the servers.
        let jon = &people[round % people.len()];
        let asks: Vec<_> = (0..TARGETS).map(|number| (jon, (number + round) % 2, number)).collect();
        let words = format!("{PER_PERSON} grants of yours are open or requested");
        check(&race(&asks), PER_PERSON, &words, &[jon.open_ids(0), jon.open_ids(1)]);
        close_all(jon, round);

        // Everybody, for one target.
        let target = round % TARGETS;
        let asks: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(number, client)| (client, (number + round) % 2, target))
            .collect();
        let words = format!("{PER_TARGET} grants of all people to `db-{target}` are open or requested");
        let answers = race(&asks);
        let open = [0, 1].map(|server| people.iter().flat_map(|client| client.open_ids(server)).collect());
        check(&answers, PER_TARGET, &words, &open);
        people.iter().for_each(|client| close_all(client, round));
    }
    drop(servers);
    whole(&houses[0]);
    Ok(())
}

fn close_all(client: &Client<'_>, round: usize) {
    for id in client.open_ids(0) {
        let (status, answer) = client.call(round % 2, "DELETE", &format!("/api/v1/grants/{id}"), None);
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(client.open_ids(1), BTreeSet::new());
}
