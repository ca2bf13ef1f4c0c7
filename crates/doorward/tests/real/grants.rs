//! Grants from end to end: the built server against moto, with drift by hand, and closings that nobody awaits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::faulty::{Fault, Faulty};
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::server::{House, Server};

pub const REGION: &str = "us-east-1";

pub fn trials() -> Vec<Trial> {
    let moto = |name, test: fn() -> Result<(), Failed>| trial(name, &[Need::Moto], test);
    vec![
        moto("grants: what is opened stands with its marks, is extended, ends, and is recorded", opened),
        moto("grants: 200 people, 20 groups, drift by hand put right in one pass", drift),
        moto("grants: who is taken from the group loses what is open", leaves),
        moto("grants: sweep closes what is past its end with no server and no store", swept),
        moto("grants: a task that began before an end does not open again what it closed", stale),
        moto("grants: a rule made by hand that still lets in is told of", by_hand),
        moto("grants: a tag makes nobody's rule ours, and an edit hides none of ours", signs),
        moto("grants: a refused open says which quota", quota),
        moto("grants: a denied account is told, and opens nothing", denied),
        moto("grants: a silent Region holds up no other, and no closing", silent),
        moto("grants: the same verbs on a local policy", local),
        moto("grants: several addresses behind a proxy, each its own grant", addresses),
    ]
}

/// The description of each rule of a group, as AWS has it.
pub fn descriptions(moto: &Moto, region: &str, group: &str) -> Vec<String> {
    let answer = moto.ec2(
        region,
        "DescribeSecurityGroupRules",
        &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)],
    );
    let mut found = Vec::new();
    for rule in answer.split("<securityGroupRuleId>").skip(1) {
        let egress = rule.contains("<isEgress>true</isEgress>");
        let text = rule.split_once("<description>").and_then(|(_, rest)| rest.split_once("</description>"));
        if let (false, Some((text, _))) = (egress, text) {
            found.push(text.to_owned());
        }
    }
    found
}

/// A policy with one target on each of these groups.
pub fn policy(groups: &[String], lasts: &str) -> String {
    let mut policy = String::from("[aws]\nregion = \"us-east-1\"\n\n");
    for (number, group) in groups.iter().enumerate() {
        policy.push_str(&format!(
            "[firewall.clients-{number}]\nabout = \"clients {number}\"\nsecurity-group = \"{group}\"\n\
             static = [\"198.51.100.0/24\"]\n\n\
             [target.db-{number}]\nabout = \"database {number}\"\naddress = \"rds:db-{number}\"\nports = [\"tcp/5432\"]\n\
             groups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"clients-{number}\"\nlasts = {lasts}\n\n"
        ));
    }
    policy
}

pub const HOURS: &str = "{ usually = \"2h\", at-most = \"8h\" }";

pub fn new_groups(moto: &Moto, count: usize, name: &str) -> Vec<String> {
    let vpc = moto.vpc(REGION);
    (0..count).map(|number| moto.group(REGION, &vpc, &format!("{name}-{number}"))).collect()
}

/// Asks until it is so, for at most thirty seconds.
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within thirty seconds: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn open(server: &Server, token: &str, body: Value) -> Value {
    let (status, answer) = server.call(Some(token), "POST", "/api/v1/grants", Some(body)).expect("an answer");
    assert!((200..300).contains(&status), "{status}: {answer}");
    answer
}

