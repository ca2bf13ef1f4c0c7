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
        set_password(&link, &person("jon"), HASH, ExpectedPerson::Known),
        Err(FileError::Mistakes { .. })
    ));
    fs::write(&real, format!("# ours\njon:{HASH}")).expect("written");
    assert!(!set_password(&link, &person("maria"), HASH, ExpectedPerson::New).expect("set"));
    assert_eq!(fs::read_to_string(&real).expect("read"), format!("# ours\njon:{HASH}\nmaria:{HASH}\n"));
    assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o604);
    assert!(link.is_symlink());
    assert_eq!(names(folder.path()), ["people.htpasswd", "real"]);
}

#[test]
fn a_file_is_made_only_for_somebody_new() {
    let folder = folder();
    let path = folder.path().join("people.htpasswd");
    let known = set_password(&path, &person("jon"), HASH, ExpectedPerson::Known);
    assert!(matches!(known, Err(FileError::Unreadable { .. })));
    assert!(set_password(&path, &person("jon"), HASH, ExpectedPerson::New).expect("made"));
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o027, 0, "not for everybody");
    symlink("nowhere", folder.path().join("link")).expect("a link");
    let nowhere = set_password(&folder.path().join("link"), &person("jon"), HASH, ExpectedPerson::New);
    assert!(matches!(nowhere, Err(FileError::Unreadable { .. })));
}

#[test]
fn groups_are_joined_and_left() {
    let folder = folder();
    let path = folder.path().join("people.groups");
    fs::write(&path, "dbs: richard, jon\nops: jon\n").expect("written");
    let read = || fs::read_to_string(&path).expect("read");
    let both = [person("maria"), person("jon"), person("maria")];
    assert_eq!(join(&path, &group("dbs"), &both, false, &|_| false).expect("joined"), [person("maria")]);
    assert_eq!(read(), "dbs: richard, jon, maria\nops: jon\n");
    let wrong = join(&path, &group("db"), &both, false, &|_| false).expect_err("no such group");
    assert!(matches!(wrong, FileError::NoGroup { meant: Some(meant), .. } if meant == "dbs"));
    assert!(matches!(join(&path, &group("dbs"), &both, true, &|_| false), Err(FileError::GroupThere { .. })));
    assert_eq!(leave_all(&path, &person("jon"), &|_| false).expect("left"), [group("dbs"), group("ops")]);
    assert_eq!(read(), "dbs: richard, maria\nops:\n");
    assert_eq!(leave(&path, &group("dbs"), &[person("jon")], &|_| false).expect("left"), []);
    join(&path, &group("leads"), &[person("maria")], true, &|_| false).expect("made");
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
    assert_eq!(leave(&groups, &group("dbs"), &[person("jon")], &|_| false).expect("left"), [person("jon")]);
    assert_eq!(leave_all(&groups, &person("jon"), &|_| false).expect("left"), [group("leads")]);
    assert_eq!(fs::read_to_string(&groups).expect("read"), "ops jon\ndbs:\nleads:\ndbs: lee\n");
    let new = set_password(&passwords, &person("lee"), HASH, ExpectedPerson::New);
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
                set_password(path, &person(&format!("p{number}")), HASH, ExpectedPerson::New).expect("set");
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).expect("read").lines().count(), 16);
}

#[test]
fn a_byte_that_is_no_utf_8_holds_back_no_edit_of_another_line() {
    let folder = folder();
    let (people, all) = (folder.path().join("people.htpasswd"), folder.path().join("people.groups"));
    let passwords = |jon: &str, maria: bool| {
        let maria = if maria { format!("maria:{HASH}\n") } else { String::new() };
        [b"# M\xfcller\n".as_slice(), format!("jon:{jon}{HASH}\n{maria}").as_bytes(), b"m\xfcller:x\n"]
            .concat()
    };
    fs::write(&people, passwords("", true)).expect("written");
    assert!(set_locked(&people, &person("jon"), true).expect("locked"));
    assert_eq!(fs::read(&people).expect("read"), passwords("!", true));
    assert!(remove_person(&people, &person("maria")).expect("removed"));
    assert_eq!(fs::read(&people).expect("read"), passwords("!", false));
    // Of a comment nobody says anything, so that it holds back no addition either.
    fs::write(&people, [b"# M\xfcller\n".as_slice(), format!("jon:{HASH}\n").as_bytes()].concat())
        .expect("written");
    set_password(&people, &person("maria"), HASH, ExpectedPerson::New).expect("added");
    let added = [b"# M\xfcller\n".as_slice(), format!("jon:{HASH}\nmaria:{HASH}\n").as_bytes()].concat();
    assert_eq!(fs::read(&people).expect("read"), added);
    assert!(set_password(&people, &person("lee"), HASH, ExpectedPerson::New).is_ok());
    fs::write(&all, b"# \xfc\ndbs: jon m\xfcller maria\nops: jon\n").expect("written");
    assert_eq!(leave(&all, &group("dbs"), &[person("maria")], &|_| false).expect("left").len(), 1);
    assert_eq!(leave_all(&all, &person("jon"), &|_| false).expect("left").len(), 2);
    assert_eq!(fs::read(&all).expect("read"), b"# \xfc\ndbs: m\xfcller\nops:\n");
    assert!(matches!(
        join(&all, &group("dbs"), &[person("jon")], false, &|_| false),
        Err(FileError::Mistakes { .. })
    ));
    // What stands for such bytes is nothing that a file may have beside them.
    let private = "# \u{10f8fc}\njon:x\n";
    fs::write(&people, private).expect("written");
    assert!(set_locked(&people, &person("jon"), true).is_err());
    assert_eq!(fs::read_to_string(&people).expect("read"), private);
}
