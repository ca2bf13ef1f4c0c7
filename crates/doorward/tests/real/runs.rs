//! What `doorward apply`, `destroy` and `env` leave for programs and in the audit log, however they end.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::desk::said;
use crate::moto::{free_port, profile};
use crate::need::{Need, trial};
use crate::networks::{NetworkAccount, command, policy};

pub fn trials() -> Vec<Trial> {
    let moto = &[Need::Moto];
    vec![
        trial("runs: without a connection one document says so within seconds", &[], unreachable),
        trial("runs: `--json` is one document, and the audit log has the run, however it ends", moto, ends),
        trial("runs: nothing is done that cannot be recorded, unless it has to be", moto, unrecorded),
    ]
}

const DEV: &str = "[network.main]\n\n[environment.dev]\nkind = \"dev\"\n";

/// A machine without a network: nothing listens where AWS is.
fn unreachable() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    profile("runs-nowhere", "eu-west-1", &format!("http://127.0.0.1:{}", free_port()));
    policy(folder.path(), "eu-west-1", "runs-nowhere", DEV)?;
    let verbs: [&[&str]; 4] = [
        &["apply", "--yes"],
        &["destroy", "main", "--confirm", "main"],
        &["env", "stop", "dev", "--yes"],
        &["env", "start", "dev", "--yes"],
    ];
    for words in verbs {
        let begun = Instant::now();
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = said(command(folder.path(), &words).stdin(Stdio::null()).output()?);
        assert!(begun.elapsed() < Duration::from_secs(5), "{words:?} took {:?}", begun.elapsed());
        let document = ran.json();
        assert_eq!(ran.code, 69, "{ran:?}");
        assert_eq!(document["format"], "doorward-run/1");
        assert_eq!((&document["outcome"], &document["plan"]), (&json!("not-begun"), &Value::Null));
        assert_eq!(document["error"]["exit_code"], 69, "{document}");
        let hint = document["error"]["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("has a connection to AWS") && !hint.contains("--profile"), "{document}");
        assert!(ran.err.contains(&format!("hint: {hint}")), "{ran:?}");
    }
    // A policy that cannot be read, an environment that is not declared, and a question that nobody may be asked.
    let run = |words: &[&str]| -> Result<(i32, Value), Failed> {
        let ran = said(command(folder.path(), words).stdin(Stdio::null()).output()?);
        Ok((ran.code, ran.json()))
    };
    let (code, document) = run(&["env", "stop", "prod", "--json", "--yes"])?;
    assert_eq!((code, &document["outcome"]), (64, &json!("not-begun")), "{document}");
    fs::write(folder.path().join("doorward.toml"), "[network.main]\n")?;
    let (code, document) = run(&["apply", "--json", "--yes"])?;
    assert_eq!((code, &document["outcome"]), (65, &json!("not-begun")), "{document}");
    assert!(document["error"]["details"].as_array().is_some_and(|it| !it.is_empty()), "{document}");
    Ok(())
}

fn people(account: &NetworkAccount) -> Result<(), Failed> {
    for name in ["people.htpasswd", "people.groups"] {
        fs::write(account.folder.path().join(name), "")?;
    }
    Ok(())
}