fn opened() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "opened");
    let house =
        House::new(&[("dbs", &["jon"]), ("ops", &["maria"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let token = server.sign_in("jon");
    let begun = Instant::now();
    let answer = open(&server, &token, json!({ "target": "db-0", "reason": "ticket 4711", "lasts": 3 }));
    let id = answer["grant"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer["grant"]["standing"]["state"], "as-wanted", "{answer}");
    let ours = |id: &str| descriptions(&moto, REGION, &groups[0]).into_iter().find(|text| text.contains(id));
    let mark = ours(&id).ok_or("no rule stands")?;
    assert!(mark.contains(" jon to db-0 until ") && mark.starts_with("doorward "), "{mark}");
    let rules = moto.ec2(
        REGION,
        "DescribeSecurityGroupRules",
        &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", &groups[0])],
    );
    assert!(
        rules.contains("<cidrIpv4>203.0.113.9/32</cidrIpv4>") && rules.contains("<key>doorward</key>"),
        "{rules}"
    );
    assert!(descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.ends_with("static clients-0")));

    // Asking again extends: the same grant, the same rule, a later end in its mark.
    let answer = open(&server, &token, json!({ "target": "db-0", "lasts": 4 }));
    assert_eq!((answer["grant"]["id"].as_str(), &answer["extended"]), (Some(id.as_str()), &json!(true)));
    assert_ne!(ours(&id).ok_or("no rule stands")?, mark);
    let until: jiff::Timestamp = answer["grant"]["until"].as_str().expect("an end").parse()?;

    // It ends by itself, within a second of its end.
    eventually("the rule is gone", || ours(&id).is_none());
    let late = jiff::Timestamp::now().duration_since(until);
    assert!(late.as_millis() < 1000, "{late:?} late, {:?} after the beginning", begun.elapsed());
    drop(server);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, out, _) = house.run(&["audit", "list", "--grant", &id]);
    for word in ["opened db-0 for 203.0.113.9/32", "ticket 4711", "extended", "expired"] {
        assert!(out.contains(word), "no `{word}` in the record:\n{out}");
    }
    Ok(())
}

fn drift() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 20, "drift");
    let people: Vec<String> = (0..200).map(|number| format!("person{number}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let settings = "[grants]\nreason = \"optional\"\n\n";
    let house = House::new(&[("dbs", &names)], &format!("{settings}{}", policy(&groups, HOURS)));
    house.trust_proxies();
    let house = house.with_aws(&moto.url());
    let server = house.serve();
    // Ten people a group, each from an address of their own.
    std::thread::scope(|scope| {
        for chunk in people.chunks(25).map(<[String]>::to_vec).enumerate() {
            let (server, (chunk_number, chunk)) = (&server, chunk);
            scope.spawn(move || {
                for (number, person) in chunk.iter().enumerate() {
                    let number = chunk_number * 25 + number;
                    let address = format!("203.0.113.{number}");
                    let token = server.sign_in_from(person, &address);
                    let body = json!({ "target": format!("db-{}", number % 20) });
                    let (status, answer) = server
                        .call_from(&address, Some(&token), "POST", "/api/v1/grants", Some(body))
                        .expect("an answer");
                    assert!(status < 300, "{answer}");
                }
            });
        }
    });
    let all = |moto: &Moto| -> Vec<BTreeSet<String>> {
        groups.iter().map(|group| descriptions(moto, REGION, group).into_iter().collect()).collect()
    };
    let before = all(&moto);
    assert!(before.iter().all(|rules| rules.len() == 11), "ten people and the office: {before:?}");

    // By hand: one of ours removed, one edited, and one of theirs added.
    let ids = |group: &str| {
        let answer = moto.ec2(
            REGION,
            "DescribeSecurityGroupRules",
            &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)],
        );
        let rules = answer.split("<securityGroupRuleId>").skip(1).filter(|rule| rule.contains(" to db-"));
        rules.map(|rule| rule.split('<').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let gone = &ids(&groups[0])[0];
    moto.ec2(
        REGION,
        "RevokeSecurityGroupIngress",
        &[("GroupId", &groups[0]), ("SecurityGroupRuleId.1", gone)],
    );
    let edited = &ids(&groups[1])[0];
    let answer = moto.ec2(
        REGION,
        "ModifySecurityGroupRules",
        &[
            ("GroupId", &groups[1]),
            ("SecurityGroupRule.1.SecurityGroupRuleId", edited),
            ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
            ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "1"),
            ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "65535"),
            ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "0.0.0.0/0"),
            ("SecurityGroupRule.1.SecurityGroupRule.Description", "just for a minute"),
        ],
    );
    assert!(answer.contains("true"), "{answer}");
    moto.rule_by_hand(REGION, &groups[2], 22, "192.0.2.0/24", "made by hand");

    // One pass: somebody's request makes it.
    let answer = server.call_from(
        "203.0.113.250",
        Some(&server.sign_in_from("person0", "203.0.113.250")),
        "POST",
        "/api/v1/grants",
        Some(json!({ "target": "db-19" })),
    )?;
    assert!(answer.0 < 300, "{answer:?}");
    let after = all(&moto);
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        match number {
            2 => {
                let foreign: Vec<&String> = after.difference(before).collect();
                assert_eq!(foreign, ["made by hand"]);
            }
            19 => assert_eq!(after.len(), 12),
            _ => assert_eq!(before, after, "group {number}"),
        }
    }
    let wide = moto.ec2(
        REGION,
        "DescribeSecurityGroupRules",
        &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", &groups[1])],
    );
    assert!(
        !wide.split("<isEgress>false").skip(1).any(|rule| rule.contains("<fromPort>1</fromPort>")),
        "{wide}"
    );
    drop(server);
    let (_, out, _) = house.run(&["audit", "list", "--limit", "20"]);
    assert!(out.contains("corrected clients-0") && out.contains("corrected clients-1"), "{out}");
    Ok(())
}

