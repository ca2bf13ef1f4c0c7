//! A network interface has at most so many security groups.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>, *Security groups per network interface*;
//! `SecurityGroupsPerInterfaceLimitExceeded` of
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.

use super::within;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::Call;
use crate::settings::Quota;

pub(super) fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let lists = match call.action.as_str() {
        "CreateNetworkInterface" | "ModifyNetworkInterfaceAttribute" => {
            vec![call.form.list("SecurityGroupId")]
        }
        "ModifyInstanceAttribute" => vec![call.form.list("GroupId")],
        "RunInstances" => {
            let interfaces = call.form.parts("NetworkInterface");
            let mut lists: Vec<_> = interfaces.iter().map(|it| it.list("SecurityGroupId")).collect();
            lists.push(call.form.list("SecurityGroupId"));
            lists
        }
        _ => return Ok(()),
    };
    let most = lists.iter().map(Vec::len).max().unwrap_or(0);
    let what = "The maximum number of security groups per interface";
    within(account, Quota::GroupsPerInterface, most, "SecurityGroupsPerInterfaceLimitExceeded", what)
}
