//! Recorded refusals: what stands where an answer should, and which call it was that got it.

use std::path::Path;

use doorward_core::inventory::Call;

/// A file without an answer: empty, as a call that failed leaves it, or with what the AWS CLI says of a failure.
pub(super) fn instead_of(path: &Path, text: &[u8]) -> Option<(Call, String)> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Some((named(path)?, format!("{} is empty", path.display())));
    }
    let text = text.strip_prefix(b"An error occurred (")?;
    let text = String::from_utf8_lossy(text.get(..2000).unwrap_or(text));
    let (code, rest) = text.split_once(')')?;
    let rest = rest.trim_start().strip_prefix("when calling the ")?;
    let (operation, message) = rest.split_once(" operation")?;
    let call =
        named(path).filter(|call| operation_of(*call) == operation).or_else(|| by_operation(operation))?;
    let message = message.trim_start_matches(|letter: char| letter != ':').trim_start_matches(':');
    let message = message.lines().next().unwrap_or_default().trim();
    Some((call, format!("{code}: {message}")))
}

/// The call that a file is named for: `ec2.DescribeVpcs_1.json`, `ec2-describe-vpcs.json`, `describe-vpcs.json`.
pub(super) fn named(path: &Path) -> Option<Call> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".json").unwrap_or(name);
    let name = name.rsplit_once('_').filter(|(_, page)| is_number(page)).map_or(name, |(name, _)| name);
    let plain = |text: &str| text.replace(['-', '_', '.'], "").to_ascii_lowercase();
    let given = plain(name);
    let mut calls = Call::ALL.iter().copied().filter(|call| {
        let operation = plain(operation_of(*call));
        let service = given.strip_suffix(&operation);
        service.is_some_and(|service| service.is_empty() || services(*call).contains(&service))
    });
    let call = calls.next()?;
    // `describe-load-balancers` alone may be of either kind.
    calls.next().is_none().then_some(call)
}

/// Whether a name is that of a service whose calls are read.
pub(super) fn is_service(name: &str) -> bool {
    Call::ALL.iter().any(|call| services(*call).iter().any(|service| service.eq_ignore_ascii_case(name)))
}

/// Whether a file is named for a call of another service that answers with the same key: an empty list of its says
/// nothing here.
pub(super) fn is_of_another_service(path: &Path, key: &str) -> bool {
    const OTHERS: [(&str, &str); 8] = [
        ("LoadBalancers", "autoscaling"),
        ("TargetGroups", "dbproxytargetgroups"),
        ("Listeners", "globalaccelerator"),
        ("instances", "lightsail"),
        ("instances", "opsworks"),
        ("Functions", "cloudfront"),
        ("VpcEndpoints", "opensearch"),
        ("services", "servicediscovery"),
    ];
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = name.replace(['-', '_', '.'], "");
    OTHERS.iter().any(|(own, service)| *own == key && name.contains(service))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn by_operation(operation: &str) -> Option<Call> {
    let mut calls = Call::ALL.iter().copied().filter(|call| operation_of(*call) == operation);
    let call = calls.next()?;
    calls.next().is_none().then_some(call)
}

/// `DescribeVpcs` of `ec2:DescribeVpcs`.
fn operation_of(call: Call) -> &'static str {
    let action = call.action();
    let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
    operation.split_once(' ').map_or(operation, |(operation, _)| operation)
}

/// What a service is called in the names of files.
fn services(call: Call) -> &'static [&'static str] {
    let action = call.action();
    match action.split_once(':').map_or(action, |(service, _)| service) {
        "ec2" => &["ec2"],
        "elasticloadbalancing" if action.ends_with("(classic)") => &["elb"],
        "elasticloadbalancing" => &["elbv2"],
        "rds" => &["rds"],
        "elasticache" => &["elasticache"],
        "lambda" => &["lambda"],
        "ecs" => &["ecs"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_named_for_its_call() {
        let check = |name: &str, expected: Option<Call>| {
            assert_eq!(named(Path::new(name)), expected, "{name}");
        };
        check("a/ec2.DescribeVpcs_1.json", Some(Call::Vpcs));
        check("ec2-describe-vpcs.json", Some(Call::Vpcs));
        check("describe-vpcs.json", Some(Call::Vpcs));
        check("ec2-describe-vpcs", Some(Call::Vpcs));
        check("elb-describe-load-balancers.json", Some(Call::ClassicLoadBalancers));
        check("elbv2-describe-load-balancers.json", Some(Call::LoadBalancers));
        check("describe-load-balancers.json", None);
        check("rds.DescribeDBInstances_12.json", Some(Call::Databases));
        check("iam.DescribeVpcs_1.json", None);
        check("ec2.DescribeVpcEndpointServices_1.json", None);
        check("vpcs.json", None);
        check("_1.json", None);
    }

    #[test]
    fn what_the_aws_cli_says_of_a_failure_is_a_refusal() {
        let check = |name: &str, text: &str, expected: Option<(Call, &str)>| {
            let found = instead_of(Path::new(name), text.as_bytes());
            assert_eq!(found.as_ref().map(|(call, why)| (*call, why.as_str())), expected);
        };
        let denied = "\nAn error occurred (UnauthorizedOperation) when calling the DescribeVpcs operation: You are \
            not authorized to perform this operation.\n";
        let why = "UnauthorizedOperation: You are not authorized to perform this operation.";
        check("a.json", denied, Some((Call::Vpcs, why)));
        check("ec2-describe-vpcs.json", denied, Some((Call::Vpcs, why)));
        check("ec2-describe-vpcs.json", " \n", Some((Call::Vpcs, "ec2-describe-vpcs.json is empty")));
        check("a.json", "", None);
        check("a.json", "An error occurred (", None);
        check("a.json", "{}", None);
    }
}
