//! Jump hosts and what they carry: sections that are right, and every way to get one wrong.

use super::*;
use crate::policy::{Documents, Over, SshKey};

/// A policy of `[ssm]` with these lines, from line 5 on.
fn check_ssm(lines: &str, expected: &[&str]) {
    check_below(&format!("[ssm]\n{lines}\n"), expected);
}

/// A policy of `[ssh]` with these lines, from line 5 on.
fn check_ssh(lines: &str, expected: &[&str]) {
    check_below(&format!("[ssh]\n{lines}\n"), expected);
}

/// A target that SSH carries, but for the lines that a test puts into it; they begin on line 7.
fn check_inside(lines: &str, expected: &[&str]) {
    let given = |key: &str| lines.lines().any(|line| line.split('=').next().map(str::trim) == Some(key));
    let defaults = [
        ("address", "\"10.0.0.0/16\""),
        ("ports", "[\"tcp/1-65535\"]"),
        ("groups", "[\"dbs\"]"),
        ("transports", "[\"ssh\"]"),
    ];
    let rest: String = defaults
        .iter()
        .filter(|(key, _)| !given(key))
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let jump = "[ssh]\njump-host = \"tag:Name=jump\"\n";
    check_below(&format!("{jump}[target.t]\n{lines}\n{rest}"), expected);
}

fn ssm(lines: &str) -> crate::policy::Ssm {
    let policy = parse(&format!("{PEOPLE}[aws]\nregion = \"eu-west-1\"\n[ssm]\n{lines}\n"), "p");
    policy.expect("a policy").ssm.expect("[ssm]")
}

fn ssh(lines: &str) -> crate::policy::Ssh {
    let policy = parse(&format!("{PEOPLE}[aws]\nprofile = \"prod\"\n[ssh]\n{lines}\n"), "p");
    policy.expect("a policy").ssh.expect("[ssh]")
}

#[test]
fn little_has_to_be_said() {
    let session = ssm("jump-host = \"tag:Name=jump\"");
    assert_eq!((session.documents, session.sessions, session.role), (Documents::Shared, 4, None));
    assert_eq!(session.at.region.as_deref(), Some("eu-west-1"));
    let shell = ssh("jump-host = \"tag:Name=jump\"");
    assert_eq!((shell.user.as_str(), shell.over, shell.port), ("ec2-user", Over::Ssm, 22));
    assert_eq!(
        (shell.key, shell.known_hosts, shell.endpoint, shell.then),
        (SshKey::InstanceConnect, None, None, None)
    );
    assert_eq!(shell.at.profile.as_deref(), Some("prod"));
    // Instance Connect has no keys for what is no instance.
    assert_eq!(ssh("jump-host = \"jump.example.org\"\nover = \"direct\"").key, SshKey::Agent);
}

#[test]
fn much_can_be_said() {
    let session = ssm(
        "jump-host = \"instance:i-0a1b2c3d\"\ndocuments = \"pinned\"\nrole = \"arn:aws:iam::123456789012:role/doorward\"\nsessions = 16\nregion = \"eu-central-1\"",
    );
    assert_eq!((session.documents, session.sessions), (Documents::Pinned, 16));
    assert_eq!(
        session.role.map(|role| role.to_string()).as_deref(),
        Some("arn:aws:iam::123456789012:role/doorward")
    );
    assert_eq!(session.at.region.as_deref(), Some("eu-central-1"));
    assert_eq!(crate::policy::Ssm::pinned(&"orders-db".parse().expect("a name")), "doorward-orders-db");
    let shell = ssh(
        "jump-host = \"10.0.0.7\"\nuser = \"admin\"\nover = \"endpoint\"\nport = 3389\nknown-hosts = \"known_hosts\"\nendpoint = \"eice-0a1b2c3d\"\nkey = \"~/.ssh/id_ed25519\"\nthen = \"jon@inner.example.org:2222\"",
    );
    assert_eq!(
        (shell.over, shell.port, shell.key),
        (Over::Endpoint, 3389, SshKey::File("~/.ssh/id_ed25519".into()))
    );
    assert_eq!(shell.endpoint.map(|id| id.to_string()).as_deref(), Some("eice-0a1b2c3d"));
    assert_eq!(shell.then.map(|hop| hop.to_string()).as_deref(), Some("jon@inner.example.org:2222"));
    assert_eq!(shell.known_hosts.as_deref(), Some("known_hosts"));
}

