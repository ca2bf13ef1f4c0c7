//! What a change would open and close: another recording, a file of changes, a grant, or one that might be asked for.

use std::net::IpAddr;
use std::path::Path;

use doorward_core::decision::{Decision, Past, Request, decide};
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::Inventory;
use doorward_core::policy::{Person, TargetName, did_you_mean};
use doorward_core::reach::{AllowedPath, Change, Flows, Impossible, Reachability, after, with_grant};
use jiff::Timestamp;
use serde::Deserialize;

use super::{difference, listing};
use crate::bounded_file;
use crate::command::account::{Account, Remarks, Source};
use crate::command::{self, Code, Failure, backend};
use crate::policy_file::{Loaded, PolicyFile};
use crate::store::{self, AuditFiles, Store, WhenLost};

/// Who might ask for a target.
pub(super) struct Asker {
    pub person: Option<Person>,
    pub address: Option<IpAddr>,
}

struct Compared {
    before: Reachability,
    after: Reachability,
}

pub(super) fn run(
    policy: &Path,
    source: &Source,
    account: Account,
    change: &str,
    asker: Asker,
    flows: Option<&Flows>,
    as_json: bool,
) -> Result<u8, Failure> {
    let Account { inventory, mut remarks } = account;
    let compared = compared(policy, source, inventory, &mut remarks, change, asker)?;
    let mut difference = compared.before.compare(&compared.after);
    if let Some(flows) = flows {
        only(&mut difference.opened, flows);
        only(&mut difference.closed, flows);
    }
    let gaps = &compared.after.inventory().gaps;
    let sides = (&compared.before, &compared.after);
    if as_json {
        command::print(&command::json(&difference::as_json(&difference, sides, &remarks))?)?;
    } else {
        let text = difference::as_text(&difference, sides);
        command::print(if text.is_empty() { "no changes\n" } else { &text })?;
        listing::unseen(gaps);
        remarks.note();
    }
    Ok(0)
}

fn only(paths: &mut Vec<AllowedPath>, flows: &Flows) {
    for path in paths.iter_mut() {
        path.flows = path.flows.and(flows);
        path.at_most = path.at_most.and(flows);
    }
    paths.retain(|path| !path.flows.is_empty() || !path.at_most.is_empty());
}

fn compared(
    policy: &Path,
    source: &Source,
    inventory: Inventory,
    remarks: &mut Remarks,
    change: &str,
    asker: Asker,
) -> Result<Compared, Failure> {
    let path = Path::new(change);
    if let Ok(id) = change.parse::<GrantId>() {
        alone(&asker)?;
        let file = command::open_policy(policy)?;
        let grant = command::runtime()?.block_on(kept(&file, &id))?;
        return granted(&file.current(), inventory, &grant);
    }
    if path.is_dir() {
        alone(&asker)?;
        let after = source.recorded(path)?;
        remarks.extend(after.remarks);
        return Ok(Compared {
            before: Reachability::of(inventory),
            after: Reachability::of(after.inventory),
        });
    }
    if path.is_file() {
        alone(&asker)?;
        return changed(inventory, &read(path)?);
    }
    let Ok(target) = change.parse::<TargetName>() else { return Err(no_change(change)) };
    if change.ends_with(".json") || change.contains('/') || (!policy.exists() && asker.address.is_none()) {
        return Err(no_change(change));
    }
    let file = command::open_policy(policy)?;
    let loaded = file.current();
    let grant = wanted(&loaded, target, asker)?;
    granted(&loaded, inventory, &grant)
}

/// That nobody was named where nobody is asked about.
fn alone(asker: &Asker) -> Result<(), Failure> {
    if asker.person.is_none() && asker.address.is_none() {
        return Ok(());
    }
    Err(Failure::new(Code::Usage, "`--as` and `--address` are only for a target of the policy")
        .hint("leave them out"))
}

fn no_change(change: &str) -> Failure {
    let what = format!("`{change}` is not a folder, a file, a grant or a target of the policy");
    Failure::new(Code::NoInput, what).hint("`doorward reach --help` describes the argument of --after")
}

