//! The record under hands that do not wish it well: each change is found, named, and ends with 1.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};

use crate::desk::{Desk, Wiki};
use crate::grants::eventually;
use crate::need::{Need, trial};
use crate::netns::run;
use crate::server::House;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("record: listed, verified and exported", &[], listed),
        trial("record: what is done to the store behind our back is found", &[Need::Python], tampered),
        trial("record: what is done to an export is found", &[], export),
        trial(
            "record: a forged grant lets nobody in, and a cut end stops all opening",
            &[Need::Python],
            forged,
        ),
        trial("record: without the head nothing is opened after a start, until it is back", &[], headless),
    ]
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];

/// A house whose record tells a small story, and nobody serves any more.
fn story() -> House {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);
    for _ in 0..3 {
        jon.run(&["open", "wiki", "--reason", "ticket 4711"]).is(0, &["is open"], &[]);
        maria.run(&["open", "wiki"]).is(0, &["is open"], &[]);
        jon.run(&["close", "wiki"]).is(0, &["is revoked"], &[]);
        maria.run(&["close", "wiki"]).is(0, &["is revoked"], &[]);
    }
    assert_eq!(server.terminate(), Some(0));
    house
}

fn lines(house: &House) -> Vec<String> {
    let (code, out, err) = house.run(&["audit", "export"]);
    assert_eq!(code, 0, "{err}");
    out.lines().map(str::to_owned).collect()
}

