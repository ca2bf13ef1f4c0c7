//! Apache's own reading of generated password and group files against ours: who signs in, and who is in which group.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use doorward::people::password::verify;
use doorward_core::policy::people::{self, People};
use doorward_core::policy::{Group, Person};
use libtest_mimic::{Failed, Trial};

use crate::need::{Need, find, trial, wanted};

pub fn trials() -> Vec<Trial> {
    let needs = [Need::Apache, Need::Htpasswd];
    vec![
        trial("apache: generated files are read as Apache reads them", &needs, generated),
        trial("apache: the files of the report are read as Apache reads them", &needs, reported),
        trial("apache: where we differ, and how", &needs, differences),
    ]
}

const PASSWORD: &str = "hello";
/// SHA-1 of it.
const SHA: &str = "{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=";
const MODULES: &str = "/usr/lib/apache2/modules";

/// A password file and a group file.
struct Files {
    passwords: Vec<u8>,
    groups: Vec<u8>,
}

/// Apache on loopback, with a place for each pair of files and for each group of it.
struct Apache {
    process: Child,
    port: u16,
    connection: Option<BufReader<TcpStream>>,
    _folder: tempfile::TempDir,
}

impl Drop for Apache {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Apache {
    fn new(files: &[Files], groups: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        // A server that root starts reads them as somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut text = configuration(folder.path(), port)?;
        for (number, files) in files.iter().enumerate() {
            let path = |kind: &str| folder.path().join(format!("{number}.{kind}"));
            fs::write(path("htpasswd"), &files.passwords)?;
            fs::write(path("groups"), &files.groups)?;
            let basic = format!(
                "AuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile {}\nAuthGroupFile {}\n",
                path("htpasswd").display(),
                path("groups").display()
            );
            writeln!(text, "<Location \"/{number}/in/\">\n{basic}Require valid-user\n</Location>")?;
            for (index, group) in groups.iter().enumerate() {
                writeln!(
                    text,
                    "<Location \"/{number}/{index}/\">\n{basic}Require group \"{group}\"\n</Location>"
                )?;
            }
        }
        let path = folder.path().join("apache.conf");
        fs::write(&path, text)?;
        let program = find("apache2").ok_or("apache2 is gone")?;
        // One process in the foreground.
        let process = Command::new(program)
            .args(["-X", "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut apache = Self { process, port, connection: None, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > Duration::from_secs(30) || apache.process.try_wait()?.is_some() {
                let log = apache._folder.path().join("error.log");
                return Err(format!(
                    "Apache does not serve: {}",
                    fs::read_to_string(log).unwrap_or_default()
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(apache)
    }

    /// Whether somebody with the right password gets at a place.
    fn lets_in(&mut self, place: &str, name: &[u8]) -> Result<bool, Failed> {
        match self.status(place, name) {
            // A connection that Apache had closed is opened again.
            Err(_) => {
                self.connection = None;
                self.status(place, name)
            }
            known => known,
        }
    }

    fn status(&mut self, place: &str, name: &[u8]) -> Result<bool, Failed> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                none.insert(BufReader::new(stream))
            }
        };
        let mut proof = name.to_vec();
        proof.extend_from_slice(format!(":{PASSWORD}").as_bytes());
        let proof = base64::engine::general_purpose::STANDARD.encode(proof);
        let request = format!("GET {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {proof}\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let status: u16 = line.split(' ').nth(1).ok_or("no status")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        connection.read_exact(&mut vec![0; length])?;
        match status {
            // Nothing is there, for who may look.
            404 => Ok(true),
            401 => Ok(false),
            other => Err(format!("Apache answers {other}").into()),
        }
    }
}

fn configuration(folder: &Path, port: u16) -> Result<String, Failed> {
    let folder = folder.display();
    let mut text = format!(
        "ServerRoot {folder}\nDocumentRoot {folder}\nPidFile {folder}/pid\nErrorLog {folder}/error.log\nLogLevel crit\n\
         ServerName localhost\nListen 127.0.0.1:{port}\nUser nobody\nGroup nogroup\nMaxKeepAliveRequests 0\n\
         KeepAliveTimeout 60\nAddDefaultCharset Off\n"
    );
    for module in [
        "mpm_prefork",
        "auth_basic",
        "authn_core",
        "authn_file",
        "authz_core",
        "authz_user",
        "authz_groupfile",
    ] {
        writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so")?;
    }
    Ok(text)
}

/// Numbers that are the same for the same seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).expect("a number")).expect("a number")
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const NAMES: [&[u8]; 20] = [
    b"jon",
    b"lee",
    b"ann",
    b"john smith",
    "j\u{f6}rg".as_bytes(),
    b"a.b@example.org",
    b"x'y",
    b"\"q",
    b"back\\slash",
    b"two\\\\slashes",
    b"a",
    b"a,",
    b"a,b",
    b"JON",
    b"n#1",
    b"#no",
    b"ren\xe9",
    b"tab\tname",
    b"end ",
    b"\\",
];
const GROUPS: [&str; 5] = ["dbs", "ops", "two words", "gr\u{fc}n", "x#y"];
const ENDS: [&[u8]; 12] = [
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\\\n",
    b" \\\r\n",
    b"\\\\\n",
    b"\n\n",
    b"\0 junk\n",
    b" \t\x0b\n",
    b"\r\r\n",
];
const LEADS: [&[u8]; 6] = [b"", b"", b"", b" ", b"\t ", b"\x0b"];

/// Files of odd lines. Commas among members are read on purpose otherwise, and are left out but in names that are there.
fn files(chance: &mut Chance, hashes: &[String]) -> Files {
    let good: Vec<&[u8]> = hashes.iter().map(String::as_bytes).collect();
    let mut passwords = Vec::new();
    for _ in 0..3 + chance.below(8) {
        let name = chance.one(&NAMES);
        passwords.extend_from_slice(chance.one(&LEADS));
        match chance.below(10) {
            0 => passwords.extend_from_slice(chance.one::<[u8]>(&[b"# note", b"#", b"", b"no colon", name])),
            _ => {
                passwords.extend_from_slice(name);
                passwords.extend_from_slice(chance.one::<[u8]>(&[b":", b":", b":", b"::", b":\t", b":::"]));
                let hash = chance.one(&good);
                let cut = &hash[..hash.len() - 1];
                passwords.extend_from_slice(chance.one::<[u8]>(&[b"", b"", b"", b"", b"", b"!", b"*", b" "]));
                passwords.extend_from_slice(chance.one::<[u8]>(&[
                    hash,
                    hash,
                    hash,
                    hash,
                    cut,
                    b"",
                    b"x",
                    b"*0",
                    b"$argon2id$v=19$m=1$a$b",
                    b"hello",
                ]));
                passwords.extend_from_slice(chance.one::<[u8]>(&[b"", b"", b"", b":third", b" :x", b":a:b"]));
            }
        }
        passwords.extend_from_slice(chance.one(&ENDS));
    }
    let mut groups = Vec::new();
    for _ in 0..2 + chance.below(6) {
        groups.extend_from_slice(chance.one(&LEADS));
        if chance.below(8) == 0 {
            groups.extend_from_slice(chance.one::<[u8]>(&[b"# dbs: jon", b"#", b"", b"dbs jon", b": jon"]));
        } else {
            groups.extend_from_slice(chance.one(&GROUPS).as_bytes());
            groups.extend_from_slice(chance.one::<[u8]>(&[b":", b":", b": ", b" : ", b"::", b":\t"]));
            for _ in 0..chance.below(6) {
                groups.extend_from_slice(&member(chance));
                groups.extend_from_slice(chance.one::<[u8]>(&[
                    b" ",
                    b" ",
                    b"  ",
                    b"\t",
                    b"\\\n",
                    b" \\\r\n ",
                    b"",
                ]));
            }
        }
        groups.extend_from_slice(chance.one(&ENDS));
    }
    Files { passwords, groups }
}

/// A name as somebody might write it into a group file: as it is, in either kind of quotation marks, or wrong.
fn member(chance: &mut Chance) -> Vec<u8> {
    let name = chance.one(&NAMES[..12]);
    let quote = *chance.one::<[u8; 1]>(&[b"\"", b"'"]);
    match chance.below(5) {
        0 => [&quote[..], name, &quote].concat(),
        1 => [&quote[..], name].concat(),
        2 => {
            let mut written = quote.to_vec();
            for byte in name {
                if *byte == quote[0] || *byte == b'\\' {
                    written.push(b'\\');
                }
                written.push(*byte);
            }
            [written, quote.to_vec()].concat()
        }
        _ => name.to_vec(),
    }
}

/// The same question to both, for everybody who might be there. How many were let in, by both.
fn compare(apache: &mut Apache, number: usize, files: &Files, names: &[&[u8]]) -> Result<usize, Failed> {
    let (people, _) = people::read(&files.passwords, "h", &files.groups, "g");
    let told = || {
        format!(
            "passwords:\n{}\ngroups:\n{}",
            String::from_utf8_lossy(&files.passwords).escape_debug(),
            String::from_utf8_lossy(&files.groups).escape_debug()
        )
    };
    let mut both = 0;
    for name in names {
        let shown = String::from_utf8_lossy(name);
        let person: Option<Person> = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
        let theirs = apache.lets_in(&format!("/{number}/in/"), name)?;
        let ours = person.as_ref().is_some_and(|person| signs_in(&people, person));
        // A name that is none here signs nobody in, whatever Apache does.
        if ours != (theirs && person.is_some()) {
            return Err(format!("`{shown}`: Apache says {theirs}, we say {ours}\n{}", told()).into());
        }
        both += usize::from(ours);
        let Some(person) = person else { continue };
        for (index, group) in GROUPS.iter().enumerate() {
            let theirs = apache.lets_in(&format!("/{number}/{index}/"), name)?;
            let group: Group = group.parse()?;
            let ours = ours && people.in_any(&person, [&group]);
            // What a comma parts is more lenient, and never less.
            let lenient = ours && files.groups.contains(&b',');
            if ours != theirs && !lenient {
                let what = format!("`{shown}` in `{group}`: Apache says {theirs}, we say {ours}");
                return Err(format!("{what}\n{}", told()).into());
            }
            both += usize::from(ours);
        }
    }
    Ok(both)
}

fn signs_in(people: &People, person: &Person) -> bool {
    people.passwords.get(person).is_some_and(|hash| verify(hash, PASSWORD))
}

fn generated() -> Result<(), Failed> {
    let mut hashes = vec![SHA.to_owned()];
    let program = find("htpasswd").ok_or("htpasswd is gone")?;
    for kind in [&["-B", "-C", "4"][..], &["-m"], &["-d"], &["-2", "-r", "1000"], &["-5", "-r", "1000"]] {
        let output = Command::new(&program).args(kind).args(["-n", "-b", "x", PASSWORD]).output()?;
        let line = String::from_utf8(output.stdout)?;
        let hash = line.trim().strip_prefix("x:").ok_or("no hash")?;
        hashes.push(hash.to_owned());
    }
    let seed = wanted("DOORWARD_APACHE_SEED", 20_261_129_u64);
    let mut chance = Chance(seed.max(1));
    let all: Vec<Files> =
        (0..wanted("DOORWARD_APACHE_FILES", 120)).map(|_| files(&mut chance, &hashes)).collect();
    let mut apache = Apache::new(&all, &GROUPS)?;
    let mut both = 0;
    for (number, files) in all.iter().enumerate() {
        both += compare(&mut apache, number, files, &NAMES).map_err(|error| {
            format!("seed {seed}, files {number}: {}", error.message().unwrap_or_default())
        })?;
    }
    // Files in which nobody is would agree, too.
    assert!(both * 4 > all.len(), "{both} of {} files", all.len());
    Ok(())
}

/// What shops reported: each of these was refused, or read otherwise.
fn reported() -> Result<(), Failed> {
    let people =
        format!("jon:{SHA}\nlee:{SHA}\nrichard:{SHA}\njohn smith:{SHA}\nann:{SHA}\nj\u{f6}rg:{SHA}\n");
    let files = |passwords: &str, groups: &str| Files { passwords: passwords.into(), groups: groups.into() };
    let all = [
        files(&people.replace('\n', "\r\n"), "dbs: jon lee\r\nops: ann\r\n"),
        files(&people, "dbs: jon\nops: lee\ndbs: lee\n"),
        files(&people, "dbs: \"john smith\" 'ann' \"j\u{f6}rg\"\n"),
        files(&people, "dbs: richard\\\njon\nops: jon\\\n lee\n"),
        files(&people.replace("jon:", "jon:!"), "dbs: jon lee\n"),
        files(&format!("jon:*\n{people}lee:!\n"), "dbs: jon lee\n"),
        files(&format!("no colon\nann:$argon2id$x\n{people}"), "dbs: ann lee\ndbs jon\n"),
    ];
    let mut apache = Apache::new(&all, &GROUPS)?;
    for (number, files) in all.iter().enumerate() {
        assert!(compare(&mut apache, number, files, &NAMES)? > 0, "{number}");
    }
    Ok(())
}

/// What is read otherwise on purpose: commas part members, and a line that is too long for Apache ends no file.
fn differences() -> Result<(), Failed> {
    let files =
        |passwords: String, groups: &str| Files { passwords: passwords.into(), groups: groups.into() };
    let long = |bytes: usize| format!("ann:{}\njon:{SHA}\n", "x".repeat(bytes - "ann:".len()));
    let all = [
        files(format!("jon:{SHA}\nlee:{SHA}\n"), "dbs: jon, lee\n"),
        files(format!("jon:{SHA}\njon,:{SHA}\n"), "dbs: jon, lee\n"),
        files(long(8_190), ""),
        files(long(8_191), ""),
    ];
    let mut apache = Apache::new(&all, &GROUPS)?;
    let mut check =
        |number: usize, place: &str, name: &str, theirs: bool, ours: bool| -> Result<(), Failed> {
            assert_eq!(
                apache.lets_in(&format!("/{number}/{place}/"), name.as_bytes())?,
                theirs,
                "{number} {name}"
            );
            let (people, _) = people::read(&all[number].passwords, "h", &all[number].groups, "g");
            let person: Person = name.parse()?;
            let group: Group = GROUPS[0].parse()?;
            let mine = signs_in(&people, &person) && (place == "in" || people.in_any(&person, [&group]));
            assert_eq!(mine, ours, "{number} {name}");
            Ok(())
        };
    check(0, "0", "jon", false, true)?;
    check(0, "0", "lee", true, true)?;
    // Where somebody has the comma in their name, they are meant and nobody else.
    check(1, "0", "jon", false, false)?;
    check(1, "0", "jon,", true, true)?;
    check(2, "in", "jon", true, true)?;
    check(3, "in", "jon", false, true)?;
    check(3, "in", "ann", false, false)?;
    Ok(())
}
