//! `[environment.NAME]`: what is declared, its defaults, and every mistake with its line.

use super::topology::{check, declared};

const DEV: &str = "[network.main]\n[role.web]\non = [\"environment:dev/instance\"]\n\
    [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:dev/database\"]\n\
    [environment.dev]\nkind = \"dev\"\n";

#[test]
fn an_environment_has_defaults_that_can_be_printed_and_read_again() {
    let (topology, mistakes) = declared(DEV);
    assert_eq!(mistakes, Vec::<String>::new());
    let topology = topology.expect("a policy");
    let dev = &topology.environments[&"dev".parse().expect("a name")];
    assert_eq!(
        dev.to_string(),
        "[environment.dev]\nkind = \"dev\"\nnetwork = \"main\"\n\
         image = \"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64\"\n\
         instance = \"t4g.small\"\nengine = \"postgres\"\nversion = \"17\"\nclass = \"db.t4g.micro\"\nstorage = 20\nsnapshots = 3\n"
    );
    let again = DEV.replace("[environment.dev]\nkind = \"dev\"\n", &dev.to_string());
    assert_eq!(declared(&again).0, Some(topology));
    let other = "[network.main]\n[environment.dev]\nkind = \"dev\"\nengine = \"mysql\"\nimage = \"ami-0a1b2c3d\"\n\
        instance-profile = \"web\"\n";
    let (topology, mistakes) = declared(other);
    assert_eq!(mistakes, Vec::<String>::new());
    let text = topology.expect("a policy").environments.values().next().expect("one").to_string();
    assert!(text.contains("version = \"8.4\"") && text.contains("image = \"ami-0a1b2c3d\""), "{text}");
    assert!(text.contains("instance-profile = \"web\""), "{text}");
}

#[test]
fn an_environment_that_cannot_be() {
    check(
        "[network.main]\n[environment.dev]\nkind = \"test\"\nimage = \"al2023\"\ninstance = \"db.t4g.micro\"\n\
         engine = \"oracle\"\nclass = \"t4g.micro\"\nstorage = 5\ninstance-profile = \"a b\"\nsize = 1\n",
        &[
            "p:8:8: `test` is not a kind of environment (`dev` or `prod`)\n  hint: write `kind = \"dev\"`",
            "p:9:9: `al2023` is neither the ID of an image nor the name of a parameter of Systems Manager, which begins with `/`\n  hint: write `image = \"ami-0a1b2c3d4e5f60718\"`",
            "p:10:12: `db.t4g.micro` is a class of databases, and not a type of instances\n  hint: write `instance = \"t4g.small\"`",
            "p:11:10: `oracle` is not an engine of databases (`postgres` or `mysql`)",
            "p:12:9: `t4g.micro` is a type of instances, and classes of databases begin with `db.`\n  hint: write `class = \"db.t4g.micro\"`",
            "p:13:11: a database has 20 to 65536 GiB of storage, and not 5\n  hint: write `storage = 20`",
            "p:14:20: `a b` is not the name of an instance profile\n  hint: write `instance-profile = \"web\"`",
            "p:15:1: `[environment.dev]` has no key `size`\n  hint: there are `kind`, `network`, `image`, `instance`, `instance-profile`, `engine`, `version`, `class`, `storage`, `snapshots`, `listen`, `certificate`, `port`, `health`, `min` and `max`",
        ],
    );
    check(
        "[network.main]\n[environment.dev]\nkind = \"dev\"\nsnapshots = 0\n",
        &[
            "p:9:13: 1 to 100 final snapshots of a database are kept, and not 0\n  hint: write `snapshots = 3`",
        ],
    );
    check(
        "[network.main]\n[environment.dev]\nversion = \"17.4\"\n[environment.\"my dev\"]\nkind = \"dev\"\n",
        &[
            "p:7:14: `[environment.dev]` needs `kind`\n  hint: add `kind = \"dev\"`",
            "p:8:11: `17.4` is not a major version, and AWS chooses the minor one\n  hint: write `version = \"17\"`",
            "p:9:14: `my dev` cannot be the name of an environment, which has up to 32 lower-case letters, digits and single hyphens between them, and begins with a letter",
        ],
    );
}

#[test]
fn an_environment_fits_into_its_network_and_roles_name_parts_of_it() {
    check(
        "[network.main]\nzones = 1\n[environment.dev]\nkind = \"dev\"\n",
        &[
            "p:8:14: `[environment.dev]` has a database, which needs private subnets in two zones, and `[network.main]` has one zone\n  hint: write `zones = 2` in `[network.main]`",
        ],
    );
    check(
        "[network.main]\n[environment.dev]\nkind = \"dev\"\n[role.a]\non = [\"environment:def/instance\"]\n\
         [role.b]\non = [\"environment:dev/queue\"]\n[role.c]\non = [\"environment:dev\"]\n",
        &[
            "p:9:7: `[role.a]` is on `environment:def/instance`, and there is no `[environment.def]`\n  hint: did you mean `dev`?",
            "p:12:7: an environment has no `queue`; its parts are `instance`, `database` and `balancer`",
            "p:14:7: `environment:dev` is not a part of an environment (like `environment:dev/database`)",
        ],
    );
    check(
        "[network.main]\n[network.side]\ncidr = \"10.1.0.0/16\"\n[environment.dev]\nkind = \"dev\"\nnetwork = \"side\"\n\
         [role.a]\nnetwork = \"main\"\non = [\"environment:dev/instance\"]\n",
        &[
            "p:12:7: `[role.a]` is a role of the network main, and the environment dev is in side\n  hint: write `network = \"side\"` in `[role.a]`",
        ],
    );
}

