//! Machines: SSH, shells, what the doctor finds, and what CloudTrail saw.

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::{World, policy, run, target, user};
use crate::desk::{Desk, said, start};
use crate::moto::free_port;
use crate::need::{Need, find, trial};
use crate::postgres::Postgres;
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let (machine, database) = ([Need::Moto, Need::Sshd], [Need::Moto, Need::Postgres]);
    vec![
        trial("ssh: a command, its exit code, and one's own OpenSSH", &machine, machines),
        trial("shell: what is typed, and the exit code", &[Need::Moto], shell),
        trial("doctor: names the first link that is broken", &database, doctor),
        trial("cloudtrail: a session without a grant stands out", &database, cloudtrail),
    ]
}

fn machines() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::with_sshd("jump-machines", &sshd);
    world.stand.place(&world.instance.address, 22, sshd.address());
    let targets = target("web", "tag:Name=jump-machines", "tcp/22", "\"ssm\", \"ssh\"");
    let house = world.house(&policy("jump-machines", &targets));
    for via in ["ssh", "ssm"] {
        let arguments =
            ["ssh", "web", "--as", "jon", "--via", via, "--user", &user(), "echo out; echo err >&2; exit 5"];
        run(&house, &arguments).is(5, &["out\n"], &["err\n"]);
    }
    let config = run(&house, &["ssh-config", "--as", "jon"]);
    config.is(0, &["Host web.doorward", "ProxyCommand doorward proxy-command web --port %p"], &[]);
    // One's own OpenSSH, with a key of one's own, which is pushed.
    let key = house.folder().join("id");
    crate::netns::run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().expect("UTF-8")],
        "",
    );
    let proxy = format!(
        "ProxyCommand={} proxy-command web --as jon --port %p --user %r --push-key {}.pub",
        env!("CARGO_BIN_EXE_doorward"),
        key.display()
    );
    let mut ssh = Command::new(find("ssh").expect("ssh"));
    ssh.args(["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "IdentitiesOnly=yes", "-o", &proxy, "-i"])
        .arg(&key)
        .arg(format!("{}@web", user()))
        .arg("echo by openssh; exit 6")
        .current_dir(house.folder());
    house.doorward(&[]).get_envs().for_each(|(name, value)| {
        if let Some(value) = value {
            ssh.env(name, value);
        }
    });
    let by_openssh = said(ssh.output()?);
    assert_eq!((by_openssh.code, by_openssh.out.as_str()), (6, "by openssh\n"), "{by_openssh:?}");
    assert!(world.instance.id.starts_with("i-"));
    Ok(())
}

fn shell() -> Result<(), Failed> {
    let world = World::new("jump-shell", |settings| {
        settings.agent.kms_key = Some("arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d".into());
    });
    let house =
        world.house(&policy("jump-shell", &target("web", "tag:Name=jump-shell", "tcp/22", "\"ssm\"")));
    let desk = Desk::new(&house, "jon");
    let mut command = house.doorward(&["shell", "web", "--as", "jon"]);
    let mut started = start(command.stdin(std::process::Stdio::piped()));
    use std::io::Write as _;
    started.0.stdin.take().expect("a pipe").write_all(b"echo $((6*7)); exit\n")?;
    let ended = started.ends();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("42"), "{ended:?}");
    drop(desk);
    world.clean();
    Ok(())
}

fn doctor() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-doctor", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let targets = target("doctor-db", "orders.internal", "tcp/5432", "\"ssm\"")
        + &target("gone", "gone.internal", "tcp/5432", "\"ssm\"");
    let house = world.house(&policy("jump-doctor", &targets));
    let broken = |target: &str, link: &str| {
        let said = run(&house, &["doctor", target, "--as", "jon", "--json"]);
        assert_eq!(said.code, 1, "{said:?}");
        let links: Value = serde_json::from_str(&said.out).expect("JSON");
        let links = links.as_array().expect("links");
        // Nothing is checked after it but what revoking the grant removed.
        let [.., failed, revocation] = links.as_slice() else { panic!("{links:#?}") };
        assert_eq!(
            (failed["link"].as_str(), failed["state"].as_str()),
            (Some(link), Some("broken")),
            "{links:#?}"
        );
        let state = if link == "grant" { "unseen" } else { "whole" };
        assert_eq!(
            (revocation["link"].as_str(), revocation["state"].as_str()),
            (Some("revocation"), Some(state)),
            "{links:#?}"
        );
        failed.clone()
    };
    let whole = run(&house, &["doctor", "doctor-db", "--as", "jon"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    for words in
        ["ok   agent", "ok   listener     PostgreSQL", "ok   revocation", "the path to doctor-db works"]
    {
        assert!(whole.out.contains(words), "no {words:?} in {whole:?}");
    }
    world.stand.place("gone.internal", 5432, ([127, 0, 0, 1], free_port()).into());
    assert!(broken("gone", "listener")["fix"].as_str().is_some_and(|fix| fix.contains("listen")));
    world.stand.kill_agent();
    assert!(
        broken("doctor-db", "agent")["found"].as_str().is_some_and(|found| found.contains("not answering"))
    );
    world.stand.revive_agent();
    broken("nothing", "grant");
    let nobody = said(
        house
            .doorward(&["doctor", "doctor-db", "--as", "jon"])
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .output()?,
    );
    assert!(nobody.code == 1 && nobody.out.contains("FAIL credentials"), "{nobody:?}");
    let left = run(&house, &["list", "--as", "jon"]);
    assert!(!left.out.contains("g-"), "the diagnosis ended a grant: {}", left.out);
    Ok(())
}

fn cloudtrail() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let stray = r#"{"eventVersion":"1.11","eventID":"00000000-0000-4000-8000-00000000000a","eventTime":"TIME",
        "eventSource":"ssm.amazonaws.com","eventName":"StartSession","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.9",
        "userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/richard","userName":"richard"},
        "requestParameters":{"target":"i-0aaaaaaaaaaaaaaaa"},"responseElements":{"sessionId":"richard-0123456789abcdef0"}}"#;
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let world = World::new("jump-trail", |settings| {
        settings.recorded_events = vec![stray.replace("TIME", &now)];
        settings.throttle_lookups = true;
    });
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house =
        world.house(&policy("jump-trail", &target("trail-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    run(&house, &["connect", "trail-db", "--as", "jon", "--exec", "true"]).is(0, &[], &["its command ended"]);
    let compared = run(&house, &["audit", "cloudtrail"]);
    assert_eq!(compared.code, 1, "{compared:?}");
    assert!(compared.out.contains("without a grant: richard-0123456789abcdef0"), "{}", compared.out);
    assert!(
        compared.out.contains("1 session with a grant, 1 without one; 0 grants that nobody used"),
        "{}",
        compared.out
    );
    let json = run(&house, &["audit", "cloudtrail", "--json"]);
    let report: Value = serde_json::from_str(&json.out)?;
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(2), "{report:#}");
    Ok(())
}
