//! Which calls a survey makes, and which others each answer asks for.

use doorward_core::inventory::{Call, DnsAttribute, PrefixListId, TransitTableId, VpcId};

use doorward_core::mark::Mark;

use super::Survey;
use crate::operation::balancer::{
    DescribeClassicLoadBalancers, DescribeListeners, DescribeLoadBalancerAttributes, DescribeLoadBalancers,
    DescribeRules, DescribeTags, DescribeTargetGroupAttributes, DescribeTargetGroups, DescribeTargetHealth,
    TAGS_A_CALL,
};
use crate::operation::cache::{
    DescribeCacheClusters, DescribeCacheSubnetGroups, DescribeReplicationGroups, DescribeServerlessCaches,
};
use crate::operation::container::{
    DescribeServices, DescribeTasks, ListClusters, ListServices, ListTasks, SERVICES_A_CALL, TASKS_A_CALL,
};
use crate::operation::database::{
    DescribeDBClusterEndpoints, DescribeDBClusters, DescribeDBInstances, DescribeDBProxies,
    DescribeDBProxyEndpoints, DescribeDBProxyTargets, DescribeDBSnapshots, DescribeDBSubnetGroups,
};
use crate::operation::machine::{DescribeLaunchTemplateVersions, DescribeLaunchTemplates};
use crate::operation::scaling::DescribeAutoScalingGroups;
use crate::operation::{
    Asked, DescribeAddresses, DescribeAvailabilityZones, DescribeEgressOnlyInternetGateways,
    DescribeInstances, DescribeInternetGateways, DescribeManagedPrefixLists, DescribeNatGateways,
    DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeRouteTables, DescribeSecurityGroupRules,
    DescribeSecurityGroups, DescribeSubnets, DescribeTransitGatewayAttachments,
    DescribeTransitGatewayPeeringAttachments, DescribeTransitGatewayRouteTables,
    DescribeTransitGatewayVpcAttachments, DescribeTransitGateways, DescribeVpcAttribute,
    DescribeVpcBlockPublicAccessExclusions, DescribeVpcBlockPublicAccessOptions, DescribeVpcEndpoints,
    DescribeVpcPeeringConnections, DescribeVpcs, DescribeVpnConnections, DescribeVpnGateways,
    GetManagedPrefixListEntries, GetTransitGatewayRouteTablePropagations, ListFunctions,
    SearchTransitGatewayRoutes,
};

impl Survey {
    /// Asks for all that can be asked for before anything is known.
    pub(super) fn everything(&mut self) {
        self.networks();
        self.gateways();
        self.load_balancers();
        self.scaling();
        self.databases();
        self.ask(DescribeCacheClusters::default());
        self.ask(DescribeCacheSubnetGroups::default());
        self.ask(DescribeReplicationGroups::default());
        self.ask(DescribeServerlessCaches::default());
        self.ask(ListFunctions::default());
        self.containers();
    }

    fn networks(&mut self) {
        self.ask(DescribeSecurityGroups { groups: Asked::All, token: None });
        self.ask(DescribeSecurityGroupRules { groups: Asked::All, token: None });
        self.all(Call::Vpcs, DescribeVpcs::default(), |survey, vpcs| {
            survey.reader.take(&vpcs);
            for vpc in vpcs.into_iter().filter_map(|vpc| vpc.id?.parse::<VpcId>().ok()) {
                for attribute in DnsAttribute::ALL {
                    let operation = DescribeVpcAttribute { vpc: vpc.clone(), attribute };
                    survey.one(Call::VpcAttributes, operation, |survey, answer| {
                        survey.reader.vpc_attribute(&answer);
                    });
                }
            }
        });
        self.ask(DescribeSubnets::default());
        self.ask(DescribeAvailabilityZones::default());
        self.ask(DescribeRouteTables::default());
        self.ask(DescribeNetworkAcls::default());
        let lists = DescribeManagedPrefixLists { lists: Asked::All, token: None };
        self.all(Call::PrefixLists, lists, |survey, lists| {
            survey.reader.take(&lists);
            for list in lists.into_iter().filter_map(|list| list.id?.parse::<PrefixListId>().ok()) {
                let operation = GetManagedPrefixListEntries { list: list.clone(), token: None };
                survey.all(Call::PrefixListEntries, operation, move |survey, entries| {
                    survey.reader.prefix_list_entries(&list, &entries);
                });
            }
        });
        self.ask(DescribeVpcBlockPublicAccessOptions);
        self.ask(DescribeVpcBlockPublicAccessExclusions::default());
        self.ask(DescribeNetworkInterfaces::default());
        self.ask(DescribeInstances::default());
        self.ask(DescribeAddresses::default());
    }

