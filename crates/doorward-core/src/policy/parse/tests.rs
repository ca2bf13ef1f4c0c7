//! Policies that are right, and every way to get one wrong.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::policy::{Address, Enforcement, Limits};

mod carried;
mod environments;
mod intents;
mod relays;
mod topology;

const PEOPLE: &str = "[people]\npasswords = \"people.htpasswd\"\ngroups = \"people.groups\"\n";

const WHOLE: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"
operators = ["ops"]

[aws]
region  = "eu-west-1"
profile = "prod"

[server]
listen  = "[::1]:9000"
url     = "https://doorward.example.org/"
proxies = ["10.0.0.10"]
tls     = { certificate = "server.pem", key = "server.key" }
store   = "postgres://localhost/doorward"

[grants]
ipv6-prefix = 64
reason      = "required"

[firewall.orders-clients]
security-group = "sg-0a1b2c3d4e5f60718"
about   = "who may reach the orders database"
static  = ["198.51.100.0/24"]
region  = "eu-central-1"
vpc     = "vpc-0a1b2c3d4e5f60718"

[firewall.bastion]
nftables = "inet doorward"

[firewall.wiki]
relay  = "0.0.0.0:15432"
static = ["0.0.0.0/0"]
anyone = true

[target.orders-db]
about      = "Orders database (PostgreSQL)"
address    = "rds:orders-prod"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct", "ssm", "ssh"]
firewall   = "orders-clients"
lasts      = { usually = "2h", at-most = "8h" }
approval   = { from = ["leads"], above = "4h" }

[target.shell]
address    = "10.1.0.7"
ports      = ["tcp/22", "icmp"]
groups     = ["ops"]
transports = ["direct"]
firewall   = "bastion"
reason     = "optional"

