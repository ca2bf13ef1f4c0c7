//! Calls that fail, are lost or are throttled.

use crate::Test;
use crate::aws::Aws;

pub fn tests() -> Vec<Test> {
    vec![
        ("a call that fails is not performed", fails),
        ("a call that is dropped is not performed and has no answer", drops),
        ("a call whose answer is lost is performed", loses),
        ("a call that fails afterwards is performed", fails_afterwards),
        ("calls are throttled", throttles),
        ("the third change fails and reads do not count", counts),
    ]
}

fn vpcs(aws: &Aws) -> usize {
    aws.ec2("DescribeVpcs", &[]).ok().list("vpcSet").len()
}

const CREATE: (&str, [(&str, &str); 1]) = ("CreateVpc", [("CidrBlock", "10.0.0.0/16")]);

fn fails(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"fail\", \"nth\": 1}]");
    let failed = aws.ec2(CREATE.0, &CREATE.1);
    assert_eq!((failed.status, failed.code().as_str()), (500, "InternalError"));
    assert_eq!(vpcs(aws), 1);
}

fn drops(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"drop\", \"nth\": 1}]");
    assert!(aws.try_ec2(CREATE.0, &CREATE.1).is_err());
    assert_eq!(vpcs(aws), 1);
}

fn loses(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"lose\", \"nth\": 1}]");
    assert!(aws.try_ec2(CREATE.0, &CREATE.1).is_err());
    assert_eq!(vpcs(aws), 2);
}

fn fails_afterwards(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"fail-after\", \"nth\": 1}]");
    assert_eq!(aws.ec2(CREATE.0, &CREATE.1).status, 500);
    assert_eq!(vpcs(aws), 2);
}

fn throttles(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"throttle\", \"nth\": 1, \"times\": 2, \"action\": \"DescribeVpcs\"}]");
    for _ in 0..2 {
        let throttled = aws.ec2("DescribeVpcs", &[]);
        assert_eq!((throttled.status, throttled.code().as_str()), (503, "RequestLimitExceeded"));
    }
    assert_eq!(vpcs(aws), 1);
    aws.set("faults", "[{\"kind\": \"throttle\", \"nth\": 1}]");
    assert_eq!(aws.rds("DescribeDBInstances", &[]).code(), "Throttling");
}

fn counts(aws: &Aws) {
    aws.set("faults", "[{\"kind\": \"fail\", \"nth\": 3, \"writes\": true}]");
    let create = |number: u8| aws.ec2("CreateVpc", &[("CidrBlock", &format!("10.{number}.0.0/16"))]);
    create(1).ok();
    vpcs(aws);
    create(2).ok();
    assert_eq!(create(3).code(), "InternalError");
    create(3).ok();
    // None is left after the list is cleared.
    aws.set("faults", "[{\"kind\": \"fail\", \"nth\": 1}]");
    aws.set("faults", "[]");
    assert_eq!(vpcs(aws), 4);
}
