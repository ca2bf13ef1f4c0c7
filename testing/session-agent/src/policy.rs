//! A session policy, as far as a test needs it: actions and resources with wildcards; conditions count as met.

use serde_json::Value;

/// Whether a policy allows the action on every one of the resources.
pub(crate) fn allows(policy: &Value, action: &str, resources: &[String]) -> bool {
    let statements = list(policy.get("Statement"));
    let any = [String::from("*")];
    let resources = if resources.is_empty() { any.as_slice() } else { resources };
    resources.iter().all(|resource| {
        let says = |effect: &str| {
            statements.iter().any(|statement| {
                statement.get("Effect").and_then(Value::as_str) == Some(effect)
                    && names(statement.get("Action"), &action.to_lowercase(), true)
                    && names(statement.get("Resource"), resource, false)
            })
        };
        says("Allow") && !says("Deny")
    })
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn names(patterns: Option<&Value>, text: &str, any_case: bool) -> bool {
    list(patterns).into_iter().filter_map(Value::as_str).any(|pattern| {
        let pattern = if any_case { pattern.to_lowercase() } else { pattern.to_owned() };
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
            assert_eq!(allows(&policy, action, &resources), expected, "{action} {resources:?}");
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
        assert!(!allows(&json!({}), "ssm:StartSession", &[]));
    }
}
