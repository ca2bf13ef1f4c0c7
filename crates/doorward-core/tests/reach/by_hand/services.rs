//! Ends that are known by names: what the names resolve to, several of one name, what is outside every VPC, and states.

use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Reachability, Selector, Verdict};

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES};
use crate::written::account;

fn ask(lines: &[&str], from: &str, to: &str, flow: &str) -> Answer {
    let real = Reachability::of(account(&lines.join("\n")));
    let end = |text| Selector::find(text, real.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"));
    real.ask(&end(from), &end(to), Some(&flow.parse::<Flow>().expect("a flow").into()))
}

fn check(lines: &[&str], questions: &[(&str, &str, &str, Verdict)]) {
    for &(from, to, flow, expected) in questions {
        let answer = ask(lines, from, to, flow);
        assert_eq!(answer.verdict, expected, "{from} -> {to} {flow}: {answer:#?}");
    }
}

const WAY_OUT: &str = "
    igw igw-1 vpc-1
    table rtb-a vpc-1 subnet-a
    rtb-a 0.0.0.0/0 igw-1
    nat nat-1 subnet-a 10.0.1.5=203.0.113.200
    table rtb-b vpc-1 subnet-b
    rtb-b 0.0.0.0/0 nat-1
    group sg-c
    sg-c out all 0.0.0.0/0
    eni eni-c subnet-b 10.0.2.10 sg-c
    instance i-c eni-c
    group sg-l
    sg-l out all 0.0.0.0/0
";

/// [22] The name of an internet-facing load balancer resolves to public addresses inside as well: references to groups do
/// not match there, and the source is that of the NAT gateway.
#[test]
fn an_internet_facing_load_balancer_is_asked_by_its_public_address() {
    let base = [TWO_SUBNETS, WAY_OUT, "eni eni-l subnet-a 10.0.1.20=203.0.113.20 sg-l"].join("\n");
    let public = "balancer shop eni-l public tcp/443";
    let asked = |expected| [("i-c", "lb:shop", "tcp/443", expected)];
    check(&[&base, public, "sg-l in tcp/443 sg-c"], &asked(NO));
    check(&[&base, public, "sg-l in tcp/443 203.0.113.200/32"], &asked(YES));
    check(&[&base, public, "sg-l in tcp/443 203.0.113.200/32"], &[("i-c", "lb:shop", "tcp/80", NO)]);
    check(&[&base, public, "sg-l in tcp/443 0.0.0.0/0"], &[("internet", "lb:shop", "tcp/443", YES)]);
    // An internal one is asked by its private address.
    check(&[&base, "balancer shop eni-l tcp/443", "sg-l in tcp/443 sg-c"], &asked(YES));
    check(&[&base, "balancer shop eni-l tcp/443", "sg-l in tcp/443 203.0.113.200/32"], &asked(NO));
}

/// [22] Where the public address was not recorded, what depends on it is unknown, and nothing else.
#[test]
fn a_public_address_that_was_not_recorded() {
    let base =
        [TWO_SUBNETS, WAY_OUT, "eni eni-l subnet-a 10.0.1.20 sg-l", "balancer shop eni-l public tcp/443"]
            .join("\n");
    let asked = |expected| [("i-c", "lb:shop", "tcp/443", expected)];
    check(&[&base, "sg-l in tcp/443 0.0.0.0/0"], &asked(YES));
    check(&[&base, "sg-l in tcp/443 sg-c"], &asked(NO));
    check(
        &[&base, "sg-l in tcp/443 0.0.0.0/0", "rtb-b 198.51.100.0/24 igw-9 blackhole"],
        &asked(Verdict::Unknown),
    );
}

/// [22] The name of a public database resolves to its private address in its own VPC, and to its public one elsewhere.
#[test]
fn a_public_database_is_asked_by_its_public_address_from_elsewhere() {
    let base = "
        eni eni-d subnet-a 10.0.1.30=203.0.113.30 sg-d
        rds orders eni-d public
        group sg-d
        sg-d out all 0.0.0.0/0
        vpc vpc-2 10.2.0.0/16
        subnet subnet-z vpc-2 a 10.2.1.0/24
        eni eni-z subnet-z 10.2.1.10=203.0.113.40 sg-c
        igw igw-2 vpc-2
        pcx pcx-1 vpc-1 vpc-2
        table rtb-z vpc-2 main
        rtb-z 0.0.0.0/0 igw-2
        rtb-z 10.0.0.0/16 pcx-1
        rtb-a 10.2.0.0/16 pcx-1
    ";
    let base = [TWO_SUBNETS, WAY_OUT, base].join("\n");
    let asked = |inside, outside| {
        [("i-c", "rds:orders", "tcp/5432", inside), ("eni-z", "rds:orders", "tcp/5432", outside)]
    };
    check(&[&base, "sg-d in tcp/5432 10.0.0.0/8"], &asked(YES, NO));
    check(&[&base, "sg-d in tcp/5432 203.0.113.40/32"], &asked(NO, YES));
    check(&[&base, "sg-d in tcp/5432 10.2.0.0/16"], &[("eni-z", "10.0.1.30", "tcp/5432", YES)]);
}

/// A name in DNS as configurations have it.
#[test]
fn a_name_in_dns_with_a_port_a_dot_and_capitals() {
    let base = [
        TWO_SUBNETS,
        OPEN,
        "eni eni-c subnet-a 10.0.1.10 sg-open",
        "eni eni-d subnet-b 10.0.2.10 sg-open",
        "rds orders eni-d",
    ];
    for name in [
        "orders.eu-west-1.rds.amazonaws.com",
        "orders.eu-west-1.rds.amazonaws.com.",
        "orders.eu-west-1.rds.amazonaws.com:5432",
        "ORDERS.EU-WEST-1.rds.amazonaws.com.:5432",
        "rds:orders.eu-west-1.rds.amazonaws.com:5432",
    ] {
        check(&base, &[("eni-c", name, "tcp/5432", YES)]);
    }
    let balancer = "balancer shop eni-d tcp/443";
    let name = "dualstack.shop-1.elb.eu-west-1.amazonaws.com";
    check(&[&base.join("\n"), balancer], &[("eni-c", name, "tcp/443", YES)]);
    let inventory = account(&base.join("\n"));
    for name in ["orders.eu-west-1.rds.amazonaws.com:port", "xorders.eu-west-1.rds.amazonaws.com"] {
        assert!(Selector::find(name, &inventory).is_err(), "{name}");
    }
}

/// The endpoints of a cluster lead to the writer, to the others, or to some of them.
#[test]
fn the_endpoints_of_a_database_cluster() {
    let base = "
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-w subnet-b 10.0.2.10 sg-open
        eni eni-r subnet-b 10.0.2.11 sg-r
        group sg-r
        rds aur-1 eni-w
        rds aur-2 eni-r
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let names = ["aur.cluster", "aur.cluster-ro", "aur.cluster-custom"]
        .map(|name| format!("{name}.eu-west-1.amazonaws.com"));
    let [writer, reader, custom] = names.each_ref().map(String::as_str);
    let asked = |by_writer, by_reader, by_custom| {
        [
            ("eni-c", writer, "tcp/5432", by_writer),
            ("eni-c", reader, "tcp/5432", by_reader),
            ("eni-c", custom, "tcp/5432", by_custom),
            ("eni-c", "aur", "tcp/5432", PARTLY),
        ]
    };
    check(&[&base, "cluster aur aur-1 aur-2 writer=aur-1"], &asked(YES, NO, PARTLY));
    check(&[&base, "cluster aur aur-1 aur-2 writer=aur-2"], &asked(NO, YES, PARTLY));
    // Which one writes is not known.
    check(&[&base, "cluster aur aur-1 aur-2"], &asked(PARTLY, PARTLY, PARTLY));
    // A reader endpoint without a reader leads to the writer.
    check(&[&base, "cluster aur aur-1 writer=aur-1"], &[("eni-c", reader, "tcp/5432", YES)]);
    let answer = ask(&[&base, "cluster aur aur-1 aur-2 writer=aur-1"], "eni-c", custom, "tcp/5432");
    assert_eq!(
        answer.notes,
        ["it was not recorded which instances of aur are members of the custom endpoint: all are asked"]
    );
}

/// A custom endpoint leads to the members that were named, or to all but those that were excluded; one for readers never
/// to the instance that writes.
#[test]
fn the_members_of_a_custom_endpoint() {
    let base = "
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-w subnet-b 10.0.2.10 sg-open
        eni eni-r subnet-b 10.0.2.11 sg-r
        eni eni-s subnet-b 10.0.2.12 sg-open
        group sg-r
        rds aur-1 eni-w
        rds aur-2 eni-r
        rds aur-3 eni-s
        cluster aur aur-1 aur-2 aur-3 writer=aur-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    for (members, expected) in [
        ("only aur-1 aur-3", YES),
        ("only aur-2", NO),
        ("only aur-1 aur-2", PARTLY),
        ("but aur-2", YES),
        ("but aur-1 aur-3", NO),
        ("but", PARTLY),
        ("only aur-1 aur-2 reader", NO),
        ("but aur-2 reader", YES),
        ("but aur-3 reader", NO),
        ("only aur-1 reader", NO),
    ] {
        let endpoint = format!("custom reports aur {members}");
        let names = ["reports", "cluster:reports", "reports.cluster-custom.eu-west-1.amazonaws.com"];
        for name in names {
            let answer = ask(&[&base, &endpoint], "eni-c", name, "tcp/5432");
            assert_eq!(answer.verdict, expected, "{endpoint}, by {name}: {answer:#?}");
            assert!(answer.notes.iter().all(|note| !note.contains("not recorded")), "{:?}", answer.notes);
        }
    }
    let arn = "arn:aws:rds:eu-west-1:111111111111:cluster-endpoint:reports";
    let answer = ask(&[&base, "custom reports aur only aur-3"], "eni-c", arn, "tcp/5432");
    assert_eq!(answer.verdict, YES, "{answer:#?}");
}

/// A replication group is its nodes; its endpoints lead to the primary, to the replicas or to all.
#[test]
fn the_endpoints_of_a_replication_group() {
    let base = "
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-1 subnet-b 10.0.2.10 sg-open
        eni eni-2 subnet-b 10.0.2.11 sg-r
        group sg-r
        cache sess-1 eni-1 group=sess
        cache sess-2 eni-2 group=sess
        replicated sess sess-1 sess-2 primary=sess-1
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[
            ("eni-c", "sess", "tcp/6379", PARTLY),
            ("eni-c", "cache:sess", "tcp/6379", PARTLY),
            ("eni-c", "sess.primary.eu-west-1.amazonaws.com", "tcp/6379", YES),
            ("eni-c", "sess-ro.eu-west-1.amazonaws.com:6379", "tcp/6379", NO),
            ("eni-c", "sess.clustercfg.eu-west-1.amazonaws.com", "tcp/6379", PARTLY),
        ],
    );
}

