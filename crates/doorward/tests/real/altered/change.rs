//! One change of a store, by somebody who knows everything but the key.

use doorward_core::audit::Hash;
use doorward_core::grant::GrantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::story::Story;
use super::tables::{GrantRow, Tables, field};

/// A generator of numbers, the same in every run (SplitMix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(super) fn hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.next())).collect()
    }

    pub(super) fn id(&mut self) -> String {
        GrantId::from_random(self.next().to_le_bytes()).to_string()
    }
}

/// A grant's body as it would have to be for what somebody wants.
pub(super) fn forged(body: &str, chance: &mut Chance) -> String {
    let mut value: Value = serde_json::from_str(body).expect("a body");
    let later = (Timestamp::now() + SignedDuration::from_hours(7)).to_string();
    match chance.below(7) {
        0 => value["source"] = json!("0.0.0.0/0"),
        1 => value["source"] = json!("198.51.100.66/32"),
        2 => value["until"] = json!(later),
        3 => value["person"] = json!("eve"),
        4 => value["approved_by"] = json!("maria"),
        5 => value["reason"] = json!("because"),
        _ => value["transport"] = json!("ssm"),
    }
    if chance.below(2) == 0 {
        let life = ["life", "since", "until", "approved_by"];
        for name in ["how", "at", "asked", "seconds", "from"] {
            value.as_object_mut().expect("an object").remove(name);
        }
        for (name, text) in life.iter().zip(["open", &Timestamp::now().to_string(), &later, "maria"]) {
            value[*name] = json!(text);
        }
    }
    value.to_string()
}

/// What a MAC is replaced with by somebody who cannot make one.
pub(super) fn mac(
    tables: &Tables,
    chance: &mut Chance,
) -> impl FnMut(usize, Option<String>) -> Option<String> + use<> {
    let (kind, random) = (chance.below(4), chance.hex());
    let others: Vec<Option<String>> = tables.record.iter().map(|row| field(&row.3, "mac")).collect();
    move |number, old| match kind {
        0 => old,
        1 => None,
        2 => Some(random.clone()),
        _ => others[(number + 1) % others.len()].clone(),
    }
}