fn leaves() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "leaves");
    let house = House::new(&[("dbs", &["jon", "maria"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let answer = open(&server, &server.sign_in("jon"), json!({ "target": "db-0" }));
    let id = answer["grant"]["id"].as_str().expect("an id");
    let stands = || descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains(id));
    assert!(stands());
    house.write_people(&[("dbs", &["maria"]), ("rest", &["jon"])]);
    eventually("the rule is gone", || !stands());
    drop(server);
    let (_, out, _) = house.run(&["audit", "list", "--grant", id]);
    assert!(out.contains("no longer allowed"), "{out}");
    Ok(())
}

fn swept() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "swept");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let token = server.sign_in("jon");
    open(&server, &token, json!({ "target": "db-0", "lasts": 5 }));
    server.kill();
    std::fs::remove_file(house.folder().join("doorward.db"))?;
    moto.rule_by_hand(REGION, &groups[0], 22, "192.0.2.0/24", "made by hand");
    std::thread::sleep(Duration::from_millis(6100));
    let stands = || descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains(" to db-0"));
    assert!(stands(), "nobody has closed it yet");
    let (code, out, err) = house.run(&["sweep", "--dry-run"]);
    assert!(code == 0 && out.contains("would revoke tcp/5432 from 203.0.113.9/32") && stands(), "{out}{err}");
    // Neither the people nor the rest of the policy have to be whole for that.
    std::fs::remove_file(house.folder().join("people.htpasswd"))?;
    let whole = std::fs::read_to_string(house.policy())?;
    std::fs::write(house.policy(), format!("{whole}\n[target.broken]\nlasts = 7\n"))?;
    let (code, out, err) = house.run(&["sweep"]);
    assert!(
        code == 65 && out.contains("closed tcp/5432 from 203.0.113.9/32") && !stands(),
        "{code}: {out}{err}"
    );
    assert!(err.contains("`lasts` must be a table"), "{err}");
    std::fs::write(house.policy(), whole)?;
    let (code, out, _) = house.run(&["sweep"]);
    assert_eq!((code, out.as_str()), (0, "No rule has expired.\n"));
    let left: BTreeSet<String> = descriptions(&moto, REGION, &groups[0]).into_iter().collect();
    assert!(left.contains("made by hand") && left.iter().any(|text| text.contains(" static ")), "{left:?}");
    Ok(())
}

/// The ids of the rules of a group whose description contains a text.
fn ids(moto: &Moto, group: &str, text: &str) -> Vec<String> {
    let fields = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)];
    let answer = moto.ec2(REGION, "DescribeSecurityGroupRules", &fields);
    let rules = answer.split("<securityGroupRuleId>").skip(1).filter(|rule| rule.contains(text));
    rules.filter_map(|rule| Some(rule.split_once('<')?.0.to_owned())).collect()
}

