//! The command line against a server: what a person types, reads, and what the exit code says.

use std::os::unix::fs::PermissionsExt as _;

use libtest_mimic::{Failed, Trial};

use crate::desk::{Desk, Wiki};
use crate::grants::eventually;
use crate::need::trial;
use crate::server::{House, PASSWORD, free_address};

type Story = fn() -> Result<(), Failed>;

pub fn trials() -> Vec<Trial> {
    let named: [(&str, Story); 10] = [
        ("signing in and out", sign_in),
        ("open, extend, list and close", open_and_close),
        ("every reason of a refusal", refused),
        ("somebody else agrees, or does not", approval),
        ("operators see everything, others do not", operators),
        ("more of what is held is one request, and one grant", longer),
        ("options that are for a local policy", local_options),
        ("people and groups as JSON", people_as_json),
        ("a server that is not there, or is none", no_server),
        ("a policy of the folder that others can write", written_by_others),
    ];
    named.into_iter().map(|(name, test)| trial(&format!("command line: {name}"), &[], test)).collect()
}

const GROUPS: [(&str, &[&str]); 3] =
    [("staff", &["jon", "maria"]), ("leads", &["richard"]), ("ops", &["richard"])];

const LASTS: &str = "lasts = { usually = \"10m\", at-most = \"1h\" }";

fn sign_in() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");

    let nobody = "error: you are not signed in to a server\nhint: sign in with `doorward login URL`, or name a policy file";
    jon.run(&["list"]).is(77, &[], &[nobody]);
    jon.run(&["open", "wiki"]).is(77, &[], &[nobody]);
    jon.run(&["logout"]).is(0, &["You were not signed in.\n"], &[]);

    let wrong = jon.type_in(&["login", &server.url, "--stdin"], "close-sesame");
    wrong.is(77, &[], &["error: wrong name or password\n"]);
    assert!(!wrong.err.contains("hint"), "there is nothing more to say: {wrong:?}");
    let stranger = jon.type_in(&["login", &server.url, "--stdin", "--as", "nobody"], PASSWORD);
    assert_eq!((stranger.code, &stranger.err), (77, &wrong.err), "who is there is not told");
    jon.run(&["login", &server.url]).is(
        64,
        &[],
        &["there is no terminal to type a password into", "hint: pass it on the first line"],
    );
    assert!(!jon.session().exists());

    jon.signs_in(&server);
    let mode = std::fs::metadata(jon.session())?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "readable by its owner alone");
    jon.run(&["list"]).is(0, &["wiki"], &[]);
    let kept = std::fs::read(jon.session())?;

    jon.run(&["logout"]).is(0, &[&format!("You are signed out of {}.\n", server.url)], &[]);
    jon.run(&["list"]).is(77, &[], &[nobody]);
    // The session is over on the server too.
    std::fs::write(jon.session(), kept)?;
    jon.run(&["list"]).is(
        77,
        &[],
        &[
            "error: you are not signed in, or your session has expired\n",
            "hint: sign in again with `doorward login http",
        ],
    );
    // Whose password changes is signed out everywhere.
    jon.signs_in(&server);
    let changed = house.run(&["user", "remove", "jon"]);
    assert_eq!(changed.0, 0, "{changed:?}");
    crate::grants::eventually("jon is signed out", || jon.run(&["list"]).code == 77);
    jon.run(&["logout"]).is(77, &[], &["not signed in", "hint: this machine has deleted the session"]);
    assert!(!jon.session().exists());
    Ok(())
}

