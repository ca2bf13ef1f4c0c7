//! Stored grants: one row each, written together with its entries of the audit log.

use std::collections::BTreeSet;

use doorward_core::audit::{Entry, Event, Hash, Head, Left, What, Who, append_authentic};
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::policy::Transport;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::coverage::Turn;
use super::rows::{Mistrusted, SETTLED, columns};
use super::writing::Writing;
use super::{Error, Store};

/// A grant before and after; nothing before, when it is new.
#[derive(Debug, Clone)]
pub struct Change {
    /// As it was read. Should it be otherwise by now, nothing is written.
    pub before: Option<Grant>,
    /// As it shall be.
    pub after: Grant,
}

/// Whether a grant that is new, or was or is a request, is allowed in addition to others that are open or wait.
pub type Allowed<'a> = dyn Fn(&Grant, &[Grant]) -> bool + Sync + 'a;

impl Store {
    /// Writes grants and the events that tell of them, in one transaction, or nothing at all. Each change has an event of
    /// its grant.
    ///
    /// While the audit log is not believed, only what ends a grant is written.
    pub async fn commit(&self, changes: &[Change], events: Vec<Event>) -> Result<Head, Error> {
        self.commit_within(changes, events, &|_, _| true).await
    }

    /// Likewise, as long as each grant that is new, or was or is a request, is allowed in addition to what its person
    /// holds, and others do at its target, at the moment of writing: another server of this store may have opened something
    /// since it was decided.
    pub async fn commit_within(
        &self,
        changes: &[Change],
        events: Vec<Event>,
        allowed: &Allowed<'_>,
    ) -> Result<Head, Error> {
        let mut turn = self.turn().await?;
        let done = self.write_all(&mut turn, changes, events.clone(), allowed).await;
        let head = self.appended(turn.writing.end(done).await?);
        super::event_log::log(&events, changes);
        Ok(head)
    }

    /// Records an event that changes no grant.
    pub async fn record(&self, event: Event) -> Result<(), Error> {
        self.commit(&[], vec![event]).await.map(drop)
    }

    pub(super) fn appended(&self, (head, entries): (Head, Vec<Entry>)) -> Head {
        self.trust.take(&entries);
        self.trust.note_soon();
        head
    }

    async fn write_all(
        &self,
        turn: &mut Turn,
        changes: &[Change],
        events: Vec<Event>,
        allowed: &Allowed<'_>,
    ) -> Result<(Head, Vec<Entry>), Error> {
        if let Some(why) = self.trust.broken()
            && changes.iter().any(|change| !change.after.ended())
        {
            return Err(Error::Distrusted { why });
        }
        let (mut states, mut swallowed) = (Vec::new(), Vec::new());
        for change in changes {
            let body = to_text(&change.after)?;
            let event = events.iter().rposition(|event| event.what.grant() == Some(change.after.id()));
            let event = event
                .ok_or_else(|| Error::damaged(change.after.id().as_str(), "no event records its change"))?;
            states.push((event, Hash::of(body.as_bytes())));
            // What never was open has no rules to be seen gone.
            let settled = change.after.ended() && change.after.since().is_none();
            let seal = if settled { self.settled_seal(change.after.id().as_str()) } else { String::new() };
            if begins(change) {
                self.alone(turn, &change.after, allowed).await?;
            }
            if !write(turn, change, body, seal).await? {
                let grant = change.after.id();
                tracing::error!(%grant, "the store keeps a row of an ended grant, somebody with write access interferes; the grant has ended nevertheless");
                swallowed
                    .push(format!("the grant \"{grant}\" in the store: its row does not take that it ended"));
            }
        }
        let state = |number| states.iter().find(|(event, _)| *event == number).map(|(_, state)| *state);
        let left = |number| Left { grant: state(number), rows: Vec::new() };
        let at = events.last().map(|event| event.at);
        let events = events.into_iter().enumerate().map(|(number, event)| (event, left(number)));
        let mut events: Vec<_> = events.collect();
        if let Some(at) = at.filter(|_| !swallowed.is_empty()) {
            let alarm = Event::new(at, Who::Doorward, What::LogAlarm { found: swallowed, log: false });
            events.push((alarm, Left { grant: None, rows: Vec::new() }));
        }
        self.append(&mut turn.writing, turn.head, events).await
    }