fn signs() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "signs");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let token = server.sign_in("jon");
    let answer = open(&server, &token, json!({ "target": "db-0" }));
    let grant = answer["grant"]["id"].as_str().ok_or("no grant")?.to_owned();
    let mark = descriptions(&moto, REGION, &groups[0]).into_iter().find(|text| text.contains(" to db-0"));
    let mark = mark.ok_or("no rule stands")?;
    let installation = mark.split(' ').nth(1).ok_or("no installation")?.to_owned();

    // Somebody who may write tags puts ours on a rule of their own, and somebody who may write descriptions copies a mark.
    let tag = |id: &str, value: &str| {
        let fields = [("ResourceId.1", id), ("Tag.1.Key", "doorward"), ("Tag.1.Value", value)];
        moto.ec2(REGION, "CreateTags", &fields);
    };
    moto.rule_by_hand(REGION, &groups[0], 22, "192.0.2.0/24", "made by hand");
    moto.rule_by_hand(REGION, &groups[0], 23, "192.0.2.0/24", "another by hand");
    let past = format!("doorward {installation} g-aaaaaaaaaaaa jon to db-0 until 2020-01-01T00:00:00Z");
    moto.rule_by_hand(REGION, &groups[0], 24, "192.0.2.0/24", &past);
    tag(&ids(&moto, &groups[0], "made by hand")[0], &installation);
    tag(&ids(&moto, &groups[0], "another by hand")[0], "deadbeef");
    // And our own rule is made to look like nobody's: its description by one, its tag by another.
    let ours = ids(&moto, &groups[0], " to db-0 until ")
        .into_iter()
        .find(|id| *id != ids(&moto, &groups[0], &past)[0]);
    let ours = ours.ok_or("no rule stands")?;
    let edit = || {
        moto.ec2(
            REGION,
            "ModifySecurityGroupRules",
            &[
                ("GroupId", &groups[0]),
                ("SecurityGroupRule.1.SecurityGroupRuleId", &ours),
                ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "5432"),
                ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "5432"),
                ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "203.0.113.9/32"),
                ("SecurityGroupRule.1.SecurityGroupRule.Description", "do not delete"),
            ],
        );
        moto.ec2(REGION, "DeleteTags", &[("ResourceId.1", &ours), ("Tag.1.Key", "doorward")]);
    };
    edit();
    assert_eq!(ids(&moto, &groups[0], "do not delete"), std::slice::from_ref(&ours));

    // A pass puts the mark back, by the id, and leaves the others.
    open(&server, &token, json!({ "target": "db-0", "lasts": 9000 }));
    eventually("the mark is back", || ids(&moto, &groups[0], &grant) == [ours.clone()]);
    let by_hand =
        || ["made by hand", "another by hand", &past].map(|text| ids(&moto, &groups[0], text).len());
    assert_eq!(by_hand(), [1, 1, 1]);

    // Also a server that starts anew knows it, from the store; and a sweep, which has none, leaves what is not sure.
    edit();
    server.kill();
    let (code, out, err) = house.run(&["sweep"]);
    assert_eq!((code, out.as_str()), (0, "No rule has expired.\n"), "{err}");
    assert_eq!(err.matches("so it was not revoked").count(), 3, "{err}");
    let server = house.serve();
    let token = server.sign_in("jon");
    eventually("the mark is back", || ids(&moto, &groups[0], &grant) == [ours.clone()]);
    edit();
    let (status, answer) = server.call(Some(&token), "DELETE", &format!("/api/v1/grants/{grant}"), None)?;
    assert!((200..300).contains(&status), "{answer}");
    eventually("it is closed", || {
        ids(&moto, &groups[0], "do not delete").is_empty() && ids(&moto, &groups[0], &grant).is_empty()
    });
    assert_eq!(by_hand(), [1, 1, 1]);
    Ok(())
}