#[test]
fn a_network_and_its_names() {
    let policy = parse(WHOLE, "p").expect("a policy");
    let inside = &policy.targets[&"inside".parse().expect("a name")];
    assert_eq!(inside.address.to_string(), "10.0.0.0/16, 2001:db8::/56");
    let names = inside.names.as_ref().expect("names");
    assert_eq!(names.resolver.to_string(), "10.0.0.2");
    let below: Vec<&str> = names.below.iter().map(String::as_str).collect();
    assert_eq!(below, ["eu-west-1.compute.internal", "internal.example.org"]);
    check_inside("", &[]);
}

#[test]
fn mistakes_of_ssm() {
    let write = "\n  hint: write `jump-host = \"tag:Name=jump\"`";
    check_ssm(
        "sessions = 4",
        &["p:4:2: `[ssm]` needs `jump-host`\n  hint: add `jump-host = \"tag:Name=jump\"`"],
    );
    for host in ["jump.example.org", "10.0.0.7", "10.0.0.0/16", "proxy:orders"] {
        check_ssm(
            &format!("jump-host = \"{host}\""),
            &[&format!("p:5:13: `{host}` is not a machine that a session can be opened to{write}")],
        );
    }
    let jump = "jump-host = \"tag:Name=jump\"\n";
    check_ssm(
        &format!("{jump}documents = \"pined\"\nrole = \"doorward\"\nsessions = 17\npool = 4"),
        &[
            "p:6:13: `pined` is not a value of `documents`\n  hint: did you mean `pinned`?",
            "p:7:8: `doorward` is not the ARN of a role (like `arn:aws:iam::123456789012:role/doorward-sessions`)",
            "p:8:12: `sessions` must be from 1 to 16, and is 17\n  hint: each transfers 0.6 MB/s towards the client: `sessions = 4`",
            "p:9:1: `[ssm]` has no key `pool`\n  hint: there are `jump-host`, `documents`, `role`, `sessions`, `shared`, `region` and `profile`",
        ],
    );
    check_ssm(
        &format!("{jump}documents = true\nsessions = 0\nregion = \"eu-west-1a\""),
        &[
            "p:6:13: `documents` must be a string in quotes, and is true or false\n  hint: write `documents = \"shared\"`",
            "p:7:12: `sessions` must be from 1 to 16, and is 0\n  hint: each transfers 0.6 MB/s towards the client: `sessions = 4`",
            "p:8:10: `eu-west-1a` is not the name of a Region\n  hint: write it as AWS does: `region = \"eu-west-1\"`",
        ],
    );
}

#[test]
fn what_is_vended_for_one_target_is_for_that_alone() {
    let role = "jump-host = \"tag:Name=jump\"\nrole = \"arn:aws:iam::123456789012:role/doorward\"\n";
    check_ssm(
        role,
        &[
            "p:6:8: warning: with AWS's own documents, credentials that are vended for one target reach everything that the jump host reaches\n  hint: write `documents = \"pinned\"`",
        ],
    );
    check_ssm(&format!("{role}documents = \"pinned\""), &[]);
}

