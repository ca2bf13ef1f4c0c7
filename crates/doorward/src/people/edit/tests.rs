//! The people files after an edit, and after many at once.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const HASH: &str = "abl0JrMf6tlhw";

fn person(name: &str) -> Person {
    name.parse().expect("a person")
}

fn group(name: &str) -> Group {
    name.parse().expect("a group")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn mode_and_link_stay_and_nothing_is_left_behind() {
    let folder = folder();
    let real = folder.path().join("real");
    let link = folder.path().join("people.htpasswd");
    fs::write(&real, "# ours\njon").expect("written");
    fs::write(folder.path().join(".real.doorward-new"), "of a killed process").expect("written");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o604)).expect("a mode");
    symlink("real", &link).expect("a link");
    assert!(matches!(
        set_password(&link, &person("jon"), HASH, Whose::Known),
        Err(FileError::Mistakes { .. })
    ));
    fs::write(&real, format!("# ours\njon:{HASH}")).expect("written");
    assert!(!set_password(&link, &person("maria"), HASH, Whose::New).expect("set"));
    assert_eq!(fs::read_to_string(&real).expect("read"), format!("# ours\njon:{HASH}\nmaria:{HASH}\n"));
    assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o604);
    assert!(link.is_symlink());
    assert_eq!(names(folder.path()), ["people.htpasswd", "real"]);
}

#[test]
fn a_file_is_made_only_for_somebody_new() {
    let folder = folder();
    let path = folder.path().join("people.htpasswd");
    let known = set_password(&path, &person("jon"), HASH, Whose::Known);
    assert!(matches!(known, Err(FileError::Unreadable { .. })));
    assert!(set_password(&path, &person("jon"), HASH, Whose::New).expect("made"));
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o027, 0, "not for everybody");
    symlink("nowhere", folder.path().join("link")).expect("a link");
    let nowhere = set_password(&folder.path().join("link"), &person("jon"), HASH, Whose::New);
    assert!(matches!(nowhere, Err(FileError::Unreadable { .. })));
}

#[test]
fn groups_are_joined_and_left() {
    let folder = folder();
    let path = folder.path().join("people.groups");
    fs::write(&path, "dbs: richard, jon\nops: jon\n").expect("written");
    let read = || fs::read_to_string(&path).expect("read");
    let both = [person("maria"), person("jon"), person("maria")];
    assert_eq!(join(&path, &group("dbs"), &both, false).expect("joined"), [person("maria")]);
    assert_eq!(read(), "dbs: richard, jon, maria\nops: jon\n");
    let wrong = join(&path, &group("db"), &both, false).expect_err("no such group");
    assert!(matches!(wrong, FileError::NoGroup { meant: Some(meant), .. } if meant == "dbs"));
    assert!(matches!(join(&path, &group("dbs"), &both, true), Err(FileError::GroupThere { .. })));
    assert_eq!(leave_all(&path, &person("jon")).expect("left"), [group("dbs"), group("ops")]);
    assert_eq!(read(), "dbs: richard, maria\nops:\n");
    assert_eq!(leave(&path, &group("dbs"), &[person("jon")]).expect("left"), []);
    join(&path, &group("leads"), &[person("maria")], true).expect("made");
    assert_eq!(read(), "dbs: richard, maria\nops:\nleads: maria\n");
}

#[test]
fn a_mistake_in_another_line_holds_nobody_in() {
    let folder = folder();
    let (passwords, groups) = (folder.path().join("people.htpasswd"), folder.path().join("people.groups"));
    fs::write(&passwords, format!("no colon\njon:{HASH}\njon:{HASH}\n")).expect("written");
    fs::write(&groups, "ops jon\ndbs: jon\nleads: jon\ndbs: lee 'jon'\n").expect("written");
    assert!(remove_person(&passwords, &person("jon")).expect("removed"));
    assert_eq!(fs::read_to_string(&passwords).expect("read"), "no colon\n");
    assert_eq!(leave(&groups, &group("dbs"), &[person("jon")]).expect("left"), [person("jon")]);
    assert_eq!(leave_all(&groups, &person("jon")).expect("left"), [group("leads")]);
    assert_eq!(fs::read_to_string(&groups).expect("read"), "ops jon\ndbs:\nleads:\ndbs: lee\n");
    let new = set_password(&passwords, &person("lee"), HASH, Whose::New);
    assert!(
        matches!(new, Err(FileError::Mistakes { .. })),
        "nobody is let in by a file that is not understood"
    );
}

#[test]
fn many_at_once_lose_nobody() {
    let folder = folder();
    let path = folder.path().join("people.htpasswd");
    std::thread::scope(|scope| {
        for number in 0..16 {
            let path = &path;
            scope.spawn(move || {
                set_password(path, &person(&format!("p{number}")), HASH, Whose::New).expect("set");
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).expect("read").lines().count(), 16);
}
