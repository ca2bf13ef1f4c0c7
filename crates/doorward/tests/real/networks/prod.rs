//! An environment behind a load balancer, from an empty account to nothing.

use libtest_mimic::Failed;

use super::NetworkAccount;
use crate::moto::{Moto, between};

const PROD: &str = "[network.main]\nnat = \"none\"\nendpoints = []\n\n[role.balancer]\nadmits = { internet = [\"tcp/80\"] }\n\
    on = [\"environment:prod/balancer\"]\n\n[role.web]\nadmits = { balancer = [\"tcp/8080\"] }\non = [\"environment:prod/instance\"]\n\n\
    [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:prod/database\"]\n\n[[never]]\nfrom = \"internet\"\nto = \"role:db\"\n\n\
    [environment.prod]\nkind = \"prod\"\nlisten = \"http\"\nport = 8080\n";

pub(super) fn whole() -> Result<(), Failed> {
    const REGION: &str = "ap-northeast-2";
    let image = between(&Moto::shared().ec2(REGION, "DescribeImages", &[]), "<imageId>", "</imageId>");
    let account = NetworkAccount::new(REGION, &format!("{PROD}image = \"{image}\"\n"))?;
    // Databases take minutes.
    if let Some(proxy) = &account.proxy {
        ureq::post(format!("{}/account-proxy/clock", proxy.url)).send("{\"tick\": 600}")?;
    }
    let planned = account.run(&["plan"]);
    planned.is(
        2,
        &[
            "create the Auto Scaling group doorward-prod (2 to 4 instances)",
            "wait until the load balancer doorward-prod is active",
        ],
        &["placeholder"],
    );
    // Killed in the middle, and gone on with.
    let (code, told) = account.interrupted(&["apply", "--yes"], 12, "-KILL")?;
    assert_eq!(code, None, "{told}");
    let created = account.run(&["apply", "--yes"]);
    assert_eq!(created.code, 0, "{created:?}");
    account.run(&["plan"]).is(0, &["nothing to change: "], &[]);
    account.run(&["env", "list"]).is(0, &["running"], &[]);
    let listed = account.run(&["env", "list", "--json"]).json();
    let environment = &listed["environments"][0];
    assert_eq!(environment["balancer"]["state"], "active", "{listed}");
    assert_eq!(environment["instances"].as_array().map(Vec::len), Some(2), "{listed}");

    let saved = account.run(&["inventory", "save", "account", "--profile", &format!("networks-{REGION}")]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let instance = environment["instances"][0]["id"].as_str().ok_or("an instance")?.to_owned();
    let (balancer, database) = ("lb:doorward-prod", "rds:doorward-prod");
    let reach = |from: &str, to: &str, flow: &str, code: i32| {
        let said = account.run(&["reach", from, to, flow, "--inventory", "account"]);
        assert_eq!(said.code, code, "{from} {to} {flow}: {said:?}");
    };
    reach("internet", balancer, "tcp/80", 0);
    for flow in ["tcp/443", "tcp/22", "tcp/8080"] {
        reach("internet", balancer, flow, 1);
    }
    // By the load balancer, and not otherwise: of direct paths the internet has the one to the load balancer.
    reach("internet", &instance, "tcp/8080", 0);
    for flow in ["tcp/80", "tcp/22", "tcp/5432"] {
        reach("internet", &instance, flow, 1);
    }
    let direct = account.run(&["reach", "--from", "internet", "--inventory", "account"]);
    let flows: Vec<&str> = direct.out.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(flows.len() == 1 && flows[0].starts_with("  tcp/80 "), "{direct:?}");
    reach("internet", database, "tcp/5432", 1);
    reach(balancer, &instance, "tcp/8080", 0);
    reach(balancer, &instance, "tcp/22", 1);
    reach(&instance, database, "tcp/5432", 0);
    reach(database, "internet", "tcp/443", 1);
    reach(database, &instance, "tcp/443", 1);
    // What was recorded is planned alike.
    let recorded = account.run(&["plan", "--inventory", "account"]);
    assert!(recorded.code == 0 && recorded.out.starts_with("nothing to change: "), "{recorded:?}");

    account.run(&["env", "stop", "prod", "--yes"]).is(
        1,
        &[],
        &["is of the kind `prod`, which is not stopped"],
    );
    let gone = account.run(&["destroy", "main", "--confirm", "main"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    account.run(&["destroy", "main", "--confirm", "main"]).is(1, &[], &["belongs to a network main"]);
    account.run(&["env", "list"]).is(0, &["stopped as the snapshot doorward-prod-final-20"], &[]);
    Ok(())
}
