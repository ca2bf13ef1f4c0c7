//! The name and the description of a security group have an alphabet and a length.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>: up to 255 characters in length;
//! a-z, A-Z, 0-9, spaces, and `._-:/()#,@[]+=&;{}!$*`; the name cannot start with `sg-`. The description of a rule:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html>.

use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

/// Refuses what AWS would refuse.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    if call.is(Service::Ec2, "CreateSecurityGroup") {
        let name = call.form.get("GroupName").unwrap_or_default();
        if name.starts_with("sg-") {
            let message = format!("Invalid group name '{name}'. Group names may not be in the format sg-*.");
            return Err(refusal("InvalidParameterValue", message));
        }
        in_alphabet("groupName", name)?;
        in_alphabet("GroupDescription", call.form.get("GroupDescription").unwrap_or_default())?;
    }
    let has_rules = call.action.contains("SecurityGroup") && call.form.has("IpPermissions");
    for (name, value) in call.form.fields().filter(|(name, _)| has_rules && name.ends_with(".Description")) {
        in_alphabet(name, value)?;
    }
    Ok(())
}

fn in_alphabet(what: &str, text: &str) -> Result<(), Refusal> {
    let is_in = |letter: char| letter.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(letter);
    if text.len() > 255 || !text.chars().all(is_in) {
        let message = format!(
            "Invalid value '{text}' for {what}. Character sets beyond ASCII are not supported, and the length is at most \
             255 characters."
        );
        return Err(refusal("InvalidParameterValue", message));
    }
    Ok(())
}
