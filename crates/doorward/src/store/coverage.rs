//! Rows of the tables other than the grants: written together with the entry that covers them, and verified by the
//! audit log when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use doorward_core::audit::{Earlier, Event, Head, Left, RowLeft, Table, What, Who};
use jiff::Timestamp;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row as _};

use super::tables::{self, Kept, LONGEST, Sealed};
use super::writing::Writing;
use super::{Error, Store};

/// A turn at writing, at the audit log's end: until it ends nobody else appends, and the ledger knows all entries.
pub(super) struct Turn {
    pub writing: Writing,
    pub head: Head,
}

impl Deref for Turn {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.writing
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.writing
    }
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    Text(String),
    Number(i64),
}

/// Rows of a table, each with why it is not believed if it is not, and the keys of those that are missing with the entry
/// that tells of each.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub rows: Vec<(Kept, Option<String>)>,
    pub missing: Vec<(String, u64)>,
    /// How many rows more are not believed: of those that the audit log never told of, [`STRANGERS`] are kept.
    pub more: usize,
    /// How many keys the rows have.
    pub keys: u64,
}

impl Measured {
    /// Those that are believed.
    pub fn believed(self) -> impl Iterator<Item = Kept> {
        self.rows.into_iter().filter(|(_, wrong)| wrong.is_none()).map(|(row, _)| row)
    }

    /// What is wrong, in words.
    pub fn found(&self, table: &Sealed) -> Vec<String> {
        let wrong = self.rows.iter().filter_map(|(_, wrong)| wrong.clone());
        let missing = self.missing.iter().map(|(_, seq)| table.missing(*seq));
        let name = table.name;
        let more = (self.more > 0)
            .then(|| format!("{} rows more of the table `{name}` are not Doorward's", self.more));
        wrong.chain(missing).chain(more).collect()
    }
}

/// How many rows are read at a time.
const PAGE: i64 = 1000;
/// How many rows that nobody told of are kept of a table: somebody may have added any number.
const STRANGERS: usize = 1000;
/// How many rows are put right in one turn at writing, for which others wait.
const BATCH: usize = 200;
/// How many times in a row that is done; the next look goes on.
const BATCHES: usize = 50;

