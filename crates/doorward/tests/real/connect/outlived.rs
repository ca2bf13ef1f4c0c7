//! A grant that ends takes its sessions along, whatever became of the `connect` that had opened them.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward_aws::{Account, Start};
use libtest_mimic::{Failed, Trial};

use super::{REGION, World, eventually, policy, stands, target};
use crate::desk::{Desk, start};
use crate::need::{Need, trial};
use crate::profiles::profile_with;

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "outlived: a server ends the sessions of a grant that an operator closes",
            &[Need::Moto],
            closed,
        ),
        trial("outlived: a server that was dead meanwhile ends them, too", &[Need::Moto], restarted),
        trial(
            "outlived: a server that may not end sessions says so, and closes its doors",
            &[Need::Moto],
            denied,
        ),
    ]
}

/// AWS with a jump host whose agent waits for clients.
fn world(name: &str) -> World {
    World::new(name, |settings| settings.agent.handshake_waits = Duration::from_secs(600))
}

/// Somebody's session, started past Doorward.
fn by_hand(world: &World, name: &str, reason: &str) -> String {
    let (key, secret) = world.keys();
    let (url, keys) =
        (&world.stand.api_url, format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}"));
    let account_region = profile_with(name, &format!("region = {REGION}\nendpoint_url = {url}\n{keys}"));
    let session = Start {
        target: world.instance.id.clone(),
        document: Some("AWS-StartPortForwardingSession".into()),
        parameters: BTreeMap::from([("portNumber".into(), vec!["22".into()])]),
        reason: Some(reason.to_owned()),
    };
    let started = world
        .runtime
        .block_on(async { Account::connect(&account_region).await?.start_session(&session).await });
    started.expect("a session").session
}

fn closed() -> Result<(), Failed> {
    let world = world("outlived-closed");
    let house =
        world.house(&policy("outlived-closed", &target("db-closed", "db.internal", "tcp/5432", "\"ssm\"")));
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);
    let (held, told) = stands(start(&mut jon.command(&["connect", "db-closed", "--json"])));
    let (grant, session) = (told[0]["grant"].as_str().expect("a grant"), told[0]["session"].as_str());
    let session = session.expect("a session").to_owned();
    let others = by_hand(&world, "outlived-closed", &format!("looking after {grant}"));
    assert!(world.stand.open_sessions().contains(&session));
    // It can neither notice nor end anything any more.
    held.signal("STOP");
    maria.run(&["close", grant]).is(0, &["is revoked"], &[]);
    eventually("only the session of somebody else is left", || {
        world.stand.open_sessions() == std::slice::from_ref(&others)
    });
    let ended = format!("ended the session {session} to {}: {grant} by ssm has ended", world.instance.id);
    eventually("it is in the record", || house.run(&["audit", "list"]).1.contains(&ended));
    held.signal("CONT");
    held.ends().is(0, &[], &["revoked by maria"]);
    assert_eq!(world.stand.open_sessions(), [others]);
    Ok(())
}

fn restarted() -> Result<(), Failed> {
    let world = world("outlived-restarted");
    let house = world
        .house(&policy("outlived-restarted", &target("db-restarted", "db.internal", "tcp/5432", "\"ssm\"")));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let (mut held, told) = stands(start(&mut jon.command(&["connect", "db-restarted", "--json"])));
    held.0.kill()?;
    held.0.wait()?;
    let session = told[0]["session"].as_str().expect("a session");
    assert_eq!(world.stand.open_sessions(), [session]);
    server.kill();
    // Jon leaves while nobody looks.
    house.write_people(&[("dbs", &["maria"]), ("ops", &["maria"])]);
    let _server = house.serve();
    eventually("no session is left", || world.stand.open_sessions().is_empty());
    eventually("it is in the record", || {
        house.run(&["audit", "list"]).1.contains(&format!("ended the session {session}"))
    });
    Ok(())
}

fn denied() -> Result<(), Failed> {
    let world = world("outlived-denied");
    let vpc = world.moto.vpc(REGION);
    let group = world.moto.group(REGION, &vpc, "outlived-denied");
    let targets = target("db-denied", "db.internal", "tcp/5432", "\"ssm\", \"direct\"")
        .replace("\n\n", "\nfirewall = \"clients\"\n\n")
        + &format!("[firewall.clients]\nabout = \"for a test\"\nsecurity-group = \"{group}\"\n");
    let house = world.house(&policy("outlived-denied", &targets));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let rules = || {
        let filter = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group.as_str())];
        world.moto.ec2(REGION, "DescribeSecurityGroupRules", &filter).matches("/32").count()
    };
    jon.run(&["open", "db-denied", "--via", "direct"]).is(0, &["db-denied is open"], &[]);
    assert_eq!(rules(), 1);
    let (mut held, _) = stands(start(&mut jon.command(&["connect", "db-denied", "--via", "ssm", "--json"])));
    held.0.kill()?;
    held.0.wait()?;
    world.stand.deny(&["TerminateSession"]);
    jon.run(&["close", "--all"]).is(0, &["is revoked"], &[]);
    assert_eq!(rules(), 0, "a door waits for no session");
    let record = || house.run(&["audit", "list"]).1;
    let refused = format!(
        "could not end the sessions of ended grants in {REGION}: ssm:TerminateSession in {REGION} was denied"
    );
    eventually("the record says what is missing", || record().contains(&refused));
    assert_eq!(world.stand.open_sessions().len(), 1);
    world.stand.deny(&[]);
    eventually("no session is left", || world.stand.open_sessions().is_empty());
    eventually("the record says that it is well again", || {
        record().contains(&format!("can end the sessions of ended grants in {REGION} again"))
    });
    assert_eq!(record().matches("could not end the sessions of ended grants").count(), 1, "{}", record());
    assert!(server.log().contains("doorward iam --for server"), "{}", server.log());
    Ok(())
}