/// One change by somebody who knows everything but the key.
pub(super) fn change(story: &Story, chance: &mut Chance) -> (Tables, &'static str) {
    let mut tables = story.steps.last().expect("a step").clone();
    let (grants, lines) = (tables.grants.len(), tables.record.len());
    let (at, other) = (chance.below(grants), chance.below(grants));
    let (line, second) = (chance.below(lines), chance.below(lines));
    let what = match chance.below(22) {
        0 => {
            tables.grants[at].7 = forged(&tables.grants[at].7, chance);
            "a body"
        }
        1 => {
            let body = forged(&tables.grants[at].7, chance);
            let value: Value = serde_json::from_str(&body).expect("a body");
            tables.grants[at].3 = value["life"].as_str().unwrap_or_default().to_owned();
            tables.grants[at].1 = value["person"].as_str().unwrap_or_default().to_owned();
            (tables.grants[at].5, tables.grants[at].7) = (0, body);
            "a row, with its columns"
        }
        2 => {
            let mut row = tables.grants[at].clone();
            row.0 = chance.id();
            let mut value: Value = serde_json::from_str(&forged(&row.7, chance)).expect("a body");
            value["id"] = json!(row.0);
            (row.3, row.5, row.7) = ("open".into(), 0, value.to_string());
            tables.grants.push(row);
            "a row more"
        }
        3 => {
            tables.grants.remove(at);
            "a row less"
        }
        4 => {
            let body = tables.grants[at].7.clone();
            tables.grants[at].7 = std::mem::replace(&mut tables.grants[other].7, body);
            "two bodies swapped"
        }
        5 => {
            let name = tables.grants[at].0.clone();
            tables.grants[at].0 = std::mem::replace(&mut tables.grants[other].0, name);
            "two names swapped"
        }
        6 => {
            let earlier: Vec<&GrantRow> = story.steps.iter().flat_map(|step| &step.grants).collect();
            let row = (*chance.one(&earlier)).clone();
            tables.grants.retain(|kept| kept.0 != row.0);
            tables.grants.push(row);
            "an earlier row"
        }
        7 => {
            tables.grants[at].5 ^= 1;
            "whether a row is settled"
        }
        8 => {
            let row = &mut tables.grants[at];
            match chance.below(5) {
                0 => row.1 = "eve".into(),
                1 => row.2 = "safe".into(),
                2 => row.3 = ["open", "waiting", "ended", "x"][chance.below(4)].into(),
                3 => row.4 += 1000,
                _ => row.6 = chance.hex(),
            }
            "a column of a row"
        }
        9 => {
            let text = &mut tables.record[line].3;
            let place = chance.below(text.len());
            let letter = char::from(b'a' + (chance.next() % 26) as u8);
            text.replace_range(place..=place, &letter.to_string());
            "a letter of a line"
        }
        10 => {
            let text = tables.record[line].3.replacen("jon", "eve", 1).replacen("signed-in", "signed-out", 1);
            tables.record[line].3 = text;
            let mac = mac(&tables, chance);
            tables.rechain(line, mac);
            "a line, chained anew"
        }
        11 => {
            tables.record.remove(line);
            if chance.below(2) == 0 {
                let mac = mac(&tables, chance);
                tables.rechain(line, mac);
            }
            "a line less"
        }
        12 => {
            let new = tables.record[second].clone();
            tables.record.insert(line, new);
            let mac = mac(&tables, chance);
            tables.rechain(line, mac);
            "a line twice, chained anew"
        }
        13 => {
            let row = tables.record[line].clone();
            tables.record[line] = std::mem::replace(&mut tables.record[second], row);
            (tables.record[line].0, tables.record[second].0) = (line as i64 + 1, second as i64 + 1);
            if chance.below(2) == 0 {
                let mac = mac(&tables, chance);
                tables.rechain(line.min(second), mac);
            }
            "two lines swapped"
        }
        14 => {
            tables.record.truncate(line);
            let hash = tables.record.last().and_then(|row| field(&row.3, "hash"));
            tables.head = (line as i64, hash.unwrap_or_else(|| Hash::ZERO.to_string()));
            "the end cut off"
        }
        15 => {
            tables.rechain(0, |_, _| None);
            "a record without MACs"
        }
        16 => {
            let (one, two) = (field(&tables.record[line].3, "mac"), field(&tables.record[second].3, "mac"));
            let (one, two) = (one.unwrap_or_default(), two.unwrap_or_default());
            tables.record[line].3 = tables.record[line].3.replace(&one, &two);
            "the MAC of another line"
        }
        17 => {
            match chance.below(4) {
                0 => tables.head.0 += 1 + chance.below(3) as i64,
                1 => tables.head.0 -= 1 + chance.below(3) as i64,
                2 => tables.head.1 = chance.hex(),
                _ => tables.head.1 = "x".into(),
            }
            "the head"
        }
        18 => {
            tables = chance.one(&story.steps[..story.steps.len() - 1]).clone();
            "everything as it was before"
        }
        19 => {
            match chance.below(3) {
                0 => tables.record[line].1 += 1,
                1 => tables.record[line].2 = Some(chance.id()),
                _ => tables.record[line].0 += 1_000_000,
            }
            "a column of a line"
        }
        20 => {
            tables.installation = format!("{:08x}", chance.next() as u32);
            "the name of the installation"
        }
        _ => {
            // The whole thing: a row, and the line that tells of it, at the end or somewhere.
            let mut row = tables.grants[at].clone();
            row.0 = chance.id();
            let mut value: Value = serde_json::from_str(&forged(&row.7, chance)).expect("a body");
            value["id"] = json!(row.0);
            (row.3, row.5, row.7) = ("open".into(), 0, value.to_string());
            let opening = tables.record.iter().find(|row| row.3.contains("\"opened\"")).expect("an opening");
            let mut told: Value = serde_json::from_str(&opening.3).expect("a line");
            told["grant"] = json!(row.0);
            told["source"] = value["source"].clone();
            told["state"] = json!(Hash::of(row.7.as_bytes()).to_string());
            let new = (0, opening.1, Some(row.0.clone()), told.to_string());
            tables.grants.push(row);
            let at = if chance.below(2) == 0 { lines } else { line };
            tables.record.insert(at, new);
            let mac = mac(&tables, chance);
            tables.rechain(at, mac);
            "a row more, with its line"
        }
    };
    tables.grants.sort();
    (tables, what)
}
