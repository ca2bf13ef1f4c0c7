//! Findings as people read them: by severity, the sentence first, then what shows it and what mends it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use doorward_core::inspect::{Finding, Rule, Severity};
use doorward_core::inventory::Gap;

use super::{LookedAt, Report};
use crate::command::count;

/// How wide a line of text is at most; commands are never broken, so that they can be copied.
const WIDTH: usize = 100;

pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    for severity in Severity::ALL {
        let own: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.severity == severity).collect();
        if own.is_empty() {
            continue;
        }
        text.push_str(&format!("{}: {}\n\n", heading(severity), count(own.len(), "finding", "findings")));
        for finding in own {
            text.push_str(&one(finding));
            text.push('\n');
        }
    }
    if report.findings.is_empty() {
        text.push_str("no findings\n");
    }
    text.push_str(&wrapped("checked ", "  ", &checked(report.looked_at)));
    text.push_str(&gaps(&report.gaps));
    for (title, lines) in [("not read", &report.notes), ("assumed", &report.assumed)] {
        let lines: String = lines.iter().map(|line| wrapped("  - ", "    ", line)).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}:\n{lines}"));
        }
    }
    text
}

fn heading(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Note => "NOTE",
    }
}

fn one(finding: &Finding) -> String {
    let mut text = wrapped("  ", "    ", &finding.about);
    text.push_str(&format!(
        "    {} · {} · {}\n",
        finding.rule, finding.resource, finding.resource.account_region
    ));
    for line in &finding.evidence {
        text.push_str(&wrapped("    - ", "      ", line));
    }
    for line in calls(&finding.gaps) {
        text.push_str(&wrapped("    ? ", "      ", &line));
    }
    text.push_str(&wrapped("    fix: ", "      ", &finding.fix));
    for command in &finding.remedy.commands {
        text.push_str(&format!("    $ {command}\n"));
    }
    text
}

fn checked(at: LookedAt) -> String {
    let rules = count(at.rules, "rule", "rules");
    let parts = [
        count(at.vpcs, "VPC", "VPCs"),
        count(at.subnets, "subnet", "subnets"),
        count(at.route_tables, "route table", "route tables"),
        count(at.network_acls, "network ACL", "network ACLs"),
        format!("{} with {rules}", count(at.security_groups, "security group", "security groups")),
        count(at.interfaces, "interface", "interfaces"),
        count(at.services, "service", "services"),
    ];
    parts.join(", ")
}

fn gaps(gaps: &[Gap]) -> String {
    let lines: String = calls(gaps).iter().map(|line| wrapped("  ? ", "    ", line)).collect();
    if lines.is_empty() { lines } else { format!("\nmissing from the inventory:\n{lines}") }
}

/// The calls that gave no answer: those that fared alike in a line.
fn calls(gaps: &[Gap]) -> Vec<String> {
    let mut alike: BTreeMap<(String, &str), Vec<Cow<'_, str>>> = BTreeMap::new();
    for gap in gaps {
        alike.entry((gap.account_region.to_string(), &gap.why)).or_default().push(gap.source.text());
    }
    let lines = alike
        .into_iter()
        .map(|((account_region, why), calls)| format!("{} in {account_region}: {why}", calls.join(", ")));
    lines.collect()
}

pub(super) fn rules(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        text.push_str(&format!("{rule} ({})\n", rule.severity()));
        text.push_str(&wrapped("  ", "  ", &format!("{}. {}", rule.title(), rule.help())));
    }
    text
}