#[test]
fn mistakes_of_ssh() {
    check_ssh(
        "user = \"x\"",
        &["p:4:2: `[ssh]` needs `jump-host`\n  hint: add `jump-host = \"tag:Name=jump\"`"],
    );
    check_ssh(
        "jump-host = \"cache:sessions\"",
        &[
            "p:5:13: `cache:sessions` is not a machine that SSH can connect to\n  hint: write `jump-host = \"tag:Name=jump\"`",
        ],
    );
    check_ssh(
        "jump-host = \"jump.example.org\"",
        &[
            "p:5:13: a session is opened to an instance, and `jump.example.org` is a name\n  hint: write an instance or a tag, or `over = \"direct\"`",
        ],
    );
    check_ssh(
        "jump-host = \"10.0.0.7\"",
        &[
            "p:5:13: a session is opened to an instance, and `10.0.0.7` is a bare address\n  hint: write an instance or a tag, or `over = \"direct\"`",
        ],
    );
    check_ssh(
        "jump-host = \"jump.example.org\"\nover = \"endpoint\"",
        &[
            "p:5:13: an endpoint connects to a private address, and `jump.example.org` is a name\n  hint: write an instance, a tag or an address, or `over = \"direct\"`",
        ],
    );
    check_ssh(
        "jump-host = \"jump.example.org\"\nover = \"direct\"\nkey = \"instance-connect\"",
        &[
            "p:7:7: EC2 Instance Connect accepts keys for instances, and `jump.example.org` is not an instance\n  hint: write `key = \"agent\"`, or the jump host as an instance or a tag",
        ],
    );
    let jump = "jump-host = \"tag:Name=jump\"\n";
    check_ssh(
        &format!(
            "{jump}over = \"endpoints\"\nuser = \"-oProxyCommand=x\"\nkey = \"agnet\"\nthen = \"inner\"\nport = 0"
        ),
        &[
            "p:6:8: `endpoints` is not a value of `over`\n  hint: did you mean `endpoint`?",
            "p:7:8: `-oProxyCommand=x` is not a user's name on the machine (like `ec2-user`)",
            "p:8:7: `agnet` is not a key\n  hint: did you mean `agent`?",
            "p:9:8: `inner` is not a user and a machine (like `admin@10.0.3.7` or `admin@inner.example.org:2222`)",
            "p:10:8: `port` must be from 1 to 65535, and is 0\n  hint: write `port = 22`",
        ],
    );
    check_ssh(
        &format!("{jump}endpoint = \"eice-0a1b2c3d\"\nkey = \"id_ed25519\""),
        &[
            "p:6:1: `endpoint` is only for SSH over an endpoint, and here SSH goes over `ssm`\n  hint: write `over = \"endpoint\"`, or remove `endpoint`",
            "p:7:7: `id_ed25519` is not a key\n  hint: there are `instance-connect` and `agent`; a file is written with its folder: `key = \"./id_ed25519\"`",
        ],
    );
    check_ssh(
        &format!("{jump}over = \"endpoint\"\nport = 2222\nendpoint = \"vpce-0a\""),
        &[
            "p:7:8: an Instance Connect Endpoint connects to ports 22 and 3389, not to 2222\n  hint: write `over = \"ssm\"`, or make sshd listen on port 22",
            "p:8:12: `vpce-0a` is not the id of an EC2 Instance Connect Endpoint (like `eice-0a1b2c3d4e5f60718`)",
        ],
    );
}

#[test]
fn what_a_transport_needs_is_there() {
    check_below(
        "[target.t]\naddress = \"db\"\nports = [\"udp/53\"]\ngroups = [\"g\"]\ntransports = [\"wireguard\", \"ssh\", \"ssm\"]\n",
        &[
            "p:8:15: warning: this version does not support `wireguard`, so nobody can open `t` with it\n  hint: write `\"direct\"`, `\"ssm\"` or `\"ssh\"`",
            "p:8:28: `ssh` goes through a jump host, and the policy has no `[ssh]`\n  hint: add `[ssh]`, with `jump-host = \"tag:Name=jump\"`",
            "p:8:28: `ssh` supports only TCP, and none of `ports` is TCP\n  hint: write `ports = [\"tcp/5432\"]`",
            "p:8:35: `ssm` goes through a jump host, and the policy has no `[ssm]`\n  hint: add `[ssm]`, with `jump-host = \"tag:Name=jump\"`",
            "p:8:35: `ssm` supports only TCP, and none of `ports` is TCP\n  hint: write `ports = [\"tcp/5432\"]`",
        ],
    );
    // One that is there and wrong is not said to be missing.
    check_below(
        "[ssm]\njump-host = 3\n[target.t]\naddress = \"db\"\nports = [\"tcp/1\"]\ngroups = [\"g\"]\ntransports = [\"ssm\"]\n",
        &[
            "p:5:13: `jump-host` must be a string in quotes, and is a number\n  hint: write `jump-host = \"tag:Name=jump\"`",
        ],
    );
}

