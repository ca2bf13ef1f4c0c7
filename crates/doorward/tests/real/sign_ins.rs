//! Signing in to the built program: costly hashes, many guessers, what time tells, sessions, locks and new passwords.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::browser::{Browser, DESK};
use crate::desk::{Desk, Wiki};
use crate::inside::{self, Inside};
use crate::need::{self, Need, trial};
use crate::server::{House, PASSWORD, Server};

const NEW: &str = "four words of my own";
const LASTS: &str = "lasts = { usually = \"10m\", at-most = \"1h\" }";
const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "lee"]), ("ops", &["maria"])];

type Story = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let timed = [
        ("a hash that takes years is reported, never computed and holds nobody up", costly as Story),
        ("sixty guessers of one network hold up nobody in another", guessers),
        ("a neighbour keeps nobody out who signed in before, nor does a restart", neighbour),
        ("a session that is not used ends, also across a restart", idle),
    ];
    let timed = timed.map(|(name, test)| need::timed(&format!("sign-ins: {name}"), &[], test));
    let others: [(&str, &[Need], Story); 5] = [
        // It compares samples that alternate, so that others may run beside it.
        ("the time of a refusal does not tell who there is", &[], times),
        ("who is locked is out, and what they had open is revoked", &[], lock),
        ("a password that an operator replaces revokes what is open, one's own does not", &[], passwords),
        ("sessions are listed and ended from the command line", &[], sessions),
        ("the account's page in a browser", &[Need::Chromium], page),
    ];
    let others = others.map(|(name, needs, test)| trial(&format!("sign-ins: {name}"), needs, test));
    timed.into_iter().chain(others).collect()
}

fn try_in(server: &Server, from: &str, name: &str, password: &str) -> (u16, Value) {
    let body = json!({ "name": name, "password": password });
    server.call_from(from, None, "POST", "/api/v1/sessions", Some(body)).expect("an answer")
}

/// Polls for a while until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not come about");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Adds lines to the password file.
fn add_people(house: &House, lines: &[(&str, &str)]) {
    let path = house.folder().join("people.htpasswd");
    let mut text = fs::read_to_string(&path).expect("passwords");
    text.extend(lines.iter().map(|(name, hash)| format!("{name}:{hash}\n")));
    fs::write(path, text).expect("passwords");
}

fn costly() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let years = [
        ("slow", format!("$2y$31${}", ".".repeat(53))),
        ("slower", format!("$6$rounds=999999999$abc${}", ".".repeat(86))),
        ("slowest", format!("$5$rounds=999999999$abc${}", ".".repeat(43))),
    ];
    let lines: Vec<(&str, &str)> = years.iter().map(|(name, hash)| (*name, hash.as_str())).collect();
    add_people(&house, &lines);
    let (code, out, _) = house.run(&["check"]);
    assert_eq!(code, 65, "{out}");
    for (line, name) in [(4, "slow"), (5, "slower"), (6, "slowest")] {
        assert!(
            out.contains(&format!("people.htpasswd:{line}:1: the password of `{name}` would take")),
            "{out}"
        );
        assert!(out.contains(&format!("hint: `doorward user passwd {name}`")), "{out}");
    }
    let server = house.serve();
    for (name, _) in &years {
        assert_eq!(try_in(&server, "", name, "wrong").0, 401, "{name}");
    }
    let begun = Instant::now();
    assert_eq!(try_in(&server, "", "jon", PASSWORD).0, 201);
    assert!(begun.elapsed() < Duration::from_secs(8), "jon waited {:?}", begun.elapsed());
    assert!(server.log().contains("too costly"), "{}", server.log());
    let begun = Instant::now();
    server.terminate();
    assert!(begun.elapsed() < Duration::from_secs(10), "it ended after {:?}", begun.elapsed());
    Ok(())
}

fn guessers() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.trust_proxies();
    // A hash that costs what new ones do.
    assert_eq!(house_user(&house, &["user", "passwd", "lee", "--stdin"], NEW), 0);
    let server = house.serve();
    let (busy, told) = thread::scope(|scope| {
        let guesser = |number: usize| {
            let server = &server;
            scope.spawn(move || {
                (0..3)
                    .map(|guess| try_in(server, "198.51.100.9", "lee", &format!("{number}-{guess}")).0)
                    .collect::<Vec<_>>()
            })
        };
        let guessers: Vec<_> = (0..60).map(guesser).collect();
        thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        let answer = try_in(&server, "203.0.113.7", "jon", PASSWORD);
        let waited = begun.elapsed();
        let told: Vec<u16> = guessers.into_iter().flat_map(|one| one.join().expect("a guesser")).collect();
        ((answer, waited), told)
    });
    let ((status, answer), waited) = busy;
    assert_eq!(status, 201, "{answer}");
    assert!(waited < Duration::from_secs(8), "jon waited {waited:?}");
    assert!(told.iter().all(|status| matches!(status, 401 | 429 | 503)), "{told:?}");
    assert!(told.iter().filter(|status| **status == 401).count() < 10, "{told:?}");
    Ok(())
}

