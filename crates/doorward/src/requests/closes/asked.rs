//! What requests ask of ends that may not be recorded yet: to decide one, and to see every grant as it is by them.

use std::sync::Arc;

use doorward_core::audit::What;
use doorward_core::grant::{Ending, Grant, GrantId};

use super::{QUICKLY, Unrecorded, WAITS};
use crate::requests::{Caller, Error, Requests};
use crate::store::{self, EndOf, KeptEnd};

impl Requests {
    /// Ends that are in force and that the store has not recorded.
    pub fn unrecorded(&self) -> Vec<Unrecorded> {
        self.closes.unrecorded()
    }

    /// Makes ends outlive this process also on a full disk, and records those of an earlier one.
    pub async fn keep_closes(&self) {
        let store = self.app.store().clone();
        let made = tokio::task::spawn_blocking(move || store.make_room_for_ends()).await;
        if let Ok(Err(error)) = made {
            tracing::error!(%error, "could not allocate the file for unrecorded ends, a restart would lose them");
        }
        self.closes.record_soon();
    }

    /// Whether another process has decided an end that the store has not recorded; it is in force from now on.
    pub fn closed_elsewhere(&self) -> bool {
        let new = self.closes.read_file();
        if new {
            self.closes.record_soon();
        }
        new
    }

    /// Ends a grant because somebody decided that.
    pub(in crate::requests) async fn decide_end(
        &self,
        caller: &Caller,
        grant: &Grant,
        how: Ending,
    ) -> Result<Grant, Error> {
        let id = grant.id();
        let of = EndOf::Grant(id.clone());
        let denied = matches!(how, Ending::Rejected { .. });
        self.closes.decide(KeptEnd::Grant(self.event(caller, What::Ended { grant: id.clone(), how })));
        let after = self.closes.applied(grant.clone());
        self.closes.record_soon();
        self.closes.enforce_soon(&of);
        if self.closes.recorded(&of, QUICKLY).await {
            return Ok(self.as_recorded(after).await);
        }
        self.sync_state_at_end(&after).await;
        if self.closes.recorded(&of, WAITS).await {
            return Ok(self.as_recorded(after).await);
        }
        self.closes.keep(&of).await;
        let failed = self.closes.inner().decided.get(&of).and_then(|one| one.failed.clone());
        let source = failed.unwrap_or_else(|| Arc::new(store::Error::Late));
        Err(Error::Unwritten { grant: id.clone(), denied, source })
    }

    /// How the grant ended by the store: another end may have come first.
    async fn as_recorded(&self, after: Grant) -> Grant {
        let kept = store::in_time(self.app.store().grant(after.id())).await;
        kept.ok().flatten().filter(Grant::ended).unwrap_or(after)
    }

    /// Notes the grants that are not settled, for when the store cannot be asked.
    pub(in crate::requests) fn know(&self, grants: &[Grant]) {
        let known = grants.iter().map(|grant| (grant.id().clone(), grant.clone())).collect();
        self.closes.inner().known = known;
    }

    /// The grants that are not settled, as they were last read.
    pub(in crate::requests) fn known(&self) -> Vec<Grant> {
        let known = self.closes.inner().known.values().cloned().collect();
        self.all_applied(known)
    }

    /// Grants from the store; where it does not answer, or not in time, those that the reconciler last knew, so that who has to
    /// close something sees what there is.
    pub(in crate::requests) async fn or_known(
        &self,
        read: impl Future<Output = Result<Vec<Grant>, store::Error>>,
        known: impl FnOnce() -> Vec<Grant>,
    ) -> Result<Vec<Grant>, Error> {
        match tokio::time::timeout(WAITS, read).await {
            Ok(Ok(read)) => Ok(self.all_applied(read)),
            Ok(Err(_)) | Err(_) if self.app.nudge().status().at.is_some() => Ok(known()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Error::Store(store::Error::Late)),
        }
    }

    /// A grant that somebody wants to end: by what is known, so that a store that does not answer keeps nobody.
    pub(in crate::requests) async fn to_be_ended(&self, id: &GrantId) -> Result<Grant, Error> {
        let known = self.closes.inner().known.get(id).cloned();
        match known.map(|grant| self.closes.applied(grant)) {
            Some(grant) if !grant.ended() => Ok(grant),
            known => match (self.grant(id).await, known) {
                (Ok(Some(grant)), _) | (_, Some(grant)) => Ok(grant),
                (Ok(None), None) => Err(Error::NoSuchGrant(id.clone())),
                (Err(error), None) => Err(error),
            },
        }
    }

    /// One grant, as it is by what was decided.
    pub(in crate::requests) async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, Error> {
        Ok(self.app.store().grant(id).await?.map(|grant| self.closes.applied(grant)))
    }

    /// Those that are not settled, likewise.
    pub(in crate::requests) async fn unfinished(&self) -> Result<Vec<Grant>, Error> {
        Ok(self.all_applied(self.app.store().unfinished().await?))
    }

    pub(in crate::requests) fn all_applied(&self, grants: Vec<Grant>) -> Vec<Grant> {
        grants.into_iter().map(|grant| self.closes.applied(grant)).collect()
    }
}
