"""An account in moto with something of every kind, and the answers that boto3 has of it, as files.

    account.py build URL REGION
    account.py dump URL REGION FOLDER
"""

import json
import pathlib
import sys
import urllib.request

import boto3

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def main(verb, url, region, *rest):
    client = lambda service: boto3.client(service, endpoint_url=url, region_name=region, **KEYS)
    if verb == "build":
        build(client, region, url)
    else:
        dump(client, pathlib.Path(rest[0]))


def build(client, region, url):
    # Else a task of ECS goes through its whole life while it is looked at.
    stays = {"model_name": "ecs::task", "transition": {"progression": "manual", "times": 1_000_000}}
    request = urllib.request.Request(
        f"{url}/moto-api/state-manager/set-transition", json.dumps(stays).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request).read()
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    # Without names moto cannot run a task.
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    far = ec2.create_subnet(VpcId=other, CidrBlock="10.1.0.0/24", AvailabilityZone=zones[0])["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "main & more"}])

    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    eigw = ec2.create_egress_only_internet_gateway(VpcId=vpc)
    eigw = eigw["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    vgw = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=vgw, VpcId=vpc)
    customer = ec2.create_customer_gateway(Type="ipsec.1", PublicIp="192.0.2.1", BgpAsn=65000)
    customer = customer["CustomerGateway"]["CustomerGatewayId"]
    ec2.create_vpn_connection(Type="ipsec.1", CustomerGatewayId=customer, VpnGatewayId=vgw)

    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)
    peering = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    transit = ec2.create_transit_gateway(Description="hub")["TransitGateway"]["TransitGatewayId"]
    table = ec2.create_transit_gateway_route_table(TransitGatewayId=transit)
    table = table["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
    attach = lambda vpc, subnet: ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=transit, VpcId=vpc, SubnetIds=[subnet]
    )["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    attached = attach(vpc, subnets[0])
    attach(other, far)
    ec2.associate_transit_gateway_route_table(TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attached)
    ec2.enable_transit_gateway_route_table_propagation(
        TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attached
    )
    ec2.create_transit_gateway_route(
        DestinationCidrBlock="10.0.0.0/16", TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attached
    )
    ec2.create_transit_gateway_route(
        DestinationCidrBlock="10.66.0.0/16", TransitGatewayRouteTableId=table, Blackhole=True
    )

    routes = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=routes, SubnetId=subnet)
    route = lambda **target: ec2.create_route(RouteTableId=routes, **target)
    route(DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    route(DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=eigw)
    route(DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=peering)
    route(DestinationCidrBlock="10.2.0.0/16", TransitGatewayId=transit)
    route(DestinationCidrBlock="198.51.100.0/24", NatGatewayId=nat)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    entry = lambda number, **rule: ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=number, **rule)
    entry(100, Protocol="6", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0", PortRange={"From": 443, "To": 443})
    entry(110, Protocol="-1", RuleAction="deny", Egress=True, CidrBlock="10.9.0.0/16")

    prefixes = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "203.0.113.0/24"}, {"Cidr": "198.51.100.0/24"}],
    )["PrefixList"]["PrefixListId"]
    group = lambda name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    db, connect, web = group("db"), group("db_connect"), group("web")
    admit = lambda group, permission: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    tcp = lambda port, **peer: {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
    admit(db, tcp(5432, UserIdGroupPairs=[{"GroupId": connect, "Description": "whoever connects"}]))
    admit(web, tcp(443, IpRanges=[{"CidrIp": "0.0.0.0/0"}]))
    admit(web, tcp(80, PrefixListIds=[{"PrefixListId": prefixes}]))
    admit(web, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]})
    admit(db, tcp(5432, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}]))

    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{region}.s3", VpcEndpointType="Gateway", RouteTableIds=[routes]
    )
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{region}.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[subnets[0]],
        SecurityGroupIds=[web],
    )
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instances = ec2.run_instances(
        ImageId=image, MinCount=2, MaxCount=2, SubnetId=subnets[0], SecurityGroupIds=[web, connect]
    )["Instances"]
    kept, gone = [instance["InstanceId"] for instance in instances]
    ec2.terminate_instances(InstanceIds=[gone])
    own = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=own, InstanceId=kept)
    ec2.create_network_interface(SubnetId=subnets[1], Groups=[web], Description="spare")

    balancers(client, vpc, subnets, web, kept)
    services(client, subnets, db, connect)


