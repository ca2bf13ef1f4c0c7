//! Without a server: `open` stays until it is told to end, its time is up, or somebody else closes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use crate::bad_days::{recorded, whole};
use crate::desk::{Desk, Started, Wiki, said, start};
use crate::grants::{HOURS, descriptions, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, find, trial};
use crate::server::House;

const REGION: &str = "us-east-1";
const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];
const LASTS: &str = "lasts = { usually = \"10m\", at-most = \"1h\" }";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("local: Ctrl-C, SIGTERM and a lost terminal close, and say so", &[], told_to_end),
        trial("local: the end of its time ends it", &[], time_up),
        trial("local: on a terminal it counts down, and Ctrl-C closes", &[Need::Script], terminal),
        trial("local: nobody who reads is no reason to stop", &[], unread),
        trial("local: two at once, each its own", &[Need::Moto], two),
        trial("local: beside a server of the same store", &[Need::Moto], beside_a_server),
        trial("local: what is opened while a server looks stays", &[Need::Moto], while_it_looks),
        trial("local: beside a server that has the relay", &[], beside_a_relay),
        trial("local: told to end while AWS is silent", &[Need::Moto], silent),
        trial("local: closing nothing, and what is not there", &[], nothing),
    ]
}

fn open<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["open", "wiki", "--as", "jon", "--address", "127.0.0.1"], more].concat()
}

/// Begins to hold a grant, and returns once it says that it is open.
fn hold(house: &House, arguments: &[&str]) -> Started {
    held(&mut house.doorward(arguments))
}

fn held(command: &mut std::process::Command) -> Started {
    let mut held = start(command);
    let mut line = String::new();
    // Byte by byte, so that the rest stays in the pipe.
    let (pipe, mut byte) = (held.0.stdout.as_mut().expect("a pipe"), [0]);
    while !line.ends_with('\n') && pipe.read(&mut byte).expect("a byte") == 1 {
        line.push(char::from(byte[0]));
    }
    if !line.contains(" is open for ") {
        panic!("{line}{:?}", held.ends());
    }
    held
}

fn told_to_end() -> Result<(), Failed> {
    for name in ["INT", "TERM", "HUP"] {
        let wiki = Wiki::new(LASTS);
        let house = House::new(&GROUPS, &wiki.policy);
        let held = hold(&house, &open(&[]));
        assert!(wiki.lets_in(), "{name}");
        let mut live = TcpStream::connect(wiki.door)?;
        assert!(wiki.lets_in(), "{name}");
        held.signal(name);
        let said = held.ends();
        said.is(0, &["at its end"], &[" to wiki is revoked: 1 open connection was cut\n"]);
        assert_eq!(said.err.lines().filter(|line| !line.contains(" INFO ")).count(), 1, "{said:?}");
        live.set_read_timeout(Some(Duration::from_secs(2)))?;
        let cut = live.read(&mut [0; 1]);
        assert!(
            cut.as_ref().is_ok_and(|read| *read == 0)
                || cut.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
        );
        assert!(!wiki.lets_in(), "{name}");
        assert_eq!(recorded(&house, "revoked by jon"), 1);
        whole(&house);
    }
    Ok(())
}