#[test]
fn a_network_is_carried_whole() {
    check_below(
        "[ssm]\njump-host = \"tag:Name=jump\"\n[firewall.f]\nnftables = \"inet doorward\"\n[target.t]\naddress = \"10.0.0.0/16\"\nports = [\"all\"]\ngroups = [\"g\"]\ntransports = [\"direct\", \"wireguard\", \"ssm\"]\nfirewall = \"f\"\n",
        &[
            "p:12:15: `direct` admits a client to one address, and `10.0.0.0/16` is a network\n  hint: write `transports = [\"ssh\"]`",
            "p:12:25: warning: this version does not support `wireguard`, so nobody can open `t` with it\n  hint: write `\"direct\"`, `\"ssm\"` or `\"ssh\"`",
            "p:12:38: a session of `ssm` connects to one host, and `10.0.0.0/16` is a network\n  hint: write `transports = [\"ssh\"]`",
            "p:13:12: a firewall admits clients to one address, and `10.0.0.0/16` is a network\n  hint: remove `firewall`",
        ],
    );
    check_inside(
        "address = [\"10.0.0.7/16\", \"db\", 3]",
        &[
            "p:7:12: `10.0.0.7/16` has host bits set; did you mean `10.0.0.0/16`?",
            "p:7:27: `db` is not an address or a CIDR (like `203.0.113.7` or `198.51.100.0/24`)",
            "p:7:33: each entry of `address` must be a string in quotes, and is a number\n  hint: write `address = [\"10.0.0.0/16\"]`",
        ],
    );
    check_inside("address = []", &["p:7:11: an address cannot be empty"]);
    check_inside(
        "address = [\"10.0.0.0/16\", \"0.0.0.0/0\"]",
        &["p:7:11: `0.0.0.0/0` contains every address; name the networks of the VPC, like `10.0.0.0/16`"],
    );
    check_inside(
        "address = \"10.0.0.1/16\"",
        &["p:7:11: `10.0.0.1/16` has host bits set; did you mean `10.0.0.0/16`?"],
    );
}

#[test]
fn names_have_somebody_who_knows_them() {
    check_inside(
        "names = [\"internal.example.org\"]",
        &[
            "p:7:1: `names` are resolved in the network, but no `resolver` is named\n  hint: add `resolver = \"10.0.0.2\"`, which in a VPC is its first address plus two",
        ],
    );
    check_inside(
        "resolver = \"10.0.0.2\"",
        &[
            "p:7:1: `resolver` resolves `names`, and there are none\n  hint: add `names = [\"internal.example.org\"]`",
        ],
    );
    check_inside(
        "names = []\nresolver = \"10.0.0.2\"",
        &[
            "p:7:9: warning: `names` is empty, so no name is resolved\n  hint: write `names = [\"internal.example.org\"]`",
        ],
    );
    check_inside(
        "names = [\"10.0.0.7\", \"a b\", \"rds:x\", \".\"]\nresolver = \"ns.example.org\"",
        &[
            "p:7:10: `10.0.0.7` is not a domain (like `internal.example.org`)",
            "p:7:22: `a b` is not a domain (like `internal.example.org`)",
            "p:7:29: `rds:x` is not a domain (like `internal.example.org`)",
            "p:7:38: `.` is not a domain (like `internal.example.org`)",
            "p:8:12: `ns.example.org` is not an address (like `10.0.0.2`)",
        ],
    );
    check_inside(
        "address = \"10.0.0.7\"\nnames = [\"internal.example.org\"]\nresolver = \"10.0.0.2\"",
        &[
            "p:8:1: `names` are resolved in a network, and this target is a single address\n  hint: remove `names` and `resolver`",
        ],
    );
}
