//! Findings as SARIF 2.1.0, which code hosts and dashboards read.
//!
//! Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.

use std::collections::BTreeMap;

use doorward_core::inspect::{Finding, Rule, Severity, Subject};
use doorward_core::inventory::Gap;
use serde::Serialize;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A file of SARIF: one run.
#[derive(Debug, Serialize)]
pub(super) struct Log<'f> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'f>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'f> {
    tool: Tool,
    invocations: [Invocation; 1],
    results: Vec<Outcome<'f>>,
    column_kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Described>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    id: &'static str,
    name: String,
    short_description: Message,
    full_description: Message,
    help: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

/// Whether all could be seen: what could not is a notification of the run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

/// A `result` of SARIF.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'f> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    properties: Properties<'f>,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    logical_locations: [LogicalLocation; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

/// What SARIF has no word for.
#[derive(Debug, Serialize)]
struct Properties<'f> {
    severity: Severity,
    evidence: &'f [String],
    fix: &'f str,
    commands: &'f [String],
    gaps: Vec<String>,
}

/// The run that found these.
pub(super) fn log<'f>(findings: &'f [Finding], gaps: &[Gap]) -> Log<'f> {
    let notifications =
        gaps.iter().map(|gap| Notification { level: "warning", message: message(gap.to_string()) });
    Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "doorward",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: Rule::ALL.iter().copied().map(described).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: notifications.collect(),
            }],
            results: findings.iter().map(outcome).collect(),
            column_kind: "unicodeCodePoints",
        }],
    }
}