[target.wiki]
address    = "wiki.internal.example.org"
ports      = ["tcp/80"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "wiki"

[ssm]
jump-host = "tag:Name=jump"

[inventory]
folder = "account"

[audit]
key = "/run/credentials/doorward.service/audit.key"
head = "state/audit.head"

[ssh]
jump-host = "instance:i-0a1b2c3d4e5f60718"
over      = "endpoint"
endpoint  = "eice-0a1b2c3d4e5f60718"
then      = "admin@10.0.3.7"

[target.inside]
address    = ["10.0.0.0/16", "2001:db8::/56"]
names      = ["*.Internal.example.org", "eu-west-1.compute.internal."]
resolver   = "10.0.0.2"
ports      = ["all"]
groups     = ["dbs"]
transports = ["ssh"]
approval   = { from = ["leads"], above = "4h" }
"#;

#[test]
fn a_whole_policy_is_what_it_says() {
    let reading = read(WHOLE, "doorward.toml");
    assert_eq!(reading.mistakes, Vec::new());
    let policy = reading.policy.expect("a policy");
    assert_eq!(policy.server.listen.to_string(), "[::1]:9000");
    assert_eq!(policy.server.url.as_deref(), Some("https://doorward.example.org"));
    assert_eq!(policy.grants.ipv6_prefix, 64);
    let firewall = |name: &str| &policy.firewalls[&name.parse().expect("a name")];
    let Enforcement::SecurityGroup { at, vpc, .. } = &firewall("orders-clients").kind else {
        panic!("a security group")
    };
    assert_eq!((at.region.as_deref(), at.profile.as_deref()), (Some("eu-central-1"), Some("prod")));
    assert!(vpc.is_some());
    assert_eq!(firewall("bastion").kind, Enforcement::Nftables { table: "doorward".into() });
    let target = |name: &str| &policy.targets[&name.parse().expect("a name")];
    let orders = target("orders-db");
    assert_eq!(orders.address, Address::Rds("orders-prod".into()));
    assert_eq!(orders.transports.len(), 3);
    assert_eq!(orders.lasts.at_most, SignedDuration::from_hours(8));
    assert_eq!(orders.approval.as_ref().expect("approval").above, SignedDuration::from_hours(4));
    assert!(orders.reason_required && !target("shell").reason_required);
    assert_eq!(target("wiki").lasts.usually, SignedDuration::from_hours(1));
    assert_eq!(policy.inventory.as_deref(), Some("account"));
    assert_eq!(policy.audit.key.as_deref(), Some("/run/credentials/doorward.service/audit.key"));
    assert_eq!(policy.audit.head.as_deref(), Some("state/audit.head"));
    assert_eq!(policy.ssm.expect("ssm").jump_host.to_string(), "tag:Name=jump");
    let named: Vec<String> = reading.groups.iter().map(|at| at.group.to_string()).collect();
    assert_eq!(named, ["ops", "dbs", "leads", "dbs", "leads", "ops", "dbs"]);
}

#[test]
fn a_policy_without_targets_is_nobody_nothing_nowhere() {
    let policy = parse(PEOPLE, "doorward.toml").expect("a policy");
    assert!(policy.targets.is_empty() && policy.firewalls.is_empty() && policy.people.operators.is_empty());
    assert_eq!(policy.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((policy.server.store.as_str(), policy.grants.ipv6_prefix), ("doorward.db", 128));
}

/// The mistakes of a text, each with its hint, as they are printed.
fn check(text: &str, expected: &[&str]) {
    let mistakes = read(text, "p").mistakes;
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected, "{text}");
    assert_eq!(parse(text, "p").is_err(), mistakes.iter().any(Mistake::is_error));
}

/// The same of what stands below three lines of `[people]`; the text begins on line 4.
fn check_below(text: &str, expected: &[&str]) {
    check(&format!("{PEOPLE}{text}"), expected);
}

/// A target that is right, but for the lines that a test puts into it; they begin on line 7.
fn check_target(lines: &str, expected: &[&str]) {
    let given = |key: &str| lines.lines().any(|line| line.split('=').next().map(str::trim) == Some(key));
    let defaults = [
        ("address", "\"db.example.org\""),
        ("ports", "[\"tcp/5432\"]"),
        ("groups", "[\"dbs\"]"),
        ("transports", "[\"direct\"]"),
        ("firewall", "\"f\""),
    ];
    let rest: String = defaults
        .iter()
        .filter(|(key, _)| !given(key))
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    check_below(
        &format!("[firewall.f]\nnftables = \"inet doorward\"\n[target.t]\n{lines}\n{rest}"),
        expected,
    );
}

#[test]
fn no_people() {
    check(
        "",
        &[
            "p:1:1: the policy has no `[people]`\n  hint: add `[people]`, with `passwords = \"people.htpasswd\"` and `groups = \"people.groups\"`",
        ],
    );
    check(
        "[people]\npasswords = \"a\"\n",
        &["p:1:2: `[people]` needs `groups`\n  hint: add `groups = \"people.groups\"`"],
    );
    check("people = 3", &["p:1:1: `[people]` must be a table, and is a number"]);
    check(
        "[people]\npasswords = \"a\"\ngroups = \"a\"\n",
        &["p:3:10: `passwords` and `groups` are the same file\n  hint: write `groups = \"people.groups\"`"],
    );
}

#[test]
fn no_toml() {
    check_below(
        "[server]\nlisten = 127.0.0.1:8080\nstore = \"x\"\nurl = \"https://a\nproxies ! [\n",
        &[
            "p:5:15: this is not TOML: invalid float\n  hint: a string needs quotes: `listen = \"127.0.0.1:8080\"`",
            "p:7:17: this is not TOML: invalid basic string, expected `\"`\n  hint: a string begins and ends with `\"` on one line",
            "p:8:9: this is not TOML: key with no value, expected `=`",
        ],
    );
}

#[test]
fn a_list_without_its_end() {
    check_below(
        "[target.t]\nports = [\"tcp/1\",\ngroups = [\"dbs\"]\naddress = \"a\"\n[grants]\nreason = \"optional\"\n",
        &[
            "p:6:8: this is not TOML: unexpected `=` in array, expected value, `]`\n  hint: a list that begins here or above may miss a `,` or its `]`",
        ],
    );
}

#[test]
fn a_thing_twice() {
    let target =
        "[target.orders]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"g\"]\ntransports = [\"ssm\"]\n";
    check_below(
        &format!("{target}{target}"),
        &[
            "p:9:9: `[target.orders]` is defined twice; the first is on line 4\n  hint: rename one of them, or merge them into one target",
        ],
    );
    check_below(
        "[grants]\nreason = \"required\"\nipv6-prefix = 64\nreason = \"optional\"\n",
        &["p:7:1: `reason` is defined twice; the first is on line 5"],
    );
}

#[test]
fn the_files_of_the_record() {
    check_below("[audit]\nkey = \"k\"\nhead = \"h\"\n", &[]);
    check_below(
        "[audit]\nkey = \"k\"\nhead = \"k\"\n",
        &[
            "p:6:8: `key` and `head` are the same file\n  hint: write `head = \"/var/lib/doorward/audit.head\"`",
        ],
    );
    check_below(
        "[audit]\nkeys = \"k\"\n",
        &["p:5:1: `[audit]` has no key `keys`\n  hint: did you mean `key`?"],
    );
}

#[test]
fn unknown_keys() {
    check_below(
        "[grant]\nx = 1\n[targets.a]\nx = 1\n[users]\n",
        &[
            "p:4:2: a policy has no `[grant]`\n  hint: did you mean `[grants]`?",
            "p:6:2: a policy has no `[targets]`\n  hint: did you mean `[target.NAME]`?",
            "p:8:2: a policy has no `[users]`\n  hint: there are `people`, `aws`, `server`, `audit`, `grants`, `limits`, `ssm`, `ssh`, `inventory`, `firewall`, `target`, `network`, `role`, `environment`, `never`, `always` and `prices`",
        ],
    );
    check(
        "x = 1",
        &[
            "p:1:1: `x` is not in a table\n  hint: move it below its `[table]`",
            "p:1:1: the policy has no `[people]`\n  hint: add `[people]`, with `passwords = \"people.htpasswd\"` and `groups = \"people.groups\"`",
        ],
    );
    check_target(
        "colour = 1\nreasons = 2\nlasts = { usual = \"1h\", at_most = \"2h\" }",
        &[
            "p:7:1: `[target.t]` has no key `colour`\n  hint: there are `about`, `address`, `ports`, `groups`, `transports`, `firewall`, `lasts`, `approval`, `reason`, `limit`, `shared`, `names` and `resolver`",
            "p:8:1: `[target.t]` has no key `reasons`\n  hint: did you mean `reason`?",
            "p:9:11: `lasts` has no key `usual`\n  hint: did you mean `usually`?",
            "p:9:25: `lasts` has no key `at_most`\n  hint: did you mean `at-most`?",
        ],
    );
}

#[test]
fn wrong_types() {
    check_target(
        "ports = \"tcp/5432\"\ngroups = [1]\naddress = true\nreason = 1.5",
        &[
            "p:7:9: `ports` must be a list, and is a string\n  hint: write `ports = [\"tcp/5432\"]`",
            "p:8:11: each entry of `groups` must be a string in quotes, and is a number\n  hint: write `groups = [\"dbs\"]`",
            "p:9:11: `address` must be a string in quotes, and is true or false\n  hint: write `address = \"rds:orders-prod\"`",
            "p:10:10: `reason` must be a string in quotes, and is a number with a fraction\n  hint: write `reason = \"required\"`",
        ],
    );
    check_below(
        "[grants]\nipv6-prefix = 99999999999999999999\n[[target]]\nx = 1\n",
        &[
            "p:5:15: `ipv6-prefix` is out of range",
            "p:6:3: `target` has no names below it\n  hint: each target has its own table with its name: `[target.NAME]`",
        ],
    );
    check_below(
        "[target]\naddress = \"a\"\n",
        &[
            "p:5:1: `address` is in `[target]`, which has no keys of its own\n  hint: each target has its own table with its name: `[target.NAME]`",
        ],
    );
}

#[test]
fn what_is_missing() {
    check_below(
        "[target.t]\n[firewall.f]\n",
        &[
            "p:4:9: `[target.t]` needs `address`\n  hint: add `address = \"rds:orders-prod\"`",
            "p:4:9: `[target.t]` needs `ports`\n  hint: add `ports = [\"tcp/5432\"]`",
            "p:4:9: `[target.t]` needs `groups`\n  hint: add `groups = [\"dbs\"]`",
            "p:4:9: `[target.t]` needs `transports`\n  hint: add `transports = [\"direct\"]`",
            "p:5:11: `[firewall.f]` has nothing that enforces it\n  hint: add `security-group = \"sg-…\"`, `nftables = \"inet doorward\"` or `relay = \"0.0.0.0:15432\"`",
        ],
    );
}

#[test]
fn emptiness_is_told_of_and_no_permission() {
    check_target(
        "ports = []\ngroups = []\ntransports = []\napproval = { from = [] }",
        &[
            "p:7:9: warning: `ports` is empty, so nobody can open `[target.t]`\n  hint: write `ports = [\"tcp/5432\"]`",
            "p:8:10: warning: `groups` is empty, so nobody can open `[target.t]`\n  hint: write `groups = [\"dbs\"]`",
            "p:9:14: warning: `transports` is empty, so nobody can open `[target.t]`\n  hint: write `transports = [\"direct\"]`",
            "p:10:21: warning: `from` is empty, so nobody can approve requests for `[target.t]`\n  hint: write `from = [\"leads\"]`",
        ],
    );
}

#[test]
fn values_that_cannot_be() {
    check_target(
        "ports = [\"5432\", \"tcp/9-1\"]\ngroups = [\"a:b\"]\ntransports = [\"dirct\", \"vpn\"]\nreason = \"yes\"\naddress = \"rds:1\"",
        &[
            "p:7:10: `5432` is not a flow (like `tcp/5432`, `tcp/1000-2000`, `udp/53`, `icmp/8/0`, `proto/107` or `all`)",
            "p:7:18: `tcp/9-1` is in the wrong order; write the lower port first",
            "p:8:11: `a:b` has `:`, which a name cannot have",
            "p:9:15: `dirct` is not a transport; did you mean `direct`?",
            "p:9:24: `vpn` is not a transport; the transports are `direct`, `ssm` and `ssh`",
            "p:10:10: `yes` is not a value of `reason`\n  hint: write `\"required\"` or `\"optional\"`",
            "p:11:11: `rds:1` is not the identifier of a DB instance or cluster (like `rds:orders-prod`)",
        ],
    );
    check_below(
        "[aws]\nregion = \"eu-west-1a\"\n[server]\nlisten = \":8080\"\nurl = \"doorward\"\nstore = \"mysql://x\"\nproxies = [\"::/0\"]\n[grants]\nipv6-prefix = 40\n",
        &[
            "p:5:10: `eu-west-1a` is not the name of a Region\n  hint: write it as AWS does: `region = \"eu-west-1\"`",
            "p:7:10: `:8080` is not an address and a port\n  hint: for every address write `listen = \"0.0.0.0:8080\"`",
            "p:8:7: `doorward` is not the URL of a site\n  hint: write `url = \"https://doorward.example.org\"`",
            "p:9:9: `mysql://` is not a store\n  hint: write a path, which SQLite uses, or `postgres://…`",
            "p:10:12: `::/0` allows everybody to forge their address\n  hint: name only the addresses of the proxies",
            "p:12:15: `ipv6-prefix` must be from 48 to 128 bits, and is 40\n  hint: most households have a /64 or a /56: `ipv6-prefix = 64`",
        ],
    );
    check_below(
        "[server]\ninsecure = \"yes\"\n",
        &["p:5:12: `insecure` must be true or false, and is a string"],
    );
    check_below(
        "[server]\nlisten = \"0.0.0.0:8080\"\nproxies = []\n",
        &[
            "p:5:10: passwords would cross the network to 0.0.0.0:8080 in clear text\n  hint: add `tls`, or name the proxy that has TLS in `proxies`; if you accept the risk: `insecure = true`",
        ],
    );
    check_below(
        "[server]\nproxies = []\nproxy-protocol = true\n",
        &[
            "p:6:1: `proxy-protocol` needs the addresses of the proxies whose headers are trusted\n  hint: name the addresses of the load balancer, or its subnets: `proxies = [\"10.0.0.0/24\"]`",
        ],
    );
    check_below(
        "[ssm]\njump-host = \"rds:orders\"\n[target.\"a b\"]\n[firewall.\"\"]\n",
        &[
            "p:5:13: `rds:orders` is not a machine that a session can be opened to\n  hint: write `jump-host = \"tag:Name=jump\"`",
            "p:6:9: `a b` has a space, which a name cannot have",
            "p:7:11: a name cannot be empty",
        ],
    );
    check_below(
        "[inventory]\n",
        &["p:4:2: `[inventory]` needs `folder`\n  hint: add `folder = \"account\"`"],
    );
    check_below(
        "[inventory]\nfolder = \"\"\nlive = true\n",
        &[
            "p:5:10: `folder` is empty\n  hint: write `folder = \"account\"`",
            "p:6:1: `[inventory]` has no key `live`\n  hint: there are `folder`",
        ],
    );
}

#[test]
fn durations() {
    check_target(
        "lasts = \"2h\"",
        &[
            "p:7:9: `lasts` has two durations, and this is one\n  hint: write `lasts = { usually = \"2h\", at-most = \"8h\" }`",
        ],
    );
    check_target(
        "lasts = { usually = \"8\", at-most = \"0s\" }",
        &[
            "p:7:21: `8` has no unit; write `8s`, `8m`, `8h` or `8d`",
            "p:7:36: `at-most` is at least a second",
        ],
    );
    check_target(
        "lasts = { usually = \"8h\", at-most = \"2h\" }",
        &[
            "p:7:21: a grant would usually last 8h, but may last at most 2h\n  hint: make `at-most` longer than `usually`",
        ],
    );
    check_target(
        "lasts = { usually = \"12h\" }",
        &[
            "p:7:21: a grant would usually last 12h, but may last at most 8h, which is the default\n  hint: make `at-most` longer than `usually`",
        ],
    );
    check_target("lasts = { at-most = \"30m\" }", &[]);
    check_target(
        "approval = { from = [\"leads\"], above = \"8h\" }",
        &["p:7:40: warning: no grant lasts longer than 8h, so no request ever needs an approval"],
    );
}

#[test]
fn firewalls_one_by_one() {
    let check = |lines: &str, expected: &[&str]| {
        let target = "address = \"db.example.org\"\nports = [\"tcp/5432\"]\ngroups = [\"g\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n";
        check_below(&format!("[firewall.f]\n{lines}\n[target.t]\n{target}"), expected);
    };
    let instead = "\n  hint: write `nftables = \"inet doorward\"`, or `relay = \"0.0.0.0:15432\"`";
    check(
        "iptables = \"doorward\"",
        &[&format!("p:5:1: `iptables` is not supported in this version{instead}")],
    );
    check("pf = \"doorward\"", &[&format!("p:5:1: `pf` is not supported in this version{instead}")]);
    check(
        "nftables = \"inet a\"\nrelay = \"0.0.0.0:1\"",
        &[
            "p:6:1: `[firewall.f]` has `nftables` and `relay`; a firewall has one of them\n  hint: make each of them a separate firewall",
        ],
    );
    check(
        "nftables = \"ip a\"",
        &[
            "p:5:12: the family of the table must be `inet`, which is IPv4 and IPv6, not `ip`\n  hint: write `nftables = \"inet doorward\"`",
        ],
    );
    check(
        "nftables = \"doorward\"",
        &["p:5:12: `doorward` is not a family and a table\n  hint: write `nftables = \"inet doorward\"`"],
    );
    check(
        "nftables = \"inet a;b\"\nvpc = \"vpc-1\"",
        &[
            "p:5:12: `a;b` is not the name of a table: use lower-case letters, digits, `_` and `-`, beginning with a letter\n  hint: write `nftables = \"inet doorward\"`",
            "p:6:1: `vpc` is for a security group, and this is `nftables`\n  hint: remove `vpc`",
        ],
    );
    check(
        "security-group = \"orders\"\nvpc = \"sg-1\"",
        &[
            "p:5:18: `orders` is not the id of a security group (like `sg-0a1b2c3d4e5f60718`)",
            "p:6:7: `sg-1` is not the id of a VPC (like `vpc-0a1b2c3d4e5f60718`)",
        ],
    );
    check(
        "relay = \"0.0.0.0:0\"",
        &[
            "p:5:9: warning: port 0 is a different port at each start\n  hint: write `relay = \"0.0.0.0:15432\"`",
        ],
    );
}

#[test]
fn everybody_is_let_in_only_by_who_says_so_twice() {
    let check = |lines: &str, expected: &[&str]| {
        let target = "address = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"g\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n";
        check_below(&format!("[firewall.f]\nnftables = \"inet d\"\n{lines}\n[target.t]\n{target}"), expected);
    };
    let hint = "\n  hint: remove it, or set `anyone = true` in this firewall if this is intended";
    check(
        "static = [\"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\"]",
        &[
            &format!("p:6:25: `0.0.0.0/0` admits everybody{hint}"),
            &format!("p:6:38: `::/0` admits everybody{hint}"),
        ],
    );
    check(
        "static = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
        &[&format!("p:6:10: together these are `0.0.0.0/0`, which admits everybody{hint}")],
    );
    check(
        "static = [\"0.0.0.0/0\"]\nanyone = false",
        &[&format!("p:6:11: `0.0.0.0/0` admits everybody{hint}")],
    );
    check("static = [\"0.0.0.0/0\", \"::/0\"]\nanyone = true", &[]);
    check(
        "static = [\"198.51.100.7/24\", \"office\", \"10.0.0.1\", \"10.0.0.1/32\"]",
        &[
            "p:6:11: `198.51.100.7/24` has host bits set; did you mean `198.51.100.0/24`?",
            "p:6:30: `office` is not an address or a CIDR (like `203.0.113.7` or `198.51.100.0/24`)",
            "p:6:52: warning: this is twice in `static`",
        ],
    );
}

#[test]
fn an_id_that_lost_a_digit_is_told_of() {
    let check = |lines: &str, expected: &str| {
        let reading = read(&format!("{PEOPLE}{lines}"), "p");
        let told: Vec<String> = reading.mistakes.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.starts_with(expected)), "{lines}: {told:?}");
        assert!(reading.policy.is_none());
    };
    check(
        "[firewall.f]\nsecurity-group = \"sg-XYZ\"\n",
        "p:5:18: `sg-XYZ` is not an EC2 ID, which has lower-case hexadecimal digits",
    );
    for digits in ["0a1b2c3d4e5f6071", "0a1b2c3d4e5f607182", "0a1b2c3", "1"] {
        let count = digits.len();
        let why = format!("has {count} digits, and an EC2 ID has 8 or 17");
        let group = format!("[firewall.f]\nsecurity-group = \"sg-{digits}\"\n");
        check(&group, &format!("p:5:18: `sg-{digits}` {why}"));
        let vpc = format!("[firewall.f]\nsecurity-group = \"sg-0a1b2c3d\"\nvpc = \"vpc-{digits}\"\n");
        check(&vpc, &format!("p:6:7: `vpc-{digits}` {why}"));
        let jump = format!("[ssm]\njump-host = \"instance:i-{digits}\"\n");
        check(&jump, &format!("p:5:13: `instance:i-{digits}` {why}"));
        let target = format!("[target.t]\naddress = \"instance:i-{digits}\"\n");
        check(&target, &format!("p:5:11: `instance:i-{digits}` {why}"));
        let endpoint = format!(
            "[ssh]\njump-host = \"tag:Name=jump\"\nover = \"endpoint\"\nendpoint = \"eice-{digits}\"\n"
        );
        check(&endpoint, &format!("p:7:12: `eice-{digits}` {why}"));
    }
}

