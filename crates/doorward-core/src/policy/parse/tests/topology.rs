//! Networks and roles that are right, and every way to get one wrong.

use super::*;
use crate::topology::{Nat, Topology, Zones};

const AWS: &str = "[aws]\nregion = \"eu-west-1\"\n";

const SHORT: &str = r#"
[network.main]
[role.web]
admits = { internet = ["tcp/443"] }
reaches = { internet = ["tcp/443"] }
on = ["tag:service=web", "service:shop/orders", "function:report"]
[role.db_connect]
on = ["tag:service=web"]
[role.db]
admits = { db_connect = ["tcp/5432"], "192.0.2.0/24" = ["tcp/5432", "icmp"] }
on = ["rds:orders-prod", "cache:sessions", "proxy:orders", "instance:i-0a1b2c3d4e5f60718"]
"#;

/// What is declared below `[people]` and `[aws]`, and the mistakes.
pub(super) fn declared(text: &str) -> (Option<Topology>, Vec<String>) {
    let reading = read(&format!("{PEOPLE}{AWS}{text}"), "p");
    let told = reading.mistakes.iter().map(ToString::to_string).collect();
    (reading.policy.map(|policy| policy.topology), told)
}

/// The mistakes of a text that begins on line 6.
pub(super) fn check(text: &str, expected: &[&str]) {
    assert_eq!(declared(text).1, expected, "{text}");
}

#[test]
fn a_network_has_defaults_that_can_be_printed() {
    let (topology, mistakes) = declared(SHORT);
    assert_eq!(mistakes, Vec::<String>::new());
    let topology = topology.expect("a policy");
    let main = &topology.networks[&"main".parse().expect("a name")];
    assert_eq!(
        main.to_string(),
        "[network.main]\nregion = \"eu-west-1\"\ncidr = \"10.0.0.0/16\"\nzones = 2\nsubnets = \"/21\"\n\
         nat = \"gateway\"\nendpoints = [\"dynamodb\", \"s3\"]\n"
    );
    let db = &topology.roles[&"db".parse().expect("a name")];
    assert_eq!(
        db.to_string(),
        "[role.db]\nnetwork = \"main\"\n\
         admits = { db_connect = [\"tcp/5432\"], \"192.0.2.0/24\" = [\"tcp/5432\", \"icmp\"] }\nreaches = {}\n\
         on = [\"instance:i-0a1b2c3d4e5f60718\", \"rds:orders-prod\", \"proxy:orders\", \"cache:sessions\"]\n"
    );
}

#[test]
fn what_is_printed_reads_as_the_same() {
    let check = |text: &str| {
        let (topology, mistakes) = declared(text);
        let topology = topology.unwrap_or_else(|| panic!("{mistakes:?}"));
        let printed: String = topology
            .networks
            .values()
            .map(ToString::to_string)
            .chain(topology.roles.values().map(ToString::to_string))
            .collect();
        assert_eq!(declared(&printed), (Some(topology), mistakes), "{printed}");
    };
    check(SHORT);
    check(
        "[network.\"a.b\"]\nvpc = \"default\"\nzones = [\"euw1-az3\", \"euw1-az1\"]\nnat = \"none\"\nendpoints = []\nsubnets = \"/24\"\n[role.\"x.y\"]\nadmits = { \"x.y\" = [\"all\"] }\n",
    );
    check(
        "[network.n]\nvpc = \"vpc-0a1b2c3d4e5f60718\"\nregion = \"us-east-1\"\nprofile = \"prod\"\nnat = \"regional\"\n",
    );
}

#[test]
fn a_policy_without_networks_declares_none() {
    assert!(parse(PEOPLE, "p").expect("a policy").topology.is_empty());
}

#[test]
fn values_are_what_they_say() {
    let (topology, _) = declared("[network.n]\nzones = [\"euw1-az2\"]\nnat = \"gateway-per-zone\"\n");
    let network = topology.expect("a policy").networks.into_values().next().expect("a network");
    assert_eq!(network.nat, Nat::GatewayPerZone);
    assert_eq!(network.zones, Zones::These(["euw1-az2".parse().expect("a zone")].into()));
}

