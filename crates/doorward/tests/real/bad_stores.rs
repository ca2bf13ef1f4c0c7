//! A store that is full, a folder, somebody else's file or read-only; a port that is taken; files that break meanwhile.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::bad_days::recorded;
use crate::desk::{Desk, Wiki};
use crate::grants::{HOURS, descriptions, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::netns::run;
use crate::record::sqlite;
use crate::server::{House, PASSWORD};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "bad stores: a full disk opens nothing, closes all the same, and recovers",
            &[Need::Root, Need::Moto],
            full,
        ),
        trial("bad stores: a folder, another file, a name that is none", &[], not_a_store),
        trial("bad stores: a PostgreSQL that is not there", &[], no_database),
        trial("bad stores: a store that is read-only", &[Need::Root], read_only),
        trial("bad stores: a store that is moved away is not replaced, and loses nothing", &[], moved_away),
        trial("bad stores: rows that cannot be read hold up no revocation", &[Need::Python], unreadable_rows),
        trial("bad stores: the port is taken", &[], port_taken),
        trial("bad stores: a policy and people that break while it serves", &[], broken_files),
        trial(
            "bad stores: a line that is wrong concerns that line, also under a broken policy",
            &[],
            broken_lines,
        ),
    ]
}

const GROUPS: [(&str, &[&str]); 1] = [("staff", &["jon", "maria"])];
const LASTS: &str = "lasts = { usually = \"10m\", at-most = \"1h\" }";