def balancers(client, vpc, subnets, web, instance):
    classic = client("elb")
    classic.create_load_balancer(
        LoadBalancerName="old",
        Listeners=[{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8080}],
        Subnets=subnets,
        SecurityGroups=[web],
        Scheme="internal",
    )
    classic.register_instances_with_load_balancer(LoadBalancerName="old", Instances=[{"InstanceId": instance}])
    elb = client("elbv2")
    create = lambda name, **more: elb.create_load_balancer(Name=name, Subnets=subnets, **more)["LoadBalancers"][0]
    app = create("web", Type="application", SecurityGroups=[web], Scheme="internet-facing")["LoadBalancerArn"]
    net = create("in", Type="network", Scheme="internal")["LoadBalancerArn"]
    create("idle", Type="application", SecurityGroups=[web], Scheme="internal")
    target = lambda name, protocol, port, kind: elb.create_target_group(
        Name=name, Protocol=protocol, Port=port, VpcId=vpc, TargetType=kind
    )["TargetGroups"][0]["TargetGroupArn"]
    pages, api, tcp = target("pages", "HTTP", 80, "instance"), target("api", "HTTP", 81, "ip"), target("tcp", "TCP", 5432, "ip")
    elb.register_targets(TargetGroupArn=pages, Targets=[{"Id": instance, "Port": 8080}])
    elb.register_targets(TargetGroupArn=tcp, Targets=[{"Id": "10.0.0.77"}])
    forward = lambda arn: [{"Type": "forward", "TargetGroupArn": arn}]
    listener = elb.create_listener(LoadBalancerArn=app, Protocol="HTTP", Port=80, DefaultActions=forward(pages))
    elb.create_rule(
        ListenerArn=listener["Listeners"][0]["ListenerArn"],
        Priority=5,
        Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
        Actions=forward(api),
    )
    elb.create_listener(LoadBalancerArn=net, Protocol="TCP", Port=5432, DefaultActions=forward(tcp))


def services(client, subnets, db, connect):
    rds = client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName="private", DBSubnetGroupDescription="d", SubnetIds=subnets)
    rds.create_db_instance(
        DBInstanceIdentifier="orders",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="richard",
        MasterUserPassword="a-password",
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[db],
        Tags=[{"Key": "Name", "Value": "orders"}],
    )
    rds.create_db_cluster(
        DBClusterIdentifier="ledger",
        Engine="aurora-postgresql",
        MasterUsername="richard",
        MasterUserPassword="a-password",
        DBSubnetGroupName="private",
        VpcSecurityGroupIds=[db],
    )
    rds.create_db_instance(
        DBInstanceIdentifier="ledger-1",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        DBClusterIdentifier="ledger",
        DBSubnetGroupName="private",
    )
    rds.create_db_proxy(
        DBProxyName="pool",
        EngineFamily="POSTGRESQL",
        Auth=[{"AuthScheme": "SECRETS", "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}],
        RoleArn="arn:aws:iam::123456789012:role/x",
        VpcSubnetIds=subnets,
        VpcSecurityGroupIds=[db, connect],
    )
    rds.register_db_proxy_targets(DBProxyName="pool", DBInstanceIdentifiers=["orders"])
    rds.create_db_snapshot(DBSnapshotIdentifier="orders-1", DBInstanceIdentifier="orders")
    caches = client("elasticache")
    caches.create_cache_subnet_group(CacheSubnetGroupName="private", CacheSubnetGroupDescription="d", SubnetIds=subnets)
    caches.create_cache_cluster(
        CacheClusterId="sessions",
        Engine="redis",
        NumCacheNodes=1,
        CacheNodeType="cache.t3.micro",
        CacheSubnetGroupName="private",
        SecurityGroupIds=[db],
    )
    role = client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = client("lambda")
    for name, network in [("inside", {"SubnetIds": subnets, "SecurityGroupIds": [connect]}), ("outside", {})]:
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="x.y",
            Code={"ZipFile": empty_zip()},
            VpcConfig=network,
        )
    containers = client("ecs")
    containers.create_cluster(clusterName="shop")
    containers.create_cluster(clusterName="empty")
    containers.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "web", "image": "web", "memory": 128}],
    )
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [connect], "assignPublicIp": "ENABLED"}}
    containers.create_service(
        cluster="shop",
        serviceName="web",
        taskDefinition="web",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=network,
    )
    containers.run_task(cluster="shop", taskDefinition="web", launchType="FARGATE", networkConfiguration=network)


def empty_zip():
    return b"PK\x05\x06" + bytes(18)


