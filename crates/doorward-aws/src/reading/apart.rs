//! What is told of something apart from its own description, kept until both are there.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{
    AccountRegion, Call, CrossZone, DnsAttributes, Inventory, LaunchTemplateId, LaunchTemplateVersion,
    Listener, LoadBalancer, LoadBalancerKind, Tags, Target, TargetGroup, VpcId,
};

use super::Reader;
use super::balancers::sort;

/// By whose it is: an ARN, or a name.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    /// The listeners of a load balancer, by their ARNs.
    pub(super) listeners: BTreeMap<String, BTreeMap<String, Listener>>,
    /// Where the rules of a listener send.
    pub(super) sends: BTreeMap<String, BTreeSet<String>>,
    /// Whether a load balancer sends to other zones, where its attributes say so.
    pub(super) cross_zone: BTreeMap<String, Option<bool>>,
    /// Whether the targets of a group see the client's address, where its attributes say so, and across which zones they
    /// get packets.
    pub(super) group_attributes: BTreeMap<String, (Option<bool>, CrossZone)>,
    /// The targets of a group.
    pub(super) targets: BTreeMap<String, Vec<Target>>,
    /// The tags of load balancers and target groups, by their ARNs.
    pub(super) tags: BTreeMap<String, Tags>,
    /// The versions of launch templates.
    pub(super) versions: BTreeMap<LaunchTemplateId, BTreeMap<u64, LaunchTemplateVersion>>,
    /// The DNS attributes of a VPC.
    pub(super) dns: BTreeMap<VpcId, DnsAttributes>,
    /// What stands behind a proxy.
    pub(super) behind: BTreeMap<String, BTreeSet<String>>,
    /// Whether there is a cluster of ECS whose services and tasks would have to be told.
    pub(super) clusters: bool,
    /// Whether services were told.
    pub(super) services: bool,
    /// Whether tasks were told.
    pub(super) tasks: bool,
}

/// Those of whom something should have been told and was not.
type Untold = BTreeMap<Call, Vec<String>>;

impl Reader {
    /// Puts everything where it belongs; what was not told of something is a gap, once for each call.
    pub(super) fn put_together(&mut self) {
        let apart = std::mem::take(&mut self.apart);
        let mut untold = Untold::new();
        apart.put(&mut self.inventory, &self.account_region, &mut untold);
        for (call, whose) in untold {
            if self.inventory.gap(call, &self.account_region).is_none() {
                self.gap(call, not_told(&whose));
            }
        }
    }
}

/// Whether a target group stands for the instances of a classic load balancer, whose ARN it has.
pub(crate) fn is_classic(group: &TargetGroup, balancers: &BTreeMap<String, LoadBalancer>) -> bool {
    balancers.get(&group.arn).is_some_and(|balancer| balancer.kind == LoadBalancerKind::Classic)
}

/// How the reason of a gap begins where a call was made for others, or for none, and not for this one.
pub(crate) const NO_RESPONSE: &str = "no response";

fn not_told(whose: &[String]) -> String {
    match whose {
        [] => NO_RESPONSE.to_owned(),
        [one] => format!("{NO_RESPONSE} for `{one}`"),
        [first, rest @ ..] => format!("{NO_RESPONSE} for `{first}` and {} more", rest.len()),
    }
}

impl Apart {
    fn put(mut self, inventory: &mut Inventory, account_region: &AccountRegion, untold: &mut Untold) {
        for (id, dns) in std::mem::take(&mut self.dns) {
            if let Some(vpc) = inventory.vpcs.get_mut(&id) {
                vpc.dns = dns;
            }
        }
        for (id, versions) in std::mem::take(&mut self.versions) {
            if let Some(template) = inventory.launch_templates.get_mut(&id) {
                template.versions = versions;
            }
        }
        for (arn, tags) in std::mem::take(&mut self.tags) {
            if let Some(balancer) = inventory.load_balancers.get_mut(&arn) {
                balancer.tags = tags;
            } else if let Some(group) = inventory.target_groups.get_mut(&arn) {
                group.tags = tags;
            }
        }
        for balancer in inventory.load_balancers.values_mut() {
            if balancer.kind != LoadBalancerKind::Classic {
                self.balancer(balancer, untold);
            }
        }
        let Inventory { target_groups, load_balancers, .. } = &mut *inventory;
        for group in target_groups.values_mut().filter(|group| !is_classic(group, load_balancers)) {
            self.target_group(group, untold);
        }
        for ((at, name), proxy) in &mut inventory.database_proxies {
            if at == account_region {
                proxy.targets = self.behind.remove(name);
                if proxy.targets.is_none() {
                    untold.entry(Call::DatabaseProxyTargets).or_default().push(name.clone());
                }
            }
        }
        for (told, call) in [(self.services, Call::ContainerServices), (self.tasks, Call::ContainerTasks)] {
            if self.clusters && !told {
                untold.entry(call).or_default();
            }
        }
    }

    fn balancer(&mut self, balancer: &mut LoadBalancer, untold: &mut Untold) {
        let mut missing = |call| untold.entry(call).or_default().push(balancer.arn.clone());
        match self.cross_zone.remove(&balancer.arn) {
            // An application load balancer's is always on, whether its attributes say so or not
            // (User Guide for Application Load Balancers, "Cross-zone load balancing").
            Some(told) => {
                let always = balancer.kind == LoadBalancerKind::Application;
                balancer.cross_zone = told.or(always.then_some(true));
            }
            None => missing(Call::LoadBalancerAttributes),
        }
        let Some(listeners) = self.listeners.remove(&balancer.arn) else {
            missing(Call::Listeners);
            return;
        };
        let mut whole = Vec::new();
        for (arn, mut listener) in listeners {
            match self.sends.remove(&arn) {
                Some(more) => listener.target_groups.extend(more),
                // The listeners of the others have no rules but their default.
                None if balancer.kind == LoadBalancerKind::Application => {
                    untold.entry(Call::ListenerRules).or_default().push(arn);
                }
                None => {}
            }
            whole.push(listener);
        }
        sort(&mut whole);
        balancer.listeners = Some(whole);
    }

    fn target_group(&mut self, group: &mut TargetGroup, untold: &mut Untold) {
        match self.group_attributes.remove(&group.arn) {
            Some((preserves, cross_zone)) => {
                group.preserves_client = preserves.or_else(|| preserves_by_default(group));
                group.cross_zone = Some(cross_zone);
            }
            None => untold.entry(Call::TargetGroupAttributes).or_default().push(group.arn.clone()),
        }
        match self.targets.remove(&group.arn) {
            Some(targets) => group.targets = Some(targets),
            None => untold.entry(Call::TargetHealth).or_default().push(group.arn.clone()),
        }
    }
}

/// User Guide for Network Load Balancers, "Client IP preservation".
pub(crate) fn preserves_by_default(group: &TargetGroup) -> Option<bool> {
    match (group.protocol.as_str(), group.kind.as_str()) {
        ("HTTP" | "HTTPS", _) => Some(false),
        ("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC", _) => Some(true),
        ("TCP" | "TLS", "ip") => Some(false),
        ("TCP" | "TLS", "instance" | "alb") => Some(true),
        _ => None,
    }
}
