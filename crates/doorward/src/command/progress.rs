//! A bar on the terminal that says how far something is that takes a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use doorward_aws::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// What is over sooner needs no bar.
const SOON: Duration = Duration::from_secs(1);

/// On the standard error, where that is a terminal, and only after a second.
#[derive(Debug)]
pub(super) struct Bar {
    begun: Instant,
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Default for Bar {
    fn default() -> Self {
        Self { begun: Instant::now(), terminal: super::printer::is_watched(), bar: Mutex::default() }
    }
}

impl Bar {
    /// Shows how far it is by now.
    pub(super) fn show(&self, far: Progress) {
        if !self.terminal || self.begun.elapsed() < SOON {
            return;
        }
        let mut bar = self.bar();
        let bar = bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} calls  {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_length(u64::try_from(far.of).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(far.done).unwrap_or(u64::MAX));
        bar.set_message(far.call.action());
    }

    /// Leaves the line as it was.
    pub(super) fn clear(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
