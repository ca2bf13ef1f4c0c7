//! Databases: their states, their interfaces, stopping, deleting, snapshots and pending changes.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("a database is creating, backing up, available", created),
        ("a database has an interface with its groups until it is gone", interfaces),
        ("a database without groups has the default group of its VPC", default_group),
        ("a stopped database is started after seven days", seven_days),
        ("a database that is started in time is not started again", started_in_time),
        ("a database that is not available is not modified, stopped or saved", needs_available),
        ("deleting says what becomes of the data", says_what),
        ("the final snapshot has a new name and is made meanwhile", final_snapshot),
        ("a protected database is not deleted", protected),
        ("a change waits for the window unless it is immediate", pending),
        ("groups change at once", groups_at_once),
        ("a database is renamed", renamed),
        ("a subnet group covers two zones and is free before it goes", subnet_groups),
        ("a parameter group is free before it goes", parameter_groups),
        ("a subnet group is changed", subnet_group_changes),
        ("a snapshot has a valid name and is not deleted while it is made", snapshot_names),
    ]
}

/// A network and an available database `dev` in it, which has its group.
fn dev(aws: &Aws, more: &[(&str, &str)]) -> Network {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    let mut fields = vec![("VpcSecurityGroupIds.VpcSecurityGroupId.1", network.group.as_str())];
    fields.extend_from_slice(more);
    aws.database("dev", "private", &fields);
    aws.advance(540);
    assert_eq!(aws.status("dev"), "available");
    network
}

const DEV: (&str, &str) = ("DBInstanceIdentifier", "dev");

fn created(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    let made = aws.database("dev", "private", &[]);
    assert_eq!(made.text_at("DBInstanceStatus"), "creating");
    assert_eq!(made.text_at("Endpoint/Address"), "");
    assert_eq!(aws.describe("dev").text_at("Endpoint/Address"), "");
    aws.advance(420);
    assert_eq!(aws.status("dev"), "backing-up");
    assert_ne!(aws.describe("dev").text_at("Endpoint/Address"), "");
    aws.advance(120);
    assert_eq!(aws.status("dev"), "available");
    // Without backups none is made.
    aws.database("other", "private", &[("BackupRetentionPeriod", "0")]);
    aws.advance(420);
    assert_eq!(aws.status("other"), "available");
}

fn interfaces(aws: &Aws) {
    let network = dev(aws, &[]);
    let [interface] = &aws.interfaces("group-id", &network.group)[..] else { panic!("one interface") };
    let of = |path: &str| interface.text_at(path).to_owned();
    assert_eq!(of("description"), "RDSNetworkInterface");
    assert_eq!((of("requesterManaged").as_str(), of("requesterId").as_str()), ("true", "amazon-rds"));
    assert_eq!((of("status").as_str(), of("attachment/instanceOwnerId").as_str()), ("in-use", "amazon-rds"));
    assert_eq!(aws.interfaces("requester-id", "amazon-rds").len(), 1);
    let fields = [("NetworkInterfaceId", of("networkInterfaceId"))];
    let fields = [(fields[0].0, fields[0].1.as_str())];
    assert_eq!(aws.ec2("DeleteNetworkInterface", &fields).code(), "OperationNotPermitted");
    let delete = || aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]);
    assert_eq!(delete().code(), "DependencyViolation");
    aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]).ok();
    assert_eq!(aws.status("dev"), "deleting");
    assert_eq!(delete().code(), "DependencyViolation");
    aws.advance(300);
    assert_eq!(aws.rds("DescribeDBInstances", &[DEV]).code(), "DBInstanceNotFound");
    delete().ok();
    // The standby of a Multi-AZ database has one too.
    aws.database("prod", "private", &[("MultiAZ", "true")]);
    assert_eq!(aws.interfaces("requester-id", "amazon-rds").len(), 2);
}

fn default_group(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    let made = aws.database("dev", "private", &[]);
    let fields = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", network.vpc.as_str()),
        ("Filter.2.Name", "group-name"),
        ("Filter.2.Value.1", "default"),
    ];
    let default = aws.text("DescribeSecurityGroups", &fields, "securityGroupInfo/item/groupId");
    assert_eq!(made.texts("VpcSecurityGroups", "VpcSecurityGroupId"), [default]);
}

const DAY: i64 = 86_400;