fn open_and_close() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);

    let listed = jon.run(&["list"]);
    listed.is(0, &["YOU MAY OPEN", "wiki", "10m, at most 1h", "The wiki", "\nNo grants are open.\n"], &[]);
    assert!(!wiki.lets_in());

    let opened = jon.run(&["open", "wiki", "--for", "5m", "--reason", "ticket 4711"]);
    let connect = format!("\n  connect    {}\n", wiki.door);
    opened.is(
        0,
        &["wiki is open for 127.0.0.1/32 until 20", " UTC (5m)\n", &connect, "open connections are cut\n"],
        &[],
    );
    assert!(wiki.lets_in());
    let listed = jon.run(&["list", "--json"]).json();
    assert_eq!(listed["targets"][0]["target"], "wiki");
    let grant = &listed["grants"][0];
    assert_eq!(
        (&grant["state"], &grant["reason"], &grant["standing"]["state"]),
        (&"open".into(), &"ticket 4711".into(), &"as-wanted".into())
    );
    let id = grant["id"].as_str().ok_or("no id")?;
    jon.run(&["list"]).is(0, &[id, "  in ", "ticket 4711"], &[]);

    // Asking again extends: the same grant.
    jon.run(&["open", "wiki", "--for", "30m"]).is(0, &["wiki stays open", "(30m)", id], &[]);
    let again = jon.run(&["open", "wiki", "--json", "--for", "40m"]).json();
    assert_eq!((&again["extended"], &again["grant"]["id"]), (&true.into(), &id.into()));
    assert_eq!(again["connect"][0]["host"], "127.0.0.1");

    // Nobody else's hands.
    let others = maria.run(&["close", id]);
    others.is(1, &[], &[&format!("error: there is no grant {id} that you may see\n")]);
    maria.run(&["close", "wiki"]).is(
        1,
        &[],
        &["error: you have nothing open to `wiki`\nhint: `doorward list`"],
    );
    maria.run(&["close", "--all"]).is(0, &["You have no open grants.\n"], &[]);
    assert_eq!(maria.run(&["close", "--all", "--json"]).out, "[]\n");
    assert!(wiki.lets_in());

    let closed = jon.run(&["close", id]);
    closed.is(0, &[&format!("{id} to wiki is revoked: open connections are cut\n")], &[]);
    assert!(!wiki.lets_in());
    // Once more says the same and does nothing.
    jon.run(&["close", id]).is(0, &["to wiki is revoked"], &[]);
    jon.run(&["close", "wiki"]).is(1, &[], &["you have nothing open to `wiki`"]);

    for close in [&["close", "wiki"][..], &["close", "--all"], &["close", "wiki", "wiki"]] {
        jon.run(&["open", "wiki"]).is(0, &["is open"], &[]);
        let closed = jon.run(close);
        closed.is(0, &["to wiki is revoked: open connections are cut\n"], &[]);
        assert_eq!(closed.out.lines().count(), 1, "{closed:?}");
        assert!(!wiki.lets_in());
    }
    jon.run(&["open", "wiki"]).is(0, &["is open"], &[]);
    let live = std::net::TcpStream::connect(wiki.door)?;
    assert!(wiki.lets_in());
    jon.run(&["close", "wiki"]).is(0, &["to wiki is revoked: 1 open connection was cut\n"], &[]);
    drop(live);
    jon.run(&["open", "wiki"]).is(0, &["is open"], &[]);
    let closed = jon.run(&["close", "wiki", "--json"]).json();
    assert_eq!(
        (&closed[0]["grant"]["state"], &closed[0]["standing"]["state"], &closed[0]["cut"]),
        (&"ended".into(), &"as-wanted".into(), &0.into())
    );

    jon.run(&["list", "--history"]).is(0, &["PAST GRANT", "wiki", "(revoked by jon)"], &[]);
    let local = jon.run(&["open", "wiki", "--detach"]);
    local.is(64, &[], &["`--address` and `--detach` are for a local policy", "add `--local`"]);
    drop(server);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let wiki = Wiki::new(&format!("{LASTS}\nreason = \"required\""));
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, richard) = (Desk::new(&house, "jon"), Desk::new(&house, "richard"));
    jon.signs_in(&server);
    richard.signs_in(&server);
    let both = jon.run(&["open", "wiki", "--for", "2h"]);
    both.is(
        1,
        &[],
        &[
            "`wiki` needs a reason",
            "`wiki` may be open for at most 1h at a time, and this would be 2h",
            "\nhint: ",
        ],
    );
    jon.run(&["open", "wiki", "--for", "0s", "--reason", "x"]).is(1, &[], &["at least a second"]);
    let there = "error: there is no target `wiki` that `richard` may open\n";
    richard.run(&["open", "wiki", "--reason", "x"]).is(1, &[], &[there]);
    jon.run(&["open", "nothing"]).is(1, &[], &["error: there is no target `nothing` that `jon` may open\n"]);
    jon.run(&["open", "no such name"]).is(64, &[], &["no such name"]);
    jon.run(&["open", "wiki", "--for", "soon"]).is(64, &[], &["soon"]);
    jon.run(&["close", "g-zzzzzzzzzzzz"]).is(1, &[], &["there is no grant g-zzzzzzzzzzzz that you may see"]);
    jon.run(&["list"]).is(0, &["No grants are open."], &[]);
    richard.run(&["list", "--all"]).is(0, &["You may not open any target", "No grants are open."], &[]);
    assert!(!wiki.lets_in());
    drop(server);
    let (_, out, _) = house.run(&["audit", "list", "--person", "jon"]);
    assert!(out.contains("was refused: open wiki for 127.0.0.1: `wiki` needs a reason"), "{out}");
    Ok(())
}

