//! The calls to AWS, a file each: what is sent, and the shape of what comes back.
//!
//! A shape reads the wire's XML and the AWS CLI's JSON alike, so a recorded answer is an answer.

pub(crate) mod balancer;
pub(crate) mod cache;
pub(crate) mod connect;
pub(crate) mod container;
pub(crate) mod database;
pub(crate) mod document;
pub(crate) mod find;
pub(crate) mod key;
pub(crate) mod network;
pub(crate) mod scaling;
pub(crate) mod session;

mod list_functions;
mod listed;

mod assume_role;
mod authorize_security_group;
mod create_tags;
mod describe;
mod describe_addresses;
mod describe_availability_zones;
mod describe_egress_only_internet_gateways;
mod describe_instances;
mod describe_internet_gateways;
mod describe_managed_prefix_lists;
mod describe_nat_gateways;
mod describe_network_acls;
mod describe_network_interfaces;
mod describe_route_tables;
mod describe_security_group_rules;
mod describe_security_groups;
mod describe_subnets;
mod describe_transit_gateway_attachments;
mod describe_transit_gateway_peering_attachments;
mod describe_transit_gateway_route_tables;
mod describe_transit_gateway_vpc_attachments;
mod describe_transit_gateways;
mod describe_vpc_attribute;
mod describe_vpc_block_public_access_exclusions;
mod describe_vpc_block_public_access_options;
mod describe_vpc_endpoints;
mod describe_vpc_peering_connections;
mod describe_vpcs;
mod describe_vpn_connections;
mod describe_vpn_gateways;
mod get_caller_identity;
mod get_managed_prefix_list_entries;
mod get_service_quota;
mod get_transit_gateway_route_table_propagations;
mod lookup_events;
pub(crate) mod machine;
mod modify_security_group_rules;
mod permission;
mod put_role_policy;
mod revoke_security_group;
mod search_transit_gateway_routes;
mod update_function_configuration;

use std::fmt::Debug;

use doorward_core::inventory::Partition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use list_functions::{FunctionShape, ListFunctions};

pub(crate) use assume_role::AssumeRole;
pub(crate) use authorize_security_group::{AuthorizeEgress, AuthorizeIngress};
pub(crate) use create_tags::CreateTags;
pub(crate) use describe_addresses::{AddressShape, DescribeAddresses};
pub(crate) use describe_availability_zones::{DescribeAvailabilityZones, ZoneShape};
pub(crate) use describe_egress_only_internet_gateways::{
    DescribeEgressOnlyInternetGateways, EgressOnlyGatewayShape,
};
pub(crate) use describe_instances::{DescribeInstances, InstanceShape, ReservationShape};
pub(crate) use describe_internet_gateways::{
    DescribeInternetGateways, InternetGatewayShape, VpcAttachmentShape,
};
pub(crate) use describe_managed_prefix_lists::{DescribeManagedPrefixLists, ListShape};
pub(crate) use describe_nat_gateways::{DescribeNatGateways, NatGatewayShape};
pub(crate) use describe_network_acls::{AclEntryShape, DescribeNetworkAcls, NetworkAclShape};
pub(crate) use describe_network_interfaces::{
    DescribeNetworkInterfaces, GroupRefShape, InterfaceShape, PrivateShape, PublicShape,
};
pub(crate) use describe_route_tables::{
    DescribeRouteTables, RouteAssociationShape, RouteShape, RouteTableShape,
};
pub(crate) use describe_security_group_rules::{Authorized, DescribeSecurityGroupRules, RuleShape};
pub(crate) use describe_security_groups::{DescribeSecurityGroups, GroupShape};
pub(crate) use describe_subnets::{DescribeSubnets, SubnetShape};
pub(crate) use describe_transit_gateway_attachments::{AttachmentShape, DescribeTransitGatewayAttachments};
pub(crate) use describe_transit_gateway_peering_attachments::{
    DescribeTransitGatewayPeeringAttachments, TransitPeerShape, TransitPeeringShape,
};
pub(crate) use describe_transit_gateway_route_tables::{
    DescribeTransitGatewayRouteTables, TransitTableShape,
};
pub(crate) use describe_transit_gateway_vpc_attachments::{
    DescribeTransitGatewayVpcAttachments, TransitVpcShape,
};
pub(crate) use describe_transit_gateways::{DescribeTransitGateways, TransitGatewayShape};
pub(crate) use describe_vpc_attribute::{DescribeVpcAttribute, FlagShape, VpcAttributeAnswer};
pub(crate) use describe_vpc_block_public_access_exclusions::{
    BlockExclusionShape, DescribeVpcBlockPublicAccessExclusions,
};
pub(crate) use describe_vpc_block_public_access_options::{
    BlockOptionsShape, DescribeVpcBlockPublicAccessOptions,
};
pub(crate) use describe_vpc_endpoints::{DescribeVpcEndpoints, EndpointShape};
pub(crate) use describe_vpc_peering_connections::{
    DescribeVpcPeeringConnections, PeeringShape, PeeringSideShape,
};
pub(crate) use describe_vpcs::{BlockStateShape, DescribeVpcs, V6BlockShape, VpcShape};
pub(crate) use describe_vpn_connections::{DescribeVpnConnections, VpnConnectionShape, VpnTunnelShape};
pub(crate) use describe_vpn_gateways::{DescribeVpnGateways, VpnGatewayShape};
pub(crate) use get_caller_identity::GetCallerIdentity;
pub(crate) use get_managed_prefix_list_entries::{EntryShape, GetManagedPrefixListEntries};
pub(crate) use get_service_quota::{GetServiceQuota, QuotaShape};
pub(crate) use get_transit_gateway_route_table_propagations::{
    GetTransitGatewayRouteTablePropagations, PropagationShape,
};
pub(crate) use lookup_events::LookupEvents;
pub(crate) use modify_security_group_rules::ModifySecurityGroupRules;
pub(crate) use permission::{PeerShape, Permission, PermissionShape};
pub(crate) use put_role_policy::PutRolePolicy;
pub(crate) use revoke_security_group::{MayRevokeIngress, RevokeEgress, RevokeIngress};
pub(crate) use search_transit_gateway_routes::{SearchTransitGatewayRoutes, TransitRouteShape};
pub(crate) use update_function_configuration::UpdateFunctionConfiguration;

