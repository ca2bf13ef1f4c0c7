//! Opens a target, extends an open grant, and changes a waiting request.

use doorward_core::audit::What;
use doorward_core::decision::{
    Decision, Past, Reason, Request, decide, extends, readable_reason, window, within_limits,
};
use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::policy::{Policy, TargetName, Transport};
use jiff::Timestamp;

use super::{Ask, Caller, Error, Opened, Requests, TRIES, retried};
use crate::clock::random;
use crate::store::{self, Change};

enum Decided {
    Granted { grant: Grant, extended: bool, reasons: Vec<Reason> },
    Waiting { grant: Grant, changed: bool, reasons: Vec<Reason> },
}

impl Requests {
    /// Opens a target, or extends what the person holds.
    pub async fn open(&self, caller: &Caller, ask: Ask) -> Result<Opened, Error> {
        let decided = {
            // A group that was not seen yet is waited for before anybody's turn, and never during one.
            if let Some(transport) = transport_of(&self.app.loaded().policy, &ask) {
                self.group_of_target_seen(&self.app.loaded(), &ask.target, transport, &caller.person).await;
            }
            let _turn = self.people.turn((caller.person.clone(), ask.target.clone())).await;
            let transport = ask.transport.unwrap_or(Transport::Direct);
            let _room = self.turn_at(&self.app.loaded(), &ask.target, transport).await;
            retried!(self.decide_open(caller, &ask))?
        };
        match decided {
            Decided::Waiting { grant, changed, reasons } => Ok(Opened::Waiting { grant, changed, reasons }),
            Decided::Granted { grant, extended, reasons } => {
                let sync_state = self.sync_state(&grant).await;
                Ok(Opened::Granted { closing: self.closing(&grant), grant, extended, reasons, sync_state })
            }
        }
    }

    async fn decide_open(&self, caller: &Caller, ask: &Ask) -> Result<Decided, Error> {
        let loaded = self.app.loaded();
        let (policy, people) = (&loaded.policy, &loaded.people);
        let now = self.app.clock().now();
        let request = Request {
            id: GrantId::from_random(random().map_err(Error::Random)?),
            person: caller.person.clone(),
            from: ask.address,
            target: ask.target.clone(),
            transport: ask.transport,
            lasts: ask.lasts,
            reason: ask.reason.clone(),
        };
        let unfinished = self.unfinished().await?;
        let ended = self.ended_lately(policy, caller, &ask.target, now).await?;
        let allowed = within(policy, now);
        let past = Past { unfinished: &unfinished, ended: &ended };
        let (grant, reasons) = match decide(policy, people, &request, &past, now) {
            Decision::Refused { reasons } => return Err(self.refuse(caller, ask, reasons).await),
            Decision::NeedsApproval { grant, reasons } => {
                let before = unfinished.iter().find(|before| before.id() == grant.id());
                let changed = before.is_some_and(|before| *before != grant);
                // Asked for again as it waits, there is nothing to write.
                if before.is_none() || changed {
                    let event = self.event(caller, asked(&grant));
                    let change = Change { before: before.cloned(), after: grant.clone() };
                    self.app.store().commit_within(&[change], vec![event], &allowed).await?;
                }
                return Ok(Decided::Waiting { grant, changed, reasons });
            }
            Decision::Granted { grant, reasons } => (grant, reasons),
        };
        let held = unfinished.iter().find(|held| held.id() == grant.id());
        let extended = held.is_some();
        // Asked for less than is left, it stays as it is, and there is nothing to write.
        if held == Some(&grant) {
            return Ok(Decided::Granted { grant, extended, reasons });
        }
        if let Err(refusal) = self.room(&loaded, &unfinished, &grant, now) {
            return Err(self.refuse(caller, ask, vec![refusal]).await);
        }
        let until = grant.until().unwrap_or(now);
        let reason = readable_reason(ask.reason.as_deref()).ok().flatten().map(str::to_owned);
        let what = if extended {
            What::Extended { grant: grant.id().clone(), until, reason, approved: None }
        } else {
            opened(&grant, until, &reasons)
        };
        let change = Change { before: held.cloned(), after: grant.clone() };
        self.app.store().commit_within(&[change], vec![self.event(caller, what)], &allowed).await?;
        Ok(Decided::Granted { grant, extended, reasons })
    }

    /// A person's grants that ended so lately that they count when an approval is asked for.
    async fn ended_lately(
        &self,
        policy: &Policy,
        caller: &Caller,
        target: &TargetName,
        now: Timestamp,
    ) -> Result<Vec<Grant>, Error> {
        let Some(target) = policy.targets.get(target).filter(|target| target.approval.is_some()) else {
            return Ok(Vec::new());
        };
        let since = now.checked_sub(window(target)).unwrap_or(Timestamp::MIN);
        Ok(self.app.store().ended_since(&caller.person, since, now).await?)
    }
}

/// The transport of a request, if that is clear before it is decided.
fn transport_of(policy: &Policy, ask: &Ask) -> Option<Transport> {
    let target = policy.targets.get(&ask.target)?;
    ask.transport.or_else(|| target.transports.first().copied())
}

/// Whether a grant keeps to the policy's limits in addition to others, at the moment of writing.
pub(super) fn within(policy: &Policy, now: Timestamp) -> impl Fn(&Grant, &[Grant]) -> bool + Sync {
    move |grant, others| {
        let target = policy.targets.get(grant.target());
        let keeps = |target| within_limits(policy, target, grant.person(), (others, None), now).is_ok();
        // What extends a grant is none more.
        extends(grant, others, now).is_some() || target.is_some_and(keeps)
    }
}

/// What the audit log says of a grant that is opened.
pub(super) fn opened(grant: &Grant, until: Timestamp, reasons: &[Reason]) -> What {
    What::Opened {
        grant: grant.id().clone(),
        target: grant.target().clone(),
        transport: grant.transport(),
        source: grant.source(),
        until,
        reason: grant.reason().map(str::to_owned),
        because: reasons_in_words(reasons),
        person: None,
    }
}

pub(super) fn reasons_in_words(reasons: &[Reason]) -> String {
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

/// What the audit log says of a request that waits: that it was made, or that it was changed.
fn asked(grant: &Grant) -> What {
    let (id, target) = (grant.id().clone(), grant.target().clone());
    let (seconds, revision) = match grant.life() {
        Life::Waiting { seconds, revision, .. } => (*seconds, *revision),
        Life::Open { .. } | Life::Ended { .. } => (0, 0),
    };
    let reason = grant.reason().map(str::to_owned);
    if revision == 0 {
        return What::Asked { grant: id, target, seconds, reason };
    }
    What::RequestChanged { grant: id, target, source: grant.source(), seconds, reason, revision }
}
