//! What was not seen makes doubtful what it could decide, and nothing else.

use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Reachability, Selector, Verdict};

use super::{NO, OPEN, YES};
use crate::written::account;

fn ask(lines: &[&str], from: &str, to: &str, flow: &str) -> Answer {
    let real = Reachability::of(account(&lines.join("\n")));
    let end = |text| Selector::find(text, real.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"));
    real.ask(&end(from), &end(to), Some(&flow.parse::<Flow>().expect("a flow").into()))
}

const PAIR: &str = "
    vpc vpc-1 10.0.0.0/16
    subnet subnet-a vpc-1 a 10.0.1.0/24
    group sg-c
    eni eni-c subnet-a 10.0.1.10 sg-c
    eni eni-s subnet-a 10.0.1.20 sg-open
    list pl-b unseen
";

/// [8] A rule allows its own protocol and ports only, whatever the entries of its list are.
#[test]
fn a_list_of_unseen_entries_makes_doubtful_what_its_rule_is_about() {
    let lines = [OPEN, PAIR, "sg-c out tcp/443 pl-b", "sg-c out udp/53 10.0.1.0/24"];
    for (flow, expected) in [
        ("tcp/443", Verdict::Unknown),
        ("tcp/442", NO),
        ("tcp/5432", NO),
        ("udp/443", NO),
        ("icmp/8/0", NO),
        ("udp/53", YES),
    ] {
        let answer = ask(&lines, "eni-c", "eni-s", flow);
        assert_eq!(answer.verdict, expected, "{flow}: {answer:#?}");
        assert_eq!(answer.gaps.is_empty(), expected != Verdict::Unknown, "{flow}: {:?}", answer.gaps);
    }
    // The other direction is not in doubt.
    let inward = [OPEN, PAIR, "sg-c out tcp/443 pl-b"];
    assert_eq!(ask(&inward, "eni-s", "eni-c", "tcp/443").verdict, NO);
}

/// The answer names the list whose entries are lacking, and the rule that has it.
#[test]
fn the_answer_names_the_list() {
    let answer = ask(&[OPEN, PAIR, "sg-c out tcp/443 pl-b"], "eni-c", "eni-s", "tcp/443");
    let hops: Vec<&str> = answer.hops.iter().map(|hop| hop.because.as_str()).collect();
    assert!(
        hops.contains(&"the entries of pl-b were not seen: sg-c has the rule tcp/443 to pl-b"),
        "{hops:?}"
    );
    let gaps: Vec<&str> = answer.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert_eq!(gaps, ["nothing was recorded of the entries of pl-b"]);
}

/// A rule by address that allows it settles the question.
#[test]
fn what_another_rule_allows_is_not_in_doubt() {
    let lines = [OPEN, PAIR, "sg-c out tcp/443 pl-b", "sg-c out tcp/443 10.0.1.20/32"];
    let answer = ask(&lines, "eni-c", "eni-s", "tcp/443");
    assert_eq!(answer.verdict, YES, "{answer:#?}");
    assert!(answer.gaps.is_empty());
}
