//! Network interfaces, the instances that tell of them, and elastic addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use doorward_core::inventory::{
    AnsweredId, Call, ElasticAddress, Image, Instance, InstanceId, Interface, InterfaceAddress, InterfaceId,
    Inventory,
};

use super::{Member, Reader, Unreadable, address, cidr, id, needed, tags, text};
use crate::operation::{
    AddressShape, GroupRefShape, InstanceShape, InterfaceShape, PrivateShape, PublicShape, ReservationShape,
};
use crate::wire::List;

/// What was told of interfaces by others than themselves.
#[derive(Debug, Default)]
pub(super) struct InterfaceSources {
    /// By the instances that they are attached to.
    interfaces: BTreeMap<InterfaceId, Interface>,
    /// Instances that told of an address and not of the interface that has it.
    bare: BTreeMap<InstanceId, Interface>,
    /// Elastic addresses by the instance and the private address that they stand for.
    by_instance: BTreeMap<(InstanceId, Ipv4Addr), Ipv4Addr>,
}

impl Member for InterfaceShape {
    const CALL: Call = Call::Interfaces;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let interface = interface(self)?;
        reader.keep(|inventory| &mut inventory.interfaces, interface.id.clone(), interface, PartialEq::eq)
    }
}

impl Member for ReservationShape {
    const CALL: Call = Call::Instances;

    fn named(&self) -> Option<&str> {
        None
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        reader.take(&self.instances.0);
        Ok(())
    }
}

impl Member for InstanceShape {
    const CALL: Call = Call::Instances;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let state = self.state.as_ref().and_then(|state| state.name.clone()).unwrap_or_default();
        // It stays in answers for an hour after it is gone.
        if state == "terminated" {
            return Ok(());
        }
        let mut instance = Instance {
            id: needed(self.id.as_deref(), "InstanceId")?,
            account_region: reader.account_region.clone(),
            state,
            interfaces: Default::default(),
            platform: text(self.platform.as_ref()),
            image: id(self.image.as_deref())?.map(Image::Id),
            size: text(self.size.as_ref()).and_then(|size| size.parse().ok()),
            profile: self.profile.as_ref().and_then(|it| text(it.arn.as_ref())).map(|arn| name_of(&arn)),
            tags: tags(&self.tags),
        };
        for shape in &self.interfaces.0 {
            match interface(shape) {
                Ok(mut interface) => {
                    interface.instance = Some(instance.id.clone());
                    interface.attached = true;
                    // Recordings that were made anonymous give several interfaces one id.
                    if reader.interfaces.is_another(&interface) {
                        interface.id = derived(&instance)?;
                    }
                    instance.interfaces.insert(interface.id.clone());
                    reader.interfaces.interfaces.insert(interface.id.clone(), interface);
                }
                Err(why) => {
                    let what = shape.id.as_deref().unwrap_or("an interface");
                    reader.unreadable(Self::CALL, Some(&format!("{what} of {}", instance.id)), &why);
                }
            }
        }
        if self.interfaces.0.is_empty() {
            match bare(self, &instance) {
                Ok(Some(interface)) => {
                    reader.interfaces.bare.insert(instance.id.clone(), interface);
                }
                Ok(None) => {}
                Err(why) => reader.unreadable(Self::CALL, self.id.as_deref(), &why),
            }
        }
        reader.keep(|inventory| &mut inventory.instances, instance.id.clone(), instance, PartialEq::eq)
    }
}

impl Member for AddressShape {
    const CALL: Call = Call::Addresses;

    fn named(&self) -> Option<&str> {
        self.public.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let own: Ipv4Addr = address(self.public.as_deref())?.ok_or(Unreadable::Missing("PublicIp"))?;
        let private: Option<Ipv4Addr> = address(self.private.as_deref())?;
        let interface = id(self.interface.as_deref())?;
        if let (None, Some(private), Some(instance)) = (&interface, private, id(self.instance.as_deref())?) {
            reader.interfaces.by_instance.insert((instance, private), own);
        }
        let allocation = id(self.allocation.as_deref())?;
        let address = ElasticAddress { public: own, allocation, private, interface, tags: tags(&self.tags) };
        reader.keep(|inventory| &mut inventory.elastic_addresses, own, address, PartialEq::eq)
    }
}

impl InterfaceSources {
    /// Whether another instance told of an interface of the same id and other addresses.
    fn is_another(&self, interface: &Interface) -> bool {
        let known = self.interfaces.get(&interface.id);
        known.is_some_and(|known| {
            known.instance != interface.instance && known.addresses != interface.addresses
        })
    }

    /// Puts together what interfaces, instances and elastic addresses told of each other.
    pub(super) fn finish(self, inventory: &mut Inventory) {
        for (id, told) in self.interfaces {
            let described = inventory.interfaces.entry(id).or_insert_with(|| told.clone());
            described.instance = described.instance.take().or(told.instance);
        }
        let mut carried: BTreeMap<&InstanceId, Vec<&InterfaceId>> = BTreeMap::new();
        for interface in inventory.interfaces.values() {
            if let Some(instance) = &interface.instance {
                carried.entry(instance).or_default().push(&interface.id);
            }
        }
        for (id, instance) in &mut inventory.instances {
            instance.interfaces.extend(carried.remove(id).into_iter().flatten().cloned());
        }
        for (id, interface) in self.bare {
            if let Some(instance) = inventory.instances.get_mut(&id)
                && instance.interfaces.is_empty()
            {
                instance.interfaces.insert(interface.id.clone());
                inventory.interfaces.entry(interface.id.clone()).or_insert(interface);
            }
        }
        for ((instance, private), public) in self.by_instance {
            let mut interfaces = inventory.interfaces.values();
            let interface = interfaces.find(|interface| {
                interface.instance.as_ref() == Some(&instance) && interface.has(IpAddr::V4(private))
            });
            if let Some(elastic) = inventory.elastic_addresses.get_mut(&public) {
                elastic.interface = interface.map(|interface| interface.id.clone());
            }
        }
        for elastic in inventory.elastic_addresses.values() {
            let interface = elastic.interface.as_ref().and_then(|id| inventory.interfaces.get_mut(id));
            let own = interface.into_iter().flat_map(|interface| &mut interface.addresses);
            for address in own.filter(|own| elastic.private.map(IpAddr::V4) == Some(own.address)) {
                address.public = address.public.or(Some(elastic.public));
            }
        }
    }
}