/// What has subnets and groups and no interface that was seen is asked all the same.
#[test]
fn serverless_caches_and_further_endpoints_of_proxies() {
    let base = "
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-e subnet-a 10.0.1.11 sg-e
        group sg-s
        group sg-e
        sg-e out all 0.0.0.0/0
        sg-s in tcp/6379 10.0.1.10/32
        serverless carts subnet-b sg-s
        proxyendpoint px-ro subnet-b sg-s
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[
            ("eni-c", "carts", "tcp/6379", YES),
            ("eni-e", "carts", "tcp/6379", NO),
            ("eni-c", "carts-ro.serverless.eu-west-1.amazonaws.com", "tcp/6379", YES),
            ("eni-c", "px-ro", "tcp/6379", YES),
            ("eni-e", "proxy:px-ro", "tcp/6379", NO),
            ("eni-c", "px-ro.endpoint.eu-west-1.amazonaws.com:6379", "tcp/6379", YES),
        ],
    );
}

const FLEET: &str = "
    eni eni-1 subnet-a 10.0.1.11 sg-open
    eni eni-2 subnet-a 10.0.1.12 sg-open
    eni eni-3 subnet-b 10.0.2.13 sg-open
    instance i-1 eni-1 Name=web aws:autoscaling:groupName=web-asg
    instance i-2 eni-2 Name=web aws:autoscaling:groupName=web-asg
    instance i-3 eni-3 Name=web aws:autoscaling:groupName=web-asg
    eni eni-d subnet-b 10.0.2.20 sg-d
    group sg-d
    rds orders eni-d
