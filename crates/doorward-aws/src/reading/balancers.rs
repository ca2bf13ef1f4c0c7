//! Load balancers of all generations, their listeners, their targets.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    Call, CrossZone, Listener, LoadBalancer, LoadBalancerKind, SubnetId, Tags, Target, TargetGroup, VpcId,
};

use super::{Member, Reader, Unreadable, id, ids, needed_text, tags, text};
use crate::operation::balancer::{
    AttributesAnswer, BalancerTagsShape, ClassicInstance, ClassicListenerDescription, ClassicShape,
    HealthShape, ListenerRuleShape, ListenerShape, LoadBalancerShape, TargetGroupShape,
};

impl Member for ClassicShape {
    const CALL: Call = Call::ClassicLoadBalancers;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its instances are a target group without a port, with its ARN and name.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "LoadBalancerName")?;
        let vpc: Option<VpcId> = id(self.vpc.as_deref())?;
        let arn = LoadBalancer::classic_arn(&name, &reader.account_region);
        let listener = |shape: &_| listener_of_classic(shape, &arn);
        let mut listeners: Vec<Listener> =
            self.listeners.0.iter().map(listener).collect::<Result<_, Unreadable>>()?;
        sort(&mut listeners);
        let instance = |shape: &ClassicInstance| {
            let id = needed_text(shape.id.as_ref(), "InstanceId")?;
            Ok(Target { id, port: None, health: None, reason: None, zone: None })
        };
        let mut targets: Vec<Target> =
            self.instances.0.iter().map(instance).collect::<Result<_, Unreadable>>()?;
        targets.sort();
        let group = TargetGroup {
            arn: arn.clone(),
            name: name.clone(),
            account_region: reader.account_region.clone(),
            vpc: vpc.clone(),
            protocol: String::new(),
            port: None,
            kind: "instance".to_owned(),
            preserves_client: Some(false),
            cross_zone: Some(CrossZone::AsLoadBalancer),
            health_path: None,
            targets: Some(targets),
            tags: Tags::new(),
        };
        let balancer = LoadBalancer {
            arn: arn.clone(),
            name,
            account_region: reader.account_region.clone(),
            kind: LoadBalancerKind::Classic,
            public: is_public(self.scheme.as_deref()),
            vpc,
            subnets: ids(&self.subnets.0)?,
            groups: ids(&self.groups.0)?,
            host: text(self.host.as_ref()),
            state: None,
            cross_zone: None,
            listeners: Some(listeners),
            tags: Tags::new(),
        };
        reader.keep(|inventory| &mut inventory.load_balancers, arn.clone(), balancer, PartialEq::eq)?;
        reader.keep(|inventory| &mut inventory.target_groups, arn, group, PartialEq::eq)
    }
}

fn listener_of_classic(shape: &ClassicListenerDescription, balancer: &str) -> Result<Listener, Unreadable> {
    let shape = shape.listener.as_ref().ok_or(Unreadable::Missing("Listener"))?;
    Ok(Listener {
        arn: None,
        protocol: needed_text(shape.protocol.as_ref(), "Protocol")?,
        port: shape.port.ok_or(Unreadable::Missing("LoadBalancerPort"))?,
        target_groups: BTreeSet::from([balancer.to_owned()]),
        instance_port: Some(shape.instance_port.ok_or(Unreadable::Missing("InstancePort"))?),
        certificate: None,
    })
}

impl Member for LoadBalancerShape {
    const CALL: Call = Call::LoadBalancers;

    fn named(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.arn.as_ref(), "LoadBalancerArn")?;
        let kind = match self.kind.as_deref() {
            Some("application") => LoadBalancerKind::Application,
            Some("network") => LoadBalancerKind::Network,
            Some("gateway") => LoadBalancerKind::Gateway,
            Some(other) => return Err(Unreadable::Odd("Type", other.to_owned())),
            None => return Err(Unreadable::Missing("Type")),
        };
        let subnets = self.zones.0.iter().filter_map(|zone| text(zone.subnet.as_ref()));
        let balancer = LoadBalancer {
            arn: arn.clone(),
            name: text(self.name.as_ref()).unwrap_or_default(),
            account_region: reader.account_region.clone(),
            kind,
            public: is_public(self.scheme.as_deref()),
            vpc: id(self.vpc.as_deref())?,
            subnets: ids::<SubnetId>(&subnets.collect::<Vec<_>>())?,
            groups: ids(&self.groups.0)?,
            host: text(self.host.as_ref()),
            state: self.state.as_ref().and_then(|state| text(state.code.as_ref())),
            cross_zone: None,
            listeners: None,
            tags: Tags::new(),
        };
        reader.keep(|inventory| &mut inventory.load_balancers, arn, balancer, PartialEq::eq)
    }
}

impl Member for ListenerShape {
    const CALL: Call = Call::Listeners;

