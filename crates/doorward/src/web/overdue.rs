//! Expired grants that are not revoked: shown first on the pages of the person and the operators, with the command that
//! revokes them manually.

use maud::{Markup, html};

use super::{layout, words};
use crate::overdue::Overdue;

/// A section for what is overdue; nothing where nothing is.
pub fn section(overdue: &[Overdue]) -> Markup {
    html! {
        @if !overdue.is_empty() {
            section data-key="overdue" data-version=(format!("{overdue:?}")) aria-labelledby="overdue" {
                h2 #overdue { "Expired, but not revoked yet" }
                div.problem role="alert" {
                    @for one in overdue { (entry(one)) }
                }
            }
        }
    }
}

fn entry(one: &Overdue) -> Markup {
    html! {
        p {
            @match (&one.person, &one.target) {
                (Some(person), Some(target)) => { strong { (person) } " to " strong { (target) } },
                _ => "A rule",
            }
            @if let Some(source) = one.source { " from " code { (words::source(source)) } }
            @if one.seen { " still exists in " } @else { " may still exist in " }
            (one.at) " although the grant ended at " (words::at(one.since)) ". "
            (layout::sentence(&one.why))
        }
        p { "Doorward will retry. To revoke it manually: " code { (one.fix) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_says_who_why_and_what_closes_it() {
        let one = Overdue {
            since: "2026-11-22T10:00:00Z".parse().expect("an instant"),
            grant: None,
            person: Some("jon".parse().expect("a person")),
            target: Some("orders-db".parse().expect("a target")),
            source: Some("203.0.113.7/32".parse().expect("a prefix")),
            firewall: None,
            at: "security group sg-0a in eu-west-1".into(),
            seen: true,
            why: "ec2:RevokeSecurityGroupIngress in eu-west-1 was denied: UnauthorizedOperation: no".into(),
            fix: "aws ec2 revoke-security-group-ingress --group-id sg-0a --security-group-rule-ids sgr-1"
                .into(),
        };
        let text = section(&[one]).into_string();
        for part in ["jon", "orders-db", "203.0.113.7", "sg-0a", "2026-11-22", "was denied", "sgr-1"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(section(&[]).into_string(), "");
    }
}
