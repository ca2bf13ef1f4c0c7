//! The load balancer, the target group, the launch template and the Auto Scaling group of an environment.
//!
//! Each is found by its tags under the name that only this environment gives. What is launched from is changed by nothing here,
//! because another image or another type replaces instances that serve.

use std::collections::BTreeSet;

use super::super::draft::Draft;
use super::super::holder::groups_of_part;
use super::super::{Note, Obstacle};
use super::instance::{image, planned};
use super::{Home, purpose};
use crate::inventory::{
    CrossZone, Image, LaunchTemplate, LaunchTemplateId, LaunchTemplateVersion, Listener, LoadBalancer,
    LoadBalancerKind, PlannedId, ResourceRef, ScalingGroup, SubnetId, Tags, Target, TargetGroup, made_by,
};
use crate::topology::{Environment, EnvironmentPart, Prod, SubnetKind};

/// The parts of an environment that only the kind `prod` has.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    environment: &Environment,
    prod: &Prod,
    is_stopped: bool,
) {
    if is_taken(draft, environment) {
        return;
    }
    let (public, private) = (subnets(home, SubnetKind::Public), subnets(home, SubnetKind::Private));
    if public.len() < 2 || private.len() < 2 {
        let (environment, network) = (environment.name.clone(), home.network.name.clone());
        draft.obstacle(Obstacle::FewSubnets { environment, network });
        return;
    }
    let targets = target_group(draft, home, environment, prod);
    balancer(draft, home, environment, (prod, &targets), &public);
    let template = template(draft, home, environment);
    // Without its database nothing new is launched.
    scaling_group(draft, home, environment, (prod, &targets), (template, private), is_stopped);
}

fn subnets(home: &Home<'_>, wanted: SubnetKind) -> BTreeSet<SubnetId> {
    let of_kind = home.subnets.iter().filter(|((kind, _), _)| *kind == wanted);
    of_kind.map(|(_, subnet)| subnet.clone()).collect()
}

/// Whether `by` made something for a part.
fn is_its(draft: &Draft<'_>, tags: &Tags, environment: &Environment, part: EnvironmentPart) -> bool {
    made_by(tags, &draft.site.by) == Some(purpose(environment, part).to_string().as_str())
}

/// Reports each name of a part that something else has.
fn is_taken(draft: &mut Draft<'_>, environment: &Environment) -> bool {
    use EnvironmentPart as P;
    let (name, at) = (environment.name_of_parts(), &draft.site.account_region);
    let mut taken: Vec<ResourceRef> = Vec::new();
    let balancers = draft.actual.load_balancers.values();
    let balancers = balancers
        .filter(|it| it.name == name && it.account_region == *at && it.kind != LoadBalancerKind::Classic);
    taken.extend(
        balancers.filter(|it| !is_its(draft, &it.tags, environment, P::Balancer)).map(LoadBalancer::resource),
    );
    let groups = draft.actual.target_groups.values();
    let groups = groups.filter(|it| it.name == name && it.account_region == *at && !it.kind.is_empty());
    taken.extend(
        groups
            .filter(|it| !is_its(draft, &it.tags, environment, P::TargetGroup))
            .filter(|it| !draft.actual.load_balancers.contains_key(&it.arn))
            .map(TargetGroup::resource),
    );
    let templates = draft.actual.launch_templates.values();
    let templates = templates.filter(|it| it.name == name && it.account_region == *at);
    taken.extend(
        templates
            .filter(|it| !is_its(draft, &it.tags, environment, P::LaunchTemplate))
            .map(|it| ResourceRef::from(&it.id)),
    );
    let group = draft.actual.scaling_groups.get(&(at.clone(), name));
    taken.extend(
        group.filter(|it| !is_its(draft, &it.tags, environment, P::ScalingGroup)).map(ScalingGroup::resource),
    );
    let is_taken = !taken.is_empty();
    for resource in taken {
        draft.obstacle(Obstacle::PartTaken { environment: environment.name.clone(), resource });
    }
    is_taken
}

fn differs(draft: &mut Draft<'_>, environment: &Environment, resource: ResourceRef, how: String) {
    draft.note(Note::Differs { environment: environment.name.clone(), resource, how });
}

