//! `ec2:RevokeSecurityGroupIngress` and `…Egress`: takes rules away, by their ids or by what they let through.

use doorward_core::inventory::{SecurityGroupId, SecurityGroupRuleId};

use super::permission::{Permission, write};
use super::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Takes inbound rules away: all of them, or none.
#[derive(Debug, Clone)]
pub(crate) struct RevokeIngress {
    pub(crate) group: SecurityGroupId,
    pub(crate) ids: Vec<SecurityGroupRuleId>,
    /// For when no id is known, because nothing could be described.
    pub(crate) rules: Vec<Permission>,
}

/// Takes outbound rules away: all of them, or none.
#[derive(Debug, Clone)]
pub(crate) struct RevokeEgress(pub(crate) RevokeIngress);

impl Operation for RevokeIngress {
    const NAME: &'static str = "RevokeSecurityGroupIngress";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("GroupId", self.group.as_str());
        for (number, id) in (1..).zip(&self.ids) {
            form.put(&format!("SecurityGroupRuleId.{number}"), id.as_str());
        }
        write(&mut form, &self.rules);
        Body::Form(form)
    }
}

impl Operation for RevokeEgress {
    const NAME: &'static str = "RevokeSecurityGroupEgress";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        self.0.body()
    }
}
