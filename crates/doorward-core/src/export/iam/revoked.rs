//! The policy that stands in the role whose credentials are vended, and denies those of grants that were revoked.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::document::{Document, Statement};
use super::vended::GRANT;
use crate::firewall::InstallationId;
use crate::grant::GrantId;

/// How many characters the policies in a role may have together, white space not counted (IAM user guide, quotas).
const ROLE: usize = 10_240;

/// What is left to the policies that an operator puts there.
const LEFT: usize = 2_048;

/// The name of the policy: one for each installation, so that two that share a role do not undo each other.
pub fn revoked_name(installation: &InstallationId) -> String {
    format!("doorward-revoked-{installation}")
}

/// Denies everything to the credentials of these grants, by the tag that they were vended with: from the moment on in
/// which IAM has it, whatever the role allows.
///
/// Credentials end by themselves, and their grant is then left out: the list stays short. Where it would be too long for
/// a role all the same, [`older`] denies all that were vended before.
///
/// Of no grant it is a policy that denies nobody: what tries whether the policy may be written.
pub fn revoked(grants: &BTreeSet<GrantId>, now: Timestamp) -> Document {
    if grants.is_empty() {
        return older(Timestamp::UNIX_EPOCH);
    }
    let deny = deny("RevokedGrants");
    let document =
        Document::of(deny.when("StringEquals", &format!("aws:PrincipalTag/{GRANT}"), texts(grants)));
    if document.size() <= ROLE - LEFT { document } else { older(now) }
}

/// Denies everything to all credentials of the role that were issued before (IAM user guide, "Revoking IAM role temporary
/// security credentials"). Who holds a grant that is still open fetches new ones.
pub fn older(than: Timestamp) -> Document {
    let than = Timestamp::from_second(than.as_second()).unwrap_or(than).to_string();
    Document::of(deny("RevokedOlderCredentials").when("DateLessThan", "aws:TokenIssueTime", [than]))
}

fn deny(sid: &str) -> Statement {
    Statement { effect: "Deny", ..Statement::allow(sid, vec!["*"], vec!["*".to_owned()]) }
}

fn texts(grants: &BTreeSet<GrantId>) -> impl Iterator<Item = String> + '_ {
    grants.iter().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn grants(count: u64) -> BTreeSet<GrantId> {
        (0..count).map(|number| GrantId::from_random((number << 8).to_le_bytes())).collect()
    }

    fn now() -> Timestamp {
        "2026-11-22T10:00:00.75Z".parse().expect("an instant")
    }

    #[test]
    fn the_credentials_of_these_grants_are_denied_and_no_others() {
        let read = serde_json::to_value(revoked(&grants(2), now())).expect("JSON");
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "RevokedGrants",
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"StringEquals": {
                    "aws:PrincipalTag/doorward-grant": ["g-aaaaaaaaaaaa", "g-aiaaaaaaaaaa"],
                }},
            }],
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn more_than_a_role_holds_denies_all_that_were_issued_before() {
        let check = |count, denies: &str| {
            let document = revoked(&grants(count), now());
            assert!(document.size() <= ROLE - LEFT, "{}", document.size());
            let read: Value = serde_json::to_value(document).expect("JSON");
            assert_eq!(read["Statement"][0]["Sid"], denies, "{count}");
        };
        check(0, "RevokedOlderCredentials");
        check(1, "RevokedGrants");
        check(400, "RevokedGrants");
        check(600, "RevokedOlderCredentials");
        let nobody = serde_json::to_value(revoked(&BTreeSet::new(), now())).expect("JSON");
        let condition = json!({"DateLessThan": {"aws:TokenIssueTime": ["1970-01-01T00:00:00Z"]}});
        assert_eq!(nobody["Statement"][0]["Condition"], condition);
        let read = serde_json::to_value(older(now())).expect("JSON");
        let condition = json!({"DateLessThan": {"aws:TokenIssueTime": ["2026-11-22T10:00:00Z"]}});
        assert_eq!(read["Statement"][0]["Condition"], condition);
        assert_eq!(read["Statement"][0]["Effect"], "Deny");
    }
}
