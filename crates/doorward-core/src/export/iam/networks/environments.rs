//! The instances and databases of environments: created, changed, started, stopped, restored and deleted.

use std::collections::BTreeSet;

use super::{Needs, Statement, arn};
use crate::inventory::{Image, Partition};
use crate::topology::Environment;

/// What a launch creates, by its tags.
pub(super) const LAUNCHED: [&str; 3] = ["instance/*", "network-interface/*", "volume/*"];

impl Needs<'_> {
    /// What `apply` and `env` do with environments.
    pub(super) fn environments_applied(&self) -> Vec<Statement> {
        if self.environments.is_empty() {
            return Vec::new();
        }
        let regions = || self.regions.iter().copied();
        let partition = |region: Option<&str>| Partition::of(region.unwrap_or_default()).arn();
        let images = regions()
            .map(|region| format!("arn:{}:ec2:{}::image/*", partition(region), region.unwrap_or("*")));
        // The groups of roles may be somebody else's, and an instance without a role has the default one.
        let with = images.chain(self.all("ec2", &["security-group/*"])).collect();
        let mut all = vec![
            self.created("LaunchInstances", &["ec2:RunInstances"], &LAUNCHED),
            self.ours("LaunchInSubnets", &["ec2:RunInstances"], &["subnet/*"]),
            self.statement("LaunchWith", &["ec2:RunInstances"], with),
            self.ours("StartAndStopInstances", &["ec2:StartInstances", "ec2:StopInstances"], &["instance/*"]),
        ];
        all.extend(self.scaled_applied());
        let parameters = self.image_parameters();
        if !parameters.is_empty() {
            all.push(self.statement("NewestImages", &["ssm:GetParameters"], parameters));
        }
        let profiles: BTreeSet<&String> =
            self.environments.iter().filter_map(|it| it.profile.as_ref()).collect();
        if !profiles.is_empty() {
            // An instance profile that the console created has the name of its role. Whoever passes every role has the
            // permissions of every role.
            let account = self.account.map_or("*", |account| account.as_str());
            let partitions: BTreeSet<&str> = regions().map(partition).collect();
            let roles = partitions.iter().flat_map(|partition| {
                profiles.iter().map(move |profile| format!("arn:{partition}:iam::{account}:role/{profile}"))
            });
            let roles = roles.collect();
            all.push(self.statement("PassInstanceProfiles", &["iam:PassRole"], roles).when(
                "StringEquals",
                "iam:PassedToService",
                ["ec2.amazonaws.com"],
            ));
        }
        let databases = [
            "rds:AddTagsToResource",
            "rds:CreateDBInstance",
            "rds:DeleteDBInstance",
            "rds:ModifyDBInstance",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:StartDBInstance",
            "rds:StopDBInstance",
        ];
        all.push(self.statement("Databases", &databases, self.databases()));
        let created = ["rds:CreateDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"];
        let mut within = self.subnet_groups();
        within.extend(self.all("rds", &["og:default:*", "pg:default.*"]));
        all.push(self.statement("DatabasesIn", &created, within));
        let snapshots =
            ["rds:AddTagsToResource", "rds:DeleteDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot"];
        all.push(self.statement("Snapshots", &snapshots, self.snapshots()));
        // RDS creates the secret of a database in the name of the caller (RDS user guide, "Password management with Amazon
        // RDS and AWS Secrets Manager").
        let secrets = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"];
        all.push(self.statement("Secrets", &secrets, self.all("secretsmanager", &["secret:rds!db-*"])));
        all.push(self.statement("Keys", &["kms:DescribeKey"], self.all("kms", &["key/*"])));
        all
    }

    /// What `destroy` does with environments.
    pub(super) fn environments_destroyed(&self) -> Vec<Statement> {
        if self.environments.is_empty() {
            return Vec::new();
        }
        let mut all = vec![
            self.ours("TerminateInstances", &["ec2:TerminateInstances"], &["instance/*"]),
            self.statement("Databases", &["rds:DeleteDBInstance"], self.databases()),
            self.statement("Snapshots", &["rds:AddTagsToResource"], self.snapshots()),
        ];
        all.extend(self.scaled_destroyed());
        all
    }

    /// What `plan` reads of environments besides the inventory.
    pub(super) fn environments_read(&self) -> Option<Statement> {
        let parameters = self.image_parameters();
        (!parameters.is_empty()).then(|| self.statement("ReadImages", &["ssm:GetParameter"], parameters))
    }

    pub(super) fn region_of(&self, environment: &Environment) -> Option<&str> {
        let network = self.networks.iter().find(|it| it.name == environment.network);
        network.and_then(|it| it.at.region.as_deref())
    }

    /// By their names, which have the environment.
    fn databases(&self) -> Vec<String> {
        let of = |it: &&Environment| {
            arn("rds", self.region_of(it), self.account, &format!("db:{}", it.database()))
        };
        self.environments.iter().map(of).collect()
    }

    /// The final ones, by their names, which have the database.
    fn snapshots(&self) -> Vec<String> {
        let of = |it: &&Environment| {
            arn("rds", self.region_of(it), self.account, &format!("snapshot:{}-final-*", it.database()))
        };
        self.environments.iter().map(of).collect()
    }

    /// The parameters that name images. Those of AWS are in no account of ours.
    fn image_parameters(&self) -> Vec<String> {
        let of = |it: &&Environment| match &it.image {
            Image::Id(_) => None,
            Image::Parameter(name) if name.starts_with("/aws/service/") => {
                let region = self.region_of(it);
                let partition = Partition::of(region.unwrap_or_default()).arn();
                Some(format!("arn:{partition}:ssm:{}::parameter{name}", region.unwrap_or("*")))
            }
            Image::Parameter(name) => {
                Some(arn("ssm", self.region_of(it), self.account, &format!("parameter{name}")))
            }
        };
        let all: BTreeSet<String> = self.environments.iter().filter_map(of).collect();
        all.into_iter().collect()
    }
}
