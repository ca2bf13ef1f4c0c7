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

/// Asks whether inbound rules of a group may be taken away, and takes none: a dry run, of a rule that nobody has.
#[derive(Debug, Clone)]
pub(crate) struct MayRevokeIngress(pub(crate) SecurityGroupId);

impl MayRevokeIngress {
    /// What a dry run answers where it would have been done (EC2 API reference, "Error codes").
    pub(crate) const WOULD: &'static str = "DryRunOperation";
}

impl Operation for MayRevokeIngress {
    const NAME: &'static str = RevokeIngress::NAME;
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("DryRun", "true");
        form.put("GroupId", self.0.as_str());
        form.put("SecurityGroupRuleId.1", "sgr-00000000000000000");
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
