//! What a revocation needs of AWS is tried before the first grant, and again while it is not permitted.

use crate::world::{World, vending};

impl World {
    /// What could not be revoked, in words.
    fn irrevocable(&self) -> Vec<String> {
        let status = self.requests.app().nudge().status();
        status.irrevocable.iter().map(|one| format!("{}: {} ({})", one.what, one.why, one.fix)).collect()
    }
}

#[tokio::test]
async fn a_server_that_may_revoke_says_nothing_and_changes_nothing() {
    let world = World::with(&vending()).await;
    world.account.sessions(|sessions| sessions.clear());
    let mut world = world.serves().await;
    assert_eq!(world.irrevocable(), Vec::<String>::new());
    // A policy that denies nobody shows that it can be written.
    assert!(world.denies().contains("1970-01-01T00:00:00Z"), "{}", world.denies());
    let calls = |world: &World, call: &str| world.account.calls().get(call).copied().unwrap_or_default();
    let once = (calls(&world, "PutRolePolicy"), calls(&world, "TerminateSession"));
    for _ in 0..5 {
        world.wait(60).await;
    }
    assert_eq!((calls(&world, "PutRolePolicy"), calls(&world, "TerminateSession")), once);
    assert_eq!(world.audited("denied").await, Vec::<String>::new(), "nothing was revoked");
}

#[tokio::test]
async fn what_is_lacking_is_known_before_the_first_grant_and_until_it_is_there() {
    let world = World::with(&vending()).await;
    world.account.deny_revoking(true);
    world.account.deny_ending(true);
    world.account.deny(false, true);
    let mut world = world.serves().await;
    let lacking = world.irrevocable().join("\n");
    for said in [
        "iam:PutRolePolicy",
        "ssm:TerminateSession",
        "ec2:RevokeSecurityGroupIngress",
        "rules of sg-00000000000000001",
        "`doorward iam --for server` prints",
        "`doorward iam` prints",
    ] {
        assert!(lacking.contains(said), "no {said:?} in {lacking}");
    }
    assert_eq!(world.irrevocable().len(), 3, "{lacking}");
    assert_eq!(world.audited("could not deny").await, Vec::<String>::new(), "nothing was to be denied");
    world.account.deny_ending(false);
    world.account.deny(false, false);
    world.wait(61).await;
    let lacking = world.irrevocable();
    assert!(lacking.len() == 1 && lacking[0].contains("iam:PutRolePolicy"), "{lacking:?}");
    world.account.deny_revoking(false);
    world.wait(61).await;
    assert_eq!(world.irrevocable(), Vec::<String>::new());
}

#[tokio::test]
async fn a_command_of_one_moment_tries_nothing() {
    let mut world = World::with(&vending()).await;
    world.wait(60).await;
    assert_eq!(world.denies(), "");
}