    fn gateways(&mut self) {
        self.ask(DescribeInternetGateways::default());
        self.ask(DescribeEgressOnlyInternetGateways::default());
        self.ask(DescribeNatGateways::default());
        self.ask(DescribeVpnGateways::default());
        self.ask(DescribeVpnConnections::default());
        self.ask(DescribeVpcPeeringConnections::default());
        self.ask(DescribeTransitGateways::default());
        self.ask(DescribeTransitGatewayAttachments::default());
        self.ask(DescribeTransitGatewayVpcAttachments::default());
        self.ask(DescribeTransitGatewayPeeringAttachments::default());
        self.all(Call::TransitTables, DescribeTransitGatewayRouteTables::default(), |survey, tables| {
            survey.reader.take(&tables);
            for table in tables.into_iter().filter_map(|table| table.id?.parse::<TransitTableId>().ok()) {
                survey.transit_table(table);
            }
        });
        self.ask(DescribeVpcEndpoints::default());
    }

    fn transit_table(&mut self, table: TransitTableId) {
        let operation = SearchTransitGatewayRoutes { table: table.clone(), token: None };
        let routed = table.clone();
        self.all(Call::TransitRoutes, operation, move |survey, routes| {
            survey.reader.transit_routes(&routed, &routes);
        });
        let operation = GetTransitGatewayRouteTablePropagations { table: table.clone(), token: None };
        self.all(Call::TransitPropagations, operation, move |survey, propagations| {
            survey.reader.transit_propagations(&table, &propagations);
        });
    }

    fn load_balancers(&mut self) {
        self.ask(DescribeClassicLoadBalancers::default());
        self.all(Call::LoadBalancers, DescribeLoadBalancers::default(), |survey, balancers| {
            survey.reader.take(&balancers);
            survey.tags(balancers.iter().filter_map(|balancer| balancer.arn.clone()));
            for arn in balancers.into_iter().filter_map(|balancer| balancer.arn) {
                survey.attributes(arn.clone());
                survey.listeners(arn);
            }
        });
        self.all(Call::TargetGroups, DescribeTargetGroups::default(), |survey, groups| {
            survey.reader.take(&groups);
            survey.tags(groups.iter().filter_map(|group| group.arn.clone()));
            for arn in groups.into_iter().filter_map(|group| group.arn) {
                survey.target_group(arn);
            }
        });
    }

    /// Asks for the tags of load balancers or target groups.
    fn tags(&mut self, arns: impl Iterator<Item = String>) {
        let arns: Vec<String> = arns.collect();
        for chunk in arns.chunks(TAGS_A_CALL) {
            let operation = DescribeTags { arns: chunk.to_vec() };
            self.one(Call::LoadBalancerTags, operation, |survey, answer| survey.reader.take(&answer.of.0));
        }
    }

    fn scaling(&mut self) {
        self.ask(DescribeAutoScalingGroups::default());
        self.all(Call::LaunchTemplates, DescribeLaunchTemplates::default(), |survey, templates| {
            survey.reader.take(&templates);
            // Those of others are used by nothing of ours.
            let ours = templates.into_iter().filter(|it| it.tags.0.iter().any(|tag| tag.key == Mark::TAG));
            for template in ours.filter_map(|template| template.id) {
                survey.ask(DescribeLaunchTemplateVersions { template, token: None });
            }
        });
    }