/// A small disk of memory, unmounted at its end.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).expect("a folder");
        run("mount", &["-t", "tmpfs", "-o", "size=1m", "doorward-test", at.to_str().expect("a path")], "");
        Self(at.to_owned())
    }

    fn remount(&self, how: &str) {
        run("mount", &["-o", &format!("remount,{how}"), self.0.to_str().expect("a path")], "");
    }

    /// Takes all that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 512]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn full() -> Result<(), Failed> {
    const REGION: &str = "us-east-1";
    let moto = Moto::shared();
    let groups = new_groups(&moto, 2, "full");
    let house = House::new(&[("dbs", &["jon", "maria"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let disk = Disk::mount(&house.folder().join("disk"));
    house.keep_store_at("disk/doorward.db");
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    let stands = |number: usize| {
        let to = format!(" to db-{number} ");
        descriptions(&moto, REGION, &groups[number]).iter().any(|text| text.contains(&to))
    };
    jon.run(&["open", "db-0", "--for", "6s"]).is(0, &["db-0 is open"], &[]);
    assert!(stands(0));

    let filler = disk.fill();
    let words = "error: the store's disk is full, so nothing was changed\n";
    let hint = "hint: an operator has to free space on the store's disk\n";
    jon.run(&["open", "db-1"]).is(69, &[], &[words, hint]);
    jon.run(&["open", "db-0"]).is(69, &[], &[words, hint]);
    // A refusal is an answer only when it is recorded, for which there may be just enough room.
    let refused = jon.run(&["open", "db-1", "--for", "9h"]);
    assert!(refused.code == 1 || refused.err.contains(words), "{refused:?}");
    assert!(!stands(1), "nothing is opened in AWS");
    maria.type_in(&["login", &server.url, "--stdin"], PASSWORD).is(69, &[], &[words, hint]);
    jon.run(&["list"]).is(0, &["db-0"], &[]);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{err}");

    // Its end comes, and nothing can be written.
    eventually("an expired rule goes", || !stands(0));
    eventually("the log says so", || {
        server.log().contains("could not record ended grants, removing their rules nevertheless")
    });
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    // A server starts all the same, since there may be something to close.
    server.kill();
    let server = house.serve();
    fs::remove_file(&filler)?;
    disk.fill();
    jon.run(&["open", "db-1"]).is(69, &[], &[words, hint]);

    fs::remove_file(filler)?;
    jon.run(&["open", "db-1"]).is(0, &["db-1 is open"], &[]);
    assert!(stands(1) && !stands(0));
    maria.signs_in(&server);
    drop(server);
    let (_, out, _) = house.run(&["audit", "list"]);
    assert!(out.contains(": expired"), "{out}");
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    Ok(())
}

fn not_a_store() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let at = |name: &str| house.folder().join(name);
    fs::create_dir(at("folder"))?;
    fs::write(at("letter"), "Dear Sir or Madam,\n".repeat(300))?;
    fs::write(at("short"), "?")?;
    for (store, why) in [
        ("folder", "it is a folder"),
        ("letter", "it is not an SQLite database"),
        ("short", "it is not an SQLite database"),
        ("missing/doorward.db", "its folder does not exist"),
        ("people.groups", "it is not an SQLite database"),
    ] {
        house.keep_store_at(store);
        let before = fs::read(at(store)).ok();
        let words = format!("error: cannot open the store `{}`\ncaused by: {why}", at(store).display());
        let verbs = [&["serve"][..], &["list", "--as", "jon"], &["audit", "verify"], &["audit", "list"]];
        // Reading the record of what is not there is told in other words, below.
        for verb in &verbs[..if before.is_some() || store == "folder" { 4 } else { 2 }] {
            let (code, out, err) = house.run(verb);
            assert_eq!((code, out.as_str()), (74, ""), "{verb:?}: {err}");
            assert!(err.contains(&words), "{verb:?} should say {words}, and says {err}");
        }
        assert_eq!(fs::read(at(store)).ok(), before, "nothing was written into `{store}`");
    }
    // Reading a record that is not there is no reason to make one.
    house.keep_store_at("nothing.db");
    for verb in [&["audit", "verify"][..], &["audit", "list"], &["audit", "export"]] {
        let (code, out, err) = house.run(verb);
        assert_eq!((code, out.as_str()), (66, ""), "{err}");
        assert!(
            err.contains(&format!("error: the store `{}` does not exist\n", at("nothing.db").display())),
            "{err}"
        );
    }
    assert!(!at("nothing.db").exists());
    // A database of somebody else's is not taken over.
    house.keep_store_at("other.db");
    let script = "import sqlite3,sys; db = sqlite3.connect(sys.argv[1]); db.execute('create table grants (x)'); db.commit()";
    let path = at("other.db").display().to_string();
    run("python3", &["-c", script, &path], "");
    let (code, _, err) = house.run(&["serve"]);
    assert_eq!(code, 74, "{err}");
    assert!(err.contains("cannot migrate the store"), "{err}");
    Ok(())
}

fn no_database() -> Result<(), Failed> {
    let house = House::new(&GROUPS, "");
    house.keep_store_at("postgres://doorward:s3cret@127.0.0.1:1/doorward");
    let (code, _, err) = house.run(&["serve"]);
    assert_eq!(code, 74, "{err}");
    let shown = "error: cannot open the store `postgres://doorward@127.0.0.1:1/doorward`\ncaused by: ";
    assert!(err.contains(shown) && err.contains("Connection refused"), "{err}");
    assert!(!err.contains("s3cret"), "its password is nobody's business: {err}");
    Ok(())
}

fn read_only() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let disk = Disk::mount(&house.folder().join("disk"));
    house.keep_store_at("disk/doorward.db");
    drop(house.serve());
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    disk.remount("ro");
    let (code, out, err) = house.run(&["serve"]);
    assert_eq!((code, out.as_str()), (74, ""), "{err}");
    let words = format!(
        "cannot open the store `{}`\ncaused by: it is not writable",
        house.folder().join("disk/doorward.db").display()
    );
    assert!(err.contains(&words), "{err}");
    disk.remount("rw");
    house.serve();
    Ok(())
}

fn moved_away() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let at = |name: &str| house.folder().join(name);
    let (database, aside) = (at("doorward.db"), at("aside.db"));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    fs::rename(&database, &aside)?;
    let is_ready = || matches!(server.call(None, "GET", "/readyz", None), Ok((200, _)));
    eventually("it says that the store is away", || !is_ready());
    let refused = "error: the audit log in the store was altered, so no grant is opened\n";
    eventually("nothing new is opened", || jon.run(&["open", "wiki", "--for", "30m"]).err.contains(refused));
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code != 0 && err.contains("hint: put the file back where it was"), "{code}: {err}");
    assert!(!database.exists());
    fs::rename(&aside, &database)?;
    eventually("it is ready again", is_ready);
    jon.run(&["open", "wiki", "--for", "30m"]).is(0, &["wiki stays open"], &[]);
    // The running server knows the head of the audit log without its file, and writes it again.
    let head = at("doorward.db.audit-head");
    fs::remove_file(&head)?;
    eventually("the head file is there again", || head.exists());
    server.kill();
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{err}");

    // Nothing of it is left but what is outside.
    for name in ["doorward.db", "doorward.db-wal", "doorward.db-shm"] {
        let _ = fs::remove_file(at(name));
    }
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code != 0 && err.contains("shows that there was one"), "{code}: {err}");
    assert!(!database.exists());
    let server = house.serve();
    assert!(!wiki.lets_in(), "every grant has ended");
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(69, &[], &[refused]);
    Ok(())
}

