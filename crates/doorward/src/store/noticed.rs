//! Rows of grants that a reading did not believe: whoever ends them hears of it at once, and of each once.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Store;
use super::rows::{Mistrusted, UnsettledGrants};
use doorward_core::grant::Grant;

/// How many rows are remembered as noticed. Beyond that they are noticed again, which costs a pass and no more.
const MOST: usize = 10_000;

/// What was noticed and has not been ended.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    rows: Mutex<BTreeSet<(String, String)>>,
    news: Notify,
}

impl Noticed {
    fn rows(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notices rows. Those that were noticed before are no news: the store may not take it that they end.
    pub fn take(&self, mistrusted: &[Mistrusted]) {
        if mistrusted.is_empty() {
            return;
        }
        let mut rows = self.rows();
        let is_news = mistrusted.iter().fold(false, |news, one| rows.insert(one.key()) | news);
        if rows.len() > MOST {
            rows.clear();
        }
        if is_news {
            self.news.notify_one();
        }
    }

    /// Forgets rows that were ended: the same alteration is news again.
    pub fn forget(&self, ended: &[Mistrusted]) {
        self.rows().retain(|(id, _)| ended.iter().all(|one| one.id != *id));
    }
}

impl Store {
    /// The grants of a reading that are believed; of the others the reconciler hears.
    pub(super) fn believed(&self, UnsettledGrants { grants, mistrusted }: UnsettledGrants) -> Vec<Grant> {
        self.trust.noticed.take(&mistrusted);
        grants
    }

    /// Comes when a reading has not believed a row of a grant, so that it is ended without waiting for the next poll.
    pub async fn row_noticed(&self) {
        self.trust.noticed.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use doorward_core::audit::{Event, What, Who};
    use doorward_core::policy::{TargetName, Transport};

    use super::super::Change;
    use super::*;

    const ROW: &str = r#"{"id":"g-k3v9t2m4x7q8","person":"jon","target":"db","transport":"direct","source":"203.0.113.7/32",
        "reason":null,"life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null}"#;

    async fn is_noticed(store: &Store) -> bool {
        tokio::time::timeout(Duration::from_millis(100), store.row_noticed()).await.is_ok()
    }

    #[tokio::test]
    async fn whatever_reads_an_altered_or_deleted_row_has_it_noticed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let grant: Grant = serde_json::from_str(ROW).expect("a grant");
        let since = grant.since().expect("open");
        let target: TargetName = "db".parse().expect("a name");
        let what = What::Opened {
            grant: grant.id().clone(),
            target,
            transport: Transport::Direct,
            source: grant.source(),
            until: grant.until().expect("open"),
            reason: None,
            because: String::new(),
            person: None,
        };
        let event = Event::new(since, Who::Person(grant.person().clone()), what);
        store.commit(&[Change { before: None, after: grant.clone() }], vec![event]).await.expect("kept");
        let does = async |statement: &'static str| {
            sqlx::query(statement).execute(&store.pool).await.expect("a statement");
        };
        assert_eq!(store.unfinished().await.expect("read"), std::slice::from_ref(&grant));
        assert!(!is_noticed(&store).await);

        let later = "UPDATE grants SET body = replace(body, 'T11:', 'T12:')";
        let back = "UPDATE grants SET body = replace(body, 'T12:', 'T11:')";
        let all = async || assert_eq!(store.unfinished().await.expect("read"), []);
        let one = async || assert_eq!(store.grant(grant.id()).await.expect("read"), None);
        let mine = async || assert_eq!(store.unfinished_of(grant.person()).await.expect("read"), []);
        does(later).await;
        all().await;
        assert!(is_noticed(&store).await);
        all().await;
        one().await;
        mine().await;
        assert!(!is_noticed(&store).await, "each once");
        let unsettled = store.unsettled().await.expect("read");
        assert!(!is_noticed(&store).await, "whoever ends them knows");
        store.trust.noticed.forget(&unsettled.mistrusted);
        one().await;
        assert!(is_noticed(&store).await, "put back, it is news");
        store.trust.noticed.forget(&unsettled.mistrusted);
        mine().await;
        assert!(is_noticed(&store).await);

        does(back).await;
        assert_eq!(store.unfinished().await.expect("read"), std::slice::from_ref(&grant));
        does("CREATE TABLE copy AS SELECT * FROM grants").await;
        does("DELETE FROM grants").await;
        all().await;
        assert!(is_noticed(&store).await, "a row that is missing");
        store.trust.noticed.forget(&store.unsettled().await.expect("read").mistrusted);
        one().await;
        assert!(is_noticed(&store).await);
    }
}