fn seven_days(aws: &Aws) {
    dev(aws, &[]);
    aws.rds("StopDBInstance", &[DEV]).ok();
    assert_eq!(aws.status("dev"), "stopping");
    aws.advance(300);
    assert_eq!(aws.status("dev"), "stopped");
    assert_ne!(aws.describe("dev").text_at("AutomaticRestartTime"), "");
    assert_eq!(aws.rds("StopDBInstance", &[DEV]).code(), "InvalidDBInstanceState");
    aws.advance(7 * DAY - 301);
    assert_eq!(aws.status("dev"), "stopped");
    aws.advance(1);
    assert_eq!(aws.status("dev"), "starting");
    assert_eq!(aws.describe("dev").text_at("AutomaticRestartTime"), "");
    aws.advance(480);
    assert_eq!(aws.status("dev"), "available");
    aws.rds("StopDBInstance", &[DEV]).ok();
}

fn started_in_time(aws: &Aws) {
    dev(aws, &[]);
    assert_eq!(aws.rds("StartDBInstance", &[DEV]).code(), "InvalidDBInstanceState");
    aws.rds("StopDBInstance", &[DEV]).ok();
    aws.advance(300);
    aws.rds("StartDBInstance", &[DEV]).ok();
    assert_eq!(aws.status("dev"), "starting");
    aws.advance(480);
    aws.advance(7 * DAY - 480);
    assert_eq!(aws.status("dev"), "available");
}

fn needs_available(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    aws.database("dev", "private", &[]);
    for (action, more) in [
        ("StopDBInstance", ("DBSnapshotIdentifier", "x")),
        ("ModifyDBInstance", ("MultiAZ", "true")),
        ("CreateDBSnapshot", ("DBSnapshotIdentifier", "x")),
        ("RebootDBInstance", ("ForceFailover", "false")),
        ("DeleteDBInstance", ("FinalDBSnapshotIdentifier", "x")),
    ] {
        assert_eq!(aws.rds(action, &[DEV, more]).code(), "InvalidDBInstanceState", "{action}");
    }
}

fn says_what(aws: &Aws) {
    dev(aws, &[]);
    let code = "InvalidParameterCombination";
    assert_eq!(aws.rds("DeleteDBInstance", &[DEV]).code(), code);
    let both = [DEV, ("SkipFinalSnapshot", "true"), ("FinalDBSnapshotIdentifier", "last")];
    assert_eq!(aws.rds("DeleteDBInstance", &both).code(), code);
    aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]).ok();
    let again = aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]);
    assert_eq!(again.code(), "InvalidDBInstanceState");
}

fn snapshot_status(aws: &Aws, name: &str) -> String {
    let found = aws.rds("DescribeDBSnapshots", &[("DBSnapshotIdentifier", name)]).ok();
    found.text_at("DescribeDBSnapshotsResult/DBSnapshots/DBSnapshot/Status").to_owned()
}

fn final_snapshot(aws: &Aws) {
    dev(aws, &[]);
    aws.rds("CreateDBSnapshot", &[DEV, ("DBSnapshotIdentifier", "taken")]).ok();
    assert_eq!(aws.status("dev"), "backing-up");
    aws.advance(180);
    let delete = |name: &str| aws.rds("DeleteDBInstance", &[DEV, ("FinalDBSnapshotIdentifier", name)]);
    assert_eq!(delete("taken").code(), "DBSnapshotAlreadyExists");
    assert_eq!(aws.status("dev"), "available");
    delete("last").ok();
    assert_eq!((aws.status("dev").as_str(), snapshot_status(aws, "last").as_str()), ("deleting", "creating"));
    aws.advance(180);
    assert_eq!(snapshot_status(aws, "last"), "available");
    aws.advance(120);
    assert_eq!(aws.rds("DescribeDBInstances", &[DEV]).code(), "DBInstanceNotFound");
    assert_eq!(snapshot_status(aws, "last"), "available");
}

fn protected(aws: &Aws) {
    dev(aws, &[("DeletionProtection", "true")]);
    let delete = || aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]);
    assert_eq!(delete().code(), "InvalidParameterCombination");
    aws.rds("ModifyDBInstance", &[DEV, ("DeletionProtection", "false")]).ok();
    delete().ok();
}

fn pending(aws: &Aws) {
    dev(aws, &[("PreferredMaintenanceWindow", "mon:03:00-mon:03:30")]);
    let modify = |more: &[(&str, &str)]| {
        let fields: Vec<(&str, &str)> = [DEV].into_iter().chain(more.iter().copied()).collect();
        aws.rds("ModifyDBInstance", &fields).ok()
    };
    modify(&[("DBInstanceClass", "db.t4g.small")]);
    let class = || aws.describe("dev").text_at("DBInstanceClass").to_owned();
    let waits = || aws.describe("dev").text_at("PendingModifiedValues/DBInstanceClass").to_owned();
    assert_eq!((class().as_str(), waits().as_str()), ("db.t4g.micro", "db.t4g.small"));
    aws.advance(7 * DAY);
    assert_eq!((class().as_str(), waits().as_str()), ("db.t4g.small", ""));
    modify(&[("DBInstanceClass", "db.t4g.medium"), ("ApplyImmediately", "true")]);
    assert_eq!((aws.status("dev").as_str(), class().as_str()), ("modifying", "db.t4g.medium"));
    aws.advance(120);
    assert_eq!(aws.status("dev"), "available");
}