/// The target group; its ARN.
fn target_group(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment, prod: &Prod) -> String {
    let part = EnvironmentPart::TargetGroup;
    let mut all = draft.actual.target_groups.values();
    if let Some(group) = all.find(|it| is_its(draft, &it.tags, environment, part)) {
        if group.port != Some(prod.port) || group.protocol != "HTTP" {
            let how = format!(
                "sends {} to port {}, and HTTP to port {} is declared; that cannot be changed",
                group.protocol,
                group.port.unwrap_or_default(),
                prod.port
            );
            differs(draft, environment, group.resource(), how);
        }
        if let Some(wanted) = draft.wanted.target_groups.get_mut(&group.arn) {
            wanted.health_path = Some(prod.health.clone());
        }
        return group.arn.clone();
    }
    let (name, purpose) = (environment.name_of_parts(), purpose(environment, part));
    let group = TargetGroup {
        arn: String::planned(&format!("{purpose}:targetgroup/{name}")),
        name,
        account_region: draft.site.account_region.clone(),
        vpc: Some(home.vpc.clone()),
        protocol: "HTTP".into(),
        port: Some(prod.port),
        kind: "instance".into(),
        preserves_client: Some(false),
        cross_zone: Some(CrossZone::AsLoadBalancer),
        health_path: Some(prod.health.clone()),
        targets: Some(Vec::new()),
        tags: draft.tags(&purpose),
    };
    let arn = group.arn.clone();
    draft.wanted.target_groups.insert(arn.clone(), group);
    arn
}

fn balancer(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    environment: &Environment,
    (prod, targets): (&Prod, &String),
    public: &BTreeSet<SubnetId>,
) {
    let part = EnvironmentPart::Balancer;
    let listener = Listener {
        arn: None,
        protocol: prod.listen.protocol().into(),
        port: prod.listen.port(),
        target_groups: [targets.clone()].into(),
        instance_port: None,
        certificate: prod.listen.certificate().cloned(),
    };
    let mut all = draft.actual.load_balancers.values();
    if let Some(balancer) = all.find(|it| is_its(draft, &it.tags, environment, part)) {
        existing(draft, environment, balancer, (listener, public));
        return;
    }
    let groups = groups_of_part(draft, home.topology, environment, part, home.vpc, home.groups);
    let (name, purpose) = (environment.name_of_parts(), purpose(environment, part));
    let balancer = LoadBalancer {
        arn: String::planned(&format!("{purpose}:loadbalancer/app/{name}")),
        name,
        account_region: draft.site.account_region.clone(),
        kind: LoadBalancerKind::Application,
        public: true,
        vpc: Some(home.vpc.clone()),
        subnets: public.clone(),
        groups,
        host: None,
        state: Some("active".into()),
        cross_zone: Some(true),
        listeners: Some(vec![listener]),
        tags: draft.tags(&purpose),
    };
    draft.wanted.load_balancers.insert(balancer.arn.clone(), balancer);
}

/// A load balancer that exists gets the declared subnets and listener. Other listeners stay, and are reported.
fn existing(
    draft: &mut Draft<'_>,
    environment: &Environment,
    balancer: &LoadBalancer,
    (listener, public): (Listener, &BTreeSet<SubnetId>),
) {
    let mut told = Vec::new();
    if !balancer.public {
        told.push("is internal, and public is declared; that cannot be changed".to_owned());
    }
    if balancer.state.as_deref() == Some("failed") {
        let (resource, environment) = (balancer.resource(), environment.name.clone());
        draft.note(Note::Broken { environment, resource, state: "failed".into() });
        return;
    }
    let Some(wanted) = draft.wanted.load_balancers.get_mut(&balancer.arn) else { return };
    wanted.subnets.clone_from(public);
    if wanted.state.as_deref() == Some("provisioning") {
        wanted.state = Some("active".into());
    }
    let listeners = wanted.listeners.get_or_insert_default();
    for other in listeners.iter().filter(|it| it.port != listener.port) {
        told.push(format!(
            "listens on port {} as well, which is not declared; delete that listener if nobody uses it",
            other.port
        ));
    }
    match listeners.iter_mut().find(|it| it.port == listener.port) {
        Some(is) if is.protocol == listener.protocol => {
            is.target_groups = listener.target_groups;
            is.certificate = listener.certificate;
        }
        Some(is) => told.push(format!(
            "listens for {} on port {}, and {} is declared; delete that listener, and run the command again",
            is.protocol, is.port, listener.protocol
        )),
        None => {
            listeners.push(listener);
            listeners.sort_by_key(|it| it.port);
        }
    }
    for how in told {
        differs(draft, environment, balancer.resource(), how);
    }
}

