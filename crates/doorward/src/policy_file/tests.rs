//! A policy that follows its files, and what it does with broken ones.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

const POLICY: &str = "[people]\npasswords = \"h\"\ngroups = \"g\"\n[firewall.f]\nnftables = \"inet doorward\"\n\
    [target.t]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n";
const PASSWORDS: &str = "jon:abl0JrMf6tlhw\nmaria:abl0JrMf6tlhw\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("p.toml", POLICY);
        folder.write("h", PASSWORDS);
        folder.write("g", "dbs: jon\n");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn open(&self) -> PolicyFile {
        PolicyFile::open(&self.path("p.toml")).expect("a policy")
    }
}

fn changed(file: &PolicyFile) -> Arc<Loaded> {
    match file.refresh() {
        Refreshed::Changed(loaded) => loaded,
        other => panic!("{other:?}"),
    }
}

fn broken(file: &PolicyFile) -> Vec<String> {
    match file.refresh() {
        Refreshed::Broken(mistakes) => mistakes.into_iter().map(|mistake| mistake.what).collect(),
        other => panic!("{other:?}"),
    }
}

fn unchanged(file: &PolicyFile) {
    let refreshed = file.refresh();
    assert!(matches!(refreshed, Refreshed::Unchanged), "{refreshed:?}");
}

#[test]
fn a_file_that_is_too_large_is_a_mistake_and_holds_up_nothing_that_another_takes_away() {
    for (large, most) in [("p.toml", POLICY_AT_MOST), ("h", PEOPLE_AT_MOST)] {
        let folder = Folder::new();
        let file = folder.open();
        let sparse = fs::File::options().write(true).open(folder.path(large)).expect("a file");
        sparse.set_len(1 << 30).expect("a large file");
        folder.write("g", "dbs: maria\n");
        let loaded = changed(&file);
        let [jon, maria] = ["jon", "maria"].map(|name| name.parse().expect("a name"));
        let group = &loaded.people.groups[&"dbs".parse().expect("a group")];
        assert!(!group.contains(&jon) && group.contains(&maria), "{large}");
        let told: Vec<String> = file.mistakes().into_iter().map(|mistake| mistake.what).collect();
        let why = format!("it has {} bytes, more than the limit of {most}", 1 << 30);
        assert!(told.iter().any(|told| told.contains(&why)), "{large}: {told:?}");
        assert!(matches!(
            load(&folder.path("p.toml")),
            Err(LoadError::Unreadable { .. } | LoadError::Mistakes { .. })
        ));
    }
}

#[test]
fn a_change_is_taken_in_once() {
    let folder = Folder::new();
    let file = folder.open();
    let before = file.taken_in();
    let maria = "maria".parse().expect("a name");
    folder.write("h", "jon:abl0JrMf6tlhw\n");
    assert!(!changed(&file).people.passwords.contains_key(&maria));
    // It was changed a moment ago, and a further change might have the same time; but there is none.
    for _ in 0..5 {
        unchanged(&file);
    }
    assert_eq!(file.taken_in() - before, 1);
    assert!(matches!(file.reread(), Refreshed::Unchanged));
    assert_eq!(file.taken_in() - before, 2, "who asks for it has it read");
    folder.write("h", "maria:abl0JrMf6tlhw\n");
    assert!(changed(&file).people.passwords.contains_key(&maria), "of the same length, at the same time");
}

#[test]
fn the_example_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/doorward.toml");
    let loaded = load(&path).expect("a policy");
    assert_eq!(loaded.warnings, Vec::new());
    assert!(loaded.policy.people.passwords.ends_with("examples/people.htpasswd"));
    let account = loaded.policy.inventory.as_deref().expect("an inventory");
    assert!(account.ends_with("examples/account"), "{account}");
    for (person, hash) in &loaded.people.passwords {
        assert!(crate::people::password::verify(hash, &format!("{person}-example")), "{person}");
    }
}