const PROD: &str = "[network.main]\n[environment.prod]\nkind = \"prod\"\nimage = \"ami-0a1b2c3d\"\n";

#[test]
fn an_environment_behind_a_load_balancer_has_defaults_that_can_be_printed_and_read_again() {
    let certificate = "certificate = \"arn:aws:acm:eu-west-1:123456789012:certificate/0a\"\n";
    let (topology, mistakes) = declared(&format!("{PROD}{certificate}"));
    assert_eq!(mistakes, Vec::<String>::new());
    let topology = topology.expect("a policy");
    let prod = topology.environments.values().next().expect("one");
    assert_eq!(
        prod.to_string(),
        format!(
            "[environment.prod]\nkind = \"prod\"\nnetwork = \"main\"\nimage = \"ami-0a1b2c3d\"\ninstance = \"t4g.small\"\n\
             engine = \"postgres\"\nversion = \"17\"\nclass = \"db.t4g.small\"\nstorage = 20\nsnapshots = 3\n\
             listen = \"https\"\n{certificate}port = 80\nhealth = \"/\"\nmin = 2\nmax = 4\n"
        )
    );
    let again = format!("[network.main]\n{prod}");
    assert_eq!(declared(&again).0, Some(topology));
    let text = format!("{PROD}listen = \"http\"\nport = 8080\nhealth = \"/up\"\nmin = 6\n");
    let (topology, mistakes) = declared(&text);
    assert_eq!(mistakes, Vec::<String>::new());
    let text = topology.expect("a policy").environments.values().next().expect("one").to_string();
    assert!(text.ends_with("listen = \"http\"\nport = 8080\nhealth = \"/up\"\nmin = 6\nmax = 6\n"), "{text}");
}

#[test]
fn an_environment_behind_a_load_balancer_that_cannot_be() {
    check(
        &format!("{PROD}port = 0\nhealth = \"up\"\nmin = 1\nmax = 1\n"),
        &[
            "p:7:14: `[environment.prod]` needs `certificate`, because its load balancer listens for HTTPS\n  hint: add `certificate = \"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d\"`, or `listen = \"http\"`, which does not encrypt",
            "p:10:8: a port is a number from 1 to 65535, and not 0\n  hint: write `port = 80`",
            "p:11:10: `up` is not a path, which begins with `/` and has no spaces\n  hint: write `health = \"/health\"`",
            "p:12:7: an environment of the kind `prod` has at least two instances, so that one may fail: `min` is from 2 to 100, and not 1\n  hint: write `min = 2`",
            "p:13:7: `max` is at least `min` and from 2 to 100, and not 1\n  hint: write `max = 4`",
        ],
    );
    check(
        "[network.main]\nzones = 1\n[environment.a-name-that-is-much-too-long]\nkind = \"prod\"\nlisten = \"http\"\ncertificate = \"a\"\n",
        &[
            "p:8:14: `a-name-that-is-much-too-long` is too long for the name of an environment of the kind `prod`, which has up to 23 characters, as it is part of the name of a load balancer\n  hint: shorten it",
            "p:11:1: a listener for HTTP has no certificate\n  hint: write `listen = \"https\"`, or remove `certificate`",
        ],
    );
    check(
        "[network.main]\nzones = 1\n[environment.prod]\nkind = \"prod\"\nlisten = \"http\"\nimage = \"ami-0a1b2c3d\"\n",
        &[
            "p:8:14: `[environment.prod]` has a database, which needs private subnets in two zones, and `[network.main]` has one zone\n  hint: write `zones = 2` in `[network.main]`",
        ],
    );
    check(
        "[network.main]\n[environment.dev]\nkind = \"dev\"\nmin = 2\n[role.a]\non = [\"environment:dev/balancer\"]\n",
        &[
            "p:9:1: `[environment.dev]` is of the kind `dev`, which has no `min`\n  hint: remove it, or write `kind = \"prod\"`",
            "p:10:7: `[role.a]` is on `environment:dev/balancer`, and `[environment.dev]` is of the kind `dev`, which has no load balancer\n  hint: write `environment:dev/instance`",
        ],
    );
    check(
        &format!(
            "{PROD}listen = \"tls\"\n[environment.other]\nkind = \"prod\"\nimage = \"ami-0a1b2c3d\"\ncertificate = \"arn:aws:s3:::a\"\n"
        ),
        &[
            "p:10:10: `tls` is not a protocol of its listener (`https` or `http`)\n  hint: write `listen = \"https\"`",
            "p:14:15: `arn:aws:s3:::a` is not the ARN of a certificate\n  hint: write `certificate = \"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d\"`",
        ],
    );
}
