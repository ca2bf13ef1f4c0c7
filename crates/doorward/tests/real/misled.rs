//! Nobody is misled: what stands past its end, what AWS refuses, who only claimed to be somebody, and what the log says.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::desk::Desk;
use crate::faulty::{Fault, Faulty};
use crate::grants::{HOURS, descriptions, eventually, new_groups, open, policy};
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::server::{House, Server};

const REGION: &str = "us-east-1";

pub fn trials() -> Vec<Trial> {
    let moto = |name: &str, test: fn() -> Result<(), Failed>| {
        trial(&format!("nobody is misled: {name}"), &[Need::Moto], test)
    };
    let plain =
        |name: &str, test: fn() -> Result<(), Failed>| trial(&format!("nobody is misled: {name}"), &[], test);
    vec![
        moto("a rule that stands past its end is shown as that, also after a restart", overdue),
        moto("a rule of which AWS says nothing is overdue until its removal is confirmed", silent),
        moto("credentials that are no good are called that, and never a quota", credentials),
        moto("the host name of what was opened is told", host_name),
        plain("a name that was only claimed is recorded as a claim, and approves nothing", claimed),
        plain("SIGHUP reads everything again and ends nothing", hangup),
        plain("each event is one line of the log, as words or as JSON", log),
        plain("an approver sees what waits", approver),
        plain("characters that do not show are shown, and are no reason", unseen),
    ]
}

/// Sends a signal.
fn signal(server: &Server, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &server.pid().to_string()]).status();
    assert!(done.is_ok_and(|status| status.success()), "kill -{name}");
}

fn get(server: &Server, token: Option<&str>, path: &str) -> (u16, Value) {
    server.call(token, "GET", path, None).expect("an answer")
}

fn overdue() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "overdue");
    let faulty = Faulty::before(moto.port());
    let house = House::new(&[("dbs", &["jon"]), ("ops", &["maria"])], &policy(&groups, HOURS))
        .with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    eventually("it is ready", || get(&server, None, "/readyz").0 == 200);
    jon.run(&["open", "db-0", "--for", "2s", "--reason", "ticket 4711"]).is(0, &["db-0 is open"], &[]);
    faulty.breaks("RevokeSecurityGroupIngress", usize::MAX, Fault::denied());

    let told = |server: &Server| {
        // Just after a start it is not ready for another reason: no pass has ended.
        eventually("it is not ready", || get(server, None, "/readyz").1.to_string().contains("not revoked"));
        assert_eq!(get(server, None, "/readyz").0, 503);
        let (_, ready) = get(server, None, "/readyz");
        assert!(
            ready["reasons"][0]
                .as_str()
                .is_some_and(|why| why.contains("1 grant is expired but not revoked")),
            "{ready}"
        );
        assert!(!ready.to_string().contains("jon"), "anybody may ask: {ready}");
        assert_eq!(get(server, None, "/healthz").0, 200, "it lives all the same");

        let maria = server.sign_in("maria");
        // After a restart it is told at once, and seen as soon as AWS has answered.
        eventually("it is seen", || get(server, Some(&maria), "/api/v1/overdue").1[0]["seen"] == true);
        eventually("AWS has refused", || {
            get(server, Some(&maria), "/api/v1/overdue").1[0]["why"]
                .as_str()
                .is_some_and(|why| why.contains("was denied"))
        });
        let (_, overdue) = get(server, Some(&maria), "/api/v1/overdue");
        let one = &overdue[0];
        assert_eq!(
            (&one["person"], &one["target"], &one["seen"]),
            (&"jon".into(), &"db-0".into(), &true.into())
        );
        let source = one["source"].as_str().expect("a prefix").to_owned();
        assert!(source.ends_with("/32"), "{one}");
        let admits = format!("source={source}");
        assert!(
            one["why"].as_str().is_some_and(|why| why.contains("was denied: UnauthorizedOperation")),
            "{one}"
        );
        let fix = one["fix"].as_str().expect("a command");
        let begins =
            format!("aws ec2 revoke-security-group-ingress --region us-east-1 --group-id {} ", groups[0]);
        assert!(fix.starts_with(&begins) && fix.contains("--security-group-rule-ids sgr-"), "{fix}");
        let (_, all) = get(server, Some(&maria), "/api/v1/grants?all=true");
        assert_eq!(all[0]["overdue"]["fix"], fix, "{all}");
        let words = ["expired ", "not revoked: ", "was denied: UnauthorizedOperation", fix];
        jon.run(&["list"]).is(0, &words, &[]);
        let log = server.log();
        let line =
            log.lines().find(|line| line.contains("grant expired but not revoked") && line.contains("sgr-"));
        let line = line.expect("a line of the log");
        for part in [" ERROR ", "person=jon", "target=db-0", &admits, "sgr-", "UnauthorizedOperation"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        fix.to_owned()
    };
    let fix = told(&server);
    server.kill();
    let server = house.serve();
    assert_eq!(told(&server), fix, "a restart finds the same");

    faulty.mends();
    eventually("it is closed", || {
        !descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains("db-0"))
    });
    eventually("it is ready", || get(&server, None, "/readyz").0 == 200);
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    Ok(())
}

