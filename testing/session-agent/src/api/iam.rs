//! Policies that stand in a role itself, which credentials of the role obey from then on.

use super::{Call, Failure, failure};
use crate::stand::{World, lock};

/// How many characters all policies of a role have at most, white space not counted.
const MOST: usize = 10_240;

/// `PutRolePolicy`: every role is there.
pub(super) fn put(world: &World, call: &Call<'_>, form: &[(String, String)]) -> Result<String, Failure> {
    let part = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let missing = |name: &str| failure("ValidationError", format!("{name} is missing"));
    let role = part("RoleName").ok_or_else(|| missing("RoleName"))?;
    let name = part("PolicyName").ok_or_else(|| missing("PolicyName"))?;
    let text = part("PolicyDocument").ok_or_else(|| missing("PolicyDocument"))?;
    let allowed = |text: &str, most: usize| {
        (1..=most).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
    };
    if !allowed(role, 64) || !allowed(name, 128) {
        return Err(failure(
            "ValidationError",
            "a role's name has 64 and a policy's 128 of [\\w+=,.@-] at most",
        ));
    }
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|error| failure("MalformedPolicyDocument", error.to_string()))?;
    let key = (format!("arn:aws:iam::{}:role/{role}", world.settings.account), name.to_owned());
    let mut policies = lock(&world.role_policies);
    let others = policies.iter().filter(|((of, name), _)| *of == key.0 && *name != key.1);
    if others.map(|(_, it)| it.to_string().len()).sum::<usize>() + document.to_string().len() > MOST {
        let what = format!("Maximum policy size of {MOST} bytes exceeded for role {role}");
        return Err(Failure { status: 409, code: "LimitExceeded".into(), message: what });
    }
    policies.insert(key, document);
    Ok(format!(
        "<PutRolePolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata><RequestId>{}\
         </RequestId></ResponseMetadata></PutRolePolicyResponse>",
        call.request
    ))
}
