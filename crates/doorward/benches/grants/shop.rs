//! A shop of 1,000 people in 50 teams, with 500 databases behind a security group each, ten to a team.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use doorward::clock::{Clock, random};
use doorward::policy_file::PolicyFile;
use doorward::requests::Requests;
use doorward::running;
use doorward::status::Nudged;
use doorward::store::Change;
use doorward_core::audit::{Event, What, Who};
use doorward_core::decision::{Decision, Past, Request, decide};
use doorward_core::grant::GrantId;
use doorward_core::policy::{Person, TargetName};

use crate::front::{Front, REGION};
use crate::moto::Moto;
use crate::server::House;

/// Security groups, each with a target behind it.
pub const GROUPS: usize = 500;
const TEAMS: usize = 50;
const PEOPLE: usize = 1000;

/// Changes that go into one transaction.
const AT_ONCE: usize = 500;

/// The shop's policy and people, in a folder.
pub struct Shop {
    /// The folder.
    pub house: House,
    groups: Vec<String>,
    profile: String,
}

impl Shop {
    /// Makes the groups, all in one VPC, and the policy.
    pub fn new(moto: &Moto, front: &Front) -> Self {
        let vpc = moto.vpc(REGION);
        let groups: Vec<String> =
            (0..GROUPS).map(|number| moto.group(REGION, &vpc, &format!("clients-{number}"))).collect();
        let people: Vec<String> = (0..PEOPLE).map(|number| person(number).to_string()).collect();
        let teams: Vec<(String, Vec<&str>)> = (0..TEAMS)
            .map(|team| {
                (
                    format!("team-{team}"),
                    people.iter().skip(team).step_by(TEAMS).map(String::as_str).collect(),
                )
            })
            .collect();
        let teams: Vec<(&str, &[&str])> =
            teams.iter().map(|(team, people)| (team.as_str(), people.as_slice())).collect();
        let profile = front.profile().to_owned();
        let house = House::new(&teams, &policy(&profile, &groups));
        Self { house, groups, profile }
    }

    /// A small policy in a folder of its own: one target behind one of the groups.
    pub fn small(&self) -> House {
        let people = person(0).to_string();
        House::new(&[("team-0", &[&people])], &policy(&self.profile, &self.groups[..1]))
    }

    /// The shop's store, open in this process.
    pub async fn requests(&self) -> (Arc<Requests>, Nudged) {
        let policy = Arc::new(PolicyFile::open(&self.house.policy()).expect("a policy"));
        running::requests(policy, Clock::system()).await.expect("a store")
    }
}

/// The policy on these groups.
fn policy(profile: &str, groups: &[String]) -> String {
    let mut text = format!("[aws]\nprofile = \"{profile}\"\n\n");
    for (number, group) in groups.iter().enumerate() {
        let team = number / (GROUPS / TEAMS);
        text.push_str(&format!(
            "[firewall.clients-{number}]\nabout = \"clients of database {number}\"\nsecurity-group = \"{group}\"\n\
             static = [\"198.51.100.0/24\"]\n\n\
             [target.db-{number}]\nabout = \"Database {number} (PostgreSQL)\"\naddress = \"rds:db-{number}\"\n\
             ports = [\"tcp/5432\"]\ngroups = [\"team-{team}\"]\ntransports = [\"direct\"]\n\
             firewall = \"clients-{number}\"\nlasts = {{ usually = \"8h\", at-most = \"24h\" }}\n\n"
        ));
    }
    text
}

/// One of the people.
pub fn person(number: usize) -> Person {
    format!("person-{number}").parse().expect("a name")
}

/// One of the targets; the first ten are the first person's.
pub fn target(number: usize) -> TargetName {
    format!("db-{number}").parse().expect("a name")
}

/// Writes as many open grants as are wanted, each of a person who may have it: decided as ever, many to a transaction.
pub async fn fill(requests: &Requests, before: usize, wanted: usize) {
    let loaded = requests.app().loaded();
    let now = requests.app().clock().now();
    let grant = |number: usize| {
        let (target_number, round) = (number % GROUPS, number / GROUPS);
        let owner = target_number / (GROUPS / TEAMS) + TEAMS * round;
        let request = Request {
            id: GrantId::from_random(random().expect("chance")),
            person: person(owner),
            from: IpAddr::V4(Ipv4Addr::new(10, (owner / 250) as u8, (owner % 250) as u8, 7)),
            target: target(target_number),
            transport: None,
            lasts: None,
            reason: None,
        };
        match decide(&loaded.policy, &loaded.people, &request, &Past::default(), now) {
            Decision::Granted { grant, .. } => grant,
            other => panic!("{other:?}"),
        }
    };
    let numbers: Vec<usize> = (before..wanted).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let grants: Vec<_> = numbers.iter().map(|number| grant(*number)).collect();
        let events = grants.iter().map(|grant| {
            let what = What::Opened {
                grant: grant.id().clone(),
                target: grant.target().clone(),
                transport: grant.transport(),
                source: grant.source(),
                until: grant.until().expect("an end"),
                reason: None,
                because: "a bench".to_owned(),
                person: None,
            };
            Event::new(now, Who::Person(grant.person().clone()), what)
        });
        let events = events.collect();
        let changes: Vec<Change> = grants.into_iter().map(|after| Change { before: None, after }).collect();
        requests.app().store().commit(&changes, events).await.expect("a commit");
    }
}