fn silent() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "silent");
    let faulty = Faulty::before(moto.port());
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&faulty.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    eventually("it is ready", || get(&server, None, "/readyz").0 == 200);
    jon.run(&["open", "db-0"]).is(0, &["db-0 is open"], &[]);
    faulty.breaks("", usize::MAX, Fault::Silence);
    jon.run(&["close", "db-0"]).is(
        69,
        &["is revoked, but its firewall has not"],
        &["its rule may still exist"],
    );
    let begun = Instant::now();
    let is_overdue = || get(&server, None, "/readyz").1.to_string().contains("not revoked");
    eventually("it is overdue", is_overdue);
    // It is soon known, though no pass begins and none ends meanwhile.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Over the passes that begin, send the removal again and are given up.
    while begun.elapsed() < Duration::from_secs(45) {
        assert!(is_overdue(), "after {:?}: {}", begun.elapsed(), get(&server, None, "/readyz").1);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!server.log().contains("no grant is overdue any more"), "{}", server.log());
    faulty.mends();
    eventually("it is ready", || get(&server, None, "/readyz").0 == 200);
    assert!(!descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains("db-0")));
    Ok(())
}

fn credentials() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "credentials");
    let cases = [
        ("RequestExpired", 400, "expired", "the credentials have expired"),
        ("ExpiredToken", 400, "expired", "the credentials have expired"),
        ("AuthFailure", 401, "invalid", "the credentials are not valid"),
        ("UnrecognizedClientException", 403, "invalid", "the credentials are not valid"),
        ("UnauthorizedOperation", 403, "denied", "was denied"),
    ];
    for (code, status, cause, words) in cases {
        let faulty = Faulty::before(moto.port());
        faulty.breaks("Describe", usize::MAX, Fault::refused(status, code, "AWS says no."));
        let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&faulty.url());
        let server = house.serve();
        let token = server.sign_in("jon");
        let body = serde_json::json!({ "target": "db-0" });
        let (status, answer) =
            server.call(Some(&token), "POST", "/api/v1/grants", Some(body)).expect("an answer");
        let (expected, exit) = if cause == "denied" { (409, 1) } else { (503, 69) };
        assert_eq!(status, expected, "{code}: {answer}");
        let refusal = &answer["refusals"][0];
        assert_eq!(
            (&refusal["refusal"], &refusal["cause"]),
            (&"unavailable".into(), &cause.into()),
            "{answer}"
        );
        let jon = Desk::new(&house, "jon");
        jon.signs_in(&server);
        let said = jon.run(&["open", "db-0"]);
        said.is(exit, &[], &[words, code, "\nhint: "]);
        let told = format!("{answer} {said:?} {}", server.log());
        for wrong in ["quota", "gave no answer", "no-room"] {
            assert!(!told.contains(wrong), "{code}: {wrong}: {told}");
        }
    }
    Ok(())
}

fn host_name() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "host-name");
    let name = format!("orders-{}", std::process::id());
    let answer = moto.call(
        ("rds", "2014-10-31"),
        REGION,
        "CreateDBInstance",
        &[
            ("DBInstanceIdentifier", &name),
            ("Engine", "postgres"),
            ("DBInstanceClass", "db.t4g.micro"),
            ("AllocatedStorage", "20"),
            ("MasterUsername", "root"),
            ("MasterUserPassword", "open-sesame"),
        ],
    );
    assert!(answer.contains(&name), "{answer}");
    let text =
        policy(&groups, HOURS).replace("rds:db-0", &format!("rds:{name}")).replace("tcp/5432", "tcp/6000");
    let house = House::new(&[("dbs", &["jon"])], &text).with_aws(&moto.url());
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let said = jon.run(&["open", "db-0"]);
    // The engine tells what it is, although the port is one of somebody's own choosing.
    said.is(0, &["psql --host=", &name, ".rds.amazonaws.com --port=6000"], &[]);
    let answer = open(&server, &server.sign_in("jon"), serde_json::json!({ "target": "db-0" }));
    let way = &answer["connect"][0];
    assert!(way["host"].as_str().is_some_and(|host| host.ends_with(".rds.amazonaws.com")), "{answer}");
    assert_eq!(way["known"], true);
    Ok(())
}