fn stale() -> Result<(), Failed> {
    let moto = Moto::shared();
    let faulty = Faulty::before(moto.port());
    let groups = new_groups(&moto, 1, "stale");
    let house = House::new(&[("dbs", &["jon", "maria"])], &policy(&groups, HOURS));
    house.trust_proxies();
    let house = house.with_aws(&faulty.url());
    let server = house.serve();
    let (jon, maria) =
        (server.sign_in_from("jon", "203.0.113.7"), server.sign_in_from("maria", "203.0.113.8"));
    let body = json!({ "target": "db-0", "lasts": 3 });
    let (_, answer) = server.call_from("203.0.113.7", Some(&jon), "POST", "/api/v1/grants", Some(body))?;
    let id = answer["grant"]["id"].as_str().ok_or("no grant")?.to_owned();
    std::thread::sleep(Duration::from_millis(1500));
    // The next look takes five seconds, and is decided while jon's grant is live.
    faulty.breaks("DescribeSecurityGroups", 1, Fault::Silence);
    let body = json!({ "target": "db-0" });
    server.call_from("203.0.113.8", Some(&maria), "POST", "/api/v1/grants", Some(body))?;
    std::thread::sleep(Duration::from_secs(2));
    drop(server);
    let (_, record, _) = house.run(&["audit", "list", "--json"]);
    let record: Vec<&str> = record.lines().collect::<Vec<_>>().into_iter().rev().collect();
    let ended = record.iter().position(|line| line.contains("\"ended\"") && line.contains(&id));
    let after = &record[ended.ok_or("it has not ended")?..];
    let added = after.iter().any(|line| line.contains("rules-added") && line.contains(&id));
    let drift = after.iter().any(|line| line.contains("drift-righted"));
    assert!(!added && !drift, "{}", after.join("\n"));
    Ok(())
}

fn by_hand() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "by-hand");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    moto.rule_by_hand(REGION, &groups[0], 5432, "203.0.113.0/24", "just for today");
    let server = house.serve();
    let token = server.sign_in("jon");
    let answer = open(&server, &token, json!({ "target": "db-0" }));
    let id = answer["grant"]["id"].as_str().ok_or("no grant")?;
    let (status, answer) = server.call(Some(&token), "DELETE", &format!("/api/v1/grants/{id}"), None)?;
    let still = answer["still"].as_str().ok_or("nothing is told")?;
    assert!(
        status < 300 && still.contains("does not manage") && still.contains("just for today"),
        "{answer}"
    );
    Ok(())
}

fn quota() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "quota");
    for number in 0..59 {
        moto.rule_by_hand(REGION, &groups[0], 1000 + number, "192.0.2.0/24", "made by hand");
    }
    // The office is the sixtieth rule, so there is no room for a person.
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let server = house.serve();
    let token = server.sign_in("jon");
    let (status, answer) =
        server.call(Some(&token), "POST", "/api/v1/grants", Some(json!({ "target": "db-0" })))?;
    let text = answer.to_string();
    assert!((400..500).contains(&status), "{status}: {text}");
    assert!(text.contains("L-0EA8095F") && text.contains("IPv4") && text.contains("61"), "{text}");
    Ok(())
}

fn denied() -> Result<(), Failed> {
    let moto = Moto::shared();
    let faulty = Faulty::before(moto.port());
    let groups = new_groups(&moto, 1, "denied");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&faulty.url());
    faulty.breaks("DescribeSecurityGroupRules", usize::MAX, Fault::denied());
    let server = house.serve();
    let token = server.sign_in("jon");
    let (status, answer) =
        server.call(Some(&token), "POST", "/api/v1/grants", Some(json!({ "target": "db-0" })))?;
    assert!(
        [409, 503].contains(&status) && answer.to_string().contains("UnauthorizedOperation"),
        "{status}: {answer}"
    );
    assert!(descriptions(&moto, REGION, &groups[0]).iter().all(|text| !text.contains(" to db-0")));
    // It recovers by itself.
    faulty.mends();
    eventually("it opens", || {
        let body = json!({ "target": "db-0" });
        server.call(Some(&token), "POST", "/api/v1/grants", Some(body)).is_ok_and(|(status, _)| status < 300)
    });
    Ok(())
}

