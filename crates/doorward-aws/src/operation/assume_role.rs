//! `sts:AssumeRole`: short-lived credentials of a role, held to less than the role may.

use serde::Deserialize;

use super::{Body, Operation, Service};
use crate::wire::Form;

/// Assumes a role under a name.
#[derive(Debug, Clone)]
pub(crate) struct AssumeRole {
    pub(crate) role: String,
    pub(crate) session_name: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) seconds: u32,
    pub(crate) tags: Vec<(String, String)>,
}

impl Operation for AssumeRole {
    const NAME: &'static str = "AssumeRole";
    const SERVICE: Service = Service::Sts;
    type Answer = AssumedAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("RoleArn", &self.role);
        form.put("RoleSessionName", &self.session_name);
        form.put("DurationSeconds", &self.seconds.to_string());
        if let Some(identity) = &self.source_identity {
            form.put("SourceIdentity", identity);
        }
        if let Some(policy) = &self.policy {
            form.put("Policy", policy);
        }
        for (number, (key, value)) in (1..).zip(&self.tags) {
            form.put(&format!("Tags.member.{number}.Key"), key);
            form.put(&format!("Tags.member.{number}.Value"), value);
        }
        Body::Form(form)
    }
}

/// `AssumeRoleResponse`
#[derive(Debug, Deserialize)]
pub(crate) struct AssumedAnswer {
    #[serde(rename = "AssumeRoleResult")]
    pub(crate) result: AssumedShape,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AssumedShape {
    #[serde(rename = "Credentials")]
    pub(crate) credentials: CredentialsShape,
}

/// Its `Debug` shows the id alone.
#[derive(Deserialize)]
pub(crate) struct CredentialsShape {
    #[serde(rename = "AccessKeyId")]
    pub(crate) id: String,
    #[serde(rename = "SecretAccessKey")]
    pub(crate) secret: String,
    #[serde(rename = "SessionToken")]
    pub(crate) token: String,
    #[serde(rename = "Expiration")]
    pub(crate) until: jiff::Timestamp,
}

impl std::fmt::Debug for CredentialsShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialsShape").field("id", &self.id).finish_non_exhaustive()
    }
}
