//! Changing: every call here has the same effect twice.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    DnsAttribute, InternetGatewayId, LoadBalancer, LoadBalancerKind, Owned, Peer, Route, RouteTableId,
    RuleIdentity, SecurityGroupId, SubnetId, VpcId,
};
use doorward_core::plan::Step;
use doorward_core::plan::network::{Modified, everything_out};
use doorward_core::topology::Holder;

use super::NotDone;
use super::again::Attempts;
use super::run::{Reporter, Run, Tried};
use crate::operation::balancer::SetSecurityGroups;
use crate::operation::cache::{ModifyCacheCluster, ModifyReplicationGroup, ModifyServerlessCache};
use crate::operation::container::UpdateService;
use crate::operation::database::{ModifyDBCluster, ModifyDBInstance, ModifyDBProxy, ModifyDBSubnetGroup};
use crate::operation::network::{
    AssociateRouteTable, AttachInternetGateway, CreateRoute, ModifyNetworkInterfaceAttribute,
    ModifyVpcAttribute, ModifyVpcEndpoint, ReplaceRoute, ReplaceRouteTableAssociation,
};
use crate::operation::{
    Asked, DescribeRouteTables, DescribeSecurityGroups, Operation, UpdateFunctionConfiguration,
};

impl Run {
    async fn set<O: Operation>(&self, operation: &O, reporter: &Reporter) -> Result<(), NotDone> {
        self.repeat(operation, &[], &[], reporter).await.map(drop)
    }

    pub(super) async fn enable_dns(
        &self,
        vpc: &Owned<VpcId>,
        attribute: DnsAttribute,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.set(&ModifyVpcAttribute { vpc: vpc.clone(), attribute }, reporter).await
    }

    pub(super) async fn attach_internet_gateway(
        &self,
        gateway: &InternetGatewayId,
        vpc: &VpcId,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = AttachInternetGateway { gateway: gateway.clone(), vpc: vpc.clone() };
        self.repeat(&operation, &[], &["Resource.AlreadyAssociated"], reporter).await.map(drop)
    }

    /// The default group of a VPC that this run made is looked up: the answer to the call that made the VPC has no id of it.
    pub(super) async fn empty_default_group(
        &self,
        vpc: &Owned<VpcId>,
        group: &SecurityGroupId,
        rules: &BTreeSet<RuleIdentity>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        use doorward_core::inventory::PlannedId as _;
        if !group.is_planned() {
            return self.revoke(group, rules, reporter).await;
        }
        let given = self.default_group(vpc.id(), reporter).await?;
        self.note(group, &given);
        let itself = |rule: &RuleIdentity| match &rule.peer {
            Peer::Group(peer) if peer == group => {
                RuleIdentity { peer: Peer::Group(given.clone()), ..rule.clone() }
            }
            _ => rule.clone(),
        };
        let rules: BTreeSet<RuleIdentity> = rules.iter().map(itself).collect();
        self.revoke(&given, &rules, reporter).await
    }

    async fn default_group(&self, vpc: &VpcId, reporter: &Reporter) -> Result<SecurityGroupId, NotDone> {
        let (mut attempts, mut looks) = (Attempts::default(), 0);
        loop {
            match self.pages(DescribeSecurityGroups { groups: Asked::All, token: None }).await {
                Ok(groups) => {
                    let is_it = |it: &&crate::operation::GroupShape| {
                        it.name.as_deref() == Some("default") && it.vpc.as_deref() == Some(vpc.as_str())
                    };
                    if let Some(id) = groups.iter().find(is_it).and_then(|it| it.id.parse().ok()) {
                        return Ok(id);
                    }
                    // A new one is not visible at once.
                    if looks > 10 {
                        return Err(NotDone::Missing(format!("the default security group of {vpc}")));
                    }
                    self.pause(self.pace.pause(looks)).await?;
                    looks += 1;
                }
                Err(tried) => self.again(&mut attempts, tried, reporter).await?,
            }
        }
    }

    pub(super) async fn revoke_default_egress(
        &self,
        group: &Owned<SecurityGroupId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.revoke(group.id(), &BTreeSet::from([everything_out()]), reporter).await
    }

    /// Revokes rules by what they allow; those that are gone already are no failure.
    async fn revoke(
        &self,
        group: &SecurityGroupId,
        rules: &BTreeSet<RuleIdentity>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let rules: Vec<RuleIdentity> = rules.iter().cloned().collect();
        let mut attempts = Attempts::default();
        let close = async |rules: &[RuleIdentity]| {
            let _turn = self.turn().await?;
            self.account.close_blind(group, rules).await.map(drop).map_err(Tried::Failed)
        };
        while let Err(tried) = close(&rules).await {
            self.again(&mut attempts, tried, reporter).await?;
            if attempts.is_doubtful() {
                for rule in &rules {
                    let mut attempts = Attempts::default();
                    while let Err(tried) = close(std::slice::from_ref(rule)).await {
                        self.again(&mut attempts, tried, reporter).await?;
                    }
                }
                break;
            }
        }
        Ok(())
    }