impl Store {
    /// Begins to write rows and what tells of them.
    pub(super) async fn turn(&self) -> Result<Turn, Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let locked = async {
            // The first statement writes the head's row, so two writers queue here on either engine.
            let head = super::record::lock_head(&mut writing).await?;
            self.catch_up(&mut writing, head).await?;
            Ok(head)
        }
        .await;
        match locked {
            Ok(head) => Ok(Turn { writing, head }),
            Err(error) => writing.end(Err(error)).await,
        }
    }

    /// Makes what was written last, with the events that tell of it, or undoes it. Where there are no events and rows
    /// changed, an entry says so in words.
    pub(super) async fn finish<T>(
        &self,
        mut turn: Turn,
        done: Result<(T, Vec<RowLeft>), Error>,
        mut events: Vec<Event>,
        (now, noted): (Timestamp, String),
    ) -> Result<T, Error> {
        let done = async {
            let (value, rows) = done?;
            if events.is_empty() && !rows.is_empty() {
                events.push(Event::new(now, Who::Doorward, What::RowsNoted { noted }));
            }
            let mut left = Left { grant: None, rows };
            let told = events.iter().cloned().map(|event| (event, std::mem::take(&mut left))).collect();
            let appended = match events.is_empty() {
                true => None,
                false => Some(self.append(&mut turn.writing, turn.head, told).await?),
            };
            Ok((value, appended))
        }
        .await;
        let (value, appended) = turn.writing.end(done).await?;
        if let Some(appended) = appended {
            self.appended(appended);
            super::event_log::log(&events, &[]);
        }
        Ok(value)
    }

    /// Reads rows of a table by a statement of [`Sealed::statement`] and measures them by the audit log as it was at that
    /// moment, in a turn or by itself; `ask` is told of each row.
    pub(super) async fn measured<T>(
        &self,
        turn: Option<&mut Turn>,
        statement: &str,
        binds: &[Bind],
        ask: impl Fn(Vec<Kept>, &Earlier<'_>) -> T,
    ) -> Result<T, Error> {
        if let Some(turn) = turn {
            return self.measured_in(turn, statement, binds, ask).await;
        }
        for _ in 0..TRIES {
            let floor = self.trust.head().seq;
            let rows = bound(statement, binds).fetch_all(&self.pool).await?;
            let seq = rows.first().map(|row| row.try_get(0)).transpose()?;
            let seq = self.moment(floor, seq).await?;
            if let Some(answer) = self.trust.at(seq, |ledger| ask(kept(&rows), ledger)) {
                return Ok(answer);
            }
        }
        Err(Error::Conflict)
    }

    /// Likewise in a turn, in which the ledger is as the store.
    async fn measured_in<T>(
        &self,
        turn: &mut Turn,
        statement: &str,
        binds: &[Bind],
        ask: impl Fn(Vec<Kept>, &Earlier<'_>) -> T,
    ) -> Result<T, Error> {
        let rows = bound(statement, binds).fetch_all(&mut **turn).await?;
        self.trust.at(u64::MAX, |ledger| ask(kept(&rows), ledger)).ok_or(Error::Conflict)
    }

    /// Rows of a table that meet a condition, those first that an order says.
    pub(super) async fn rows_where(
        &self,
        turn: Option<&mut Turn>,
        table: &'static Sealed,
        (condition, order): (&str, &str),
        binds: &[Bind],
        now: Timestamp,
    ) -> Result<Measured, Error> {
        let (statement, lenient) = (table.statement(condition, order), self.is_lenient(table));
        self.measured(turn, &statement, binds, |rows, ledger| Measured {
            rows: rows.into_iter().map(|row| self.judged(table, row, ledger, lenient, now)).collect(),
            ..Measured::default()
        })
        .await
    }

    /// Whether a row is believed by its MAC alone: where the audit log is altered nobody can say which is right, and
    /// believing where rules of ours are takes away nothing but those.
    fn is_lenient(&self, table: &Sealed) -> bool {
        matches!(table.table, Table::Doors | Table::Rules) && self.trust.broken().is_some()
    }

    fn judged(
        &self,
        table: &Sealed,
        row: Kept,
        ledger: &Earlier<'_>,
        lenient: bool,
        now: Timestamp,
    ) -> (Kept, Option<String>) {
        let key = &self.trust.key;
        let wrong = table.wrong(key, &row, ledger, now).filter(|_| !lenient || !table.is_sealed(key, &row));
        (row, wrong)
    }

    /// All rows of a table and what is missing from it.
    pub(super) async fn all_rows(&self, table: &'static Sealed, now: Timestamp) -> Result<Measured, Error> {
        self.rows_until(table, usize::MAX, now).await
    }

    /// The rows of a table and what is missing from it, a page at a time until there are so many faults.
    async fn rows_until(
        &self,
        table: &'static Sealed,
        faults: usize,
        now: Timestamp,
    ) -> Result<Measured, Error> {
        let first = table.first();
        // Each by the index of the key: a page costs what it has, and not what the table has.
        let order = format!("t.{first} LIMIT $2");
        let behind = table.statement(&format!("t.{first} > $1"), &order);
        let from_the_first = table.statement("$1 = ''", &order);
        let (mut all, mut wrong, mut strangers) = (Measured::default(), 0, 0);
        let (mut after, mut key) = (String::new(), None::<String>);
        for page in 0_i64.. {
            let binds = [Bind::Text(after.clone()), Bind::Number(PAGE)];
            let statement = if page == 0 { &from_the_first } else { &behind };
            let (broken, lenient) = (self.trust.broken().is_some(), self.is_lenient(table));
            let measured = self.measured(None, statement, &binds, |rows, ledger| {
                let keys: BTreeSet<String> = rows.iter().map(|row| table.key(&row.fields)).collect();
                let is_last = (rows.len() as i64) < PAGE;
                let last = rows.last().map(|row| (row.text(0).to_owned(), table.key(&row.fields)));
                let to = last.as_ref().map(|(_, key)| key.as_str()).filter(|_| !is_last);
                let within = (key.as_deref(), to);
                let missing = ledger.missing_rows(table.table, within, now, |key| keys.contains(key));
                let is_told = |row: &Kept| ledger.row(table.table, &table.key(&row.fields)).is_some();
                let rows = rows.into_iter().map(|row| self.judged(table, row, ledger, lenient, now));
                let with_strangers = |(row, why): (Kept, Option<String>)| {
                    let is_stranger = why.is_some() && !is_told(&row);
                    (row, why, is_stranger)
                };
                let rows: Vec<_> = rows.map(with_strangers).collect();
                let missing = if broken { Vec::new() } else { missing };
                (rows, missing, keys.len(), last.filter(|_| !is_last))
            });
            let (rows, missing, keys, last) = measured.await?;
            all.missing.extend(missing);
            all.keys += keys as u64;
            for (row, why, is_stranger) in rows {
                wrong += usize::from(why.is_some());
                strangers += usize::from(is_stranger);
                match is_stranger && strangers > STRANGERS {
                    true => all.more += 1,
                    false => all.rows.push((row, why)),
                }
            }
            if wrong + all.missing.len() >= faults {
                break;
            }
            // What is no text sorts behind all texts, and has no end.
            let Some((text, last)) = last.filter(|(text, _)| *text > after || page == 0) else { break };
            (after, key) = (text, Some(last));
        }
        Ok(all)
    }

    /// What is wrong with the rows of the other tables, in words; `foreign` gets those that have to be deleted by hand.
    pub(super) async fn wrong_rows(
        &self,
        now: Timestamp,
        foreign: &mut Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for table in tables::ALL {
            let mut measured = self.all_rows(table, now).await?;
            let all = format!("SELECT COUNT(*) FROM {}", table.name);
            let all: i64 = sqlx::query_scalar(AssertSqlSafe(all)).fetch_one(&self.pool).await?;
            if self.trust.broken().is_some() {
                // By a record that is not believed every row is an earlier one.
                measured.rows.retain(|(row, _)| !table.is_sealed(&self.trust.key, row));
            }
            let more = std::mem::take(&mut measured.more);
            found.extend(shortened(measured.found(table), more, table.name));
            foreign.extend(surplus(table.name, all, measured.keys));
        }
        Ok(found)
    }

    /// Puts a table right where somebody without the key wrote into it, and says so in the audit log: what is not believed
    /// is deleted, a place and a rule whose row is missing are noted again, and other rows that are missing are gone. What
    /// was found, in words.
    ///
    /// Passwords stay as they are until all that was opened under them has ended; and where the audit log is altered
    /// nothing is written over.
    pub async fn mend(&self, table: Table, now: Timestamp) -> Result<Vec<String>, Error> {
        let table = tables::of(table);
        let mut all = Vec::new();
        for _ in 0..BATCHES {
            if self.trust.broken().is_some() {
                break;
            }
            let measured = self.rows_until(table, BATCH, now).await?;
            if measured.found(table).is_empty() {
                break;
            }
            let found = self.mend_some(table, measured, now).await?;
            let is_last = found.len() < BATCH || table.table == Table::Passwords;
            if all.len() < STRANGERS {
                all.extend(found);
            }
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// The same of what was found a moment ago, as far as it is so still; at most [`BATCH`] faults.
    async fn mend_some(
        &self,
        table: &'static Sealed,
        measured: Measured,
        now: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let measured = self.measured_again(&mut turn, table, measured, now).await?;
            let found = measured.found(table);
            let rows = match table.table {
                Table::Passwords => Vec::new(),
                _ => self.put_right(&mut turn, table, measured, now).await?,
            };
            Ok((found, rows))
        }
        .await;
        let events = match &done {
            Ok((found, rows)) => self.alarm(found, !rows.is_empty(), now).into_iter().collect(),
            Err(_) => Vec::new(),
        };
        self.finish(turn, done, events, (now, format!("rows that were put right: {}", table.name))).await
    }

    /// What of the faults that were found is still so in a turn at writing.
    async fn measured_again(
        &self,
        turn: &mut Turn,
        table: &'static Sealed,
        found: Measured,
        now: Timestamp,
    ) -> Result<Measured, Error> {
        let wrong = found.rows.into_iter().filter(|(_, wrong)| wrong.is_some());
        let firsts: BTreeSet<String> = wrong.take(BATCH).map(|(row, _)| row.text(0).to_owned()).collect();
        let of_first = format!("t.{} = $1", table.first());
        let mut again = Measured::default();
        for first in firsts {
            let measured =
                self.rows_where(Some(&mut *turn), table, (&of_first, "2"), &[Bind::Text(first)], now).await?;
            again.rows.extend(measured.rows.into_iter().filter(|(_, wrong)| wrong.is_some()));
        }
        for (key, seq) in found.missing.into_iter().take(BATCH.saturating_sub(again.rows.len())) {
            let first = Bind::Text(table.first_of(&key).to_owned());
            let measured = self.rows_where(Some(&mut *turn), table, (&of_first, "2"), &[first], now).await?;
            let is_there = measured.rows.iter().any(|(row, _)| table.key(&row.fields) == key);
            let is_told = self.trust.at(u64::MAX, |ledger| ledger.row(table.table, &key).is_some());
            if !is_there && is_told == Some(true) {
                again.missing.push((key, seq));
            }
        }
        Ok(again)
    }

    /// The alarm that is raised: none of what was said before and nobody has accepted since, and so many in all.
    pub(super) fn alarm(&self, found: &[String], anyway: bool, now: Timestamp) -> Option<Event> {
        let said = self.alarms();
        let room = ALARMS.saturating_sub(said.len());
        let new = found.iter().filter(|found| !said.contains(found)).take(room).cloned();
        let new: Vec<String> = new.collect();
        new.iter().for_each(|found| tracing::error!("{found}"));
        if found.len() > new.len() && new.is_empty() && anyway {
            tracing::error!(
                rows = found.len(),
                "more rows of the store that are not Doorward's were deleted"
            );
        }
        (!new.is_empty()).then(|| Event::new(now, Who::Doorward, What::LogAlarm { found: new, log: false }))
    }

    async fn put_right(
        &self,
        turn: &mut Turn,
        table: &'static Sealed,
        measured: Measured,
        now: Timestamp,
    ) -> Result<Vec<RowLeft>, Error> {
        let mut left = Vec::new();
        let mut missing: Vec<String> = measured.missing.into_iter().map(|(key, _)| key).collect();
        for (row, _) in measured.rows.iter().filter(|(_, wrong)| wrong.is_some()) {
            self.delete_row(turn, table, row).await?;
            let key = table.key(&row.fields);
            let is_told = self.trust.at(u64::MAX, |ledger| ledger.row(table.table, &key).is_some());
            if is_told == Some(true) {
                missing.push(key);
            }
        }
        for key in missing {
            let again = match table.table {
                Table::Doors => Some(vec![key.clone(), String::new()]),
                Table::Rules => key.split_once(' ').map(|(id, group)| {
                    vec![id.to_owned(), group.to_owned(), now.as_millisecond().to_string()]
                }),
                _ => None,
            };
            left.push(match again {
                Some(fields) => self.put_row(turn, table, &fields).await?,
                None => RowLeft::gone(table.table, key),
            });
        }
        Ok(left)
    }

    /// Writes a row, whatever was there, and what an entry says of it.
    pub(super) async fn put_row(
        &self,
        turn: &mut Turn,
        table: &'static Sealed,
        fields: &[String],
    ) -> Result<RowLeft, Error> {
        let delete = format!("DELETE FROM {} WHERE {} = $1", table.name, table.first());
        let first = fields.first().cloned().unwrap_or_default();
        sqlx::query(AssertSqlSafe(delete)).bind(first).execute(&mut **turn).await?;
        let places: Vec<String> = (1..=fields.len() + 1).map(|number| format!("${number}")).collect();
        let insert = format!(
            "INSERT INTO {} ({}, seal) VALUES ({})",
            table.name,
            table.columns.join(", "),
            places.join(", ")
        );
        let query = table.columns.iter().zip(fields).fold(
            sqlx::query(AssertSqlSafe(insert)),
            |query, (column, field)| match table.is_number(column) {
                true => query.bind(field.parse::<i64>().unwrap_or_default()),
                false => query.bind(field.clone()),
            },
        );
        query.bind(table.seal(&self.trust.key, fields)).execute(&mut **turn).await?;
        Ok(table.left(fields))
    }

    /// Deletes a row as it was read.
    pub(super) async fn delete_row(
        &self,
        connection: &mut AnyConnection,
        table: &'static Sealed,
        row: &Kept,
    ) -> Result<(), Error> {
        // A longer one was not read whole.
        let seal = if row.seal.len() > LONGEST { tables::beginning("seal") } else { "seal".to_owned() };
        let delete = format!("DELETE FROM {} WHERE {} = $1 AND {seal} = $2", table.name, table.first());
        let query = sqlx::query(AssertSqlSafe(delete)).bind(row.text(0).to_owned()).bind(row.seal.clone());
        let rows = query.execute(connection).await?.rows_affected();
        tracing::debug!(table = table.name, rows, "a row was deleted from the store");
        Ok(())
    }

    /// The rows of the tables without a time that have their MAC, as an entry tells of them that begins or goes on with the
    /// store as it is.
    pub(super) async fn sealed_rows(&self, turn: &mut Turn) -> Result<Vec<RowLeft>, Error> {
        let mut left = Vec::new();
        for table in [&tables::PASSWORDS, &tables::DOORS, &tables::RULES] {
            let statement = table.statement("1 = 1", "2");
            let rows = self.measured_in(turn, &statement, &[], |rows, _| rows).await?;
            let sealed = rows.iter().filter(|row| table.is_sealed(&self.trust.key, row));
            left.extend(sealed.map(|row| table.left(&row.fields)));
        }
        Ok(left)
    }
}

/// At most so many lines, and how many more there are.
pub(super) fn shortened(found: Vec<String>, more: usize, table: &str) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    found.iter().for_each(|one| *times.entry(one).or_default() += 1);
    let mut seen = BTreeSet::new();
    let once = found.iter().filter(|one| seen.insert(one.as_str()));
    let counted = once.map(|one| match times.get(one.as_str()) {
        Some(times @ 2..) => format!("{one} ({times} rows)"),
        _ => one.clone(),
    });
    let mut found: Vec<String> = counted.collect();
    let more = more + found.len().saturating_sub(REPORTED);
    found.truncate(REPORTED);
    found.extend((more > 0).then(|| format!("{more} rows more of the table `{table}` are not Doorward's")));
    found
}

/// What is said of rows that were not read: their keys are null, too long, or there twice.
pub(super) fn surplus(table: &str, all: i64, keys: u64) -> Option<String> {
    let more = u64::try_from(all).unwrap_or(0).saturating_sub(keys);
    (more > 0).then(|| format!("{more} rows of the table `{table}` have no key, or the key of another row"))
}

fn bound(statement: &str, binds: &[Bind]) -> Query<'static, Any, AnyArguments> {
    let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
    binds.iter().fold(query, |query, bind| match bind {
        Bind::Text(text) => query.bind(text.clone()),
        Bind::Number(number) => query.bind(*number),
    })
}

fn kept(rows: &[AnyRow]) -> Vec<Kept> {
    rows.iter().filter_map(Kept::read).collect()
}

/// How often rows are read again because the audit log grew by very much meanwhile.
const TRIES: usize = 5;

/// How many faults of a table are reported one by one.
const REPORTED: usize = 100;

/// How many alarms are reported one by one until an operator accepts them.
const ALARMS: usize = 20;