#[test]
fn an_account_that_is_not_there_is_a_warning() {
    let folder = Folder::new();
    folder.write("p.toml", &format!("{POLICY}[inventory]\nfolder = \"account\"\n"));
    let told = |why: &str| {
        let warnings = load(&folder.path("p.toml")).expect("a policy").warnings;
        assert_eq!(warnings.len(), usize::from(!why.is_empty()), "{warnings:?}");
        for warning in warnings {
            assert!(!warning.is_error() && warning.what.ends_with(why), "{warning}");
            assert_eq!((warning.line, warning.column), (13, 10));
        }
    };
    told("/account`: No such file or directory (os error 2)");
    folder.write("account", "");
    told("/account`: it is not a folder");
    fs::remove_file(folder.path("account")).expect("removed");
    fs::create_dir(folder.path("account")).expect("a folder");
    told("");
}

#[test]
fn paths_are_beside_the_policy() {
    let folder = Folder::new();
    let tls = "[server]\nstore = \"/var/lib/d.db\"\ntls = { certificate = \"c\", key = \"k\" }\n";
    folder.write("p.toml", &format!("{POLICY}{tls}"));
    let policy = load(&folder.path("p.toml")).expect("a policy").policy;
    assert_eq!(Path::new(&policy.people.groups), folder.path("g"));
    assert_eq!(policy.server.store, "/var/lib/d.db");
    assert_eq!(Path::new(&policy.server.tls.as_ref().expect("tls").key), folder.path("k"));
    folder.write("p.toml", POLICY);
    let policy = load(&folder.path("p.toml")).expect("a policy").policy;
    assert_eq!(Path::new(&policy.server.store), folder.path("doorward.db"));
    folder.write("p.toml", &format!("{POLICY}[server]\nstore = \"postgres://db/x\"\n"));
    assert_eq!(load(&folder.path("p.toml")).expect("a policy").policy.server.store, "postgres://db/x");
}

#[test]
fn each_file_is_followed() {
    let folder = Folder::new();
    let file = folder.open();
    unchanged(&file);
    // As long as before, and within the same tick of the clock.
    folder.write("g", "dbs: zoe\n");
    let loaded = changed(&file);
    assert!(loaded.people.groups.values().any(|members| members.iter().any(|it| it.as_str() == "zoe")));
    folder.write("p.toml", &POLICY.replace("tcp/1", "tcp/2"));
    assert_ne!(changed(&file).digest, loaded.digest);
    folder.write("h", &PASSWORDS.replace("jon", "joe"));
    assert_eq!(changed(&file).people.passwords.len(), 2);
    unchanged(&file);
    folder.write("h", &PASSWORDS.replace("jon", "joe"));
    unchanged(&file);
}

#[test]
fn what_is_broken_does_not_hold_and_is_said_once() {
    let folder = Folder::new();
    let file = folder.open();
    folder.write("p.toml", &POLICY.replace("tcp/1", "tcp/x"));
    assert!(broken(&file).concat().starts_with("`tcp/x` is not a flow"));
    unchanged(&file);
    assert_eq!(file.mistakes().len(), 1);
    assert_eq!(file.current().policy.targets.len(), 1);
    folder.write("p.toml", POLICY);
    changed(&file);
    assert!(file.mistakes().is_empty());
    fs::remove_file(folder.path("h")).expect("removed");
    assert!(broken(&file).concat().starts_with("cannot read `"));
    fs::create_dir(folder.path("h")).expect("a folder");
    assert!(broken(&file).concat().ends_with("it is a folder"));
    assert_eq!(file.current().people.passwords.len(), 2);
    fs::remove_dir(folder.path("h")).expect("removed");
    folder.write("h", PASSWORDS);
    changed(&file);
    fs::remove_file(folder.path("p.toml")).expect("removed");
    assert_eq!(broken(&file), ["cannot read the policy: No such file or directory (os error 2)"]);
    unchanged(&file);
    assert_eq!(file.current().policy.targets.len(), 1);
    folder.write("p.toml", POLICY);
    changed(&file);
}

