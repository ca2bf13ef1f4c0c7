//! What a change opens and closes, as text and as JSON: of `reach --after`, and of a plan.

use doorward_core::reach::{Comparison, Reachability};
use serde::Serialize;

use super::json;
use super::listing::{self, Names};
use crate::command::account::Remarks;

/// The paths by receiver; empty where nothing differs. `sides` are the account before and after.
pub(in crate::command) fn as_text(
    difference: &Comparison,
    (before, after): (&Reachability, &Reachability),
) -> String {
    let sides = [("opens", &difference.opened, after), ("closes", &difference.closed, before)];
    let mut text = String::new();
    for (title, paths, side) in sides {
        let names = Names::of(side.roles());
        for (receiver, paths) in listing::by_receiver(paths) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("{title} {}", listing::heading(receiver, &names, side.inventory())));
            text.push_str(&listing::grouped(&paths, &names));
        }
    }
    text
}

/// The paths, and the roles that they name.
pub(in crate::command) fn as_json<'a>(
    difference: &'a Comparison,
    (before, after): (&'a Reachability, &'a Reachability),
    remarks: &'a Remarks,
) -> impl Serialize + use<'a> {
    let gaps = &after.inventory().gaps;
    let (before, after) = (Names::of(before.roles()), Names::of(after.roles()));
    json::Comparison {
        opened: difference.opened.iter().map(|path| json::path(path, &after)).collect(),
        closed: difference.closed.iter().map(|path| json::path(path, &before)).collect(),
        roles_of_opened: json::roles_of(&difference.opened, &after),
        roles_of_closed: json::roles_of(&difference.closed, &before),
        gaps,
        notes: &remarks.passed_over,
        assumed: &remarks.assumed,
    }
}
