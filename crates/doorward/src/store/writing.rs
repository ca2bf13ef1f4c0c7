//! One transaction of writes.

use std::ops::{Deref, DerefMut};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Error;

/// Who writes next. Writers take turns here and not in the database: SQLite lets them try again and again, and whoever
/// tries least often is the last.
///
/// Requests queue among themselves first, so that at most one of them is before who ends grants.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    turn: Arc<Mutex<()>>,
    /// Whether the disk had no room at the last write.
    full: Arc<AtomicBool>,
    among_requests: Option<Arc<Mutex<()>>>,
}

/// A turn at writing.
#[derive(Debug)]
struct Turn {
    _turn: OwnedMutexGuard<()>,
    _among_requests: Option<OwnedMutexGuard<()>>,
}

impl Queue {
    /// For requests.
    pub(super) fn new() -> Self {
        Self { among_requests: Some(Arc::default()), ..Self::default() }
    }

    /// For who ends grants.
    pub(super) fn first(&self) -> Self {
        Self { turn: Arc::clone(&self.turn), full: Arc::clone(&self.full), among_requests: None }
    }

    /// Whether the disk had no room at the last write.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// A connection and then the turn: who waits for a connection keeps nobody from writing.
    async fn wait(&self, pool: &AnyPool) -> Result<(PoolConnection<Any>, Turn), Error> {
        let among_requests = match &self.among_requests {
            Some(requests) => Some(Arc::clone(requests).lock_owned().await),
            None => None,
        };
        let connection = pool.acquire().await?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        Ok((connection, Turn { _turn: turn, _among_requests: among_requests }))
    }
}

/// A transaction on a connection of its own, which is used again only once it is known to be out of the transaction.
///
/// After a write that failed (a full disk, say) SQLite may have rolled back by itself or not
/// (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction"). `sqlx::Transaction` does not ask,
/// and what it leaves behind then is a lock that stops everybody.
pub(super) struct Writing {
    connection: PoolConnection<Any>,
    over: bool,
    full: Arc<AtomicBool>,
    // After the connection: who is next finds it free.
    _turn: Turn,
}

impl Writing {
    pub(super) async fn begin(pool: &AnyPool, queue: &Queue) -> Result<Self, Error> {
        let (connection, turn) = queue.wait(pool).await?;
        let mut writing = Self { connection, over: false, full: Arc::clone(&queue.full), _turn: turn };
        sqlx::query("BEGIN").execute(&mut *writing).await?;
        Ok(writing)
    }

    /// Makes it last, or undoes it.
    pub(super) async fn end<T>(mut self, done: Result<T, Error>) -> Result<T, Error> {
        let done = match done {
            Ok(done) => sqlx::query("COMMIT").execute(&mut *self).await.map(|_| done).map_err(Error::from),
            Err(error) => Err(error),
        };
        match &done {
            Ok(_) => self.full.store(false, Ordering::Relaxed),
            Err(Error::Full) => self.full.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        self.over = match done {
            Ok(_) => true,
            Err(_) => sqlx::query("ROLLBACK").execute(&mut *self).await.is_ok(),
        };
        done
    }
}

impl Deref for Writing {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Also when whoever asked did not wait for the end.
        if !self.over {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use doorward_core::audit::{Event, What, Who};
    use jiff::Timestamp;

    use super::super::Store;

    #[tokio::test]
    async fn who_ends_grants_writes_although_requests_hold_and_wait_for_every_connection() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let event = || Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        let mut held = Vec::new();
        while let Ok(connection) = tokio::time::timeout(Duration::from_secs(1), store.pool.acquire()).await {
            held.push(connection.expect("a connection"));
        }
        assert!(!held.is_empty());
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let (store, event) = (store.clone(), event());
                tokio::spawn(async move { store.commit(&[], vec![event]).await })
            })
            .collect();
        let reserved = store.reserved();
        let done = async {
            reserved.commit(&[], vec![event()]).await.expect("recorded");
            reserved.unsettled().await.expect("read")
        };
        tokio::time::timeout(Duration::from_secs(5), done).await.expect("it waits for no request");
        drop(held);
        for one in waiting {
            one.await.expect("a task").expect("recorded");
        }
        store.close().await;
    }
}