#[test]
fn proxies_that_are_everybody_together() {
    let check = |proxies: &str, expected: &[&str]| {
        check_below(&format!("[server]\nproxies = [{proxies}]\n"), expected);
    };
    let hint = "\n  hint: name only the addresses of the proxies";
    let together = |what: &str| {
        format!("p:5:11: together these are {what}, and every client in it can forge its address{hint}")
    };
    check(
        "\"0.0.0.0/1\", \"128.0.0.0/1\"",
        &[
            &format!("p:5:12: `0.0.0.0/1` allows half of the internet or more to forge their address{hint}"),
            &format!(
                "p:5:25: `128.0.0.0/1` allows half of the internet or more to forge their address{hint}"
            ),
        ],
    );
    check(
        "\"2000::/3\"",
        &[&format!("p:5:12: `2000::/3` allows half of the internet or more to forge their address{hint}")],
    );
    check("\"0.0.0.0/2\", \"64.0.0.0/3\", \"96.0.0.0/3\"", &[&together("more than a quarter of IPv4")]);
    check("\"2000::/4\", \"3000::/4\"", &[&together("more than a quarter of all IPv6 in use")]);
    check("\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"fd00::/8\", \"2001:db8::/32\"", &[]);
}

/// Two targets, each with lines of its own, behind one firewall.
fn check_two(firewall: &str, one: &str, other: &str, expected: &[&str]) {
    let target = |name: &str, lines: &str| {
        let given = |key: &str| lines.lines().any(|line| line.split('=').next().map(str::trim) == Some(key));
        let defaults = [
            ("address", "\"rds:orders\""),
            ("ports", "[\"tcp/5432\"]"),
            ("groups", "[\"dbs\"]"),
            ("transports", "[\"direct\"]"),
            ("firewall", "\"f\""),
        ];
        let rest: String = defaults
            .iter()
            .filter(|(key, _)| !(given(key) || *key == "firewall" && lines.contains("transports")))
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        format!("[target.{name}]\n{lines}\n{rest}")
    };
    let text = format!("{PEOPLE}{firewall}\n{}{}", target("one", one), target("two", other));
    let line =
        |name: &str| text.lines().position(|line| line == format!("[target.{name}]")).map_or(0, |at| at + 1);
    let told: Vec<String> = read(&text, "p")
        .mistakes
        .iter()
        .filter(|mistake| !mistake.what.contains("is empty"))
        .map(|mistake| {
            assert_eq!((mistake.line, mistake.column), (line("two"), 9), "{mistake}");
            assert!(mistake.what.contains(&format!("`[target.one]`, at p:{}:9", line("one"))), "{mistake}");
            let (place, why) = mistake.what.split_once(" does not distinguish").expect("a place");
            let (_, why) = why.split_once(":9: ").expect("a reason");
            let kind = if mistake.is_error() { "" } else { "warning: " };
            format!("{kind}{place}: {why}")
        })
        .collect();
    assert_eq!(told, expected, "{text}");
}

