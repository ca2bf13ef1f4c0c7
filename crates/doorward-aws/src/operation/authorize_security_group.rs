//! `ec2:AuthorizeSecurityGroupIngress` and `…Egress`: adds rules, with their tag in the same call.

use doorward_core::firewall::{InstallationId, Mark};
use doorward_core::inventory::SecurityGroupId;

use super::permission::{Permission, write};
use super::{Authorized, Body, Operation, Service};
use crate::wire::Form;

/// Adds inbound rules: all of them, or none.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizeIngress {
    pub(crate) group: SecurityGroupId,
    pub(crate) rules: Vec<Permission>,
    pub(crate) by: InstallationId,
}

/// Adds outbound rules: all of them, or none.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizeEgress(pub(crate) AuthorizeIngress);

impl Operation for AuthorizeIngress {
    const NAME: &'static str = "AuthorizeSecurityGroupIngress";
    const SERVICE: Service = Service::Ec2;
    type Answer = Authorized;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("GroupId", self.group.as_str());
        write(&mut form, &self.rules);
        form.put("TagSpecification.1.ResourceType", "security-group-rule");
        form.put("TagSpecification.1.Tag.1.Key", Mark::TAG);
        form.put("TagSpecification.1.Tag.1.Value", self.by.as_str());
        Body::Form(form)
    }
}

impl Operation for AuthorizeEgress {
    const NAME: &'static str = "AuthorizeSecurityGroupEgress";
    const SERVICE: Service = Service::Ec2;
    type Answer = Authorized;

    fn body(&self) -> Body {
        self.0.body()
    }
}