fn interface(shape: &InterfaceShape) -> Result<Interface, Unreadable> {
    let attachment = shape.attachment.as_ref();
    let mut prefixes = shape.v4_prefixes.0.iter().filter_map(|prefix| prefix.prefix.as_deref());
    let mut v6_prefixes = shape.v6_prefixes.0.iter().filter_map(|prefix| prefix.prefix.as_deref());
    Ok(Interface {
        id: needed(shape.id.as_deref(), "NetworkInterfaceId")?,
        vpc: needed(shape.vpc.as_deref(), "VpcId")?,
        subnet: needed(shape.subnet.as_deref(), "SubnetId")?,
        groups: groups(&shape.groups)?,
        addresses: addresses(shape)?,
        prefixes: prefixes.by_ref().chain(v6_prefixes.by_ref()).map(cidr).collect::<Result<_, _>>()?,
        source_dest_check: shape.check.unwrap_or(true),
        kind: text(shape.kind.as_ref()).unwrap_or_else(|| "interface".to_owned()),
        requester: text(shape.requester.as_ref()),
        description: text(shape.about.as_ref()).unwrap_or_default(),
        instance: id(attachment.and_then(|attachment| attachment.instance.as_deref()))?,
        attached: match shape.status.as_deref().map(str::trim) {
            Some("available" | "attaching") => false,
            Some(status) if !status.is_empty() => true,
            // An answer that was cut short: what is attached to something is in use.
            _ => attachment.is_some_and(|attachment| attachment.status.as_deref() != Some("detached")),
        },
        tags: tags(&shape.tags),
    })
}

pub(super) fn groups<C: FromIterator<doorward_core::inventory::SecurityGroupId>>(
    shapes: &List<GroupRefShape>,
) -> Result<C, Unreadable> {
    shapes.0.iter().map(|group| needed(group.id.as_deref(), "GroupId")).collect()
}

/// The primary address first, then the others, then those of IPv6.
fn addresses(shape: &InterfaceShape) -> Result<Vec<InterfaceAddress>, Unreadable> {
    let own = public_of(shape.association.as_ref())?;
    let mut told: Vec<&PrivateShape> = shape.addresses.0.iter().collect();
    told.sort_by_key(|private| !private.primary.unwrap_or_default());
    let mut addresses = Vec::new();
    for private in told {
        let Some(address) = address(private.address.as_deref())? else { continue };
        let primary = private.primary.unwrap_or(shape.address == private.address);
        let public = public_of(private.association.as_ref())?.or(own.filter(|_| primary));
        addresses.push(InterfaceAddress { address, public });
    }
    if addresses.is_empty()
        && let Some(address) = address(shape.address.as_deref())?
    {
        addresses.push(InterfaceAddress { address, public: own });
    }
    for v6 in &shape.v6.0 {
        let v6 = address(v6.address.as_deref())?;
        addresses.extend(v6.map(|address| InterfaceAddress { address, public: None }));
    }
    Ok(addresses)
}

/// The interface of an instance that tells no more than where it is.
fn bare(shape: &InstanceShape, instance: &Instance) -> Result<Option<Interface>, Unreadable> {
    let (Some(vpc), Some(subnet)) = (id(shape.vpc.as_deref())?, id(shape.subnet.as_deref())?) else {
        return Ok(None);
    };
    let public: Option<Ipv4Addr> = address(shape.public.as_deref())?;
    let v4 = address(shape.address.as_deref())?.map(|address| InterfaceAddress { address, public });
    let v6 = address(shape.v6.as_deref())?.map(|address| InterfaceAddress { address, public: None });
    Ok(Some(Interface {
        id: derived(instance)?,
        vpc,
        subnet,
        groups: groups(&shape.groups)?,
        addresses: v4.into_iter().chain(v6).collect(),
        prefixes: Default::default(),
        source_dest_check: shape.check.unwrap_or(true),
        kind: "interface".to_owned(),
        requester: None,
        description: String::new(),
        instance: Some(instance.id.clone()),
        attached: true,
        tags: Default::default(),
    }))
}

/// The name of an instance profile, which ends its ARN.
fn name_of(arn: &str) -> String {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name).to_owned()
}

/// The id of an interface that only its instance told of.
fn derived(instance: &Instance) -> Result<InterfaceId, Unreadable> {
    let of_instance = instance.id.as_str();
    let own = match of_instance.strip_prefix("i-") {
        Some(rest) => format!("eni-{rest}"),
        None => format!("interface of {of_instance}"),
    };
    Ok(InterfaceId::answered(&own)?)
}

/// A carrier's or an outpost's address is none of the internet's, and has another name in the answer.
fn public_of(association: Option<&PublicShape>) -> Result<Option<Ipv4Addr>, Unreadable> {
    address(association.and_then(|association| association.public.as_deref()))
}