#[test]
fn targets_that_a_security_group_cannot_tell_apart_admit_the_same_people() {
    let group = "[firewall.f]\nsecurity-group = \"sg-0a1b2c3d4e5f60718\"";
    let place = |flow: &str| format!("security group `sg-0a1b2c3d4e5f60718` (`{flow}`)");
    let leads = "groups = [\"leads\"]";
    let whole = format!(
        "{}: `dbs` members may open `one` and not `two`, and reach it through that",
        place("tcp/5432")
    );
    check_two(group, "", "", &[]);
    check_two(group, "", leads, &[&whole]);
    check_two(group, "", &format!("{leads}\nports = [\"tcp/5433\"]"), &[]);
    check_two(group, "ports = [\"udp/53\"]", &format!("{leads}\nports = [\"tcp/53\"]"), &[]);
    for ports in ["tcp/5000-6000", "all"] {
        check_two(group, "", &format!("{leads}\nports = [\"{ports}\"]"), &[&whole]);
    }
    let both = "groups = [\"dbs\", \"leads\"]";
    check_two(
        group,
        "",
        both,
        &[&format!(
            "{}: `leads` members may open `two` and not `one`, and reach it through that",
            place("tcp/5432")
        )],
    );
    let approval = "approval = { from = [\"leads\"], above = \"1h\" }";
    let asks = format!(
        "{}: a person who opens `one` without the approval of `two` can also reach `two`",
        place("tcp/5432")
    );
    check_two(group, "", approval, &[&asks]);
    check_two(group, approval, approval, &[]);
    let long = "lasts = { at-most = \"2h\" }\nreason = \"required\"";
    check_two(
        group,
        "",
        long,
        &[&format!(
            "warning: {}: a person who opens `one` without its `at-most` and `reason` can also reach `two`",
            place("tcp/5432")
        )],
    );
    check_two(group, "", "groups = []", &[&format!("warning: {whole}")]);
    // It is a choice where one of them says so, or the firewall.
    let shared = format!("{leads}\nshared = true");
    check_two(group, "", &shared, &[&format!("warning: {whole}")]);
    check_two(group, "shared = true", leads, &[&format!("warning: {whole}")]);
    check_two(group, "shared = false", &format!("{leads}\nshared = false"), &[&whole]);
    check_two(&format!("{group}\nshared = true"), "", leads, &[&format!("warning: {whole}")]);
}

