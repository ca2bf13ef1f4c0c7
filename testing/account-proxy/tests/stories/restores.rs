//! Restored databases, and the properties that they lack.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("a restore without more loses its groups, its standby, its secret and its id", loses),
        ("a restore with everything keeps what can be kept", keeps),
        ("a restore without a subnet group is in the default VPC", default_network),
        ("a restore ends in an incompatible network if the test says so", fails),
        ("a snapshot that is not available is not restored", not_yet),
    ]
}

/// A snapshot `saved` of the deleted database `dev`, which had a group, a standby and a managed password.
fn saved(aws: &Aws) -> (Network, String) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    let more = [
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", network.group.as_str()),
        ("MultiAZ", "true"),
        ("ManageMasterUserPassword", "true"),
    ];
    let made = aws.database("dev", "private", &more);
    assert!(made.child("MasterUserSecret").is_some(), "{}", made.written());
    aws.advance(540);
    let id = aws.describe("dev").text_at("DbiResourceId").to_owned();
    let fields = [("DBInstanceIdentifier", "dev"), ("FinalDBSnapshotIdentifier", "saved")];
    aws.rds("DeleteDBInstance", &fields).ok();
    aws.advance(300);
    (network, id)
}

const RESTORE: [(&str, &str); 2] = [("DBInstanceIdentifier", "dev"), ("DBSnapshotIdentifier", "saved")];

fn restore(aws: &Aws, more: &[(&str, &str)]) {
    let fields: Vec<(&str, &str)> = RESTORE.into_iter().chain(more.iter().copied()).collect();
    let made = aws.rds("RestoreDBInstanceFromDBSnapshot", &fields).ok();
    let path = "RestoreDBInstanceFromDBSnapshotResult/DBInstance/DBInstanceStatus";
    assert_eq!(made.text_at(path), "creating");
    aws.advance(420);
}

fn loses(aws: &Aws) {
    let (network, id) = saved(aws);
    restore(aws, &[("DBSubnetGroupName", "private")]);
    let found = aws.describe("dev");
    assert_eq!(found.text_at("DBInstanceStatus"), "available");
    assert!(!found.mentions(&network.group), "{}", found.written());
    assert_eq!(found.text_at("MultiAZ"), "false");
    assert!(found.child("MasterUserSecret").is_none(), "{}", found.written());
    assert_ne!(found.text_at("DbiResourceId"), id);
    // The old group is free, for nothing has it.
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
}

fn keeps(aws: &Aws) {
    let (network, _) = saved(aws);
    let more = [
        ("DBSubnetGroupName", "private"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", network.group.as_str()),
        ("MultiAZ", "true"),
    ];
    restore(aws, &more);
    let found = aws.describe("dev");
    assert_eq!(found.texts("VpcSecurityGroups", "VpcSecurityGroupId"), [network.group.as_str()]);
    assert_eq!(found.text_at("MultiAZ"), "true");
    assert_eq!(aws.interfaces("group-id", &network.group).len(), 2);
    // The managed password comes back by a change of its own.
    assert!(found.child("MasterUserSecret").is_none(), "{}", found.written());
    let fields = [("DBInstanceIdentifier", "dev"), ("ManageMasterUserPassword", "true")];
    aws.rds("ModifyDBInstance", &fields).ok();
    assert!(aws.describe("dev").child("MasterUserSecret").is_some());
}

fn default_network(aws: &Aws) {
    let (network, _) = saved(aws);
    restore(aws, &[]);
    let found = aws.describe("dev");
    assert_ne!(found.text_at("DBSubnetGroup/VpcId"), network.vpc);
    assert_eq!(found.text_at("DBSubnetGroup/DBSubnetGroupName"), "default");
}

fn fails(aws: &Aws) {
    saved(aws);
    aws.set("endings", "[{\"of\": \"restore\"}]");
    restore(aws, &[("DBSubnetGroupName", "private")]);
    assert_eq!(aws.status("dev"), "incompatible-network");
    let last = [("DBInstanceIdentifier", "dev"), ("FinalDBSnapshotIdentifier", "last")];
    assert_eq!(aws.rds("DeleteDBInstance", &last).code(), "InvalidDBInstanceState");
    let skip = [("DBInstanceIdentifier", "dev"), ("SkipFinalSnapshot", "true")];
    aws.rds("DeleteDBInstance", &skip).ok();
}

fn not_yet(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    aws.database("old", "private", &[]);
    aws.advance(540);
    let fields = [("DBInstanceIdentifier", "old"), ("DBSnapshotIdentifier", "saved")];
    aws.rds("CreateDBSnapshot", &fields).ok();
    let again = || aws.rds("RestoreDBInstanceFromDBSnapshot", &RESTORE);
    assert_eq!(again().code(), "InvalidDBSnapshotState");
    aws.advance(180);
    again().ok();
    assert_eq!(again().code(), "DBInstanceAlreadyExists");
}