fn approval() -> Result<(), Failed> {
    let wiki = Wiki::new(&format!("{LASTS}\napproval = {{ from = [\"leads\"], above = \"5m\" }}"));
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, richard) = (Desk::new(&house, "jon"), Desk::new(&house, "richard"));
    jon.signs_in(&server);
    richard.signs_in(&server);
    let asks = || -> Result<String, Failed> {
        let asked = jon.run(&["open", "wiki", "--for", "20m"]);
        asked.is(2, &["g-", " waits for approval: ", "leads"], &[]);
        Ok(asked.out.split(' ').next().ok_or("no id")?.to_owned())
    };
    let id = asks()?;
    assert_eq!(asks()?, id, "asking again does not ask twice");
    jon.run(&["list"]).is(0, &[&id, "waits for approval, for 20m"], &[]);
    assert!(!wiki.lets_in());
    jon.run(&["approve", &id]).is(1, &[], &["error: nobody may approve their own request\n"]);
    let own =
        format!("error: nobody may deny their own request\nhint: withdraw it with `doorward close {id}`\n");
    jon.run(&["reject", &id]).is(1, &[], &[&own]);
    let (_, out, _) = house.run(&["audit", "list", "--person", "jon"]);
    for (verb, why) in [("approve", "nobody may approve"), ("deny", "nobody may deny")] {
        let refused = format!("was refused: {verb} {id} of jon to wiki: {why} their own request");
        assert!(out.contains(&refused), "{out}");
    }
    eventually("the log has the refusals", || server.log().matches("request refused").count() == 2);
    let approved = richard.run(&["approve", &id]);
    approved.is(0, &[&format!("{id} of jon to wiki is open until 20"), " UTC\n"], &[]);
    assert!(wiki.lets_in());
    // Who asks for what jon did is told who approved it, and of whom it is.
    let (_, out, _) = house.run(&["audit", "list", "--person", "jon"]);
    assert!(out.contains(&format!("approved {id} of jon: opened wiki for 127.0.0.1/32")), "{out}");
    richard.run(&["approve", &id]).is(1, &[], &[&format!("{id} does not wait for approval")]);
    richard.run(&["reject", &id]).is(1, &[], &[&format!("{id} does not wait for approval")]);
    assert!(wiki.lets_in());
    jon.run(&["close", "wiki"]).is(0, &["is revoked"], &[]);

    let id = asks()?;
    let two_lines = richard.run(&["reject", &id, "--reason", "no\nand no"]);
    two_lines.is(1, &[], &["a reason is one line of at most 500 characters"]);
    let why = ["--reason", " ten minutes are enough for that "];
    let denied = richard.run(&[&["reject", &id], &why[..]].concat());
    denied.is(0, &[&format!("{id} of jon to wiki is denied\n")], &[]);
    jon.run(&["list", "--history"]).is(0, &["denied by richard: ten minutes are enough for that"], &[]);
    let (_, out, _) = house.run(&["audit", "list", "--person", "richard"]);
    assert!(out.contains(&format!("ended {id}: denied by richard: ten minutes are enough")), "{out}");
    jon.run(&["list"]).is(0, &["No grants are open."], &[]);
    // What was asked for can be taken back.
    let id = asks()?;
    let withdrawn = jon.run(&["close", &id]);
    withdrawn.is(0, &[&format!("{id} to wiki is withdrawn; it was never open\n")], &[]);
    let (_, out, _) = house.run(&["audit", "list", "--person", "jon"]);
    assert!(out.contains(&format!("ended {id}: withdrawn by jon")), "{out}");
    eventually("the log has the withdrawal", || server.log().contains("request withdrawn"));
    richard.run(&["approve", &id]).is(1, &[], &["does not wait for approval"]);
    jon.run(&["approve", "g-zzzzzzzzzzzz"]).is(
        1,
        &[],
        &["there is no grant g-zzzzzzzzzzzz that you may see"],
    );
    assert!(!wiki.lets_in());
    Ok(())
}

