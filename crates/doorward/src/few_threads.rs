//! Reads files that may be on a network: each that does not answer keeps a thread for as long as it likes, so only a few do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// A few of the threads that may be blocked, which the others do not lose to a file that does not answer.
#[derive(Debug, Clone)]
pub struct FewThreads(Arc<Semaphore>);

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// Neither it nor those before it answered.
    #[error("it did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The reading panicked.
    #[error("the thread that read it broke off")]
    BrokeOff,
}

impl FewThreads {
    /// At most so many read at once.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// What a reading returns, if it does so within the limit, in which it waits for its turn as well.
    pub async fn read<T: Send + 'static>(
        &self,
        limit: Duration,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotRead> {
        let turns = Arc::clone(&self.0);
        let reading = async {
            let turn = turns.acquire_owned().await.map_err(|_| NotRead::BrokeOff)?;
            let reading = tokio::task::spawn_blocking(move || {
                let read = read();
                drop(turn);
                read
            });
            reading.await.map_err(|_| NotRead::BrokeOff)
        };
        tokio::time::timeout(limit, reading).await.unwrap_or(Err(NotRead::Late(limit)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_never_answers_keeps_no_more_threads_than_that() {
        let few = FewThreads::new(2);
        let (go_on, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(std::sync::Mutex::new(blocked));
        let (began, begins) = mpsc::channel();
        for _ in 0..5 {
            let (blocked, began) = (Arc::clone(&blocked), began.clone());
            let read = move || {
                let _ = began.send(());
                let _ = blocked.lock().expect("a lock").recv();
            };
            let late = few.read(Duration::from_millis(50), read).await.expect_err("nobody answers");
            assert!(matches!(late, NotRead::Late(_)), "{late}");
        }
        assert_eq!(begins.try_iter().count(), 2);
        drop(go_on);
        few.read(Duration::from_secs(600), || ()).await.expect("they are free again");
        let broken = few.read(Duration::from_secs(600), || panic!("broken")).await;
        assert!(matches!(broken, Err(NotRead::BrokeOff)));
        few.read(Duration::from_secs(600), || ()).await.expect("and so is that of the one that panicked");
    }
}