fn unreadable_rows() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    assert!(wiki.lets_in());
    // As text it is no UTF-8, so that no row of the table can be fetched together with it.
    let row = "INSERT INTO grants SELECT 'g-aaaaaaaaaaaa', person, target, 'open', changed, 0, CAST(x'ff' AS TEXT), '' FROM grants LIMIT 1";
    sqlite(&house, row);
    jon.run(&["close", "wiki"]).is(0, &["wiki is revoked"], &[]);
    assert!(!wiki.lets_in(), "what is revoked is, whatever the store has");
    let ready = || server.call(None, "GET", "/readyz", None).expect("an answer").1.to_string();
    eventually("it is not ready", || ready().contains("the store was altered"));
    maria.run(&["open", "wiki"]).is(
        69,
        &[],
        &["the store was altered or is damaged", "doorward audit verify"],
    );
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("the store was altered or is damaged"), "{code}: {err}");
    server.kill();
    let server = house.serve();
    assert!(!wiki.lets_in());
    let ready = || server.call(None, "GET", "/readyz", None).expect("an answer").1.to_string();
    eventually("it is not ready", || ready().contains("the store was altered"));
    sqlite(&house, "DELETE FROM grants WHERE id = 'g-aaaaaaaaaaaa'");
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("nobody has accepted"), "{code}: {err}");
    let head = err.split("--head ").nth(1).and_then(|rest| rest.split(['`', '\n', ' ']).next());
    let (code, _, err) = house.run(&["audit", "accept", "--head", head.expect("a head")]);
    assert_eq!(code, 0, "{err}");
    let ready = || matches!(server.call(None, "GET", "/readyz", None), Ok((200, _)));
    eventually("it is ready again", ready);
    // Everybody signs in again.
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    Ok(())
}

fn port_taken() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    let before = house.run(&["audit", "export"]).1;
    for _ in 0..2 {
        let (code, out, err) = house.run(&["serve"]);
        assert_eq!((code, out.as_str()), (69, ""), "{err}");
        let words = format!(
            "error: {} is in use by another program\nhint: choose another address with `listen` in `[server]`, or stop the program that uses it\n",
            house.listen
        );
        assert!(err.ends_with(&words), "{err}");
    }
    // The second did nothing: no line in the record, no relay of its own, and the first goes on.
    // But for the reading itself, which is an entry.
    let after = house.run(&["audit", "export"]).1;
    let new: Vec<&str> = after.strip_prefix(&before).ok_or("another record")?.lines().collect();
    assert!(new.len() == 1 && new[0].contains("\"record-read\""), "{new:?}");
    assert!(wiki.lets_in());
    jon.run(&["close", "wiki"]).is(0, &["is revoked"], &[]);
    assert!(!wiki.lets_in());
    // A privileged or foreign address is told as such.
    house.write_policy(&wiki.policy);
    let text = fs::read_to_string(house.policy())?;
    fs::write(
        house.policy(),
        text.replace(&format!("listen = \"{}\"", house.listen), "listen = \"192.0.2.1:80\"\ninsecure = true"),
    )?;
    let (code, _, err) = house.run(&["serve"]);
    assert!(code == 69 && err.contains("error: cannot listen on 192.0.2.1:80\ncaused by: "), "{code}: {err}");
    Ok(())
}