fn operators() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let (jon, maria, richard) =
        (Desk::new(&house, "jon"), Desk::new(&house, "maria"), Desk::new(&house, "richard"));
    for desk in [&jon, &maria, &richard] {
        desk.signs_in(&server);
    }
    jon.run(&["open", "wiki"]).is(0, &["is open"], &[]);
    maria.run(&["open", "wiki"]).is(0, &["is open"], &[]);
    jon.run(&["list", "--all"]).is(1, &[], &["error: `jon` is not an operator\n"]);
    eventually("the log has the refusal", || server.log().contains("list everybody's grants"));
    let all = richard.run(&["list", "--all"]);
    all.is(0, &["jon wiki", "maria wiki"], &[]);
    let id = all.out.lines().find(|line| line.contains("jon wiki")).and_then(|line| line.split(' ').next());
    let id = id.ok_or("no id")?;
    // An operator closes what is somebody else's; maria's address is the same and stays let in.
    let closed = richard.run(&["close", id]);
    closed.is(0, &[&format!("{id} to wiki is revoked"), "\n  127.0.0.1/32 is still admitted by "], &[]);
    assert!(wiki.lets_in());
    jon.run(&["list"]).is(0, &["No grants are open."], &[]);
    assert_eq!(richard.run(&["list", "--all", "--json"]).json()["grants"].as_array().map(Vec::len), Some(1));
    // That the grant has no port for SSH comes before the question of a key.
    let words = ["the grant does not include tcp/22", "hint: `doorward connect wiki`"];
    jon.run(&["ssh", "wiki"]).is(1, &[], &words);
    Ok(())
}

fn longer() -> Result<(), Failed> {
    let wiki = Wiki::new(&format!("{LASTS}\napproval = {{ from = [\"leads\"], above = \"5m\" }}"));
    let house = House::new(&GROUPS, &format!("[limits]\nper-person = 1\n\n{}", wiki.policy));
    let server = house.serve();
    let (jon, richard) = (Desk::new(&house, "jon"), Desk::new(&house, "richard"));
    jon.signs_in(&server);
    richard.signs_in(&server);
    jon.run(&["open", "wiki", "--for", "4m"]).is(0, &["wiki is open"], &[]);
    let held = jon.run(&["list", "--json"]).json()["grants"][0]["id"].as_str().ok_or("no id")?.to_owned();
    let live = std::net::TcpStream::connect(wiki.door)?;
    let asked = jon.run(&["open", "wiki", "--for", "20m", "--json"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    let request = asked.json()["grant"]["id"].as_str().ok_or("no id")?.to_owned();
    assert_ne!(request, held);
    let again = jon.run(&["open", "wiki", "--for", "30m", "--json"]).json();
    assert_eq!((&again["grant"]["id"], &again["grant"]["revision"]), (&request.as_str().into(), &1.into()));

    let seen = again["grant"]["seen"].as_str().ok_or("nothing to see")?;
    let approved = richard.run(&["approve", &request, "--seen", seen]);
    let words = format!("as {request} requested\n");
    approved.is(0, &[&format!("{held} of jon to wiki is extended until 20"), &words], &[]);
    let listed = jon.run(&["list", "--json"]).json();
    let grants = listed["grants"].as_array().ok_or("no list")?;
    assert_eq!(grants.len(), 1, "{listed}");
    assert_eq!(
        (&grants[0]["id"], &grants[0]["state"], &grants[0]["approved_by"]),
        (&held.as_str().into(), &"open".into(), &"richard".into())
    );
    let left = grants[0]["until"].as_str().ok_or("no end")?.parse::<jiff::Timestamp>()?;
    assert!(left.duration_since(jiff::Timestamp::now()).as_mins() >= 25, "{listed}");
    jon.run(&["list", "--history"]).is(0, &[&request, &format!("approved: it extended {held}")], &[]);
    assert!(wiki.lets_in());
    live.set_read_timeout(Some(std::time::Duration::from_millis(200)))?;
    let read = std::io::Read::read(&mut &live, &mut [0; 1]);
    assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "nothing was cut");
    let (_, out, _) = house.run(&["audit", "list", "--grant", &held]);
    assert!(out.contains(&format!("approved {request} of jon: extended {held} until ")), "{out}");
    jon.run(&["close", "wiki"]).is(0, &[&held, "is revoked: 1 open connection was cut"], &[]);
    jon.run(&["list"]).is(0, &["No grants are open."], &[]);
    drop(server);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    Ok(())
}

fn local_options() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    let policy = house.policy();
    let policy = policy.to_str().ok_or("a path")?;
    // Who is signed in to no server works on the policy file.
    jon.run(&["list", "--policy", policy, "--as", "jon"]).is(0, &["wiki"], &[]);
    jon.signs_in(&server);
    let signed_in = format!("and you are signed in to {}\n", server.url);
    let said = jon.run(&["list", "--as", "jon"]);
    said.is(
        64,
        &[],
        &["error: `--as` is for a local policy, ", &signed_in, "hint: leave it out, or add `--local`"],
    );
    for verb in [vec!["list"], vec!["open", "wiki"], vec!["close", "--all"], vec!["connect", "wiki"]] {
        for line in [[&verb[..], &["--policy", policy]].concat(), [&["--policy", policy], &verb[..]].concat()]
        {
            let words = ["error: `--policy` names a policy file of this machine, ", signed_in.as_str()];
            let said = jon.run(&line);
            said.is(64, &[], &[&words[..], &["hint: leave it out, or add `--local`"]].concat());
        }
    }
    assert!(!wiki.lets_in());
    jon.run(&["list", "--local", "--as", "jon", "--policy", policy]).is(0, &["wiki"], &[]);
    jon.run(&["check", "--policy", policy]).is(0, &["doorward.toml"], &[]);
    // A variable of the machine is not typed.
    let listed = crate::desk::said(jon.command(&["list"]).env("DOORWARD_POLICY", policy).output()?);
    listed.is(0, &["wiki"], &[]);
    Ok(())
}

