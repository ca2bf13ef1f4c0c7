//! Puts the table back when somebody else took it away: a restart of the machine's own firewall flushes everybody's.
//!
//! Until then what is within the range goes nowhere, for its route leads over our link.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::nft_list::tables;
use super::program::run;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Looks after one table; stops when dropped.
pub(super) struct Keeper(JoinHandle<()>);

impl Keeper {
    /// Looks after the table of that name, which that transaction writes.
    pub fn new(name: String, transaction: String) -> Self {
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let stands = match tables().await {
                    Ok(tables) => tables.contains(&name),
                    Err(error) => {
                        tracing::debug!(%error, "listing the nftables tables failed");
                        continue;
                    }
                };
                if stands {
                    continue;
                }
                match run("nft", &["-f", "-"], &transaction, "write the table").await {
                    Ok(_) => {
                        tracing::warn!(
                            table = name,
                            "the nftables table of the range was removed; restored it"
                        )
                    }
                    Err(error) => {
                        tracing::error!(table = name, %error, "the nftables table of the range is missing")
                    }
                }
            }
        }))
    }

    /// Stops, and waits until nothing of it is under way but what the kernel has in hand.
    pub async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
