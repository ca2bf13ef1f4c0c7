//! `ec2:ModifySecurityGroupRules`: writes descriptions anew on rules that stand.

use doorward_core::inventory::{Peer, RuleIdentity, SecurityGroupId, SecurityGroupRuleId};
use doorward_core::net::Family;

use super::{Body, Done, Operation, Service};
use crate::wire::{Form, written};

/// New descriptions: all of them, or none.
#[derive(Debug, Clone)]
pub(crate) struct ModifySecurityGroupRules {
    pub(crate) group: SecurityGroupId,
    /// The rule, what it lets through, and its new description. The call sets a rule as a whole, so what it
    /// lets through has to be said again.
    pub(crate) rules: Vec<(SecurityGroupRuleId, RuleIdentity, String)>,
}

impl Operation for ModifySecurityGroupRules {
    const NAME: &'static str = "ModifySecurityGroupRules";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("GroupId", self.group.as_str());
        for (number, (id, rule, description)) in (1..).zip(&self.rules) {
            let entry = format!("SecurityGroupRule.{number}");
            let (protocol, from, to) = written(rule.flow);
            let (field, peer) = match &rule.peer {
                Peer::Cidr(cidr) => match cidr.family() {
                    Family::V4 => ("CidrIpv4", cidr.to_string()),
                    Family::V6 => ("CidrIpv6", cidr.to_string()),
                },
                Peer::Group(group) => ("ReferencedGroupId", group.to_string()),
                Peer::PrefixList(list) => ("PrefixListId", list.to_string()),
            };
            form.put(&format!("{entry}.SecurityGroupRuleId"), id.as_str());
            let entry = format!("{entry}.SecurityGroupRule");
            form.put(&format!("{entry}.IpProtocol"), &protocol);
            form.put(&format!("{entry}.FromPort"), &from.to_string());
            form.put(&format!("{entry}.ToPort"), &to.to_string());
            form.put(&format!("{entry}.{field}"), &peer);
            form.put(&format!("{entry}.Description"), description);
        }
        Body::Form(form)
    }
}
