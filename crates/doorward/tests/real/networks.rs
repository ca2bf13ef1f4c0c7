//! `doorward plan`, `apply` and `destroy` on an account in moto, behind the proxy that adds what AWS does and moto does not.

mod prod;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use account_proxy::Proxy;
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::desk::{Said, said};
use crate::faulty::Faulty;
use crate::moto::{Moto, between, profile};
use crate::need::{Need, trial};

pub fn trials() -> Vec<Trial> {
    let moto = &[Need::Moto];
    vec![
        trial("networks: a live account is planned with calls that only read", moto, reads),
        trial(
            "networks: ten lines become a network, over a kill and Ctrl-C, and nothing of it stays",
            moto,
            whole,
        ),
        trial("networks: a saved plan is performed once, and on no other account", moto, saved),
        trial(
            "networks: a load balancer serves an environment, is reached as declared, and nothing of it stays",
            moto,
            prod::whole,
        ),
        trial("networks: an environment is stopped and started, and its paths are proved", moto, environment),
    ]
}

/// A folder with a policy, and an account in a Region of its own.
pub struct NetworkAccount {
    pub folder: TempDir,
    _moto: Arc<Moto>,
    runtime: Runtime,
    proxy: Option<Proxy>,
}

impl NetworkAccount {
    pub fn new(region: &str, networks: &str) -> Result<Self, Failed> {
        let moto = Moto::shared();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let proxy = runtime.block_on(Proxy::start("127.0.0.1:0", &moto.url()))?;
        // What takes time takes it by being asked.
        steer(&proxy, "clock", "{\"tick\": 10}")?;
        let name = format!("networks-{region}");
        profile(&name, region, &proxy.url);
        let folder = tempfile::tempdir()?;
        policy(folder.path(), region, &name, networks)?;
        Ok(Self { folder, _moto: moto, runtime, proxy: Some(proxy) })
    }

    fn command(&self, words: &[&str]) -> Command {
        command(self.folder.path(), words)
    }

    /// Steers the proxy.
    pub fn steer(&self, what: &str, body: &str) -> Result<(), Failed> {
        steer(self.proxy.as_ref().ok_or("it runs")?, what, body)
    }

    pub fn run(&self, words: &[&str]) -> Said {
        said(self.command(words).stdin(Stdio::null()).output().expect("doorward runs"))
    }

    /// What the last command that was sent a signal wrote to standard output.
    pub fn written(&self) -> std::path::PathBuf {
        self.folder.path().join("written")
    }

    fn out(&self) -> Result<fs::File, Failed> {
        Ok(fs::File::create(self.written())?)
    }

    /// Runs a command and sends it a signal once so many steps are done; how it ended, and what it said.
    pub fn interrupted(
        &self,
        words: &[&str],
        steps: usize,
        signal: &str,
    ) -> Result<(Option<i32>, String), Failed> {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(self.out()?).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipe = child.stderr.take().ok_or("a pipe")?;
        let (mut told, mut done) = (String::new(), 0);
        for line in BufReader::new(pipe).lines() {
            let line = line?;
            done += usize::from(line.contains(&format!("{}/", done + 1)));
            if done == steps {
                done += 1_000;
                let sent = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
                assert!(sent.success());
            }
            told.push_str(&format!("{line}\n"));
        }
        Ok((child.wait()?.code(), told))
    }
}

impl Drop for NetworkAccount {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            let _guard = self.runtime.enter();
            proxy.stop();
        }
    }
}

fn steer(proxy: &Proxy, what: &str, body: &str) -> Result<(), Failed> {
    ureq::post(format!("{}/account-proxy/{what}", proxy.url)).send(body)?;
    Ok(())
}

pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(words).current_dir(folder).env("DOORWARD_POLICY", "doorward.toml");
    command
}

pub fn policy(folder: &Path, region: &str, profile: &str, networks: &str) -> Result<(), Failed> {
    let text = format!(
        "[people]\npasswords = \"people.htpasswd\"\ngroups = \"people.groups\"\n\n[aws]\nregion = \"{region}\"\nprofile = \"{profile}\"\n\n{networks}"
    );
    Ok(fs::write(folder.join("doorward.toml"), text)?)
}

