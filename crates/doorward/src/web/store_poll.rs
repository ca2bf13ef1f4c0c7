//! Polling the store for `/readyz`: strangers may ask as often as they like, and cost one poll a second at most.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

/// How long an outcome counts.
const COUNTS: Duration = Duration::from_secs(1);

/// The answer of the store, or why there is none that serves.
pub type Answer = Result<(), &'static str>;

/// The outcome of the last poll, and since when it counts, by the time since the program started.
#[derive(Debug, Clone, Default)]
pub struct StorePoll(Arc<Mutex<Option<(Duration, Answer)>>>);

impl StorePoll {
    /// Whether the store answers, by the last poll unless that is a second old.
    ///
    /// Requests that come together share one poll. It is a task of its own: a client that hangs up before the outcome is
    /// there does not make the next one poll again.
    pub async fn outcome(
        &self,
        uptime: impl Fn() -> Duration + Send + 'static,
        poll: impl Future<Output = Answer> + Send + 'static,
    ) -> Answer {
        let last = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let mut last = last.lock().await;
            let now = uptime();
            if let Some((at, answers)) = *last
                && now.saturating_sub(at) < COUNTS
            {
                return answers;
            }
            let answers = poll.await;
            *last = Some((uptime(), answers));
            answers
        });
        // A poll that broke off found no store that answers.
        task.await.unwrap_or(Err("the store does not answer"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use super::*;

    /// A store that answers when it is allowed to, and counts how often it was polled.
    struct Polled {
        poll: StorePoll,
        millis: Arc<AtomicU64>,
        polls: Arc<AtomicU64>,
        answers: Arc<Semaphore>,
    }

    impl Polled {
        fn new(answers: usize) -> Self {
            let answers = Arc::new(Semaphore::new(answers));
            Self { poll: StorePoll::default(), millis: Arc::default(), polls: Arc::default(), answers }
        }

        fn asked(&self) -> impl Future<Output = Answer> + Send + use<> {
            let (poll, millis) = (self.poll.clone(), Arc::clone(&self.millis));
            let (polls, answers) = (Arc::clone(&self.polls), Arc::clone(&self.answers));
            async move {
                let polled = async move {
                    polls.fetch_add(1, Ordering::Relaxed);
                    answers.acquire().await.expect("open").forget();
                    Ok(())
                };
                poll.outcome(move || Duration::from_millis(millis.load(Ordering::Relaxed)), polled).await
            }
        }

        fn polls(&self) -> u64 {
            self.polls.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_thousand_requests_a_second_poll_once() {
        let polled = Polled::new(100);
        for second in 0..5 {
            polled.millis.store(second * 1000, Ordering::Relaxed);
            for _ in 0..1000 {
                assert_eq!(polled.asked().await, Ok(()));
            }
            assert_eq!(polled.polls(), second + 1);
        }
    }

    #[tokio::test]
    async fn requests_that_come_together_or_hang_up_share_a_poll() {
        let polled = Polled::new(0);
        let mut waiting: JoinSet<Answer> = (0..1000).map(|_| polled.asked()).collect();
        while polled.polls() == 0 {
            tokio::task::yield_now().await;
        }
        waiting.shutdown().await;
        let mut waiting: JoinSet<Answer> = (0..1000).map(|_| polled.asked()).collect();
        polled.answers.add_permits(100);
        while let Some(answered) = waiting.join_next().await {
            assert_eq!(answered.expect("an answer"), Ok(()));
        }
        assert_eq!(polled.polls(), 1);
    }
}