fn house_user(house: &House, arguments: &[&str], line: &str) -> i32 {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut command = house.doorward(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("doorward runs");
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{line}").expect("a line");
    }
    child.wait().expect("an end").code().unwrap_or(-1)
}

fn times() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.trust_proxies();
    add_people(
        &house,
        &[
            ("boss", &format!("$2y$12${}", ".".repeat(53))),
            ("old", "abl0JrMf6tlhw"),
            ("slow", &format!("$2y$31${}", ".".repeat(53))),
        ],
    );
    let server = house.serve();
    let long = "x".repeat(2000);
    let classes = [
        ("jon", "wrong"),
        ("nobody", "wrong"),
        ("no body", "wrong"),
        ("boss", "wrong"),
        ("old", "wrong"),
        ("slow", "wrong"),
        ("jon", long.as_str()),
        ("nobody", ""),
    ];
    // In turns, so that a machine with much to do is as slow for one as for the others.
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); classes.len()];
    for turn in 0..7 {
        for (class, (name, password)) in classes.iter().enumerate() {
            // Each from a network of its own, so that nobody is held up.
            let from = format!("198.{}.{}.1", 18 + class, turn);
            let begun = Instant::now();
            let (status, answer) = try_in(&server, &from, name, password);
            assert_eq!(status, 401, "{name}: {answer}");
            took[class].push(begun.elapsed());
        }
    }
    let median = |took: &Vec<Duration>| {
        let mut took = took.clone();
        took.sort_unstable();
        took[took.len() / 2]
    };
    let medians: Vec<Duration> = took.iter().map(median).collect();
    let (least, most) = (medians.iter().min().expect("one"), medians.iter().max().expect("one"));
    // The dearest hash takes about as long as half of a refusal; it would be told apart at once.
    assert!(*most - *least < *least / 3, "{medians:?} of {took:?}");
    // Nor does it take another time to be held up.
    for name in ["jon", "nobody", "boss"] {
        let mut held_up = 0;
        for guess in 0..8 {
            let begun = Instant::now();
            let (status, _) = try_in(&server, "192.0.2.1", name, &format!("{guess}"));
            assert!(matches!(status, 401 | 429), "{name}: {status}");
            // A refusal takes so long that the first delays are over when the next try comes.
            held_up += usize::from(status == 429);
            assert!(begun.elapsed() > *least / 2, "{name} {guess}: {:?}", begun.elapsed());
        }
        assert!(held_up > 0, "{name}");
    }
    Ok(())
}

fn neighbour() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let desk = Desk::new(&house, "lee");
    desk.signs_in(&server);
    server.terminate();
    let server = house.serve();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let mallory = scope.spawn(|| {
            let mut guess = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                guess += 1;
                assert_ne!(try_in(&server, "", "lee", &format!("guess-{guess}")).0, 201);
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(12) {
            thread::sleep(Duration::from_secs(2));
            // The machine that signed in before is let in at once.
            let asked = Instant::now();
            desk.signs_in(&server);
            assert!(asked.elapsed() < Duration::from_secs(3), "lee waited {:?}", asked.elapsed());
        }
        // A machine that has nothing to show, of the same network, within some tries.
        let mut let_in = false;
        for _ in 0..10 {
            let_in = let_in || try_in(&server, "", "lee", PASSWORD).0 == 201;
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        mallory.join().expect("mallory");
        assert!(let_in);
    });
    Ok(())
}

fn set_sessions(house: &House, sessions: &str) {
    let text = fs::read_to_string(house.policy()).expect("a policy");
    fs::write(house.policy(), text.replace("store = ", &format!("sessions = {sessions}\nstore = ")))
        .expect("a policy");
}

fn me(server: &Server, token: &str) -> u16 {
    server.call(Some(token), "GET", "/api/v1/me", None).expect("an answer").0
}

fn idle() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    set_sessions(&house, "{ idle = \"4s\" }");
    let server = house.serve();
    let (used, left) = (server.sign_in("jon"), server.sign_in("jon"));
    server.terminate();
    let server = house.serve();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        assert_eq!(me(&server, &used), 200, "it is used, and goes on");
        thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(me(&server, &left), 401);
    assert_eq!(me(&server, &used), 200);
    Ok(())
}

/// Opens the wiki and returns how many grants the person has.
fn open(server: &Server, token: &str) {
    let body = json!({ "target": "wiki" });
    let (status, answer) = server.call(Some(token), "POST", "/api/v1/grants", Some(body)).expect("an answer");
    assert!(status < 300, "{answer}");
}

fn open_grants(server: &Server, operator: &str) -> usize {
    let (_, grants) = server.call(Some(operator), "GET", "/api/v1/grants?all=true", None).expect("an answer");
    grants.as_array().expect("a list").len()
}