fn reads() -> Result<(), Failed> {
    const REGION: &str = "eu-west-3";
    let moto = Moto::shared();
    let faulty = Faulty::before(moto.port());
    profile("networks-reads", REGION, &faulty.url());
    let folder = tempfile::tempdir()?;
    policy(
        folder.path(),
        REGION,
        "networks-reads",
        "[network.main]\n[network.old]\nvpc = \"default\"\nnat = \"none\"\n",
    )?;
    let run = |words: &[&str]| said(command(folder.path(), words).output().expect("doorward runs"));
    let both = run(&["plan", "--json"]);
    assert_eq!(both.code, 2, "{both:?}");
    let plan = &both.json()["plans"][0];
    assert_eq!(plan["region"], REGION);
    assert_eq!(plan["networks"], serde_json::json!(["main", "old"]));
    assert!(plan["quotas"]["known"].as_object().is_some_and(|known| known.len() > 3), "{plan}");
    let steps = plan["steps"].as_array().ok_or("no steps")?;
    let has = |key: &str, value: &str| steps.iter().any(|step| step[key] == value);
    assert!(has("what", "create the VPC new:main/vpc (10.0.0.0/16)"), "{steps:?}");
    // The zones are those that AWS describes, by their ids.
    assert!(has("id", "new:main/public-subnet/euw3-az1"), "{steps:?}");
    let requests = faulty.requests();
    let actions: Vec<&str> = requests
        .iter()
        .flat_map(|body| body.split('&').filter_map(|field| field.strip_prefix("Action=")))
        .collect();
    assert!(actions.contains(&"DescribeAvailabilityZones"), "{actions:?}");
    let reads =
        |action: &&&str| ["Describe", "Get", "List", "Search"].iter().any(|word| action.starts_with(word));
    let others: Vec<&&str> = actions.iter().filter(|action| !reads(action)).collect();
    assert!(others.is_empty(), "{others:?}");
    // What was saved of the account is planned alike.
    let saved = run(&["inventory", "save", "account", "--profile", "networks-reads"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let recorded = run(&["plan", "--inventory", "account", "--json"]);
    assert_eq!(recorded.code, 2, "{recorded:?}");
    assert_eq!(recorded.json()["plans"][0]["steps"], plan["steps"]);
    Ok(())
}

const SHOP: &str = "[network.main]\nnat = \"gateway\"\n\n[role.web]\nadmits = { internet = [\"tcp/443\"] }\n\n[role.db]\nadmits = { web = [\"tcp/5432\"] }\n";

fn whole() -> Result<(), Failed> {
    let account = NetworkAccount::new("ca-central-1", SHOP)?;
    let asked = account.run(&["apply"]);
    asked.is(64, &["create the VPC new:main/vpc"], &["there is no terminal to confirm at", "apply --yes"]);
    assert!(!account.folder.path().join("doorward.db").exists(), "nothing was made");
    // Killed in the middle; then stopped in order; then to its end.
    let (code, _) = account.interrupted(&["apply", "--yes"], 5, "-KILL")?;
    assert_eq!(code, None, "killed");
    let (code, told) = account.interrupted(&["apply", "--yes"], 3, "-INT")?;
    assert_eq!(code, Some(130), "{told}");
    for words in
        ["stopping: calls in progress are awaited", "stopped: ", "not done: ", "run `doorward apply` again"]
    {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let last = account.run(&["apply", "--yes"]);
    assert_eq!(last.code, 0, "{last:?}");
    assert!(last.out.contains("nothing to change: "), "{last:?}");
    account.run(&["plan"]).is(0, &["nothing to change: "], &[]);
    account.run(&["apply", "--yes"]).is(0, &["nothing to change: "], &[]);
    // Everything was made once, although it took three runs.
    let saved = account.run(&["inventory", "save", "account", "--profile", "networks-ca-central-1"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let count = |kind: &str, key: &str| -> Result<usize, Failed> {
        let mut files = Vec::new();
        files_in(&account.folder.path().join("account"), &mut files)?;
        let file = files
            .iter()
            .find(|file| file.to_string_lossy().ends_with(&format!("{kind}.json")))
            .ok_or(format!("no {kind}"))?;
        let answer: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
        let ours = |item: &&serde_json::Value| item.to_string().contains("doorward:part");
        Ok(answer[key].as_array().ok_or("a list")?.iter().filter(ours).count())
    };
    assert_eq!(count("describe-vpcs", "Vpcs")?, 1);
    assert_eq!(count("describe-subnets", "Subnets")?, 4);
    assert_eq!(count("describe-nat-gateways", "NatGateways")?, 1);
    assert_eq!(count("describe-addresses", "Addresses")?, 1);

    account.run(&["destroy", "main"]).is(64, &["destroy the network main"], &["--confirm main"]);
    account.run(&["destroy", "main", "--confirm", "other"]).is(
        64,
        &["delete "],
        &["is not the name of the network"],
    );
    let gone = account.run(&["destroy", "main", "--confirm", "main"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(gone.out.contains("the network main in ca-central-1"), "{gone:?}");
    assert!(gone.err.contains("[network.main] is still declared"), "{gone:?}");
    account.run(&["destroy", "main", "--confirm", "main"]).is(1, &[], &["belongs to a network main"]);
    Ok(())
}

fn files_in(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files_in(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn saved() -> Result<(), Failed> {
    let account = NetworkAccount::new("sa-east-1", "[network.main]\nnat = \"none\"\n")?;
    let plan = account.run(&["plan", "--out", "main.plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    fs::write(account.folder.path().join("other.plan"), "{}")?;
    account.run(&["apply", "other.plan", "--yes"]).is(65, &[], &["is not a saved plan"]);
    account.run(&["apply", "nowhere.plan", "--yes"]).is(
        66,
        &[],
        &["`nowhere.plan` is not a network of the policy, and there is no such file"],
    );
    let done = account.run(&["apply", "main.plan", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    // The installation that the plan names is kept, so that what it made stays its own.
    let named: serde_json::Value =
        serde_json::from_slice(&fs::read(account.folder.path().join("main.plan"))?)?;
    let again = account.run(&["plan", "--json"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.json()["plans"][0]["installation"], named["plans"][0]["installation"]);
    account.run(&["apply", "main.plan", "--yes"]).is(
        1,
        &[],
        &["the account changed since the plan was saved"],
    );
    Ok(())
}

const DEV: &str = "[network.main]\nnat = \"none\"\nendpoints = []\n\n[role.web]\non = [\"environment:dev/instance\"]\n\n[role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:dev/database\"]\n\n[environment.dev]\nkind = \"dev\"\n";

fn environment() -> Result<(), Failed> {
    const REGION: &str = "ap-south-1";
    let image = between(&Moto::shared().ec2(REGION, "DescribeImages", &[]), "<imageId>", "</imageId>");
    let account = NetworkAccount::new(REGION, &format!("{DEV}image = \"{image}\"\n"))?;
    // Databases take minutes.
    account.steer("clock", "{\"tick\": 600}")?;
    account.run(&["env", "list"]).is(0, &["not created"], &[]);
    account.run(&["env", "stop", "dev", "--yes"]).is(
        1,
        &[],
        &["the environment dev has not been created", "hint: run `doorward apply main`"],
    );
    let created = account.run(&["apply", "--yes"]);
    assert_eq!(created.code, 0, "{created:?}");
    account.run(&["env", "list"]).is(0, &["running"], &[]);
    let asked = account.run(&["env", "stop", "dev"]);
    asked.is(
        64,
        &["stop the database doorward-dev", "lost", "the memory of the instance"],
        &["env stop dev --yes"],
    );
    account.run(&["env", "list"]).is(0, &["running"], &[]);
    let paused = account.run(&["env", "stop", "dev", "--yes"]);
    paused.is(
        0,
        &["the environment dev in ap-south-1", "is stopped", "AWS starts its database again at"],
        &["4/4"],
    );
    account.run(&["env", "stop", "dev", "--yes"]).is(0, &["nothing to change: the environment dev"], &[]);
    account.run(&["env", "list"]).is(0, &["stopped", " UTC"], &[]);
    account.run(&["apply", "--yes"]).is(0, &["nothing to change", "`doorward env start dev` starts it"], &[]);
    // A start that is killed is gone on with by the next one.
    let (code, told) = account.interrupted(&["env", "start", "dev", "--yes"], 1, "-KILL")?;
    assert_eq!(code, None, "{told}");
    let started = account.run(&["env", "start", "dev", "--yes"]);
    assert_eq!(started.code, 0, "{started:?}");
    assert!(started.out.contains("is running"), "{started:?}");
    let saved = account.run(&["env", "stop", "dev", "--as", "snapshot", "--yes"]);
    saved.is(0, &["another ARN", "is stopped as the snapshot doorward-dev-final-20"], &["5/5"]);
    account.run(&["apply", "--yes"]).is(
        0,
        &["nothing to change", "`doorward env start dev` restores it"],
        &[],
    );
    account.run(&["env", "stop", "dev", "--json"]).is(64, &["\"not-begun\""], &["--yes"]);
    let again = account.run(&["env", "stop", "dev", "--as", "snapshot", "--json", "--yes"]);
    assert_eq!(
        (again.code, &again.json()["plan"]["plans"][0]["steps"]),
        (0, &serde_json::json!([])),
        "{again:?}"
    );
    let listed = account.run(&["env", "list", "--json"]).json();
    assert_eq!(listed["environments"][0]["state"], "snapshot", "{listed}");
    // Somebody removes a rule meanwhile: the environment runs, and is not reached as it is declared.
    let groups = Moto::shared().ec2(
        REGION,
        "DescribeSecurityGroups",
        &[("Filter.1.Name", "group-name"), ("Filter.1.Value.1", "db")],
    );
    let group = between(&groups, "<groupId>", "</groupId>");
    let filter = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group.as_str())];
    let rules = Moto::shared().ec2(REGION, "DescribeSecurityGroupRules", &filter);
    let rule = between(&rules, "<securityGroupRuleId>", "</securityGroupRuleId>");
    let fields = [("GroupId", group.as_str()), ("SecurityGroupRuleId.1", rule.as_str())];
    Moto::shared().ec2(REGION, "RevokeSecurityGroupIngress", &fields);
    let started = account.run(&["env", "start", "dev", "--yes"]);
    started.is(
        1,
        &["restore the database doorward-dev"],
        &["its paths are not those of the declaration", "tcp/5432", "doorward apply main"],
    );
    let put_right = account.run(&["apply", "--yes"]);
    assert_eq!(put_right.code, 0, "{put_right:?}");
    account.run(&["env", "start", "dev", "--yes"]).is(0, &["nothing to change: the environment dev"], &[]);
    Ok(())
}