fn people_as_json() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&[("staff", &["jon"])], &wiki.policy);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let (code, out, err) = house.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    };
    let made = json(&["group", "add", "--new", "leads", "jon"]);
    assert_eq!((&made["made"], &made["added"]), (&true.into(), &serde_json::json!(["jon"])));
    let again = json(&["group", "add", "leads", "jon"]);
    assert_eq!((&again["made"], &again["added"]), (&false.into(), &serde_json::json!([])));
    let mut add = house.doorward(&["user", "add", "maria", "--group", "leads", "--stdin", "--json"]);
    let mut add = crate::desk::start(add.stdin(std::process::Stdio::piped()));
    std::io::Write::write_all(&mut add.0.stdin.take().ok_or("no pipe")?, b"a-long-password\n")?;
    let added = add.ends().json();
    assert_eq!(
        (&added["name"], &added["done"], &added["groups"]),
        (&"maria".into(), &"added".into(), &serde_json::json!(["leads"]))
    );
    assert_eq!(json(&["user", "lock", "maria"])["done"], "locked");
    assert_eq!(json(&["user", "lock", "maria"])["done"], "unchanged");
    assert_eq!(json(&["user", "unlock", "maria"])["done"], "unlocked");
    let left = json(&["group", "remove", "leads", "jon"]);
    assert_eq!(left["removed"], serde_json::json!(["jon"]));
    let removed = json(&["user", "remove", "maria"]);
    assert_eq!((&removed["done"], &removed["groups"]), (&"removed".into(), &serde_json::json!(["leads"])));
    json(&["user", "remove", "jon"]);
    // Nobody is left: that is said, and the list is empty.
    let (code, out, err) = house.run(&["user", "list"]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(
        err.contains(" has no people") && err.contains("hint: add a person with `doorward user add NAME`"),
        "{err}"
    );
    assert_eq!(json(&["user", "list"]), serde_json::json!([]));
    // There is a store once a server has run.
    drop(house.serve());
    let accepted = json(&["audit", "accept", "--head", &format!("1:{}", "0".repeat(64))]);
    assert_eq!(accepted, serde_json::json!({ "found": [], "ended": 0, "goes_on": 0 }));
    Ok(())
}

