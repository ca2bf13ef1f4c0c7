//! Ended grants according to the audit log: a row that somebody else inserted is no history.

use std::collections::BTreeMap;

use doorward_core::audit::{Earlier, Entry, Hash, Said, What};
use doorward_core::grant::{Grant, GrantId};
use doorward_core::policy::Person;
use sqlx::any::AnyRow;

use super::rows::{Kept, measured, rows};
use super::{Error, Store};

/// What entries say of grants, and how the last of each left its row; none where that entry has no MAC.
#[derive(Debug, Default)]
pub(super) struct Histories {
    pub said: Said,
    left: BTreeMap<GrantId, Option<Option<Hash>>>,
}

impl Histories {
    /// Whether a row is what the entries say of it.
    fn is_of(&self, grant: &Grant, row: Hash) -> bool {
        match self.left.get(grant.id()) {
            None => false,
            // From before there was a key, and sealed since.
            Some(None) => true,
            Some(Some(left)) => *left == Some(row),
        }
    }
}

impl Store {
    /// Ended grants, the latest first: a person's, or everybody's.
    pub async fn history(&self, person: Option<&Person>, limit: u32) -> Result<Vec<Grant>, Error> {
        const OF_ALL: &str = "SELECT r.seq, r.line FROM record r JOIN (SELECT id FROM grants WHERE state = 'ended' \
            ORDER BY changed DESC, id LIMIT $1) g ON r.grant_id = g.id ORDER BY r.seq";
        const OF_ONE: &str = "SELECT r.seq, r.line FROM record r JOIN (SELECT id FROM grants WHERE state = 'ended' \
            AND person = $2 ORDER BY changed DESC, id LIMIT $1) g ON r.grant_id = g.id ORDER BY r.seq";
        let limit = i64::from(limit);
        let believed = |kept: Vec<Kept>, ledger: &Earlier<'_>| {
            let row = |row: Kept| {
                let left = Hash::of(row.body.as_bytes());
                Some((row.believed(ledger).ok()?, left))
            };
            kept.into_iter().filter_map(row).collect()
        };
        let (grants, lines): (Vec<(Grant, Hash)>, _) = match person {
            Some(person) => {
                let query = || {
                    rows!("g.state = 'ended' AND g.person = $1", "ORDER BY g.changed DESC, g.id LIMIT $2")
                        .bind(person.as_str())
                        .bind(limit)
                };
                (measured!(self, query(), believed), sqlx::query(OF_ONE).bind(limit).bind(person.as_str()))
            }
            None => {
                let query =
                    || rows!("g.state = 'ended'", "ORDER BY g.changed DESC, g.id LIMIT $1").bind(limit);
                (measured!(self, query(), believed), sqlx::query(OF_ALL).bind(limit))
            }
        };
        let histories = self.histories(&lines.fetch_all(&self.pool).await?)?;
        let grants = grants.into_iter().filter(|(grant, left)| histories.is_of(grant, *left));
        Ok(grants.map(|(grant, _)| grant).collect())
    }

    /// What lines say, as far as the holder of the key wrote or sealed them.
    pub(super) fn histories(&self, lines: &[AnyRow]) -> Result<Histories, Error> {
        let (sealed, mut histories) = (self.trust.sealed(), Histories::default());
        for row in lines {
            let (seq, line) = super::record::kept(row)?;
            let Some(entry) = Entry::read(&line).ok().filter(|entry| entry.head.seq == seq) else { continue };
            let is_authentic = entry.is_authentic(&self.trust.key);
            if !is_authentic && (entry.mac.is_some() || seq >= sealed) {
                continue;
            }
            histories.said.take(&entry.line);
            if let Some(grant) = entry.line.event.what.grant()
                && (entry.line.state.is_some() || matches!(entry.line.event.what, What::Ended { .. }))
            {
                histories.left.insert(grant.clone(), is_authentic.then_some(entry.line.state));
            }
        }
        Ok(histories)
    }
}