#[test]
fn a_packet_filter_tells_addresses_apart_and_nothing_else() {
    let table = "[firewall.f]\nnftables = \"inet doorward\"";
    let leads = |address: &str| format!("groups = [\"leads\"]\naddress = \"{address}\"");
    let place = "the table `inet doorward` (`tcp/5432`)";
    let dbs = format!("{place}: `dbs` members may open `one` and not `two`, and reach it through that");
    let back = format!("{place}: `leads` members may open `two` and not `one`, and reach it through that");
    check_two(table, "address = \"10.0.0.1\"", &leads("10.0.0.2"), &[]);
    check_two(table, "address = \"10.0.0.1\"", &leads("10.0.0.1"), &[&dbs]);
    check_two(table, "address = \"10.0.0.1\"", &leads("::ffff:10.0.0.1"), &[&dbs]);
    check_two(table, "address = \"db.internal\"", &leads("10.0.0.2"), &[&dbs]);
    check_two(table, "address = \"10.0.0.1\"", &leads("db.internal"), &[&back]);
}

#[test]
fn a_jump_host_that_leads_everywhere_leads_to_both() {
    let one = "transports = [\"ssm\"]";
    let leads = "groups = [\"leads\"]\ntransports = [\"ssm\"]";
    let ssm = "[ssm]\njump-host = \"tag:Name=jump\"";
    let told = "a session through `tag:Name=jump` with AWS's own documents: `dbs` members may open `one` and not `two`, and reach it through that";
    check_two(ssm, one, leads, &[told]);
    check_two(&format!("{ssm}\nshared = true"), one, leads, &[&format!("warning: {told}")]);
    check_two(&format!("{ssm}\ndocuments = \"pinned\""), one, leads, &[]);
    let ssh = "[ssh]\njump-host = \"tag:Name=jump\"";
    let by = |way: &str| (one.replace("ssm", way), leads.replace("ssm", way));
    let (one_ssh, leads_ssh) = by("ssh");
    let told = "the login that `ssh` gives on `tag:Name=jump`: `dbs` members may open `one` and not `two`, and reach it through that";
    check_two(ssh, &one_ssh, &leads_ssh, &[told]);
    check_two(&format!("{ssh}\nshared = true"), &one_ssh, &leads_ssh, &[&format!("warning: {told}")]);
    let pinned = format!("{ssm}\ndocuments = \"pinned\"\n{ssh}");
    check_two(&pinned, &one_ssh, leads, &[told]);
    check_two(
        &pinned.replace("[ssh]\njump-host = \"tag:Name=jump\"", "[ssh]\njump-host = \"tag:Name=other\""),
        &one_ssh,
        leads,
        &[],
    );
}

