//! Apache's two files: read whole, wrong in every way, and edited.

use proptest::prelude::*;

use super::*;

const HASH: &str = "abl0JrMf6tlhw";

/// The mistakes of two files, as they are printed.
fn check(passwords: &[u8], groups: &[u8], expected: &[&str]) {
    let (people, mistakes) = read(passwords, "h", groups, "g");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected);
    assert_eq!(people.is_some(), !mistakes.iter().any(Mistake::is_error));
}

fn person(name: &str) -> Person {
    name.parse().expect("a person")
}

fn group(name: &str) -> Group {
    name.parse().expect("a group")
}

#[test]
fn both_files_are_read_as_apache_does() {
    let passwords = format!("# ours\n\n  jon:{HASH}\nrichard:{HASH}:a third field \nrené:{HASH}  \n");
    let groups = "# groups\ndbs: richard, jon\nops:jon\trené\nall: jon \\\n  richard,\\\nrené\nempty:\n";
    let people = People::parse(passwords.as_bytes(), "h", groups.as_bytes(), "g").expect("people");
    assert_eq!(people.passwords.len(), 3);
    let members =
        |name: &str| people.groups[&group(name)].iter().map(Person::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(members("dbs"), "jon richard");
    assert_eq!(members("ops"), "jon rené");
    assert_eq!(members("all"), "jon rené richard");
    assert_eq!(members("empty"), "");
}

#[test]
fn empty_files_are_nobody() {
    check(b"", b"", &[]);
}

const UNDERSTOOD: &str = "understood are bcrypt (`$2y$`), `$apr1$`, `$1$`, `$5$`, `$6$`, `{SHA}` and crypt(3)'s 13 characters; `doorward user passwd jon` sets a new password";

#[test]
fn passwords_that_are_none() {
    check(
        b"jon:$argon2id$v=19$x",
        b"",
        &[&format!(
            "h:1:5: the password of `jon`: `$argon2id$` is a kind of hash that is not understood\n  hint: {UNDERSTOOD}"
        )],
    );
    check(
        b"\n jon:hunter2",
        b"",
        &[&format!(
            "h:2:6: the password of `jon`: this is no hash that is understood; a password in plain text is refused\n  hint: {UNDERSTOOD}"
        )],
    );
    check(
        b"jon",
        b"",
        &[
            "h:1:1: there is no `:` behind the name\n  hint: a line is `NAME:HASH`, as `doorward user add NAME` writes it",
        ],
    );
    check(b"jon doe:x", b"", &["h:1:1: `jon doe` has a space, which a name cannot have"]);
    check(b":x", b"", &["h:1:1: a name cannot be empty"]);
}

#[test]
fn everything_at_once() {
    let passwords = format!("jon:{HASH}\nmaria\njon:{HASH}\n");
    check(
        passwords.as_bytes(),
        b"dbs: jon\ndbs: jon\nops jon\n",
        &[
            "h:2:1: there is no `:` behind the name\n  hint: a line is `NAME:HASH`, as `doorward user add NAME` writes it",
            "h:3:1: `jon` is here a second time; the first is on line 1\n  hint: take one of the two lines away; Apache believes the first",
            "g:2:1: the group `dbs` is here a second time; the first is on line 1\n  hint: put all of its members on one line",
            "g:3:1: there is no `:` behind the group's name\n  hint: a line is `GROUP: NAME NAME`",
        ],
    );
}

#[test]
fn a_member_without_a_password_is_told_of() {
    check(
        format!("richard:{HASH}\n").as_bytes(),
        b"dbs: richrd maria\n",
        &[
            "g:1:6: warning: `richrd`, in the group `dbs`, is not in h\n  hint: did you mean `richard`?",
            "g:1:13: warning: `maria`, in the group `dbs`, is not in h\n  hint: `doorward user add maria` gives them a password",
        ],
    );
}

#[test]
fn files_of_another_kind() {
    check(
        format!("jon:{HASH}\r\nmaria:{HASH}\r\n").as_bytes(),
        b"dbs: jon\r\n",
        &[
            "h:1:18: the line ends in CR LF, as on Windows\n  hint: `dos2unix h` makes every line end in LF",
            "g:1:9: the line ends in CR LF, as on Windows\n  hint: `dos2unix g` makes every line end in LF",
        ],
    );
    check(
        format!("jon:{HASH}\nren\u{e9}:{HASH}\n").as_bytes(),
        b"dbs: jon ren\xe9\n",
        &[
            "g:1:13: the byte 0xE9 is not UTF-8\n  hint: if the file is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 g` writes it as UTF-8",
        ],
    );
    check(b"a\0b:c", b"", &["h:1:2: a NUL byte is in this line, so it is no text file of Apache's"]);
    check(
        b"\xef\xbb\xbf# ours\n",
        b"",
        &[
            "h:1:1: the file begins with a byte order mark, which Apache takes for a part of the name\n  hint: `dos2unix h` takes it away",
        ],
    );
    check("x".repeat(9_000).as_bytes(), b"", &["h:1:1: this line has 9000 bytes, and 8192 are the most"]);
}

#[test]
fn a_password_line_is_edited_and_nothing_else() {
    let text = "# ours\n  jon:old:third field\nmaria:old\n\n# end";
    let with = |name: &str| passwords::with(text, &person(name), "new").expect("edited");
    assert_eq!(with("jon"), "# ours\n  jon:new:third field\nmaria:old\n\n# end");
    assert_eq!(with("maria"), "# ours\n  jon:old:third field\nmaria:new\n\n# end");
    assert_eq!(with("richard"), format!("{text}\nrichard:new\n"));
    assert_eq!(passwords::without(text, &person("jon")).as_deref(), Some("# ours\nmaria:old\n\n# end"));
    assert_eq!(passwords::without(text, &person("nobody")), None);
    assert_eq!(passwords::with("", &person("jon"), "new").as_deref(), Ok("jon:new\n"));
}

#[test]
fn a_group_line_is_edited_and_nothing_else() {
    fn add(text: &str, name: &str, who: &str, expected: &str) {
        assert_eq!(groups::with(text, &group(name), &person(who)).as_deref(), Ok(expected));
    }
    fn remove(text: &str, name: &str, who: &str, expected: Option<&str>) {
        assert_eq!(groups::without(text, &group(name), &person(who)).as_deref(), expected);
    }
    add("dbs: richard, jon\n", "dbs", "maria", "dbs: richard, jon, maria\n");
    add("dbs: richard jon  \n", "dbs", "maria", "dbs: richard jon maria  \n");
    add("dbs:\n", "dbs", "maria", "dbs: maria\n");
    add("a: x, y\ndbs: jon\n", "dbs", "maria", "a: x, y\ndbs: jon, maria\n");
    add("dbs: jon\n", "dbs", "jon", "dbs: jon\n");
    add("# c\ndbs: jon", "ops", "maria", "# c\ndbs: jon\nops: maria\n");
    add("dbs: jon \\\n  richard\nops: x\n", "dbs", "maria", "dbs: jon \\\n  richard maria\nops: x\n");
    remove("dbs: richard, jon, maria\n", "dbs", "jon", Some("dbs: richard, maria\n"));
    remove("dbs: richard, jon\n", "dbs", "richard", Some("dbs: jon\n"));
    remove("dbs: richard, jon\n", "dbs", "jon", Some("dbs: richard\n"));
    remove("dbs: jon\n", "dbs", "jon", Some("dbs:\n"));
    remove("dbs: jon x jon\n", "dbs", "jon", Some("dbs: x\n"));
    remove("dbs: jon \\\n  richard\n", "dbs", "richard", Some("dbs: jon\n"));
    remove("dbs: jon \\\n  richard\n", "dbs", "jon", Some("dbs: richard\n"));
    remove("dbs: jon\n", "dbs", "jo", None);
    remove("dbs: jon\n", "ops", "jon", None);
}

#[test]
fn a_name_that_would_read_otherwise_is_not_written() {
    for name in ["#jon", "\"jon", "jon\\", "\u{feff}jon"] {
        assert!(passwords::with("", &person(name), HASH).is_err(), "{name}");
        assert!(groups::with("", &group("dbs"), &person(name)).is_err(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), other in "[a-z:, \\\\\\n#\\r\\x00é]{0,100}") {
        let _ = read(&bytes, "h", other.as_bytes(), "g");
        let _ = read(other.as_bytes(), "h", &bytes, "g");
    }

    /// Whatever name can be written is read again, everything else of the file stays, and taking the name away
    /// gives the file as it was.
    #[test]
    fn what_is_written_is_read(name in "[^:,\\s\\p{Cc}]{1,15}", lines in "(# c[a-z ]{0,9}\n|[a-z]{1,4}x:abl0JrMf6tlhw\n|\n){0,5}") {
        let person = person(&name);
        let Ok(edited) = passwords::with(&lines, &person, HASH) else { return Ok(()) };
        let read = passwords::read(edited.as_bytes(), "h");
        prop_assert_eq!(read.hashes.get(&person).cloned(), HASH.parse().ok());
        if !passwords::read(lines.as_bytes(), "h").named.contains_key(&person) {
            prop_assert!(edited.starts_with(&lines));
            prop_assert_eq!(passwords::without(&edited, &person), Some(lines));
        }
    }

    #[test]
    fn a_member_comes_and_goes(name in "[^:,\\s\\p{Cc}]{1,15}", members in "([a-w]{1,4}(,| |, | \\\\\n )){0,5}", end in "(y\n|\n|# c\n)?") {
        let text = format!("# first\ndbs: {members}{end}");
        let (person, dbs) = (person(&name), group("dbs"));
        let before = groups::read(text.as_bytes(), "g");
        prop_assume!(before.mistakes.is_empty());
        let Ok(edited) = groups::with(&text, &dbs, &person) else { return Ok(()) };
        let after = groups::read(edited.as_bytes(), "g");
        let mut expected = before.members[&dbs].clone();
        let was = !expected.insert(person.clone());
        prop_assert_eq!(&after.members[&dbs], &expected);
        let gone = groups::without(&edited, &dbs, &person).expect("a member");
        expected.remove(&person);
        prop_assert_eq!(&groups::read(gone.as_bytes(), "g").members[&dbs], &expected);
        prop_assert!(was || edited.len() > text.len());
    }
}
