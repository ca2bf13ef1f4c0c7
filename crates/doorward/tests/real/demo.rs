//! `doorward demo`: what it says to try is tried, word for word.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::need::trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("demo: what it says to try works", &[], story)]
}

fn call(url: &str, token: &str, path: &str, body: &Value) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(format!("{url}/api/v1/{path}"));
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.send_json(body).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn signed_in(url: &str, name: &str) -> String {
    let (status, answer) = call(url, "", "sessions", &json!({ "name": name, "password": "open-sesame" }));
    assert!(status < 300, "{answer}");
    answer["token"].as_str().expect("a token").to_owned()
}

fn curl(url: &str) -> Option<String> {
    ureq::get(url).call().ok()?.body_mut().read_to_string().ok()
}

fn story() -> Result<(), Failed> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["demo", "--port", "0"])
        .env_remove("DOORWARD_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let line = line?;
        let last = line.contains("Ctrl-C ends the demo");
        lines.push(line);
        if last {
            break;
        }
    }
    let text = lines.join("\n");
    let listed = lines.iter().filter(|line| {
        line.trim_start().split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok())
    });
    assert!(listed.count() == 5 && text.contains("Five things"), "{text}");
    let url_after = |before: &str| {
        let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no {before:?} in {text}"));
        rest.split_whitespace().next().expect("an address").trim_end_matches(['/', ':']).to_owned()
    };
    let (url, wiki, away) = (url_after("Doorward demo: "), url_after("curl "), url_after("4. "));

    assert_eq!(curl(&wiki), None, "nobody is let in");
    let jon = signed_in(&url, "jon");
    let (status, grant) = call(&url, &jon, "grants", &json!({ "target": "wiki" }));
    assert!(status < 300, "{grant}");
    crate::grants::eventually("jon is let in", || {
        curl(&wiki).is_some_and(|page| page.contains("Your grant is open"))
    });

    let orders = json!({ "target": "orders-db", "reason": "to see what it lets in" });
    let near = call(&url, &signed_in(&url, "maria"), "grants", &orders);
    assert!(near.0 == 422 && near.1.to_string().contains("loopback"), "the rule holds here too: {near:?}");
    let maria = signed_in(&away, "maria");
    let (status, grant) = call(&away, &maria, "grants", &orders);
    assert!(status < 300, "{grant}");
    assert!(grant.to_string().contains("203.0.113.7"), "{grant}");

    // As Ctrl-C ends it.
    let ended = Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    assert!(ended.success());
    assert!(child.wait()?.success());
    let mut log = String::new();
    child.stderr.take().expect("its log").read_to_string(&mut log)?;
    assert_eq!(log, "", "the story stands alone");
    Ok(())
}