#[test]
fn parts_that_do_not_fit() {
    check_target("firewall = \"g\"", &["p:7:12: there is no `[firewall.g]`\n  hint: add `[firewall.g]`"]);
    check_below(
        "[target.t]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"g\"]\ntransports = [\"direct\", \"wireguard\"]\n",
        &[
            "p:8:14: `direct` needs a `firewall` that admits the address\n  hint: add `firewall = \"orders-clients\"`",
            "p:8:25: warning: this version does not support `wireguard`, so nobody can open `t` with it\n  hint: write `\"direct\"`, `\"ssm\"` or `\"ssh\"`",
        ],
    );
    check_below(
        "[firewall.f]\nnftables = \"inet doorward\"\n",
        &[
            "p:4:11: warning: no target uses `[firewall.f]`, so it admits nobody\n  hint: add `firewall = \"f\"` to a target",
        ],
    );
    let behind = |name: &str, firewall: &str| {
        format!(
            "[target.{name}]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"g\"]\ntransports = [\"direct\"]\nfirewall = \"{firewall}\"\n"
        )
    };
    let two = |kind: &str, other: &str| {
        format!(
            "[firewall.one]\n{kind}\n[firewall.two]\n{other}\n{}{}",
            behind("a", "one"),
            behind("b", "two")
        )
    };
    check_below(
        &two("security-group = \"sg-0a1b2c3d4e5f60718\"", "security-group = \"sg-0a1b2c3d4e5f60718\""),
        &[
            "p:7:18: `sg-0a1b2c3d4e5f60718` already belongs to another firewall, and the two would conflict: `[firewall.one]`, at p:5:18\n  hint: make them one firewall",
        ],
    );
    check_below(
        &two("nftables = \"inet d\"", "nftables = \"inet d\""),
        &[
            "p:7:12: the table `inet d` already belongs to another firewall, and the two would conflict: `[firewall.one]`, at p:5:12\n  hint: make them one firewall",
        ],
    );
    check_below(
        &two("relay = \"0.0.0.0:1\"", "relay = \"127.0.0.1:1\""),
        &[
            "p:7:9: 127.0.0.1:1 already belongs to another relay: `[firewall.one]`, at p:5:9\n  hint: make them one firewall",
        ],
    );
    check_below(&two("relay = \"10.0.0.1:1\"", "relay = \"127.0.0.1:1\""), &[]);
    check_below(
        &two("relay = \"127.0.0.1:8080\"", "relay = \"127.0.0.1:1\""),
        &["p:5:9: the server itself listens on 127.0.0.1:8080\n  hint: choose another port"],
    );
}

/// A target behind firewall `f`.
fn behind(name: &str, address: &str, ports: &str) -> String {
    format!(
        "[target.{name}]\naddress = \"{address}\"\nports = {ports}\ngroups = [\"g\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n"
    )
}

#[test]
fn a_relay_leads_to_one_port_of_one_host() {
    let relay = "[firewall.f]\nrelay = \"0.0.0.0:15432\"\n";
    check_below(
        &format!("{relay}{}{}", behind("a", "a", "[\"tcp/1\"]"), behind("b", "b", "[\"tcp/1\"]")),
        &[
            "p:17:12: the relay `f` forwards to one target, which already is `[target.a]`\n  hint: give this target its own relay, with another port",
        ],
    );
    let cannot = "\n  hint: write its address or its host name, like `db.internal.example.org`";
    let one =
        "p:8:9: the relay `f` forwards to exactly one TCP port\n  hint: write it as `ports = [\"tcp/5432\"]`";
    check_below(
        &format!("{relay}{}", behind("a", "rds:a", "[\"tcp/1-2\"]")),
        &[&format!("p:7:11: the relay `f` cannot dial `rds:a`{cannot}"), one],
    );
    for ports in ["[\"udp/1\"]", "[\"tcp/1\", \"tcp/2\"]", "[\"all\"]", "[\"tcp/0\"]"] {
        check_below(&format!("{relay}{}", behind("a", "a", ports)), &[one]);
    }
}

