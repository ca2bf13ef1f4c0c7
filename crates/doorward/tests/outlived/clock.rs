//! A machine whose clock is set by a day, either way, while grants are open: nothing of them lives on for that.

use std::sync::atomic::Ordering;

use doorward_core::policy::Transport;

use crate::world::{World, vending};

#[tokio::test]
async fn a_clock_that_is_set_forward_does_not_let_credentials_in_again() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.wait(60).await;
    // AWS still takes them for a quarter of an hour, whatever this machine's clock says.
    world.set_clock(24);
    world.reconciler.pass().await;
    assert!(
        !world.denies().contains(grant.as_str()),
        "the grant expired by that clock, and nobody revoked it"
    );

    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.account.deny_revoking(true);
    world.close(&grant).await;
    world.set_clock(24);
    world.account.deny_revoking(false);
    world.wait(90).await;
    assert!(world.denies().contains(grant.as_str()), "{}", world.denies());
    // And the grant is forgotten when they are over.
    world.wait(1300).await;
    world.wait(60).await;
    world.wait(60).await;
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
}

#[tokio::test]
async fn credentials_of_a_machine_that_is_a_day_ahead_are_denied_too() {
    let mut world = World::with(&vending()).await;
    world.set_clock(24);
    world.reconciler.pass().await;
    let grant = world.open(Transport::Ssm).await;
    // What AWS says of their end is by AWS's clock.
    world.vend(&grant, 900 - 24 * 3600).await;
    world.close(&grant).await;
    assert!(world.denies().contains(grant.as_str()), "{}", world.denies());
}

#[tokio::test]
async fn a_clock_that_is_set_forward_gives_no_session_up() {
    let mut world = World::new().await;
    let grant = world.open(Transport::Ssm).await;
    world.start("s-1", &format!("doorward {grant}"));
    world.account.deny_ending(true);
    world.close(&grant).await;
    world.wait(30).await;
    assert_eq!(world.sessions(), ["s-1"]);
    world.set_clock(25);
    world.wait(60).await;
    world.wait(60).await;
    world.account.deny_ending(false);
    world.wait(60).await;
    assert_eq!(world.sessions(), Vec::<String>::new());
}

#[tokio::test]
async fn a_start_whose_clock_is_behind_the_audit_log_opens_nothing_again() {
    // The clock may be before the grant began, or between its beginning and the last entry.
    for (waits, behind) in [(60, -24 * 3600), (60, -301), (595, -400)] {
        let mut world = World::new().await;
        world.open(Transport::Direct).await;
        world.wait(waits).await;
        let other = world.open(Transport::Direct).await;
        assert_eq!(world.rules(), 1);
        // It expires while nothing runs, and the clock is wrong after that.
        world.seconds.fetch_add(10, Ordering::SeqCst);
        world.set_clock_seconds(behind - 10);
        world.restart().await;
        world.reconciler.pass().await;
        world.reconciler.pass().await;
        assert_eq!(world.rules(), 0, "{waits} {behind}");
        let grant = world.requests.app().store().grant(&other).await.expect("read").expect("a grant");
        assert!(grant.ended(), "{grant:?}");
        // What is opened by that clock lasts by it, and over the next start.
        world.open(Transport::Direct).await;
        world.restart().await;
        world.reconciler.pass().await;
        assert_eq!(world.rules(), 1);
    }
}

#[tokio::test]
async fn two_clocks_may_differ_by_a_little() {
    let mut world = World::new().await;
    world.open(Transport::Direct).await;
    world.set_clock_seconds(-299);
    world.restart().await;
    world.reconciler.pass().await;
    assert_eq!(world.rules(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nothing_open_and_nothing_for_ever() {
    let mut world = World::new().await;
    let carried = world.open(Transport::Ssm).await;
    world.start("s-1", &format!("doorward {carried}"));
    world.open(Transport::Direct).await;
    assert_eq!(world.rules(), 1);
    world.set_clock(-24);
    world.wait(599).await;
    assert_eq!((world.sessions().len(), world.rules()), (1, 1));
    world.wait(1).await;
    world.wait(1).await;
    assert_eq!(
        (world.sessions().len(), world.rules()),
        (0, 0),
        "ten minutes are over by the clock that nobody sets"
    );
    world.wait(90).await;
    world.wait(30).await;
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
}

#[tokio::test]
async fn what_was_opened_by_a_clock_that_was_ahead_lasts_as_long_as_it_was_given_after_a_restart() {
    let mut world = World::new().await;
    world.set_clock_seconds(240);
    world.open(Transport::Direct).await;
    world.set_clock(0);
    world.restart().await;
    world.reconciler.pass().await;
    assert_eq!(world.rules(), 1);
    world.wait(600).await;
    world.wait(1).await;
    assert_eq!(world.rules(), 0);
}