/// The entries about runs in the audit log, the first one first.
fn recorded(account: &NetworkAccount) -> Vec<Value> {
    let listed = account.run(&["audit", "list", "--json", "--limit", "1000"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let lines = listed.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut runs: Vec<Value> =
        lines.filter(|line| line["what"].as_str().is_some_and(|it| it.starts_with("run-"))).collect();
    runs.reverse();
    runs
}

fn ends() -> Result<(), Failed> {
    let account = NetworkAccount::new("eu-north-1", "[network.main]\nnat = \"none\"\n")?;
    people(&account)?;
    let asked = account.run(&["apply", "--json"]);
    assert_eq!((asked.code, &asked.json()["outcome"]), (64, &json!("not-begun")), "{asked:?}");
    // A step fails: AWS grants fewer VPCs than the plan knows of.
    account.steer("quotas", "{\"vpcs\": 0}")?;
    let failed = account.run(&["apply", "--json", "--yes"]);
    let document = failed.json();
    assert_eq!((failed.code, &document["outcome"]), (69, &json!("failed")), "{failed:?}");
    let run = &document["runs"][0];
    assert_eq!(
        (&run["outcome"], &run["recorded"]),
        (&json!("failed"), &json!({"begun": true, "ended": true}))
    );
    assert_eq!(run["failed"][0]["number"], 1);
    assert!(run["failed"][0]["why"].as_str().is_some_and(|why| why.contains("VpcLimitExceeded")), "{run}");
    let steps = document["plan"]["plans"][0]["steps"].as_array().ok_or("steps")?.len();
    let number = |list: &str| run[list].as_array().map_or(0, Vec::len);
    assert_eq!(number("done") + number("failed") + number("not_done"), steps, "{run}");
    assert_eq!((&document["again"], &document["proof"]), (&json!("doorward apply"), &Value::Null));
    account.steer("quotas", "{\"vpcs\": 5}")?;

    let (code, told) = account.interrupted(&["apply", "--yes", "--json"], 2, "-INT")?;
    assert_eq!(code, Some(130), "{told}");
    let document: Value = serde_json::from_slice(&fs::read(account.written())?)?;
    assert_eq!(
        (&document["outcome"], &document["runs"][0]["outcome"]),
        (&json!("interrupted"), &json!("interrupted"))
    );
    let done = account.run(&["apply", "--yes", "--json"]);
    let document = done.json();
    assert_eq!(
        (done.code, &document["outcome"], &document["error"]),
        (0, &json!("done"), &Value::Null),
        "{done:?}"
    );
    assert_eq!((&document["proof"]["changes"], &document["again"]), (&json!(false), &Value::Null));
    let unchanged = account.run(&["apply", "--yes", "--json"]);
    assert_eq!((unchanged.code, &unchanged.json()["outcome"]), (0, &json!("unchanged")), "{unchanged:?}");
    let gone = account.run(&["destroy", "main", "--confirm", "main", "--json"]);
    let destroyed = gone.json();
    assert_eq!(
        (gone.code, &destroyed["outcome"], &destroyed["proof"]),
        (0, &json!("done"), &json!({"changes": false}))
    );
    assert_eq!(destroyed["runs"][0]["plan"], destroyed["plan"]["plans"][0]["digest"]);

    let runs = recorded(&account);
    let told: Vec<(&str, &str, &str)> = runs
        .iter()
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            (text("what"), text("command"), text("outcome"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("run-begun", "apply", ""),
            ("run-ended", "apply", "failed"),
            ("run-begun", "apply", ""),
            ("run-ended", "apply", "interrupted"),
            ("run-begun", "apply", ""),
            ("run-ended", "apply", "done"),
            ("run-begun", "destroy", ""),
            ("run-ended", "destroy", "done"),
        ]
    );
    assert_eq!(
        (&runs[0]["networks"], &runs[0]["place"]),
        (&json!(["main"]), &json!("eu-north-1 (profile networks-eu-north-1)"))
    );
    assert!(runs[1]["failed"][0].as_str().is_some_and(|it| it.contains("VpcLimitExceeded")), "{}", runs[1]);
    assert_eq!(runs[4]["plan"], document["plan"]["plans"][0]["digest"]);
    assert!(runs[0]["who"]["unproved"]["login"]["uid"].is_number(), "{}", runs[0]);
    account.run(&["audit", "verify"]).is(0, &["The audit log is intact"], &["Every entry"]);
    Ok(())
}

fn unrecorded() -> Result<(), Failed> {
    let account = NetworkAccount::new("ap-southeast-2", "[network.main]\nnat = \"none\"\n")?;
    people(&account)?;
    let done = account.run(&["apply", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    // The store was moved away, as by a backup: there was one, and nobody makes another.
    let (store, away) = (account.folder.path().join("doorward.db"), account.folder.path().join("away.db"));
    fs::rename(&store, &away)?;
    let refused = account.run(&["destroy", "main", "--confirm", "main"]);
    refused.is(
        74,
        &["delete "],
        &["could not be recorded in the audit log, so nothing was done", "--unrecorded"],
    );
    let plan = account.run(&["plan"]);
    assert_eq!(plan.code, 0, "nothing was done: {plan:?}");
    let forced = account.run(&["destroy", "main", "--confirm", "main", "--unrecorded", "--json"]);
    let document = forced.json();
    assert_eq!((forced.code, &document["outcome"]), (0, &json!("done")), "{forced:?}");
    assert_eq!(document["runs"][0]["recorded"], json!({"begun": false, "ended": false}));
    assert!(forced.err.contains("warning: the audit log does not have this run"), "{forced:?}");
    assert!(!store.exists(), "no store was made in its place");
    fs::rename(&away, &store)?;
    assert_eq!(recorded(&account).len(), 2);
    Ok(())
}