fn listed() -> Result<(), Failed> {
    let house = story();
    let all = lines(&house);
    let (code, out, err) = house.run(&["audit", "verify"]);
    let head = out.trim_end().rsplit(' ').next().ok_or("no head")?.to_owned();
    assert_eq!(
        (code, out),
        (0, format!("The audit log is intact: {} entries, head {head}\n", all.len())),
        "{err}"
    );
    // Each reading is itself an entry.
    let again = house.run(&["audit", "export"]);
    assert!(again.2.starts_with(&format!("head {}:", all.len() + 1)), "{}", again.2);
    assert!(
        again.1.lines().last().is_some_and(|line| line.contains("\"what\":\"record-read\"")),
        "{}",
        again.1
    );
    assert_eq!(house.run(&["audit", "verify", "--head", &head]).0, 0, "an earlier head is contained");
    let after = (all.len() - 1).to_string();
    assert_eq!(house.run(&["audit", "export", "--after", &after]).1.lines().count(), 3);
    assert_eq!(house.run(&["audit", "export", "--after", "100000"]).1, "");

    let list = |more: &[&str]| {
        let (code, out, err) = house.run(&[&["audit", "list"], more].concat());
        assert_eq!(code, 0, "{err}");
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // Three exports, and this list.
    assert_eq!(list(&["--limit", "1000"]).len(), all.len() + 4);
    assert_eq!(list(&["--limit", "3"]).len(), 3);
    let jon = list(&["--person", "jon", "--limit", "1000"]);
    assert!(jon.iter().all(|line| line.contains("  jon")) && jon.len() == 7, "{jon:?}");
    assert!(jon.iter().any(|line| line.contains("(\"ticket 4711\")")), "{jon:?}");
    let grant = jon.iter().find_map(|line| line.split(" as ").nth(1)?.split(' ').next()).ok_or("no grant")?;
    let of_grant = list(&["--grant", grant]);
    assert!(of_grant.len() >= 2 && of_grant.iter().all(|line| line.contains(grant)), "{of_grant:?}");
    assert_eq!(list(&["--since", "2100-01-01T00:00:00Z"]), ["There are no entries."]);
    let json: serde_json::Value = serde_json::from_str(&list(&["--json", "--limit", "1"])[0])?;
    assert_eq!((json["seq"].as_u64() > Some(all.len() as u64), &json["what"]), (true, &"record-read".into()));
    Ok(())
}

/// Runs statements on the store through Python's own SQLite.
pub fn sqlite(house: &House, script: &str) {
    let store = house.folder().join("doorward.db");
    let program = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\ndb.executescript(sys.argv[2])\ndb.commit()\ndb.close()";
    run("python3", &["-c", program, store.to_str().expect("a path"), script], "");
}

/// What `audit verify` says of a store, which is whole again afterwards.
fn found(house: &House, script: &str, words: &str) {
    let (store, kept) = (house.folder().join("doorward.db"), house.folder().join("kept.db"));
    fs::copy(&store, &kept).expect("a copy");
    sqlite(house, script);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!((code, out.as_str()), (1, ""), "{script}: {err}");
    assert!(err.contains(&format!("error: {words}")), "{script}: should say {words}, and says {err}");
    for side in ["doorward.db-wal", "doorward.db-shm"] {
        let _ = fs::remove_file(house.folder().join(side));
    }
    fs::rename(kept, store).expect("as it was");
    assert_eq!(house.run(&["audit", "verify"]).0, 0);
}

fn tampered() -> Result<(), Failed> {
    let house = story();
    let last = lines(&house).len();
    // What every entry has, in whichever order they came.
    let edit = "UPDATE record SET line = replace(line, '\"at\":\"20', '\"at\":\"21') WHERE seq = ";
    found(&house, &format!("{edit} 3"), "line 3 (entry 3) was changed: its text does not match its hash");
    found(
        &house,
        "DELETE FROM record WHERE seq = 5",
        "line 5 is entry 6, but entry 5 should come here: entry 5 is missing",
    );
    found(
        &house,
        "DELETE FROM record WHERE seq BETWEEN 5 AND 7",
        "line 5 is entry 8, but entry 5 should come here: entries 5 to 7 are missing",
    );
    found(
        &house,
        "DELETE FROM record WHERE seq = 1",
        "line 1 is entry 2, but entry 1 should come here: entry 1 is missing",
    );
    let swap = "UPDATE record SET seq = -4 WHERE seq = 4; UPDATE record SET seq = 4 WHERE seq = 5; UPDATE record SET seq = 5 WHERE seq = -4";
    found(&house, swap, "line 4 is entry 5, but entry 4 should come here");
    let cut = format!("DELETE FROM record WHERE seq = {last}");
    let ends = format!(
        "the audit log ends at entry {}, but its head says {last}: its end was cut off or replaced",
        last - 1
    );
    found(&house, &cut, &ends);
    found(&house, "DELETE FROM record", &format!("the audit log ends at entry 0, but its head says {last}"));
    found(
        &house,
        "UPDATE record SET line = 'nonsense' WHERE seq = 2",
        "line 2 is not an entry of an audit log: ",
    );
    found(
        &house,
        "UPDATE record SET line = (SELECT line FROM record WHERE seq = 2) WHERE seq = 3",
        "line 3 is entry 2, but entry 3 should come here: the order was changed, or a line is duplicated",
    );
    let turned = "UPDATE head SET hash = substr(hash, 33) || substr(hash, 1, 32)";
    found(
        &house,
        turned,
        &format!(
            "the audit log ends at entry {last}, but its head says {last}: its end was cut off or replaced"
        ),
    );

    // A list of a broken record shows what can be read, and says what to ask.
    sqlite(&house, "UPDATE record SET line = 'nonsense' WHERE seq = 2");
    let (code, _, err) = house.run(&["audit", "list", "--limit", "1000"]);
    assert!(
        code == 65 && err.contains("hint: `doorward audit verify` shows where the audit log was altered"),
        "{code}: {err}"
    );
    Ok(())
}

fn export() -> Result<(), Failed> {
    let house = story();
    let (code, out, err) = house.run(&["audit", "export"]);
    let head = err.trim_end().strip_prefix("head ").ok_or("no head")?.to_owned();
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    let file = house.folder().join("record.jsonl");
    let verify = |lines: &[&str], more: &[&str]| {
        fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("a file");
        house.run(&[&["audit", "verify", file.to_str().expect("a path")], more].concat())
    };
    let whole = |lines: &[&str], more: &[&str]| {
        let (code, out, err) = verify(lines, more);
        assert!(code == 0 && out.starts_with("The audit log is intact: "), "{out}{err}");
    };
    let broken = |lines: &[&str], more: &[&str], words: &str| {
        let (code, out, err) = verify(lines, more);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(err.contains(&format!("error: {words}")), "should say {words}, and says {err}");
    };
    whole(&lines, &[]);
    whole(&lines, &["--head", &head]);
    let changed = lines[6].replacen("wiki", "safe", 1).replacen("jon", "eve", 1);
    let with = |at: usize, line: &str| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = line.to_owned();
        lines
    };
    let with_changed = with(6, &changed);
    if changed != lines[6] {
        broken(
            &with_changed.iter().map(String::as_str).collect::<Vec<_>>(),
            &[],
            "line 7 (entry 7) was changed",
        );
    }
    broken(
        &[&lines[..4], &lines[5..]].concat(),
        &[],
        "line 5 is entry 6, but entry 5 should come here: entry 5 is missing",
    );
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    broken(&swapped, &[], "line 3 is entry 4, but entry 3 should come here");
    broken(
        &[&lines[..3], &lines[2..]].concat(),
        &[],
        "line 4 is entry 3, but entry 4 should come here: the order was changed, or a line is duplicated",
    );
    // Its end cut off is found only with the head.
    let cut = &lines[..lines.len() - 1];
    whole(cut, &[]);
    let ends = format!("the audit log ends at entry {}, but its head says {}", cut.len(), lines.len());
    broken(cut, &["--head", &head], &ends);
    // An empty file says nothing, with the head of a log or without one.
    for more in [&[][..], &["--head", &head]] {
        let (code, _, err) = verify(&[], more);
        assert!(code == 1 && err.contains("has no entry of an audit log"), "{code}: {err}");
    }
    // Another's record is whole in itself.
    let (_, other, _) = story().run(&["audit", "export"]);
    let other: Vec<&str> = other.lines().collect();
    whole(&other, &[]);
    broken(&other, &["--head", &head], "the audit log ends at entry ");
    broken(&[&lines[..4], &other[4..]].concat(), &[], "line 5 (entry 5) does not follow the line before it");

    let (code, _, err) = house.run(&["audit", "verify", "nowhere.jsonl"]);
    assert!(
        code == 66 && err.contains("error: `nowhere.jsonl` could not be read\ncaused by: "),
        "{code}: {err}"
    );
    let path: PathBuf = house.folder().join("bytes");
    fs::write(&path, b"\xff\xfe\n")?;
    let (code, _, err) = house.run(&["audit", "verify", path.to_str().ok_or("a path")?]);
    assert!(code == 1 && err.contains("error: line 1 is not an entry of an audit log: "), "{code}: {err}");
    for wrong in ["12", "12:abc", "x:0000"] {
        let (code, _, err) = verify(&lines, &["--head", wrong]);
        assert!(code == 64 && err.contains(&format!("`{wrong}` is not a head")), "{code}: {err}");
    }
    // The store itself contains the head, also when it stands in a file, and no other.
    let noted = house.folder().join("noted");
    fs::write(&noted, format!("head {head}\n"))?;
    for head in [head.as_str(), noted.to_str().ok_or("a path")?] {
        let (code, _, err) = house.run(&["audit", "verify", "--head", head]);
        assert_eq!(code, 0, "{err}");
        whole(&lines, &["--head", head]);
    }
    let other = format!("3:{}", "0".repeat(64));
    let not = "entry 3 is not the one that was noted as the head at that time";
    broken(&lines, &["--head", &other], not);
    let (code, _, err) = house.run(&["audit", "verify", "--head", &other]);
    assert!(code == 1 && err.contains(not), "{code}: {err}");
    let (code, _, err) = house.run(&["audit", "verify", "--head", &format!("999:{}", "0".repeat(64))]);
    assert!(code == 1 && err.contains("but its head says 999"), "{code}: {err}");
    // A head that is not of this record says nothing against the record, and is no reason to accept anything.
    assert!(err.contains("error: the head 999:0000"), "{err}");
    assert!(err.contains(" is not contained in the audit log: "), "{err}");
    assert!(err.contains("hint: the audit log itself is intact") && !err.contains("audit accept"), "{err}");

    // Who wrote it is known by the key alone.
    let key = house.folder().join("doorward.db.audit-key");
    let key = key.to_str().ok_or("a path")?;
    let (_, _, err) = verify(&lines, &[]);
    assert!(
        err.contains(
            "The authenticity of the entries was not checked: name the key of the audit log with `--key FILE`"
        ),
        "{err}"
    );
    let (code, _, err) = verify(&lines, &["--key", key]);
    assert!(code == 0 && err.contains("Every entry was written with the key."), "{code}: {err}");
    let bare: Vec<String> = lines.iter().map(|line| without_mac(line)).collect();
    let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
    whole(&bare, &["--head", &head]);
    let forged = format!("entries 1 to {} are not authenticated by the key of the audit log", lines.len());
    broken(&bare, &["--key", key], &forged);
    fs::write(house.folder().join("other.key"), "7".repeat(64))?;
    broken(&lines, &["--key", "other.key"], &forged);
    let (code, _, err) = verify(&lines, &["--key", "nowhere.key"]);
    assert!(code == 66 && err.contains("there is no key at `nowhere.key`"), "{code}: {err}");
    Ok(())
}