fn lock() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria) = (server.sign_in("jon"), server.sign_in("maria"));
    open(&server, &jon);
    assert_eq!(open_grants(&server, &maria), 1);
    assert_eq!(
        house.run(&["user", "lock", "jon"]).1,
        format!("locked `jon` in {}\n", house.folder().join("people.htpasswd").display())
    );
    assert_eq!(house.run(&["user", "lock", "jon"]).1, "`jon` was locked already\n");
    until("the lock", || me(&server, &jon) == 401);
    until("the revocation", || open_grants(&server, &maria) == 0);
    assert_eq!(try_in(&server, "", "jon", PASSWORD).0, 401);
    assert_eq!(me(&server, &maria), 200, "nobody else is concerned");
    let (code, _, err) = house.run(&["user", "lock", "jo"]);
    assert!(code == 65 && err.contains("did you mean `jon`?"), "{err}");
    assert_eq!(house.run(&["user", "unlock", "jon"]).0, 0);
    until("the unlocking", || try_in(&server, "", "jon", PASSWORD).0 == 201);
    assert_eq!(me(&server, &jon), 401, "the old session does not come back");
    Ok(())
}

fn passwords() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (maria, lee) = (server.sign_in("maria"), Desk::new(&house, "lee"));
    lee.signs_in(&server);
    open(&server, &server.sign_in("lee"));
    assert_eq!(open_grants(&server, &maria), 1);
    let changed = lee.type_in(&["password", "--stdin"], &format!("{PASSWORD}\n{NEW}"));
    changed.is(0, &["The password of lee is changed"], &[]);
    lee.run(&["list"]).is(0, &["wiki"], &[]);
    assert_eq!(try_in(&server, "", "lee", PASSWORD).0, 401);
    assert_eq!(try_in(&server, "", "lee", NEW).0, 201);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(open_grants(&server, &maria), 1, "the person's own change revokes nothing");

    assert_eq!(house_user(&house, &["user", "passwd", "lee", "--stdin"], "another four words"), 0);
    until("the revocation", || open_grants(&server, &maria) == 0);
    lee.run(&["list"]).is(77, &[], &["not signed in"]);
    assert_eq!(try_in(&server, "", "lee", "another four words").0, 201);
    Ok(())
}

fn sessions() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.run(&["sessions"]).is(77, &[], &["you are not signed in to a server"]);
    jon.signs_in(&server);
    let other = server.sign_in("jon");
    jon.run(&["sessions"]).is(0, &["SESSION", "LAST USED", "127.0.0.1", "this one"], &[]);
    let list = jon.run(&["sessions", "--json"]);
    let list: Value = serde_json::from_str(&list.out)?;
    for one in list.as_array().ok_or("no list")? {
        for text in ["id", "kind", "since", "from", "used", "used_from", "ends"] {
            assert!(one[text].is_string(), "{text}: {one}");
        }
        assert!(one["current"].is_boolean(), "{one}");
    }
    let gone = list.as_array().and_then(|list| list.iter().find(|one| one["current"] == false));
    let gone = gone.and_then(|one| one["id"].as_str()).ok_or("another session")?;
    jon.run(&["sessions", "--end", gone]).is(0, &[&format!("The session {gone} has ended.\n")], &[]);
    assert_eq!(me(&server, &other), 401);
    jon.run(&["sessions", "--end", gone]).is(1, &[], &["no session", "hint: `doorward sessions` lists them"]);
    jon.run(&["sessions", "--end", "../grants"]).is(64, &[], &["is not a session"]);
    let others = [server.sign_in("jon"), server.sign_in("jon")];
    jon.run(&["sessions", "--end-others"]).is(0, &["2 sessions ended; this one stays.\n"], &[]);
    assert!(others.iter().all(|token| me(&server, token) == 401));
    jon.run(&["list"]).is(0, &["wiki"], &[]);
    Ok(())
}

fn page() -> Result<(), Failed> {
    let server = Inside::start();
    let browser = Browser::start(DESK);
    let sign_in = |browser: &Browser, password: &str| {
        browser.go(&format!("{}/sign-in", server.url));
        browser.find("#name").type_in("jon");
        browser.find("#password").type_in(password);
        browser.find("main button").click();
        browser.find(".who");
    };
    sign_in(&browser, inside::PASSWORD);
    let other = Browser::start(DESK);
    sign_in(&other, inside::PASSWORD);
    browser.find(".who a").click();
    browser.says("Your account");
    browser.says("This one");
    assert_eq!(browser.count("tbody tr"), 2);
    browser.screenshot("account-1-sessions");
    assert!(browser.fits());
    browser.find("form[action='/account/sessions/end-others'] button").click();
    browser.says("All other sessions have ended.");
    assert_eq!(browser.count("tbody tr"), 1);
    other.reload();
    assert!(other.url().contains("/sign-in"), "{}", other.url());

    browser.find("#present").type_in("wrong");
    browser.find("#new").type_in(NEW);
    browser.find("#again").type_in(NEW);
    browser.find("form[action='/account/password'] button").click();
    browser.says("The current password is wrong, so nothing was changed.");
    browser.find("#present").type_in(inside::PASSWORD);
    browser.find("#new").type_in(NEW);
    browser.find("#again").type_in(NEW);
    browser.find("form[action='/account/password'] button").click();
    browser.says("Your password is changed");
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("403 (Forbidden)")), "{complaints:?}");
    sign_in(&other, NEW);
    Ok(())
}
