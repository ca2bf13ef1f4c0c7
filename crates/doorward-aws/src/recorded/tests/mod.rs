//! Folders as people record them, and as they break.

use doorward_core::inventory::DnsAttributes;

use super::*;

mod collectors;
mod contradictions;
mod cores;
mod defaults;
mod other_files;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    folder
}

fn account(files: &[(&str, &str)]) -> Inventory {
    recorded(folder(files).path()).expect("an account")
}

/// What files that are not on a disk hold.
fn read(files: &[(&str, &str)]) -> Inventory {
    let files = files.iter().map(|(path, text)| (Path::new(*path), text.as_bytes()));
    recorded_files(files).expect("an account").inventory
}

/// Gaps other than calls that were not recorded at all.
fn gaps(inventory: &Inventory) -> Vec<String> {
    let gaps = inventory.gaps.iter().filter(|gap| gap.why != "it was not recorded");
    gaps.map(|gap| format!("{} {}", gap.source, gap.why)).collect()
}

const GROUPS: &str = r#"{"SecurityGroups": [{"GroupId": "sg-0a", "GroupName": "clients", "Description": "d",
    "OwnerId": "123456789012", "VpcId": "vpc-0a", "Tags": null, "IpPermissionsEgress": null,
    "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId":
    "sg-0b", "UserId": "123456789012"}], "IpRanges": [{"CidrIp": "198.51.100.9/32", "Description": "office"}],
    "Ipv6Ranges": [], "PrefixListIds": [{"PrefixListId": "pl-0a"}]}, {"IpProtocol": "-1", "IpRanges": [],
    "UserIdGroupPairs": [{"GroupId": "sg-0a"}]}]}]}"#;
const RULES: &str = r#"{"data": {"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-0a", "GroupId": "sg-0a",
    "IsEgress": false, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "198.51.100.9/32",
    "Description": "office", "Tags": [{"Key": "doorward", "Value": "3f9c2a1b"}]},
    {"SecurityGroupRuleId": "sgr-0b", "GroupId": "sg-0a", "IsEgress": true, "IpProtocol": "-1",
    "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0", "Description": null, "Tags": []}]}}"#;
const VPCS: &str = r#"{"Vpcs": [{"VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/16"}]}"#;

fn rules(inventory: &Inventory) -> Vec<String> {
    let rules = inventory.groups.values().flat_map(|group| group.rules.keys());
    rules.map(ToString::to_string).collect()
}

#[test]
fn files_are_known_by_their_key_whatever_their_name() {
    let account = account(&[("a.json", RULES), ("z/b", GROUPS), ("c.json", VPCS), ("README.md", "# x")]);
    assert_eq!(rules(&account), ["tcp/22 from 198.51.100.9/32", "all to ::/0"]);
    let group = account.groups.values().next().expect("a group");
    assert_eq!(group.account_region, AccountRegion::default());
    assert_eq!(group.vpc.as_ref().map(ToString::to_string).as_deref(), Some("vpc-0a"));
    let office = group.rules.values().next().expect("a rule");
    assert_eq!(office.tag.as_deref(), Some("3f9c2a1b"));
    assert_eq!(account.vpcs.len(), 1);
    assert_eq!(gaps(&account), [""; 0]);
}

#[test]
fn groups_alone_tell_their_rules_without_ids() {
    let account = account(&[("accounts/123456789012/eu-west-1/g.json", GROUPS)]);
    assert_eq!(
        rules(&account),
        ["all from sg-0a", "tcp/22 from 198.51.100.9/32", "tcp/22 from sg-0b", "tcp/22 from pl-0a"]
    );
    let group = account.groups.values().next().expect("a group");
    assert_eq!(group.account_region.to_string(), "eu-west-1 of account 123456789012");
    assert!(group.rules.values().all(|rule| rule.id.is_none()));
    assert!(account.gap(Call::SecurityGroupRules, &group.account_region).is_none());
    assert!(account.gap(Call::Vpcs, &group.account_region).is_some());
}

#[test]
fn rules_by_themselves_count_for_the_group_that_they_are_of() {
    let other = r#"{"SecurityGroups": [{"GroupId": "sg-0b", "IpPermissions": [{"IpProtocol": "udp", "FromPort": 53,
        "ToPort": 53, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}]}"#;
    let account = read(&[("a", GROUPS), ("b", other), ("c", RULES)]);
    assert_eq!(rules(&account), ["tcp/22 from 198.51.100.9/32", "all to ::/0", "udp/53 from 10.0.0.0/8"]);
}