fn time_up() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let begun = Instant::now();
    let held = hold(&house, &open(&["--for", "2s"]));
    assert!(wiki.lets_in());
    held.ends().is(0, &["at its end"], &[" to wiki has ended (expired): open connections are cut\n"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(recorded(&house, ": expired"), 1);
    // Somebody is taken from the group meanwhile.
    let held = hold(&house, &open(&[]));
    house.write_people(&[("staff", &["maria"]), ("rest", &["jon"])]);
    held.ends().is(0, &["at its end"], &[" to wiki has ended (no longer allowed: "]);
    // With --json the answer is one object, and the rest goes to standard error.
    house.write_people(&GROUPS);
    let (code, out, err) = house.run(&open(&["--for", "1s", "--json"]));
    assert_eq!(code, 0, "{err}");
    let answer: serde_json::Value = serde_json::from_str(&out)?;
    assert_eq!((&answer["grant"]["state"], &answer["closing"]), (&"open".into(), &"severs".into()));
    whole(&house);
    Ok(())
}

fn terminal() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let typed = house.doorward(&open(&["--for", "9m"]));
    let line: Vec<&str> = std::iter::once(typed.get_program())
        .chain(typed.get_args())
        .map(|word| word.to_str().expect("a word"))
        .collect();
    let mut command = std::process::Command::new(find("script").ok_or("no script")?);
    // `exec`, or the exit code is that of whichever shell `script` finds: dash says 130 of its own Ctrl-C.
    command.args(["-qefc", &format!("exec {}", line.join(" ")), "/dev/null"]).current_dir(house.folder());
    command.env("DOORWARD_POLICY", house.policy()).env("XDG_CONFIG_HOME", house.folder());
    let mut started = start(command.stdin(Stdio::piped()));
    eventually("the door is open", || wiki.lets_in());
    std::thread::sleep(Duration::from_millis(1200));
    let mut keyboard = started.0.stdin.take().ok_or("no keyboard")?;
    keyboard.write_all(b"\x03")?;
    let said = started.ends();
    assert_eq!(said.code, 0, "{said:?}");
    for words in [
        "wiki is open for 127.0.0.1/32",
        "\r\x1b[2Kwiki open for 9m more; Ctrl-C revokes it",
        "wiki open for 8m 59s more",
        " to wiki is revoked: ",
    ] {
        assert!(said.out.contains(words), "no {words:?} in {said:?}");
    }
    assert!(!wiki.lets_in());
    whole(&house);
    Ok(())
}

fn unread() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    // Whoever read both went away, as behind `2>&1 | head -1`.
    let mut held = hold(&house, &open(&[]));
    drop((held.0.stdout.take(), held.0.stderr.take()));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(wiki.lets_in());
    held.signal("INT");
    assert_eq!(held.ends().code, 0);
    assert_eq!(recorded(&house, "revoked by jon"), 1);
    assert!(!wiki.lets_in());

    // So with a server whose log nobody takes: it goes on, and closes at the end.
    let mut server = start(&mut house.doorward(&["serve"]));
    drop((server.0.stdout.take(), server.0.stderr.take()));
    let jon = Desk::new(&house, "jon");
    let url = format!("http://{}", house.listen);
    eventually("jon signs in", || {
        jon.type_in(&["login", &url, "--stdin"], crate::server::PASSWORD).code == 0
    });
    jon.run(&["open", "wiki", "--for", "2s"]).is(0, &["wiki is open"], &[]);
    // What is logged meets nobody.
    std::fs::write(house.folder().join("people.groups"), "nonsense\n")?;
    eventually("its end is met", || !wiki.lets_in());
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    server.signal("TERM");
    assert_eq!(server.ends().code, 0);
    house.write_people(&GROUPS);

    // Commands that print much end quietly.
    for verb in [
        "list --as jon",
        "completions bash",
        "audit export",
        "audit list",
        "check",
        "open --help",
        "user list",
    ] {
        let program = env!("CARGO_BIN_EXE_doorward");
        let line = format!("set -o pipefail; {program} {verb} | head -n 1");
        let output = std::process::Command::new("bash")
            .args(["-c", &line])
            .env("DOORWARD_POLICY", house.policy())
            .env("XDG_CONFIG_HOME", house.folder())
            .output()?;
        let said = said(output);
        assert_eq!((said.code, said.out.lines().count()), (0, 1), "{verb}: {said:?}");
        assert!(!said.err.contains("panicked") && !said.err.contains("error"), "{verb}: {said:?}");
    }
    Ok(())
}

fn stands(moto: &Moto, group: &str, person: &str, target: &str) -> bool {
    let words = format!(" {person} to {target} ");
    descriptions(moto, REGION, group).iter().any(|text| text.contains(&words))
}