/// A line as somebody without the key would write it.
fn without_mac(line: &str) -> String {
    line.split_once("\",\"mac\":\"").map_or(line.to_owned(), |(line, _)| format!("{line}\"}}"))
}

/// Somebody writes a grant into the store of a server that runs, and then cuts off the end of its record.
fn forged() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let key = house.folder().join("doorward.db.audit-key");
    assert_eq!(fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);
    let insert = "INSERT INTO grants (id, person, target, state, changed, settled, body) VALUES \
        ('g-aaaaaaaaaaaa', 'jon', 'wiki', 'open', 0, 0, '{\"id\":\"g-aaaaaaaaaaaa\",\"person\":\"jon\",\"target\":\"wiki\",\
        \"transport\":\"direct\",\"source\":\"0.0.0.0/0\",\"reason\":null,\"life\":\"open\",\"since\":\"1970-01-01T00:00:00Z\",\
        \"until\":\"2999-01-01T00:00:00Z\",\"approved_by\":null}')";
    sqlite(&house, insert);
    let why = "the grant \"g-aaaaaaaaaaaa\" in the store: no entry of the audit log";
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains(why), "{code}: {err}");
    assert!(!wiki.lets_in());
    // Whatever wakes the reconciler makes it see, and say, what is there.
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    assert!(wiki.lets_in());
    jon.run(&["close", "wiki"]).is(0, &["wiki is revoked"], &[]);
    assert!(!wiki.lets_in(), "it is not the forged grant that lets in");
    eventually("the log says it", || server.log().contains("grant in the store differs from the audit log"));
    let list = |server: &House| server.run(&["audit", "list", "--limit", "1000"]).1;
    assert!(
        list(&house).contains("found the store altered: the grant \"g-aaaaaaaaaaaa\""),
        "{}",
        list(&house)
    );
    // Ended and told, it no longer differs; the alarm stands until somebody has accepted it.
    let standing = "nobody has accepted yet what was found before: the grant \"g-aaaaaaaaaaaa\"";
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains(standing), "{code}: {err}");
    let head = err.rsplit("--head ").next().and_then(|rest| rest.split('`').next()).ok_or("no head")?;
    let (code, out, err) = house.run(&["audit", "accept", "--head", head]);
    assert!(code == 0 && out.starts_with("The store is accepted as it is. 0 grants ended"), "{out}{err}");
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{err}");
    // Everybody signs in again.
    jon.run(&["list"]).is(77, &[], &["error: "]);
    jon.signs_in(&server);
    let (code, out, err) = house.run(&["audit", "accept", "--head", head]);
    assert!(code == 0 && out.starts_with("Nothing was altered"), "{out}{err}");

    // The end is cut off while it runs: nothing new is opened, what is open can be closed.
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    let cut = "DELETE FROM record WHERE seq > (SELECT max(seq) FROM record) - 2; \
        UPDATE head SET seq = (SELECT max(seq) FROM record), \
        hash = (SELECT substr(line, instr(line, '\"hash\":\"') + 8, 64) FROM record ORDER BY seq DESC LIMIT 1)";
    sqlite(&house, cut);
    let refused = "error: the audit log in the store was altered, so no grant is opened\n";
    jon.run(&["open", "wiki", "--for", "30m"]).is(
        69,
        &[],
        &[refused, "hint: an operator runs `doorward audit verify`"],
    );
    jon.run(&["close", "wiki"]).is(0, &["wiki is revoked"], &[]);
    assert!(!wiki.lets_in());
    assert_eq!(server.terminate(), Some(0));
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("hint: find out who writes to the store"), "{code}: {err}");
    // The head outside finds it at the next start, too.
    let server = house.serve();
    // Nobody can say either who is signed in.
    jon.run(&["open", "wiki"]).is(77, &[], &["error: you are not signed in, or your session has expired"]);
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(69, &[], &[refused]);
    let (_, _, err) = house.run(&["audit", "verify"]);
    let head = err.rsplit("--head ").next().and_then(|rest| rest.split('`').next()).ok_or("no head")?;
    let (code, out, err) = house.run(&["audit", "accept", "--head", head]);
    assert!(code == 0 && out.starts_with("The store is accepted as it is"), "{out}{err}");
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 0 && err.contains("accepted what was found in the entries before it: "), "{code}: {err}");
    // The server that runs hears of it.
    eventually("it is believed again", || {
        jon.signs_in(&server);
        jon.run(&["open", "wiki"]).code == 0
    });
    assert!(wiki.lets_in());
    assert!(list(&house).contains("accepted the audit log as it was at "), "{}", list(&house));
    Ok(())
}

