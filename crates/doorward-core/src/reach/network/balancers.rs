//! Which load balancers may send to an interface, by what their targets are named by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{Inventory, LoadBalancer};
use crate::reach::network::interfaces::InterfaceNode;

/// The keys of load balancers in the inventory, by their targets.
#[derive(Debug, Default)]
pub(crate) struct Balancers {
    /// By the id of an instance or the ARN of a load balancer.
    by_id: BTreeMap<String, BTreeSet<String>>,
    by_address: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Those that may send to any interface, since not all of their targets were seen.
    unseen: BTreeSet<String>,
}

impl Balancers {
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let mut balancers = Self::default();
        for (key, balancer) in &inventory.load_balancers {
            balancers.add(inventory, key, balancer);
        }
        balancers
    }

    fn add(&mut self, inventory: &Inventory, key: &str, balancer: &LoadBalancer) {
        let Some(listeners) = &balancer.listeners else {
            self.unseen.insert(key.to_owned());
            return;
        };
        for group in listeners.iter().flat_map(|listener| &listener.target_groups) {
            match inventory.target_groups.get(group).and_then(|group| group.targets.as_ref()) {
                None => {
                    self.unseen.insert(key.to_owned());
                }
                Some(targets) => {
                    for target in targets {
                        let of_target = match target.id.parse() {
                            Ok(address) => self.by_address.entry(address).or_default(),
                            Err(_) => self.by_id.entry(target.id.clone()).or_default(),
                        };
                        of_target.insert(key.to_owned());
                    }
                }
            }
        }
    }

    /// The keys of those that may send to an address of an interface, each once.
    pub(crate) fn sending_to(&self, node: &InterfaceNode, address: IpAddr) -> BTreeSet<&str> {
        let owner = node.owner.as_ref().map(|owner| owner.resource.id());
        let by_id = owner.into_iter().chain(node.balancer.as_deref()).filter_map(|id| self.by_id.get(id));
        let sending = by_id.chain(self.by_address.get(&address)).chain([&self.unseen]);
        sending.flatten().map(String::as_str).collect()
    }
}
