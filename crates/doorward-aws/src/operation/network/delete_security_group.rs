//! `ec2:DeleteSecurityGroup`: deletes a security group.

use doorward_core::inventory::{Owned, SecurityGroupId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Deletes a security group that nothing has attached and no rule references.
#[derive(Debug, Clone)]
pub(crate) struct DeleteSecurityGroup(pub(crate) Owned<SecurityGroupId>);

impl Operation for DeleteSecurityGroup {
    const NAME: &'static str = "DeleteSecurityGroup";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("GroupId", self.0.id().as_str());
        Body::Form(form)
    }
}
