//! One Region of three that accepts and never answers: it holds up those who ask for it, and nobody else.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::json;

use crate::faulty::{Fault, Faulty};
use crate::grants::{HOURS, REGION, descriptions, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, timed};
use crate::server::{House, Server, free_address};

pub fn trials() -> Vec<Trial> {
    vec![
        timed("hung: a Region that never answers delays only those who ask for it", &[Need::Moto], hung),
        timed("hung: an `nft` that never answers holds up no end elsewhere", &[Need::Moto], silent_nft),
    ]
}

/// Three groups behind a profile each, of which the first never answers, and a relay.
fn house(moto: &Moto, faulty: &Faulty, wiki: &str) -> House {
    let groups = new_groups(moto, 3, "hung");
    let mut policy = policy(&groups, HOURS);
    for (group, profile) in groups.iter().zip(["ill", "well", "other"]) {
        let line = format!("security-group = \"{group}\"");
        policy = policy.replace(&line, &format!("{line}\nprofile = \"{profile}\""));
    }
    policy.push_str(&format!(
        "[firewall.wiki]\nabout = \"wiki\"\nrelay = \"{}\"\n\n[target.wiki]\nabout = \"wiki\"\naddress = \"127.0.0.1\"\n\
         ports = [\"tcp/{wiki}\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"wiki\"\n",
        free_address()
    ));
    let profiles = [("ill", faulty.url()), ("well", moto.url()), ("other", moto.url())];
    let profiles: Vec<(&str, &str)> = profiles.iter().map(|(name, url)| (*name, url.as_str())).collect();
    House::new(&[("dbs", &["jon", "maria"])], &policy).with_profiles(&profiles)
}

/// How long one opening takes.
fn takes(server: &Server, token: &str, target: &str) -> Duration {
    let begun = Instant::now();
    let body = json!({ "target": target });
    let (status, answer) = server.call(Some(token), "POST", "/api/v1/grants", Some(body)).expect("an answer");
    assert!(status < 300 && answer["standing"]["state"] == "as-wanted", "{status}: {answer}");
    begun.elapsed()
}

fn hung() -> Result<(), Failed> {
    let moto = Moto::shared();
    let faulty = Faulty::before(moto.port());
    // From the start: nothing of that Region was ever seen.
    faulty.breaks("DescribeSecurityGroup", usize::MAX, Fault::Silence);
    let service = TcpListener::bind("127.0.0.1:0")?;
    let house = house(&moto, &faulty, &service.local_addr()?.port().to_string());
    let server = house.serve();
    let (jon, maria) = (server.sign_in("jon"), server.sign_in("maria"));
    // How fast this machine is today, the first time apart.
    let undisturbed = |target| (0..3).map(|_| takes(&server, &jon, target)).min().expect("some");
    let undisturbed = ["wiki", "db-1", "db-2"].map(|target| (target, undisturbed(target)));
    std::thread::scope(|scope| {
        let ask = || {
            let body = Some(json!({ "target": "db-0" }));
            server.call(Some(&jon), "POST", "/api/v1/grants", body).map(|(status, _)| status)
        };
        let asked: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        std::thread::sleep(Duration::from_millis(200));
        assert!(asked.iter().filter(|one| !one.is_finished()).count() > 3, "those who asked for it wait");
        // The best of some, since other tests have the processors too; the worst is nowhere near those who wait.
        for (who, token) in [("who asked for it", &jon), ("somebody else", &maria)] {
            for (target, undisturbed) in undisturbed {
                let times: Vec<Duration> = (0..4).map(|_| takes(&server, token, target)).collect();
                let (best, worst) = (times.iter().min().expect("some"), times.iter().max().expect("some"));
                println!("{target} for {who}: {best:?} to {worst:?}, {undisturbed:?} when nothing hangs");
                let limit = Duration::from_millis(300).max(undisturbed * 3);
                assert!(*best < limit, "{target} for {who}: {times:?}, {undisturbed:?} when nothing hangs");
                assert!(*worst < Duration::from_secs(4), "{target} for {who}: {times:?}");
            }
        }
        for one in asked {
            let status = one.join().expect("an answer").expect("an answer");
            assert_eq!(status, 503, "what was not seen cannot be opened");
        }
    });
    Ok(())
}

fn silent_nft() -> Result<(), Failed> {
    let moto = Moto::shared();
    let groups = new_groups(&moto, 1, "nft");
    let mut policy = policy(&groups, HOURS);
    policy.push_str(
        "[firewall.gate]\nabout = \"gate\"\nnftables = \"inet doorward\"\n\n[target.jump]\nabout = \"jump\"\n\
         address = \"10.0.0.7\"\nports = [\"tcp/22\"]\ngroups = [\"dbs\"]\ntransports = [\"direct\"]\nfirewall = \"gate\"\n",
    );
    let programs = tempfile::tempdir()?;
    let nft = programs.path().join("nft");
    // It ends when it is killed at its time limit.
    std::fs::write(&nft, "#!/bin/sh\nexec sleep 60\n")?;
    std::fs::set_permissions(&nft, std::fs::Permissions::from_mode(0o700))?;
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH")?);
    let house = House::new(&[("dbs", &["jon"])], &policy).with_aws(&moto.url()).with_variable("PATH", path);
    let server = house.serve();
    let jon = server.sign_in("jon");
    let stands = || descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains(" to db-0 "));
    for _ in 0..2 {
        let body = Some(json!({ "target": "db-0", "lasts": 2 }));
        let (status, answer) = server.call(Some(&jon), "POST", "/api/v1/grants", body)?;
        assert!(status < 300 && answer["standing"]["state"] == "as-wanted", "{status}: {answer}");
        assert!(stands());
        let until: jiff::Timestamp = answer["grant"]["until"].as_str().expect("an end").parse()?;
        eventually("the rule is gone", || !stands());
        let late = jiff::Timestamp::now().duration_since(until);
        // `nft` is given up after ten seconds.
        assert!(late.as_secs() < 5, "{late:?} late");
    }
    Ok(())
}
