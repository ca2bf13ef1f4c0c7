//! Every table of a store that says what is open, read and written by somebody with a database client.

use doorward_core::audit::Hash;
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

/// A row of `grants`, one of `record`, and the head: what the store is made of.
pub(super) type GrantRow = (String, String, String, String, i64, i64, String, String);
pub(super) type RecordRow = (i64, i64, Option<String>, String);

/// Every table that says what is open, as somebody with a database client sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tables {
    pub(super) installation: String,
    pub(super) grants: Vec<GrantRow>,
    pub(super) record: Vec<RecordRow>,
    pub(super) head: (i64, String),
}

impl Tables {
    pub(super) async fn read(connection: &mut AnyConnection) -> Self {
        let all = "SELECT id, person, target, state, changed, settled, seal, body FROM grants ORDER BY id";
        let grants = sqlx::query(all).fetch_all(&mut *connection).await.expect("grants");
        let grant = |row: &AnyRow| {
            (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6), row.get(7))
        };
        let all = "SELECT seq, at, grant_id, line FROM record ORDER BY seq";
        let record = sqlx::query(all).fetch_all(&mut *connection).await.expect("a record");
        let head =
            sqlx::query("SELECT seq, hash FROM head").fetch_one(&mut *connection).await.expect("a head");
        let name =
            sqlx::query("SELECT name FROM installation").fetch_one(&mut *connection).await.expect("a name");
        Self {
            installation: name.get(0),
            grants: grants.iter().map(grant).collect(),
            record: record.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect(),
            head: (head.get(0), head.get(1)),
        }
    }

    pub(super) async fn write(&self, connection: &mut AnyConnection) {
        let mut writing = connection.begin().await.expect("a transaction");
        for table in ["DELETE FROM grants", "DELETE FROM record", "DELETE FROM head"] {
            sqlx::query(table).execute(&mut *writing).await.expect("an empty table");
        }
        for (id, person, target, state, changed, settled, seal, body) in &self.grants {
            sqlx::query("INSERT INTO grants (id, person, target, state, changed, settled, seal, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
                .bind(id)
                .bind(person)
                .bind(target)
                .bind(state)
                .bind(changed)
                .bind(settled)
                .bind(seal)
                .bind(body)
                .execute(&mut *writing)
                .await
                .expect("a grant");
        }
        for (seq, at, grant, line) in &self.record {
            sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, $2, $3, $4)")
                .bind(seq)
                .bind(at)
                .bind(grant)
                .bind(line)
                .execute(&mut *writing)
                .await
                .expect("a line");
        }
        sqlx::query("INSERT INTO head (id, seq, hash) VALUES (1, $1, $2)")
            .bind(self.head.0)
            .bind(&self.head.1)
            .execute(&mut *writing)
            .await
            .expect("a head");
        sqlx::query("UPDATE installation SET name = $1")
            .bind(&self.installation)
            .execute(&mut *writing)
            .await
            .expect("a name");
        writing.commit().await.expect("a commit");
    }

    /// Chains the lines anew from one on, as anybody can, and puts the head behind them. `mac` says what each line bears
    /// as its MAC then.
    pub(super) fn rechain(
        &mut self,
        from: usize,
        mut mac: impl FnMut(usize, Option<String>) -> Option<String>,
    ) {
        let mut prev = match from {
            0 => Hash::ZERO.to_string(),
            from => field(&self.record[from - 1].3, "hash").unwrap_or_default(),
        };
        for number in from..self.record.len() {
            let line = &mut self.record[number];
            let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(&line.3) else { return };
            object.remove("hash");
            let old = object.remove("mac").and_then(|mac| mac.as_str().map(str::to_owned));
            let seq = number as i64 + 1;
            object.insert("seq".into(), json!(seq));
            object.insert("prev".into(), json!(prev));
            let body = Value::Object(object).to_string();
            prev = Hash::of(body.as_bytes()).to_string();
            let mac = mac(number, old).map(|mac| format!(",\"mac\":\"{mac}\"")).unwrap_or_default();
            line.0 = seq;
            line.3 = format!("{},\"hash\":\"{prev}\"{mac}}}", body.strip_suffix('}').unwrap_or(&body));
        }
        self.head = (self.record.len() as i64, prev);
    }
}

pub(super) fn field(line: &str, name: &str) -> Option<String> {
    serde_json::from_str::<Value>(line).ok()?.get(name)?.as_str().map(str::to_owned)
}
