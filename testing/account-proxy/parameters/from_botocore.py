"""Writes the parameters of the calls that are checked, from botocore's models of AWS's services.

Run by the Python of an environment that has botocore: `python from_botocore.py`. A line per parameter: its name with `N`
for a number, and `!` in front when AWS requires it (of a parameter inside a structure: when the structure is given).
"""

import pathlib

import botocore.session

CALLS = {
    "ec2": """AllocateAddress AssignPrivateIpAddresses AssociateAddress AssociateRouteTable AssociateVpcCidrBlock
    AttachInternetGateway AttachNetworkInterface AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CopyImage
    CreateEgressOnlyInternetGateway CreateImage CreateInternetGateway CreateLaunchTemplate
    CreateLaunchTemplateVersion CreateManagedPrefixList CreateNatGateway CreateNetworkInterface CreateRoute
    CreateRouteTable CreateSecurityGroup CreateSnapshot CreateSubnet CreateTags CreateVpc CreateVpcEndpoint
    DeleteEgressOnlyInternetGateway DeleteInternetGateway DeleteLaunchTemplate DeleteLaunchTemplateVersions
    DeleteNatGateway DeleteNetworkInterface DeleteRoute DeleteRouteTable DeleteSecurityGroup DeleteSnapshot
    DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints DeregisterImage DescribeAccountAttributes DescribeAddresses
    DescribeAvailabilityZones DescribeEgressOnlyInternetGateways DescribeImages DescribeInstanceAttribute
    DescribeInstanceStatus DescribeInstanceTypeOfferings DescribeInstances DescribeInternetGateways
    DescribeLaunchTemplateVersions DescribeLaunchTemplates DescribeManagedPrefixLists DescribeNatGateways
    DescribeNetworkAcls DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules
    DescribeSecurityGroups DescribeSnapshots DescribeSubnets DescribeTags DescribeVpcAttribute
    DescribeVpcEndpointServices DescribeVpcEndpoints DescribeVpcs DetachInternetGateway DetachNetworkInterface
    DisassociateAddress DisassociateRouteTable DisassociateVpcCidrBlock ModifyInstanceAttribute ModifyLaunchTemplate
    ModifyNetworkInterfaceAttribute ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute
    ModifyVpcEndpoint ReleaseAddress ReplaceRoute ReplaceRouteTableAssociation RevokeSecurityGroupEgress
    RevokeSecurityGroupIngress RunInstances StartInstances StopInstances TerminateInstances
    UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress""",
    "rds": """AddTagsToResource CreateDBCluster CreateDBInstance CreateDBParameterGroup CreateDBProxy CreateDBSnapshot
    CreateDBSubnetGroup DeleteDBInstance DeleteDBParameterGroup DeleteDBProxy DeleteDBSnapshot DeleteDBSubnetGroup
    DescribeDBClusters DescribeDBInstances DescribeDBParameterGroups DescribeDBProxies DescribeDBSnapshots
    DescribeDBSubnetGroups ListTagsForResource ModifyDBCluster ModifyDBInstance ModifyDBParameterGroup ModifyDBProxy
    ModifyDBSubnetGroup RebootDBInstance
    RemoveTagsFromResource RestoreDBInstanceFromDBSnapshot StartDBInstance StopDBInstance""",
    "elasticache": """CreateCacheCluster CreateCacheSubnetGroup CreateReplicationGroup CreateServerlessCache
    DescribeCacheClusters DescribeCacheSubnetGroups DescribeReplicationGroups DescribeServerlessCaches
    ModifyCacheCluster ModifyReplicationGroup ModifyServerlessCache""",
    "elbv2": """AddTags CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener
    DeleteLoadBalancer DeleteRule DeleteTargetGroup DeregisterTargets DescribeListeners
    DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeRules DescribeTags DescribeTargetGroupAttributes
    DescribeTargetGroups DescribeTargetHealth ModifyListener ModifyLoadBalancerAttributes ModifyTargetGroup
    ModifyTargetGroupAttributes RegisterTargets SetSecurityGroups SetSubnets""",
    "autoscaling": """AttachLoadBalancerTargetGroups CancelInstanceRefresh CreateAutoScalingGroup
    CreateOrUpdateTags DeleteAutoScalingGroup DescribeAutoScalingGroups DescribeAutoScalingInstances
    DescribeInstanceRefreshes DescribeScalingActivities PutScalingPolicy RollbackInstanceRefresh
    SetDesiredCapacity StartInstanceRefresh TerminateInstanceInAutoScalingGroup UpdateAutoScalingGroup""",
}


def key(model, name, shape):
    """What the member of a structure is called on the wire."""
    serialization = shape.serialization
    if model.metadata["protocol"] == "ec2":
        if "queryName" in serialization:
            return serialization["queryName"]
        name = serialization.get("name", name)
        return name[0].upper() + name[1:]
    return serialization.get("name", name)


def walk(model, shape, prefix, required, seen, lines):
    if shape.type_name == "structure":
        if prefix and not shape.members:
            lines.append(mark(prefix, required))
        if shape.name in seen:
            return
        if prefix and required:
            lines.append("!" + prefix)
        for name, member in shape.members.items():
            path = f"{prefix}.{key(model, name, member)}" if prefix else key(model, name, member)
            walk(model, member, path, name in shape.required_members, seen | {shape.name}, lines)
    elif shape.type_name == "list":
        if required:
            lines.append("!" + prefix)
        flattened = model.metadata["protocol"] == "ec2" or shape.serialization.get("flattened")
        name = shape.member.serialization.get("name", "member")
        walk(model, shape.member, f"{prefix}.N" if flattened else f"{prefix}.{name}.N", False, seen, lines)
    elif shape.type_name == "map":
        lines.append(mark(prefix + ".*", False))
    else:
        lines.append(mark(prefix, required))


def mark(name, required):
    return ("!" if required else "") + name


def main():
    session = botocore.session.get_session()
    for service, calls in CALLS.items():
        model = session.get_service_model(service)
        text = f"# {service} {model.api_version}, written by from_botocore.py from botocore's model.\n"
        for call in sorted(calls.split()):
            operation = model.operation_model(call)
            lines = []
            if operation.input_shape is not None:
                walk(model, operation.input_shape, "", False, frozenset(), lines)
            text += call + "".join(f"\n {line}" for line in lines) + "\n"
        pathlib.Path(__file__).with_name(f"{service}.txt").write_text(text)


main()
