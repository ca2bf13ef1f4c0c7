//! A policy, as far as a test needs it: actions and resources with wildcards and variables, and the conditions whose keys
//! the stand knows. A condition on any other key counts as met.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is known of a call, by the name of the key in lower case.
pub(crate) type Context = BTreeMap<String, String>;

/// Keys that a call without them has not, and that are compared all the same: a condition on one that is absent is not met
/// (IAM user guide, "Condition operators"). A tag is there or not, whichever it is.
const PLAYED: [&str; 5] = [
    "aws:currenttime",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "ssm:resourcetag/aws:ssmmessages:",
];

/// Whether a policy allows the action on every one of the resources.
pub(crate) fn allows(policy: &Value, action: &str, resources: &[String], context: &Context) -> bool {
    every(resources, |resource| {
        says(policy, "Allow", action, resource, context) && !says(policy, "Deny", action, resource, context)
    })
}

/// Whether a policy denies the action on one of the resources.
pub(crate) fn denies(policy: &Value, action: &str, resources: &[String], context: &Context) -> bool {
    !every(resources, |resource| !says(policy, "Deny", action, resource, context))
}

fn every(resources: &[String], is: impl Fn(&str) -> bool) -> bool {
    if resources.is_empty() { is("*") } else { resources.iter().all(|resource| is(resource)) }
}

fn says(policy: &Value, effect: &str, action: &str, resource: &str, context: &Context) -> bool {
    list(policy.get("Statement")).iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some(effect)
            && names(statement.get("Action"), &action.to_lowercase(), true, context)
            && names(statement.get("Resource"), resource, false, context)
            && meets(statement.get("Condition"), context)
    })
}

fn meets(conditions: Option<&Value>, context: &Context) -> bool {
    let operators = conditions.and_then(Value::as_object).into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
        })
        .all(|(operator, key, values)| met(operator, key, values, context))
}

fn met(operator: &str, key: &str, values: &Value, context: &Context) -> bool {
    let key = key.to_lowercase();
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let Some(is) = context.get(&key) else {
        let played =
            key.starts_with("aws:principaltag/") || PLAYED.iter().any(|known| key.starts_with(known));
        return if_exists || !played || operator.contains("Not");
    };
    let wanted = list(Some(values)).into_iter().filter_map(Value::as_str);
    let mut wanted = wanted.filter_map(|value| filled(value, context));
    match operator {
        "StringEquals" => wanted.any(|value| value == *is),
        "StringNotEquals" => wanted.all(|value| value != *is),
        "StringLike" => wanted.any(|value| matches(value.as_bytes(), is.as_bytes())),
        "StringNotLike" => wanted.all(|value| !matches(value.as_bytes(), is.as_bytes())),
        "DateLessThan" | "DateGreaterThan" => {
            let Ok(is) = is.parse::<jiff::Timestamp>() else { return false };
            let less = operator == "DateLessThan";
            wanted.any(|value| {
                value.parse::<jiff::Timestamp>().is_ok_and(|value| if less { is < value } else { is > value })
            })
        }
        // What the stand does not compare.
        _ => true,
    }
}

