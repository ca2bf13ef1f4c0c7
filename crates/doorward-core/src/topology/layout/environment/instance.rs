//! The instance of an environment of the kind `dev`, and what the instances of others are launched with.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::super::draft::Draft;
use super::super::holder::groups_of_part;
use super::super::{Note, Obstacle};
use super::{Home, purpose};
use crate::inventory::{
    Image, Instance, InstanceId, Interface, InterfaceAddress, InterfaceId, Inventory, PlannedId, SubnetId,
};
use crate::net::Cidr;
use crate::topology::{Environment, EnvironmentPart, EnvironmentParts, SubnetKind};

/// The instance of an environment: the one that exists, or a new one.
pub(super) fn lay_out(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment, is_stopped: bool) {
    let Some(instance) = EnvironmentParts::of(environment, draft.actual, &draft.site.by).instance else {
        if !is_stopped {
            create(draft, home, environment);
        }
        return;
    };
    if matches!(instance.state.as_str(), "running" | "pending") {
        in_state(draft, instance, "running");
    } else {
        let part = EnvironmentPart::Instance;
        draft.note(Note::Stopped { environment: environment.name.clone(), part, snapshot: None });
    }
    existing(draft, environment, instance);
}

/// An instance that is to have a state.
pub(super) fn in_state(draft: &mut Draft<'_>, instance: &Instance, state: &str) {
    if let Some(wanted) = draft.wanted.instances.get_mut(&instance.id) {
        wanted.state = state.into();
    }
}

/// An instance that exists is kept, although it may differ from its declaration.
pub(super) fn existing(draft: &mut Draft<'_>, environment: &Environment, instance: &Instance) {
    draft.keep(&instance.id);
    let name = environment.name.clone();
    let mut differ = |how: String| {
        draft.note(Note::Differs { environment: name.clone(), resource: (&instance.id).into(), how });
    };
    if let (Some(Image::Id(is)), Image::Id(should)) = (&instance.image, &environment.image)
        && is != should
    {
        differ(format!(
            "was launched from {is}, and {should} is declared; terminate it, and `doorward apply` launches another"
        ));
    }
    if let Some(is) = instance.size.filter(|is| *is != environment.instance) {
        differ(format!(
            "has the type {is}, and {} is declared; change it while it is stopped",
            environment.instance
        ));
    }
}

pub(super) fn create(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment) {
    let purpose = purpose(environment, EnvironmentPart::Instance);
    let private = home.subnets.iter().find(|((kind, _), _)| *kind == SubnetKind::Private);
    let Some(subnet) = private.map(|(_, subnet)| subnet.clone()) else {
        let (environment, network) = (environment.name.clone(), home.network.name.clone());
        draft.obstacle(Obstacle::FewSubnets { environment, network });
        return;
    };
    planned(draft, home, environment, &purpose.to_string(), subnet);
}

/// An instance that is to be launched in a subnet, by the text that its planned id has.
pub(super) fn planned(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    environment: &Environment,
    text: &str,
    subnet: SubnetId,
) -> Option<InstanceId> {
    let purpose = purpose(environment, EnvironmentPart::Instance);
    let Some(address) = free_address(&draft.wanted, &subnet) else {
        draft.obstacle(Obstacle::NoAddress { environment: environment.name.clone(), subnet });
        return None;
    };
    let part = EnvironmentPart::Instance;
    let groups = groups_of_part(draft, home.topology, environment, part, home.vpc, home.groups);
    let id = InstanceId::planned(text);
    draft.keep(&id);
    let tags = draft.tags(&purpose);
    let interface = Interface {
        id: InterfaceId::planned(&format!("{text}/interface")),
        vpc: home.vpc.clone(),
        subnet,
        groups,
        addresses: vec![InterfaceAddress { address: IpAddr::V4(address), public: None }],
        prefixes: BTreeSet::new(),
        source_dest_check: true,
        kind: "interface".into(),
        requester: None,
        description: String::new(),
        instance: Some(id.clone()),
        attached: true,
        tags: tags.clone(),
    };
    let instance = Instance {
        id: id.clone(),
        account_region: draft.site.account_region.clone(),
        state: "running".into(),
        interfaces: [interface.id.clone()].into(),
        platform: None,
        image: Some(image(draft, environment)),
        size: Some(environment.instance),
        profile: environment.profile.clone(),
        tags,
    };
    draft.wanted.interfaces.insert(interface.id.clone(), interface);
    draft.wanted.instances.insert(id.clone(), instance);
    Some(id)
}

/// The image of an environment, by its ID if the parameter that names it was read.
pub(super) fn image(draft: &Draft<'_>, environment: &Environment) -> Image {
    match &environment.image {
        Image::Parameter(name) => match draft.site.images.get(name) {
            Some(id) => Image::Id(id.clone()),
            None => environment.image.clone(),
        },
        id @ Image::Id(_) => id.clone(),
    }
}

/// An address that nothing in a subnet has. EC2 chooses another, but one that is like it for routes, ACLs and groups. The
/// first four and the last one are AWS's (VPC user guide, "Subnet CIDR blocks").
fn free_address(inventory: &Inventory, subnet: &SubnetId) -> Option<Ipv4Addr> {
    let cidrs = &inventory.subnets.get(subnet)?.cidrs;
    let first = cidrs.iter().find_map(|cidr| match cidr.address() {
        IpAddr::V4(first) => Some((*cidr, u32::from(first))),
        IpAddr::V6(_) => None,
    });
    let (cidr, first): (Cidr, u32) = first?;
    let last = first | u32::MAX.checked_shr(cidr.bits().into()).unwrap_or_default();
    let there: Vec<&Interface> = inventory.interfaces.values().filter(|it| it.subnet == *subnet).collect();
    (first.checked_add(4)?..last)
        .map(Ipv4Addr::from)
        .find(|address| !there.iter().any(|it| it.has(IpAddr::V4(*address))))
}