    /// That nobody gave the person the same in the meantime, through another server of this store: that would have been
    /// extended or changed, and not doubled. And that it is allowed in addition to all others that are open or wait.
    async fn alone(&self, turn: &mut Turn, grant: &Grant, allowed: &Allowed<'_>) -> Result<(), Error> {
        if grant.ended() {
            return Ok(());
        }
        let rows = sqlx::query(
            "SELECT body FROM grants WHERE (person = $1 OR target = $2) AND state IN ('open', 'waiting')",
        )
        .bind(grant.person().as_str())
        .bind(grant.target().as_str())
        .fetch_all(&mut **turn)
        .await?;
        let bodies: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        // One that is not what the audit log says admits nobody, and keeps nobody else out.
        let believed = |body: &String| {
            let other: Grant = serde_json::from_str(body).ok()?;
            let is_recorded = self.trust.at(u64::MAX, |ledger| ledger.check(other.id(), body, false).is_ok());
            is_recorded.unwrap_or(false).then_some(other)
        };
        let others = bodies.iter().filter_map(believed).filter(|other| other.id() != grant.id());
        let others: Vec<Grant> = others.collect();
        let is_free = others.iter().all(|other| !is_same(grant, other));
        if is_free && allowed(grant, &others) { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Appends events, each with what it leaves in the store.
    pub(super) async fn append(
        &self,
        connection: &mut AnyConnection,
        head: Head,
        events: Vec<(Event, Left)>,
    ) -> Result<(Head, Vec<Entry>), Error> {
        let from = head;
        let (mut head, mut entries) = (head, Vec::with_capacity(events.len()));
        let mut lines = Vec::with_capacity(events.len());
        for (event, left) in events {
            let (line, entry) = append_authentic(head, event, left, &self.trust.key)
                .map_err(|error| Error::damaged("event", error))?;
            head = entry.head;
            super::record::insert(connection, &entry, &line).await?;
            entries.push(entry);
            lines.push(line);
        }
        super::record::write_head(connection, head).await?;
        if !super::record::is_kept(connection, from, &lines, head).await? {
            self.trust.distrust(SWALLOWED);
            return Err(Error::Distrusted { why: SWALLOWED.into() });
        }
        Ok((head, entries))
    }

    /// Ends rows that are not what the audit log says, and says so in the audit log; with an alarm, or without one where an
    /// operator has accepted what was found.
    pub async fn end_mistrusted(
        &self,
        mistrusted: &[Mistrusted],
        now: Timestamp,
        alarm: bool,
    ) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = self.end_rows(&mut turn, mistrusted, now, alarm).await;
        let (head, entries) = turn.writing.end(done).await?;
        let events: Vec<Event> = entries.iter().map(|entry| entry.line.event.clone()).collect();
        self.appended((head, entries));
        self.trust.noticed.forget(mistrusted);
        super::event_log::log(&events, &[]);
        Ok(())
    }

    async fn end_rows(
        &self,
        turn: &mut Turn,
        mistrusted: &[Mistrusted],
        now: Timestamp,
        alarm: bool,
    ) -> Result<(Head, Vec<Entry>), Error> {
        let (head, connection): (Head, &mut AnyConnection) = (turn.head, &mut *turn);
        let mut events = Vec::new();
        if alarm {
            let found = mistrusted.iter().map(Mistrusted::describe).take(100).collect();
            events.push((
                Event::new(now, Who::Doorward, What::LogAlarm { found, log: false }),
                Left::default(),
            ));
        }
        for one in mistrusted {
            let how = Ending::NoLongerAllowed { why: one.why.clone() };
            let row = match &one.row {
                Some(row) => Some(row.clone()),
                // It may be there and hidden.
                None => hidden(connection, &one.id).await?,
            };
            let ended = row.filter(|row| row.id().as_str() == one.id).map(|row| row.end(how.clone(), now));
            // From where it was opened is in the entries. What they do not tell of is no history.
            let histories = self.histories(&lines_of(connection, &one.id).await?)?;
            let histories = ended.as_ref().and_then(|ended| histories.said.put_right(ended));
            let (is_repaired, ended) = (histories.is_some(), histories.or(ended));
            let mut state = None;
            match &ended {
                Some(ended) => {
                    let body = to_text(ended)?;
                    state = is_repaired.then(|| Hash::of(body.as_bytes()));
                    let (name, changed) = columns(ended);
                    // What never was opened by us has no rules to be seen gone.
                    let settled = i64::from(!one.known || ended.since().is_none());
                    let seal = if settled == 1 { self.settled_seal(&one.id) } else { String::new() };
                    sqlx::query("UPDATE grants SET state = $1, changed = $2, settled = $3, seal = $4, body = $5, person = $6, target = $7 WHERE id = $8")
                        .bind(name)
                        .bind(changed)
                        .bind(settled)
                        .bind(seal)
                        .bind(body)
                        .bind(ended.person().as_str())
                        .bind(ended.target().as_str())
                        .bind(&one.id)
                        .execute(&mut *connection)
                        .await?;
                }
                None => {
                    sqlx::query("UPDATE grants SET state = 'ended', settled = 1, seal = $1 WHERE id = $2")
                        .bind(self.settled_seal(&one.id))
                        .bind(&one.id)
                        .execute(&mut *connection)
                        .await?;
                }
            }
            if let Ok(grant) = one.id.parse::<GrantId>() {
                let ended = What::Ended { grant, how };
                events.push((Event::new(now, Who::Doorward, ended), Left { grant: state, rows: Vec::new() }));
            }
        }
        self.append(connection, head, events).await
    }

    fn settled_seal(&self, id: &str) -> String {
        self.trust.key.seal(SETTLED, &[id])
    }

    /// Notes that the rules of ended grants were seen gone.
    pub async fn settle(&self, grants: &BTreeSet<GrantId>) -> Result<(), Error> {
        if grants.is_empty() {
            return Ok(());
        }
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = async {
            for grant in grants {
                sqlx::query("UPDATE grants SET settled = 1, seal = $1 WHERE id = $2 AND state = 'ended'")
                    .bind(self.settled_seal(grant.as_str()))
                    .bind(grant.as_str())
                    .execute(&mut *writing)
                    .await?;
            }
            Ok(())
        }
        .await;
        writing.end(done).await?;
        self.trust.forget(|id| grants.contains(id));
        Ok(())
    }
}

/// What is said of a store that says that it took an entry, and did not.
pub(super) const SWALLOWED: &str = "the store does not keep entries of the audit log: a trigger or a rule in the database swallows or alters them";

async fn lines_of(connection: &mut AnyConnection, grant: &str) -> Result<Vec<AnyRow>, Error> {
    let lines =
        sqlx::query("SELECT seq, line FROM record WHERE grant_id = $1 ORDER BY seq").bind(grant.to_owned());
    Ok(lines.fetch_all(&mut *connection).await?)
}

/// A row that the reading of unsettled ones did not show.
async fn hidden(connection: &mut AnyConnection, id: &str) -> Result<Option<Grant>, Error> {
    let row = sqlx::query("SELECT body FROM grants WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
    let body: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

/// Writes a row; whether the store took it. What is not taken is an end, and the row is as it was: there the audit log
/// alone says that it is over.
async fn write(
    connection: &mut AnyConnection,
    change: &Change,
    body: String,
    seal: String,
) -> Result<bool, Error> {
    let grant = &change.after;
    let (state, changed) = columns(grant);
    let settled = i64::from(!seal.is_empty());
    let query = match &change.before {
        None => sqlx::query(
            "INSERT INTO grants (state, changed, settled, seal, body, person, target, id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(state)
        .bind(changed)
        .bind(settled)
        .bind(seal)
        .bind(body)
        .bind(grant.person().as_str())
        .bind(grant.target().as_str())
        .bind(grant.id().as_str()),
        Some(before) => {
            sqlx::query("UPDATE grants SET state = $1, changed = $2, settled = $3, seal = $4, body = $5 WHERE id = $6 AND body = $7")
                .bind(state)
                .bind(changed)
                .bind(settled)
                .bind(seal)
                .bind(body)
                .bind(grant.id().as_str())
                .bind(to_text(before)?)
        }
    };
    if query.execute(&mut *connection).await?.rows_affected() == 1 {
        return Ok(true);
    }
    let Some(before) = change.before.as_ref().filter(|_| grant.ended()) else { return Err(Error::Conflict) };
    let row = sqlx::query("SELECT body FROM grants WHERE id = $1").bind(grant.id().as_str());
    let row = row.fetch_optional(&mut *connection).await?;
    let kept: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    if kept == Some(to_text(before)?) { Ok(false) } else { Err(Error::Conflict) }
}

/// Whether there is a grant or a request afterwards that there was not before, or was otherwise.
fn begins(change: &Change) -> bool {
    let waits = |grant: &Grant| matches!(grant.life(), Life::Waiting { .. });
    change.before.as_ref().is_none_or(waits) || waits(&change.after)
}

/// Whether another grant gives the person the same: from the same addresses; of requests that wait there is one to a
/// family of addresses.
fn is_same(grant: &Grant, other: &Grant) -> bool {
    let beside = |one: &Grant| (one.person().clone(), one.target().clone(), one.transport());
    if beside(grant) != beside(other) {
        return false;
    }
    match (grant.life(), other.life()) {
        (Life::Open { since: now, .. }, Life::Open { .. }) => {
            grant.source() == other.source() && other.overdue(*now).is_none()
        }
        (Life::Waiting { asked: now, .. }, Life::Waiting { .. }) => {
            let family = |one: &Grant| (one.transport() == Transport::Direct).then(|| one.source().family());
            family(grant) == family(other) && other.overdue(*now).is_none()
        }
        _ => false,
    }
}

fn to_text(grant: &Grant) -> Result<String, Error> {
    serde_json::to_string(grant).map_err(|error| Error::damaged(grant.id().as_str(), error))
}

/// Milliseconds since 1970, as they are kept, to an instant.
pub(super) fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
