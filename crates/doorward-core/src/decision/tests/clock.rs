//! An approval under a clock that is set back: what was held counts by the time that passed.

use super::*;

impl Day {
    /// Sets the clock back.
    fn set_back(&mut self, minutes: i64) {
        self.now -= minutes.minutes();
    }

    /// Ends a grant when its time is up by the clock that cannot be set back.
    fn outlives(&mut self, id: &GrantId) {
        let now = self.now;
        let grant = self.grants.iter_mut().find(|grant| grant.id() == id).expect("a grant");
        *grant = grant.end(Ending::TimeUp, now);
    }

    /// Whether the person has the target open now without an approval.
    fn is_open_unapproved(&self) -> bool {
        let mut live = self.grants.iter().filter(|grant| grant.live(self.now).is_some());
        live.any(|grant| grant.approved_by().is_none())
    }
}

fn asks(minutes: i64) -> Request {
    Request { lasts: Some(SignedDuration::from_mins(minutes)), ..request("jon", "orders-db") }
}

#[test]
fn hours_that_the_clock_shows_twice_count_twice() {
    let mut day = Day::new();
    let mut opened = Vec::new();
    // The same hour four times: by its times each grant is at once with all others.
    for _ in 0..4 {
        let grant = granted(day.ask(asks(60)));
        day.wait(60);
        opened.push(grant.behind());
        day.set_back(60);
    }
    assert_eq!(opened, [0, 3600, 7200, 10_800]);
    day.waits(asks(1));
    // Neither when the clock comes to these times again, nor after them.
    for _ in 0..3 {
        day.wait(60);
        day.waits(asks(1));
    }
    // A day after the first began, an hour is given back.
    day.wait(17 * 60);
    day.waits(asks(1));
    day.wait(120);
    granted(day.ask(asks(30)));
}

#[test]
fn what_lies_ahead_of_a_clock_that_was_set_back_was_held() {
    let mut day = Day::new();
    day.opens(4);
    day.wait(240);
    for minutes in [60, 180, 600] {
        day.set_back(minutes);
        day.waits(asks(1));
    }
}

#[test]
fn a_clock_that_is_set_back_while_a_grant_is_open_shortens_nothing_that_was_held() {
    let mut day = Day::new();
    let grant = day.opens(4);
    day.wait(60);
    day.set_back(120);
    day.wait(180);
    assert!(day.grants.iter().all(|grant| grant.live(day.now).is_some()), "by the clock it has an hour left");
    day.outlives(grant.id());
    let (_, why) = day.waits(asks(1));
    assert!(why.contains("you have had access for 4h of the last 1d without approval"), "{why}");
    day.wait(23 * 60);
    day.waits(asks(70));
}

#[test]
fn a_grant_keeps_how_far_the_clock_was_behind_while_it_is_extended_moved_and_ended() {
    let mut day = Day::new();
    granted(day.ask(asks(60)));
    day.wait(60);
    day.set_back(30);
    let opened = granted(day.ask(asks(60)));
    assert_eq!(opened.behind(), 1800);
    let text = serde_json::to_string(&opened).expect("JSON");
    assert_eq!(serde_json::from_str::<Grant>(&text).expect("a grant"), opened);
    let extended = granted(day.ask(asks(90)));
    assert_eq!((extended.id(), extended.behind()), (opened.id(), 1800));
    let (by, fresh) = (person("jon"), GrantId::from_random([9; 8]));
    let to = [203, 0, 113, 99].into();
    let moved = relocate(&day.policy, &day.people, &extended, (&by, fresh, to), &day.grants, day.now);
    let Relocation::Moved { before, after: There::New(after) } = moved else { panic!("{moved:?}") };
    assert_eq!((before[0].behind(), after.behind()), (1800, 1800));
}

proptest! {
    /// No sequence of opening, revoking, extending and waiting gets a person more than the policy allows without approval in
    /// 24 hours that really passed, however often the clock is set back between two grants.
    #[test]
    fn no_slices_get_round_an_approval_by_a_clock_that_is_set_back(
        acts in prop::collection::vec((0u8..5, 0i64..200, 1i64..200, 0u8..3, 0usize..3, 0i64..400), 1..30),
    ) {
        let mut day = Day::new();
        day.policy.limits.per_person_and_target = 1000;
        day.policy.limits.per_person = 1000;
        // Minute by minute: an independent count, of the time that passed.
        let mut held: Vec<bool> = Vec::new();
        let mut pass = |day: &mut Day, minutes: i64| {
            for _ in 0..minutes {
                held.push(day.is_open_unapproved());
                day.wait(1);
            }
        };
        for (act, wait, minutes, address, which, back) in acts {
            pass(&mut day, wait);
            let open: Vec<Grant> = day.grants.iter().filter(|grant| grant.live(day.now).is_some()).cloned().collect();
            match (act, open.get(which)) {
                (0 | 1, Some(grant)) => day.close(grant.id()),
                (0 | 1, None) if open.is_empty() => day.set_back(back),
                _ => {
                    let request = Request { from: [203, 0, 113, address].into(), ..asks(minutes) };
                    let waits = match day.ask(request) {
                        Decision::NeedsApproval { grant, .. } => Some(grant),
                        _ => None,
                    };
                    if let Some(grant) = waits.filter(|_| act == 2) {
                        day.approves(&grant);
                    }
                }
            }
        }
        pass(&mut day, 480);
        for window in held.windows((24 * 60).min(held.len())) {
            let minutes = window.iter().filter(|held| **held).count();
            prop_assert!(minutes <= 4 * 60, "{minutes} minutes without approval");
        }
    }
}
