//! How long an agent may be silent, and what is done before it is believed dead.

use std::time::{Duration, Instant};

use super::{Carries, Channel, Draft, Ending, Phase};

impl Channel {
    /// An agent says nothing to a message that it had before, and the acknowledgement may be what was lost. It does
    /// acknowledge a new one, if it lives.
    fn nudge(&mut self, now: Instant) {
        if let Some((payload_type, payload)) = self.nothing.clone() {
            self.nudged = Some(now);
            self.push(payload_type, Draft::of(&payload), now);
        }
    }

    fn nudge_due(&self) -> Option<Instant> {
        let is_possible = self.nothing.is_some() && self.paused.is_none() && self.outgoing.is_sent();
        // Behind a trial nothing is sent, for it may have to be cut.
        let is_wanted = is_possible && self.takes();
        let from = self.suspicious_from().filter(|_| is_wanted)?;
        Some(self.nudged.map_or(from, |nudged| from.max(nudged + self.limits.patience / 4)))
    }

    /// Since when the agent owes an answer and nothing came from it, on this connection, while we read.
    fn silent_since(&self) -> Option<Instant> {
        let connected = self.connected?;
        let owed = self.owed.filter(|_| !self.unread)?;
        Some([self.heard, self.reading].into_iter().flatten().fold(connected.max(owed), Instant::max))
    }

    /// The agent takes what is for its smux before it connects to anything.
    fn is_smux(&self) -> bool {
        let request = self.request.as_ref().filter(|_| self.is_ready());
        request.is_some_and(|request| request.agent.carries == Carries::Smux)
    }

    fn patience(&self) -> Duration {
        if self.paused.is_some() {
            self.limits.patience
        } else if !self.outgoing.opened && !self.is_smux() {
            self.limits.opening
        } else if self.unanswered >= self.limits.buffered_there {
            self.limits.stalled
        } else {
            self.limits.patience
        }
    }

    /// From when on it is time to ask the gateway for a sign of life, if nothing comes from the agent, which owes an
    /// answer.
    pub fn suspicious_from(&self) -> Option<Instant> {
        Some(self.silent_since()? + self.limits.patience / 4)
    }

    /// That time has come.
    pub fn is_suspicious(&self, now: Instant) -> bool {
        self.suspicious_from().is_some_and(|from| now >= from)
    }

    /// When it may be time to ask somebody else whether the agent is there, at the earliest.
    pub fn doubt_due(&self, now: Instant) -> Instant {
        self.silent_since().unwrap_or(now) + self.limits.patience
    }

    /// That time has come: it may be the far side that is slow, for which there is more patience.
    pub fn is_doubtful(&self, now: Instant) -> bool {
        let is_patient = self.paused.is_none() && self.patience() > self.limits.patience;
        let is_silent = self.silent_since().is_some() && now >= self.doubt_due(now);
        is_silent && is_patient && self.ending().is_none()
    }

    /// Somebody else says that the agent is gone.
    pub fn is_gone(&mut self, now: Instant) {
        let since = self.silent_since().unwrap_or(now);
        let seconds = now.saturating_duration_since(since).as_secs();
        self.end(Ending::Unanswered { seconds, bytes: self.outgoing.bytes() });
    }

    /// When [`Channel::tick`] has something to do, or [`Channel::poll_transmit`] something to send.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.ending().is_some() {
            return None;
        }
        let handshake = self.handshake_until();
        let silence = self.silent_since().map(|since| since + self.patience());
        let resend = self.outgoing.due().filter(|_| self.connected.is_some() && self.paused.is_none());
        let last = self.last.map(|(_, until)| until);
        [handshake, silence, resend, last, self.nudge_due()].into_iter().flatten().min()
    }

    /// Counted from the first connection: who never got one has another reason.
    fn handshake_until(&self) -> Option<Instant> {
        Some(self.began.filter(|_| self.phase == Phase::Opening)? + self.limits.handshake)
    }

    /// Looks whether something was waited for long enough.
    pub fn tick(&mut self, now: Instant) {
        if self.handshake_until().is_some_and(|until| now >= until) {
            return self.end(Ending::NoHandshake { seconds: self.limits.handshake.as_secs() });
        }
        if self.last.is_some_and(|(_, until)| now >= until) {
            return self.end(Ending::Finished);
        }
        if self.nudge_due().is_some_and(|due| now >= due) {
            self.nudge(now);
        }
        let patience = self.patience();
        if self.silent_since().is_some_and(|since| now >= since + patience) {
            let seconds = patience.as_secs();
            self.end(match self.paused {
                Some(_) => Ending::Away { seconds },
                None => Ending::Unanswered { seconds, bytes: self.outgoing.bytes() },
            });
        }
    }
}
