//! Names that are unique only within an account, a Region or a cluster: rule 23 of `SEMANTICS.md`.

use doorward_core::reach::{NotFound, Reachability, Selector, Verdict};

use super::{NO, OPEN, YES, naive};
use crate::written::account;

/// What is typed, and the interface that it stands for.
type Named<'a> = (&'a str, &'a str);

/// Asks by names, and the naive engine by the interfaces that they stand for.
fn check(lines: &[&str], questions: &[(Named<'_>, Named<'_>, Verdict)]) {
    let inventory = account(&lines.join("\n"));
    let real = Reachability::of(inventory.clone());
    for &((from, sender), (to, receiver), expected) in questions {
        let flow = "tcp/5432";
        assert_eq!(naive(&inventory, sender, receiver, flow), expected, "{sender} -> {receiver}");
        let end = |text| Selector::find(text, &inventory).unwrap_or_else(|error| panic!("{text}: {error}"));
        let asked = flow.parse::<doorward_core::net::Flow>().expect("a flow").into();
        let answer = real.ask(&end(from), &end(to), Some(&asked));
        assert_eq!(answer.verdict, expected, "{from} -> {to}: {:#?}", answer.blockers);
    }
}

/// The name of several, and what each of them is called in the error.
fn several(lines: &[&str], name: &str, expected: &[&str]) {
    let inventory = account(&lines.join("\n"));
    let error = Selector::find(name, &inventory).expect_err("several");
    let NotFound::Several { found, .. } = &error else { panic!("{error}") };
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    for one in found {
        let found = Selector::find(&one.typed, &inventory);
        assert!(matches!(found, Ok(Selector::Resource(_))), "{}: {found:?}", one.typed);
    }
}

const TWO_REGIONS: &[&str] = &[
    OPEN,
    "vpc vpc-1 10.1.0.0/16 in eu-west-1",
    "subnet subnet-1 vpc-1 a 10.1.1.0/24",
    "vpc vpc-2 10.2.0.0/16 in us-east-1",
    "subnet subnet-2 vpc-2 a 10.2.1.0/24",
    "group sg-opendb",
    "sg-opendb in tcp/5432 0.0.0.0/0",
    "group sg-closed",
    "eni eni-c1 subnet-1 10.1.1.5 sg-open",
    "eni eni-c2 subnet-2 10.2.1.5 sg-open",
    "eni eni-d1 subnet-1 10.1.1.9 sg-opendb",
    "eni eni-d2 subnet-2 10.2.1.9 sg-closed",
    "rds orders eni-d1",
    "rds orders eni-d2",
    "group sg-other",
    "eni eni-d3 subnet-1 10.1.1.10 sg-other",
    "rds billing eni-d3",
];

/// [23] Two databases of one name in two Regions are two: each ARN, each DNS name and each scoped name means one.
#[test]
fn an_arn_is_exactly_one_database() {
    let questions: Vec<_> = [("eu-west-1", "eni-c1", "eni-d1", YES), ("us-east-1", "eni-c2", "eni-d2", NO)]
        .into_iter()
        .flat_map(|(region, client, database, expected)| {
            [
                format!("arn:aws:rds:{region}:111111111111:db:orders"),
                format!("orders.{region}.rds.amazonaws.com"),
                format!("rds:{region}/orders"),
            ]
            .map(|name| (client, name, database, expected))
        })
        .collect();
    let questions: Vec<_> = questions
        .iter()
        .map(|(client, name, database, expected)| ((*client, *client), (name.as_str(), *database), *expected))
        .collect();
    check(TWO_REGIONS, &questions);
}

/// [23] A bare name of several is an error that lists them.
#[test]
fn a_bare_name_of_several_lists_them() {
    let expected =
        ["rds:eu-west-1/orders (database in eu-west-1)", "rds:us-east-1/orders (database in us-east-1)"];
    several(TWO_REGIONS, "orders", &expected);
    several(TWO_REGIONS, "rds:orders", &expected);
    let inventory = account(&TWO_REGIONS.join("\n"));
    assert!(Selector::find("billing", &inventory).is_ok());
    assert!(matches!(Selector::find("rds:sa-east-1/orders", &inventory), Err(NotFound::Nothing { .. })));
}

/// [23] The name of a service is unique within its cluster.
#[test]
fn services_of_two_clusters_are_two() {
    let lines = [
        OPEN,
        "vpc vpc-1 10.1.0.0/16",
        "subnet subnet-1 vpc-1 a 10.1.1.0/24",
        "group sg-prod",
        "sg-prod out all 0.0.0.0/0",
        "group sg-staging",
        "sg-staging out all 0.0.0.0/0",
        "group sg-db",
        "sg-db in tcp/5432 sg-prod",
        "eni eni-p subnet-1 10.1.1.5 sg-prod",
        "eni eni-s subnet-1 10.1.1.6 sg-staging",
        "eni eni-d subnet-1 10.1.1.9 sg-db",
        "service api prod eni-p",
        "service api staging eni-s",
        "rds orders eni-d",
    ];
    let arn = |cluster: &str| format!("arn:aws:ecs:eu-west-1:111111111111:service/{cluster}/api");
    check(
        &lines,
        &[
            ((&arn("prod"), "eni-p"), ("orders", "eni-d"), YES),
            ((&arn("staging"), "eni-s"), ("orders", "eni-d"), NO),
            (("service:prod/api", "eni-p"), ("rds:orders", "eni-d"), YES),
            (("service:staging/api", "eni-s"), ("rds:orders", "eni-d"), NO),
        ],
    );
    several(
        &lines,
        "api",
        &[
            "service:prod/api (ECS service in cluster prod in eu-west-1)",
            "service:staging/api (ECS service in cluster staging in eu-west-1)",
        ],
    );
}