    fn attributes(&mut self, balancer: String) {
        let operation = DescribeLoadBalancerAttributes { balancer: balancer.clone() };
        self.one(Call::LoadBalancerAttributes, operation, move |survey, attributes| {
            survey.reader.balancer_attributes(&balancer, &attributes);
        });
    }

    fn listeners(&mut self, balancer: String) {
        let operation = DescribeListeners { balancer: balancer.clone(), token: None };
        self.all(Call::Listeners, operation, move |survey, listeners| {
            survey.reader.listeners_of(&balancer);
            survey.reader.take(&listeners);
            // Only those of an application load balancer have rules beside the default.
            let ruled = balancer.contains(":loadbalancer/app/");
            for arn in listeners.into_iter().filter(|_| ruled).filter_map(|listener| listener.arn) {
                survey.rules(arn);
            }
        });
    }

    fn rules(&mut self, listener: String) {
        let operation = DescribeRules { listener: listener.clone(), token: None };
        self.all(Call::ListenerRules, operation, move |survey, rules| {
            survey.reader.rules_of(&listener, &rules);
        });
    }

    fn target_group(&mut self, arn: String) {
        let operation = DescribeTargetGroupAttributes { target_group: arn.clone() };
        let group = arn.clone();
        self.one(Call::TargetGroupAttributes, operation, move |survey, attributes| {
            survey.reader.target_group_attributes(&group, &attributes);
        });
        let operation = DescribeTargetHealth { target_group: arn.clone() };
        self.one(Call::TargetHealth, operation, move |survey, health| {
            survey.reader.targets_of(&arn, &health.targets.0);
        });
    }

    fn databases(&mut self) {
        self.ask(DescribeDBInstances::default());
        self.ask(DescribeDBSnapshots::default());
        self.ask(DescribeDBClusters::default());
        self.ask(DescribeDBClusterEndpoints::default());
        self.ask(DescribeDBSubnetGroups::default());
        self.ask(DescribeDBProxyEndpoints::default());
        self.all(Call::DatabaseProxies, DescribeDBProxies::default(), |survey, proxies| {
            survey.reader.take(&proxies);
            for proxy in proxies.into_iter().filter_map(|proxy| proxy.name) {
                let operation = DescribeDBProxyTargets { proxy: proxy.clone(), token: None };
                survey.all(Call::DatabaseProxyTargets, operation, move |survey, targets| {
                    survey.reader.behind(&proxy, &targets);
                });
            }
        });
    }

    fn containers(&mut self) {
        self.all(Call::ContainerClusters, ListClusters::default(), |survey, clusters| {
            survey.reader.clusters(&clusters);
            for cluster in clusters {
                survey.services(cluster.clone());
                survey.tasks(cluster);
            }
        });
    }

    fn services(&mut self, cluster: String) {
        let operation = ListServices { cluster: cluster.clone(), token: None };
        self.all(Call::ContainerServices, operation, move |survey, arns| {
            // None are told as well as some.
            survey.reader.services(&[], &[]);
            for chunk in arns.chunks(SERVICES_A_CALL) {
                let operation = DescribeServices { cluster: cluster.clone(), services: chunk.to_vec() };
                survey.one(Call::ContainerServices, operation, |survey, answer| {
                    survey.reader.services(&answer.services.0, &answer.failures.0);
                });
            }
        });
    }

    fn tasks(&mut self, cluster: String) {
        let operation = ListTasks { cluster: cluster.clone(), token: None };
        self.all(Call::ContainerTasks, operation, move |survey, arns| {
            survey.reader.tasks(&[], &[]);
            for chunk in arns.chunks(TASKS_A_CALL) {
                let operation = DescribeTasks { cluster: cluster.clone(), tasks: chunk.to_vec() };
                survey.one(Call::ContainerTasks, operation, |survey, answer| {
                    survey.reader.tasks(&answer.tasks.0, &answer.failures.0);
                });
            }
        });
    }
}
