//! Service Quotas reports the quotas that are enforced here.
//!
//! <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html>

use bytes::Bytes;
use serde_json::{Value, json};

use crate::account::Account;
use crate::answer::{Answer, Body, Refusal};
use crate::call::Call;
use crate::settings::Quota;

/// The codes of the quotas.
const CODES: [(&str, &str, Quota, &str); 8] = [
    ("vpc", "L-F678F1CE", Quota::Vpcs, "VPCs per Region"),
    ("vpc", "L-A4707A72", Quota::InternetGateways, "Internet gateways per Region"),
    ("vpc", "L-407747CB", Quota::Subnets, "Subnets per VPC"),
    ("vpc", "L-FE5A380F", Quota::NatGateways, "NAT gateways per Availability Zone"),
    ("vpc", "L-E79EC296", Quota::SecurityGroups, "VPC security groups per Region"),
    ("vpc", "L-0EA8095F", Quota::RulesPerGroup, "Inbound or outbound rules per security group"),
    ("vpc", "L-2AFB9258", Quota::GroupsPerInterface, "Security groups per network interface"),
    ("ec2", "L-0263D0A3", Quota::Addresses, "EC2-VPC Elastic IPs"),
];

/// The others are moto's.
pub(crate) fn before(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    if call.action != "GetServiceQuota" {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let asked = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = CODES
        .iter()
        .find(|(service, code, ..)| *service == asked("ServiceCode") && *code == asked("QuotaCode"));
    Ok(known.map(|(service, code, quota, name)| {
        let body = json!({"Quota": {
            "ServiceCode": service,
            "QuotaCode": code,
            "QuotaName": name,
            "QuotaArn": format!("arn:aws:servicequotas:{}:123456789012:{service}/{code}", account.region),
            "Value": account.settings.quota(*quota),
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
        }});
        let kind = "application/x-amz-json-1.1".to_owned();
        Answer { status: 200, kind, headers: Vec::new(), body: Body::Bytes(Bytes::from(body.to_string())) }
    }))
}
