//! What somebody at a terminal sees while it is held: one live line for each target, and news above them.

use std::sync::Arc;
use std::time::Instant;

use doorward_tunnel::forward::Counts;
use doorward_tunnel::news::{News, Tell};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::super::printer;
use super::held::Held;

/// News that wait to be shown; what does not fit is left out, and counted nowhere else.
const WAITING: usize = 256;

/// Takes what happens to each target.
#[derive(Debug, Clone)]
pub struct Teller(mpsc::Sender<(usize, News)>);

/// What happened, by the number of the target.
pub type TransportEvents = mpsc::Receiver<(usize, News)>;

pub fn channel() -> (Teller, TransportEvents) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Teller(sender), receiver)
}

impl Teller {
    pub fn of(&self, number: usize) -> Tell {
        let sender = self.0.clone();
        Arc::new(move |news| {
            // Forwarding packets does not wait for a terminal.
            let _ = sender.try_send((number, news));
        })
    }
}

/// Live lines on a terminal; elsewhere only what happens is written.
pub struct Show {
    lines: Option<(MultiProgress, Vec<(ProgressBar, Rate)>)>,
}

/// How much had been transferred at the last update.
#[derive(Debug, Clone, Copy)]
struct Rate {
    at: Instant,
    up: u64,
    down: u64,
}

impl Show {
    /// For so many targets. `quiet` leaves the terminal to somebody else.
    pub fn new(targets: usize, quiet: bool) -> Self {
        if quiet || !printer::is_watched() {
            return Self { lines: None };
        }
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{spinner} {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        let lines = (0..targets).map(|_| {
            let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
            (bar, Rate { at: Instant::now(), up: 0, down: 0 })
        });
        let lines = lines.collect();
        Self { lines: Some((all, lines)) }
    }

    /// Shows how a target is by now.
    pub async fn refresh(&mut self, number: usize, held: &Held) {
        let Some((_, lines)) = &mut self.lines else { return };
        let Some((bar, rate)) = lines.get_mut(number) else { return };
        let counts = held.counts().await;
        let line = line(held, counts, *rate);
        *rate = Rate { at: Instant::now(), up: counts.up, down: counts.down };
        bar.set_message(printer::line(&line).into_owned());
        bar.tick();
    }

    /// Writes a line above the live ones.
    pub fn say(&self, text: &str) {
        match &self.lines {
            Some((all, _)) => {
                // A terminal that is gone reads nothing.
                let _ = all.println(printer::line(text));
            }
            None => super::super::note(text),
        }
    }

    /// Takes the line of a target away.
    pub fn forget(&self, number: usize) {
        if let Some((bar, _)) = self.lines.as_ref().and_then(|(_, lines)| lines.get(number)) {
            bar.finish_and_clear();
        }
    }

    /// Leaves the terminal as it was.
    pub fn clear(&self) {
        if let Some((_, lines)) = &self.lines {
            lines.iter().for_each(|(bar, _)| bar.finish_and_clear());
        }
    }
}

fn line(held: &Held, counts: Counts, before: Rate) -> String {
    let elapsed = before.at.elapsed().as_secs_f64().max(0.001);
    let rate = |now: u64, then: u64| {
        // A rate that is shown need not be exact.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "shown"
        )]
        let rate = (now.saturating_sub(then) as f64 / elapsed) as u64;
        bytes(rate)
    };
    let left = super::super::left(held.access.until, Timestamp::now());
    let again = match held.reconnects {
        0 => String::new(),
        1 => ", reconnected once".into(),
        times => format!(", reconnected {times} times"),
    };
    format!(
        "{}  {} by {}{again}  up {}/s  down {}/s  {left} left",
        held.access.target,
        super::super::count(usize::try_from(counts.open).unwrap_or(usize::MAX), "connection", "connections"),
        held.access.transport,
        rate(counts.up, before.up),
        rate(counts.down, before.down),
    )
}

/// Bytes as people read them: `0 B`, `1.5 kB`, `23 MB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while size >= 999.5
        && let Some(next) = units.next()
    {
        (size, unit) = (size / 1000.0, next);
    }
    if size < 10.0 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_at_a_glance() {
        fn check(count: u64, expected: &str) {
            assert_eq!(bytes(count), expected);
        }
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(1_549, "1.5 kB");
        check(23_456_789, "23 MB");
        check(999_600, "1.0 MB");
        check(u64::MAX, "18447 PB");
    }
}