/// The launch template, and the number of the version that is used from now on.
fn template(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment) -> (LaunchTemplateId, u64) {
    let part = EnvironmentPart::LaunchTemplate;
    let of_instances = EnvironmentPart::Instance;
    let groups = groups_of_part(draft, home.topology, environment, of_instances, home.vpc, home.groups);
    let mut all = draft.actual.launch_templates.values();
    let Some(template) = all.find(|it| is_its(draft, &it.tags, environment, part)) else {
        let purpose = purpose(environment, part);
        let id = LaunchTemplateId::planned(&purpose.to_string());
        let version = LaunchTemplateVersion {
            image: Some(image(draft, environment)),
            size: Some(environment.instance),
            profile: environment.profile.clone(),
            groups,
        };
        let template = LaunchTemplate {
            id: id.clone(),
            name: environment.name_of_parts(),
            account_region: draft.site.account_region.clone(),
            latest: 1,
            default: 1,
            versions: [(1, version)].into(),
            tags: draft.tags(&purpose),
        };
        draft.wanted.launch_templates.insert(id.clone(), template);
        return (id, 1);
    };
    let key = (draft.site.account_region.clone(), environment.name_of_parts());
    let group = draft.actual.scaling_groups.get(&key).and_then(|it| it.template.as_ref());
    let used = group.filter(|(id, _)| *id == template.id).and_then(|(_, version)| template.number(version));
    let used = used.unwrap_or(template.latest);
    let Some(version) = template.versions.get(&used) else { return (template.id.clone(), used) };
    unlike(draft, environment, template, version);
    // Whatever groups other roles added stay with the instances, but are not launched with.
    let version = LaunchTemplateVersion { groups, ..version.clone() };
    let alike = template.versions.iter().rev().find(|(_, it)| **it == version).map(|(number, _)| *number);
    let same = template.versions.get(&used) == Some(&version);
    let number = if same { used } else { alike.unwrap_or(template.latest + 1) };
    if let Some(wanted) = draft.wanted.launch_templates.get_mut(&template.id)
        && number > template.latest
    {
        wanted.latest = number;
        wanted.versions.insert(number, version);
    }
    (template.id.clone(), number)
}

/// In what new instances differ from the declaration.
fn unlike(
    draft: &mut Draft<'_>,
    environment: &Environment,
    template: &LaunchTemplate,
    version: &LaunchTemplateVersion,
) {
    const HOW: &str = "add a version to the launch template, and start an instance refresh to it";
    if let (Some(Image::Id(is)), Image::Id(should)) = (&version.image, &environment.image)
        && is != should
    {
        let how = format!("launches from {is}, and {should} is declared; {HOW}");
        differs(draft, environment, (&template.id).into(), how);
    }
    if let Some(is) = version.size.filter(|is| *is != environment.instance) {
        let how = format!("launches the type {is}, and {} is declared; {HOW}", environment.instance);
        differs(draft, environment, (&template.id).into(), how);
    }
}

fn scaling_group(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    environment: &Environment,
    (prod, targets): (&Prod, &String),
    ((template, version), private): ((LaunchTemplateId, u64), BTreeSet<SubnetId>),
    is_stopped: bool,
) {
    let key = (draft.site.account_region.clone(), environment.name_of_parts());
    if let Some(group) = draft.actual.scaling_groups.get(&key) {
        if group.is_deleting {
            let (resource, environment) = (group.resource(), environment.name.clone());
            draft.note(Note::Broken { environment, resource, state: "being deleted".into() });
        } else if let Some(wanted) = draft.wanted.scaling_groups.get_mut(&key) {
            wanted.template = Some((template, version.to_string()));
            (wanted.min, wanted.max) = (prod.min, prod.max);
            wanted.subnets = private;
            wanted.target_groups.insert(targets.clone());
            (wanted.checks_balancer, wanted.grace) = (true, Prod::GRACE);
        }
        return;
    }
    if is_stopped {
        return;
    }
    let purpose = purpose(environment, EnvironmentPart::ScalingGroup);
    let in_turn = private.iter().cycle().take(usize::try_from(prod.min).unwrap_or(usize::MAX));
    let of_instances = super::purpose(environment, EnvironmentPart::Instance);
    let mut instances = BTreeSet::new();
    for (number, subnet) in (1..).zip(in_turn.cloned().collect::<Vec<_>>()) {
        instances.extend(planned(draft, home, environment, &format!("{of_instances}/{number}"), subnet));
    }
    if let Some(wanted) = draft.wanted.target_groups.get_mut(targets) {
        let target = |id: &crate::inventory::InstanceId| Target {
            id: id.to_string(),
            port: Some(prod.port),
            health: Some("healthy".into()),
            reason: None,
            zone: None,
        };
        let all = wanted.targets.get_or_insert_default();
        all.extend(instances.iter().map(target));
        all.sort();
    }
    let group = ScalingGroup {
        name: key.1.clone(),
        account_region: key.0.clone(),
        template: Some((template, version.to_string())),
        min: prod.min,
        max: prod.max,
        desired: prod.min,
        subnets: private,
        target_groups: [targets.clone()].into(),
        checks_balancer: true,
        grace: Prod::GRACE,
        instances,
        is_deleting: false,
        tags: draft.tags(&purpose),
    };
    draft.wanted.scaling_groups.insert(key, group);
}
