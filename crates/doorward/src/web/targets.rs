//! The person's targets: one card each, and if there are many, a search, headings by group, and folded cards.

use doorward_core::policy::Group;
use maud::{Markup, html};

use super::home::{self, Draft};
use super::origin::Origin;
use super::session::Signed;
use super::{Web, card};
use crate::requests::{GrantView, Offer};

/// From so many targets on there is a search, and the cards are folded.
const MANY: usize = 12;
/// The most characters of a search that count.
const LONGEST: usize = 100;

/// The targets that fit a search, by the group that lets the person open them.
pub fn section(
    web: &Web,
    signed: &Signed,
    origin: Origin,
    offers: &[Offer],
    grants: &[GrantView],
    draft: Option<&Draft>,
    find: &str,
) -> Markup {
    let find: String = find.trim().chars().take(LONGEST).collect();
    let found: Vec<&Offer> = offers.iter().filter(|offer| fits(offer, &find)).collect();
    let many = offers.len() > MANY;
    let folded = found.len() > MANY;
    let groups = grouped(web, signed, &found);
    html! {
        section aria-labelledby="targets" {
            h2 #targets { "Your targets" }
            @if many { (search(&find, found.len(), offers.len())) }
            @if groups.len() > 1 && many {
                @for (group, offers) in &groups {
                    h3.group { (group) span.quiet { " " (offers.len()) } }
                    ul.cards { @for offer in offers { (home::target(web, signed, origin, offer, grants, draft, folded)) } }
                }
            } @else {
                ul.cards {
                    @for offer in &found { (home::target(web, signed, origin, offer, grants, draft, folded)) }
                    @if offers.is_empty() {
                        (card::nothing("you have no targets yet; ask an operator to add you to a group"))
                    } @else if found.is_empty() {
                        (card::nothing("none of your targets matches"))
                    }
                }
            }
        }
    }
}

fn search(find: &str, found: usize, all: usize) -> Markup {
    html! {
        form.row.find method="get" action="/" role="search" {
            label.unseen for="find" { "Find a target" }
            input #find type="search" name="find" value=(find) maxlength=(LONGEST) placeholder="Find a target"
                autocomplete="off" autocapitalize="none" spellcheck="false";
            button type="submit" { "Find" }
        }
        @if !find.is_empty() {
            p.quiet role="status" { (found) " of " (all) " targets. " a href="/" { "Show all" } }
        }
    }
}

/// Whether every word of a search is in the text of a card.
fn fits(offer: &Offer, find: &str) -> bool {
    let ports: Vec<String> = offer.ports.iter().map(ToString::to_string).collect();
    let said =
        format!("{} {} {} {}", offer.target, offer.about, offer.address, ports.join(" ")).to_lowercase();
    find.to_lowercase().split_whitespace().all(|word| said.contains(word))
}

/// By the first of the person's groups that a target is for, in the order of the names.
fn grouped<'o>(web: &Web, signed: &Signed, offers: &[&'o Offer]) -> Vec<(Group, Vec<&'o Offer>)> {
    let loaded = web.app().loaded();
    let mut grouped: std::collections::BTreeMap<Group, Vec<&'o Offer>> = std::collections::BTreeMap::new();
    for offer in offers {
        let Some(target) = loaded.policy.targets.get(&offer.target) else { continue };
        let member = |group: &&Group| {
            loaded.people.groups.get(*group).is_some_and(|members| members.contains(&signed.caller.person))
        };
        // The policy may have changed since; then there is one group less to name.
        if let Some(group) = target.groups.iter().find(member).or(target.groups.first()) {
            grouped.entry(group.clone()).or_default().push(*offer);
        }
    }
    grouped.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::offer;

    #[test]
    fn a_search_is_for_words_in_any_order_and_case() {
        let mut offer = offer(3600, 7200);
        offer.about = "Orders of the Shop (PostgreSQL)".into();
        offer.ports = vec!["tcp/5432".parse().expect("a flow")];
        for find in ["", "orders", "postgresql ORDERS", "internal", "5432", "shop db"] {
            assert!(fits(&offer, find), "{find}");
        }
        for find in ["reports", "orders reports"] {
            assert!(!fits(&offer, find), "{find}");
        }
    }
}