#[test]
fn a_table_guards_an_address_that_packets_come_for() {
    let table = "[firewall.f]\nnftables = \"inet doorward\"\n";
    let hint = "\n  hint: write an address that people dial: the target's own, or one of this machine's if the target runs here";
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "127.0.0.1",
        "127.8.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "255.255.255.255",
        "224.0.0.1",
        "ff02::1",
    ] {
        let shown = address.trim_start_matches("::ffff:");
        let expected = format!(
            "p:7:11: no packet comes here for `{shown}`, so the table of `f` would guard nothing{hint}"
        );
        check_below(&format!("{table}{}", behind("a", address, "[\"tcp/1\"]")), &[&expected]);
    }
    for address in ["10.0.0.5", "2001:db8::5", "fe80::5", "db.example.org"] {
        check_below(&format!("{table}{}", behind("a", address, "[\"tcp/1\"]")), &[]);
    }
}

#[test]
fn people_are_known_also_where_the_rest_is_wrong() {
    let reading = read(&format!("{PEOPLE}[target.t]\nlasts = 3\nx ="), "p");
    assert!(reading.policy.is_none());
    let people = reading.people.expect("the files");
    assert_eq!((people.passwords.as_str(), people.passwords_at.line), ("people.htpasswd", 2));
}

#[test]
fn groups_are_looked_for() {
    let hash = "richard:abl0JrMf6tlhw\njon:abl0JrMf6tlhw\n";
    let people = People::parse(hash.as_bytes(), "h", b"dbs: jon\nleads:\n", "g").expect("people");
    let text = WHOLE.replace("\"ops\"", "\"db\"");
    let told: Vec<String> =
        super::check(&read(&text, "p"), &people, "p").iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "p:5:14: the group `db` does not exist, so nobody in it can operate Doorward\n  hint: did you mean `dbs`?",
            "p:85:24: the group `leads` has no members, so nobody in it can approve requests for `[target.inside]`\n  hint: add a person with `doorward group add leads PERSON`",
            "p:45:24: the group `leads` has no members, so nobody in it can approve requests for `[target.orders-db]`\n  hint: add a person with `doorward group add leads PERSON`",
            "p:50:15: the group `db` does not exist, so nobody in it can open `[target.shell]`\n  hint: did you mean `dbs`?",
        ]
    );
}

/// Who locked the last of a group is told that, and not to put somebody in who is there.
#[test]
fn a_group_whose_members_cannot_sign_in_is_not_called_empty() {
    let told = |passwords: &str, groups: &str| -> Vec<String> {
        let (people, _) = people::read(passwords.as_bytes(), "h", groups.as_bytes(), "g");
        let text = format!("{PEOPLE}[target.t]\naddress = \"db\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\"]\n");
        super::check(&read(&text, "p"), &people, "p").iter().map(ToString::to_string).collect()
    };
    let jon = "jon:!abl0JrMf6tlhw\n";
    let locked = told(jon, "dbs: jon\n");
    assert!(
        locked[0].ends_with(
            "warning: everybody in the group `dbs` is locked (jon), so nobody in it can open `[target.t]`\n  hint: \
             unlock them with `doorward user unlock jon`"
        ),
        "{locked:?}"
    );
    let broken = told(&format!("{jon}lee:*\n"), "dbs: jon lee mia\n");
    assert!(broken[0].contains("nobody in the group `dbs` can sign in (jon, lee, mia)"), "{broken:?}");
    assert!(!broken[0].contains("warning") && !broken[0].contains("group add"), "{broken:?}");
    assert!(told("jon:abl0JrMf6tlhw\n", "dbs: jon\n").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}|[\\[\\]{}=\"'.,#\\n a-z0-9]{0,200}") {
        let _ = read(&text, "p");
    }

    /// A policy with a piece cut out, doubled or overwritten says something or is one; its places are in the text.
    #[test]
    fn no_damage_panics(from in 0..WHOLE.len(), length in 0_usize..40, with in "\\PC{0,8}|[\\[\\]{}=\",\\n]{0,4}") {
        let to = (from + length).min(WHOLE.len());
        let text = format!("{}{with}{}", &WHOLE[..from], &WHOLE[to..]);
        let reading = read(&text, "p");
        prop_assert!(reading.policy.is_some() || reading.mistakes.iter().any(Mistake::is_error));
        for mistake in reading.mistakes {
            let line = text.split('\n').nth(mistake.line - 1);
            prop_assert!(line.is_some_and(|line| mistake.column <= line.chars().count() + 1), "{mistake}");
        }
    }
}

#[test]
fn a_target_with_one_mistake_is_checked_for_the_others_too() {
    check_target(
        "firewall = \"g\"\nports = [\"tcp/99999\"]",
        &[
            "p:7:12: there is no `[firewall.g]`\n  hint: add `[firewall.g]`",
            "p:8:10: `tcp/99999` is not a flow (like `tcp/5432`, `tcp/1000-2000`, `udp/53`, `icmp/8/0`, `proto/107` or `all`)",
        ],
    );
}

#[test]
fn passwords_cross_no_network_in_clear_unasked() {
    let listen = |listen: &str| {
        format!(
            "p:5:10: passwords would cross the network to {listen} in clear text\n  hint: add `tls`, or name the proxy \
             that has TLS in `proxies`; if you accept the risk: `insecure = true`"
        )
    };
    for address in ["0.0.0.0:8080", "[::]:8080", "10.0.0.5:8080", "[2001:db8::1]:80"] {
        check_below(&format!("[server]\nlisten = \"{address}\"\n"), &[&listen(address)]);
        for more in [
            "insecure = true",
            "proxies = [\"10.0.0.10\"]",
            "tls = { certificate = \"server.pem\", key = \"server.key\" }",
        ] {
            check_below(&format!("[server]\nlisten = \"{address}\"\n{more}\n"), &[]);
        }
        // What is said of a proxy elsewhere does not make the way here safe.
        let url = "url = \"https://door.example\"\ninsecure = false\n";
        check_below(&format!("[server]\nlisten = \"{address}\"\n{url}"), &[&listen(address)]);
    }
    for address in ["127.0.0.1:8080", "[::1]:8080", "127.9.9.9:1", "[::ffff:127.0.0.1]:80"] {
        check_below(&format!("[server]\nlisten = \"{address}\"\n"), &[]);
    }
}