/// A plain text message in which no tag of the account makes a link. Viewers read `[text](URL)` as one unless its brackets are
/// escaped, and backslashes with them (section 3.11.6); elsewhere both may stand as they are, so that commands can be copied.
fn message(text: impl Into<String>) -> Message {
    let text = text.into();
    if !text.contains("](") {
        return Message { text };
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if matches!(letter, '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    Message { text: escaped }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Note => "note",
    }
}

fn described(rule: Rule) -> Described {
    Described {
        id: rule.id(),
        // SARIF wants an identifier in Pascal case.
        name: rule.id().split('-').map(capitalised).collect(),
        short_description: message(rule.title()),
        full_description: message(rule.help()),
        help: message(rule.help()),
        default_configuration: Configuration { level: level(rule.severity()) },
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn outcome(finding: &Finding) -> Outcome<'_> {
    let mut text = format!("{}.", finding.about);
    for line in &finding.evidence {
        text.push_str(&format!("\n- {line}"));
    }
    text.push_str(&format!("\nFix: {}.", finding.fix));
    for command in &finding.remedy.commands {
        text.push_str(&format!("\n$ {command}"));
    }
    Outcome {
        rule_id: finding.rule.id(),
        rule_index: Rule::ALL.iter().position(|rule| *rule == finding.rule).unwrap_or_default(),
        level: level(finding.severity),
        message: message(text),
        locations: [Location { logical_locations: [location(&finding.resource)] }],
        partial_fingerprints: BTreeMap::from([("doorwardFinding/v1", finding.fingerprint())]),
        properties: Properties {
            severity: finding.severity,
            evidence: &finding.evidence,
            fix: &finding.fix,
            commands: &finding.remedy.commands,
            gaps: finding.gaps.iter().map(ToString::to_string).collect(),
        },
    }
}

/// `account/region/kind/id`, as far as they are known.
fn location(subject: &Subject) -> LogicalLocation {
    let account = subject.account_region.account.as_ref().map(ToString::to_string);
    let parts = [
        account,
        subject.account_region.region.clone(),
        Some(subject.kind.to_owned()),
        Some(subject.id.clone()),
    ];
    LogicalLocation {
        name: subject.id.clone(),
        fully_qualified_name: parts.into_iter().flatten().collect::<Vec<_>>().join("/"),
        kind: "resource",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_core::inspect::Remedy;
    use doorward_core::inventory::{AccountRegion, Call};
    use serde_json::Value;

    fn finding(severity: Severity) -> Finding {
        Finding {
            rule: Rule::StaleReference,
            severity,
            resource: Subject {
                id: "sg-0a".into(),
                kind: "security group",
                name: Some("db".into()),
                account_region: AccountRegion {
                    profile: None,
                    region: Some("eu-west-1".into()),
                    account: None,
                },
            },
            of: Some("sg-0b".into()),
            about: "a rule of sg-0a (db) refers to sg-0b and matches nothing".into(),
            evidence: vec!["rule: tcp/5432 from sg-0b".into()],
            fix: "remove the rules that reference it".into(),
            remedy: Remedy {
                changes: Vec::new(),
                commands: vec!["aws ec2 revoke-security-group-ingress --group-id sg-0a".into()],
            },
            gaps: Vec::new(),
        }
    }

    fn value(findings: &[Finding]) -> Value {
        serde_json::to_value(log(findings, &[])).expect("JSON")
    }

    fn text<'v>(value: &'v Value, path: &str) -> &'v str {
        value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {path}: {value:#}"))
    }

    /// What section 3 of the specification requires of each object that is written here.
    #[test]
    fn what_the_specification_requires_is_there() {
        let findings = Severity::ALL.map(finding);
        let log = value(&findings);
        assert_eq!(text(&log, "/version"), "2.1.0");
        assert!(text(&log, "/$schema").ends_with("sarif-schema-2.1.0.json"));
        assert_eq!(text(&log, "/runs/0/tool/driver/name"), "doorward");
        assert_eq!(log.pointer("/runs/0/invocations/0/executionSuccessful"), Some(&Value::Bool(true)));
        let rules = log.pointer("/runs/0/tool/driver/rules").and_then(Value::as_array).expect("rules");
        assert_eq!(rules.len(), Rule::ALL.len());
        for rule in rules {
            assert!(text(rule, "/name").bytes().all(|byte| byte.is_ascii_alphanumeric()));
            for path in ["/id", "/shortDescription/text", "/fullDescription/text", "/help/text"] {
                assert!(!text(rule, path).is_empty());
            }
            let level = text(rule, "/defaultConfiguration/level");
            assert!(["error", "warning", "note"].contains(&level), "{level}");
        }
        let results = log.pointer("/runs/0/results").and_then(Value::as_array).expect("results");
        let levels: Vec<&str> = results.iter().map(|result| text(result, "/level")).collect();
        assert_eq!(levels, ["error", "warning", "note", "note"]);
        for result in results {
            let index = result.pointer("/ruleIndex").and_then(Value::as_u64).expect("an index");
            let rule = &rules[usize::try_from(index).expect("small")];
            assert_eq!(text(result, "/ruleId"), text(rule, "/id"));
            assert!(text(result, "/message/text").contains("matches nothing"));
            let location = "/locations/0/logicalLocations/0";
            assert_eq!(text(result, &format!("{location}/name")), "sg-0a");
            let full = text(result, &format!("{location}/fullyQualifiedName"));
            assert_eq!(full, "eu-west-1/security group/sg-0a");
            let print = text(result, "/partialFingerprints/doorwardFinding~1v1");
            assert_eq!(print.len(), 64);
        }
    }

    #[test]
    fn a_fingerprint_says_which_finding_and_not_how_it_stands() {
        let print = |finding: Finding| {
            text(&value(&[finding]), "/runs/0/results/0/partialFingerprints/doorwardFinding~1v1").to_owned()
        };
        let one = finding(Severity::Low);
        let later = Finding { evidence: Vec::new(), about: "otherwise".into(), ..finding(Severity::Note) };
        assert_eq!(print(one.clone()), print(later));
        assert_ne!(print(one.clone()), print(Finding { of: Some("sg-0c".into()), ..one }));
    }

    #[test]
    fn a_tag_makes_no_link() {
        for (name, expected) in [
            ("[click me](https://evil.example)", r"\[click me\](https://evil.example)"),
            (r"[a\](https://evil.example)", r"\[a\\\](https://evil.example)"),
            ("list[0]", "list[0]"),
        ] {
            let about = format!("{name} matches nothing");
            let log =
                value(&[Finding { about: about.clone(), evidence: vec![about], ..finding(Severity::Low) }]);
            let found = text(&log, "/runs/0/results/0/message/text");
            assert_eq!(found.matches(&format!("{expected} matches nothing")).count(), 2, "{found}");
        }
        let gap = Gap::of(Call::Vpcs, &AccountRegion::default(), "[click me](https://evil.example)");
        let log = serde_json::to_value(log(&[], &[gap])).expect("JSON");
        let told = text(&log, "/runs/0/invocations/0/toolExecutionNotifications/0/message/text");
        assert!(told.ends_with(r"\[click me\](https://evil.example)"), "{told}");
    }

    #[test]
    fn nothing_found_is_a_run_without_results_and_gaps_are_its_notifications() {
        let gap = Gap::of(Call::Vpcs, &AccountRegion::default(), "denied");
        let log = serde_json::to_value(log(&[], &[gap])).expect("JSON");
        assert_eq!(log.pointer("/runs/0/results"), Some(&Value::Array(Vec::new())));
        let told = text(&log, "/runs/0/invocations/0/toolExecutionNotifications/0/message/text");
        assert_eq!(told, "ec2:DescribeVpcs in the default Region gave no answer: denied");
    }
}