/// A text in lines that are not too wide; a word is never broken.
fn wrapped(first: &str, others: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = others.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use doorward_core::inventory::GapSource;

    use super::*;
    use doorward_core::inspect::{Remedy, Subject};
    use doorward_core::inventory::AccountRegion;

    fn account_region() -> AccountRegion {
        AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None }
    }

    fn gap(call: &str, why: &str) -> Gap {
        Gap {
            source: GapSource::read(call),
            account_region: account_region(),
            groups: Vec::new(),
            why: why.into(),
        }
    }

    fn finding(rule: Rule, severity: Severity) -> Finding {
        Finding {
            rule,
            severity,
            resource: Subject {
                id: "sg-0a".into(),
                kind: "security group",
                name: Some("db".into()),
                account_region: account_region(),
            },
            of: None,
            about: "sg-0a (db) admits very many addresses to tcp/22 (SSH)".into(),
            evidence: vec!["tcp/22 from everyone on IPv4".into(), "rule: tcp/22 from 0.0.0.0/0".into()],
            fix: "admit the prefixes, or better the groups, that need it, and then remove these rules".into(),
            remedy: Remedy {
                changes: Vec::new(),
                commands: vec![format!(
                    "aws ec2 revoke-security-group-ingress {}",
                    "--long ".repeat(12).trim_end()
                )],
            },
            gaps: Vec::new(),
        }
    }

    const LOOKED_AT: LookedAt = LookedAt {
        vpcs: 1,
        subnets: 2,
        route_tables: 0,
        network_acls: 1,
        security_groups: 1,
        rules: 3,
        interfaces: 0,
        services: 1,
    };

    #[test]
    fn findings_are_read_from_the_worst_down() {
        let unsure = Finding {
            gaps: vec![gap("ec2:DescribeVpcs", "denied")],
            ..finding(Rule::UnusedGroup, Severity::Note)
        };
        let findings = vec![finding(Rule::WideRule, Severity::Medium), unsure];
        let text = report(&Report {
            findings,
            looked_at: LOOKED_AT,
            gaps: Vec::new(),
            notes: Vec::new(),
            assumed: Vec::new(),
        });
        assert_eq!(
            text,
            "\
MEDIUM: 1 finding

  sg-0a (db) admits very many addresses to tcp/22 (SSH)
    wide-rule · security group sg-0a (db) · eu-west-1
    - tcp/22 from everyone on IPv4
    - rule: tcp/22 from 0.0.0.0/0
    fix: admit the prefixes, or better the groups, that need it, and then remove these rules
    $ aws ec2 revoke-security-group-ingress --long --long --long --long --long --long --long --long --long --long --long --long

NOTE: 1 finding

  sg-0a (db) admits very many addresses to tcp/22 (SSH)
    unused-group · security group sg-0a (db) · eu-west-1
    - tcp/22 from everyone on IPv4
    - rule: tcp/22 from 0.0.0.0/0
    ? ec2:DescribeVpcs in eu-west-1: denied
    fix: admit the prefixes, or better the groups, that need it, and then remove these rules
    $ aws ec2 revoke-security-group-ingress --long --long --long --long --long --long --long --long --long --long --long --long

checked 1 VPC, 2 subnets, 0 route tables, 1 network ACL, 1 security group with 3 rules, 0
  interfaces, 1 service
"
        );
    }

    #[test]
    fn nothing_found_says_what_was_looked_at_and_what_was_not() {
        let gaps = vec![
            gap("ec2:DescribeVpcs", "denied"),
            gap("rds:DescribeDBInstances", "denied"),
            gap("x:Y", "silent"),
        ];
        let text = report(&Report {
            findings: Vec::new(),
            looked_at: LOOKED_AT,
            gaps,
            notes: Vec::new(),
            assumed: Vec::new(),
        });
        assert_eq!(
            text,
            "\
no findings
checked 1 VPC, 2 subnets, 0 route tables, 1 network ACL, 1 security group with 3 rules, 0
  interfaces, 1 service

missing from the inventory:
  ? ec2:DescribeVpcs, rds:DescribeDBInstances in eu-west-1: denied
  ? x:Y in eu-west-1: silent
"
        );
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let long = "word ".repeat(30);
        let text = wrapped("  - ", "    ", &long);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 30);
        assert_eq!(wrapped("  ", "    ", &"x".repeat(200)).lines().count(), 1);
    }
}
