//! How long an agent may be silent, and what is done before it is believed dead.

use std::time::{Duration, Instant};

use super::{Carries, Channel, Draft, Ending, Phase, Probe};

impl Channel {
    /// An agent says nothing to a message that it had before, and the acknowledgement may be what was lost. It does
    /// acknowledge a new one, if it lives.
    fn nudge(&mut self, now: Instant) {
        if let Some(probe) = &mut self.probe {
            probe.sent = Some(now);
            let Probe { payload_type, payload, .. } = probe.clone();
            self.push(payload_type, Draft::of(&payload), now);
        }
    }

    fn nudge_due(&self) -> Option<Instant> {
        let probe = self.probe.as_ref()?;
        let is_possible = !self.connection.is_paused() && self.outgoing.is_sent();
        // Behind a trial nothing is sent, for it may have to be cut.
        let is_wanted = is_possible && self.takes();
        let from = self.suspicious_from().filter(|_| is_wanted)?;
        Some(probe.sent.map_or(from, |sent| from.max(sent + self.limits.patience / 4)))
    }

    /// Since when the agent owes an answer and nothing came from it, on this connection, while we read.
    fn silent_since(&self) -> Option<Instant> {
        self.silence.since(self.connection.since()?)
    }

    /// The agent takes what is for its smux before it connects to anything.
    fn is_smux(&self) -> bool {
        let request = self.request.as_ref().filter(|_| self.is_ready());
        request.is_some_and(|request| request.agent.carries == Carries::Smux)
    }

    fn patience(&self) -> Duration {
        if self.connection.is_paused() {
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
        let is_patient = !self.connection.is_paused() && self.patience() > self.limits.patience;
        let is_silent = self.silent_since().is_some() && now >= self.doubt_due(now);
        is_silent && is_patient && self.ending().is_none()
    }

    /// Somebody else says that the agent is gone.
    pub fn agent_is_gone(&mut self, now: Instant) {
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
        let resend = self.outgoing.due().filter(|_| self.connection.may_send());
        [handshake, silence, resend, self.farewell_until(), self.nudge_due()].into_iter().flatten().min()
    }

    /// Counted from the first connection: who never got one has another reason.
    fn handshake_until(&self) -> Option<Instant> {
        Some(self.connection.first().filter(|_| self.phase == Phase::Opening)? + self.limits.handshake)
    }

    fn farewell_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Leaving(farewell) => Some(farewell.until),
            Phase::Opening | Phase::Ready | Phase::Ended(_) => None,
        }
    }

    /// Looks whether something was waited for long enough.
    pub fn tick(&mut self, now: Instant) {
        if self.handshake_until().is_some_and(|until| now >= until) {
            return self.end(Ending::NoHandshake { seconds: self.limits.handshake.as_secs() });
        }
        if self.farewell_until().is_some_and(|until| now >= until) {
            return self.end(Ending::Finished);
        }
        if self.nudge_due().is_some_and(|due| now >= due) {
            self.nudge(now);
        }
        let patience = self.patience();
        if self.silent_since().is_some_and(|since| now >= since + patience) {
            let seconds = patience.as_secs();
            self.end(if self.connection.is_paused() {
                Ending::Away { seconds }
            } else {
                Ending::Unanswered { seconds, bytes: self.outgoing.bytes() }
            });
        }
    }
}
