//! Calls that moto lacks, for features that no test uses: an account that does not use them answers with nothing, and VPC Block
//! Public Access is off.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcBlockPublicAccessOptions.html> (`off` is the default),
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcBlockPublicAccessExclusions.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusterEndpoints.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBProxyEndpoints.html>
//!
//! moto's own answer is HTTP 500, which a client repeats after pauses.

use crate::account::Account;
use crate::answer::Answer;
use crate::call::{Call, Service};
use crate::xml::Element;

pub(super) fn before(account: &Account, call: &Call) -> Option<Answer> {
    let nothing = |list: &str| vec![Element::with(list, Vec::new())];
    let children = match (call.service, call.action.as_str()) {
        (Service::Ec2, "DescribeVpcBlockPublicAccessOptions") => {
            let options = vec![
                Element::with_text("awsAccountId", "123456789012"),
                Element::with_text("awsRegion", account.region.as_str()),
                Element::with_text("state", "default-state"),
                Element::with_text("internetGatewayBlockMode", "off"),
                Element::with_text("exclusionsAllowed", "allowed"),
            ];
            vec![Element::with("vpcBlockPublicAccessOptions", options)]
        }
        (Service::Ec2, "DescribeVpcBlockPublicAccessExclusions") => {
            nothing("vpcBlockPublicAccessExclusionSet")
        }
        (Service::Rds, "DescribeDBClusterEndpoints") => nothing("DBClusterEndpoints"),
        (Service::Rds, "DescribeDBProxyEndpoints") => nothing("DBProxyEndpoints"),
        _ => return None,
    };
    Some(Answer::of(call, children))
}
