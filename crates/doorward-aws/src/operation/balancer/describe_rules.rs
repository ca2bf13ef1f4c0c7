//! `elasticloadbalancing:DescribeRules`: where else a listener sends.

use serde::Deserialize;

use super::ActionShape;
use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for those of one listener; there is no call for all.
#[derive(Debug, Clone)]
pub(crate) struct DescribeRules {
    pub(crate) listener: String,
    pub(crate) token: Option<String>,
}

listed!(
    DescribeRules is "DescribeRules" of LoadBalancing,
    ListenerRulesAnswer.rules: ListenerRuleShape,
    "PageSize" up to "400",
    "ListenerArn": listener
);

/// `Rules`
#[derive(Debug, Deserialize)]
pub(crate) struct ListenerRulesAnswer {
    #[serde(rename = "Rules", default)]
    pub(crate) rules: List<ListenerRuleShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One rule; its listener is told by its ARN only.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListenerRuleShape {
    #[serde(rename = "RuleArn", default)]
    arn: Option<String>,
    #[serde(rename = "Actions", default)]
    pub(crate) actions: List<ActionShape>,
}

impl ListenerRuleShape {
    /// `…:listener/app/NAME/ID/ID` of `…:listener-rule/app/NAME/ID/ID/ID`.
    pub(crate) fn listener(&self) -> Option<String> {
        let (listener, _) = self.arn.as_deref()?.rsplit_once('/')?;
        let (before, after) = listener.split_once(":listener-rule/")?;
        Some(format!("{before}:listener/{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_tells_its_listener() {
        let rule = |arn: &str| ListenerRuleShape { arn: Some(arn.to_owned()), actions: List::default() };
        let elb = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";
        assert_eq!(
            rule(&format!("{elb}:listener-rule/app/web/1a/2b/3c")).listener(),
            Some(format!("{elb}:listener/app/web/1a/2b"))
        );
        assert_eq!(rule("something").listener(), None);
    }
}
