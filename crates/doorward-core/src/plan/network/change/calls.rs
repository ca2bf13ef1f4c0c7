//! The calls to AWS that a change is, and the permissions that they take.

use std::collections::BTreeSet;

use super::Change;
use crate::inventory::{Direction, EndpointKind, Image, Inventory, RuleIdentity};
use crate::plan::Step;
use crate::topology::Holder;

/// One for each direction: inbound and outbound.
type Pair = [&'static str; 2];

const AUTHORIZE: Pair = ["ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"];
const REVOKE: Pair = ["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"];

/// Those of a pair that rules take.
fn of<'r>([inward, outward]: Pair, rules: impl IntoIterator<Item = &'r RuleIdentity>) -> Vec<&'static str> {
    let of = |rule: &RuleIdentity| match rule.direction {
        Direction::In => inward,
        Direction::Out => outward,
    };
    rules.into_iter().map(of).collect()
}

impl Change {
    /// The calls that change something, like `ec2:CreateVpc`, on an account before the plan. What only reads is not among them:
    /// a plan has read all of it before.
    pub fn calls(&self, actual: &Inventory) -> BTreeSet<&'static str> {
        let calls = match self {
            Self::CreateVpc(..) => vec!["ec2:CreateVpc"],
            Self::EnableDns(..) => vec!["ec2:ModifyVpcAttribute"],
            Self::EmptyDefaultGroup { rules, .. } => of(REVOKE, rules),
            Self::CreateSubnet(_) => vec!["ec2:CreateSubnet"],
            Self::CreateInternetGateway(_) => vec!["ec2:CreateInternetGateway"],
            Self::AttachInternetGateway(..) => vec!["ec2:AttachInternetGateway"],
            Self::AllocateAddress(_) => vec!["ec2:AllocateAddress"],
            Self::CreateNatGateway(_) => vec!["ec2:CreateNatGateway"],
            Self::CreateRouteTable(_) => vec!["ec2:CreateRouteTable"],
            Self::CreateRoute(..) => vec!["ec2:CreateRoute"],
            Self::ReplaceRoute(..) => vec!["ec2:ReplaceRoute"],
            Self::AssociateTable { before: None, .. } => vec!["ec2:AssociateRouteTable"],
            Self::AssociateTable { before: Some(_), .. } => vec!["ec2:ReplaceRouteTableAssociation"],
            Self::CreateEndpoint(_) => vec!["ec2:CreateVpcEndpoint"],
            Self::ModifyEndpoint(_) => vec!["ec2:ModifyVpcEndpoint"],
            Self::CreateSubnetGroup(_) => vec!["rds:CreateDBSubnetGroup"],
            Self::ModifySubnetGroup(..) => vec!["rds:ModifyDBSubnetGroup"],
            Self::CreateSecurityGroup(_) => vec!["ec2:CreateSecurityGroup"],
            Self::RevokeDefaultEgress(_) => vec!["ec2:RevokeSecurityGroupEgress"],
            Self::Rules(Step::Authorize { rules, .. }) => of(AUTHORIZE, rules.iter().map(|(rule, _)| rule)),
            Self::Rules(Step::Revoke { rules, .. }) => of(REVOKE, rules.iter().map(|(_, rule)| rule)),
            Self::Rules(Step::Describe { rules, .. }) => {
                let tags = rules.iter().any(|remark| remark.retag).then_some("ec2:CreateTags");
                std::iter::once("ec2:ModifySecurityGroupRules").chain(tags).collect()
            }
            Self::SetGroups { holder, .. } => vec![holder.call(actual)],
            Self::RunInstance(..) => vec!["ec2:RunInstances"],
            Self::CreateDatabase(_) => vec!["rds:CreateDBInstance"],
            Self::ModifyDatabase { .. } => vec!["rds:ModifyDBInstance"],
            Self::StopInstance(_) => vec!["ec2:StopInstances"],
            Self::StartInstance(_) => vec!["ec2:StartInstances"],
            Self::StopDatabase(..) => vec!["rds:StopDBInstance"],
            Self::StartDatabase(..) => vec!["rds:StartDBInstance"],
            Self::RestoreDatabase { .. } => vec!["rds:RestoreDBInstanceFromDBSnapshot"],
            Self::DeleteSnapshot { .. } => vec!["rds:DeleteDBSnapshot"],
            Self::TerminateInstance(_) => vec!["ec2:TerminateInstances"],
            Self::DeleteDatabase { .. } => vec!["rds:DeleteDBInstance"],
            Self::Scaled(change) => change.calls(),
            Self::Await(_) => Vec::new(),
            Self::DeleteEndpoint(_) => vec!["ec2:DeleteVpcEndpoints"],
            Self::DeleteRoute(..) => vec!["ec2:DeleteRoute"],
            Self::DeleteNatGateway(_) => vec!["ec2:DeleteNatGateway"],
            Self::ReleaseAddress(_) => vec!["ec2:ReleaseAddress"],
            Self::DeleteSubnetGroup(..) => vec!["rds:DeleteDBSubnetGroup"],
            Self::DeleteSubnet(_) => vec!["ec2:DeleteSubnet"],
            Self::DeleteRouteTable(_) => vec!["ec2:DeleteRouteTable"],
            Self::DeleteSecurityGroup(_) => vec!["ec2:DeleteSecurityGroup"],
            Self::DetachInternetGateway(..) => vec!["ec2:DetachInternetGateway"],
            Self::DeleteInternetGateway(_) => vec!["ec2:DeleteInternetGateway"],
            Self::DeleteVpc(_) => vec!["ec2:DeleteVpc"],
        };
        calls.into_iter().collect()
    }

    /// The permissions that these calls take: with tags, and what AWS does in the name of the caller (Service Authorization
    /// Reference, "Dependent actions").
    pub fn permissions(&self, actual: &Inventory) -> BTreeSet<&'static str> {
        let mut all = self.calls(actual);
        match self {
            Self::CreateVpc(..)
            | Self::CreateSubnet(_)
            | Self::CreateInternetGateway(_)
            | Self::AllocateAddress(_)
            | Self::CreateNatGateway(_)
            | Self::CreateRouteTable(_)
            | Self::CreateSecurityGroup(_)
            | Self::Rules(Step::Authorize { .. }) => drop(all.insert("ec2:CreateTags")),
            Self::CreateEndpoint(endpoint) => {
                all.insert("ec2:CreateTags");
                if endpoint.kind == EndpointKind::Interface {
                    all.insert("route53:AssociateVPCWithHostedZone");
                }
            }
            // A final snapshot gets the tags of its database.
            Self::CreateSubnetGroup(_) | Self::DeleteDatabase { .. } | Self::RestoreDatabase { .. } => {
                all.insert("rds:AddTagsToResource");
            }
            Self::RunInstance(instance, _) => {
                all.insert("ec2:CreateTags");
                if instance.profile.is_some() {
                    all.insert("iam:PassRole");
                }
                if matches!(instance.image, Some(Image::Parameter(_))) {
                    all.insert("ssm:GetParameters");
                }
            }
            // RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager".
            Self::CreateDatabase(_) => all.extend([
                "kms:DescribeKey",
                "rds:AddTagsToResource",
                "secretsmanager:CreateSecret",
                "secretsmanager:TagResource",
            ]),
            Self::ModifyDatabase { settings, .. } if settings.0.has_secret != settings.1.has_secret => {
                all.extend(["kms:DescribeKey", "secretsmanager:CreateSecret", "secretsmanager:TagResource"])
            }
            Self::Scaled(change) => all.extend(change.dependent()),
            _ => {}
        }
        all
    }
}

impl Holder {
    /// The call that sets its groups.
    fn call(&self, actual: &Inventory) -> &'static str {
        match self {
            Self::Interface(_) => "ec2:ModifyNetworkInterfaceAttribute",
            Self::Database(..) => "rds:ModifyDBInstance",
            Self::Cluster(..) => "rds:ModifyDBCluster",
            Self::Proxy(..) => "rds:ModifyDBProxy",
            Self::Cache(account_region, name) => {
                let cache = actual.caches.get(&(account_region.clone(), name.clone()));
                match cache.and_then(|cache| cache.replication_group.as_ref()) {
                    Some(_) => "elasticache:ModifyReplicationGroup",
                    None => "elasticache:ModifyCacheCluster",
                }
            }
            Self::ServerlessCache(..) => "elasticache:ModifyServerlessCache",
            Self::Function(..) => "lambda:UpdateFunctionConfiguration",
            Self::Service(_) => "ecs:UpdateService",
            Self::Balancer(..) => "elasticloadbalancing:SetSecurityGroups",
        }
    }
}