fn groups_at_once(aws: &Aws) {
    let network = dev(aws, &[]);
    let other = aws.group(&network.vpc, "other");
    aws.rds("ModifyDBInstance", &[DEV, ("VpcSecurityGroupIds.VpcSecurityGroupId.1", &other)]).ok();
    assert_eq!(aws.interfaces("group-id", &other).len(), 1);
    assert_eq!(aws.interfaces("group-id", &network.group).len(), 0);
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
}

fn renamed(aws: &Aws) {
    let network = dev(aws, &[]);
    let fields = [DEV, ("NewDBInstanceIdentifier", "old"), ("ApplyImmediately", "true")];
    aws.rds("ModifyDBInstance", &fields).ok();
    aws.advance(120);
    assert_eq!(aws.status("old"), "available");
    let fields = [("DBInstanceIdentifier", "old"), ("SkipFinalSnapshot", "true")];
    aws.rds("DeleteDBInstance", &fields).ok();
    aws.advance(300);
    assert_eq!(aws.interfaces("group-id", &network.group).len(), 0);
}

fn subnet_groups(aws: &Aws) {
    let network = aws.network();
    let fields = [
        ("DBSubnetGroupName", "one"),
        ("DBSubnetGroupDescription", "for a test"),
        ("SubnetIds.SubnetIdentifier.1", network.subnets[0].as_str()),
    ];
    assert_eq!(aws.rds("CreateDBSubnetGroup", &fields).code(), "DBSubnetGroupDoesNotCoverEnoughAZs");
    aws.subnet_group(&network, "private");
    aws.database("dev", "private", &[]);
    let delete = || aws.rds("DeleteDBSubnetGroup", &[("DBSubnetGroupName", "private")]);
    assert_eq!(delete().code(), "InvalidDBSubnetGroupStateFault");
    aws.advance(540);
    aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]).ok();
    assert_eq!(delete().code(), "InvalidDBSubnetGroupStateFault");
    aws.advance(300);
    delete().ok();
}

fn subnet_group_changes(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    let third = aws.subnet(&network.vpc, "10.0.2.0/24", "eu-west-1c");
    let fields = [
        ("DBSubnetGroupName", "private"),
        ("SubnetIds.SubnetIdentifier.1", network.subnets[0].as_str()),
        ("SubnetIds.SubnetIdentifier.2", &third),
    ];
    aws.rds("ModifyDBSubnetGroup", &fields).ok();
    let found = aws.rds("DescribeDBSubnetGroups", &[("DBSubnetGroupName", "private")]).ok();
    let group = found.at("DescribeDBSubnetGroupsResult/DBSubnetGroups/DBSubnetGroup").unwrap();
    assert!(group.mentions(&third) && !group.mentions(&network.subnets[1]), "{}", group.written());
    assert_eq!(group.text_at("DBSubnetGroupDescription"), "for a test");
}

fn snapshot_names(aws: &Aws) {
    dev(aws, &[]);
    for name in ["1st", "a--b", "a-", "a_b"] {
        let fields = [DEV, ("DBSnapshotIdentifier", name)];
        assert_eq!(aws.rds("CreateDBSnapshot", &fields).code(), "InvalidParameterValue", "{name}");
    }
    aws.rds("CreateDBSnapshot", &[DEV, ("DBSnapshotIdentifier", "a-b")]).ok();
    let delete = || aws.rds("DeleteDBSnapshot", &[("DBSnapshotIdentifier", "a-b")]);
    assert_eq!(delete().code(), "InvalidDBSnapshotState");
    aws.advance(180);
    delete().ok();
}

fn parameter_groups(aws: &Aws) {
    let fields = [
        ("DBParameterGroupName", "ours"),
        ("DBParameterGroupFamily", "postgres17"),
        ("Description", "for a test"),
    ];
    aws.rds("CreateDBParameterGroup", &fields).ok();
    dev(aws, &[("DBParameterGroupName", "ours")]);
    let delete = |name: &str| aws.rds("DeleteDBParameterGroup", &[("DBParameterGroupName", name)]);
    assert_eq!(delete("default.postgres17").code(), "InvalidDBParameterGroupState");
    assert_eq!(delete("ours").code(), "InvalidDBParameterGroupState");
    aws.rds("DeleteDBInstance", &[DEV, ("SkipFinalSnapshot", "true")]).ok();
    aws.advance(300);
    delete("ours").ok();
}