fn aws_house(name: &str) -> (std::sync::Arc<Moto>, Vec<String>, House) {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 2, name);
    let house = House::new(&[("dbs", &["jon", "maria"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    (moto, groups, house)
}

fn to(target: &'static str, person: &'static str, address: &'static str) -> [&'static str; 6] {
    ["open", target, "--as", person, "--address", address]
}

fn two() -> Result<(), Failed> {
    let (moto, groups, house) = aws_house("two");
    let first = hold(&house, &to("db-0", "jon", "203.0.113.7"));
    let second = hold(&house, &to("db-0", "maria", "203.0.113.8"));
    let third = hold(&house, &to("db-1", "jon", "203.0.113.7"));
    std::thread::sleep(Duration::from_secs(2));
    let all = || {
        (
            stands(&moto, &groups[0], "jon", "db-0"),
            stands(&moto, &groups[0], "maria", "db-0"),
            stands(&moto, &groups[1], "jon", "db-1"),
        )
    };
    assert_eq!(all(), (true, true, true), "none undoes what another did");
    first.signal("INT");
    first.ends().is(
        0,
        &["at its end"],
        &[" to db-0 is revoked: new connections are refused; one that is already open may live on\n"],
    );
    assert_eq!(all(), (false, true, true));
    third.signal("INT");
    third.ends().is(0, &["at its end"], &[" to db-1 is revoked"]);
    second.signal("TERM");
    second.ends().is(0, &["at its end"], &[" to db-0 is revoked"]);
    assert_eq!(all(), (false, false, false));
    assert_eq!(recorded(&house, "corrected clients-"), 0, "what another opened is no drift");
    whole(&house);
    Ok(())
}

fn beside_a_server() -> Result<(), Failed> {
    let (moto, groups, house) = aws_house("beside");
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    // What is opened beside it is the server's to keep and to close.
    let (code, out, err) =
        house.run(&[&to("db-0", "jon", "203.0.113.7")[..], &["--for", "5s", "--detach"]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let begun = Instant::now();
    jon.run(&["list"]).is(0, &["db-0", "203.0.113.7/32", "in "], &[]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(stands(&moto, &groups[0], "jon", "db-0"), "the server does not fight it");
    eventually("the server closes it", || !stands(&moto, &groups[0], "jon", "db-0"));
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());

    // What is held beside it can be closed through the server; whoever holds it is told.
    let held = hold(&house, &to("db-1", "jon", "203.0.113.7"));
    jon.run(&["close", "db-1"]).is(0, &["to db-1 is revoked"], &[]);
    assert!(!stands(&moto, &groups[1], "jon", "db-1"));
    held.ends().is(0, &["at its end"], &[" to db-1 is revoked"]);
    drop(server);
    assert_eq!(recorded(&house, "corrected clients-"), 0, "what another opened is no drift");
    whole(&house);
    Ok(())
}

fn while_it_looks() -> Result<(), Failed> {
    use crate::faulty::{Fault, Faulty};
    let (moto, groups, house) = aws_house("looks");
    let faulty = Faulty::before(moto.port());
    let house = house.with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "db-1"]).is(0, &["db-1 is open"], &[]);
    // The server decides, and its look takes long. Meanwhile another Doorward of its store opens.
    let looks = || faulty.requests().iter().filter(|body| body.contains("DescribeSecurityGroups")).count();
    let before = looks();
    faulty.breaks("DescribeSecurityGroups", 1, Fault::Silence);
    let closes = start(&mut jon.command(&["close", "db-1"]));
    eventually("the server looks", || looks() > before);
    let mut command = house.doorward(&to("db-0", "maria", "203.0.113.8"));
    let held = held(command.env("AWS_ENDPOINT_URL", moto.url()));
    eventually("it looks again", || looks() > before + 1);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(stands(&moto, &groups[0], "maria", "db-0"), "the server took it away");
        std::thread::sleep(Duration::from_millis(20));
    }
    held.signal("INT");
    held.ends().is(0, &["at its end"], &[" to db-0 is revoked"]);
    closes.ends();
    drop(server);
    let (_, record, _) = house.run(&["audit", "list", "--json", "--limit", "1000"]);
    assert!(!record.contains("drift-righted"), "{record}");
    whole(&house);
    Ok(())
}

fn beside_a_relay() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    // The server carries what the command opens, and the command says what became of it.
    let beside = hold(&house, &open(&[]));
    assert!(wiki.lets_in());
    beside.signal("INT");
    beside.ends().is(0, &["at its end"], &[" to wiki is revoked"]);
    assert!(!wiki.lets_in());
    assert_eq!(recorded(&house, "revoked by jon"), 1);
    let (code, out, err) = house.run(&open(&["--for", "4s", "--detach"]));
    assert!(code == 0 && out.contains("wiki is open for 127.0.0.1/32"), "{code}: {out}{err}");
    assert!(wiki.lets_in(), "it outlives the command");
    eventually("its time is up", || !wiki.lets_in());

    // Whoever is left takes over.
    let held = hold(&house, &open(&["--for", "10m"]));
    server.kill();
    eventually("the command carries it", || wiki.lets_in());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["list"]).is(0, &["wiki", "127.0.0.1/32"], &[]);
    assert!(wiki.lets_in());
    jon.run(&["close", "wiki"]).is(0, &["to wiki is revoked"], &[]);
    assert!(!wiki.lets_in());
    held.ends().is(0, &["at its end"], &[" to wiki is revoked"]);
    jon.run(&["open", "wiki"]).is(0, &["wiki is open"], &[]);
    eventually("the server carries it again", || wiki.lets_in());
    drop(server);
    whole(&house);
    Ok(())
}