#[test]
fn every_notation_holds_the_same_account() {
    let expected = read(&[("a", GROUPS), ("b", VPCS)]);
    let (groups, vpcs) = (&GROUPS[1..GROUPS.len() - 1], &VPCS[1..VPCS.len() - 1]);
    let check = |files: &[(&str, &str)]| assert_eq!(read(files), expected, "{files:?}");
    check(&[("x.json", &format!("{{{groups}, {vpcs}}}"))]);
    check(&[(
        "x.json",
        &format!(r#"{{"status_code": 200, "data": {{{groups}, {vpcs}, "ResponseMetadata": {{}}}}}}"#),
    )]);
    check(&[("x.json", &format!("[{{{groups}}}, 1, null, \"x\", [2], {{{vpcs}}}]"))]);
    check(&[(
        "x.json",
        &format!("{{{groups}, {vpcs}}}").replace("SecurityGroups", "security_groups").replace("Vpcs", "vpcs"),
    )]);
    check(&[("x.json", &format!("\u{feff}{{{groups}, {vpcs}}}"))]);
    check(&[
        ("x.json", GROUPS),
        ("y.json", VPCS),
        ("y2.json", r#"{"Vpcs": []}"#),
        ("z.json", r#"{"Regions": 5}"#),
    ]);
    let wide: Vec<u8> =
        "\u{feff}".encode_utf16().chain(GROUPS.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let files = [(Path::new("a"), wide.as_slice()), (Path::new("b"), VPCS.as_bytes())];
    assert_eq!(recorded_files(files).expect("an account").inventory, expected);
}

#[test]
fn several_accounts_and_regions_are_told_apart() {
    let other = VPCS.replace("vpc-0a", "vpc-0b");
    let account = read(&[
        ("accounts/123456789012/eu-west-1/vpcs.json", VPCS),
        ("accounts/210987654321/us-east-1/vpcs.json", &other),
    ]);
    let account_regions: Vec<String> =
        account.vpcs.values().map(|vpc| vpc.account_region.to_string()).collect();
    assert_eq!(account_regions, ["eu-west-1 of account 123456789012", "us-east-1 of account 210987654321"]);
    for vpc in account.vpcs.values() {
        assert!(account.gap(Call::Subnets, &vpc.account_region).is_some());
        assert!(account.gap(Call::Vpcs, &vpc.account_region).is_none());
    }
    assert_eq!(account.gap(Call::Subnets, &AccountRegion::default()), None);
}

#[test]
fn pages_are_put_together_and_a_missing_one_is_noticed() {
    let first = VPCS.replace("]}", r#"], "NextToken": "t"}"#);
    let second = VPCS.replace("vpc-0a", "vpc-0b");
    let account = read(&[("1", &first), ("2", &second)]);
    assert_eq!((account.vpcs.len(), gaps(&account)), (2, vec![]));
    let cut = read(&[("1", &first)]);
    assert_eq!(gaps(&cut), ["ec2:DescribeVpcs its last page was not recorded"]);
}

#[test]
fn what_is_no_account_is_refused() {
    let check = |files: &[(&str, &str)], expected: &str| {
        let error = recorded(folder(files).path()).expect_err("no account");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let chain = format!("{error}: {source}");
        assert!(chain.contains(expected), "{chain}");
        assert!(!chain.contains("Shape") && !chain.contains("struct"), "{chain}");
    };
    check(&[], "has no recorded output");
    check(
        &[("a.json", r#"{"Regions": []}"#), ("b.txt", "x"), ("c.png", "\u{1}PNG")],
        "has no recorded output",
    );
    check(
        &[("a.json", "{")],
        "a.json` is not JSON as `aws … --output json` writes it: EOF while parsing an object at line 1 column 1",
    );
    check(&[("a.json", "{\n\"Vpcs\": [{]}")], "key must be a string at line 2 column 11");
    check(&[("a.json", &VPCS[..40])], "EOF while parsing");
    check(&[("a.json", "\n\nhello")], "expected value at line 3 column 1");
    check(&[("a.json", "{}\n{} x")], "expected value at line 2 column 4");
    check(&[("a", "[1x]")], "expected `,` or `]` at line 1 column 3");
    check(
        &[("a.json", &format!(r#"{{"Vpcs": {}"#, "[".repeat(100_000)))],
        "EOF while parsing a list at line 1",
    );
    check(&[("a.json", &"[".repeat(100_000))], "EOF while parsing");
    let latin = recorded_files([(Path::new("a.json"), &b"{\n\"caf\xe9\": 1}"[..])]).expect_err("no UTF-8");
    assert!(
        latin.to_string().ends_with("a letter that is not UTF-8 (save the file as UTF-8) at line 2 column 5"),
        "{latin}"
    );
    assert!(matches!(recorded(Path::new("/nowhere")), Err(NotRecorded::Unreadable { .. })));
}

#[test]
fn what_is_another_kind_of_file_is_passed_over() {
    let account =
        read(&[("a.json", VPCS), ("notes.ini", "[default]\nregion = x"), ("x.md", "[a](b)"), ("b.tf", "{")]);
    assert_eq!((account.vpcs.len(), gaps(&account)), (1, vec![]));
}

#[test]
fn one_member_that_cannot_be_read_is_a_gap_and_hides_no_other() {
    let odd = r#"{"Vpcs": [7, {"VpcId": 7}, {"VpcId": " "},
        {"VpcId": "vpc-0a", "IsDefault": "x"}, {"Cidr": "x"}, {"VpcId": "vpc-0b", "CidrBlock": "ten"}, {"VpcId": "vpc-0c"}],
        "NetworkAcls": [{"NetworkAclId": "acl-0a", "VpcId": "vpc-0b", "Entries": [{"RuleNumber": -3}]}]}"#;
    let account = read(&[("odd.json", odd)]);
    assert_eq!(account.vpcs.len(), 1);
    assert_eq!(
        gaps(&account),
        [
            "ec2:DescribeVpcs `Vpcs` (odd.json, line 1 column 24) cannot be read: invalid type: integer `7`, expected a string",
            "ec2:DescribeVpcs ` ` (odd.json, line 1 column 28) cannot be read: it has no `VpcId`",
            "ec2:DescribeVpcs `Vpcs` (odd.json, line 2 column 44) cannot be read: invalid type: string \"x\", expected a boolean",
            "ec2:DescribeVpcs `vpc-0b` (odd.json, line 2 column 63) cannot be read: `ten` is not an address or a CIDR (like `203.0.113.7` or `198.51.100.0/24`)",
            "ec2:DescribeVpcs `Vpcs[0]` (odd.json, line 1 column 11) cannot be read: an object is expected here",
            "ec2:DescribeVpcs `Vpcs[4]` (odd.json, line 2 column 48) cannot be read: it has no `VpcId`",
            "ec2:DescribeNetworkAcls `NetworkAcls` (odd.json, line 3 column 99) cannot be read: invalid value: integer `-3`, \
             expected a whole number",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_a_gap_that_blocks_nothing() {
    let odd = GROUPS.replace("\"-1\"", "\"carrier-pigeon\"");
    let account = read(&[("a.json", &odd)]);
    assert_eq!(gaps(&account).len(), 1);
    assert_eq!(account.incomplete_groups, account.groups.keys().cloned().collect());
    assert!(account.gaps.iter().all(|gap| gap.groups.is_empty()), "{:?}", account.gaps);
}

#[test]
fn refusals_are_gaps_of_the_call_that_the_file_is_named_for() {
    let refusal =
        r#"{"status_code": 403, "data": {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}}"#;
    let account = read(&[
        ("ec2.DescribeVpcs_1.json", refusal),
        (
            "ec2-describe-subnets.json",
            "\nAn error occurred (Denied) when calling the DescribeSubnets operation: no\n",
        ),
        ("ec2-describe-route-tables.json", ""),
        ("x.json", refusal),
    ]);
    assert_eq!(
        gaps(&account),
        [
            "ec2:DescribeVpcs UnauthorizedOperation: no",
            "ec2:DescribeSubnets Denied: no",
            "ec2:DescribeRouteTables ec2-describe-route-tables.json is empty",
        ]
    );
    let of = |call: Call| account.gaps.iter().filter(|gap| gap.is_of(call)).count();
    assert_eq!([of(Call::Vpcs), of(Call::Subnets), of(Call::RouteTables), of(Call::NetworkAcls)], [1; 4]);
}

/// Ids as recordings have them that were made anonymous: each a text that occurs where the thing is named.
#[test]
fn ids_of_any_form_are_texts_that_match() {
    let account = read(&[(
        "a.json",
        r#"{"Vpcs": [{"VpcId": "VpcId:1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "8f2c 41", "VpcId": "VpcId:1", "CidrBlock": "10.0.0.0/24"}],
        "InternetGateways": [{"InternetGatewayId": "gateway/7", "Attachments": [{"VpcId": "VpcId:1"}]}],
        "NatGateways": [{"NatGatewayId": "nat 1", "VpcId": "VpcId:1", "SubnetId": "8f2c 41", "State": "available"}],
        "RouteTables": [{"RouteTableId": "2b1e4f40-77f1-4d0b-9c26-6a1f0c8f3f57", "VpcId": "VpcId:1", "Associations": [{"Main": true}],
            "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "gateway/7"},
            {"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "nat 1"}, {"DestinationCidrBlock": "198.51.100.0/24", "GatewayId": "x"}]}],
        "SecurityGroups": [{"GroupId": "GroupId:6", "VpcId": "VpcId:1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
            "UserIdGroupPairs": [{"GroupId": "GroupId:6"}], "PrefixListIds": [{"PrefixListId": "list"}]}]}],
        "Reservations": [{"Instances": [{"InstanceId": "InstanceId:6", "VpcId": "VpcId:1", "SubnetId": "8f2c 41",
            "PrivateIpAddress": "10.0.0.4", "SecurityGroups": [{"GroupId": "GroupId:6"}]}]}],
        "TargetGroups": [{"TargetGroupArn": "TargetGroupArn:2", "TargetType": "instance"}],
        "TargetHealthDescriptions": [{"Target": {"Id": "InstanceId:6", "Port": 80}}]}"#,
    )]);
    let targets: Vec<String> = account
        .route_tables
        .values()
        .flat_map(|table| &table.routes)
        .map(|route| format!("{:?}", route.target))
        .collect();
    assert_eq!(
        targets,
        [
            r#"InternetGateway(InternetGatewayId("gateway/7"))"#,
            r#"NatGateway(NatGatewayId("nat 1"))"#,
            r#"Other("x")"#
        ]
    );
    assert_eq!(rules(&account), ["tcp/22 from GroupId:6", "tcp/22 from list"]);
    let interface = account.interfaces.values().next().expect("an interface");
    assert_eq!(interface.id.as_str(), "interface of InstanceId:6");
    assert!(
        account.groups.contains_key("GroupId:6")
            && interface.groups.iter().any(|id| id.as_str() == "GroupId:6")
    );
    let group = account.target_groups.values().next().expect("a target group");
    assert_eq!(group.targets.as_ref().map(Vec::len), Some(1));
    assert_eq!(
        gaps(&account),
        ["elasticloadbalancing:DescribeTargetGroupAttributes no response for `TargetGroupArn:2`"]
    );
    let folder = tempfile::tempdir().expect("a folder");
    crate::save(&account, &folder.path().join("a"), false).expect("saved");
    assert_eq!(recorded(&folder.path().join("a")).expect("an account"), account);
}

const TABLES: &str = r#"{"TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-0a",
    "TransitGatewayId": "tgw-0a", "State": "available"}]}"#;
const ROUTES: &str = r#"{"Routes": [{"DestinationCidrBlock": "10.1.0.0/16", "TransitGatewayAttachments": [
    {"TransitGatewayAttachmentId": "tgw-attach-0a", "ResourceId": "vpc-0a", "ResourceType": "vpc"}], "Type": "propagated",
    "State": "active"}], "AdditionalRoutesAvailable": false}"#;

fn routes(inventory: &Inventory) -> Vec<(String, Option<usize>)> {
    let tables = inventory.transit_tables.values();
    tables.map(|table| (table.id.to_string(), table.routes.as_ref().map(Vec::len))).collect()
}

#[test]
fn an_answer_that_does_not_say_whose_it_is_finds_its_table() {
    let second = TABLES.replace("tgw-rtb-0a", "tgw-rtb-0b");
    let said = ROUTES.replace(r#"{"Routes""#, r#"{"TransitGatewayRouteTableId": "tgw-rtb-0b", "Routes""#);
    let only = read(&[("routes.json", ROUTES), ("tables.json", TABLES)]);
    assert_eq!(routes(&only), [("tgw-rtb-0a".to_owned(), Some(1))]);
    let both = [("a", TABLES), ("b", second.as_str())];
    let said = read(&[both[0], both[1], ("c", &said), ("search-tgw-rtb-0a_1.json", ROUTES)]);
    assert_eq!(routes(&said), [("tgw-rtb-0a".to_owned(), Some(1)), ("tgw-rtb-0b".to_owned(), Some(1))]);
    assert_eq!(gaps(&said), [""; 0]);
    let unsaid = read(&[both[0], both[1], ("c.json", ROUTES)]);
    assert_eq!(
        gaps(&unsaid),
        [
            "ec2:SearchTransitGatewayRoutes c.json does not name its `tgw-rtb-…`: add \
             `TransitGatewayRouteTableId` at its top",
            "ec2:SearchTransitGatewayRoutes not all routes of tgw-rtb-0a were recorded",
            "ec2:SearchTransitGatewayRoutes not all routes of tgw-rtb-0b were recorded",
        ]
    );
    let cut = read(&[("a", TABLES), ("b", &ROUTES.replace("false", "true"))]);
    assert_eq!(routes(&cut), [("tgw-rtb-0a".to_owned(), None)]);
    assert_eq!(gaps(&cut)[0], "ec2:SearchTransitGatewayRoutes tgw-rtb-0a has more routes than were returned");
    // Routes of something else.
    assert_eq!(gaps(&read(&[("a", VPCS), ("b", r#"{"Routes": [{"RouteId": "x"}]}"#)])), [""; 0]);
}

#[test]
fn entries_find_their_prefix_list() {
    let lists = r#"{"PrefixLists": [{"PrefixListId": "pl-0a", "PrefixListName": "offices", "MaxEntries": 5},
        {"PrefixListId": "pl-0b", "PrefixListName": "com.amazonaws.eu-west-1.s3", "Cidrs": ["198.51.100.0/24"]}]}"#;
    let entries = r#"{"Entries": [{"Cidr": "203.0.113.7/32", "Description": "x"}], "PrefixListId": "pl-0a"}"#;
    let account = read(&[("a", entries), ("b", lists)]);
    let told: Vec<(Option<usize>, Option<u32>)> = account
        .prefix_lists
        .values()
        .map(|list| (list.entries.as_ref().map(BTreeSet::len), list.max_entries))
        .collect();
    assert_eq!(told, [(Some(1), Some(5)), (Some(1), None)]);
    assert_eq!(gaps(&account), [""; 0]);
    let path = read(&[("pl-0a/entries.json", &entries.replace("PrefixListId", "X")), ("b", lists)]);
    assert_eq!(path.prefix_lists, account.prefix_lists);
}

#[test]
fn a_folder_that_leads_back_to_itself_is_read_once() {
    let folder = folder(&[("a/vpcs.json", VPCS)]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/again")).expect("a link");
    std::os::unix::fs::symlink("nowhere", folder.path().join("a/gone.json")).expect("a link");
    assert_eq!(recorded(folder.path()).expect("an account").vpcs.len(), 1);
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = folder(&[("vpcs.json", VPCS)]);
    let file = std::fs::File::options().write(true).open(folder.path().join("vpcs.json")).expect("a file");
    file.set_len(MOST + 1).expect("a hole");
    let error = recorded(folder.path()).expect_err("too large");
    assert!(
        error.to_string().ends_with("vpcs.json` has 513 MiB; a recorded answer has 512 at most"),
        "{error}"
    );
}

/// `describe-vpc-attribute` answers with one attribute of one VPC: each file is one.
#[test]
fn the_attributes_of_a_vpc_are_put_together() {
    let support = r#"{"VpcId": "vpc-0a", "EnableDnsSupport": {"Value": false}}"#;
    let hostnames = r#"{"EnableDnsHostnames": {"Value": true}, "VpcId": "vpc-0a"}"#;
    let dns = |files: &[(&str, &str)]| {
        let account = account(files);
        assert_eq!(gaps(&account), [""; 0]);
        account.vpcs.values().next().expect("a VPC").dns
    };
    let both = DnsAttributes { support: Some(false), hostnames: Some(true) };
    assert_eq!(dns(&[("a.json", support), ("b.json", VPCS), ("c.json", hostnames)]), both);
    // Whose it is may be said by the file's path, or there is only one VPC that it can be of.
    let bare = r#"{"EnableDnsHostnames": {"Value": false}}"#;
    let off = DnsAttributes { support: None, hostnames: Some(false) };
    for path in ["vpc-0a/hostnames.json", "hostnames.json"] {
        assert_eq!(dns(&[("b.json", VPCS), (path, bare)]), off, "{path}");
    }
    assert_eq!(dns(&[("b.json", VPCS)]), DnsAttributes::default());
    let of_another =
        account(&[("b.json", VPCS), ("t.json", r#"{"EnableDnsSupport": true, "Type": "AWS::EC2::VPC"}"#)]);
    assert_eq!(of_another.vpcs.values().next().expect("a VPC").dns, DnsAttributes::default());
}