    /// Rules that another call has added or removed meanwhile are no failure.
    ///
    /// A step is several calls, and each attempt may lose the answer of another one. So after a lost answer it goes on rule by
    /// rule, with attempts of its own for each.
    pub(super) async fn rules(&self, step: &Step, reporter: &Reporter) -> Result<(), NotDone> {
        let mut attempts = Attempts::default();
        let perform = async |step: &Step| {
            let _turn = self.turn().await?;
            self.account.perform(step).await.map(drop).map_err(Tried::Failed)
        };
        while let Err(tried) = perform(step).await {
            self.again(&mut attempts, tried, reporter).await?;
            if attempts.is_doubtful() {
                for one in step.each_rule() {
                    let mut attempts = Attempts::default();
                    while let Err(tried) = perform(&one).await {
                        self.again(&mut attempts, tried, reporter).await?;
                    }
                }
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn create_route(
        &self,
        table: &RouteTableId,
        route: &Route,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = CreateRoute { table: table.clone(), route: route.clone() };
        self.repeat(&operation, &[], &["RouteAlreadyExists"], reporter).await.map(drop)
    }

    pub(super) async fn replace_route(
        &self,
        table: &RouteTableId,
        route: &Route,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.set(&ReplaceRoute { table: table.clone(), route: route.clone() }, reporter).await
    }

    pub(super) async fn associate_table(
        &self,
        table: &RouteTableId,
        subnet: &SubnetId,
        before: Option<&RouteTableId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let Some(before) = before else {
            let operation = AssociateRouteTable { table: table.clone(), subnet: subnet.clone() };
            return self.repeat(&operation, &[], &["Resource.AlreadyAssociated"], reporter).await.map(drop);
        };
        let mut attempts = Attempts::default();
        loop {
            match self.replace_association(table, subnet, before).await {
                Ok(()) => return Ok(()),
                Err(NotDone::Call(error)) => {
                    self.again(&mut attempts, Tried::Failed(error), reporter).await?;
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// An association has an id, which each replacement changes: so it is looked up each time.
    async fn replace_association(
        &self,
        table: &RouteTableId,
        subnet: &SubnetId,
        before: &RouteTableId,
    ) -> Result<(), NotDone> {
        let tables = self.pages(DescribeRouteTables::default()).await?;
        let association = tables.iter().find_map(|it| {
            let mut associations = it.associations.0.iter();
            let its = associations.find(|its| its.subnet.as_deref() == Some(subnet.as_str()))?;
            Some((it.id.as_deref()?, its.id.clone()?))
        });
        match association {
            Some((is, _)) if is == table.as_str() => Ok(()),
            Some((_, association)) => {
                let operation = ReplaceRouteTableAssociation { association, table: table.clone() };
                Ok(self.call(&operation).await.map(drop)?)
            }
            None => Err(NotDone::Missing(format!("the association of {subnet} with {before}"))),
        }
    }

    pub(super) async fn modify_endpoint(
        &self,
        modified: &Modified,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = ModifyVpcEndpoint { modified: modified.clone() };
        self.repeat(&operation, &[], &["RouteAlreadyExists"], reporter).await.map(drop)
    }

    pub(super) async fn modify_subnet_group(
        &self,
        name: &Owned<String>,
        subnets: &BTreeSet<SubnetId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = ModifyDBSubnetGroup { name: name.clone(), subnets: subnets.clone() };
        self.set(&operation, reporter).await
    }

    pub(super) async fn set_groups(
        &self,
        holder: &Holder,
        groups: &BTreeSet<SecurityGroupId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let groups = groups.clone();
        let missing = || NotDone::Missing(format!("{} {}", holder.resource().kind(), holder.resource()));
        match holder {
            Holder::Interface(id) => {
                self.set(&ModifyNetworkInterfaceAttribute { interface: id.clone(), groups }, reporter).await
            }
            Holder::Database(_, name) => {
                self.set(&ModifyDBInstance { name: name.clone(), groups }, reporter).await
            }
            Holder::Cluster(_, name) => {
                self.set(&ModifyDBCluster { name: name.clone(), groups }, reporter).await
            }
            Holder::Proxy(_, name) => self.set(&ModifyDBProxy { name: name.clone(), groups }, reporter).await,
            Holder::Cache(account_region, name) => {
                let cache =
                    self.actual.caches.get(&(account_region.clone(), name.clone())).ok_or_else(missing)?;
                match cache.replication_group.clone() {
                    Some(name) => self.set(&ModifyReplicationGroup { name, groups }, reporter).await,
                    None => self.set(&ModifyCacheCluster { name: name.clone(), groups }, reporter).await,
                }
            }
            Holder::ServerlessCache(_, name) => {
                self.set(&ModifyServerlessCache { name: name.clone(), groups }, reporter).await
            }
            Holder::Function(account_region, name) => {
                let key = (account_region.clone(), name.clone());
                let subnets = self.actual.functions.get(&key).ok_or_else(missing)?.subnets.clone();
                let operation = UpdateFunctionConfiguration { function: name.clone(), subnets, groups };
                self.set(&operation, reporter).await
            }
            Holder::Balancer(account_region, name) => {
                let mut all = self.actual.load_balancers.values();
                let is_it = |it: &&LoadBalancer| {
                    it.name == *name
                        && it.account_region == *account_region
                        && it.kind == LoadBalancerKind::Application
                };
                let balancer = all.find(is_it).ok_or_else(missing)?.arn.clone();
                self.set(&SetSecurityGroups { balancer, groups }, reporter).await
            }
            Holder::Service(arn) => {
                let service = self.actual.container_services.get(arn).ok_or_else(missing)?;
                let operation = UpdateService {
                    cluster: service.cluster.clone(),
                    service: arn.clone(),
                    subnets: service.subnets.clone(),
                    groups,
                    public: service.public,
                };
                self.set(&operation, reporter).await
            }
        }
    }
}