fn silent() -> Result<(), Failed> {
    use crate::faulty::{Fault, Faulty};
    let moto = Moto::shared();
    let group = new_groups(&moto, 1, "silent").remove(0);
    let faulty = Faulty::before(moto.port());
    let policy = policy(std::slice::from_ref(&group), HOURS);
    let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&faulty.url());
    // The rule is made, and AWS says so to nobody: Ctrl-C, and it has to go again.
    faulty.breaks("AuthorizeSecurityGroupIngress", 1, Fault::Silence);
    let early = start(&mut house.doorward(&to("db-0", "jon", "203.0.113.7")));
    eventually("it is asked of AWS", || {
        faulty.requests().iter().any(|body| body.contains("AuthorizeSecurityGroupIngress"))
    });
    early.signal("INT");
    early.ends().is(130, &[], &[" to db-0 is revoked", "error: interrupted while it was being opened\n"]);
    assert!(!stands(&moto, &group, "jon", "db-0"));

    // What could not be let in yet is held on to: it is let in when AWS says yes, and closed at the end.
    faulty.breaks("AuthorizeSecurityGroupIngress", usize::MAX, Fault::denied());
    let mut held = start(&mut house.doorward(&to("db-0", "jon", "203.0.113.7")));
    let mut err = BufReader::new(held.0.stderr.take().ok_or("no pipe")?);
    let mut told = String::new();
    while !told.contains(" is not open yet: its firewall does not admit it yet: ") {
        assert_ne!(err.read_line(&mut told)?, 0, "{told}");
    }
    faulty.mends();
    eventually("it is let in", || stands(&moto, &group, "jon", "db-0"));
    held.signal("INT");
    assert_eq!(held.ends().code, 0);
    assert!(!stands(&moto, &group, "jon", "db-0"));
    whole(&house);
    Ok(())
}

fn nothing() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let (code, out, err) = house.run(&open(&["--detach"]));
    assert_eq!((code, out.as_str()), (64, ""), "{err}");
    for words in
        ["`wiki` is behind the relay `door`, and no server runs it", "leave out `--detach`", "doorward serve"]
    {
        assert!(err.contains(words), "{err}");
    }
    let (code, out, err) = house.run(&["close", "--all", "--as", "jon"]);
    assert_eq!((code, out.as_str()), (0, "You have no open grants.\n"), "{err}");
    let (code, _, err) = house.run(&["close", "wiki", "--as", "jon"]);
    assert!(code == 1 && err.contains("error: you have nothing open to `wiki`\nhint: "), "{code}: {err}");
    let (code, _, err) = house.run(&["close", "g-zzzzzzzzzzzz", "--as", "jon"]);
    assert!(code == 1 && err.contains("there is no grant g-zzzzzzzzzzzz that you may see"), "{code}: {err}");
    let (code, _, err) = house.run(&["close"]);
    assert!(code == 64 && err.contains("Usage: "), "{code}: {err}");
    let (code, out, err) = house.run(&["list", "--as", "nobody"]);
    assert!(code == 1 && err.contains("`nobody` is not in the password file of "), "{out}{err}");
    let (code, out, _) = house.run(&["list", "--as", "jon", "--history"]);
    assert_eq!((code, out.as_str()), (0, "\nThere are no past grants.\n"));
    let (code, _, err) = house.run(&["--policy", "nowhere.toml", "list", "--local"]);
    assert!(
        code == 66
            && err.contains("error: cannot read the policy `nowhere.toml`\n")
            && err.contains("\nhint: name the policy file with `--policy FILE`"),
        "{code}: {err}"
    );
    assert!(!wiki.lets_in());
    Ok(())
}