# What is asked for without knowing anything.
ALL = {
    "ec2": """describe_security_groups describe_security_group_rules describe_vpcs describe_subnets describe_availability_zones
        describe_route_tables describe_network_acls describe_managed_prefix_lists
        describe_vpc_block_public_access_options describe_vpc_block_public_access_exclusions
        describe_network_interfaces describe_instances describe_addresses describe_internet_gateways
        describe_egress_only_internet_gateways describe_nat_gateways describe_vpn_gateways describe_vpn_connections
        describe_vpc_peering_connections describe_transit_gateways describe_transit_gateway_attachments
        describe_transit_gateway_vpc_attachments describe_transit_gateway_peering_attachments
        describe_transit_gateway_route_tables describe_vpc_endpoints""".split(),
    "elb": ["describe_load_balancers"],
    "elbv2": ["describe_load_balancers", "describe_target_groups"],
    "rds": ["describe_db_instances", "describe_db_clusters", "describe_db_subnet_groups", "describe_db_proxies"]
    + ["describe_db_proxy_endpoints", "describe_db_cluster_endpoints", "describe_db_snapshots"],
    "elasticache": ["describe_cache_subnet_groups", "describe_replication_groups", "describe_serverless_caches"],
    "lambda": ["list_functions"],
    "ecs": ["list_clusters"],
}


def dump(client, folder):
    folder.mkdir(parents=True, exist_ok=True)

    def ask(service, call, name=None, owner=None, **fields):
        path = folder / (name or f"{service}.{call}.json")
        try:
            answer = getattr(client(service), call)(**fields)
        except Exception as error:  # What moto refuses or does not know is recorded as the AWS CLI would leave it.
            path.with_suffix(".err").write_text(f"{service} {call}: {error}")
            return {}
        path.write_text(json.dumps({**(owner or {}), **answer}, default=str, indent=2))
        return answer

    answers = {(service, call): ask(service, call) for service, calls in ALL.items() for call in calls}
    ask("elasticache", "describe_cache_clusters", ShowCacheNodeInfo=True)
    number = 0

    def each(service, call, key, values, field=None):
        nonlocal number
        found = []
        for value in values:
            number += 1
            fields = {field or key: value}
            found.append(ask(service, call, f"{number}.json", {key: value}, **fields))
        return found

    lists = [item["PrefixListId"] for item in answers["ec2", "describe_managed_prefix_lists"].get("PrefixLists", [])]
    each("ec2", "get_managed_prefix_list_entries", "PrefixListId", lists)
    for vpc in answers["ec2", "describe_vpcs"].get("Vpcs", []):
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            number += 1
            fields = {"VpcId": vpc["VpcId"]}
            ask("ec2", "describe_vpc_attribute", f"{number}.json", fields, Attribute=attribute, **fields)
    tables = answers["ec2", "describe_transit_gateway_route_tables"].get("TransitGatewayRouteTables", [])
    for table in [table["TransitGatewayRouteTableId"] for table in tables]:
        number += 1
        ask(
            "ec2",
            "search_transit_gateway_routes",
            f"{number}.json",
            {"TransitGatewayRouteTableId": table},
            TransitGatewayRouteTableId=table,
            Filters=[{"Name": "type", "Values": ["static", "propagated"]}],
        )
        each("ec2", "get_transit_gateway_route_table_propagations", "TransitGatewayRouteTableId", [table])
    arns = [item["LoadBalancerArn"] for item in answers["elbv2", "describe_load_balancers"].get("LoadBalancers", [])]
    each("elbv2", "describe_load_balancer_attributes", "LoadBalancerArn", arns)
    for answer in each("elbv2", "describe_listeners", "LoadBalancerArn", arns):
        for listener in answer.get("Listeners", []):
            if ":listener/app/" in listener["ListenerArn"]:
                each("elbv2", "describe_rules", "ListenerArn", [listener["ListenerArn"]])
    groups = [item["TargetGroupArn"] for item in answers["elbv2", "describe_target_groups"].get("TargetGroups", [])]
    each("elbv2", "describe_target_group_attributes", "TargetGroupArn", groups)
    each("elbv2", "describe_target_health", "TargetGroupArn", groups)
    proxies = [item["DBProxyName"] for item in answers["rds", "describe_db_proxies"].get("DBProxies", [])]
    each("rds", "describe_db_proxy_targets", "DBProxyName", proxies)
    for cluster in answers["ecs", "list_clusters"].get("clusterArns", []):
        number += 1
        services = client("ecs").list_services(cluster=cluster)["serviceArns"]
        tasks = client("ecs").list_tasks(cluster=cluster)["taskArns"]
        if services:
            ask("ecs", "describe_services", f"{number}-services.json", cluster=cluster, services=services)
        if tasks:
            ask("ecs", "describe_tasks", f"{number}-tasks.json", cluster=cluster, tasks=tasks)


main(*sys.argv[1:])
