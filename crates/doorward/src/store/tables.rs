//! The tables other than the grants. Each row has a MAC, so that nobody without the key can create one, and is covered
//! by the audit log, so that restoring or deleting one is noticed.

use doorward_core::audit::{Earlier, Hash, RowLeft, Table};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::grants::instant;
use super::key::{Key, framed};
use super::known::REMEMBERED;

/// What the rows of a table are, and what of them is believed.
#[derive(Debug)]
pub(super) struct Sealed {
    pub table: Table,
    pub name: &'static str,
    /// The purpose of the MAC of a row.
    purpose: &'static str,
    /// The columns under the MAC.
    pub columns: &'static [&'static str],
    /// How many of them, from the first on, tell a row from the others.
    key: usize,
    /// How many of them, from the first on, stay as they are for as long as the row is there.
    lasting: usize,
    /// The column from whose instant on a row says nothing, and how many milliseconds later that is.
    until: Option<(usize, i64)>,
    /// What a row is, in words.
    told: fn(&[String]) -> String,
    /// What is said of one with a wrong MAC.
    forged: &'static str,
}

const HOUR: i64 = 3_600_000;

/// More characters than any of our columns has. A longer text is not read whole, and so is under no MAC; a row whose first
/// column is longer is not read at all.
pub(super) const LONGEST: usize = 4000;

pub(super) const RULES: Sealed = Sealed {
    table: Table::Rules,
    name: "rules",
    purpose: "rule",
    columns: &["id", "group_id", "noted"],
    // The group as well, so that a rule whose row was deleted is noted again from the audit log alone.
    key: 2,
    lasting: 3,
    until: None,
    told: |row| format!("the rule {:?} in the store", shown(column(row, 0))),
    forged: "was noted by somebody without the key",
};

pub(super) const SESSIONS: Sealed = Sealed {
    table: Table::Sessions,
    name: "sessions",
    purpose: "session",
    columns: &["token", "person", "kind", "made", "ends", "origin", "bound", "used", "used_from"],
    key: 1,
    // When it was last used is no entry of its own each time. An earlier use put back ends the session earlier, and a later
    // one than there was has no MAC.
    lasting: 7,
    until: Some((4, 0)),
    told: |row| format!("a session of {:?} in the store", shown(column(row, 1))),
    forged: "was altered by somebody without the key",
};

pub(super) const KNOWN: Sealed = Sealed {
    table: Table::Known,
    name: "known",
    purpose: "known sign-in",
    columns: &["mark", "person", "kind", "at"],
    key: 1,
    lasting: 4,
    until: Some((3, REMEMBERED.as_hours() * HOUR)),
    told: |row| format!("that {:?} signed in before", shown(column(row, 1))),
    forged: "was put into the store by somebody without the key",
};

pub(super) const PASSWORDS: Sealed = Sealed {
    table: Table::Passwords,
    name: "passwords",
    purpose: "password seen",
    columns: &["person", "seen", "own"],
    key: 1,
    lasting: 3,
    until: None,
    told: |row| format!("the password entry of {:?}", shown(column(row, 0))),
    forged: "was altered by somebody without the key",
};

pub(super) const DOORS: Sealed = Sealed {
    table: Table::Doors,
    name: "doors",
    purpose: "door",
    columns: &["place", "firewall"],
    key: 1,
    lasting: 2,
    until: None,
    told: |row| format!("the firewall entry {:?}", shown(column(row, 0))),
    forged: "was noted by somebody without the key",
};

pub(super) const ALL: [&Sealed; 5] = [&RULES, &SESSIONS, &KNOWN, &PASSWORDS, &DOORS];

pub(super) fn of(table: Table) -> &'static Sealed {
    match table {
        Table::Sessions => &SESSIONS,
        Table::Known => &KNOWN,
        Table::Passwords => &PASSWORDS,
        Table::Doors => &DOORS,
        Table::Rules => &RULES,
    }
}

fn column(row: &[String], index: usize) -> &str {
    row.get(index).map(String::as_str).unwrap_or_default()
}

/// As much of a text column as is read of it.
pub(super) fn beginning(column: &str) -> String {
    format!("SUBSTR({column}, 1, {})", LONGEST + 1)
}

/// The beginning of what somebody may have written, for a message.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(100).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A row as it is kept: its columns as texts, and its MAC.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub fields: Vec<String>,
    pub seal: String,
}

