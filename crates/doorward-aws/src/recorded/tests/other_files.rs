//! Files that are no answers: each that looks as if it was meant is named, with what would be read.

use super::*;

fn lines(files: &[(&str, &[u8])]) -> Vec<String> {
    let files = files.iter().map(|(path, bytes)| (Path::new(*path), *bytes));
    let passed_over = match recorded_files(files) {
        Ok(recording) => recording.passed_over,
        Err(NotRecorded::Empty { passed_over, .. }) => passed_over,
        Err(error) => panic!("{error}"),
    };
    passed_over_lines(&passed_over)
}

fn check(name: &str, bytes: &[u8], expected: &str) {
    let found = lines(&[("v.json", VPCS.as_bytes()), (name, bytes)]);
    match expected {
        "" => assert_eq!(found, [""; 0], "{name}"),
        expected => {
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].starts_with(&format!("{name} is {expected}")), "{name}: {found:?}");
        }
    }
}

#[test]
fn what_looks_meant_is_named() {
    check("describe-vpcs.yaml", b"Vpcs:\n- VpcId: vpc-0a\n", "YAML, which is not read; record with");
    check("describe-vpcs.json", b"Vpcs:\n- VpcId: vpc-0a\n", "YAML");
    check("groups", b"SecurityGroups:\n- GroupId: sg-0a\n", "YAML");
    check("describe-vpcs.json.gz", b"\x1f\x8b\x08\x00", "compressed, which is not read; unpack it");
    check("account.zip", b"PK\x03\x04", "compressed");
    check("vpcs.txt", b"VPCS\t10.0.0.0/16\tdopt-0a\n", "text or a table as the AWS CLI prints it");
    check("vpcs.txt", b"-----\n|  DescribeVpcs  |\n", "text or a table");
    check("ec2-describe-vpcs.csv", b"VpcId,CidrBlock\n", "CSV");
    check("describe-vpcs.json", b" \n", "empty: the command that wrote it failed or was interrupted");
    check("x.json", b"", "empty");
    check("main.tf", b"resource \"aws_vpc\" \"a\" {}", "Terraform configuration");
    check(
        "terraform.tfstate",
        br#"{"version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x", "resources": []}"#,
        "a Terraform state",
    );
    check(
        "state.json",
        br#"{"format_version": "1.0", "terraform_version": "1.9.0", "values": {}}"#,
        "a Terraform state",
    );
    check(
        "plan.json",
        br#"{"terraform_version": "1.9.0", "planned_values": {}, "resource_changes": []}"#,
        "a Terraform plan, which is not read",
    );
    check(
        "t.json",
        br#"{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {}}"#,
        "a CloudFormation template",
    );
    check("t.yaml", b"AWSTemplateFormatVersion: 2010-09-09\n", "a CloudFormation template");
    check(
        "snapshot.json",
        br#"{"fileVersion": "1.0", "configurationItems": [{"resourceType": "AWS::EC2::VPC"}]}"#,
        "a snapshot of AWS Config",
    );
    check("scoutsuite_results_aws.js", b"scoutsuite_results =\n{\"services\": {}}", "a report of ScoutSuite");
    check(
        "a.json",
        br#"{"securityGroups": [{"groupId": "sg-0a", "ipPermissions": []}]}"#,
        "output with names like `vpcId`",
    );
    check(
        "a.json",
        br#"{"vpcs": [{"vpcId": "vpc-0a", "dhcpOptionsId": "x"}]}"#,
        "output with names like `vpcId`",
    );
    check(
        "a.json",
        br#"{"columns": [], "rows": [{"vpc_id": "vpc-0a", "dhcp_options_id": "x"}]}"#,
        "rows with names like `vpc_id`",
    );
    check(
        "ec2-describe-subnets.json",
        br#"[{"Name": "x"}]"#,
        "named for ec2:DescribeSubnets but has no output of it",
    );
    check("a.json", br#"{"Subnets": 5}"#, "without a list under its `Subnets`");
}

#[test]
fn what_nobody_meant_is_not() {
    check("README.md", b"# The account\n", "");
    check("notes.txt", b"vpcs:\n", "");
    check("picture.png", b"\x89PNG\r\n", "");
    check("policy.yaml", b"rules:\n- a\n", "");
    check("iam-list-users.json", br#"{"Users": [{"UserName": "a"}]}"#, "");
    check(
        "eks-describe-cluster.json",
        br#"{"cluster": {"resourcesVpcConfig": {"vpcId": "vpc-0a", "subnetIds": []}}}"#,
        "",
    );
    check("ecs.json", br#"{"services": [{"serviceArn": "arn:aws:ecs:x:service/c/s", "clusterArn": "c", "loadBalancers": []}]}"#, "");
    check("users.csv", b"a,b\n", "");
}

#[test]
fn many_of_a_kind_are_counted() {
    let names: Vec<String> = (0..30).map(|number| format!("{number:02}-describe-vpcs.yaml")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"Vpcs:\n"[..])).collect();
    let found = lines(&files);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(
        "00-describe-vpcs.yaml, 01-describe-vpcs.yaml, 02-describe-vpcs.yaml and 27 more: each is YAML"
    ));
}

#[test]
fn a_file_may_be_the_recording() {
    let folder = folder(&[("answers.txt", VPCS), ("broken.txt", "{"), ("v.yaml", "Vpcs:\n")]);
    assert_eq!(recorded(&folder.path().join("answers.txt")).expect("an account").vpcs.len(), 1);
    assert!(matches!(recorded(&folder.path().join("broken.txt")), Err(NotRecorded::NotJson { .. })));
    match recorded(&folder.path().join("v.yaml")) {
        Err(NotRecorded::Empty { passed_over, .. }) => assert_eq!(passed_over.len(), 1),
        other => panic!("{other:?}"),
    }
    let piped = piped(Path::new("standard input"), VPCS.as_bytes()).expect("an account");
    assert_eq!(piped.inventory.vpcs.len(), 1);
    let error = super::super::piped(Path::new("standard input"), &b"{"[..]).expect_err("no account");
    assert!(error.to_string().starts_with("`standard input` is not JSON"), "{error}");
}

/// A name may hold a line of its own that says what is not so.
#[test]
fn no_name_begins_a_line() {
    let answers = r#"{"SecurityGroups": [{"GroupId": "sg-0a", "GroupName": "ssh\nyes: all is well", "Description": "a\r\nb"}],
        "Vpcs": [{"VpcId": "vpc\n1", "Tags": [{"Key": "Name", "Value": "a\u2028b\u0085"}]}],
        "DBInstances": [{"DBInstanceIdentifier": "a\nb"}]}"#;
    let account = read(&[("a.json", answers)]);
    let group = account.groups.values().next().expect("a group");
    assert_eq!((group.name.as_str(), group.about.as_str()), ("ssh\\nyes: all is well", "a\\r\\nb"));
    let vpc = account.vpcs.values().next().expect("a VPC");
    assert_eq!((vpc.id.as_str(), vpc.tags["Name"].as_str()), ("vpc\\n1", "a\\u{2028}b\\u{85}"));
    assert_eq!(account.databases.values().next().map(|database| database.name.as_str()), Some("a\\nb"));
}
