//! Moves a grant to the person's current address: the old one is revoked in the same step.

use std::net::IpAddr;

use doorward_core::audit::What;
use doorward_core::decision::{Relocation, There, relocate};
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::net::Cidr;

use super::{Caller, Error, Opened, Requests, TRIES, retried};
use crate::clock::random;
use crate::store::{self, Change};

/// What came of moving a grant.
#[derive(Debug, Clone)]
pub struct Relocated {
    /// The grant that admits the new address; the same one where it admitted it already.
    pub opened: Opened,
    /// What it admitted before.
    pub was: Cidr,
}

impl Requests {
    /// Has a person's grant admit another address of theirs instead, with the same end and the same approval. What else of
    /// theirs admits the old address to the target ends with it.
    pub async fn relocate(&self, caller: &Caller, id: &GrantId, to: IpAddr) -> Result<Relocated, Error> {
        let known = self.visible(&self.app.loaded(), caller, id).await?;
        self.group_seen(&self.app.loaded(), &known, &caller.person).await;
        let (was, grant) = {
            let _turn = self.people.turn((known.person().clone(), known.target().clone())).await;
            let _room = self.turn_at(&self.app.loaded(), known.target(), known.transport()).await;
            retried!(self.decide_relocation(caller, id, to))?
        };
        let sync_state = self.sync_state(&grant).await;
        let (closing, reasons) = (self.closing(&grant), Vec::new());
        let opened = Opened::Granted { closing, grant, extended: false, reasons, sync_state };
        Ok(Relocated { opened, was })
    }

    async fn decide_relocation(
        &self,
        caller: &Caller,
        id: &GrantId,
        to: IpAddr,
    ) -> Result<(Cidr, Grant), Error> {
        let loaded = self.app.loaded();
        let now = self.app.clock().now();
        let grant = self.visible(&loaded, caller, id).await?;
        let unfinished = self.unfinished().await?;
        let fresh = GrantId::from_random(random().map_err(Error::Random)?);
        let who = (&caller.person, fresh, to);
        let asked = || format!("move {id} of {} to {to}", grant.person());
        let (ended, there) = match relocate(&loaded.policy, &loaded.people, &grant, who, &unfinished, now) {
            Relocation::Stays => return Ok((grant.source(), grant)),
            Relocation::Moved { before, after } => (before, after),
            Relocation::Refused { reason } => {
                return Err(self.refused(self.app.store(), caller, asked(), vec![reason]).await);
            }
        };
        let (was, longest) = (grant.source(), ended.first().unwrap_or(&grant).id().clone());
        let mut events = Vec::new();
        let mut changes = Vec::new();
        for after in ended {
            let before = unfinished.iter().find(|before| before.id() == after.id()).unwrap_or(&grant).clone();
            let how = Ending::Moved { to: there.grant().id().clone() };
            events.push(self.event(caller, What::Ended { grant: after.id().clone(), how }));
            changes.push(Change { before: Some(before), after });
        }
        if let There::New(after) = &there {
            let others = unfinished
                .iter()
                .filter(|other| changes.iter().all(|change| change.after.id() != other.id()));
            let others: Vec<Grant> = others.cloned().collect();
            if let Err(refusal) = self.room(&loaded, &others, after, now) {
                return Err(self.refused(self.app.store(), caller, asked(), vec![refusal]).await);
            }
            let moved = What::Moved {
                grant: after.id().clone(),
                before: longest,
                person: after.person().clone(),
                target: after.target().clone(),
                transport: after.transport(),
                was,
                source: after.source(),
                until: after.until().unwrap_or(now),
                approved_by: after.approved_by().cloned(),
            };
            events.push(self.event(caller, moved));
            changes.push(Change { before: None, after: after.clone() });
        }
        self.app.store().commit(&changes, events).await?;
        Ok((was, there.grant().clone()))
    }
}
