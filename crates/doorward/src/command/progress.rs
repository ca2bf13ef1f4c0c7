//! A bar on the terminal that says how far something is that takes a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use doorward_aws::{Event, Progress};
use doorward_core::plan::network::NetworkStep;
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

/// How far the steps of a plan are: lines that stay, and on a terminal a bar below them.
#[derive(Debug)]
pub(super) struct StepBar {
    steps: Vec<String>,
    done: Mutex<usize>,
    bar: Option<ProgressBar>,
}

impl StepBar {
    /// For the steps of a plan.
    pub(super) fn of(steps: &[NetworkStep]) -> Self {
        let bar = super::printer::is_watched().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(u64::try_from(steps.len()).unwrap_or(u64::MAX)).with_style(style)
        });
        let steps = steps.iter().map(|step| step.change.to_string()).collect();
        Self { steps, done: Mutex::default(), bar }
    }

    /// Shows what happened.
    pub(super) fn show(&self, event: &Event) {
        let step = |number: &usize| self.steps.get(*number).map(String::as_str).unwrap_or_default();
        match event {
            Event::Begins(_) => {}
            Event::Done(number) => {
                let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
                *done += 1;
                self.line(&format!("{done}/{}  {}", self.steps.len(), step(number)));
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
            }
            Event::Failed(number) => self.line(&format!("failed  {}", step(number))),
            Event::Waits { step: number, since, state } => {
                self.message(&format!("{}: {state} after {} s", step(number), since.as_secs()));
            }
            Event::Again { step: number, why } => self.message(&format!("{}: again: {why}", step(number))),
        }
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| super::note(text)),
            None => super::note(text),
        }
    }

    /// What is waited for. Without a terminal the log has it.
    fn message(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(super::printer::line(text).into_owned()),
            None => tracing::info!("{text}"),
        }
    }

    /// Leaves the line as it was.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