#[test]
fn no_url_has_people_send_passwords_in_clear_unasked() {
    for key in ["url", "url-v4", "url-v6"] {
        let column = key.len() + 4;
        let wrong = format!(
            "p:5:{column}: people would send their passwords to `http://door.example` in clear text\n  hint: write \
             `https://…`; if you accept the risk: `insecure = true`"
        );
        check_below(&format!("[server]\n{key} = \"HTTP://door.example/\"\n"), &[&wrong]);
        check_below(&format!("[server]\n{key} = \"http://door.example\"\ninsecure = true\n"), &[]);
        check_below(&format!("[server]\n{key} = \"http://door.localhost:8080\"\n"), &[]);
        check_below(&format!("[server]\n{key} = \"http://[::1]:8080\"\n"), &[]);
    }
}

#[test]
fn a_path_of_the_url_stands_before_every_path() {
    let prefix = |url: &str| {
        let text = format!("{PEOPLE}[server]\nurl = \"{url}\"\n");
        parse(&text, "p").expect("a good policy").server.prefix().to_owned()
    };
    assert_eq!(prefix("https://door.example"), "");
    assert_eq!(prefix("https://door.example/"), "");
    assert_eq!(prefix("https://x.example/door/"), "/door");
    assert_eq!(prefix("https://x.example:8443/tools/door"), "/tools/door");
}

#[test]
fn static_addresses_that_nobody_comes_from_are_told_of() {
    fn check(kind: &str, statics: &str, listed: &str, expected: &[&str]) {
        let text = format!(
            "[people]\npasswords = \"p\"\ngroups = \"g\"\n[aws]\nregion = \"eu-west-1\"\n[grants]\nspecial-networks = [{listed}]\n[firewall.f]\n{kind}\nstatic = [{statics}]\n"
        );
        let told: Vec<String> = read(&text, "p")
            .mistakes
            .iter()
            .map(|mistake| mistake.what.clone())
            .filter(|what| what.contains("network of the internet"))
            .collect();
        assert_eq!(told, expected, "{kind} {statics}");
    }
    let group = "security-group = \"sg-0a1b2c3d4e5f60718\"";
    check(group, r#""198.51.100.0/24", "8.8.8.0/24", "2001:db8::/32", "2a00::/16""#, "", &[]);
    check(
        group,
        r#""10.1.0.0/16", "169.254.0.0/16", "127.0.0.1", "192.0.0.0/8""#,
        "",
        &[
            "`10.1.0.0/16` is not a network of the internet: a private address",
            "`169.254.0.0/16` is not a network of the internet: a link-local address",
            "`127.0.0.1/32` is not a network of the internet: a loopback address",
            "`192.0.0.0/8` contains `192.0.0.0/24`, which is not a network of the internet: an address that is set apart for protocols",
        ],
    );
    check(group, r#""10.1.0.0/16""#, r#""10.0.0.0/8""#, &[]);
    check("relay = \"127.0.0.1:1\"", r#""10.1.0.0/16", "127.0.0.0/8""#, "", &[]);
    check(
        "nftables = \"inet doorward\"",
        r#""224.0.0.0/4""#,
        "",
        &["`224.0.0.0/4` is not a network of the internet: a multicast address"],
    );
}

#[test]
fn special_networks_are_each_of_one_kind_that_people_may_come_from() {
    check_below(
        "[grants]\nspecial-networks = [\"10.0.0.0/8\", \"fd00::/8\", \"100.64.0.0/10\", \"127.0.0.1\"]\n",
        &[],
    );
    check_below(
        "[grants]\nspecial-networks = [\"169.254.0.0/16\", \"0.0.0.0/0\", \"10.0.0.0/7\", \"8.8.8.0/24\", \"203.0.113.0/24\", \"fe80::/10\", \"64:ff9b::/96\"]\n",
        &[
            "p:5:21: no client can have an address in `169.254.0.0/16`: `169.254.0.0` is a link-local address\n  hint: remove it",
            "p:5:39: `0.0.0.0/0` is more than one special-purpose network\n  hint: list each of them separately, like `special-networks = [\"10.0.0.0/8\"]`",
            "p:5:52: `10.0.0.0/7` is more than one special-purpose network\n  hint: list each of them separately, like `special-networks = [\"10.0.0.0/8\"]`",
            "p:5:66: warning: `8.8.8.0/24` is not a special-purpose network, and is admitted without this\n  hint: remove it",
            "p:5:80: warning: `203.0.113.0/24` holds addresses for documentation: it is for examples and tests, and no client has such an address",
            "p:5:98: no client can have an address in `fe80::/10`: `fe80::` is a link-local address\n  hint: remove it",
            "p:5:111: no client can have an address in `64:ff9b::/96`: `64:ff9b::` is an address behind a NAT64 translator\n  hint: remove it",
        ],
    );
}

#[test]
fn limits_are_numbers_of_grants() {
    let policy = parse(
        &format!(
            "{PEOPLE}[limits]\nper-person = 20\nper-person-and-target = 4\nper-target = 40\nmoves = 0\n"
        ),
        "p",
    );
    let limits = policy.expect("a policy").limits;
    let expected = Limits { per_person: 20, per_person_and_target: 4, per_target: Some(40), moves: 0 };
    assert_eq!(limits, expected);
    check_below(
        "[limits]\nper-person = 0\nper-target = -1\nmoves = \"many\"\nper-person-and-targets = 3\n",
        &[
            "p:5:14: `per-person` must be from 1 to 1000000, and is 0\n  hint: write `per-person = 10`",
            "p:6:14: `per-target` must be from 1 to 1000000, and is -1\n  hint: write `per-target = 10`",
            "p:7:9: `moves` must be a whole number, and is a string\n  hint: write `moves = 10`",
            "p:8:1: `[limits]` has no key `per-person-and-targets`\n  hint: did you mean `per-person-and-target`?",
        ],
    );
    check_target(
        "limit = 0\n",
        &["p:7:9: `limit` must be from 1 to 1000000, and is 0\n  hint: write `limit = 10`"],
    );
}
