//! How much an account may have.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("VPCs", vpcs),
        ("addresses", addresses),
        ("internet gateways", internet_gateways),
        ("groups of an interface", groups_of_an_interface),
        ("rules of a group", rules_of_a_group),
        ("a prefix list counts by its most entries", prefix_lists),
        ("a prefix list of AWS counts by its weight", weights),
        ("NAT gateways of a zone", nat_gateways),
        ("routes of a table", routes),
        ("databases and snapshots", databases),
        ("rules times groups", rules_times_groups),
    ]
}

fn vpcs(aws: &Aws) {
    // The default VPC is one.
    for number in 1..5 {
        aws.vpc(&format!("10.{number}.0.0/16"));
    }
    assert_eq!(aws.ec2("CreateVpc", &[("CidrBlock", "10.9.0.0/16")]).code(), "VpcLimitExceeded");
    aws.set("quotas", "{\"vpcs\": 6}");
    aws.vpc("10.9.0.0/16");
}

fn addresses(aws: &Aws) {
    for _ in 0..5 {
        aws.ec2("AllocateAddress", &[("Domain", "vpc")]).ok();
    }
    assert_eq!(aws.ec2("AllocateAddress", &[("Domain", "vpc")]).code(), "AddressLimitExceeded");
}

fn internet_gateways(aws: &Aws) {
    // That of the default VPC is one.
    for _ in 1..5 {
        aws.ec2("CreateInternetGateway", &[]).ok();
    }
    assert_eq!(aws.ec2("CreateInternetGateway", &[]).code(), "InternetGatewayLimitExceeded");
}

fn groups_of_an_interface(aws: &Aws) {
    let Network { vpc, subnets, .. } = aws.network();
    let groups: Vec<String> = (0..6).map(|number| aws.group(&vpc, &format!("group {number}"))).collect();
    let names: Vec<String> = (1..=6).map(|number| format!("SecurityGroupId.{number}")).collect();
    let with = |first: (&'static str, &str), count: usize| {
        let mut fields: Vec<(String, String)> = vec![(first.0.to_owned(), first.1.to_owned())];
        fields.extend(names.iter().cloned().zip(groups.iter().cloned()).take(count));
        fields
    };
    let call = |action: &str, fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        aws.ec2(action, &fields)
    };
    let code = "SecurityGroupsPerInterfaceLimitExceeded";
    assert_eq!(call("CreateNetworkInterface", &with(("SubnetId", &subnets[0]), 6)).code(), code);
    let made = call("CreateNetworkInterface", &with(("SubnetId", &subnets[0]), 5)).ok();
    let id = made.text_at("networkInterface/networkInterfaceId");
    assert_eq!(call("ModifyNetworkInterfaceAttribute", &with(("NetworkInterfaceId", id), 6)).code(), code);
    let mut run = with(("SubnetId", &subnets[0]), 6);
    for (name, value) in [("ImageId", aws.image()), ("MinCount", "1".into()), ("MaxCount", "1".into())] {
        run.push((name.to_owned(), value));
    }
    assert_eq!(call("RunInstances", &run).code(), code);
}

fn authorize(aws: &Aws, group: &str, ranges: &[String]) -> crate::aws::Reply {
    let mut fields = vec![
        ("GroupId".to_owned(), group.to_owned()),
        ("IpPermissions.1.IpProtocol".to_owned(), "tcp".to_owned()),
        ("IpPermissions.1.FromPort".to_owned(), "443".to_owned()),
        ("IpPermissions.1.ToPort".to_owned(), "443".to_owned()),
    ];
    for (at, range) in ranges.iter().enumerate() {
        fields.push((format!("IpPermissions.1.IpRanges.{}.CidrIp", at + 1), range.clone()));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    aws.ec2("AuthorizeSecurityGroupIngress", &fields)
}

fn rules_of_a_group(aws: &Aws) {
    let Network { vpc, group, .. } = aws.network();
    let ranges: Vec<String> = (0..59).map(|number| format!("192.0.2.{number}/32")).collect();
    authorize(aws, &group, &ranges).ok();
    // A reference counts for both families.
    let other = aws.group(&vpc, "other");
    let reference = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        ("IpPermissions.1.Groups.1.GroupId", &other),
    ];
    aws.ec2("AuthorizeSecurityGroupIngress", &reference).ok();
    let one = ["198.51.100.1/32".to_owned()];
    assert_eq!(authorize(aws, &group, &one).code(), "RulesPerSecurityGroupLimitExceeded");
    // Outbound rules are counted apart.
    let outbound = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "443"),
        ("IpPermissions.1.ToPort", "443"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "192.0.2.1/32"),
    ];
    aws.ec2("AuthorizeSecurityGroupEgress", &outbound).ok();
}

