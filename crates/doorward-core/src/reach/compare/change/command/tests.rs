//! Commands as a shell takes them.

use super::*;

fn check(direction: Direction, flow: &str, peer: Peer, expected: &str) {
    let rule = RuleIdentity { direction, flow: flow.parse().expect("a flow"), peer };
    assert_eq!(permission(&rule), expected);
}

#[test]
fn a_rule_is_written_as_the_cli_reads_it() {
    let cidr = |text: &str| Peer::Cidr(text.parse().expect("a prefix"));
    check(
        Direction::In,
        "tcp/22",
        cidr("0.0.0.0/0"),
        "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=0.0.0.0/0}]",
    );
    check(Direction::In, "all", cidr("::/0"), "IpProtocol=-1,Ipv6Ranges=[{CidrIpv6=::/0}]");
    check(
        Direction::Out,
        "icmp/8",
        Peer::Group("sg-0b".parse().expect("an id")),
        "IpProtocol=icmp,FromPort=8,ToPort=-1,UserIdGroupPairs=[{GroupId=sg-0b}]",
    );
    check(
        Direction::Out,
        "proto/50",
        Peer::PrefixList("pl-0a".parse().expect("an id")),
        "IpProtocol=50,PrefixListIds=[{PrefixListId=pl-0a}]",
    );
}

#[test]
fn a_name_is_never_a_command() {
    for (name, expected) in
        [("orders-prod", "orders-prod"), ("", "''"), ("x; id", "'x; id'"), ("a'b", r"'a'\''b'")]
    {
        assert_eq!(quoted(name), expected);
    }
}

/// Commands that were written as the pages of the AWS CLI command reference show them.
#[test]
fn every_change_is_a_command() {
    let check = |json: &str, expected: &str| {
        let change: Change = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let commands = commands(&Inventory::default(), &[change]);
        assert_eq!(commands.join("\n"), expected, "{json}");
    };
    check(
        r#"{"group":"sg-0a","add":"tcp/5432 from 203.0.113.7/32"}"#,
        "aws ec2 authorize-security-group-ingress --group-id sg-0a --ip-permissions \
         'IpProtocol=tcp,FromPort=5432,ToPort=5432,IpRanges=[{CidrIp=203.0.113.7/32}]'",
    );
    check(
        r#"{"group":"sg-0a","remove":"all to sg-0b"}"#,
        "aws ec2 revoke-security-group-egress --group-id sg-0a --ip-permissions \
         'IpProtocol=-1,UserIdGroupPairs=[{GroupId=sg-0b}]'",
    );
    check(r#"{"group":"sg-0a","delete":true}"#, "aws ec2 delete-security-group --group-id sg-0a");
    check(
        r#"{"network_acl":"acl-0a","add":"90 deny icmp/8 to ::/0"}"#,
        "aws ec2 create-network-acl-entry --network-acl-id acl-0a --egress --rule-number 90 --protocol 1 \
         --icmp-type-code Type=8,Code=-1 --ipv6-cidr-block ::/0 --rule-action deny",
    );
    check(
        r#"{"network_acl":"acl-0a","remove":"90 inbound"}"#,
        "aws ec2 delete-network-acl-entry --network-acl-id acl-0a --ingress --rule-number 90",
    );
    check(
        r#"{"route_table":"rtb-0a","add":"::/0 by eigw-0a"}"#,
        "aws ec2 create-route --route-table-id rtb-0a --destination-ipv6-cidr-block ::/0 \
         --egress-only-internet-gateway-id eigw-0a",
    );
    check(
        r#"{"route_table":"rtb-0a","remove":"pl-0a"}"#,
        "aws ec2 delete-route --route-table-id rtb-0a --destination-prefix-list-id pl-0a",
    );
    check(r#"{"route_table":"rtb-0a","delete":true}"#, "aws ec2 delete-route-table --route-table-id rtb-0a");
    check(
        r#"{"transit_table":"tgw-rtb-0a","remove":"10.1.0.0/16"}"#,
        "aws ec2 delete-transit-gateway-route --transit-gateway-route-table-id tgw-rtb-0a \
         --destination-cidr-block 10.1.0.0/16",
    );
    check(
        r#"{"internet_gateway":"igw-0a","attach":"vpc-0a"}"#,
        "aws ec2 attach-internet-gateway --internet-gateway-id igw-0a --vpc-id vpc-0a",
    );
    check(r#"{"interface":"eni-0a","associate_address":"10.0.1.5"}"#, "");
    check(
        r#"{"interface":"eni-0a","source_dest_check":false}"#,
        "aws ec2 modify-network-interface-attribute --network-interface-id eni-0a --no-source-dest-check",
    );
    check(
        r#"{"vpc":"vpc-0a","enable":"enableDnsHostnames"}"#,
        r#"aws ec2 modify-vpc-attribute --vpc-id vpc-0a --enable-dns-hostnames '{"Value":true}'"#,
    );
    check(
        r#"{"subnet":"subnet-0a","exclude_from_block_public_access":"egress"}"#,
        "aws ec2 create-vpc-block-public-access-exclusion --subnet-id subnet-0a \
         --internet-gateway-exclusion-mode allow-egress",
    );
}
