//! One attribute of a subnet or of a VPC is changed at a time.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>: "You can only modify one
//! attribute at a time."

use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

/// Refuses more than one attribute.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    let (subject, is_one) = match call.action.as_str() {
        "ModifySubnetAttribute" => ("SubnetId", call.service == Service::Ec2),
        "ModifyVpcAttribute" => ("VpcId", call.service == Service::Ec2),
        _ => return Ok(()),
    };
    let attributes =
        call.form.fields().filter(|(name, _)| *name != subject && name.ends_with(".Value")).count();
    if is_one && attributes > 1 {
        let message = "Only one attribute can be modified at a time.";
        return Err(refusal("InvalidParameterCombination", message));
    }
    Ok(())
}
