//! The order of a run: a step begins when all that it needs is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward_core::plan::network::NetworkStep;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{Id, JoinSet};

use super::run::{Reporter, Run};
use super::{Applied, Event, NotDone};

/// The steps that are on their way, and what became of the others.
struct Schedule<'a> {
    run: Arc<Run>,
    steps: Arc<[NetworkStep]>,
    /// For each step the number of steps that it still needs, and the steps that need it.
    open: Vec<usize>,
    needed_by: Vec<Vec<usize>>,
    tasks: JoinSet<(usize, Result<(), NotDone>)>,
    numbers: BTreeMap<Id, usize>,
    events: UnboundedSender<Event>,
    tell: &'a (dyn Fn(Event) + Send + Sync),
    done: Vec<usize>,
    failed: Vec<(usize, NotDone)>,
}

/// Performs steps; `needs` has for each one the numbers of those that come before it.
pub(super) async fn perform(
    run: Arc<Run>,
    steps: Vec<NetworkStep>,
    needs: &[BTreeSet<usize>],
    tell: &(dyn Fn(Event) + Send + Sync),
) -> Applied {
    let mut needed_by = vec![Vec::new(); steps.len()];
    for (number, of_step) in needs.iter().enumerate() {
        for need in of_step {
            if let Some(needed_by) = needed_by.get_mut(*need) {
                needed_by.push(number);
            }
        }
    }
    let (events, mut news) = unbounded_channel();
    let mut schedule = Schedule {
        run,
        steps: steps.into(),
        open: needs.iter().map(BTreeSet::len).collect(),
        needed_by,
        tasks: JoinSet::new(),
        numbers: BTreeMap::new(),
        events,
        tell,
        done: Vec::new(),
        failed: Vec::new(),
    };
    let first: Vec<usize> =
        (0..).zip(&schedule.open).filter(|(_, open)| **open == 0).map(|(it, _)| it).collect();
    first.into_iter().for_each(|step| schedule.begin(step));
    while !schedule.tasks.is_empty() {
        tokio::select! {
            biased;
            Some(event) = news.recv() => tell(event),
            Some(ended) = schedule.tasks.join_next_with_id() => {
                let (step, result) = match ended {
                    Ok((_, ended)) => ended,
                    // Every task was named when it was spawned.
                    Err(error) => match schedule.numbers.get(&error.id()) {
                        Some(step) => (*step, Err(NotDone::Broken)),
                        None => continue,
                    },
                };
                schedule.end(step, result);
            }
        }
    }
    while let Ok(event) = news.try_recv() {
        tell(event);
    }
    schedule.finish()
}

impl Schedule<'_> {
    fn begin(&mut self, number: usize) {
        let (run, steps) = (Arc::clone(&self.run), Arc::clone(&self.steps));
        let reporter = Reporter { step: number, events: self.events.clone() };
        let task = self.tasks.spawn(async move {
            let Some(step) = steps.get(number) else { return (number, Err(NotDone::Broken)) };
            (number, run.step(step, &reporter).await)
        });
        self.numbers.insert(task.id(), number);
    }

    fn end(&mut self, step: usize, result: Result<(), NotDone>) {
        match result {
            Ok(()) => {
                (self.tell)(Event::Done(step));
                self.done.push(step);
                let next = self.needed_by.get_mut(step).map(std::mem::take).unwrap_or_default();
                for next in next {
                    let Some(open) = self.open.get_mut(next) else { continue };
                    *open -= 1;
                    if *open == 0 && !self.run.stop.is_stopped() {
                        self.begin(next);
                    }
                }
            }
            Err(NotDone::Stopped) => {}
            Err(why) => {
                self.run.stop.stop();
                (self.tell)(Event::Failed(step));
                self.failed.push((step, why));
            }
        }
    }

    fn finish(self) -> Applied {
        let ended: BTreeSet<usize> =
            self.done.iter().copied().chain(self.failed.iter().map(|(step, _)| *step)).collect();
        let left = (0..self.steps.len()).filter(|step| !ended.contains(step)).collect();
        Applied { steps: self.steps.to_vec(), done: self.done, failed: self.failed, left }
    }
}