fn headless() -> Result<(), Failed> {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    let house = House::new(&GROUPS, &wiki.policy);
    let head = house.policy().with_file_name("doorward.db.audit-head");
    let key = house.policy().with_file_name("doorward.db.audit-key");
    let (server, jon) = (house.serve(), Desk::new(&house, "jon"));
    jon.signs_in(&server);
    let older = fs::read(&head)?;
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    // The running server knows the key and the last entry.
    let kept = fs::read(&key)?;
    fs::remove_file(&head)?;
    fs::remove_file(&key)?;
    jon.run(&["close", "wiki"]).is(0, &["wiki is revoked"], &[]);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    eventually("the head is written again", || head.exists());
    assert_eq!(server.terminate(), Some(0));
    assert!(!key.exists());
    assert_ne!(house.run(&["serve"]).0, 0, "nothing starts without the key");
    fs::write(&key, kept)?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;

    fs::remove_file(&head)?;
    let server = house.serve();
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(69, &[], &["error: the audit log in the store was altered"]);
    let (code, _, err) = house.run(&["audit", "verify"]);
    let hint =
        "hint: put back a current copy of that file, and find out who removed or replaced it; then accept";
    assert!(code == 1 && err.contains("is missing") && err.contains(hint), "{code}: {err}");
    fs::write(&head, older)?;
    eventually("the log is believed again", || {
        jon.signs_in(&server);
        jon.run(&["open", "wiki"]).code == 0
    });
    // The alarm is about what happened to the file, which nobody has explained yet.
    let (code, _, err) = house.run(&["audit", "verify"]);
    let standing = "nobody has accepted yet what was found before: the head file of the audit log";
    assert!(code == 1 && err.contains(standing) && err.contains(hint), "{code}: {err}");
    let accepted = err.rsplit("--head ").next().and_then(|rest| rest.split('`').next()).ok_or("no head")?;
    assert_eq!(house.run(&["audit", "accept", "--head", accepted]).0, 0);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{err}");
    Ok(())
}
