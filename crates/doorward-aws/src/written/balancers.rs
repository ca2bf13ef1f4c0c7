//! Load balancers, their listeners and their targets.

use doorward_core::inventory::{Call, CrossZone, Listener, LoadBalancer, LoadBalancerKind, TargetGroup};
use serde_json::{Value, json};

use super::answers::{Answers, each, tags, texts, without_nulls};
use crate::reading::is_classic;

impl Answers<'_> {
    pub(super) fn balancers(&mut self) {
        for balancer in self.inventory.load_balancers.values() {
            match balancer.kind {
                LoadBalancerKind::Classic => {
                    let instances = self.inventory.target_groups.get(&balancer.arn);
                    let member = classic(balancer, instances);
                    self.add(Call::ClassicLoadBalancers, &balancer.account_region, member);
                }
                LoadBalancerKind::Application => self.balancer(balancer, "application"),
                LoadBalancerKind::Network => self.balancer(balancer, "network"),
                LoadBalancerKind::Gateway => self.balancer(balancer, "gateway"),
            }
        }
        let balancers = &self.inventory.load_balancers;
        for group in self.inventory.target_groups.values().filter(|group| !is_classic(group, balancers)) {
            self.target_group(group);
        }
        let tagged = balancers.values().map(|it| (&it.account_region, &it.arn, &it.tags));
        let groups = self.inventory.target_groups.values();
        let groups = groups.map(|it| (&it.account_region, &it.arn, &it.tags));
        for (account_region, arn, of_it) in tagged.chain(groups).filter(|(_, _, of_it)| !of_it.is_empty()) {
            let member = json!({"ResourceArn": arn, "Tags": tags(of_it)});
            self.add(Call::LoadBalancerTags, account_region, member);
        }
        self.scaling();
    }

    fn balancer(&mut self, balancer: &LoadBalancer, kind: &str) {
        let member = without_nulls(json!({
            "LoadBalancerArn": balancer.arn,
            "LoadBalancerName": balancer.name,
            "Type": kind,
            "Scheme": scheme(balancer),
            "VpcId": balancer.vpc,
            "DNSName": balancer.host,
            "State": balancer.state.as_ref().map(|state| json!({ "Code": state })),
            "SecurityGroups": texts(&balancer.groups),
            "AvailabilityZones": each(&balancer.subnets, |subnet| json!({ "SubnetId": subnet })),
        }));
        self.add(Call::LoadBalancers, &balancer.account_region, member);
        let known = balancer.cross_zone.is_some();
        if known || !self.has_gap(Call::LoadBalancerAttributes, &balancer.account_region) {
            let across =
                balancer.cross_zone.map(|value| ("load_balancing.cross_zone.enabled", value.to_string()));
            let attributes = each(across, attribute);
            let answer = json!({"LoadBalancerArn": balancer.arn, "Attributes": attributes});
            self.add_apart(Call::LoadBalancerAttributes, &balancer.account_region, answer);
        }
        let Some(listeners) = &balancer.listeners else { return };
        let arn = |number: usize, it: &Listener| match &it.arn {
            Some(arn) => arn.clone(),
            None => format!("{}/{number:016x}", balancer.arn.replacen(":loadbalancer/", ":listener/", 1)),
        };
        let members: Value =
            (1..).zip(listeners).map(|(number, it)| listener(balancer, it, &arn(number, it))).collect();
        let answer = json!({"LoadBalancerArn": balancer.arn, "Listeners": members});
        self.add_apart(Call::Listeners, &balancer.account_region, answer);
        let ruled = balancer.kind == LoadBalancerKind::Application;
        if ruled && !self.has_gap(Call::ListenerRules, &balancer.account_region) {
            for (number, it) in (1..).zip(listeners) {
                // Where its rules send is told with its default action: an inventory does not part them.
                let answer = json!({"ListenerArn": arn(number, it), "Rules": []});
                self.add_apart(Call::ListenerRules, &balancer.account_region, answer);
            }
        }
    }

    fn target_group(&mut self, group: &TargetGroup) {
        let protocol = Some(&group.protocol).filter(|protocol| !protocol.is_empty());
        let member = without_nulls(json!({
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "Protocol": protocol,
            "Port": group.port,
            "VpcId": group.vpc,
            "TargetType": group.kind,
            "HealthCheckPath": group.health_path,
        }));
        self.add(Call::TargetGroups, &group.account_region, member);
        let known = group.preserves_client.is_some() || group.cross_zone.is_some();
        if known || !self.has_gap(Call::TargetGroupAttributes, &group.account_region) {
            let preserves =
                group.preserves_client.map(|value| ("preserve_client_ip.enabled", value.to_string()));
            let across = group.cross_zone.map(|value| {
                let value = match value {
                    CrossZone::On => "true",
                    CrossZone::Off => "false",
                    CrossZone::AsLoadBalancer => "use_load_balancer_configuration",
                };
                ("load_balancing.cross_zone.enabled", value.to_owned())
            });
            let attributes = each(preserves.into_iter().chain(across), attribute);
            let answer = json!({"TargetGroupArn": group.arn, "Attributes": attributes});
            self.add_apart(Call::TargetGroupAttributes, &group.account_region, answer);
        }
        if let Some(targets) = &group.targets {
            let targets = each(targets, |target| {
                without_nulls(json!({
                    "Target": without_nulls(json!({
                        "Id": target.id,
                        "Port": target.port,
                        "AvailabilityZone": target.zone,
                    })),
                    "TargetHealth": target.health.as_ref().map(|state| {
                        without_nulls(json!({ "State": state, "Reason": target.reason }))
                    }),
                }))
            });
            let answer = json!({"TargetGroupArn": group.arn, "TargetHealthDescriptions": targets});
            self.add_apart(Call::TargetHealth, &group.account_region, answer);
        }
    }
}

fn attribute((key, value): (&str, String)) -> Value {
    json!({"Key": key, "Value": value})
}

fn scheme(balancer: &LoadBalancer) -> &'static str {
    if balancer.public { "internet-facing" } else { "internal" }
}

fn listener(balancer: &LoadBalancer, listener: &Listener, arn: &str) -> Value {
    let groups = each(&listener.target_groups, |group| json!({"TargetGroupArn": group, "Weight": 1}));
    without_nulls(json!({
        "ListenerArn": arn,
        "LoadBalancerArn": balancer.arn,
        "Protocol": listener.protocol,
        "Port": listener.port,
        "DefaultActions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        "Certificates": listener.certificate.as_ref().map(|arn| json!([{ "CertificateArn": arn }])),
    }))
}

fn classic(balancer: &LoadBalancer, instances: Option<&TargetGroup>) -> Value {
    let targets = instances.and_then(|group| group.targets.as_ref()).into_iter().flatten();
    let listeners = each(balancer.listeners.iter().flatten(), |listener| {
        json!({"Listener": {
            "Protocol": listener.protocol,
            "LoadBalancerPort": listener.port,
            "InstancePort": listener.instance_port,
        }})
    });
    without_nulls(json!({
        "LoadBalancerName": balancer.name,
        "Scheme": scheme(balancer),
        "VPCId": balancer.vpc,
        "DNSName": balancer.host,
        "Subnets": texts(&balancer.subnets),
        "SecurityGroups": texts(&balancer.groups),
        "ListenerDescriptions": listeners,
        "Instances": each(targets, |target| json!({ "InstanceId": target.id })),
    }))
}
