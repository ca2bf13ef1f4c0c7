//! Vended credentials are the grant and no more: what they start ends with it, and afterwards they start nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use doorward::client::{Client, Login};
use doorward_aws::{Account, Error, OpenedSession, ShortLived, Start};
use doorward_core::inventory::AccountRegion;
use libtest_mimic::{Failed, Trial};

use super::{REGION, World, eventually, policy, target};
use crate::desk::Desk;
use crate::need::{Need, trial};
use crate::profiles::profile_with;
use crate::server::{House, PASSWORD, Server};

const ROLE: &str = "arn:aws:iam::123456789012:role/doorward-sessions";

pub fn trials() -> Vec<Trial> {
    let moto = &[Need::Moto];
    vec![
        trial(
            "vended: a session without a reason ends with its grant, and no other is started",
            moto,
            closed,
        ),
        trial("vended: what may not be denied is said, and its sessions are ended", moto, not_denied),
        trial("vended: a restart denies what was revoked before", moto, restarted),
    ]
}

/// AWS with a jump host whose agent waits for clients, and a server that vends.
fn world(name: &str) -> (World, House) {
    let world = World::new(name, |settings| settings.agent.handshake_waits = Duration::from_secs(600));
    let targets =
        ["one", "other"].map(|it| target(&format!("{name}-{it}"), "db.internal", "tcp/5432", "\"ssm\""));
    let text = policy(name, &targets.concat()).replacen("\n[ssh]", &format!("role = \"{ROLE}\"\n\n[ssh]"), 1);
    let house = world.house(&text);
    (world, house)
}

/// Somebody with a program of their own.
struct Person(Client);

impl Person {
    fn signs_in(server: &Server, name: &str) -> Self {
        let login: Login = Client::login(&server.url, name, PASSWORD, false).expect("a session");
        Self(Client::with(&login).expect("a client"))
    }

    /// Opens a target, and takes the credentials of the grant.
    fn opens(&self, target: &str) -> (String, ShortLived) {
        let opened = self.0.open(&target.parse().expect("a target"), None, None, None).expect("a grant");
        let vended = self.0.credentials(&opened.grant.id).expect("credentials");
        (opened.grant.id.to_string(), vended.credentials)
    }
}

/// Starts a session past Doorward, with credentials that it vended and no reason at all.
fn starts(world: &World, credentials: &ShortLived) -> Result<OpenedSession, Error> {
    let ShortLived { id, secret, token, .. } = credentials;
    let name = format!("vended-{}", id.to_lowercase());
    let lines = format!(
        "region = {REGION}\nendpoint_url = {}\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
         aws_session_token = {token}",
        world.stand.api_url
    );
    let account_region: AccountRegion = profile_with(&name, &lines);
    let session = Start {
        target: world.instance.id.clone(),
        document: Some("AWS-StartPortForwardingSessionToRemoteHost".into()),
        parameters: BTreeMap::from([
            ("host".into(), vec!["db.internal".into()]),
            ("portNumber".into(), vec!["5432".into()]),
        ]),
        reason: None,
    };
    world.runtime.block_on(async { Account::connect(&account_region).await?.start_session(&session).await })
}

fn is_denied(result: &Result<OpenedSession, Error>) -> bool {
    matches!(result, Err(Error::Refused { code, .. }) if code == "AccessDeniedException")
}

fn closed() -> Result<(), Failed> {
    let (world, house) = world("vended-closed");
    let server = house.serve();
    let (jon, maria) = (Person::signs_in(&server, "jon"), Desk::new(&house, "maria"));
    maria.signs_in(&server);
    let (grant, credentials) = jon.opens("vended-closed-one");
    let (_, others) = jon.opens("vended-closed-other");
    let session = starts(&world, &credentials)?;
    let kept = starts(&world, &others)?;
    assert!(session.session.starts_with(&format!("{grant}.jon-")), "{}", session.session);
    let closed = maria.run(&["close", &grant]);
    closed.is(0, &["is revoked"], &[]);
    assert!(!closed.out.contains("open sessions"), "{closed:?}");
    assert!(is_denied(&starts(&world, &credentials)), "the closing waits for the role to deny them");
    eventually("its session is ended, and only that", || {
        world.stand.open_sessions() == std::slice::from_ref(&kept.session)
    });
    assert!(starts(&world, &others).is_ok(), "the same person's other grant goes on");
    let record = house.run(&["audit", "list"]).1;
    for said in [
        format!("vended credentials for {grant} until "),
        format!("denied the credentials of {grant} in {ROLE}"),
        format!("ended the session {} to", session.session),
    ] {
        assert!(record.contains(&said), "no {said:?} in {record}");
    }
    // Nobody gets any for a grant that is closed.
    assert!(jon.0.credentials(&grant.parse()?).is_err());
    Ok(())
}

fn not_denied() -> Result<(), Failed> {
    let (world, house) = world("vended-kept");
    let server = house.serve();
    let (jon, maria) = (Person::signs_in(&server, "jon"), Desk::new(&house, "maria"));
    maria.signs_in(&server);
    let (grant, credentials) = jon.opens("vended-kept-one");
    world.stand.deny(&["PutRolePolicy"]);
    let until = credentials.until.strftime("%Y-%m-%d %H:%M").to_string();
    maria.run(&["close", &grant]).is(
        0,
        &[
            "is revoked",
            &format!("credentials that were vended for it can start sessions until {until}"),
            "iam:PutRolePolicy",
            "doorward iam --for server",
        ],
        &[],
    );
    let session = starts(&world, &credentials)?;
    assert!(world.stand.open_sessions().contains(&session.session));
    world.stand.deny(&[]);
    // Each try is a session more where it is not denied yet.
    let begun = Instant::now();
    while !is_denied(&starts(&world, &credentials)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the role denies them as soon as it may");
        std::thread::sleep(Duration::from_secs(1));
    }
    // A look every half a minute, while nothing else happens.
    let begun = Instant::now();
    while !world.stand.open_sessions().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", world.stand.open_sessions());
        std::thread::sleep(Duration::from_millis(100));
    }
    let record = house.run(&["audit", "list"]).1;
    assert_eq!(record.matches("could not deny revoked credentials").count(), 1, "{record}");
    assert!(server.log().contains("doorward iam --for server"), "{}", server.log());
    Ok(())
}

fn restarted() -> Result<(), Failed> {
    let (world, house) = world("vended-restarted");
    let server = house.serve();
    let jon = Person::signs_in(&server, "jon");
    let (first, credentials) = jon.opens("vended-restarted-one");
    jon.0.close(&first.parse()?)?;
    let (second, later) = jon.opens("vended-restarted-other");
    server.kill();
    // Somebody takes the policy away, and the group while nobody looks.
    house.write_people(&[("dbs", &["maria"]), ("ops", &["maria"])]);
    let _server = house.serve();
    eventually("what ended meanwhile is denied", || is_denied(&starts(&world, &later)));
    assert!(is_denied(&starts(&world, &credentials)), "and what was denied before still is");
    let policies = world.stand.role_policies();
    let [((role, name), document)] = policies.iter().collect::<Vec<_>>()[..] else { panic!("{policies:?}") };
    assert!(role == ROLE && name.starts_with("doorward-revoked-"), "{role} {name}");
    let text = document.to_string();
    assert!(text.contains(&first) && text.contains(&second), "{text}");
    Ok(())
}
