//! What revoking the grant of a diagnosis removed; where that was not tried, why not.

use super::super::close;
use super::{Link, State};
use crate::requests::{ClosedView, LivesOn};

/// The grant that a diagnosis uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// None was opened.
    None,
    /// One that was open already, and stays so.
    Held,
    /// One of its own that stays open because the person wants it to.
    Kept,
    /// One of its own that is revoked at the end.
    Own,
}

impl Used {
    fn untried(self) -> Option<&'static str> {
        match self {
            Self::None => Some("no grant was opened"),
            Self::Held => Some("the grant was open already, and stays open"),
            Self::Kept => Some("`--keep` leaves the grant open"),
            Self::Own => None,
        }
    }
}

/// The steps about the revocation. `vended` is whether credentials were vended for the grant, where the server vends them;
/// `closed` is none if the grant could not be revoked.
pub(super) fn links(used: Used, vended: Option<bool>, closed: Option<&ClosedView>) -> Vec<Link> {
    let link = |state, found: String, fix: Option<String>| Link { link: "revocation", state, found, fix };
    if let Some(why) = used.untried() {
        return vec![link(State::Unseen, format!("not tried, because {why}"), None)];
    }
    let mut links = vec![match closed {
        None => link(State::Worn, "the grant could not be revoked; it expires by itself".into(), None),
        Some(closed) => match (&closed.credentials, close::failure(closed)) {
            (Some(LivesOn { until, why }), _) => {
                let until = super::super::instant(*until);
                let found = format!("the credentials of the grant can start sessions until {until}: {why}");
                let fix =
                    "`doorward iam --for server` prints the permission that the server needs to deny them";
                link(State::Worn, found, Some(fix.into()))
            }
            (None, Some(failure)) => {
                link(State::Worn, failure.words(), failure.what_next().map(str::to_owned))
            }
            (None, None) => {
                link(State::Whole, "the grant is revoked, and nothing of it is left".into(), None)
            }
        },
    }];
    if vended == Some(false) {
        let found = "not tried whether the server may deny the credentials of a revoked grant (`iam:PutRolePolicy`), \
                     because none were vended";
        links.push(link(State::Unseen, found.into(), None));
    }
    links
}

#[cfg(test)]
mod tests {
    use doorward_core::policy::Closing;

    use super::*;
    use crate::requests::State as Life;
    use crate::status::SyncState;
    use crate::web::testing::grant_view;

    fn closed(sync_state: SyncState, credentials: Option<LivesOn>) -> ClosedView {
        let mut grant = grant_view("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z");
        grant.state = Life::Ended;
        ClosedView { grant, closing: Closing::Severs, sync_state, cut: 0, still: None, credentials }
    }

    fn check(used: Used, vended: Option<bool>, closed: Option<&ClosedView>, expected: &[(State, &str)]) {
        let links = links(used, vended, closed);
        let found: Vec<State> = links.iter().map(|link| link.state).collect();
        let states: Vec<State> = expected.iter().map(|(state, _)| *state).collect();
        assert_eq!(found, states, "{links:?}");
        for (link, (_, words)) in links.iter().zip(expected) {
            assert!(link.found.contains(words), "no {words:?} in {link:?}");
        }
    }

    #[test]
    fn what_was_not_tried_is_said_with_its_reason() {
        let whole = closed(SyncState::InSync, None);
        let none = "not tried, because no grant was opened";
        check(Used::None, None, None, &[(State::Unseen, none)]);
        check(Used::Held, None, None, &[(State::Unseen, "not tried, because the grant was open already")]);
        check(Used::Kept, Some(true), None, &[(State::Unseen, "not tried, because `--keep`")]);
        check(Used::Own, None, Some(&whole), &[(State::Whole, "nothing of it is left")]);
        check(Used::Own, Some(true), Some(&whole), &[(State::Whole, "nothing of it is left")]);
        // The walk failed before the server vended anything, so that it had nothing to deny.
        let denying = "(`iam:PutRolePolicy`), because none were vended";
        let both = [(State::Whole, "nothing of it is left"), (State::Unseen, denying)];
        check(Used::Own, Some(false), Some(&whole), &both);
    }

    #[test]
    fn what_is_left_is_said_whatever_failed_before() {
        let until = "2026-11-22T10:15:00Z".parse().expect("an instant");
        let lives_on = LivesOn { until, why: "AWS denied iam:PutRolePolicy".into() };
        let denied = closed(SyncState::InSync, Some(lives_on));
        check(Used::Own, Some(true), Some(&denied), &[(State::Worn, "AWS denied iam:PutRolePolicy")]);
        let stands = closed(SyncState::Failing { why: "AWS does not answer".into() }, None);
        check(
            Used::Own,
            None,
            Some(&stands),
            &[(State::Worn, "its rule may still exist: AWS does not answer")],
        );
        check(Used::Own, None, None, &[(State::Worn, "it expires by itself")]);
    }
}
