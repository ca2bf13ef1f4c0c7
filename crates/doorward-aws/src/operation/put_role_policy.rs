//! `iam:PutRolePolicy`: a policy that stands in a role itself.

use super::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Puts a policy into a role, in place of the one of that name. All of them together have 10,240 characters at most.
#[derive(Debug, Clone)]
pub(crate) struct PutRolePolicy {
    /// The role's name, without its path.
    pub(crate) role: String,
    pub(crate) name: String,
    /// In JSON.
    pub(crate) document: String,
}

impl Operation for PutRolePolicy {
    const NAME: &'static str = "PutRolePolicy";
    const SERVICE: Service = Service::Iam;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("RoleName", &self.role);
        form.put("PolicyName", &self.name);
        form.put("PolicyDocument", &self.document);
        Body::Form(form)
    }
}
