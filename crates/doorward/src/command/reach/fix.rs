//! `--fix`: the least set of changes that allows one flow, the commands that make them, and what else each of them opens.

use doorward_core::inventory::Inventory;
use doorward_core::reach::{Reachability, Repair, RepairStep, Verdict, commands};
use serde::Serialize;

use super::answer::Asked;
use super::listing::{self, Names};
use super::{json, text};
use crate::answer_text::{end, folded};
use crate::command::{self, Code, Failure};

/// Nothing has to be changed, or the changes do it; no changes do; what was not read decides.
fn exit(repair: &Repair) -> u8 {
    match repair.verdict {
        Verdict::Yes => 0,
        Verdict::No | Verdict::Partly => 1,
        Verdict::Unknown => 3,
    }
}

pub(super) fn run(
    reachability: &Reachability,
    asked: &Asked<'_>,
    assumed: &[String],
    as_json: bool,
) -> Result<u8, Failure> {
    let Some(flows) = asked.flows else {
        let failure = Failure::new(Code::Usage, "`--fix` needs a FLOW");
        return Err(failure.hint("name what should be allowed, like `tcp/5432`"));
    };
    let repair = reachability.repair(asked.from, asked.to, flows);
    let inventory = reachability.inventory();
    command::print(&if as_json {
        command::json(&as_json_of(&repair, asked, inventory, assumed))?
    } else {
        as_text(&repair, asked, inventory) + &text::assumed(assumed)
    })?;
    Ok(exit(&repair))
}

fn as_text(repair: &Repair, asked: &Asked<'_>, inventory: &Inventory) -> String {
    let what = asked.flows.map(folded).unwrap_or_default();
    let between = format!("{what} from {} to {}", end(asked.from), end(asked.to));
    if repair.before == Verdict::Yes {
        return format!("nothing to fix: {between} is allowed\n");
    }
    let mut lines = match repair.verdict {
        Verdict::Yes => format!("these changes allow {between}\n"),
        Verdict::No | Verdict::Partly => format!("no change of the account is known that allows {between}\n"),
        Verdict::Unknown => format!("whether {between} is allowed depends on what could not be read\n"),
    };
    let names = Names::of(repair.after.roles());
    if !repair.changes.is_empty() && repair.verdict != Verdict::Yes {
        lines.push_str("\nneeded all the same\n");
    }
    for (number, RepairStep { change, opens }) in (1..).zip(&repair.changes) {
        lines.push_str(&format!("\n{number}. {change}\n"));
        for command in commands(inventory, std::slice::from_ref(change)) {
            lines.push_str(&format!("   $ {command}\n"));
        }
        if opens.is_empty() {
            lines.push_str("   opens nothing else\n");
        }
        for (receiver, paths) in listing::by_receiver(opens) {
            let heading = listing::heading(receiver, &names, repair.after.inventory());
            lines.push_str(&format!("   also opens {heading}"));
            for line in listing::grouped(&paths, &names).lines() {
                lines.push_str(&format!("   {line}\n"));
            }
        }
    }
    let left = repair.left.iter().flat_map(|blocker| crate::answer_text::blocker(blocker, asked.flows));
    text::section(&mut lines, "not fixed by a change", left.collect());
    let gaps = if repair.verdict == Verdict::Yes { Vec::new() } else { repair.gaps.clone() };
    text::section(&mut lines, "could not be read", gaps.iter().map(ToString::to_string).collect());
    lines
}

#[derive(Serialize)]
struct View<'a> {
    verdict: Verdict,
    fixed: bool,
    changes: Vec<&'a doorward_core::reach::Change>,
    steps: Vec<StepView<'a>>,
    blockers: Vec<json::BlockerView<'a>>,
    gaps: &'a [doorward_core::inventory::Gap],
    from: json::EndpointView<'a>,
    to: json::EndpointView<'a>,
    asked: Vec<doorward_core::net::Flow>,
    roles: Vec<json::RoleView<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    assumed: &'a [String],
}

#[derive(Serialize)]
struct StepView<'a> {
    what: String,
    commands: Vec<String>,
    opens: Vec<json::PathView<'a>>,
}

fn as_json_of<'a>(
    repair: &'a Repair,
    asked: &Asked<'a>,
    inventory: &Inventory,
    assumed: &'a [String],
) -> View<'a> {
    let names = Names::of(repair.after.roles());
    let steps = repair.changes.iter().map(|step| StepView {
        what: step.change.to_string(),
        commands: commands(inventory, std::slice::from_ref(&step.change)),
        opens: step.opens.iter().map(|path| json::path(path, &names)).collect(),
    });
    let opened: Vec<_> = repair.changes.iter().flat_map(|step| step.opens.iter().cloned()).collect();
    View {
        verdict: repair.before,
        fixed: repair.verdict == Verdict::Yes,
        changes: repair.changes.iter().map(|step| &step.change).collect(),
        steps: steps.collect(),
        blockers: repair.left.iter().map(json::blocker).collect(),
        gaps: &repair.gaps,
        from: json::endpoint(asked.from),
        to: json::endpoint(asked.to),
        asked: asked.flows.map(|flows| flows.list()).unwrap_or_default(),
        roles: json::roles_of(&opened, &names),
        assumed,
    }
}
