//! What goes wrong between client and agent, drawn from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::draw::Draw;

/// What goes wrong. Everything off by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Fixes what is drawn, together with the number of the connection.
    pub seed: u64,
    /// What happens to binary frames on the way to the agent.
    pub to_agent: Road,
    /// What happens to binary frames on the way to the client.
    pub to_client: Road,
    /// Close with `1000 Bye` after a time of this range, each connection again.
    pub bye: Option<Range<Duration>>,
    /// Cut the TCP connection after a time of this range, each connection again.
    pub cut: Option<Range<Duration>>,
    /// Pause the client's publication after a time of this range, again and again.
    pub pause: Option<Range<Duration>>,
    /// For how long.
    pub pause_lasts: Duration,
    /// Close the websocket with code 1009 at a payload of more bytes.
    pub payload_limit: Option<usize>,
    /// Neither read nor write, and answer no ping.
    pub silent: bool,
    /// What `ResumeSession` says.
    pub resume: Resume,
}

/// What is done to every connection of a data channel at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Closed with `1000 Bye`, as the gateway does about hourly.
    Bye,
    /// The TCP connection is cut.
    Cut,
}

/// What `ResumeSession` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// A new token.
    Token,
    /// An empty token: the session timed out.
    Empty,
}

/// What happens to frames in one direction. Each is a probability, 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Road {
    /// The frame is lost.
    pub drop: f64,
    /// The frame comes twice.
    pub duplicate: f64,
    /// The frame is late, and those behind it pass.
    pub reorder: f64,
    /// How late.
    pub late: Range<Duration>,
    /// How long every frame takes, in order.
    pub delay: Range<Duration>,
}

impl Default for Road {
    fn default() -> Self {
        Self {
            drop: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            late: Duration::from_millis(1)..Duration::from_millis(30),
            delay: Duration::ZERO..Duration::ZERO,
        }
    }
}

impl Road {
    /// A bad road: this share of frames lost, as many doubled, and as many late.
    pub fn bad(share: f64) -> Self {
        Self { drop: share, duplicate: share, reorder: share, ..Self::default() }
    }

    fn is_good(&self) -> bool {
        self.drop == 0.0 && self.duplicate == 0.0 && self.reorder == 0.0 && self.delay.end.is_zero()
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 0,
            to_agent: Road::default(),
            to_client: Road::default(),
            bye: None,
            cut: None,
            pause: None,
            pause_lasts: Duration::from_millis(500),
            payload_limit: None,
            silent: false,
            resume: Resume::Token,
        }
    }
}

/// Frames underway in one direction.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    draw: Draw,
    underway: BinaryHeap<Reverse<Underway<T>>>,
    taken: u64,
    last: Option<Instant>,
}

#[derive(Debug)]
struct Underway<T> {
    due: Instant,
    number: u64,
    frame: T,
}

impl<T> PartialEq for Underway<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}
impl<T> Eq for Underway<T> {}
impl<T> PartialOrd for Underway<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Underway<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl<T: Clone> Lane<T> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed), underway: BinaryHeap::new(), taken: 0, last: None }
    }

    /// Takes a frame on a road; it comes out of [`Lane::arrived`], or never.
    pub(crate) fn take(&mut self, frame: T, road: &Road, now: Instant) {
        if road.is_good() {
            let due = self.last.map_or(now, |last| last.max(now));
            self.set_out(frame, due);
            return;
        }
        if self.draw.chance(road.drop) {
            return;
        }
        let in_order = now + self.draw.within(&road.delay);
        let in_order = self.last.map_or(in_order, |last| last.max(in_order));
        if self.draw.chance(road.duplicate) {
            let due = in_order + self.draw.within(&road.late);
            self.set_out(frame.clone(), due);
        }
        if self.draw.chance(road.reorder) {
            let due = in_order + self.draw.within(&road.late);
            self.set_out(frame, due);
        } else {
            self.last = Some(in_order);
            self.set_out(frame, in_order);
        }
    }

    fn set_out(&mut self, frame: T, due: Instant) {
        self.underway.push(Reverse(Underway { due, number: self.taken, frame }));
        self.taken += 1;
    }

    /// The next frame that has arrived.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.underway.pop().map(|it| it.0.frame)
    }

    /// When the next frame arrives.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.underway.peek().map(|it| it.0.due)
    }

    pub(crate) fn len(&self) -> usize {
        self.underway.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn travel(seed: u64, road: &Road) -> Vec<u32> {
        let mut lane = Lane::new(seed);
        let start = Instant::now();
        let mut out = Vec::new();
        for number in 0..1000_u32 {
            let now = start + Duration::from_millis(u64::from(number));
            lane.take(number, road, now);
            while let Some(frame) = lane.arrived(now) {
                out.push(frame);
            }
        }
        while let Some(frame) = lane.arrived(start + Duration::from_secs(10)) {
            out.push(frame);
        }
        out
    }

    #[test]
    fn a_good_road_changes_nothing() {
        assert!(travel(1, &Road::default()).into_iter().eq(0..1000));
    }

    #[test]
    fn a_delay_alone_keeps_the_order() {
        let road = Road { delay: Duration::from_millis(1)..Duration::from_millis(50), ..Road::default() };
        assert!(travel(1, &road).into_iter().eq(0..1000));
    }

    #[test]
    fn a_bad_road_loses_doubles_and_mixes_the_same_for_the_same_seed() {
        let travelled = travel(1, &Road::bad(0.1));
        assert_eq!(travelled, travel(1, &Road::bad(0.1)));
        assert_ne!(travelled, travel(2, &Road::bad(0.1)));
        let mut sorted = travelled.clone();
        sorted.sort_unstable();
        assert_ne!(sorted, travelled);
        let doubled = sorted.windows(2).filter(|two| two[0] == two[1]).count();
        sorted.dedup();
        assert!(
            (50..150).contains(&doubled) && (850..950).contains(&sorted.len()),
            "{doubled} {}",
            sorted.len()
        );
    }
}
