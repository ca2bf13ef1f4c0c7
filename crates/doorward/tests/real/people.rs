//! Apache's own `htpasswd` against ours: each tries what the other wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use doorward::people::password::verify;
use doorward_core::policy::people::passwords;
use doorward_core::policy::{HashKind, Person};
use libtest_mimic::{Failed, Trial};

use crate::need::{Need, find, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("people::what_htpasswd_writes_is_verified", &[Need::Htpasswd], what_htpasswd_writes),
        trial("people::what_we_write_htpasswd_verifies", &[Need::Htpasswd], what_we_write),
    ]
}

/// Passwords that go through a command line, a terminal and a file; DES takes the first eight characters.
const PASSWORDS: [&str; 4] = ["hello", "correct horse battery staple", "pässwört: ✓", "x"];

fn htpasswd(arguments: &[&str]) -> Result<Output, Failed> {
    let program = find("htpasswd").ok_or("htpasswd is gone")?;
    Ok(Command::new(program).args(arguments).stdin(Stdio::null()).output()?)
}

fn what_htpasswd_writes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let kinds = [
        ("bcrypt", &["-B", "-C", "5"][..], HashKind::Bcrypt),
        ("apr1", &["-m"], HashKind::Apr1),
        ("sha1", &["-s"], HashKind::Sha1),
        ("des", &["-d"], HashKind::DesCrypt),
        ("sha256", &["-2"], HashKind::Sha256Crypt),
        ("sha256-rounds", &["-2", "-r", "1234"], HashKind::Sha256Crypt),
        ("sha512", &["-5"], HashKind::Sha512Crypt),
    ];
    let file = folder.path().join("htpasswd");
    fs::write(&file, "# by Apache\n")?;
    let path = file.to_str().ok_or("a path that is no text")?;
    for (name, options, _) in kinds {
        for (index, password) in PASSWORDS.iter().enumerate() {
            let person = format!("{name}-{index}");
            let output = htpasswd(&[options, &["-b", path, &person, password]].concat())?;
            if !output.status.success() {
                return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
        }
    }
    let read = passwords::read(&fs::read(&file)?, path);
    assert_eq!(read.mistakes, Vec::new());
    assert_eq!(read.hashes.len(), kinds.len() * PASSWORDS.len());
    for (name, _, kind) in kinds {
        for (index, password) in PASSWORDS.iter().enumerate() {
            let person: Person = format!("{name}-{index}").parse()?;
            let hash = read.hashes.get(&person).ok_or("a person is missing")?;
            assert_eq!(hash.kind(), kind, "{person}");
            assert!(verify(hash, password), "{person}");
            assert!(!verify(hash, &format!("not {password}")), "{person}");
        }
    }
    Ok(())
}

/// The built program in a folder with a policy, and its password file.
fn doorward(folder: &Path, arguments: &[&str], password: &str) -> Result<Output, Failed> {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DOORWARD_POLICY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{password}")?;
    }
    Ok(child.wait_with_output()?)
}

fn succeed(output: &Output) -> Result<(), Failed> {
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }
}

fn what_we_write() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file: PathBuf = folder.path().join("people.htpasswd");
    let path = file.to_str().ok_or("a path that is no text")?;
    fs::write(
        folder.path().join("doorward.toml"),
        "[people]\npasswords = \"people.htpasswd\"\ngroups = \"people.groups\"\n",
    )?;
    fs::write(folder.path().join("people.groups"), "")?;
    fs::write(&file, "# ours, and a blank line\n\n")?;
    succeed(&htpasswd(&["-b", "-m", path, "jon", "of-apache"])?)?;
    // The least that Doorward sets is ten characters.
    const SET: [&str; 4] = ["hello again", "correct horse battery staple", "pässwört: ✓", "x marks the spot"];
    let short = doorward(folder.path(), &["user", "add", "p0", "--stdin"], "hello")?;
    assert_eq!(short.status.code(), Some(65));
    assert!(
        String::from_utf8_lossy(&short.stderr)
            .contains("the password has 5 characters, at least 10 are required")
    );
    for (index, password) in SET.iter().enumerate() {
        succeed(&doorward(folder.path(), &["user", "add", &format!("p{index}"), "--stdin"], password)?)?;
    }
    let tried = |person: &str, password: &str| {
        htpasswd(&["-v", "-b", path, person, password]).map(|output| output.status.success())
    };
    for (index, password) in SET.iter().enumerate() {
        assert!(tried(&format!("p{index}"), password)?, "p{index}");
        assert!(!tried(&format!("p{index}"), "something else")?, "p{index}");
    }
    assert!(tried("jon", "of-apache")?);
    succeed(&doorward(folder.path(), &["user", "passwd", "jon", "--stdin"], "new and longer")?)?;
    assert!(tried("jon", "new and longer")? && !tried("jon", "of-apache")?);
    succeed(&doorward(folder.path(), &["user", "lock", "p1"], "")?)?;
    assert!(!tried("p1", SET[1])? && tried("p2", SET[2])?, "locked for Apache as well, and nobody else is");
    succeed(&doorward(folder.path(), &["user", "unlock", "p1"], "")?)?;
    assert!(tried("p1", SET[1])?);
    succeed(&doorward(folder.path(), &["user", "remove", "p0"], "")?)?;
    assert!(!tried("p0", "hello again")?);
    // Apache's program changes and removes lines of the file that we wrote, and we read what it leaves.
    succeed(&htpasswd(&["-b", "-B", path, "p1", "by apache"])?)?;
    succeed(&htpasswd(&["-D", path, "p2"])?)?;
    let text = fs::read_to_string(&file)?;
    assert!(text.starts_with("# ours, and a blank line\n\njon:$2y$"), "{text}");
    let read = passwords::read(text.as_bytes(), path);
    assert_eq!(read.mistakes, Vec::new());
    let names: Vec<&str> = read.hashes.keys().map(Person::as_str).collect();
    assert_eq!(names, ["jon", "p1", "p3"]);
    let hash = read.hashes.get(&"p1".parse::<Person>()?);
    assert!(hash.is_some_and(|hash| verify(hash, "by apache")));
    Ok(())
}