use crate::wire::{Form, Wrapped};

/// How many values a filter may have, and so how many groups one describe call may ask for.
pub(crate) const GROUPS_A_CALL: usize = 200;

/// The largest page of both describe calls of security groups.
const PAGE: u32 = 1000;

/// Which of all that there are a call asks for. That none are named never stands for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked<Id> {
    All,
    These(Vec<Id>),
}

impl<Id> Asked<Id> {
    /// The filter of the call.
    fn filter(&self, form: &mut Form, name: &str, text: fn(&Id) -> &str) {
        match self {
            Self::All => {}
            Self::These(ids) => form.filter(name, ids.iter().map(text)),
        }
    }
}

/// One call.
pub(crate) trait Operation: 'static {
    /// Like `DescribeSecurityGroups`.
    const NAME: &'static str;
    /// Whose it is.
    const SERVICE: Service;
    /// What comes back.
    type Answer: DeserializeOwned + Debug + Send + Sync + 'static;

    /// What is sent.
    fn body(&self) -> Body;

    /// Reads what came back; an error says what is wrong with it.
    fn read(body: &[u8]) -> Result<Self::Answer, String> {
        Self::SERVICE.read(body)
    }
}

/// A call whose answer may come in pages.
pub(crate) trait Paged: Operation {
    type Item;

    /// The same call, for the page that the token stands for.
    fn at(&self, token: String) -> Self;

    /// The members of this page, and the token of the next.
    fn split(answer: Self::Answer) -> (Vec<Self::Item>, Option<String>);
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Body {
    /// The fields of a query, without its action.
    Form(Form),
    /// A JSON document.
    Json(String),
    /// A JSON document, to a path of its own.
    Put {
        /// From the root on.
        path: String,
        /// The document.
        json: String,
    },
    /// Nothing, to a path of its own with these parameters.
    Get {
        /// From the root on.
        path: &'static str,
        /// What stands behind the question mark.
        query: Form,
    },
}

/// A body of JSON. Texts and maps of texts always serialise; if they did not, AWS would refuse the empty body.
fn json(call: &impl Serialize) -> Body {
    Body::Json(serde_json::to_string(call).unwrap_or_default())
}

/// An answer that says no more than that it was done.
#[derive(Debug, Deserialize)]
pub(crate) struct Done {}

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    ClassicLoadBalancing,
    CloudTrail,
    Ec2,
    Ecs,
    ElastiCache,
    Iam,
    InstanceConnect,
    Kms,
    Lambda,
    LoadBalancing,
    Quotas,
    Rds,
    Scaling,
    Ssm,
    Sts,
}