/// A text with its variables; none where the caller lacks one, which makes the statement void.
fn filled(text: &str, context: &Context) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(context.get(&name.to_lowercase())?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn names(patterns: Option<&Value>, text: &str, any_case: bool, context: &Context) -> bool {
    let patterns = list(patterns).into_iter().filter_map(Value::as_str);
    patterns.filter_map(|pattern| filled(pattern, context)).any(|pattern| {
        let pattern = if any_case { pattern.to_lowercase() } else { pattern };
        matches(pattern.as_bytes(), text.as_bytes())
    })
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => {
            (0..=text.len()).any(|skip| matches(rest, text.get(skip..).unwrap_or_default()))
        }
        Some((byte, rest)) => text
            .split_first()
            .is_some_and(|(first, after)| (*byte == b'?' || byte == first) && matches(rest, after)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_resource_must_be_allowed_and_none_denied() {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ssm:StartSession", "Resource": ["arn:aws:ec2:*:*:instance/i-1",
                                                                             "arn:aws:ssm:*:*:document/doorward-*"]},
            {"Effect": "Deny", "Action": ["ssm:*"], "Resource": "arn:aws:ssm:*:*:document/doorward-old"}]});
        let check = |action: &str, resources: &[&str], expected| {
            let resources: Vec<String> = resources.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(
                allows(&policy, action, &resources, &Context::new()),
                expected,
                "{action} {resources:?}"
            );
        };
        let instance = "arn:aws:ec2:eu-west-1:123456789012:instance/i-1";
        let document = "arn:aws:ssm:eu-west-1:123456789012:document/doorward-orders";
        check("ssm:StartSession", &[instance, document], true);
        check("SSM:startsession", &[instance], true);
        check("ssm:StartSession", &[instance, "arn:aws:ssm:eu-west-1::document/AWS-StartSSHSession"], false);
        check("ssm:StartSession", &["arn:aws:ec2:eu-west-1:123456789012:instance/i-12"], false);
        check("ssm:StartSession", &["arn:aws:ssm:eu-west-1:123456789012:document/doorward-old"], false);
        check("ssm:TerminateSession", &[instance], false);
        check("ssm:StartSession", &[], false);
        assert!(!allows(&json!({}), "ssm:StartSession", &[], &Context::new()));
    }

    fn context(pairs: &[(&str, &str)]) -> Context {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_variable_is_the_callers_and_a_name_that_goes_on_is_another() {
        let policy = json!({"Statement": [
            {"Effect": "Allow", "Action": "ssm:ResumeSession", "Resource": "arn:s:session/*",
             "Condition": {"StringEquals": {"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"}}},
            {"Effect": "Allow", "Action": "ssm:TerminateSession", "Resource": "arn:s:session/${aws:username}-*"}]});
        let check = |action: &str, session: &str, of: Option<&str>, expected| {
            let mut context = context(&[("aws:userid", "AROA:jon"), ("aws:username", "jon")]);
            let key = "ssm:resourcetag/aws:ssmmessages:session-id";
            context.extend(of.map(|of| (key.to_owned(), of.to_owned())));
            let resources = [format!("arn:s:session/{session}")];
            assert_eq!(allows(&policy, action, &resources, &context), expected, "{action} {session} {of:?}");
        };
        check("ssm:ResumeSession", "jon-0a1b", Some("AROA:jon"), true);
        check("ssm:ResumeSession", "jon-smith-0a1b", Some("AROA:jon-smith"), false);
        check("ssm:ResumeSession", "jon-0a1b", None, false);
        check("ssm:TerminateSession", "jon-0a1b", None, true);
        // AWS's own first method, which is why it is not ours.
        check("ssm:TerminateSession", "jon-smith-0a1b", None, true);
        assert!(!allows(
            &policy,
            "ssm:TerminateSession",
            &["arn:s:session/jon-0a1b".into()],
            &Context::new()
        ));
    }

    #[test]
    fn a_tag_and_a_time_deny() {
        let by_tag = json!({"Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"],
            "Condition": {"StringEquals": {"aws:PrincipalTag/doorward-grant": ["g-1", "g-2"]}}}]});
        let denied = |policy: &Value, pairs: &[(&str, &str)]| {
            denies(policy, "ssm:StartSession", &["arn:x".to_owned()], &context(pairs))
        };
        assert!(denied(&by_tag, &[("aws:principaltag/doorward-grant", "g-2")]));
        assert!(!denied(&by_tag, &[("aws:principaltag/doorward-grant", "g-3")]));
        assert!(!denied(&by_tag, &[]));
        let by_time = json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-11-22T10:00:00Z"}}}});
        assert!(denied(&by_time, &[("aws:tokenissuetime", "2026-11-22T09:59:59Z")]));
        assert!(!denied(&by_time, &[("aws:tokenissuetime", "2026-11-22T10:00:00Z")]));
        assert!(!denied(&by_time, &[]), "long-lived credentials have none");
    }
}
