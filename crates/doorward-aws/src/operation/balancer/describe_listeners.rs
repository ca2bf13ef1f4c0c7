//! `elasticloadbalancing:DescribeListeners`: where a load balancer listens, and where it sends by default.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for those of one load balancer; there is no call for all.
#[derive(Debug, Clone)]
pub(crate) struct DescribeListeners {
    pub(crate) balancer: String,
    pub(crate) token: Option<String>,
}

listed!(
    DescribeListeners is "DescribeListeners" of LoadBalancing,
    ListenersAnswer.listeners: ListenerShape,
    "PageSize" up to "400",
    "LoadBalancerArn": balancer
);

/// `Listeners`
#[derive(Debug, Deserialize)]
pub(crate) struct ListenersAnswer {
    #[serde(rename = "Listeners", default)]
    pub(crate) listeners: List<ListenerShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One listener.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListenerShape {
    #[serde(rename = "ListenerArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "LoadBalancerArn", default)]
    pub(crate) balancer: Option<String>,
    #[serde(rename = "Protocol", default)]
    pub(crate) protocol: Option<String>,
    #[serde(rename = "Port", default)]
    pub(crate) port: Option<u16>,
    #[serde(rename = "DefaultActions", default)]
    pub(crate) actions: List<ActionShape>,
    #[serde(rename = "Certificates", default)]
    pub(crate) certificates: List<CertificateShape>,
}

/// Its default certificate.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CertificateShape {
    #[serde(rename = "CertificateArn", default)]
    pub(crate) arn: Option<String>,
}

/// What is done with what comes in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ActionShape {
    #[serde(rename = "TargetGroupArn", default)]
    target_group: Option<String>,
    #[serde(rename = "ForwardConfig", default)]
    forward: Option<ForwardShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct ForwardShape {
    #[serde(rename = "TargetGroups", default)]
    target_groups: List<WeightedShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct WeightedShape {
    #[serde(rename = "TargetGroupArn", default)]
    arn: Option<String>,
    #[serde(rename = "Weight", default)]
    weight: Option<u32>,
}

impl ActionShape {
    /// The target groups that it sends to. One that weighs nothing gets nothing.
    pub(crate) fn target_groups(&self) -> impl Iterator<Item = String> + '_ {
        let weighted = self.forward.iter().flat_map(|forward| &forward.target_groups.0);
        let weighted = weighted.filter(|group| group.weight != Some(0)).filter_map(|group| group.arn.clone());
        // The short form stands beside the long one when there is a single group, and alone in old answers.
        let long = self.forward.as_ref().is_some_and(|forward| !forward.target_groups.0.is_empty());
        self.target_group.iter().filter(move |_| !long).cloned().chain(weighted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: &str, expected: &[&str]) {
        let action: ActionShape = serde_json::from_str(action).expect("an action");
        assert_eq!(action.target_groups().collect::<Vec<_>>(), expected, "{action:?}");
    }

    #[test]
    fn an_action_sends_where_it_weighs_something() {
        check(r#"{"Type": "forward", "TargetGroupArn": "a"}"#, &["a"]);
        check(
            r#"{"TargetGroupArn": "a", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 1}]}}"#,
            &["a"],
        );
        check(
            r#"{"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 0}, {"TargetGroupArn": "b"}]}}"#,
            &["b"],
        );
        check(r#"{"Type": "redirect", "RedirectConfig": {"Port": "443"}}"#, &[]);
    }
}
