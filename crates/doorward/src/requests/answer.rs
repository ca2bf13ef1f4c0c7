//! Approves a request that waits, or denies it.

use std::time::Duration;

use doorward_core::audit::{ApprovedRequest, What};
use doorward_core::decision::{
    Act, Decision, Differs, Reason, Refusal, Seen, approve, authorise, is_as_seen, opens, readable_reason,
    seen,
};
use doorward_core::grant::{Ending, Grant, GrantId};

use super::open::{opened, reasons_in_words, within};
use super::{Caller, Error, Opened, Requests, TRIES, retried};
use crate::policy_file::Refreshed;
use crate::store::{self, Change};

/// How long an approval waits for the policy's files.
const READS: Duration = Duration::from_secs(1);

/// What an approver answers to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is approved.
    Approve {
        /// What the approver saw: what was changed since is not approved. None: the request as it was made.
        seen: Option<Seen>,
    },
    /// It is denied.
    Deny {
        /// Why; the person who asked reads it.
        reason: Option<String>,
    },
}

/// What an approval made.
struct Approved {
    /// The grant that is open, or still waits.
    grant: Grant,
    /// Whether that is one that was open before.
    extended: bool,
    reasons: Vec<Reason>,
}

impl Requests {
    /// Approves a request that waits, or denies it.
    pub async fn answer(&self, caller: &Caller, id: &GrantId, answer: Answer) -> Result<Opened, Error> {
        if caller.claimed_by.is_some() {
            let refusal = Refusal::OnlyClaimed { person: caller.person.clone() };
            let asked = match answer {
                Answer::Approve { .. } => format!("approve {id}"),
                Answer::Deny { .. } => format!("deny {id}"),
            };
            return Err(self.refused(self.app.store(), caller, asked, vec![refusal]).await);
        }
        let was = match answer {
            Answer::Approve { seen } => seen,
            Answer::Deny { reason } => return self.deny(caller, id, reason.as_deref()).await,
        };
        self.read_policy().await;
        let known = self.visible(&self.app.loaded(), caller, id).await?;
        self.group_seen(&self.app.loaded(), &known, &caller.person).await;
        let turn = self.people.turn((known.person().clone(), known.target().clone())).await;
        let room = self.turn_at(&self.app.loaded(), known.target(), known.transport()).await;
        let Approved { grant, extended, reasons } = retried!(self.decide_approval(caller, id, was.as_ref()))?;
        drop((turn, room));
        if grant.until().is_none() {
            return Ok(Opened::Waiting { grant, changed: false, reasons });
        }
        let sync_state = self.sync_state(&grant).await;
        Ok(Opened::Granted { closing: self.closing(&grant), grant, extended, reasons, sync_state })
    }

    /// Reads the policy's files again, so that a person who was removed a moment ago approves nothing. Files that do not answer
    /// are not waited for.
    async fn read_policy(&self) {
        let file = self.app.policy_shared();
        let read = tokio::task::spawn_blocking(move || file.refresh());
        // The reconciler, which reads them each second, finds no change any more.
        if !matches!(tokio::time::timeout(READS, read).await, Ok(Ok(Refreshed::Unchanged))) {
            self.app.nudge().wake();
        }
    }

    async fn decide_approval(
        &self,
        caller: &Caller,
        id: &GrantId,
        was: Option<&Seen>,
    ) -> Result<Approved, Error> {
        let loaded = self.app.loaded();
        let (policy, people) = (&loaded.policy, &loaded.people);
        let now = self.app.clock().now();
        let request = self.visible(&loaded, caller, id).await?;
        let refused = async |reasons| {
            let asked = format!("approve {id} of {} to {}", request.person(), request.target());
            self.refused(self.app.store(), caller, asked, reasons).await
        };
        if let Err(refusal) = authorise(policy, people, &caller.person, Act::Answer(&request)) {
            return Err(match refusal {
                // Somebody else answered first, or it ended by itself: nothing was refused to this person.
                Refusal::NotWaiting { .. } => Error::Refused(vec![refusal]),
                refusal => refused(vec![refusal]).await,
            });
        }
        if let (Err(differs), Some(seen)) = (is_as_seen(policy, &request, was), seen(policy, &request)) {
            let opens = opens(policy, &request).unwrap_or_default();
            let grant = Box::new(request);
            return Err(match differs {
                Differs::Request => Error::Changed(grant, seen),
                Differs::Policy => Error::OpensOther { grant, opens, seen },
            });
        }
        let unfinished = self.unfinished().await?;
        let (after, reasons) = match approve(policy, people, &request, &caller.person, &unfinished, now) {
            Decision::Granted { grant, reasons } => (grant, reasons),
            Decision::NeedsApproval { grant, reasons } => {
                return Ok(Approved { grant, extended: false, reasons });
            }
            Decision::Refused { reasons } => return Err(refused(reasons).await),
        };
        if let Err(refusal) = self.room(&loaded, &unfinished, &after, now) {
            return Err(refused(vec![refusal]).await);
        }
        let until = after.until().unwrap_or(now);
        let held = unfinished.into_iter().find(|held| held.id() == after.id() && held.id() != request.id());
        let extended = held.is_some();
        let (changes, events) = match held {
            Some(held) => {
                let approved = ApprovedRequest {
                    request: request.id().clone(),
                    person: request.person().clone(),
                    because: reasons_in_words(&reasons),
                };
                let (grant, reason) = (after.id().clone(), request.reason().map(str::to_owned));
                let longer = What::Extended { grant: grant.clone(), until, reason, approved: Some(approved) };
                let how = Ending::Extended { grant };
                let over = What::Ended { grant: request.id().clone(), how: how.clone() };
                let ended = request.end(how, now);
                let changes = vec![
                    Change { before: Some(held), after: after.clone() },
                    Change { before: Some(request), after: ended },
                ];
                (changes, vec![longer, over])
            }
            None => {
                let mut what = opened(&after, until, &reasons);
                if let What::Opened { person, .. } = &mut what {
                    *person = Some(after.person().clone());
                }
                (vec![Change { before: Some(request), after: after.clone() }], vec![what])
            }
        };
        let events = events.into_iter().map(|what| self.event(caller, what)).collect();
        self.app.store().commit_within(&changes, events, &within(policy, now)).await?;
        Ok(Approved { grant: after, extended, reasons })
    }

    /// Denies a request. It waits for nobody's turn.
    async fn deny(&self, caller: &Caller, id: &GrantId, reason: Option<&str>) -> Result<Opened, Error> {
        let reason = readable_reason(reason).map_err(|refusal| Error::Refused(vec![refusal]))?;
        let before = self.to_be_ended(id).await?;
        let loaded = self.app.loaded();
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::See(&before))
            .map_err(|_| Error::NoSuchGrant(id.clone()))?;
        if let Err(refusal) = authorise(&loaded.policy, &loaded.people, &caller.person, Act::Answer(&before))
        {
            let refusal = match refusal {
                Refusal::NotWaiting { .. } => return Err(Error::Refused(vec![refusal])),
                Refusal::OwnRequest => Refusal::OwnDenial { grant: id.clone() },
                refusal => refusal,
            };
            let asked = format!("deny {id} of {} to {}", before.person(), before.target());
            return Err(self.refused(self.app.reserved(), caller, asked, vec![refusal]).await);
        }
        let (by, reason) = (caller.person.clone(), reason.map(str::to_owned));
        let how = Ending::Rejected { by, reason };
        let grant = self.decide_end(caller, &before, how).await?;
        Ok(Opened::Waiting { grant, changed: false, reasons: Vec::new() })
    }
}
