//! Intents that are right, and what is wrong with others.

use super::*;
use crate::policy::Intent;

const ROLES: &str = "[aws]\nregion = \"eu-west-1\"\n[network.main]\n[role.db]\n[role.web]\n";

/// The intents of a text that begins on line 9, and the mistakes.
fn declared(text: &str) -> (Vec<Intent>, Vec<String>) {
    let reading = read(&format!("{PEOPLE}{ROLES}{text}"), "p");
    let told = reading.mistakes.iter().map(ToString::to_string).collect();
    (reading.policy.map(|policy| policy.intents).unwrap_or_default(), told)
}

#[test]
fn intents_are_in_the_order_of_the_file() {
    let (intents, mistakes) = declared(
        "[[never]]\nfrom = \"internet\"\nto = \"role:db\"\nreason = \"databases are private\"\n\
         [[always]]\nfrom = \"role:web\"\nto = \"role:db\"\nports = [\"tcp/5432\", \"icmp\"]\n\
         [[never]]\nfrom = \"10.0.0.0/8\"\nto = \"rds:orders-prod\"\nports = [\"all\"]\n",
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let told: Vec<String> = intents.iter().map(|it| format!("{}: {it}", it.at.line)).collect();
    assert_eq!(
        told,
        [
            "9: never from internet to role:db",
            "13: always tcp/5432, icmp from role:web to role:db",
            "17: never all from 10.0.0.0/8 to rds:orders-prod",
        ]
    );
    assert_eq!(intents[0].reason.as_deref(), Some("databases are private"));
}

#[test]
fn an_intent_that_says_nothing_is_an_error() {
    let check = |text: &str, expected: &[&str]| assert_eq!(declared(text).1, expected, "{text}");
    check(
        "[[never]]\nfrom = \"internet\"\nto = \"role:dbs\"\n",
        &["p:11:6: there is no `[role.dbs]`\n  hint: did you mean `role:db`?"],
    );
    check(
        "[[never]]\nfrom = \"internet\"\n",
        &["p:9:1: `[[never]]` needs `to`\n  hint: add `to = \"role:db\"`"],
    );
    check(
        "[[always]]\nfrom = \"internet\"\nto = \"role:db\"\n",
        &["p:9:1: `[[always]]` needs `ports`\n  hint: add `ports = [\"tcp/5432\"]`"],
    );
    check(
        "[[never]]\nfrom = \"internet\"\nto = \"role:db\"\nports = []\n",
        &[
            "p:12:9: `ports` is empty, so this `[[never]]` says nothing\n  hint: write `ports = [\"tcp/5432\"]`",
        ],
    );
    check(
        "[[never]]\nfrom = \"10.0.0.1/8\"\nto = \"role:db\"\nport = 1\n",
        &[
            "p:10:8: `10.0.0.1/8` has host bits set; did you mean `10.0.0.0/8`?",
            "p:12:1: `[[never]]` has no key `port`\n  hint: did you mean `ports`?",
        ],
    );
    check(
        "[never]\nfrom = \"internet\"\n",
        &["p:9:2: `[never]` is a single table, and a policy may have several\n  hint: write `[[never]]`"],
    );
    check("[[nevr]]\n", &["p:9:3: a policy has no `[nevr]`\n  hint: did you mean `[[never]]`?"]);
}

#[test]
fn a_file_with_prices_is_named() {
    let reading = read(&format!("{PEOPLE}[prices]\nfile = \"prices.toml\"\n"), "p");
    assert_eq!(reading.policy.and_then(|policy| policy.prices).as_deref(), Some("prices.toml"));
    let (_, mistakes) = declared("[prices]\n");
    assert_eq!(mistakes, ["p:9:2: `[prices]` needs `file`\n  hint: add `file = \"prices.toml\"`"]);
}
