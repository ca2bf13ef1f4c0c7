//! What was aimed at, beside what it is.

use crate::carrier::{Carrier, Kind};
use crate::round::Rounds;
use crate::sessions::SESSIONS;
use crate::table;

/// Prints each with whether it was met.
fn print_all(rows: &[(String, f64, Aim, &str)]) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(what, is, aim, unit)| {
            let (words, met) = match aim {
                Aim::AtLeast(aim) => (format!("at least {aim:.2}{unit}"), is >= aim),
                Aim::AtMost(aim) => (format!("at most {aim:.2}{unit}"), is <= aim),
                Aim::None => (String::new(), true),
            };
            let verdict = match aim {
                Aim::None => "",
                _ if met => "met",
                _ => "missed",
            };
            vec![what.clone(), format!("{is:.3}{unit}"), words, verdict.into()]
        })
        .collect();
    table::print(&["", "is", "aim", ""], &rows);
}

/// A bound.
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// The aims for ranges and forwards.
pub fn print(rounds: &Rounds, carriers: &[Carrier], held: &[Option<u64>], flows: usize) {
    let place = |kind| carriers.iter().position(|carrier| carrier.kind == kind).expect("it was measured");
    let [raw, gcm, sshuttle, range, forward] =
        [Kind::Raw, Kind::SshGcm, Kind::Sshuttle, Kind::Range, Kind::Forward].map(place);
    let limit = rounds.limit(range);
    let mut rows = vec![
        ("range, up of raw".to_owned(), rounds.up(range, raw), Aim::AtLeast(0.30), ""),
        ("range, down of raw".into(), rounds.down(range, raw), Aim::AtLeast(0.15), ""),
        ("sshd's own limit, up of raw".into(), limit[0], Aim::None, ""),
        ("sshd's own limit, down of raw".into(), limit[1], Aim::None, ""),
        ("range, up of sshuttle's".into(), rounds.up(range, sshuttle), Aim::AtLeast(15.0), "x"),
        ("range, down of sshuttle's".into(), rounds.down(range, sshuttle), Aim::AtLeast(7.0), "x"),
        ("range, CPU a GB, the dearer way".into(), rounds.cpu(range), Aim::AtMost(4.0), " s"),
        ("range, connect over raw".into(), rounds.connect(range) * 1e3, Aim::AtMost(0.5), " ms"),
        ("forward, up of ssh -L aes128-gcm's".into(), rounds.up(forward, gcm), Aim::AtLeast(1.0), "x"),
        ("forward, down of ssh -L aes128-gcm's".into(), rounds.down(forward, gcm), Aim::AtLeast(1.0), "x"),
    ];
    let sessions = place(Kind::Sessions);
    let [up, down] = rounds.speed(sessions);
    let each = SESSIONS as f64 * 0.6;
    rows.push((
        format!("{SESSIONS} sessions, down from a slow agent"),
        down / 1e6,
        Aim::AtLeast(0.9 * each),
        " MB/s",
    ));
    rows.push((format!("{SESSIONS} sessions, up"), up / 1e6, Aim::AtLeast(50.0), " MB/s"));
    for (carrier, held) in carriers.iter().zip(held) {
        if let Some(bytes) = held {
            let what = format!("{}: memory of {flows} idle flows", carrier.kind.name());
            rows.push((what, *bytes as f64 / 1e6, Aim::None, " MB"));
        }
    }
    print_all(&rows);
}