fn broken_files() -> Result<(), Failed> {
    // What is put into which file (behind what is there, for a `+`), and what is said of it.
    let breaks: [(&str, &[u8], &str); 4] = [
        ("doorward.toml", b"[people\n", "doorward.toml:1:8: "),
        ("doorward.toml", b"", "doorward.toml:1:1: "),
        ("doorward.toml", b"+\nfirewal = 3\n", "`[target.wiki]` has no key `firewal`"),
        ("people.htpasswd", b"-", "cannot read `"),
    ];
    std::thread::scope(|scope| {
        let each: Vec<_> = breaks
            .into_iter()
            .map(|(file, text, words)| scope.spawn(move || broken_file(file, text, words)))
            .collect();
        assert!(each.into_iter().all(|one| one.join().is_ok()), "one of the files went wrong");
    });
    Ok(())
}

/// A line that is wrong concerns whoever it names, and a policy that is broken holds nobody in.
fn broken_lines() -> Result<(), Failed> {
    let lines: [(&str, &[u8], &str); 5] = [
        ("people.htpasswd", b"jon:$9$nobody-knows\n", "people.htpasswd:1:"),
        ("people.htpasswd", b"jon:!", "people.htpasswd:1:5: warning: `jon` is locked"),
        ("people.htpasswd", b"jon:\xff\xfe\n", "people.htpasswd:1:5: "),
        ("people.htpasswd", b"jon\n", "people.htpasswd:1:1: the `:` after"),
        ("people.groups", b"staff jon\nstaff: maria\n", "people.groups:1:"),
    ];
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    maria.signs_in(&server);
    let whole = fs::read(house.policy())?;
    for (file, line, words) in lines {
        for broken in [false, true] {
            jon.signs_in(&server);
            jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
            assert!(wiki.lets_in());
            if broken {
                fs::write(house.policy(), [&whole[..], b"\n[target.x\n"].concat())?;
                eventually("the mistake is told", || server.log().contains("this is not TOML"));
            }
            let path = house.folder().join(file);
            let good = fs::read(&path)?;
            // The line takes the place of jon's own.
            let rest = String::from_utf8_lossy(&good);
            let rest: String =
                rest.lines().filter(|line| !line.contains("jon")).map(|line| format!("{line}\n")).collect();
            fs::write(&path, [line, b"\n", rest.as_bytes()].concat())?;
            eventually("jon is shut out", || !wiki.lets_in());
            eventually("it is told", || server.log().contains(words));
            maria.run(&["list"]).is(0, &["No grants are open"], &[]);
            fs::write(&path, &good)?;
            fs::write(house.policy(), &whole)?;
            std::thread::sleep(Duration::from_millis(1500));
        }
    }
    Ok(())
}

fn broken_file(file: &str, text: &[u8], words: &str) {
    const TOLD: &str = "the policy has errors; the last valid policy stays in effect";
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    let path = house.folder().join(file);
    let good = fs::read(&path).expect("a file");
    for time in 1..=2 {
        match text {
            b"-" => fs::remove_file(&path).expect("a file"),
            [b'+', more @ ..] => fs::write(&path, [good.as_slice(), more].concat()).expect("a file"),
            text => fs::write(&path, text).expect("a file"),
        }
        let told = || server.log().matches(TOLD).count();
        eventually("the log tells it", || told() == time);
        assert!(server.log().contains(words), "no {words:?} in {}", server.log());
        jon.run(&["list"]).is(0, &["wiki", "10m, at most 1h", "  in "], &[]);
        assert!(wiki.lets_in(), "the last good policy stays in force");
        // Told once, not at each look.
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(told(), time, "{}", server.log());
        // Good again; the next break is told anew.
        fs::write(&path, &good).expect("a file");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(recorded(&house, "kept the last valid policy: the new one has "), time);
    }
    // The files are followed as before.
    house.write_people(&[("staff", &["maria"])]);
    eventually("jon is shut out", || !wiki.lets_in());
}