impl Service {
    /// The name by which environment and profile set its endpoint: `AWS_ENDPOINT_URL_SERVICE_QUOTAS`.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::ClassicLoadBalancing => "Elastic Load Balancing",
            Self::CloudTrail => "CloudTrail",
            Self::Ec2 => "EC2",
            Self::Ecs => "ECS",
            Self::ElastiCache => "ElastiCache",
            Self::Iam => "IAM",
            Self::InstanceConnect => "EC2 Instance Connect",
            Self::Kms => "KMS",
            Self::Lambda => "Lambda",
            Self::LoadBalancing => "Elastic Load Balancing v2",
            Self::Quotas => "Service Quotas",
            Self::Rds => "RDS",
            Self::Scaling => "Auto Scaling",
            Self::Ssm => "SSM",
            Self::Sts => "STS",
        }
    }

    /// What stands before the Region in its endpoint.
    pub(crate) fn endpoint_name(self) -> &'static str {
        self.signing_name()
    }

    /// The service that a signature is for; IAM knows its actions by the same name.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::ClassicLoadBalancing | Self::LoadBalancing => "elasticloadbalancing",
            Self::CloudTrail => "cloudtrail",
            Self::Ec2 => "ec2",
            Self::Ecs => "ecs",
            Self::ElastiCache => "elasticache",
            Self::Iam => "iam",
            Self::InstanceConnect => "ec2-instance-connect",
            Self::Kms => "kms",
            Self::Lambda => "lambda",
            Self::Quotas => "servicequotas",
            Self::Rds => "rds",
            Self::Scaling => "autoscaling",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The Region that a signature is for: the one that is asked, but for IAM, which is one for each partition (IAM user
    /// guide, "IAM endpoints").
    pub(crate) fn signing_region(self, region: &str) -> &str {
        match (self, Partition::of(region)) {
            (Self::Iam, Partition::Aws) => "us-east-1",
            (Self::Iam, Partition::China) => "cn-north-1",
            (Self::Iam, Partition::GovCloud) => "us-gov-west-1",
            (Self::Iam, Partition::EuropeanSovereign) => "eusc-de-east-1",
            _ => region,
        }
    }

    /// The name of AWS's endpoint where it is none of a Region.
    pub(crate) fn global_endpoint(self, region: &str, fips: bool) -> Option<&'static str> {
        match (self, Partition::of(region)) {
            (Self::Iam, Partition::Aws) if fips => Some("iam-fips.amazonaws.com"),
            (Self::Iam, Partition::Aws) => Some("iam.amazonaws.com"),
            (Self::Iam, Partition::China) => Some("iam.cn-north-1.amazonaws.com.cn"),
            (Self::Iam, Partition::GovCloud) => Some("iam.us-gov.amazonaws.com"),
            (Self::Iam, Partition::EuropeanSovereign) => Some("iam.eusc-de-east-1.amazonaws.eu"),
            _ => None,
        }
    }

    /// A form that names the call, for the services that take forms.
    pub(crate) fn form(self, call: &str) -> Form {
        let version = match self {
            Self::ClassicLoadBalancing => "2012-06-01",
            Self::CloudTrail => "2013-11-01",
            Self::Ec2 => "2016-11-15",
            Self::Ecs => "2014-11-13",
            Self::ElastiCache => "2015-02-02",
            Self::Iam => "2010-05-08",
            Self::InstanceConnect => "2018-04-02",
            Self::Kms => "2014-11-01",
            Self::Lambda => "2015-03-31",
            Self::LoadBalancing => "2015-12-01",
            Self::Quotas => "2019-06-24",
            Self::Rds => "2014-10-31",
            Self::Scaling => "2011-01-01",
            Self::Ssm => "2014-11-06",
            Self::Sts => "2011-06-15",
        };
        let mut form = Form::default();
        form.put("Action", call);
        form.put("Version", version);
        form
    }

    /// The header that names the call, for the services that take JSON.
    pub(crate) fn json_target(self, call: &str) -> Option<String> {
        let target = match self {
            Self::CloudTrail => "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
            Self::Ecs => "AmazonEC2ContainerServiceV20141113",
            Self::InstanceConnect => "AWSEC2InstanceConnectService",
            Self::Kms => "TrentService",
            Self::Quotas => "ServiceQuotasV20190624",
            Self::Ssm => "AmazonSSM",
            Self::ClassicLoadBalancing
            | Self::Ec2
            | Self::ElastiCache
            | Self::Iam
            | Self::Lambda
            | Self::LoadBalancing
            | Self::Rds
            | Self::Scaling
            | Self::Sts => return None,
        };
        Some(format!("{target}.{call}"))
    }

    /// Reads an answer; an error says what is wrong with it.
    pub(crate) fn read<A: DeserializeOwned>(self, body: &[u8]) -> Result<A, String> {
        let text = || std::str::from_utf8(body).map_err(|error| error.to_string());
        match self {
            // A call that has nothing to say may say it with nothing.
            Self::Ssm if body.is_empty() => serde_json::from_slice(b"{}").map_err(|error| error.to_string()),
            Self::CloudTrail
            | Self::Ecs
            | Self::InstanceConnect
            | Self::Kms
            | Self::Lambda
            | Self::Quotas
            | Self::Ssm => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Self::Ec2 | Self::Iam | Self::Sts => {
                quick_xml::de::from_str(text()?).map_err(|error| error.to_string())
            }
            Self::ClassicLoadBalancing
            | Self::ElastiCache
            | Self::LoadBalancing
            | Self::Rds
            | Self::Scaling => {
                let wrapped = quick_xml::de::from_str::<Wrapped<A>>(text()?);
                Ok(wrapped.map_err(|error| error.to_string())?.0)
            }
        }
    }
}

/// The name of a call as IAM has it: `ec2:DescribeSecurityGroups`.
pub(crate) fn action<O: Operation>() -> String {
    format!("{}:{}", O::SERVICE.signing_name(), O::NAME)
}
