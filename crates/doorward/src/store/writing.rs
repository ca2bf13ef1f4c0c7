//! One transaction of writes.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};

use super::Error;

/// A transaction on a connection of its own, which is used again only once it is known to be out of the transaction.
///
/// After a write that failed (a full disk, say) SQLite may have rolled back by itself or not
/// (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction"). `sqlx::Transaction` does not ask,
/// and what it leaves behind then is a lock that stops everybody.
pub(super) struct Writing {
    connection: PoolConnection<Any>,
    over: bool,
}

impl Writing {
    pub(super) async fn begin(pool: &AnyPool) -> Result<Self, Error> {
        let mut writing = Self { connection: pool.acquire().await?, over: false };
        sqlx::query("BEGIN").execute(&mut *writing).await?;
        Ok(writing)
    }

    /// Makes it last, or undoes it.
    pub(super) async fn end<T>(mut self, done: Result<T, Error>) -> Result<T, Error> {
        let done = match done {
            Ok(done) => sqlx::query("COMMIT").execute(&mut *self).await.map(|_| done).map_err(Error::from),
            Err(error) => Err(error),
        };
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