fn prefix_lists(aws: &Aws) {
    let Network { group, .. } = aws.network();
    let fields = [("PrefixListName", "offices"), ("MaxEntries", "61"), ("AddressFamily", "IPv4")];
    let list = aws.text("CreateManagedPrefixList", &fields, "prefixList/prefixListId");
    let fields = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
    ];
    assert_eq!(
        aws.ec2("AuthorizeSecurityGroupIngress", &fields).code(),
        "RulesPerSecurityGroupLimitExceeded"
    );
}

fn nat_gateways(aws: &Aws) {
    let Network { subnets, .. } = aws.network();
    aws.set("quotas", "{\"nat-gateways\": 1}");
    let create =
        |subnet: &str| aws.ec2("CreateNatGateway", &[("SubnetId", subnet), ("ConnectivityType", "private")]);
    let first = create(&subnets[0]).ok().text_at("natGateway/natGatewayId").to_owned();
    assert_eq!(create(&subnets[0]).code(), "NatGatewayLimitExceeded");
    create(&subnets[1]).ok();
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &first)]).ok();
    assert_eq!(create(&subnets[0]).code(), "NatGatewayLimitExceeded");
    aws.advance(180);
    create(&subnets[0]).ok();
}

fn routes(aws: &Aws) {
    let Network { vpc, gateway, .. } = aws.network();
    aws.set("quotas", "{\"routes\": 1}");
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let create = |to: &str| {
        let fields =
            [("RouteTableId", table.as_str()), ("DestinationCidrBlock", to), ("GatewayId", &gateway)];
        aws.ec2("CreateRoute", &fields)
    };
    create("0.0.0.0/0").ok();
    assert_eq!(create("198.51.100.0/24").code(), "RouteLimitExceeded");
}

fn databases(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "private");
    aws.set("quotas", "{\"database-instances\": 1, \"database-snapshots\": 1}");
    aws.database("one", "private", &[]);
    aws.advance(540);
    let fields = [
        ("DBInstanceIdentifier", "two"),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("DBSubnetGroupName", "private"),
    ];
    assert_eq!(aws.rds("CreateDBInstance", &fields).code(), "InstanceQuotaExceeded");
    let snapshot = |name: &str| {
        aws.rds("CreateDBSnapshot", &[("DBInstanceIdentifier", "one"), ("DBSnapshotIdentifier", name)])
    };
    snapshot("first").ok();
    aws.advance(180);
    assert_eq!(snapshot("second").code(), "SnapshotQuotaExceeded");
}

fn rules_times_groups(aws: &Aws) {
    let (status, answer) = aws.steer("POST", "quotas", "{\"rules-per-group\": 201}");
    assert_eq!(status, 400, "{answer}");
    aws.set("quotas", "{\"rules-per-group\": 100, \"groups-per-interface\": 10}");
    let body = "{\"ServiceCode\": \"vpc\", \"QuotaCode\": \"L-0EA8095F\"}";
    let (_, answer) = aws.json("servicequotas", "POST", "/", "ServiceQuotasV20190624.GetServiceQuota", body);
    assert!(answer.contains("\"Value\":100"), "{answer}");
    let body = "{\"ServiceCode\": \"ec2\", \"QuotaCode\": \"L-0263D0A3\"}";
    let (_, answer) = aws.json("servicequotas", "POST", "/", "ServiceQuotasV20190624.GetServiceQuota", body);
    assert!(answer.contains("\"Value\":5"), "{answer}");
}

fn weights(aws: &Aws) {
    let Network { group, .. } = aws.network();
    let name = "com.amazonaws.global.cloudfront.origin-facing";
    let fields = [("Filter.1.Name", "prefix-list-name"), ("Filter.1.Value.1", name)];
    let list = aws.text("DescribeManagedPrefixLists", &fields, "prefixListSet/item/prefixListId");
    let authorize = |port: &str| {
        let fields = [
            ("GroupId", group.as_str()),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", port),
            ("IpPermissions.1.ToPort", port),
            ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
        ];
        aws.ec2("AuthorizeSecurityGroupIngress", &fields)
    };
    authorize("443").ok();
    assert_eq!(authorize("80").code(), "RulesPerSecurityGroupLimitExceeded");
}
