//! Credentials of grants that were revoked.

use doorward_core::policy::Transport;

use crate::world::{World, vending};

#[tokio::test]
async fn the_credentials_of_a_closed_grant_are_denied_for_as_long_as_they_are_good() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.start_vended("s-1", &grant);
    world.wait(60).await;
    assert_eq!((world.sessions().len(), world.denies()), (1, String::new()), "nothing is over");
    world.close(&grant).await;
    assert_eq!(world.sessions(), Vec::<String>::new(), "it is found by its owner");
    assert!(world.denies().contains(grant.as_str()), "{}", world.denies());

    // A later one stands beside it, also after a restart; a grant that nobody was vended anything for does not.
    world.restart().await;
    let (second, third) = (world.open(Transport::Ssm).await, world.open(Transport::Direct).await);
    world.vend(&second, 900).await;
    world.close(&third).await;
    world.close(&second).await;
    let denies = world.denies();
    assert!(denies.contains(grant.as_str()) && denies.contains(second.as_str()), "{denies}");
    let writes = || world.account.calls().get("PutRolePolicy").copied().unwrap_or_default();
    assert_eq!(writes(), 3, "one for each, and one after the restart, which knows nothing of the first");
    assert_eq!(world.audited("denied the credentials").await.len(), 3);

    // When they are over by themselves, the next one no longer has them, and nothing is kept.
    world.wait(900 + 180).await;
    world.wait(60).await;
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
    let last = world.open(Transport::Ssm).await;
    world.vend(&last, 900).await;
    world.close(&last).await;
    let denies = world.denies();
    assert!(denies.contains(last.as_str()) && !denies.contains(grant.as_str()), "{denies}");
}

#[tokio::test]
async fn a_grant_whose_time_is_up_needs_no_denial() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.start_vended("s-1", &grant);
    world.wait(600).await;
    assert_eq!((world.sessions(), world.denies()), (Vec::new(), String::new()));
}

#[tokio::test]
async fn while_credentials_cannot_be_denied_their_sessions_are_ended_as_they_come() {
    let mut world = World::with(&vending()).await;
    let grant = world.open(Transport::Ssm).await;
    world.vend(&grant, 900).await;
    world.account.deny_revoking(true);
    world.close(&grant).await;
    assert_eq!(world.audited("could not deny").await.len(), 1);
    for number in 0..8 {
        world.start_vended(&format!("s-{number}"), &grant);
        world.wait(90).await;
        world.wait(30).await;
        assert_eq!(world.sessions(), Vec::<String>::new(), "{number}");
    }
    assert_eq!(world.audited("could not deny").await.len(), 1, "it is told once");
    world.account.deny_revoking(false);
    world.wait(60).await;
    assert!(world.denies().is_empty(), "they are over by now");
    world.wait(180).await;
    world.wait(60).await;
    assert_eq!(world.requests.app().store().unfinished().await.expect("grants"), []);
}
