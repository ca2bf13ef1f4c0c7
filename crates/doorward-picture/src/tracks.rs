//! Lanes: where in a corridor each trunk runs, so that trunks cross little and never lie on each other.

use std::collections::BTreeMap;

use crate::route::Corridor;

/// What one trunk does in one corridor.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where it begins and ends along the corridor, in pixels.
    pub from: i32,
    /// See `from`.
    pub to: i32,
    /// Where it is joined, and whether from the far side: from below, or from the right.
    pub joints: Vec<(i32, bool)>,
}

impl Run {
    /// Takes in another piece of the same trunk.
    pub fn extend(&mut self, from: i32, to: i32) {
        self.from = self.from.min(from).min(to);
        self.to = self.to.max(from).max(to);
    }

    /// How often it crosses `other` if it runs on the near side of it.
    fn crossings(&self, other: &Self) -> usize {
        let out = self.joints.iter().filter(|(at, far)| *far && other.from < *at && *at < other.to).count();
        let back = other.joints.iter().filter(|(at, far)| !far && self.from < *at && *at < self.to).count();
        out + back
    }

    fn meets(&self, other: &Self, room: i32) -> bool {
        self.from <= other.to + room && other.from <= self.to + room
    }
}

/// What runs in every corridor, by trunk.
pub type Runs = BTreeMap<Corridor, BTreeMap<usize, Run>>;

/// The lane of every trunk, and how many there are.
#[derive(Debug, Clone, Default)]
pub struct Lanes {
    /// By corridor and trunk, from the top or the left.
    pub lane: BTreeMap<(Corridor, usize), usize>,
    /// By corridor.
    pub count: BTreeMap<Corridor, usize>,
}

impl Lanes {
    /// Gives every trunk a lane; two that meet along the corridor, or are nearer than `room` pixels, get different ones.
    pub fn of(runs: &Runs, room: impl Fn(Corridor) -> i32) -> Self {
        let mut lanes = Self::default();
        for (corridor, runs) in runs {
            let runs: Vec<(usize, &Run)> = sorted(runs.iter().map(|(trunk, run)| (*trunk, run)).collect());
            let mut placed: Vec<(&Run, usize)> = Vec::new();
            for (trunk, run) in runs {
                let before = placed.iter().filter(|(other, _)| other.meets(run, room(*corridor)));
                let lane = before.map(|(_, lane)| lane + 1).max().unwrap_or(0);
                placed.push((run, lane));
                lanes.lane.insert((*corridor, trunk), lane);
                let count = lanes.count.entry(*corridor).or_default();
                *count = (*count).max(lane + 1);
            }
        }
        lanes
    }
}

/// In the order across the corridor: what is joined from the near side first, then exchanged while that spares crossings.
fn sorted(mut runs: Vec<(usize, &Run)>) -> Vec<(usize, &Run)> {
    let near = |run: &Run| {
        let far = run.joints.iter().filter(|(_, far)| *far).count();
        far * 100 / run.joints.len().max(1)
    };
    runs.sort_by_key(|(trunk, run)| (near(run), run.from, *trunk));
    // Each exchange spares at least one crossing, so this ends; the bound is for very many lines only.
    for _ in 0..runs.len().min(60) {
        let mut better = false;
        for place in 1..runs.len() {
            let Some([(_, a), (_, b)]) = runs.get(place - 1..=place) else { continue };
            if b.crossings(a) < a.crossings(b) {
                runs.swap(place - 1, place);
                better = true;
            }
        }
        if !better {
            break;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(from: i32, from_far: bool, to: i32, to_far: bool) -> Run {
        Run { from: from.min(to), to: from.max(to), joints: vec![(from, from_far), (to, to_far)] }
    }

    fn lanes(runs: Vec<Run>) -> Vec<usize> {
        let corridor = Corridor::RowGap(0);
        let runs: BTreeMap<usize, Run> = runs.into_iter().enumerate().collect();
        let lanes = Lanes::of(&BTreeMap::from([(corridor, runs.clone())]), |_| 0);
        runs.keys().map(|trunk| lanes.lane[&(corridor, *trunk)]).collect()
    }

    #[test]
    fn what_does_not_meet_shares_a_lane() {
        assert_eq!(lanes(vec![run(0, false, 10, false), run(20, false, 30, false)]), [0, 0]);
    }

    #[test]
    fn what_comes_from_below_runs_below() {
        assert_eq!(lanes(vec![run(0, true, 30, true), run(10, false, 20, false)]), [1, 0]);
    }

    #[test]
    fn stairs_do_not_cross() {
        // Both from above to below and to the right: the left one has to be below.
        assert_eq!(lanes(vec![run(0, false, 20, true), run(10, false, 30, true)]), [1, 0]);
        assert_eq!(lanes(vec![run(20, false, 0, true), run(30, false, 10, true)]), [0, 1]);
    }
}