#[test]
fn a_network_that_cannot_be() {
    check(
        "[network.n]\ncidr = \"10.0.0.0/8\"\nzone = 2\n",
        &[
            "p:7:8: `10.0.0.0/8` cannot be the CIDR block of a VPC, which is an IPv4 network of /16 to /28\n  hint: write `cidr = \"10.0.0.0/16\"`",
            "p:8:1: `[network.n]` has no key `zone`\n  hint: did you mean `zones`?",
        ],
    );
    check(
        "[network.n]\ncidr = \"10.0.0.1/16\"\nzones = 0\nnat = \"instance\"\nsubnets = \"21\"\nendpoints = [\"com.amazonaws.eu-west-1.s3\"]\n",
        &[
            "p:7:8: `10.0.0.1/16` has host bits set; did you mean `10.0.0.0/16`?",
            "p:8:9: a network has subnets in at least one zone, and no Region has 0\n  hint: write `zones = 2`",
            "p:9:7: NAT instances are not supported in this version\n  hint: write `nat = \"gateway\"`",
            "p:10:11: `21` is not the size of a subnet, which is from `/17` to `/28`\n  hint: write `subnets = \"/21\"`",
            "p:11:14: `com.amazonaws.eu-west-1.s3` is not the name of a service (like `s3`, `ssm` or `ecr.api`)",
        ],
    );
    check(
        "[network.n]\nzones = [\"eu-west-1a\", \"usw2-lax1-az1\"]\nnat = \"gatway\"\nvpc = \"default\"\ncidr = \"10.0.0.0/16\"\n",
        &[
            "p:7:10: `eu-west-1a` is the name of a zone, which differs between accounts; write its id (like `euw1-az1`)",
            "p:7:24: `usw2-lax1-az1` is a Local Zone or a Wavelength Zone; a network has subnets in availability zones (like `euw1-az1`)",
            "p:8:7: `gatway` is not a value of `nat`\n  hint: did you mean `gateway`?",
            "p:10:1: `cidr` is for a VPC that is made, and `vpc` names one that exists\n  hint: remove one of them",
        ],
    );
    check(
        "[network.n]\ncidr = \"203.0.113.0/24\"\nsubnets = \"/26\"\nvpc = \"vpc-0a1b\"\n",
        &[
            "p:7:1: `cidr` is for a VPC that is made, and `vpc` names one that exists\n  hint: remove one of them",
        ],
    );
    check(
        "[network.n]\nvpc = \"vpc-0a1b\"\n",
        &[
            "p:7:7: `vpc-0a1b` has 4 digits, and an EC2 ID has 8 or 17\n  hint: it is like `vpc = \"vpc-0a1b2c3d4e5f60718\"`",
        ],
    );
}

#[test]
fn subnets_that_do_not_fit() {
    check(
        "[network.n]\ncidr = \"10.0.0.0/22\"\n",
        &[
            "p:7:8: `10.0.0.0/22` has room for 0 zones with a public and a private /21 each, and not for 2\n  hint: write `subnets = \"/24\"`",
        ],
    );
    check(
        "[network.n]\ncidr = \"10.0.0.0/20\"\nsubnets = \"/22\"\nzones = [\"use1-az1\", \"use1-az6\"]\n",
        &[
            "p:8:11: `10.0.0.0/20` has room for 2 zones with a public and a private /22 each, and use1-az6 is further\n  hint: write `subnets = \"/24\"`",
        ],
    );
}

#[test]
fn networks_that_cannot_be_together() {
    check(
        "[network.a]\n[network.b]\ncidr = \"10.0.128.0/17\"\nsubnets = \"/24\"\n[network.c]\ncidr = \"10.0.0.0/16\"\nregion = \"us-east-1\"\n",
        &[
            "p:8:8: `10.0.128.0/17` overlaps with `10.0.0.0/16` of `[network.a]`, so they could never be connected\n  hint: give each network a VPC and a CIDR block of its own",
        ],
    );
    check(
        "[network.a]\nvpc = \"default\"\n[network.A]\nvpc = \"default\"\n",
        &[
            "p:8:10: `A` and `a` differ only in case\n  hint: rename one of them",
            "p:9:7: `[network.a]` has the same VPC\n  hint: give each network a VPC and a CIDR block of its own",
        ],
    )
}

#[test]
fn a_network_needs_a_region() {
    super::check(
        &format!("{PEOPLE}[network.n]\n"),
        &[
            "p:4:10: `[network.n]` needs `region`, because `[aws]` has none\n  hint: add `region = \"eu-west-1\"`",
        ],
    );
}