fn read(path: &Path) -> Result<Vec<Change>, Failure> {
    let text = bounded_file::input(path, bounded_file::LARGE).map_err(|error| {
        Failure::of(Code::of_io(&error), &error).context(format!("cannot read `{}`", path.display()))
    })?;
    // What `--fix --json` printed has the changes in it.
    let object = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let changes = if object {
        serde_json::from_slice::<Fixed>(&text).map(|fixed| fixed.changes)
    } else {
        serde_json::from_slice(&text)
    };
    changes.map_err(|error| {
        Failure::of(Code::Data, &error)
            .context(format!("`{}` is not a list of changes", path.display()))
            .hint(r#"write [{"group": "sg-…", "add": "tcp/5432 from 203.0.113.7/32"}, …], or "remove""#)
    })
}

/// The JSON of `--fix`, as far as it is a list of changes.
#[derive(Deserialize)]
struct Fixed {
    changes: Vec<Change>,
}

/// A grant as it is kept. A store that is not there is not made for this.
async fn kept(file: &PolicyFile, id: &GrantId) -> Result<Grant, Failure> {
    let loaded = file.current();
    let location = &loaded.policy.server.store;
    let no_grant = || {
        let failure = Failure::new(Code::No, format!("the store of this policy has no grant {id}"));
        failure.hint("`doorward list --all` lists the open grants and the requests")
    };
    if !store::is_there(location) {
        return Err(no_grant());
    }
    let random = crate::clock::random().map_err(Failure::with(Code::Internal))?;
    let store =
        Store::open_for(location, &AuditFiles::of(&loaded.policy, file.path()), random, WhenLost::Refuse)
            .await
            .map_err(Failure::with(Code::Io))?;
    let grant = store.grant(id).await;
    store.close().await;
    let grant = grant.map_err(Failure::with(Code::Io))?.ok_or_else(no_grant)?;
    if grant.ended() {
        return Err(Failure::new(Code::No, format!("{id} has ended, so it opens nothing")).hint(format!(
            "compare a new request: `--after {} --as {} --address …`",
            grant.target(),
            grant.person()
        )));
    }
    Ok(grant)
}

/// The grant that somebody would get, decided as `doorward open` decides it, and not made.
fn wanted(loaded: &Loaded, target: TargetName, asker: Asker) -> Result<Grant, Failure> {
    let targets = &loaded.policy.targets;
    if !targets.contains_key(&target) {
        let failure = no_change(target.as_str());
        let known = targets.keys().map(TargetName::as_str);
        return Err(match did_you_mean(target.as_str(), known) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure,
        });
    }
    let Some(from) = asker.address else {
        let failure =
            Failure::new(Code::Usage, format!("the address that `{target}` is opened for is missing"));
        return Err(failure.hint("name it with `--address`, and the person with `--as`"));
    };
    let person = asker.person.map_or_else(backend::login_name, Ok)?;
    let request = Request {
        // It names nothing: the grant is compared, and never kept.
        id: GrantId::from_random([0; 8]),
        person,
        from,
        target,
        transport: None,
        lasts: None,
        reason: Some("what would it open?".into()),
    };
    match decide(&loaded.policy, &loaded.people, &request, &Past::default(), Timestamp::now()) {
        Decision::Granted { grant, .. } | Decision::NeedsApproval { grant, .. } => Ok(grant),
        Decision::Refused { reasons } => {
            let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            Err(Failure::new(Code::No, lines.join("\n")))
        }
    }
}

fn granted(loaded: &Loaded, inventory: Inventory, grant: &Grant) -> Result<Compared, Failure> {
    match with_grant(inventory, &loaded.policy, grant).map_err(impossible)? {
        Some((before, after)) => {
            Ok(Compared { before: Reachability::of(before), after: Reachability::of(after) })
        }
        None => {
            let what = format!("{} has no rule in a security group", grant.target());
            Err(Failure::new(Code::Usage, what).hint("only rules of security groups are compared"))
        }
    }
}

fn changed(before: Inventory, changes: &[Change]) -> Result<Compared, Failure> {
    let after = after(&before, changes).map_err(impossible)?;
    Ok(Compared { before: Reachability::of(before), after: Reachability::of(after) })
}

fn impossible(error: Impossible) -> Failure {
    let failure = Failure::of(Code::Data, &error);
    match &error {
        Impossible::NoGroup { meant: Some(meant), .. } => failure.hint(format!("did you mean `{meant}`?")),
        Impossible::NoGroup { .. } | Impossible::Unseen { .. } => failure.hint(
            "check that it is in this account: choose the account and Region with `--profile` and `--region`",
        ),
        Impossible::NoRule { .. } => failure.hint("write the rule as it is in the security group"),
        Impossible::Missing { .. }
        | Impossible::NotThere { .. }
        | Impossible::NumberTaken { .. }
        | Impossible::InUse { .. }
        | Impossible::Attached { .. } => failure.hint("`doorward inventory show` lists the account"),
    }
}
