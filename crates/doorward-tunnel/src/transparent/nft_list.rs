//! What `nft` tells of the tables that stand.

use serde::Deserialize;

use super::program::{ProgramError, run};
use super::table::PREFIX;

#[derive(Deserialize)]
struct NftOutput {
    nftables: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    table: Option<Table>,
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Table {
    family: String,
    name: String,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    packets: u64,
}

async fn list(arguments: &[&str], what: &str) -> Result<NftOutput, ProgramError> {
    let said = run("nft", &[&["-j", "list"], arguments].concat(), "", what).await?;
    serde_json::from_str(&said).map_err(|source| ProgramError::Answer("nft", source))
}

/// The tables of all ranges.
pub(super) async fn tables() -> Result<Vec<String>, ProgramError> {
    let told = list(&["tables"], "list the tables").await?;
    let tables = told.nftables.into_iter().filter_map(|item| item.table);
    let ours = tables.filter(|table| table.family == "inet" && table.name.starts_with(PREFIX));
    Ok(ours.map(|table| table.name).collect())
}

/// Datagrams, and other packets, that a table refused.
pub(super) async fn refused(name: &str) -> Result<(u64, u64), ProgramError> {
    let told = list(&["table", "inet", name], "list the counters").await?;
    let packets = |name: &str| {
        let mut counters = told.nftables.iter().filter_map(|item| item.counter.as_ref());
        counters.find(|counter| counter.name == name).map_or(0, |counter| counter.packets)
    };
    Ok((packets("refused-udp"), packets("refused-other")))
}