const WIKI: &str = "[firewall.door]\nabout = \"a door of this machine\"\nrelay = \"127.0.0.1:0\"\n\n[target.wiki]\nabout = \"Wiki\"\naddress = \"127.0.0.1\"\nports = [\"tcp/9\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"door\"\nreason = \"required\"\nlasts = { usually = \"1h\", at-most = \"8h\" }\napproval = { from = [\"leads\"], above = \"4h\" }\n";

fn wiki() -> House {
    House::new(&[("dbs", &["jon"]), ("leads", &["richard"]), ("ops", &["maria"])], WIKI)
}

fn claimed() -> Result<(), Failed> {
    let house = wiki();
    let ask = [
        "open",
        "wiki",
        "--for",
        "8h",
        "--reason",
        "ticket",
        "--local",
        "--as",
        "jon",
        "--address",
        "203.0.113.7",
    ];
    let output = house.doorward(&ask).env("SUDO_USER", "mia").output().expect("doorward runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let id = said.split_whitespace().find(|word| word.starts_with("g-")).expect("a grant").to_owned();
    for verb in ["approve", "reject"] {
        let (code, _, err) = house.run(&[verb, &id, "--local", "--as", "richard"]);
        assert_eq!(code, 1, "{err}");
        assert!(
            err.contains("it is not proven that you are `richard`") && err.contains("doorward login"),
            "{err}"
        );
    }
    let (_, out, _) = house.run(&["audit", "list"]);
    let line = out.lines().find(|line| line.contains(" requested wiki ")).expect("a line");
    let uid = own_uid();
    assert!(
        line.contains("jon (only claimed, by ") && line.contains(&format!("(uid {uid}), SUDO_USER=mia)")),
        "{line}"
    );
    assert!(!out.contains("opened wiki"), "{out}");
    Ok(())
}

fn own_uid() -> String {
    let output = Command::new("id").arg("-u").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn hangup() -> Result<(), Failed> {
    let house = wiki();
    let server = house.serve();
    let token = server.sign_in("jon");
    signal(&server, "HUP");
    eventually("it says so", || {
        server.log().contains("reloaded the policy, password and group files at SIGHUP")
    });
    assert_eq!(get(&server, Some(&token), "/api/v1/me").0, 200, "nothing ended");
    house.write_policy("[target.x]\n");
    signal(&server, "HUP");
    eventually("its mistakes are said", || {
        server.log().contains("the policy has errors; the last valid policy stays in effect")
    });
    house.write_policy(&WIKI.replace("Wiki", "The wiki of all"));
    signal(&server, "HUP");
    eventually("it is read", || {
        get(&server, Some(&token), "/api/v1/targets").1[0]["about"] == "The wiki of all"
    });
    Ok(())
}

fn log() -> Result<(), Failed> {
    let house = wiki();
    let server = house.serve();
    let wrong = serde_json::json!({ "name": "jon", "password": "wrong" });
    server.call(None, "POST", "/api/v1/sessions", Some(wrong)).expect("an answer");
    let token = server.sign_in("jon");
    let refused = serde_json::json!({ "target": "wiki" });
    assert_eq!(server.call(Some(&token), "POST", "/api/v1/grants", Some(refused)).expect("an answer").0, 422);
    let opened = open(&server, &token, serde_json::json!({ "target": "wiki", "reason": "ticket \"4711\"" }));
    let id = opened["grant"]["id"].as_str().expect("a grant").to_owned();
    open(&server, &token, serde_json::json!({ "target": "wiki", "reason": "longer", "lasts": "2h" }));
    assert_eq!(
        server.call(Some(&token), "DELETE", &format!("/api/v1/grants/{id}"), None).expect("an answer").0,
        200
    );
    let waits =
        open(&server, &token, serde_json::json!({ "target": "wiki", "reason": "long", "lasts": "8h" }));
    let waits = waits["grant"]["id"].as_str().expect("a grant").to_owned();
    let richard = server.sign_in("richard");
    let yes = serde_json::json!({ "agree": true });
    server
        .call(Some(&richard), "POST", &format!("/api/v1/grants/{waits}/approval"), Some(yes))
        .expect("an answer");
    let lines = [
        ("sign-in refused", vec!["name=jon", "from=127.0.0.1"]),
        ("signed in", vec!["person=jon", "from=127.0.0.1"]),
        ("request refused", vec!["person=jon", "wiki"]),
        (
            "grant opened",
            vec!["person=jon", "target=wiki", "source=127.0.0.1/32", "reason=\"ticket \\\"4711\\\"\""],
        ),
        ("grant extended", vec!["person=jon", "target=wiki"]),
        ("grant revoked", vec!["person=jon", "target=wiki", "by=jon"]),
        ("approval requested", vec!["person=jon", "target=wiki"]),
    ];
    for (message, parts) in &lines {
        let has = |line: &&str| {
            line.contains(&format!(" {message} ")) && parts.iter().all(|part| line.contains(part))
        };
        let log = server.log();
        assert_eq!(log.lines().filter(has).count(), 1, "{message} {parts:?}: {log}");
    }
    drop(server);

    // The same as JSON, and at a level that somebody chose.
    let path = house.folder().join("log.json");
    let mut command = house.doorward(&["serve", "--log", "json"]);
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&path).expect("a log"));
    let mut child = command.spawn().expect("doorward serves");
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    let begun = Instant::now();
    while !text().contains("\"serving\"") && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().and_then(|()| child.wait()).expect("an end");
    let text = text();
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let started = objects.iter().find(|object| object["message"] == "started").expect("a start");
    assert_eq!((&started["level"], &started["version"]), (&"info".into(), &env!("CARGO_PKG_VERSION").into()));
    let (code, _, err) = house.run(&["serve", "--log-level", "loud"]);
    assert!(code == 64 && err.contains("`error`, `warn`, `info`"), "{code} {err}");
    Ok(())
}

