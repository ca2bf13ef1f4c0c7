//! `doorward move`: has what is open admit the address that you come from now, instead of the one before.

use std::net::IpAddr;
use std::path::Path;

use clap::Args;
use doorward_core::grant::GrantId;
use doorward_core::net::Cidr;
use doorward_core::policy::{TargetName, Transport};

use super::backend::{self, Backend, BackendOptions};
use super::{Code, Failure, close};
use crate::client::Client;
use crate::requests::{Caller, GrantView, OpenedView, Requests, State};
use crate::status::SyncState;

/// Move your open grants to the address that you have now
///
/// The old address is revoked in the same step, with all your grants that admit it to the target. The expiry time
/// and the approval stay the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward move
  doorward move orders-db
  doorward move g-k3v9t2m4x7q8")]
pub struct Relocate {
    /// IDs of grants (`g-…`), or targets; by default all your open grants
    #[arg(value_name = "GRANT")]
    pub what: Vec<String>,
    /// The address to admit. Only with a local policy: a server admits the address that it sees
    #[arg(long)]
    pub address: Option<IpAddr>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

impl Relocate {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let mut moved = Vec::new();
        let done = match self.backend.find(policy)? {
            Backend::Server(client) => {
                if self.address.is_some() {
                    let failure = Failure::new(Code::Usage, "`--address` is for a local policy");
                    return Err(failure.hint("leave it out, or add `--local`"));
                }
                self.there(&client, &mut moved)
            }
            Backend::Local(file, caller) => super::runtime()?.block_on(async {
                let address = match self.address {
                    Some(address) => address,
                    None => tokio::task::spawn_blocking(|| {
                        backend::outside_address("name the address to admit with `--address`")
                    })
                    .await
                    .map_err(Failure::with(Code::Internal))??,
                };
                let running = backend::start(*file).await?;
                let done = self.here(running.requests(), &caller, address, &mut moved).await;
                running.stop().await;
                done
            }),
        };
        if self.json {
            super::print(&super::json(&moved)?)?;
        } else if moved.is_empty() && done.is_ok() {
            super::print("You have no open grants for another address.\n")?;
        } else {
            super::print(&moved.iter().map(line).collect::<String>())?;
        }
        done?;
        moved.iter().find_map(failure).map_or(Ok(()), Err)
    }

    /// Moves one after the other; what was moved before one fails is in `moved`.
    fn there(&self, client: &Client, moved: &mut Vec<OpenedView>) -> Result<(), Failure> {
        let address = client.me().map_err(super::server_failure)?.address;
        let mine = client.grants(false).map_err(super::server_failure)?;
        for id in self.chosen(&mine, address)? {
            moved.push(client.relocate(&id).map_err(super::server_failure)?);
        }
        Ok(())
    }

    async fn here(
        &self,
        requests: &Requests,
        caller: &Caller,
        address: IpAddr,
        moved: &mut Vec<OpenedView>,
    ) -> Result<(), Failure> {
        let mine = requests.views().current(&caller.person).await.map_err(super::request_failure)?;
        for id in self.chosen(&mine, Some(address))? {
            let done = requests.relocate(caller, &id, address).await.map_err(super::request_failure)?;
            moved.push(requests.views().relocated(done).await);
        }
        Ok(())
    }

    /// The grants to move: those that are named, or all that are open from another address of the same family.
    fn chosen(&self, mine: &[GrantView], address: Option<IpAddr>) -> Result<Vec<GrantId>, Failure> {
        let Some(address) = address else {
            let failure = Failure::new(Code::Unavailable, "the server cannot determine your address");
            return Err(failure.hint("the proxy in front of it has to send X-Forwarded-For"));
        };
        let elsewhere = |grant: &&GrantView| {
            grant.state == State::Open
                && grant.transport == Transport::Direct
                && grant.source.family() == Cidr::host(address).family()
                && !grant.source.contains(address)
        };
        let named = |target: Option<&TargetName>| -> Vec<GrantId> {
            let mut left = std::collections::BTreeSet::new();
            let here = mine.iter().filter(elsewhere);
            let here = here.filter(|grant| target.is_none_or(|target| grant.target == *target));
            // All that admits one address to a target moves at once: by the one that lasts longest, which is listed last.
            here.rev()
                .filter(|grant| left.insert((&grant.target, grant.source)))
                .map(|grant| grant.id.clone())
                .collect()
        };
        if self.what.is_empty() {
            return Ok(named(None));
        }
        close::named(&self.what, |target| {
            let open = |grant: &GrantView| grant.target == *target && grant.state == State::Open;
            mine.iter().any(open).then(|| named(Some(target)))
        })
    }
}

/// The result of moving a grant, in a line.
fn line(moved: &OpenedView) -> String {
    let grant = &moved.grant;
    let until = grant.until.map(super::instant).unwrap_or_default();
    match moved.moved_from {
        Some(was) if failure(moved).is_some() => {
            format!(
                "{} is granted to {} instead of {was} as {} until {until}, but the firewall is not in sync yet\n",
                grant.target, grant.source, grant.id
            )
        }
        Some(was) => {
            format!(
                "{} is moved from {was} to {} as {}, open until {until}\n",
                grant.target, grant.source, grant.id
            )
        }
        None => format!("{} admits {} already, open until {until}\n", grant.id, grant.source),
    }
}

/// The failure of a grant that was moved but whose firewall is not in sync yet.
fn failure(moved: &OpenedView) -> Option<Failure> {
    let why = match moved.sync_state.as_ref()? {
        SyncState::InSync => return None,
        SyncState::Failing { why } => why,
        SyncState::Unknown => "its firewall has not responded yet",
    };
    let failure =
        Failure::new(Code::Unavailable, format!("{} has another address, but {why}", moved.grant.id));
    Some(failure.hint("Doorward retries until the grant expires; `doorward list` shows when it is open"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::grant_view;

    #[test]
    fn every_address_that_was_left_is_moved_from_once_by_what_lasts_longest() {
        let grant = |id: &str, source: &str, until: &str| {
            let mut grant = grant_view("2026-11-22T10:00:00Z", until);
            grant.id = id.parse().expect("a grant");
            grant.source = source.parse().expect("an address");
            grant
        };
        // As a server lists them, the next to end first; the last admits the new address already.
        let mine = [
            grant("g-aaaaaaaaaaaa", "203.0.113.7", "2026-11-22T10:30:00Z"),
            grant("g-bbbbbbbbbbbb", "203.0.113.8", "2026-11-22T11:00:00Z"),
            grant("g-cccccccccccc", "203.0.113.7", "2026-11-22T15:00:00Z"),
            grant("g-dddddddddddd", "203.0.113.99", "2026-11-22T16:00:00Z"),
        ];
        let chosen = |what: &[&str], from: &str| -> Vec<String> {
            let backend = BackendOptions { local: false, person: None };
            let what = what.iter().map(|word| (*word).to_owned()).collect();
            let verb = Relocate { what, address: None, json: false, backend };
            let chosen = verb.chosen(&mine, from.parse().ok()).expect("grants");
            chosen.iter().map(ToString::to_string).collect()
        };
        for what in [&[] as &[&str], &["orders-db"]] {
            assert_eq!(chosen(what, "203.0.113.99"), ["g-cccccccccccc", "g-bbbbbbbbbbbb"]);
        }
        assert_eq!(chosen(&["g-aaaaaaaaaaaa"], "203.0.113.99"), ["g-aaaaaaaaaaaa"]);
    }
}