/// Who may open the target, of those who are there.
fn members(file: &PolicyFile) -> Vec<String> {
    let loaded = file.current();
    let groups = loaded.policy.targets.values().flat_map(|target| &target.groups).collect::<Vec<_>>();
    let people = loaded.people.passwords.keys();
    people
        .filter(|person| loaded.people.in_any(person, groups.iter().copied()))
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_mistake_in_a_line_concerns_that_line() {
    let folder = Folder::new();
    folder.write("g", "dbs: jon maria\n");
    let file = folder.open();
    assert_eq!(members(&file), ["jon", "maria"]);
    folder.write("h", &PASSWORDS.replace("jon:", "jon:!"));
    changed(&file);
    assert_eq!(members(&file), ["maria"]);
    folder.write("h", &format!("lee:$argon2id$x\nno colon\n{PASSWORDS}"));
    let loaded = changed(&file);
    assert_eq!(members(&file), ["jon", "maria"]);
    assert_eq!(loaded.warnings.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [1, 2]);
    folder.write("g", "dbs maria\ndbs: jon\n");
    changed(&file);
    assert_eq!(members(&file), ["jon"]);
    assert!(file.mistakes().is_empty());
    // A server starts with it too.
    assert_eq!(members(&folder.open()), ["jon"]);
}

#[test]
fn a_broken_policy_holds_nobody_in() {
    let folder = Folder::new();
    folder.write("g", "dbs: jon maria\n");
    let file = folder.open();
    for wrong in ["[target.x\n", "\u{0}", "[people]\npasswords = \"other\"\n"] {
        folder.write("h", PASSWORDS);
        folder.write("g", "dbs: jon maria\n");
        folder.write("p.toml", &format!("{wrong}{POLICY}"));
        file.refresh();
        assert_eq!(members(&file), ["jon", "maria"], "{wrong}");
        assert!(!file.mistakes().is_empty(), "{wrong}");
        folder.write("g", "dbs: maria\n");
        changed(&file);
        assert_eq!(members(&file), ["maria"], "{wrong}");
        folder.write("h", &PASSWORDS.replace("maria:", "maria:!"));
        changed(&file);
        assert_eq!(members(&file), [""; 0], "{wrong}");
        unchanged(&file);
        assert!(!file.mistakes().is_empty(), "{wrong}");
    }
    folder.write("p.toml", POLICY);
    folder.write("h", PASSWORDS);
    changed(&file);
    assert!(file.mistakes().is_empty());
}

#[test]
fn an_unreadable_file_holds_nobody_of_another_in() {
    let folder = Folder::new();
    folder.write("g", "dbs: jon maria\n");
    let file = folder.open();
    fs::remove_file(folder.path("h")).expect("removed");
    broken(&file);
    assert_eq!(members(&file), ["jon", "maria"], "an editor may be putting a new one in its place");
    folder.write("g", "dbs: maria\n");
    changed(&file);
    assert_eq!(members(&file), ["maria"]);
    folder.write("p.toml", &POLICY.replace("\"dbs\"", "\"leads\""));
    changed(&file);
    assert_eq!(members(&file), [""; 0]);
    assert!(!file.mistakes().is_empty());
}

#[test]
fn what_a_broken_policy_no_longer_names_is_gone() {
    let folder = Folder::new();
    folder.write("g", "dbs: jon\nleads: maria\n");
    folder.write("p.toml", &POLICY.replace("\"dbs\"", "\"dbs\", \"leads\""));
    let file = folder.open();
    assert_eq!(members(&file), ["jon", "maria"]);
    folder.write("p.toml", &POLICY.replace("\"dbs\"", "\"leads\", \"all\"").replace("tcp/1", "tcp/x"));
    changed(&file);
    assert_eq!(members(&file), ["maria"]);
    assert!(!file.mistakes().is_empty());
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = Folder::new();
    folder.write("h", "jon\n");
    folder.write("g", "");
    folder.write("p.toml", &POLICY.replace("tcp/1", "tcp/x"));
    let told =
        |file: Examined| -> Vec<String> { file.mistakes.into_iter().map(|mistake| mistake.what).collect() };
    let mistakes = told(examine(&folder.path("p.toml")).expect("read"));
    assert!(mistakes.iter().any(|what| what.starts_with("the group `dbs`")), "{mistakes:?}");
    assert!(mistakes.iter().any(|what| what.starts_with("the `:` after")), "{mistakes:?}");
    assert!(mistakes.iter().any(|what| what.starts_with("`tcp/x`")), "{mistakes:?}");
    fs::remove_file(folder.path("h")).expect("removed");
    let mistakes = told(examine(&folder.path("p.toml")).expect("read"));
    assert!(mistakes.iter().any(|what| what.starts_with("the group `dbs`")), "{mistakes:?}");
}

#[test]
fn a_group_that_lost_its_last_member_is_not_broken() {
    let folder = Folder::new();
    let file = folder.open();
    folder.write("g", "dbs:\n");
    let loaded = changed(&file);
    assert!(loaded.people.groups.values().all(std::collections::BTreeSet::is_empty));
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn other_people_files_are_followed() {
    let folder = Folder::new();
    let file = folder.open();
    folder.write("other", "maria:abl0JrMf6tlhw\n");
    folder.write("p.toml", &POLICY.replace("\"h\"", "\"other\""));
    assert_eq!(changed(&file).people.passwords.len(), 1);
    folder.write("other", PASSWORDS);
    assert_eq!(changed(&file).people.passwords.len(), 2);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new();
    fs::remove_file(folder.path("h")).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(folder.path("h")).status().expect("mkfifo");
    assert!(made.success());
    let begun = Instant::now();
    let error = load(&folder.path("p.toml")).expect_err("no policy");
    assert!(
        matches!(&error, LoadError::Mistakes { mistakes, .. } if mistakes.iter().any(|it| it.what.ends_with("it is not a regular file"))),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// A file that does not answer, as on a network that broke off; until it answers again.
mod hanging {
    use std::sync::{Condvar, Mutex};

    use super::*;

    static HANGS: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();

    pub(super) fn set(hangs: bool) {
        *HANGS.lock().expect("a lock") = hangs;
        CHANGED.notify_all();
    }

    pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        drop(CHANGED.wait_while(HANGS.lock().expect("a lock"), |hangs| *hangs).expect("a lock"));
        super::read(path, most)
    }
}

#[test]
fn a_file_that_does_not_answer_delays_none_of_the_others() {
    let folder = Folder::new();
    folder.write("g", "dbs: jon maria\n");
    let file = folder.open();
    // What the newest no longer names stays taken away, also when nobody can read that any more.
    folder.write("g", "dbs: jon maria\nleads: maria\n");
    folder.write("p.toml", &POLICY.replace("\"dbs\"", "\"dbs\", \"leads\""));
    changed(&file);
    folder.write("p.toml", &POLICY.replace("\"dbs\"", "\"leads\"").replace("tcp/1", "tcp/x"));
    changed(&file);
    assert_eq!(members(&file), ["maria"]);

    file.read_policy_by(hanging::read);
    hanging::set(true);
    folder.write("g", "dbs: jon maria\nleads:\n");
    let begun = Instant::now();
    changed(&file);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(members(&file), [""; 0]);
    let told = file.mistakes().into_iter().map(|mistake| mistake.what).collect::<Vec<_>>();
    assert_eq!(
        told.first().map(String::as_str),
        Some("cannot read the policy: it did not answer within 400 ms")
    );
    // It is not waited for again, and what changes meanwhile is taken in.
    let begun = Instant::now();
    unchanged(&file);
    folder.write("h", "maria:abl0JrMf6tlhw\n");
    assert_eq!(changed(&file).people.passwords.len(), 1);
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());

    folder.write("p.toml", POLICY);
    hanging::set(false);
    let begun = Instant::now();
    while !file.mistakes().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", file.mistakes());
        file.refresh();
    }
    assert_eq!(members(&file), ["maria"]);
}