fn silent() -> Result<(), Failed> {
    let moto = Moto::shared();
    let faulty = Faulty::before(moto.port());
    let groups = new_groups(&moto, 2, "silent");
    let mut policy = policy(&groups, HOURS);
    for (number, profile) in ["well", "ill"].iter().enumerate() {
        let group = format!("security-group = \"{}\"", groups[number]);
        policy = policy.replace(&group, &format!("{group}\nprofile = \"{profile}\""));
    }
    let house = House::new(&[("dbs", &["jon"])], &policy)
        .with_profiles(&[("well", &moto.url()), ("ill", &faulty.url())]);
    let server = house.serve();
    let token = server.sign_in("jon");
    let stands = |group: usize| {
        descriptions(&moto, REGION, &groups[group]).iter().any(|text| text.contains(" to db-"))
    };
    open(&server, &token, json!({ "target": "db-1", "lasts": 6 }));
    assert!(stands(1));

    // From now on nobody who looks at the second account gets an answer.
    faulty.breaks("DescribeSecurityGroup", usize::MAX, Fault::Silence);
    let begun = Instant::now();
    let answer = open(&server, &token, json!({ "target": "db-0", "lasts": 3 }));
    assert_eq!(answer["grant"]["standing"]["state"], "as-wanted", "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(2), "opened after {:?}", begun.elapsed());
    let until: jiff::Timestamp = answer["grant"]["until"].as_str().expect("an end").parse()?;
    eventually("the rule of the account that answers is gone", || !stands(0));
    let late = jiff::Timestamp::now().duration_since(until);
    assert!(late.as_millis() < 1000, "{late:?} late");
    // What ends where nobody can look is closed all the same, while the look still waits for its answer.
    eventually("the rule of the account that is silent is gone", || !stands(1));
    let late = begun.elapsed();
    assert!(late < Duration::from_secs(8), "closed only after {late:?}");
    Ok(())
}

fn local() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "local");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    let (code, out, err) = house.run(&["list", "--as", "jon"]);
    assert!(code == 0 && out.contains("db-0") && out.contains("No grants are open"), "{out}{err}");
    let open = ["open", "db-0", "--as", "jon", "--address", "203.0.113.7", "--for", "1h", "--detach"];
    let (code, out, err) = house.run(&open);
    assert!(code == 0 && out.contains("db-0 is open for 203.0.113.7/32 until"), "{code}: {out}{err}");
    assert!(descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains(" jon to db-0")));
    let (code, out, _) = house.run(&["list", "--as", "jon", "--json"]);
    let listed: Value = serde_json::from_str(&out)?;
    assert_eq!((code, listed["grants"][0]["state"].as_str()), (0, Some("open")));
    let (code, out, err) = house.run(&["close", "db-0", "--as", "jon"]);
    assert!(code == 0 && out.contains("is revoked"), "{out}{err}");
    assert!(descriptions(&moto, REGION, &groups[0]).iter().all(|text| !text.contains(" to db-0")));
    let (code, _, err) =
        house.run(&["open", "db-0", "--as", "nobody", "--address", "203.0.113.7", "--detach"]);
    assert!(code == 1 && err.contains("`nobody` is not in the password file"), "{code}: {err}");
    let (code, _, err) =
        house.run(&["open", "db-0", "--as", "jon", "--address", "203.0.113.7", "--for", "9h", "--detach"]);
    assert!(code == 1 && err.contains("at most 8h"), "{code}: {err}");
    Ok(())
}

fn addresses() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "addresses");
    let policy = format!("[grants]\nipv6-prefix = 64\n\n{}", policy(&groups, HOURS));
    let house = House::new(&[("dbs", &["jon"])], &policy);
    house.trust_proxies();
    let house = house.with_aws(&moto.url());
    let server = house.serve();
    let mut ids = BTreeSet::new();
    for (from, admitted) in [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.8", "203.0.113.8/32"),
        ("2a00:db8:1:2:3::4", "2a00:db8:1:2::/64"),
    ] {
        let token = server.sign_in_from("jon", from);
        let (status, answer) = server.call_from(
            from,
            Some(&token),
            "POST",
            "/api/v1/grants",
            Some(json!({ "target": "db-0" })),
        )?;
        assert!(status < 300, "{answer}");
        assert_eq!(answer["grant"]["source"], admitted);
        ids.insert(answer["grant"]["id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(ids.len(), 3);
    let rules = moto.ec2(
        REGION,
        "DescribeSecurityGroupRules",
        &[("Filter.1.Name", "group-id"), ("Filter.1.Value.1", &groups[0])],
    );
    assert!(rules.contains("<cidrIpv6>2a00:db8:1:2::/64</cidrIpv6>"), "{rules}");
    Ok(())
}
