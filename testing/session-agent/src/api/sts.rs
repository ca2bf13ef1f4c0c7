//! Who calls, and roles: credentials that are vended here are known here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Call, Failure, failure, xml};
use crate::settings::Credential;
use crate::stand::{World, lock};
use crate::uuid::{Uuid, hex};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// `GetCallerIdentity`.
pub(super) fn identity(world: &World, call: &Call<'_>) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn>\
         <UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}\
         </RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        xml(&call.who.arn),
        xml(&call.who.user_id()),
        world.settings.account,
        call.request
    )
}

/// `AssumeRole`: every role is there and trusts everybody. The session policy is kept and obeyed.
pub(super) fn assume(world: &World, call: &Call<'_>, form: &[(String, String)]) -> Result<String, Failure> {
    let part = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let missing = |name: &str| failure("ValidationError", format!("{name} is missing"));
    let role = part("RoleArn").ok_or_else(|| missing("RoleArn"))?;
    let name = part("RoleSessionName").ok_or_else(|| missing("RoleSessionName"))?;
    let allowed = |it: &str| {
        (2..=64).contains(&it.len())
            && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
    };
    let source_identity = part("SourceIdentity");
    if !allowed(name) || source_identity.is_some_and(|it| !allowed(it)) {
        return Err(failure("ValidationError", "a session's name has 2 to 64 of [\\w+=,.@-]"));
    }
    let seconds = match part("DurationSeconds").map(str::parse::<i64>) {
        None => 3600,
        Some(Ok(seconds @ 900..=43_200)) => seconds,
        Some(_) => return Err(failure("ValidationError", "DurationSeconds is 900 to 43200")),
    };
    let policy = match part("Policy") {
        None => None,
        Some(text) if text.len() > 2048 => {
            return Err(failure("PackedPolicyTooLarge", "the policy is too long"));
        }
        Some(text) => Some(
            serde_json::from_str(text)
                .map_err(|error| failure("MalformedPolicyDocument", error.to_string()))?,
        ),
    };
    let (account, role_name) = role
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split_once(":role/"))
        .map(|(account, path)| (account, path.rsplit('/').next().unwrap_or(path)))
        .ok_or_else(|| failure("ValidationError", format!("{role} is no role")))?;
    let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
    let random = || hex(&Uuid::random().0);
    let vended = Credential {
        access_key: format!("ASIA{}", random().to_uppercase().get(..16).unwrap_or_default()),
        secret: format!("{}{}", random(), random()).get(..40).unwrap_or_default().to_owned(),
        token: Some(format!("{}{}{}", random(), random(), random())),
        arn: format!("arn:aws:sts::{account}:assumed-role/{role_name}/{name}"),
        policy,
        tags: tags(form),
        issued: Some(Timestamp::now()),
        source_identity: source_identity.map(str::to_owned),
        expires: Some(expires),
    };
    let answer = format!(
        "<AssumeRoleResponse xmlns=\"{NAMESPACE}\"><AssumeRoleResult><AssumedRoleUser><Arn>{arn}</Arn>\
         <AssumedRoleId>{id}</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>{source}\
         </AssumeRoleResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></AssumeRoleResponse>",
        arn = xml(&vended.arn),
        id = xml(&vended.user_id()),
        key = vended.access_key,
        secret = vended.secret,
        token = vended.token.as_deref().unwrap_or_default(),
        expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        source =
            source_identity.map(|it| format!("<SourceIdentity>{it}</SourceIdentity>")).unwrap_or_default(),
        request = call.request,
    );
    lock(&world.credentials).push(vended);
    Ok(answer)
}

/// `Tags.member.N.Key` and `.Value`.
fn tags(form: &[(String, String)]) -> BTreeMap<String, String> {
    let part = |name: String| form.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let tag = |number: usize| {
        let of = |what: &str| part(format!("Tags.member.{number}.{what}"));
        Some((of("Key")?, of("Value").unwrap_or_default()))
    };
    (1..).map_while(tag).collect()
}
