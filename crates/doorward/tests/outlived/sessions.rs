//! Sessions that bear a grant which is over.

use std::sync::atomic::Ordering;

use doorward_core::policy::Transport;
use doorward_core::session::reason;

use crate::world::{World, caller};

#[tokio::test]
async fn what_bears_a_grant_that_was_closed_is_ended_and_nothing_else() {
    let mut world = World::new().await;
    let (grant, other) = (world.open(Transport::Ssm).await, "g-zzzzzzzzzzzz".parse().expect("a grant"));
    world.start("jon-1", &reason(&grant));
    world.start("jon-2", &reason(&grant));
    world.start("elsewhere-1", &reason(&other));
    world.start("maria-1", &format!("looking after {grant}"));
    world.wait(300).await;
    assert_eq!((world.sessions().len(), world.looks()), (4, 0), "nothing is over, and nobody is asked");

    world.close(&grant).await;
    assert_eq!(world.sessions(), ["elsewhere-1", "maria-1"]);
    let audited = world.audited("ended the session").await;
    assert_eq!(audited.len(), 2, "{audited:?}");
    assert_eq!(audited[0], format!("ended the session jon-1 to i-0a1b: {grant} by ssm has ended"));

    // One that was being started when the grant ended, and then an account at rest.
    world.start("jon-3", &reason(&grant));
    world.wait(30).await;
    assert_eq!(world.sessions(), ["elsewhere-1", "maria-1"]);
    world.wait(60).await;
    let looks = world.looks();
    world.wait(60).await;
    world.wait(3600).await;
    assert_eq!(world.looks(), looks, "nobody is asked any more");
    assert!(looks <= 5, "{looks} looks");
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
}

#[tokio::test]
async fn an_end_by_time_and_one_while_the_server_was_dead_take_sessions_along() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    world.wait(599).await;
    assert_eq!(world.sessions(), ["jon-1"]);
    world.wait(1).await;
    assert_eq!(world.sessions(), Vec::<String>::new());

    let grant = world.open(Transport::Ssm).await;
    world.start("jon-2", &reason(&grant));
    world.seconds.fetch_add(3600, Ordering::SeqCst);
    world.restart().await;
    world.reconciler.pass().await;
    assert_eq!(world.sessions(), Vec::<String>::new());

    // It had ended, and the server died before anything was done about that.
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-3", &reason(&grant));
    world.account.deny_ending(true);
    world.close(&grant).await;
    world.restart().await;
    world.account.deny_ending(false);
    world.reconciler.pass().await;
    assert_eq!(world.sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn who_leaves_the_group_loses_the_session() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    std::fs::write(world.folder.path().join("people.groups"), "dbs: maria\nops: maria\n").expect("groups");
    world.wait(5).await;
    assert_eq!(world.sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refusal_is_told_once_and_holds_up_no_firewall() {
    let mut world = World::new().await;
    let (carried, direct) = (world.open(Transport::Ssm).await, world.open(Transport::Direct).await);
    world.start("jon-1", &reason(&carried));
    assert_eq!(world.rules(), 1);
    world.account.deny_ending(true);
    world.close(&carried).await;
    world.close(&direct).await;
    assert_eq!((world.rules(), world.sessions().len()), (0, 1));
    for _ in 0..5 {
        world.wait(30).await;
    }
    let audited = world.audited("could not end").await;
    assert_eq!(audited.len(), 1, "{audited:?}");
    assert!(audited[0].contains("ssm:TerminateSession in eu-west-1 was denied"), "{audited:?}");
    // It is shown as what it is, with what ends it.
    let overdue = world.requests.app().nudge().status().overdue.clone();
    assert_eq!(overdue.len(), 1, "{overdue:?}");
    assert!(overdue[0].seen && overdue[0].at == "Session Manager in eu-west-1", "{overdue:?}");
    assert_eq!(overdue[0].fix, "aws ssm terminate-session --region eu-west-1 --session-id jon-1");
    let listed = world.requests.views().current(&caller("jon").person).await.expect("grants");
    assert_eq!(listed.iter().filter(|grant| grant.overdue.is_some()).count(), 1, "{listed:?}");
    // Nudged a hundred times within a second, AWS is not asked a hundred times.
    let looks = world.looks();
    for _ in 0..100 {
        world.wait(0).await;
    }
    assert!(world.looks() <= looks + 1);
    world.account.deny_ending(false);
    world.wait(60).await;
    assert_eq!(world.sessions(), Vec::<String>::new());
    assert_eq!(world.audited("again").await, ["can end the sessions of ended grants in eu-west-1 again"]);
    assert_eq!(world.requests.app().nudge().status().overdue, []);
}

#[tokio::test]
async fn what_cannot_be_ended_for_a_day_is_given_up() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("jon-1", &reason(&grant));
    world.account.deny_ending(true);
    world.close(&grant).await;
    world.wait(23 * 3600).await;
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants").len(), 1);
    world.wait(3600).await;
    world.wait(60).await;
    let looks = world.looks();
    world.wait(60).await;
    assert_eq!(world.looks(), looks);
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
}
