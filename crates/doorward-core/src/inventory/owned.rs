//! The right to change or destroy what a Doorward made: it is proven by the resource itself.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{
    Database, DatabaseSnapshot, EgressOnlyGateway, EgressOnlyGatewayId, ElasticAddress, Endpoint, EndpointId,
    ExistingRule, Instance, InstanceId, InternetGateway, InternetGatewayId, LaunchTemplate, LaunchTemplateId,
    LoadBalancer, NatGateway, NatGatewayId, Ownership, PlannedId, RouteTable, RouteTableId, ScalingGroup,
    SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Subnet, SubnetGroup, SubnetId, Tags, TargetGroup,
    Vpc, VpcId,
};
use crate::mark::Mark;
use crate::name::{InstallationId, NetworkName};

/// The id of something that a Doorward made: what destroys takes only this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned<Id>(Id);

impl<Id> Owned<Id> {
    /// The right to it. Only what proves it, a mark or the tags of the resource, may call this.
    pub(super) fn proven(id: Id) -> Self {
        Self(id)
    }

    /// The id.
    pub fn id(&self) -> &Id {
        &self.0
    }
}

impl<Id: PlannedId> Owned<Id> {
    /// The same right to what AWS made of a planned resource. The id of a resource that exists is never exchanged.
    pub fn given(self, id: Id) -> Self {
        if self.0.is_planned() { Self(id) } else { self }
    }
}

/// What a resource is for, as its tag says, if its tags say that `by` made it.
///
/// Both tags are needed: one of them alone is copied easily, as by a launch template or a resource group's default tags.
pub fn made_by<'t>(tags: &'t Tags, by: &InstallationId) -> Option<&'t str> {
    let ours = tags.get(Mark::TAG).is_some_and(|tag| tag == by.as_str());
    tags.get(Mark::PART_TAG).filter(|_| ours).map(String::as_str)
}

macro_rules! owned {
    ($($kind:ident $id:ident $field:ident,)*) => {
        $(impl $kind {
            /// The right to change and to destroy it, if its tags say that `by` made it.
            pub fn owned(&self, by: &InstallationId) -> Option<Owned<$id>> {
                made_by(&self.tags, by).map(|_| Owned(self.$field.clone()))
            }
        })*
    };
}

owned! {
    Vpc VpcId id,
    Subnet SubnetId id,
    RouteTable RouteTableId id,
    InternetGateway InternetGatewayId id,
    EgressOnlyGateway EgressOnlyGatewayId id,
    NatGateway NatGatewayId id,
    Endpoint EndpointId id,
    Instance InstanceId id,
    Database String name,
    DatabaseSnapshot String name,
    ElasticAddress Ipv4Addr public,
    SecurityGroup SecurityGroupId id,
    LaunchTemplate LaunchTemplateId id,
    ScalingGroup String name,
    LoadBalancer String arn,
    TargetGroup String arn,
}

impl SecurityGroup {
    /// The right to take a rule out of a group that `by` made, whoever added the rule.
    ///
    /// Rules with the mark of a grant or a static list are left to the reconciler, as are those whose ids a store has noted,
    /// and rules of another installation to that one.
    pub fn owned_rule(
        &self,
        rule: &ExistingRule,
        by: &InstallationId,
        noted: &BTreeSet<SecurityGroupRuleId>,
    ) -> Option<Owned<SecurityGroupRuleId>> {
        self.owned(by)?;
        let free = match rule.ownership() {
            Ownership::Foreign | Ownership::TagOnly(_) => true,
            Ownership::Marked(mark) | Ownership::MarkOnly(mark) => {
                mark.by == *by && mark.because.is_declared()
            }
        };
        rule.id.clone().filter(|id| free && !noted.contains(id)).map(Owned)
    }
}

impl SubnetGroup {
    /// The name of the DB subnet group that `by` makes for a network. RDS tells no tags with its subnet groups, and stores
    /// names in lower case.
    pub fn owned_name(by: &InstallationId, network: &NetworkName) -> String {
        format!("doorward-{by}-{network}").to_lowercase()
    }

    /// The right to change and to destroy it, if its name is one that `by` gives.
    pub fn owned(&self, by: &InstallationId) -> Option<Owned<String>> {
        self.name.starts_with(&format!("doorward-{by}-")).then(|| Owned(self.name.clone()))
    }
}

#[cfg(test)]
impl<Id: super::digest::Samples> super::digest::Samples for Owned<Id> {
    fn samples() -> Vec<Self> {
        super::digest::built(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tags_prove_who_made_it() {
        let by = InstallationId::from_random([7; 4]);
        let check = |tags: &[(&str, &str)], expected: Option<&str>| {
            let tags: Tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            assert_eq!(made_by(&tags, &by), expected, "{tags:?}");
        };
        check(&[("doorward", "07070707"), ("doorward:part", "main/vpc")], Some("main/vpc"));
        check(&[("doorward", "07070707")], None);
        check(&[("doorward:part", "main/vpc")], None);
        check(&[("doorward", "08080808"), ("doorward:part", "main/vpc")], None);
        check(&[], None);
    }

    #[test]
    fn a_right_to_what_exists_is_no_right_to_another() {
        let planned = Owned(SubnetId::planned("main/public-subnet/euw1-az1"));
        let real: SubnetId = "subnet-0a".parse().expect("an id");
        let other: SubnetId = "subnet-0b".parse().expect("an id");
        let given = planned.given(real.clone());
        assert_eq!(given.id(), &real);
        assert_eq!(given.given(other).id(), &real);
    }

    #[test]
    fn a_rule_in_a_group_of_ours_is_ours_unless_it_is_a_grants() {
        let by = InstallationId::from_random([7; 4]);
        let check = |tagged: bool, description: &str, noted: bool, expected: bool| {
            let tags = [(Mark::TAG, "07070707"), (Mark::PART_TAG, "main/role/db")];
            let tags = tags.iter().filter(|_| tagged);
            let group = SecurityGroup {
                id: "sg-0a".parse().expect("an id"),
                account_region: super::super::AccountRegion::default(),
                owner: None,
                vpc: None,
                name: "db".into(),
                about: String::new(),
                tags: tags.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
                rules: Default::default(),
            };
            let id = SecurityGroupRuleId::numbered(1);
            let rule = ExistingRule { id: Some(id.clone()), description: description.into(), tag: None };
            let noted = noted.then_some(id).into_iter().collect();
            assert_eq!(group.owned_rule(&rule, &by, &noted).is_some(), expected, "{description}");
        };
        check(true, "mine", false, true);
        check(true, "doorward 07070707 role db", false, true);
        check(true, "doorward 08080808 role db", false, false);
        check(true, "doorward 07070707 static office", false, false);
        check(true, "mine", true, false);
        check(false, "mine", false, false);
        check(false, "doorward 07070707 role db", false, false);
    }
}
