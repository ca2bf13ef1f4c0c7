//! Until when vended credentials are good, by the audit log.

use doorward_core::grant::GrantId;
use jiff::Timestamp;

use super::{Error, Store};

impl Store {
    /// Until when the credentials of a grant are good, as the audit log has it; none where none were vended.
    ///
    /// The store's columns do not decide that: whoever can write them could keep credentials alive that were revoked.
    pub async fn vended_until(&self, grant: &GrantId) -> Result<Option<Timestamp>, Error> {
        // Another server of this store may have vended some.
        self.check_head().await?;
        Ok(self.trust.inner().ledger.vended_until(grant))
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};
    use jiff::SignedDuration;

    use super::*;

    #[tokio::test]
    async fn who_writes_the_store_hides_no_credentials_that_were_vended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (grant, other) = (GrantId::from_random([1; 8]), GrantId::from_random([2; 8]));
        let now = Timestamp::from_second(1_800_000_000).expect("an instant");
        let until = now + SignedDuration::from_mins(15);
        let vended = What::CredentialsVended { grant: grant.clone(), until };
        let event = |what| Event::new(now, Who::Doorward, what);
        store.commit(&[], vec![event(vended), event(What::RecordRead)]).await.expect("recorded");
        sqlx::query("UPDATE record SET grant_id = NULL").execute(&store.pool).await.expect("hidden");
        assert_eq!(store.vended_until(&grant).await.expect("read"), Some(until));
        assert_eq!(store.vended_until(&other).await.expect("read"), None);
        store.close().await;
        // Nor from the next start.
        let again = Store::open(&path, [1; 4]).await.expect("a store");
        assert!(
            again.distrusted().is_some() || again.vended_until(&grant).await.expect("read") == Some(until)
        );
        again.close().await;
    }
}
