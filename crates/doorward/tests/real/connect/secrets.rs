//! No level of the log prints a secret: a whole run with everything logged, and every secret that is known looked for.

use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::{ASKS, World, policy, target};
use crate::desk::{Desk, said};
use crate::need::{Need, trial};
use crate::postgres::Postgres;
use crate::server::PASSWORD;
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let all = [Need::Moto, Need::Postgres, Need::Sshd];
    vec![trial("secrets: none is in a log that has everything else", &all, everything)]
}

/// Of Doorward and of every library: a level alone is that of Doorward.
const EVERYTHING: &str = "trace,doorward=trace";

/// What was said where nothing secret may be said, and what is secret.
#[derive(Default)]
struct Run {
    said: Vec<(String, String)>,
    secrets: Vec<(&'static str, String)>,
}

impl Run {
    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be looked for");
        self.secrets.push((what, secret.to_owned()));
    }

    /// Runs a command with everything logged. What it prints is for the person alone, and no log.
    fn logs(&mut self, name: &str, mut command: Command) -> String {
        let done = said(command.env("DOORWARD_LOG", EVERYTHING).output().expect("doorward runs"));
        assert_eq!(done.code, 0, "{name}: {done:#?}");
        self.said.push((name.to_owned(), done.err));
        done.out
    }

    fn check(&self) {
        for (place, text) in &self.said {
            for (what, secret) in &self.secrets {
                assert!(!text.contains(secret.as_str()), "{place} has {what}");
            }
            for word in ["X-Amz-Signature=", "X-Amz-Security-Token=", "PRIVATE KEY", "x-amz-security-token: "]
            {
                assert!(!text.contains(word), "{place} has {word}");
            }
        }
    }
}

fn everything() -> Result<(), Failed> {
    let (postgres, sshd) = (Postgres::start(), Sshd::start());
    let world = World::with_sshd("secrets", &sshd);
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let port = format!("tcp/{}", postgres.port());
    let targets = target("secret-db", "orders.internal", "tcp/5432", "\"ssm\"")
        + &target("secret-ssh", "127.0.0.1", &port, "\"ssh\"");
    let role = "role = \"arn:aws:iam::123456789012:role/doorward-sessions\"\n\n[ssh]";
    let text = policy("secrets", &targets).replacen("\n[ssh]", role, 1);
    let house = world.house(&text).with("DOORWARD_LOG", EVERYTHING);
    let mut all = Run::default();
    let (key, secret) = world.keys();
    all.keep("the server's own secret", &secret);
    all.keep("a password", PASSWORD);

    let server = house.serve();
    let desk = Desk::new(&house, "jon");
    let mut login = desk.command(&["login", &server.url, "--stdin"]);
    let mut child = login
        .env("DOORWARD_LOG", EVERYTHING)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    {
        use std::io::Write as _;
        writeln!(child.stdin.take().expect("a pipe"), "{PASSWORD}")?;
    }
    let signed_in = child.wait_with_output()?;
    assert!(signed_in.status.success());
    all.said.push(("login".into(), String::from_utf8_lossy(&signed_in.stderr).into_owned()));
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(desk.session())?)?;
    all.keep("the session of a command line", kept["token"].as_str().expect("a token"));

    // A browser's session, and what its forms bear.
    let (cookies, token) = browses(&server.url, "/sign-in", "", &mut all)?;
    let form = [("token", token.as_str()), ("name", "jon"), ("password", PASSWORD)];
    let signed = agent()
        .post(format!("{}/sign-in", server.url))
        .header("origin", &server.url)
        .header("cookie", &cookies)
        .send_form(form)?;
    assert!(signed.status().is_redirection(), "{:?}", signed.status());
    let cookies = cookies_of(&signed, &mut all);
    browses(&server.url, "/", &cookies, &mut all)?;

    // Vended, and used: by Session Manager and by SSH.
    let connect = [&["connect", "secret-db", "--exec"][..], &ASKS].concat();
    let mut without = desk.command(&connect);
    without.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    assert!(all.logs("connect by Session Manager", without).contains("42"));
    all.logs("connect by SSH", desk.command(&["connect", "secret-ssh", "--exec", "true"]));
    all.logs("doctor", desk.command(&["doctor", "secret-db"]));
    let token = all.logs("token", desk.command(&["token", "secret-db", "--user", "jon"]));
    let signature = token.split("X-Amz-Signature=").nth(1).expect("a signature").trim();
    all.keep("a database's password", signature);
    let opened = all.logs("open", desk.command(&["open", "secret-db", "--json"]));
    let opened: Value = serde_json::from_str(&opened)?;
    let grant = opened["grant"]["id"].as_str().expect("a grant");
    let session = kept["token"].as_str().expect("a token");
    let (status, vended) =
        server.call(Some(session), "POST", &format!("/api/v1/grants/{grant}/credentials"), None)?;
    assert_eq!(status, 200, "{vended}");
    all.keep("a vended key", vended["secret"].as_str().expect("a key"));
    all.keep("a vended token", vended["token"].as_str().expect("a token"));
    all.logs("close", desk.command(&["close", "--all"]));
    all.logs("logout", desk.command(&["logout"]));

    // What the stand vended besides, to the connections above, is known by its answers.
    for credential in world.stand.credentials() {
        if credential.access_key != key {
            all.keep("a vended key", &credential.secret);
            all.keep("a vended token", credential.token.as_deref().expect("a token"));
        }
    }
    assert!(all.secrets.iter().filter(|(what, _)| *what == "a vended key").count() >= 3);
    assert!(house.run(&["audit", "list"]).1.contains("vended credentials for "));
    let log = server.log();
    assert!(log.contains("DEBUG"), "everything of our own is logged");
    all.said.push(("the server".into(), log));
    all.check();
    Ok(())
}

/// Looks at a page: the cookies that it sets, and what its forms bear. Both are secrets.
fn browses(url: &str, page: &str, cookies: &str, all: &mut Run) -> Result<(String, String), Failed> {
    let mut answer = agent().get(format!("{url}{page}")).header("cookie", cookies).call()?;
    assert_eq!(answer.status(), 200, "{page}");
    let set = cookies_of(&answer, all);
    let text = answer.body_mut().read_to_string()?;
    let token = text.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a form with a token").to_owned();
    all.keep("what protects a form", &token);
    Ok((set, token))
}

fn cookies_of(answer: &ureq::http::Response<ureq::Body>, all: &mut Run) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs: Vec<&str> = set.filter_map(|cookie| cookie.split(';').next()).collect();
    for (_, value) in pairs.iter().filter_map(|pair| pair.split_once('=')).filter(|(_, it)| it.len() >= 8) {
        all.keep("a cookie", value);
    }
    pairs.join("; ")
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into()
}