#[test]
fn roles_that_cannot_be() {
    check(
        "[network.n]\n[role.db]\nadmits = { db_conect = [\"tcp/5432\"], \"0.0.0.0/0\" = [\"tcp/1\"], internet = [] }\nreaches = { web = [\"tcp/443\"] }\non = [\"rds:1\", \"ecs:orders\", \"i-0a1b2c3d\", \"databse:x\"]\nabout = \"x\"\n[role.db_connect]\n",
        &[
            "p:8:12: there is no `[role.db_conect]`\n  hint: did you mean `db_connect`?",
            "p:8:63: warning: `internet` has no flows, so nothing is allowed\n  hint: write a list like `[\"tcp/5432\"]`",
            "p:9:13: `web` is neither a CIDR block nor `internet`; a role reaches the roles that admit it without listing them",
            "p:10:7: `rds:1` is not the identifier of a DB instance or cluster (like `rds:orders-prod`)",
            "p:10:16: `ecs:orders` does not name a resource; it begins with one of `instance:`, `tag:`, `rds:`, `proxy:`, `cache:`, `service:`, `function:` and `environment:`",
            "p:10:30: `i-0a1b2c3d` does not name a resource; it begins with one of `instance:`, `tag:`, `rds:`, `proxy:`, `cache:`, `service:`, `function:` and `environment:`",
            "p:10:44: `databse:x` does not name a resource; it begins with one of `instance:`, `tag:`, `rds:`, `proxy:`, `cache:`, `service:`, `function:` and `environment:`",
            "p:11:1: `[role.db]` has no key `about`\n  hint: there are `network`, `group`, `admits`, `reaches` and `on`",
        ],
    );
    check(
        "[role.db]\n[role.default]\n",
        &[
            "p:6:7: `[role.db]` needs a network, and the policy has none\n  hint: add `[network.main]`",
            "p:7:7: `default` cannot be the name of a role: `default`, `internet` and names that begin with `sg-` are reserved",
        ],
    );
    check(
        "[network.a]\n[network.b]\ncidr = \"10.1.0.0/16\"\n[role.x]\n[role.y]\nnetwork = \"c\"\n[role.z]\nnetwork = \"a\"\nadmits = { v = [\"all\"] }\n[role.v]\nnetwork = \"b\"\n",
        &[
            "p:9:7: `[role.x]` needs `network`\n  hint: add `network = \"a\"`",
            "p:11:11: there is no `[network.c]`\n  hint: there are `a` and `b`",
            "p:14:12: `v` is a role of the network b, and a security group admits those of its own network\n  hint: write the CIDR block of that network, if the two are connected",
        ],
    );
}

proptest! {
    #[test]
    fn whatever_is_declared_is_read_or_reported(text in "(\\[(network|role)\\.[a-z\"]{1,3}\\]\n|(cidr|vpc|zones|subnets|nat|endpoints|admits|on|reaches|network) = (\"[a-z0-9/.:-]{0,12}\"|[0-9]{1,3}|\\[\"[a-z0-9:-]{0,8}\"\\]|\\{ [a-z]{1,4} = \\[\"tcp/1\"\\] \\})\n){0,8}") {
        let reading = read(&format!("{PEOPLE}{AWS}{text}"), "p");
        prop_assert_eq!(reading.policy.is_none(), reading.mistakes.iter().any(Mistake::is_error));
    }
}

#[test]
fn a_network_without_subnets_has_only_roles_in_a_vpc_that_exists() {
    check(
        "[network.n]\nzones = []\n",
        &[
            "p:7:9: `zones` is empty, so the network has no subnet\n  hint: write `zones = 2`, or name a VPC that exists",
        ],
    );
    check(
        "[network.n]\nvpc = \"default\"\nzones = []\nnat = \"regional\"\nendpoints = [\"s3\"]\nsubnets = \"/24\"\n\
         [role.a]\ngroup = \"sg-0a1b2c3d\"\n[role.b]\ngroup = \"sg-0a1b2c3d\"\n[role.c]\ngroup = \"sg-0a1b\"\n",
        &[
            "p:9:7: `zones` is empty, so the network has no subnets that `nat` is for\n  hint: write `nat = \"none\"`, or the zones of its subnets",
            "p:10:13: `zones` is empty, so the network has no subnets that `endpoints` is for\n  hint: write `endpoints = []`, or the zones of its subnets",
            "p:11:11: `zones` is empty, so the network has no subnets that `subnets` is for\n  hint: remove `subnets`",
            "p:14:7: `a` and `b` are the same security group\n  hint: declare it once",
            "p:17:9: `sg-0a1b` has 4 digits, and an EC2 ID has 8 or 17\n  hint: it is like `group = \"sg-0a1b2c3d4e5f60718\"`",
        ],
    );
}