fn written_by_others() -> Result<(), Failed> {
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    let policy = house.policy();
    let mode = |mode| std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(mode));
    let unnamed = |arguments: &[&str]| -> Result<_, Failed> {
        Ok(crate::desk::said(house.doorward(arguments).env_remove("DOORWARD_POLICY").output()?))
    };
    let verbs: [&[&str]; 7] = [
        &["list", "--as", "jon"],
        &["open", "wiki", "--as", "jon", "--address", "127.0.0.1"],
        &["check"],
        &["serve"],
        &["sweep"],
        &["user", "list"],
        &["iam"],
    ];
    mode(0o666)?;
    for verb in verbs {
        unnamed(verb)?.is(
            77,
            &[],
            &[
                "error: `doorward.toml` in this folder can be written by others, so it is not used by default: every user",
                "hint: `chmod go-w` the file, ",
            ],
        );
    }
    assert!(!wiki.lets_in());
    // Named, it is used with a warning.
    let warned =
        ["warning: `", "can be written by others: every user of this machine can write it", "`chmod go-w`"];
    crate::desk::said(house.doorward(&["list", "--as", "jon"]).output()?).is(0, &["wiki"], &warned);
    let named = ["--policy", "doorward.toml", "list", "--as", "jon"];
    unnamed(&named)?.is(0, &["wiki"], &warned);
    // Who is signed in to a server reads no policy of this machine.
    mode(0o644)?;
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    mode(0o666)?;
    let mut listed = jon.command(&["list"]);
    crate::desk::said(listed.env_remove("DOORWARD_POLICY").current_dir(house.folder()).output()?).is(
        0,
        &["wiki"],
        &[],
    );
    mode(0o644)?;
    unnamed(&["list", "--as", "jon"])?.is(0, &["wiki"], &[]);
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&policy, Some(4711), None)?;
        let another = "error: `doorward.toml` in this folder belongs to another user (uid 4711)";
        unnamed(&["list", "--as", "jon"])?.is(
            77,
            &[],
            &[another, "hint: if you trust it, name it: `--policy"],
        );
        unnamed(&named)?.is(0, &["wiki"], &[]);
    }
    Ok(())
}

fn no_server() -> Result<(), Failed> {
    let house = House::new(&GROUPS, "");
    let jon = Desk::new(&house, "jon");
    let login = |url: &str| jon.type_in(&["login", url, "--stdin"], PASSWORD);
    let nowhere = format!("http://{}", free_address());
    let hint = "\nhint: check that the URL is right, and that `doorward serve` runs there\n";
    login(&nowhere).is(69, &[], &[&format!("error: cannot reach `{nowhere}`\ncaused by: "), hint]);
    for url in ["doorward.example.org", "ftp://example.org", "http://", "https://", "http:///x"] {
        let refused = login(url);
        refused.is(64, &[], &[&format!("error: `{url}` is not the address of a server")]);
    }

    // Something else listens there: pages, JSON that means something else, and no HTTP at all.
    let ok = |kind: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let answers = [
        ok("text/html", "<h1>Welcome to nginx</h1>"),
        ok("application/json", "{\"hello\":\"world\"}"),
        "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\nconnection: close\r\n\r\nNot found".into(),
        "SSH-2.0-OpenSSH_9.2\r\n".into(),
        String::new(),
    ];
    for answer in answers {
        let url = foreign(answer.clone());
        let said = login(&url);
        let words =
            if answer.starts_with("HTTP") { "did not respond like a Doorward server" } else { "`http://" };
        said.is(69, &[], &[words, hint]);
        assert!(!said.err.contains("panicked"), "{said:?}");
    }
    assert!(!jon.session().exists());

    // The server dies behind a session that was kept, and the kept file is spoilt.
    let wiki = Wiki::new(LASTS);
    house.write_policy(&wiki.policy);
    let server = house.serve();
    jon.signs_in(&server);
    let url = server.url.clone();
    server.kill();
    for verb in [&["list"][..], &["open", "wiki"], &["close", "--all"]] {
        jon.run(verb).is(69, &[], &[&format!("error: cannot reach `{url}`\n"), hint]);
    }
    jon.run(&["logout"]).is(69, &[], &["cannot reach", "hint: this machine has deleted the session"]);
    std::fs::write(jon.session(), "{\"url\": ")?;
    jon.run(&["list"]).is(
        74,
        &[],
        &["login.json`\ncaused by: ", "\nhint: `doorward login URL` creates it again\n"],
    );
    Ok(())
}

/// A server of something else, which says this to everybody.
fn foreign(answer: String) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        // One command asks once.
        let Ok((mut client, _)) = listener.accept() else { return };
        let _ = client.read(&mut [0; 4096]);
        let _ = client.write_all(answer.as_bytes());
    });
    url
}
