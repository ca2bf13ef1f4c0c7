//! These changes on an inventory, and what AWS refuses about them.

use super::super::perform::{Give, Performing, Refused, there};
use super::ScaledChange;
use crate::inventory::{
    AccountRegion, Instance, Interface, LaunchTemplate, Listener, LoadBalancer, ResourceKind, ResourceRef,
    ScalingGroup, Target, TargetGroup,
};
use crate::topology::{forget_balancer, forget_instance};

fn group_of(arn: &str) -> ResourceRef {
    ResourceRef::of(ResourceKind::TargetGroup, arn)
}

impl<G: Give> Performing<'_, G> {
    pub(in super::super) fn scaled(&mut self, change: &ScaledChange) -> Result<(), Refused> {
        match change {
            ScaledChange::CreateTargetGroup(group) => self.create_target_group(group),
            ScaledChange::ModifyTargetGroup(arn, group) => {
                let missing = || Refused::NotFound(group_of(arn.id()));
                let there = self.account.target_groups.get_mut(arn.id()).ok_or_else(missing)?;
                there.health_path.clone_from(&group.health_path);
                Ok(())
            }
            ScaledChange::CreateBalancer(balancer) => self.create_balancer(balancer),
            ScaledChange::SetSubnets(arn, balancer) => {
                for subnet in &balancer.subnets {
                    there(&self.account.subnets, subnet)?;
                }
                self.balancer(arn.id(), balancer)?.subnets.clone_from(&balancer.subnets);
                Ok(())
            }
            ScaledChange::CreateListener(arn, of) => self.create_listener(arn.id(), &of.0, &of.1),
            ScaledChange::ModifyListener(arn, of) => {
                let listeners = self.balancer(arn.id(), &of.0)?.listeners.get_or_insert_default();
                let missing = || Refused::NotFound(of.0.resource());
                let there = listeners.iter_mut().find(|it| it.port == of.1.port).ok_or_else(missing)?;
                there.target_groups.clone_from(&of.1.target_groups);
                there.certificate.clone_from(&of.1.certificate);
                Ok(())
            }
            ScaledChange::CreateTemplate { template, .. } => self.create_template(template),
            ScaledChange::CreateVersion { template, number, version, .. } => {
                for group in &version.groups {
                    there(&self.account.groups, group)?;
                }
                let missing = || Refused::NotFound(template.id().into());
                let template = self.account.launch_templates.get_mut(template.id()).ok_or_else(missing)?;
                if template.latest + 1 != *number {
                    return Err(Refused::State((&template.id).into()));
                }
                template.latest = *number;
                template.versions.insert(*number, version.as_ref().clone());
                Ok(())
            }
            ScaledChange::CreateGroup(group, launched) => self.create_group(group, launched),
            ScaledChange::ModifyGroup(_, groups) => self.modify_group(&groups.1),
            ScaledChange::DeleteGroup(account_region, name) => {
                self.group(account_region, name.id())?.is_deleting = true;
                Ok(())
            }
            ScaledChange::DeleteBalancer(arn, balancer) => {
                self.balancer(arn.id(), balancer)?;
                forget_balancer(self.account, arn.id());
                Ok(())
            }
            ScaledChange::DeleteTargetGroup(arn, group) => {
                // `ResourceInUse`
                let sends = |it: &&LoadBalancer| {
                    it.listeners.iter().flatten().any(|it| it.target_groups.contains(arn.id()))
                };
                if let Some(balancer) = self.account.load_balancers.values().find(sends) {
                    return Err(Refused::InUse { of: group.resource(), by: balancer.resource() });
                }
                let gone = self.account.target_groups.remove(arn.id());
                gone.map(drop).ok_or_else(|| Refused::NotFound(group.resource()))
            }
            ScaledChange::DeleteTemplate(id) => {
                let gone = self.account.launch_templates.remove(id.id());
                gone.map(drop).ok_or_else(|| Refused::NotFound(id.id().into()))
            }
        }
    }

    /// The ARN of what is created.
    fn new_arn(&mut self, planned: &str) -> String {
        let Some(given) = self.give.id(planned) else { return planned.to_owned() };
        self.ids.note(&planned, &given);
        given
    }

    fn create_target_group(&mut self, group: &TargetGroup) -> Result<(), Refused> {
        if let Some(vpc) = &group.vpc {
            there(&self.account.vpcs, vpc)?;
        }
        // `DuplicateTargetGroupName`
        if self.account.target_groups.values().any(|it| it.resource() == group.resource()) {
            return Err(Refused::Duplicate(group.resource()));
        }
        let group = TargetGroup { arn: self.new_arn(&group.arn), ..group.clone() };
        self.account.target_groups.insert(group.arn.clone(), group);
        Ok(())
    }

    fn balancer(&mut self, arn: &str, balancer: &LoadBalancer) -> Result<&mut LoadBalancer, Refused> {
        self.account.load_balancers.get_mut(arn).ok_or_else(|| Refused::NotFound(balancer.resource()))
    }

    fn create_balancer(&mut self, balancer: &LoadBalancer) -> Result<(), Refused> {
        for subnet in &balancer.subnets {
            there(&self.account.subnets, subnet)?;
        }
        for group in &balancer.groups {
            there(&self.account.groups, group)?;
        }
        // `InvalidSubnet`: a public one needs an internet gateway, and `ValidationError`: two subnets.
        let gateway = balancer.vpc.as_ref().and_then(|vpc| self.account.internet_gateway_of(vpc));
        if gateway.is_none() || balancer.subnets.len() < 2 {
            return Err(Refused::State(balancer.resource()));
        }
        // `DuplicateLoadBalancerName`
        if self.account.load_balancers.values().any(|it| it.resource() == balancer.resource()) {
            return Err(Refused::Duplicate(balancer.resource()));
        }
        let arn = self.new_arn(&balancer.arn);
        let balancer = LoadBalancer { arn, state: Some("provisioning".into()), ..balancer.clone() };
        self.account.load_balancers.insert(balancer.arn.clone(), balancer);
        Ok(())
    }

    fn create_listener(&mut self, arn: &str, of: &LoadBalancer, listener: &Listener) -> Result<(), Refused> {
        for group in &listener.target_groups {
            let is_there = self.account.target_groups.contains_key(group);
            is_there.then_some(()).ok_or_else(|| Refused::NotFound(group_of(group)))?;
        }
        let listeners = self.balancer(arn, of)?.listeners.get_or_insert_default();
        // `DuplicateListener`
        if listeners.iter().any(|it| it.port == listener.port) {
            return Err(Refused::Duplicate(of.resource()));
        }
        listeners.push(listener.clone());
        listeners.sort_by_key(|it| it.port);
        Ok(())
    }

    fn create_template(&mut self, template: &LaunchTemplate) -> Result<(), Refused> {
        for group in template.versions.values().flat_map(|version| &version.groups) {
            there(&self.account.groups, group)?;
        }
        // `InvalidLaunchTemplateName.AlreadyExistsException`
        let same =
            |it: &LaunchTemplate| it.name == template.name && it.account_region == template.account_region;
        if self.account.launch_templates.values().any(same) {
            return Err(Refused::Duplicate((&template.id).into()));
        }
        let mut template = template.clone();
        template.id = self.new_id(&template.id);
        self.account.launch_templates.insert(template.id.clone(), template);
        Ok(())
    }

    fn group(&mut self, account_region: &AccountRegion, name: &str) -> Result<&mut ScalingGroup, Refused> {
        let key = (account_region.clone(), name.to_owned());
        let missing =
            || Refused::NotFound(ResourceRef::named(ResourceKind::ScalingGroup, name, account_region));
        self.account.scaling_groups.get_mut(&key).ok_or_else(missing)
    }

    /// That a group can launch: from a version that exists, into subnets that exist.
    fn can_launch(&self, group: &ScalingGroup) -> Result<(), Refused> {
        for subnet in &group.subnets {
            there(&self.account.subnets, subnet)?;
        }
        for arn in &group.target_groups {
            let is_there = self.account.target_groups.contains_key(arn);
            is_there.then_some(()).ok_or_else(|| Refused::NotFound(group_of(arn)))?;
        }
        let Some((id, version)) = &group.template else { return Ok(()) };
        let template = there(&self.account.launch_templates, id)?;
        let number = template.number(version).filter(|number| template.versions.contains_key(number));
        number.map(drop).ok_or_else(|| Refused::State(id.into()))
    }

    fn create_group(
        &mut self,
        group: &ScalingGroup,
        launched: &[(Instance, Interface)],
    ) -> Result<(), Refused> {
        self.can_launch(group)?;
        let key = (group.account_region.clone(), group.name.clone());
        // `AlreadyExists`
        if self.account.scaling_groups.contains_key(&key) {
            return Err(Refused::Duplicate(group.resource()));
        }
        let mut group = group.clone();
        group.instances.clear();
        for (instance, interface) in launched {
            let (mut instance, mut interface) = (instance.clone(), interface.clone());
            instance.id = self.new_id(&instance.id);
            interface.id = self.new_id(&interface.id);
            interface.instance = Some(instance.id.clone());
            instance.interfaces = [interface.id.clone()].into();
            group.instances.insert(instance.id.clone());
            for arn in &group.target_groups {
                let Some(targets) = self.account.target_groups.get_mut(arn) else { continue };
                let (id, port) = (instance.id.to_string(), targets.port);
                let health = Some("healthy".to_owned());
                let all = targets.targets.get_or_insert_default();
                all.push(Target { id, port, health, reason: None, zone: None });
                all.sort();
            }
            self.account.interfaces.insert(interface.id.clone(), interface);
            self.account.instances.insert(instance.id.clone(), instance);
        }
        self.account.scaling_groups.insert(key, group);
        Ok(())
    }

    fn modify_group(&mut self, after: &ScalingGroup) -> Result<(), Refused> {
        self.can_launch(after)?;
        let group = self.group(&after.account_region, &after.name)?;
        if group.is_deleting {
            return Err(Refused::State(group.resource()));
        }
        *group = ScalingGroup { instances: group.instances.clone(), ..after.clone() };
        Ok(())
    }

    pub(in super::super) fn balancer_active(
        &mut self,
        account_region: &AccountRegion,
        name: &str,
    ) -> Result<(), Refused> {
        let resource = ResourceRef::named(ResourceKind::LoadBalancer, name, account_region);
        let mut all = self.account.load_balancers.values_mut();
        let balancer = all.find(|it| it.resource() == resource).ok_or(Refused::NotFound(resource))?;
        balancer.state = Some("active".into());
        Ok(())
    }

    pub(in super::super) fn group_gone(
        &mut self,
        account_region: &AccountRegion,
        name: &str,
    ) -> Result<(), Refused> {
        let key = (account_region.clone(), name.to_owned());
        let Some(group) = self.account.scaling_groups.remove(&key) else { return Ok(()) };
        if !group.is_deleting {
            return Err(Refused::State(group.resource()));
        }
        for id in &group.instances {
            forget_instance(self.account, id);
        }
        for targets in self.account.target_groups.values_mut().filter_map(|it| it.targets.as_mut()) {
            targets.retain(|it| !group.instances.iter().any(|id| id.as_str() == it.id));
        }
        Ok(())
    }
}
