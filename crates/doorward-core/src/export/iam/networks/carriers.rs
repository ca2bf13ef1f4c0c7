//! The resources that roles are attached to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Needs, Statement, arn};
use crate::topology::{Carrier, EnvironmentPart};

/// Actions, and the resources that they are allowed on, by the tag that these need to have.
type Allowed = BTreeMap<(Option<(String, String)>, Vec<&'static str>), BTreeSet<String>>;

impl Needs<'_> {
    /// What sets the security groups of the declared carriers, a statement for each service.
    pub(super) fn attach(&self) -> Vec<Statement> {
        let mut allowed = Allowed::new();
        for role in &self.roles {
            let network = self.networks.iter().find(|it| it.name == role.network);
            let region = network.and_then(|it| it.at.region.as_deref());
            for carrier in &role.on {
                self.carrier(region, carrier, &mut allowed);
            }
        }
        let statements = allowed.into_iter().zip(1..).map(|(((tag, actions), resources), number)| {
            let sid = format!("Attach{number}");
            let statement = self.statement(&sid, &actions, resources.into_iter().collect());
            match tag {
                Some((key, value)) => {
                    statement.when("StringEquals", &format!("aws:ResourceTag/{key}"), [value])
                }
                None => statement,
            }
        });
        statements.collect()
    }

    fn carrier(&self, region: Option<&str>, carrier: &Carrier, allowed: &mut Allowed) {
        let mut allow = |tag: Option<(&String, &String)>, action, service: &str, resource: String| {
            let tag = tag.map(|(key, value)| (key.clone(), value.clone()));
            let resource = arn(service, region, self.account, &resource);
            allowed.entry((tag, vec![action])).or_default().insert(resource);
        };
        const INTERFACE: &str = "ec2:ModifyNetworkInterfaceAttribute";
        match carrier {
            // An interface tells its instance only when it is read. It keeps the groups of others, too.
            Carrier::Instance(id) => {
                allow(None, INTERFACE, "ec2", "network-interface/*".to_owned());
                allow(None, INTERFACE, "ec2", "security-group/*".to_owned());
                allow(None, INTERFACE, "ec2", format!("instance/{id}"));
            }
            Carrier::Tag(key, value) => {
                let tag = Some((key, value));
                allow(None, INTERFACE, "ec2", "network-interface/*".to_owned());
                allow(None, INTERFACE, "ec2", "security-group/*".to_owned());
                allow(tag, INTERFACE, "ec2", "instance/*".to_owned());
                allow(tag, "rds:ModifyDBInstance", "rds", "db:*".to_owned());
                allow(tag, "rds:ModifyDBCluster", "rds", "cluster:*".to_owned());
            }
            Carrier::Database(name) => {
                allow(None, "rds:ModifyDBInstance", "rds", format!("db:{name}"));
                allow(None, "rds:ModifyDBCluster", "rds", format!("cluster:{name}"));
            }
            // The ARN of a proxy has an id in it, and no name.
            Carrier::Proxy(_) => allow(None, "rds:ModifyDBProxy", "rds", "db-proxy:*".to_owned()),
            Carrier::Cache(name) => {
                allow(None, "elasticache:ModifyCacheCluster", "elasticache", format!("cluster:{name}"));
                allow(
                    None,
                    "elasticache:ModifyReplicationGroup",
                    "elasticache",
                    format!("replicationgroup:{name}"),
                );
                allow(
                    None,
                    "elasticache:ModifyServerlessCache",
                    "elasticache",
                    format!("serverlesscache:{name}"),
                );
            }
            Carrier::Service { cluster, name } => {
                let cluster = cluster.as_deref().unwrap_or("*");
                allow(None, "ecs:UpdateService", "ecs", format!("service/{cluster}/{name}"));
            }
            // Its instance has an ID only when it is launched, and tags from then on.
            Carrier::Environment(_, EnvironmentPart::Instance) => {
                allow(None, INTERFACE, "ec2", "network-interface/*".to_owned());
                allow(None, INTERFACE, "ec2", "security-group/*".to_owned());
                allow(None, INTERFACE, "ec2", "instance/*".to_owned());
            }
            Carrier::Environment(name, EnvironmentPart::Database) => {
                allow(None, "rds:ModifyDBInstance", "rds", format!("db:doorward-{name}"));
            }
            // The ARN of a load balancer has an id behind its name.
            Carrier::Environment(name, _) => allow(
                None,
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing",
                format!("loadbalancer/app/doorward-{name}/*"),
            ),
            Carrier::Function(name) => {
                allow(None, "lambda:UpdateFunctionConfiguration", "lambda", format!("function:{name}"));
            }
        }
    }
}