";

/// [24] Several of one tag, of one Auto Scaling group or of one `Name` are asked together.
#[test]
fn several_of_one_name_are_asked_together() {
    let names =
        ["web", "tag:Name=web", "asg:web-asg", "tag:aws:autoscaling:groupName=web-asg", "instance:web"];
    for name in names {
        check(
            &[TWO_SUBNETS, OPEN, FLEET, "sg-d in tcp/5432 10.0.0.0/16"],
            &[(name, "orders", "tcp/5432", YES)],
        );
        check(
            &[TWO_SUBNETS, OPEN, FLEET, "sg-d in tcp/5432 10.0.1.0/24"],
            &[(name, "orders", "tcp/5432", PARTLY)],
        );
        check(
            &[TWO_SUBNETS, OPEN, FLEET, "sg-d in tcp/5432 10.0.9.0/24"],
            &[(name, "orders", "tcp/5432", NO)],
        );
    }
    let answer = ask(&[TWO_SUBNETS, OPEN, FLEET], "web", "orders", "tcp/5432");
    assert_eq!(answer.notes, ["web means 3 instances: i-1, i-2, i-3"]);
}

/// A function that is attached to no VPC reaches public addresses only, from one that is not known.
#[test]
fn a_function_outside_every_vpc() {
    let base = "
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 igw-1
        eni eni-d subnet-b 10.0.2.20 sg-d
        eni eni-p subnet-a 10.0.1.20=203.0.113.20 sg-d
        group sg-d
        sg-d out all 0.0.0.0/0
        rds orders eni-d
        function fn
        function inside subnet-a sg-open
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let all = "sg-d in tcp/5432 0.0.0.0/0";
    check(
        &[&base, all],
        &[
            ("fn", "orders", "tcp/5432", NO),
            ("fn", "eni-p", "tcp/5432", YES),
            ("fn", "10.0.1.20", "tcp/5432", NO),
            ("fn", "203.0.113.20", "tcp/5432", YES),
            ("fn", "internet", "tcp/443", YES),
            ("fn", "internet", "icmp/8/0", NO),
            ("fn", "192.168.0.1", "tcp/443", NO),
            ("eni-p", "fn", "tcp/443", NO),
            ("inside", "orders", "tcp/5432", YES),
        ],
    );
    check(&[&base, "sg-d in tcp/5432 198.51.100.0/24"], &[("fn", "eni-p", "tcp/5432", Verdict::Unknown)]);
    check(&[&base, "sg-d in tcp/5432 10.0.0.0/8"], &[("fn", "eni-p", "tcp/5432", NO)]);
    let answer = ask(&[&base, all], "fn", "orders", "tcp/5432");
    let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
    assert_eq!(
        blocker.why,
        "function fn is not attached to a VPC, so it has no private address and cannot reach one"
    );
    assert_eq!(blocker.fix.to_string(), "attach it to subnets and security groups of the VPC");
}