    fn named(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.arn.as_ref(), "ListenerArn")?;
        let told = text(self.balancer.as_ref()).or_else(|| balancer_of(&arn));
        let balancer = told.ok_or(Unreadable::Missing("LoadBalancerArn"))?;
        // Of a Gateway Load Balancer neither is told: it takes everything, and speaks GENEVE to its targets.
        let (protocol, port) = match (text(self.protocol.as_ref()), self.port) {
            (None, None) => ("GENEVE".to_owned(), 6081),
            (protocol, port) => {
                (protocol.ok_or(Unreadable::Missing("Protocol"))?, port.ok_or(Unreadable::Missing("Port"))?)
            }
        };
        let target_groups = self.actions.0.iter().flat_map(|action| action.target_groups()).collect();
        let certificate = self.certificates.0.iter().find_map(|it| text(it.arn.as_ref()));
        let listener = Listener {
            arn: Some(arn.clone()),
            protocol,
            port,
            target_groups,
            instance_port: None,
            certificate,
        };
        let strict = reader.contradicts;
        let listeners = reader.apart.listeners.entry(balancer).or_default();
        match listeners.insert(arn.clone(), listener) {
            Some(before) if strict && listeners.get(&arn) != Some(&before) => {
                listeners.remove(&arn);
                Err(Unreadable::Contradicted)
            }
            _ => Ok(()),
        }
    }
}

/// `…:loadbalancer/app/NAME/ID` of `…:listener/app/NAME/ID/ID`.
fn balancer_of(listener: &str) -> Option<String> {
    let (balancer, _) = listener.rsplit_once('/')?;
    let (before, after) = balancer.split_once(":listener/")?;
    Some(format!("{before}:loadbalancer/{after}"))
}

impl Member for TargetGroupShape {
    const CALL: Call = Call::TargetGroups;

    fn named(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.arn.as_ref(), "TargetGroupArn")?;
        let group = TargetGroup {
            arn: arn.clone(),
            name: text(self.name.as_ref()).unwrap_or_default(),
            account_region: reader.account_region.clone(),
            vpc: id(self.vpc.as_deref())?,
            // A function has none.
            protocol: text(self.protocol.as_ref()).unwrap_or_default(),
            port: self.port,
            kind: text(self.kind.as_ref()).unwrap_or_else(|| "instance".to_owned()),
            preserves_client: None,
            cross_zone: None,
            health_path: text(self.health_path.as_ref()),
            targets: None,
            tags: Tags::new(),
        };
        reader.keep(|inventory| &mut inventory.target_groups, arn, group, PartialEq::eq)
    }
}

impl Member for BalancerTagsShape {
    const CALL: Call = Call::LoadBalancerTags;

    fn named(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.arn.as_ref(), "ResourceArn")?;
        reader.apart.tags.insert(arn, tags(&self.tags));
        Ok(())
    }
}

impl Reader {
    /// Notes that all listeners of a load balancer were told, be there any or none.
    pub(crate) fn listeners_of(&mut self, balancer: &str) {
        self.apart.listeners.entry(balancer.to_owned()).or_default();
    }

    /// Takes the rules of a listener.
    pub(crate) fn rules_of(&mut self, listener: &str, rules: &[ListenerRuleShape]) {
        let sends = rules.iter().flat_map(|rule| &rule.actions.0).flat_map(|action| action.target_groups());
        self.apart.sends.entry(listener.to_owned()).or_default().extend(sends);
    }

    /// Takes the attributes of a load balancer.
    pub(crate) fn balancer_attributes(&mut self, balancer: &str, attributes: &AttributesAnswer) {
        self.apart.cross_zone.insert(balancer.to_owned(), attributes.cross_zone());
    }

    /// Takes the attributes of a target group.
    pub(crate) fn target_group_attributes(&mut self, group: &str, attributes: &AttributesAnswer) {
        let told = (attributes.preserves_client(), attributes.cross_zone_of_targets());
        self.apart.group_attributes.insert(group.to_owned(), told);
    }

    /// Takes the targets of a target group.
    pub(crate) fn targets_of(&mut self, group: &str, shapes: &[HealthShape]) {
        let mut targets = Vec::new();
        for shape in shapes {
            match target(shape) {
                Ok(target) => targets.push(target),
                Err(why) => self.unreadable(Call::TargetHealth, Some(group), &why),
            }
        }
        targets.sort();
        let before = self.apart.targets.insert(group.to_owned(), targets);
        if self.contradicts && before.is_some_and(|before| self.apart.targets.get(group) != Some(&before)) {
            self.apart.targets.remove(group);
            self.unreadable(Call::TargetHealth, Some(group), &Unreadable::Contradicted);
        }
    }
}

fn target(shape: &HealthShape) -> Result<Target, Unreadable> {
    let target = shape.target.as_ref().ok_or(Unreadable::Missing("Target"))?;
    Ok(Target {
        id: needed_text(target.id.as_ref(), "Id")?,
        port: target.port,
        health: shape.health.as_ref().and_then(|health| text(health.state.as_ref())),
        reason: shape.health.as_ref().and_then(|health| text(health.reason.as_ref())),
        zone: text(target.zone.as_ref()),
    })
}

/// In an order of their own, since answers have none.
pub(super) fn sort(listeners: &mut [Listener]) {
    listeners.sort_by(|one, other| {
        let key = |listener: &Listener| (listener.port, listener.protocol.clone(), listener.instance_port);
        key(one).cmp(&key(other)).then_with(|| one.target_groups.cmp(&other.target_groups))
    });
}

fn is_public(scheme: Option<&str>) -> bool {
    scheme == Some("internet-facing")
}
