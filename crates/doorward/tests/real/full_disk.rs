//! A disk that fills under a running server, really: a small tmpfs as the folder of its state.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::bad_days::{recorded, whole};
use crate::desk::{Desk, Said, Wiki};
use crate::grants::eventually;
use crate::need::{Need, find, trial};
use crate::server::House;

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Mounts];
    vec![trial("full disk: no end is lost and nobody is let in, over a kill and a start", &needs, fills)]
}

/// A tmpfs of a few megabytes in a mount namespace of its own; gone with the process that keeps the namespace.
struct Disk {
    keeper: Child,
    folder: PathBuf,
}

impl Disk {
    fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let script = format!(
            "mount -t tmpfs -o size=3m,mode=700 tmpfs '{}' && echo mounted && exec sleep 1000",
            folder.display()
        );
        let mut command = Command::new(find("unshare").expect("unshare"));
        command.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script]);
        let mut keeper = command.stdout(Stdio::piped()).spawn().expect("a namespace");
        let mut said = String::new();
        let pipe = keeper.stdout.take().expect("a pipe");
        BufReader::new(pipe).read_line(&mut said).expect("a line");
        assert_eq!(said, "mounted\n");
        Self { keeper, folder }
    }

    /// A file of the disk, as this process reaches it.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.folder.strip_prefix("/").expect("an absolute path")).join(name)
    }

    /// Fills it to its last byte.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.path("filler")).expect("a file");
        for size in [65_536, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Makes room.
    fn free(&self) {
        fs::remove_file(self.path("filler")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];
const LASTS: &str = "lasts = { usually = \"30m\", at-most = \"1h\" }";
const FULL: &str = "the store's disk is full, so nothing was changed";
const NOT_YET: &str =
    "is closed, but the audit log does not have that yet: it is recorded as soon as the store can be written";

/// More requests than the store's files have room for once the disk is full.
const MANY: usize = 200;

fn fills() -> Result<(), Failed> {
    let (wiki, other) = (Wiki::new(LASTS), Wiki::new(LASTS));
    let second = other.policy.replace("firewall.door]", "firewall.gate]").replace("\"door\"", "\"gate\"");
    let second = second.replace("target.wiki]", "target.blog]");
    let house = House::new(&GROUPS, &format!("{}\n{second}", wiki.policy));
    let disk = Disk::at(house.folder().join("state"));
    let house = house.in_mounts_of(disk.keeper.id());
    house.keep_store_at("state/doorward.db");
    let mut server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);
    let open = |desk: &Desk<'_>, target: &str| -> String {
        desk.run(&["open", target]).is(0, &[" is open"], &[]);
        let listed = desk.run(&["list", "--json"]).json();
        let grants = listed["grants"].as_array().expect("a list").iter();
        let mut ids =
            grants.filter(|grant| grant["target"] == target).filter_map(|grant| grant["id"].as_str());
        ids.next().expect("a grant").to_owned()
    };
    let closed = open(&jon, "wiki");
    let kept = open(&maria, "blog");
    assert!(wiki.lets_in() && other.lets_in());

    disk.fill();
    // What cannot be written is not opened, and the person is told why; what was written stays.
    let mut refused = 0;
    for _ in 0..MANY {
        let said = jon.run(&["open", "blog"]);
        match said.code {
            0 => {}
            _ => {
                said.is(69, &[], &[FULL]);
                refused += 1;
                break;
            }
        }
        jon.run(&["close", "blog"]);
    }
    assert_eq!(refused, 1, "the disk is not full");
    // A person who is not signed in is told as well.
    let said: Said = jon.type_in(&["login", &server.url, "--stdin"], crate::server::PASSWORD);
    assert!(said.code != 0 && said.err.contains(FULL), "{said:?}");

    // An end is in force although it cannot be recorded.
    jon.run(&["close", &closed]).is(69, &[], &[NOT_YET]);
    assert!(!wiki.lets_in());
    jon.run(&["list"]).is(0, &[&closed, "revoked by jon", "not recorded yet"], &[]);
    maria.run(&["list"]).is(0, &[&kept], &[]);
    assert!(other.lets_in());
    let (status, ready) = server.call(None, "GET", "/readyz", None)?;
    assert_eq!(status, 503, "{ready}");
    assert!(server.log().contains("the store's disk is full"), "{}", server.log());

    // Neither is lost over a kill and a start on the full disk.
    server.kill();
    assert!(!wiki.lets_in() && !other.lets_in());
    server = house.serve();
    eventually("what is open is let in again", || other.lets_in());
    assert!(!wiki.lets_in(), "what was closed stays closed");
    jon.run(&["list"]).is(0, &[&closed, "revoked by jon", "not recorded yet"], &[]);
    maria.run(&["close", &kept]).is(69, &[], &[NOT_YET]);
    assert!(!other.lets_in());
    server.kill();
    server = house.serve();
    eventually("a pass has ended", || {
        let answer = server.call(None, "GET", "/readyz", None);
        answer.is_ok_and(|(_, ready)| !ready["reasons"].to_string().contains("no pass"))
    });
    assert!(!wiki.lets_in() && !other.lets_in());

    disk.free();
    for (id, by) in [(&closed, "jon"), (&kept, "maria")] {
        eventually("it is recorded", || recorded(&house, &format!("ended {id}: revoked by {by}")) == 1);
    }
    eventually("it is ready", || {
        server.call(None, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
    });
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    assert!(wiki.lets_in() && !other.lets_in());
    assert_eq!(server.terminate(), Some(0));
    whole(&house);
    Ok(())
}
