//! Apache's two files: read whole, wrong in every way, and edited.

use proptest::prelude::*;

use super::*;

const HASH: &str = "abl0JrMf6tlhw";

/// The mistakes of two files, as they are printed.
fn check(passwords: &[u8], groups: &[u8], expected: &[&str]) {
    let (_, mistakes) = read(passwords, "h", groups, "g");
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected);
}

/// Who of a password file can sign in.
fn there(passwords: &[u8]) -> Vec<String> {
    passwords::read(passwords, "h").hashes.into_keys().map(String::from).collect()
}

/// The groups of a group file, each with its members.
fn members(groups: &[u8]) -> Vec<String> {
    let of = |(group, members): (Group, BTreeSet<Person>)| {
        let members: Vec<&str> = members.iter().map(Person::as_str).collect();
        format!("{group}: {}", members.join("|"))
    };
    groups::read(groups, "g").members.into_iter().map(of).collect()
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

const UNDERSTOOD: &str = "the supported hashes are bcrypt (`$2y$`), `$apr1$`, `$1$`, `$5$`, `$6$`, `{SHA}` and crypt(3)'s 13 characters; set a new password with `doorward user passwd jon`";

#[test]
fn passwords_that_are_none() {
    check(
        b"jon:$argon2id$v=19$x",
        b"",
        &[&format!(
            "h:1:5: warning: the password of `jon`: `$argon2id$` is an unsupported kind of password hash\n  hint: {UNDERSTOOD}"
        )],
    );
    check(
        b"\n jon:hunter2",
        b"",
        &[&format!(
            "h:2:6: warning: the password of `jon`: unsupported password hash; a password in plain text is refused\n  hint: {UNDERSTOOD}"
        )],
    );
    check(
        b"jon",
        b"",
        &[
            "h:1:1: the `:` after the name is missing\n  hint: a line is `NAME:HASH`, as `doorward user add NAME` writes it",
        ],
    );
    check(
        b"jon\tdoe:x",
        b"",
        &["h:1:1: `jon\tdoe` has the control character '\\t', which a name cannot have"],
    );
    check(b"jon :x", b"", &["h:1:1: `jon ` begins or ends with white space, which a name cannot"]);
    check(b":x", b"", &["h:1:1: a name cannot be empty"]);
}

#[test]
fn a_hash_that_no_password_matches_locks_that_person_and_nobody_else() {
    for hash in
        ["!", "*", "x", "", "!$2y$05$x", "*LK*", "$argon2id$v=19$x", "$2y$05$short", "hunter2", "{SSHA}x"]
    {
        let text = format!("lee:{HASH}\njon:{hash}\nmaria:{HASH}\njon:{HASH}\n");
        assert_eq!(there(text.as_bytes()), ["lee", "maria"], "{hash}");
        let (people, mistakes) = read(text.as_bytes(), "h", b"dbs: jon lee\n", "g");
        assert!(!mistakes.iter().any(Mistake::is_error), "{mistakes:?}");
        assert_eq!(mistakes.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [2, 4], "{hash}");
        assert!(
            !people.in_any(&person("jon"), [&group("dbs")]) && people.in_any(&person("lee"), [&group("dbs")])
        );
    }
    check(
        format!("jon:!{HASH}").as_bytes(),
        b"",
        &[
            "h:1:5: warning: `jon` is locked: no password matches `!…`\n  hint: unlock them with `doorward user unlock jon`",
        ],
    );
    check(
        b"jon:!$2y$05$x",
        b"",
        &[
            "h:1:5: warning: `jon` is locked: no password matches `!…`\n  hint: `doorward user passwd jon` sets a new password",
        ],
    );
}

#[test]
fn the_first_line_of_a_name_counts() {
    assert_eq!(there(format!("jon\njon:{HASH}\n").as_bytes()), Vec::<String>::new());
    assert_eq!(there(format!("jon:{HASH}\njon:!\n").as_bytes()), ["jon"]);
    assert_eq!(there(format!("jon:a\0\njon:{HASH}\n").as_bytes()), Vec::<String>::new());
    assert_eq!(there(format!("jon:{HASH}\0 junk\nlee\0:{HASH}\n").as_bytes()), ["jon"]);
    let long = format!("jon:{}\njon:{HASH}\nlee:{HASH}", "x".repeat(9_000));
    assert_eq!(there(long.as_bytes()), ["lee"]);
    // Several colons are one, as `ap_getword` has it.
    assert_eq!(there(format!("jon::{HASH}\n lee:::{HASH}:x\n").as_bytes()), ["jon", "lee"]);
    // What continues a comment is a comment.
    assert_eq!(
        there(format!("# jon\\\njon:{HASH}\nlee\\\n:{HASH}\njohn smith:{HASH}").as_bytes()),
        ["john smith", "lee"]
    );
}

#[test]
fn members_are_those_of_apache() {
    assert_eq!(members(b"dbs: jon\r\nops: a\r\ndbs : lee\r\n"), ["dbs: jon|lee", "ops: a"]);
    assert_eq!(members("q: \"john smith\" 'ann' \"jörg\"".as_bytes()), ["q: ann|john smith|jörg"]);
    assert_eq!(members(b"q: \"a\"b 'c\"d' \"e\\\"f\" g\\\\h \"i\\j\" \"k"), ["q: a|b|c\"d|e\"f|g\\h|i\\j|k"]);
    assert_eq!(members(b"c: richard\\\njon\nd: a\\\n b\n"), ["c: richardjon", "d: a|b"]);
    assert_eq!(members(b"two words:: a:b lee\nx\ny:"), ["two words: lee", "y: "]);
    assert_eq!(members(b"dbs: jon ren\xe9 lee\n"), ["dbs: jon|lee"]);
}

#[test]
fn a_quotation_mark_that_is_not_closed_is_told_of() {
    let told = |groups: &[u8]| {
        let (_, mistakes) = read(format!("jon:{HASH}\n").as_bytes(), "h", groups, "g");
        mistakes.iter().map(|mistake| mistake.without_hint()).collect::<Vec<_>>()
    };
    let expected =
        "g:1:6: warning: the quotation mark is not closed, so the rest of the line is one name, as in Apache";
    assert_eq!(told(b"dbs: \"jon\n"), [expected]);
    assert_eq!(told(b"dbs: 'jon\n"), [expected]);
    assert_eq!(told(b"dbs: \"jon\"\n"), Vec::<String>::new());
}

#[test]
fn a_comma_parts_members_unless_somebody_is_named_so() {
    assert_eq!(members(b"dbs: a, b ,c,d \"e, f\""), ["dbs: a|b|c|d|e, f"]);
    let passwords = format!("a:{HASH}\na,:{HASH}\nb:{HASH}\n");
    let (people, _) = read(passwords.as_bytes(), "h", b"dbs: a, b\n", "g");
    let dbs: Vec<&str> = people.groups[&group("dbs")].iter().map(Person::as_str).collect();
    assert_eq!(dbs, ["a,", "b"], "as Apache has it: `a` was not meant");
}

#[test]
fn everything_at_once() {
    let passwords = format!("jon:{HASH}\nmaria\njon:{HASH}\n");
    check(
        passwords.as_bytes(),
        b"dbs: jon\ndbs: jon\nops jon\n",
        &[
            "h:2:1: the `:` after the name is missing\n  hint: a line is `NAME:HASH`, as `doorward user add NAME` writes it",
            "h:3:1: warning: `jon` is defined twice; the first is on line 1\n  hint: remove one of the two lines; the first is used, as in Apache",
            "g:3:1: the `:` after the name of the group is missing\n  hint: a line is `GROUP: NAME NAME`",
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
            "g:1:13: warning: `maria`, in the group `dbs`, is not in h\n  hint: add them with `doorward user add maria`",
        ],
    );
}

#[test]
fn files_of_another_kind() {
    check(format!("jon:{HASH}\r\nmaria:{HASH}\r\n").as_bytes(), b"dbs: jon\r\n", &[]);
    check(
        format!("jon:{HASH}\nren\u{e9}:{HASH}\n").as_bytes(),
        b"dbs: jon ren\xe9\n",
        &[
            "g:1:13: the byte 0xE9 is not UTF-8\n  hint: if the file is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 g` writes it as UTF-8",
        ],
    );
    check(b"a\0b:c", b"", &["h:1:2: this line has a NUL byte, so this is not a text file of Apache"]);
    check(
        b"\xef\xbb\xbf# ours\n",
        b"",
        &[
            "h:1:1: the file begins with a byte order mark, which Apache reads as a part of the name\n  hint: remove it with `dos2unix h`",
        ],
    );
    check("x".repeat(9_000).as_bytes(), b"", &["h:1:1: this line has 9000 bytes, and the limit is 8190"]);
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
    assert_eq!(
        passwords::with("a:b\r\njon:c \r\n", &person("jon"), "new").as_deref(),
        Ok("a:b\r\njon:new\r\n")
    );
    assert_eq!(passwords::with("a:b\r\n", &person("jon"), "new").as_deref(), Ok("a:b\r\njon:new\r\n"));
    assert_eq!(passwords::with("# a\\", &person("jon"), "new").as_deref(), Ok("# a\\\n\njon:new\n"));
    assert_eq!(passwords::with("jon\nx", &person("jon"), "new").as_deref(), Ok("jon:new\nx"));
    let twice = "jon:a\nmaria:b\njon:c\n";
    assert_eq!(
        passwords::without(twice, &person("jon")).as_deref(),
        Some("maria:b\n"),
        "the second counts not"
    );
}

#[test]
fn a_group_line_is_edited_and_nothing_else() {
    fn add(text: &str, name: &str, who: &str, expected: &str) {
        assert_eq!(groups::with(text, &group(name), &person(who), &|_| false).as_deref(), Ok(expected));
    }
    fn remove(text: &str, name: &str, who: &str, expected: Option<&str>) {
        assert_eq!(groups::without(text, &group(name), &person(who), &|_| false).as_deref(), expected);
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
    add("dbs: jon\n", "dbs", "john smith", "dbs: jon \"john smith\"\n");
    add("dbs: jon\r\nx: y\r\n", "ops", "a\\b, c", "dbs: jon\r\nx: y\r\nops: \"a\\\\b, c\"\r\n");
    add("dbs: a\ndbs: b\n", "dbs", "b", "dbs: a\ndbs: b\n");
    add("# c \\\n", "dbs", "jon", "# c \\\n\ndbs: jon\n");
    add("dbs: \"jon", "dbs", "lee", "dbs: jon lee\n");
    remove("dbs: jon \"john smith\"\n", "dbs", "john smith", Some("dbs: jon\n"));
    remove("dbs: a jon\nops: jon\ndbs: 'jon' b\n", "dbs", "jon", Some("dbs: a\nops: jon\ndbs: b\n"));
    // What would read otherwise once the name is gone is written anew.
    remove("dbs: x \"jon\"b\n", "dbs", "jon", Some("dbs: b x\n"));
    remove("dbs: jon,\"y z\"\n", "dbs", "jon", Some("dbs: \"\\\"y\" \"z\\\"\"\n"));
    remove("dbs: richard\\\njon lee\n", "dbs", "richardjon", Some("dbs: lee\n"));
}

#[test]
fn a_name_that_would_read_otherwise_is_not_written() {
    for name in ["#jon", "\"jon", "jon\\", "\u{feff}jon"] {
        assert!(passwords::with("", &person(name), HASH).is_err(), "{name}");
        assert!(groups::with("", &group("dbs"), &person(name), &|_| false).is_err(), "{name}");
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
    fn what_is_written_is_read(name in "[^:\\s\\p{Cc}]([^:\\p{Cc}]{0,13}[^:\\s\\p{Cc}])?", lines in "(# c[a-z ]{0,9}\n|[a-z]{1,4}x:abl0JrMf6tlhw\r?\n|\n){0,5}") {
        let person = person(&name);
        let Ok(edited) = passwords::with(&lines, &person, HASH) else { return Ok(()) };
        let read = passwords::read(edited.as_bytes(), "h");
        prop_assert_eq!(read.hashes.get(&person).cloned(), HASH.parse().ok());
        if !passwords::read(lines.as_bytes(), "h").named.contains_key(&person) {
            prop_assert!(edited.starts_with(&lines));
            prop_assert_eq!(passwords::without(&edited, &person), Some(lines));
        }
    }

    /// A line that is wrong changes nothing of what the others say.
    #[test]
    fn a_mistake_in_one_line_concerns_that_line(
        wrong in "wrong(:[^\\n\\\\]{0,20})?|[^\\n\\\\:]{1,20}x\u{1}|:[a-z]{0,9}",
        at in 0..4_usize,
    ) {
        let passwords = ["jon:abl0JrMf6tlhw", "# c", "lee:!", "maria:abl0JrMf6tlhw\r"];
        let groups = ["dbs: jon 'lee'", "ops: maria", "# c", "dbs: maria\r"];
        let with = |lines: [&str; 4]| {
            let mut lines = lines.to_vec();
            lines.insert(at, &wrong);
            lines.join("\n")
        };
        let (good, _) = read(passwords.join("\n").as_bytes(), "h", groups.join("\n").as_bytes(), "g");
        let (mut read, _) = read(with(passwords).as_bytes(), "h", with(groups).as_bytes(), "g");
        read.passwords.remove(&person("wrong"));
        read.groups.retain(|group, _| good.groups.contains_key(group));
        prop_assert_eq!(read, good);
    }

    #[test]
    fn a_member_comes_and_goes(
        name in "[^:\\s\\p{Cc}]([^:\\p{Cc}]{0,13}[^:\\s\\p{Cc}])?",
        members in "([a-w]{1,4}(,| |, | \\\\\n |\\\\\n)|\"[a-w ,'\\\\]{1,5}[a-w]\"( |,|)|'[a-w]\" ?){0,5}",
        end in "(y\n|\n|# c\n|y\r\ndbs: z 'y'\nops: y\n)?",
    ) {
        let text = format!("# first\ndbs: {members}{end}");
        let (person, dbs) = (person(&name), group("dbs"));
        let before = groups::read(text.as_bytes(), "g");
        prop_assume!(before.mistakes.is_empty());
        let Ok(edited) = groups::with(&text, &dbs, &person, &|_| false) else { return Ok(()) };
        let after = groups::read(edited.as_bytes(), "g");
        let mut expected = before.members[&dbs].clone();
        let was = !expected.insert(person.clone());
        prop_assert_eq!(&after.members[&dbs], &expected);
        let gone = groups::without(&edited, &dbs, &person, &|_| false).expect("a member");
        expected.remove(&person);
        prop_assert_eq!(&groups::read(gone.as_bytes(), "g").members[&dbs], &expected);
        prop_assert!(!was || edited == text);
    }
}

/// The names that are suggested for two that are missing, in a file with so many people.
fn suggested(people: usize) -> usize {
    let passwords: String = (0..people).map(|number| format!("p{number}:abl0JrMf6tlhw\n")).collect();
    let (_, mistakes) = read(passwords.as_bytes(), "h", b"dbs: p0x p1x\n", "g");
    mistakes
        .iter()
        .filter(|mistake| mistake.hint.as_deref().is_some_and(|hint| hint.contains("mean")))
        .count()
}

#[test]
fn a_long_file_is_not_searched_for_what_may_have_been_meant() {
    assert_eq!(suggested(10), 2);
    // Each name that is missing is compared with each that is there; the second would be too much.
    assert_eq!(suggested(15_000), 1);
    assert_eq!(suggested(25_000), 0);
}

#[test]
fn an_edit_reads_names_with_commas_as_the_password_file_has_them() {
    let there_is = |name: &str| matches!(name, "a,b" | "a" | "b" | "jon");
    let check = |text: &str, who: &str, expected: Option<&str>| {
        let edited = groups::without(text, &group("dbs"), &person(who), &there_is);
        assert_eq!(edited.as_deref(), expected, "{who} of {text}");
    };
    check("dbs: a,b\n", "a", None);
    check("dbs: a,b\n", "a,b", Some("dbs:\n"));
    check("dbs: a,b jon\n", "jon", Some("dbs: a,b\n"));
    check("dbs: jon,a\n", "jon", Some("dbs: a\n"));
    let with = groups::with("dbs: a,b\n", &group("dbs"), &person("jon"), &there_is).expect("written");
    let members = groups::read_beside(with.as_bytes(), "g", &there_is).members;
    assert_eq!(members[&group("dbs")], [person("a,b"), person("jon")].into());
}