fn approver() -> Result<(), Failed> {
    let house = wiki();
    let server = house.serve();
    let (jon, richard) = (Desk::new(&house, "jon"), Desk::new(&house, "richard"));
    jon.signs_in(&server);
    richard.signs_in(&server);
    let asked = jon.run(&["open", "wiki", "--for", "8h", "--reason", "migration"]);
    let id = asked.out.split_whitespace().next().expect("a grant").to_owned();
    asked.is(2, &[&format!("doorward approve {id}")], &[]);
    richard.run(&["list"]).is(
        0,
        &["TO APPROVE", &id, "jon to wiki", "8h", "migration", "doorward approve"],
        &[],
    );
    let listed = jon.run(&["list"]);
    assert!(!listed.out.contains("TO APPROVE"), "{listed:?}");
    richard.run(&["deny", &id]).is(0, &["is denied"], &[]);
    jon.run(&["list", "--history"]).is(0, &["PAST GRANT", &id, "denied by richard"], &[]);
    Ok(())
}

fn unseen() -> Result<(), Failed> {
    let house = wiki();
    let server = house.serve();
    let token = server.sign_in("jon");
    let ask = |reason: &str| {
        let body = serde_json::json!({ "target": "wiki", "reason": reason });
        server.call(Some(&token), "POST", "/api/v1/grants", Some(body)).expect("an answer")
    };
    for (reason, refusal) in [
        ("\u{200b}", "no-reason"),
        ("\u{2060}\u{feff} \u{e0041}\u{3164}", "no-reason"),
        ("turned \u{202e}dnuora", "unreadable-reason"),
        ("\u{1b}]0;title\u{7}", "unreadable-reason"),
        ("two\nlines", "unreadable-reason"),
    ] {
        let (status, answer) = ask(reason);
        assert_eq!(
            (status, &answer["refusals"][0]["refusal"]),
            (422, &refusal.into()),
            "{reason:?}: {answer}"
        );
    }
    assert_eq!(ask("soft\u{ad}hyphen\u{200d}").0, 201);
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["list"]).is(0, &["soft\\u{ad}hyphen\\u{200d}"], &[]);
    let listed = jon.run(&["list", "--json"]);
    assert!(listed.out.contains("soft\\u00adhyphen\\u200d"), "{listed:?}");
    // A name that somebody typed at sign-in is in the audit log, and moves no terminal.
    let hostile = serde_json::json!({ "name": "\u{1b}[2J\u{202e}x", "password": "x" });
    server.call(None, "POST", "/api/v1/sessions", Some(hostile)).expect("an answer");
    eventually("it is logged", || server.log().contains("sign-in refused name="));
    let (_, listed, _) = house.run(&["audit", "list"]);
    let (_, exported, _) = house.run(&["audit", "export"]);
    for text in [listed, exported, server.log()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{ad}']), "{text:?}");
    }
    Ok(())
}