/// A service whose tasks use the interfaces of their instances is known, and what it can reach is not.
#[test]
fn a_service_without_interfaces_of_its_own() {
    let base = "
        eni eni-d subnet-b 10.0.2.20 sg-open
        rds orders eni-d
        bridged api prod
    ";
    let lines = [TWO_SUBNETS, OPEN, base];
    check(
        &lines,
        &[
            ("api", "orders", "tcp/5432", Verdict::Unknown),
            ("eni-d", "service:prod/api", "tcp/80", Verdict::Unknown),
        ],
    );
    let answer = ask(&lines, "api", "orders", "tcp/5432");
    let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
    assert_eq!(
        blocker.why,
        "ECS service api is not in network mode awsvpc, so its tasks use the interfaces of their container instances"
    );
}

/// [28] What does not answer in its state is asked as if it did, and a note says so.
#[test]
fn states_in_which_nothing_answers() {
    let base = "
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-s subnet-a 10.0.1.11 sg-open
        eni eni-d subnet-b 10.0.2.20 sg-open
        instance i-c eni-c
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let notes = |line: &str, to: &str| {
        let answer = ask(&[&base, line], "i-c", to, "tcp/22");
        assert_eq!(answer.verdict, YES, "{answer:#?}");
        answer.notes
    };
    let stopped = "instance i-s eni-s Name=srv state=stopped";
    let told = ["instance i-s (srv) is stopped; nothing answers there"];
    for to in ["srv", "eni-s", "10.0.1.11"] {
        assert_eq!(notes(stopped, to), told, "{to}");
    }
    assert_eq!(notes("instance i-s eni-s Name=srv", "srv"), [""; 0]);
    assert_eq!(notes("cache sess eni-d pending", "sess"), [""; 0]);
    let creating = account(&[&base, "rds orders eni-d"].join("\n"));
    for (status, silent) in [
        ("stopped", true),
        ("failed", true),
        ("incompatible-network", true),
        ("backing-up", false),
        ("available", false),
    ] {
        let mut inventory = creating.clone();
        for database in inventory.databases.values_mut() {
            database.status = status.into();
        }
        let real = Reachability::of(inventory);
        let end = |text| Selector::find(text, real.inventory()).expect("it is there");
        let answer =
            real.ask(&end("i-c"), &end("orders"), Some(&"tcp/5432".parse::<Flow>().expect("a flow").into()));
        let note = format!("database orders is {status}; nothing answers there");
        assert_eq!(answer.notes.contains(&note), silent, "{:?}", answer.notes);
    }
}