impl Kept {
    /// Behind the first column, which is not its own; none where there is only that.
    pub fn read(row: &AnyRow) -> Option<Self> {
        // What is neither a text nor a number is none, and so under no MAC.
        let text = |index| {
            let number = |_| row.try_get::<i64, _>(index).map(|number| number.to_string());
            row.try_get::<String, _>(index).or_else(number).unwrap_or_default()
        };
        let is_there = row.try_get_raw(1).is_ok_and(|value| !sqlx::ValueRef::is_null(&value));
        let mut fields: Vec<String> = (1..row.len()).map(text).collect();
        let seal = fields.pop().unwrap_or_default();
        is_there.then_some(Self { fields, seal })
    }

    pub fn text(&self, index: usize) -> &str {
        column(&self.fields, index)
    }

    pub fn number(&self, index: usize) -> i64 {
        self.text(index).parse().unwrap_or_default()
    }
}

impl Sealed {
    /// A statement that reads rows together with the number of the last entry, in one moment on either engine.
    pub fn statement(&self, condition: &str, order: &str) -> String {
        let text = |column: &str| beginning(&format!("t.{column}"));
        let read = |column: &&str| if self.is_number(column) { format!("t.{column}") } else { text(column) };
        let columns: Vec<String> = self.columns.iter().map(read).collect();
        let (name, columns, seal, first) = (self.name, columns.join(", "), text("seal"), self.first());
        format!(
            "SELECT h.seq, {columns}, {seal} FROM head h LEFT JOIN {name} t ON {condition} AND LENGTH(t.{first}) <= {LONGEST} \
             WHERE h.id = 1 ORDER BY {order}"
        )
    }

    /// The first column, by which rows are found.
    pub fn first(&self) -> &'static str {
        self.columns.first().copied().unwrap_or_default()
    }

    /// The first column of the row of a key.
    pub fn first_of<'a>(&self, key: &'a str) -> &'a str {
        key.split_once(' ').filter(|_| self.key > 1).map_or(key, |(first, _)| first)
    }

    /// What tells a row from the others.
    pub fn key(&self, fields: &[String]) -> String {
        fields.get(..self.key).unwrap_or(fields).join(" ")
    }

    /// Whether a column holds a number.
    pub fn is_number(&self, column: &str) -> bool {
        ["noted", "made", "ends", "used", "at"].contains(&column) && self.columns.contains(&column)
    }

    /// The MAC of a row.
    pub fn seal(&self, key: &Key, fields: &[String]) -> String {
        key.seal(self.purpose, &texts(fields))
    }

    /// Whether a row has its MAC.
    pub fn is_sealed(&self, key: &Key, row: &Kept) -> bool {
        key.is_seal(&row.seal, self.purpose, &texts(&row.fields))
    }

    /// What an entry says of a row that is written.
    pub fn left(&self, fields: &[String]) -> RowLeft {
        let until = self.expires(fields).map(instant);
        RowLeft { table: self.table, key: self.key(fields), state: Some(self.state(fields)), until }
    }

    fn state(&self, fields: &[String]) -> Hash {
        let lasting = fields.get(..self.lasting).unwrap_or(fields);
        Hash::of(&framed(self.purpose, &texts(lasting)))
    }

    fn expires(&self, fields: &[String]) -> Option<i64> {
        let (index, later) = self.until?;
        Some(column(fields, index).parse::<i64>().ok()?.saturating_add(later))
    }

    /// Why a row is not believed, in words; none of one that is, nor of one that has expired.
    pub fn wrong(&self, key: &Key, row: &Kept, ledger: &Earlier<'_>, now: Timestamp) -> Option<String> {
        let told = || (self.told)(&row.fields);
        if !self.is_sealed(key, row) {
            return Some(format!("{} {}", told(), self.forged));
        }
        let mismatch = ledger.check_row(self.table, &self.key(&row.fields), self.state(&row.fields)).err()?;
        let over = self.expires(&row.fields).is_some_and(|until| until <= now.as_millisecond());
        (!over).then(|| format!("{} is an earlier one that somebody put back: {mismatch}", told()))
    }

    /// What is said of a row that is not there.
    pub fn missing(&self, seq: u64) -> String {
        format!("a row that entry {seq} of the audit log records was deleted from the store ({})", self.table)
    }
}

fn texts(fields: &[String]) -> Vec<&str> {
    fields.iter().map(String::as_str).collect()
}
