//! Load balancers as lines of text.
//!
//! ```text
//! lb lb-1 network subnet-a subnet-b sg-a across failed
//! node eni-a lb-1
//! tg tg-1 vpc-1 instance TCP 8080 across apart kept masked
//! target tg-1 i-a 8443 draining all
//! listen lb-1 TCP 443 tg-1 tg-2
//! ```
//!
//! A balancer sends across zones only `across`. A target group does as its balancer does, unless it says `across` or
//! `apart`, and preserves the client's address as AWS has it by default, unless it says `kept` or `masked`. A classic
//! balancer has the target group of its own name, and its listener names the port of the instances.

use doorward_core::inventory::*;

use super::Line;

const PLACE: &str = "eu-west-1";

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{PLACE}:111111111111:{kind}/{name}/1")
}

/// The ARN of a balancer or a target group by the name that lines call it.
pub fn arn_of(inventory: &Inventory, name: &str) -> Option<String> {
    let balancers = inventory.load_balancers.values().map(|it| (&it.name, &it.arn));
    let groups = inventory.target_groups.values().map(|it| (&it.name, &it.arn));
    balancers.chain(groups).find(|(of, _)| *of == name).map(|(_, arn)| arn.clone())
}

impl Line<'_> {
    /// Whether a line was about a load balancer.
    pub(super) fn of_balancers(&self, kind: &str, inventory: &mut Inventory) -> bool {
        match kind {
            "lb" => self.load_balancer(inventory),
            "node" => self.node(inventory),
            "tg" => self.target_group(inventory),
            "target" => self.target(inventory),
            "listen" => self.listener(inventory),
            _ => return false,
        }
        true
    }

    fn flag(&self, yes: &str, no: &str) -> Option<bool> {
        self.says(yes).then_some(true).or(self.says(no).then_some(false))
    }

    fn load_balancer(&self, inventory: &mut Inventory) {
        let subnet: SubnetId = self.one().unwrap_or_else(|| panic!("in which subnet? {}", self.line));
        let account_region = super::account_region(PLACE);
        let (kind, arn) = match self.word(0) {
            "classic" => (LoadBalancerKind::Classic, LoadBalancer::classic_arn(self.id, &account_region)),
            "application" => {
                (LoadBalancerKind::Application, arn("loadbalancer", &format!("app/{}", self.id)))
            }
            "network" => (LoadBalancerKind::Network, arn("loadbalancer", &format!("net/{}", self.id))),
            "gateway" => (LoadBalancerKind::Gateway, arn("loadbalancer", &format!("gwy/{}", self.id))),
            _ => panic!("what kind? {}", self.line),
        };
        let balancer = LoadBalancer {
            arn,
            name: self.id.into(),
            account_region,
            kind,
            public: false,
            vpc: Some(inventory.subnets[&subnet].vpc.clone()),
            subnets: self.all(),
            groups: self.all(),
            host: None,
            state: Some(if self.says("failed") { "failed" } else { "active" }.into()),
            cross_zone: Some(self.says("across")),
            listeners: Some(Vec::new()),
            tags: Default::default(),
        };
        if kind == LoadBalancerKind::Classic {
            let group = TargetGroup {
                arn: balancer.arn.clone(),
                name: self.id.into(),
                account_region: balancer.account_region.clone(),
                vpc: balancer.vpc.clone(),
                protocol: String::new(),
                port: None,
                kind: "instance".into(),
                preserves_client: Some(false),
                cross_zone: Some(CrossZone::AsLoadBalancer),
                health_path: None,
                targets: Some(Vec::new()),
                tags: Default::default(),
            };
            inventory.target_groups.insert(group.arn.clone(), group);
        }
        inventory.load_balancers.insert(balancer.arn.clone(), balancer);
    }

    fn node(&self, inventory: &mut Inventory) {
        let arn = arn_of(inventory, self.word(0)).unwrap_or_else(|| panic!("of which? {}", self.line));
        let (kind, about) = match inventory.load_balancers[&arn].kind {
            LoadBalancerKind::Network => ("network_load_balancer", true),
            LoadBalancerKind::Gateway => ("gateway_load_balancer", true),
            LoadBalancerKind::Application => ("interface", true),
            LoadBalancerKind::Classic => ("interface", false),
        };
        let path = arn.split_once("loadbalancer/").map_or("", |(_, path)| path);
        let interface = inventory.interfaces.get_mut(&self.id::<InterfaceId>()).expect("an interface");
        interface.kind = kind.into();
        interface.requester = Some("amazon-elb".into());
        interface.description = format!("ELB {}", if about { path } else { self.word(0) });
    }

    fn target_group(&self, inventory: &mut Inventory) {
        let (kind, protocol) = (self.word(1), self.word(2));
        let cross_zone = match self.flag("across", "apart") {
            Some(true) => CrossZone::On,
            Some(false) => CrossZone::Off,
            None => CrossZone::AsLoadBalancer,
        };
        let by_default = protocol.contains("UDP") || matches!(protocol, "TCP" | "TLS") && kind != "ip";
        let group = TargetGroup {
            arn: arn("targetgroup", self.id),
            name: self.id.into(),
            account_region: super::account_region(PLACE),
            vpc: Some(self.at(0)),
            protocol: protocol.into(),
            port: (kind != "lambda").then(|| self.at(3)),
            kind: kind.into(),
            preserves_client: Some(self.flag("kept", "masked").unwrap_or(by_default)),
            cross_zone: Some(cross_zone),
            health_path: None,
            targets: Some(Vec::new()),
            tags: Default::default(),
        };
        inventory.target_groups.insert(group.arn.clone(), group);
    }

    fn target(&self, inventory: &mut Inventory) {
        let group = arn_of(inventory, self.id).unwrap_or_else(|| panic!("of which? {}", self.line));
        let states = ["healthy", "unhealthy", "draining", "unused", "initial"];
        let target = Target {
            id: arn_of(inventory, self.word(0)).unwrap_or_else(|| self.word(0).into()),
            port: self.rest.iter().skip(1).find_map(|word| word.parse().ok()),
            health: self.rest.iter().find(|word| states.contains(word)).map(|&word| word.into()),
            reason: None,
            zone: self.says("all").then(|| "all".into()),
        };
        let group = inventory.target_groups.get_mut(&group).expect("a target group");
        group.targets.get_or_insert_default().push(target);
    }

    fn listener(&self, inventory: &mut Inventory) {
        let arn = arn_of(inventory, self.id).unwrap_or_else(|| panic!("of which? {}", self.line));
        let classic = inventory.load_balancers[&arn].kind == LoadBalancerKind::Classic;
        let named = self.rest.iter().skip(2).filter_map(|word| arn_of(inventory, word)).collect();
        let listener = Listener {
            protocol: self.word(0).into(),
            port: self.at(1),
            target_groups: if classic { [arn.clone()].into() } else { named },
            arn: None,
            instance_port: classic.then(|| self.at(2)),
            certificate: None,
        };
        let balancer = inventory.load_balancers.get_mut(&arn).expect("a balancer");
        balancer.listeners.get_or_insert_default().push(listener);
    }
}
