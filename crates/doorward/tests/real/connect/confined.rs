//! What a jump host's sshd gives besides the target: confined by our block, and told by `doctor`.

use libtest_mimic::{Failed, Trial};

use super::{World, connect, echo, policy, run, target, user};
use crate::need::{Need, trial};
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let both = [Need::Moto, Need::Sshd];
    vec![
        trial("confined: with our block sshd gives the target and nothing else", &both, confined),
        trial("confined: without it doctor tells what a grant gives", &both, open),
    ]
}

/// The state and the words of a link that `doctor --json` tells of.
fn link(links: &serde_json::Value, name: &str) -> (String, String) {
    let found = links.as_array().expect("links").iter().find(|link| link["link"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {links:#}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("found"))
}

fn confined() -> Result<(), Failed> {
    let (address, _served) = echo();
    let ports = format!("tcp/{}", address.port());
    let text = policy("confined", &target("confined-db", "127.0.0.1", &ports, "\"ssh\""));
    // The block comes from the policy alone, before there is a machine.
    let plain = crate::server::House::new(&super::GROUPS, &text);
    // The login of the machine's operators is confined only where it is named for that.
    if user() == "root" {
        let refused = run(&plain, &["ssh-server-config"]);
        refused.is(1, &[], &["`root` is the login of the machine's operators", "hint: name a separate user"]);
        assert_eq!(refused.out, "");
    }
    let block = run(&plain, &["ssh-server-config", "--user", &user()]);
    block.is(
        0,
        &[
            &format!("Match User {}", user()),
            &format!("PermitOpen 127.0.0.1:{}\n", address.port()),
            "ForceCommand /bin/false",
            "Match all\n",
        ],
        if user() == "root" { &["warning: everybody who logs in as `root` is confined"] } else { &[] },
    );
    // At the end of an sshd_config, as the block itself says.
    let sshd = Sshd::followed_by(&block.out);
    let world = World::with_sshd("confined", &sshd);
    let house = world.house(&text);
    let (held, told) = connect(&house, &["confined-db"]);
    let port = super::port_of(&told, "confined-db");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    {
        use std::io::{Read as _, Write as _};
        stream.write_all(b"through\n")?;
        let mut back = [0; 8];
        stream.read_exact(&mut back)?;
        assert_eq!(&back, b"through\n");
    }
    held.signal("INT");
    held.ends();
    let doctor = run(&house, &["doctor", "confined-db", "--as", "jon", "--json"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let links = doctor.json();
    assert_eq!(link(&links, "shell"), ("whole".into(), "none on the jump host".into()));
    assert_eq!(link(&links, "forwarding"), ("whole".into(), "only to what was granted".into()));
    assert_eq!(link(&links, "sockets"), ("whole".into(), "none of the usual ones can be reached".into()));
    for extra in ["listening", "agent keys", "X11", "terminal"] {
        assert_eq!(link(&links, extra), ("whole".into(), "not allowed by the jump host".into()), "{extra}");
    }
    Ok(())
}

fn open() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::with_sshd("unconfined", &sshd);
    let (address, _served) = echo();
    let ports = format!("tcp/{}", address.port());
    let house = world.house(&policy("unconfined", &target("open-db", "127.0.0.1", &ports, "\"ssh\"")));
    let doctor = run(&house, &["doctor", "open-db", "--as", "jon", "--json"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let links = doctor.json();
    let (state, found) = link(&links, "shell");
    assert_eq!(state, "worn", "{found}");
    assert!(found.contains("can run commands on the jump host") && found.contains(&user()), "{found}");
    // Its sshd is behind the agent's port 22, where nothing listens on this machine; to try it is allowed all the same.
    let (state, found) = link(&links, "forwarding");
    assert_eq!(state, "worn", "{found}");
    // X11 is off where nobody switches it on, and this machine need not have a socket that anybody may use.
    for extra in ["listening", "agent keys", "terminal"] {
        let (state, found) = link(&links, extra);
        assert_eq!(state, "worn", "{extra}: {found}");
    }
    assert!(doctor.out.contains("doorward ssh-server-config"), "{doctor:?}");
    // It is said before anybody needs a doctor.
    let opened = run(&house, &["open", "open-db", "--as", "jon", "--address", "127.0.0.1", "--detach"]);
    let login = format!("a login as {} on tag:Name=unconfined", user());
    assert!(opened.out.contains(&login), "{opened:?}");
    let checked = run(&house, &["check"]);
    assert!(checked.out.contains("note: a grant by `ssh` is a login as"), "{checked:?}");
    let iam = run(&house, &["iam", "--for", "people", "--account", "123456789012"]);
    assert!(iam.err.contains("by `ssh` this is a login as"), "{iam:?}");
    Ok(())
}
