//! The network interfaces of Lambda functions.

use std::io::Write as _;

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![("functions share interfaces that stay for a while", shared)]
}

/// A ZIP archive with one empty file, in Base64.
const ZIP: &str = "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAbS5weVBLAQIUABQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAABtLnB5UEsFBgAAAAABAAEAMgAAACIAAAAAAA==";

const FUNCTIONS: &str = "/2015-03-31/functions";

fn create(aws: &Aws, name: &str, network: &Network) {
    let mut body = Vec::new();
    write!(
        body,
        "{{\"FunctionName\": \"{name}\", \"Runtime\": \"python3.12\", \"Handler\": \"m.f\", \"Role\": \
         \"arn:aws:iam::123456789012:role/lambda\", \"Code\": {{\"ZipFile\": \"{ZIP}\"}}, \"VpcConfig\": \
         {{\"SubnetIds\": [\"{}\"], \"SecurityGroupIds\": [\"{}\"]}}}}",
        network.subnets[0], network.group
    )
    .unwrap();
    let body = String::from_utf8(body).unwrap();
    let (status, answer) = aws.json("lambda", "POST", FUNCTIONS, "", &body);
    assert_eq!(status, 201, "{answer}");
}

fn shared(aws: &Aws) {
    let network = aws.network();
    let trust = "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \
                 \"lambda.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\"}]}";
    aws.iam("CreateRole", &[("RoleName", "lambda"), ("AssumeRolePolicyDocument", trust)]).ok();
    create(aws, "one", &network);
    create(aws, "two", &network);
    let [interface] = &aws.interfaces("group-id", &network.group)[..] else { panic!("one interface") };
    assert_eq!(interface.text_at("interfaceType"), "lambda");
    assert!(interface.text_at("description").starts_with("AWS Lambda VPC ENI-one-"));
    let delete = |name: &str| {
        let (status, answer) = aws.json("lambda", "DELETE", &format!("{FUNCTIONS}/{name}"), "", "");
        assert!(status < 300, "{answer}");
    };
    delete("one");
    aws.advance(1_200);
    assert_eq!(aws.interfaces("group-id", &network.group).len(), 1);
    delete("two");
    aws.advance(1_199);
    assert_eq!(aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).code(), "DependencyViolation");
    aws.advance(1);
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
}
