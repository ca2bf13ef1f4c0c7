//! VPCs, subnets and zones.

use doorward_core::inventory::{Call, DnsAttributes, Subnet, Vpc, VpcId, Zone};

use super::{Member, Reader, Unreadable, cidr, needed, needed_text, tags, text};
use crate::operation::{
    BlockStateShape, FlagShape, SubnetShape, V6BlockShape, VpcAttributeAnswer, VpcShape, ZoneShape,
};

impl Member for VpcShape {
    const CALL: Call = Call::Vpcs;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let second = self.v4.0.iter().filter(|block| stands(block.state.as_ref()));
        let v4 = self.cidr.iter().chain(second.filter_map(|block| block.cidr.as_ref()));
        let vpc = Vpc {
            id: needed(self.id.as_deref(), "VpcId")?,
            account_region: reader.account_region.clone(),
            owner: text(self.owner.as_ref()),
            cidrs: v4.chain(v6(&self.v6.0)).map(|block| cidr(block)).collect::<Result<_, _>>()?,
            default: self.default.unwrap_or_default(),
            dns: DnsAttributes::default(),
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.vpcs, vpc.id.clone(), vpc, PartialEq::eq)
    }
}

impl Member for SubnetShape {
    const CALL: Call = Call::Subnets;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let subnet = Subnet {
            id: needed(self.id.as_deref(), "SubnetId")?,
            vpc: needed(self.vpc.as_deref(), "VpcId")?,
            zone: text(self.zone.as_ref()),
            zone_id: text(self.zone_id.as_ref()),
            // A subnet of IPv6 alone has an empty prefix of IPv4, or none.
            cidrs: self
                .cidr
                .iter()
                .filter(|block| !block.is_empty())
                .chain(v6(&self.v6.0))
                .map(|block| cidr(block))
                .collect::<Result<_, _>>()?,
            tags: tags(&self.tags),
        };
        reader.keep(|inventory| &mut inventory.subnets, subnet.id.clone(), subnet, PartialEq::eq)
    }
}

impl Member for ZoneShape {
    const CALL: Call = Call::Zones;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let is = |told: &Option<String>, words: &[&str]| {
            text(told.as_ref()).is_none_or(|told| words.contains(&told.as_str()))
        };
        let id = needed_text(self.id.as_ref(), "ZoneId")?;
        let zone = Zone {
            id: id.clone(),
            name: text(self.name.as_ref()),
            region: text(self.region.as_ref()),
            is_availability_zone: is(&self.kind, &["availability-zone"]),
            is_usable: is(&self.opt_in, &["opt-in-not-required", "opted-in"])
                && is(&self.state, &["available", "information"]),
        };
        let account_region = reader.account_region.clone();
        reader.keep(|inventory| &mut inventory.zones, (account_region, id), zone, PartialEq::eq)
    }
}

impl Reader {
    /// Takes an attribute of a VPC; each comes in an answer of its own.
    pub(crate) fn vpc_attribute(&mut self, answer: &VpcAttributeAnswer) {
        match needed::<VpcId>(answer.vpc.as_deref(), "VpcId") {
            Ok(vpc) => {
                let known = self.apart.dns.entry(vpc).or_default();
                let value = |flag: &Option<FlagShape>| flag.as_ref().and_then(|flag| flag.value);
                known.support = value(&answer.support).or(known.support);
                known.hostnames = value(&answer.hostnames).or(known.hostnames);
            }
            Err(why) => self.unreadable(Call::VpcAttributes, answer.vpc.as_deref(), &why),
        }
    }
}

fn v6(blocks: &[V6BlockShape]) -> impl Iterator<Item = &String> {
    blocks.iter().filter(|block| stands(block.state.as_ref())).filter_map(|block| block.cidr.as_ref())
}

/// Whether a prefix is associated: one that no longer is stays in answers for a while.
fn stands(state: Option<&BlockStateShape>) -> bool {
    state.and_then(|state| state.state.as_deref()).is_none_or(|state| state == "associated")
}

#[cfg(test)]
mod tests {
    use super::super::tests::alike;
    use super::*;
    use crate::operation::{DescribeAvailabilityZones, DescribeSubnets, DescribeVpcs, Paged};

    #[test]
    fn a_vpc_has_the_prefixes_that_are_associated() {
        let seen = alike::<DescribeVpcs>(
            r#"<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><vpcSet>
            <item><vpcId>vpc-0a</vpcId><ownerId>123456789012</ownerId><state>available</state><cidrBlock>10.0.0.0/16</cidrBlock>
            <cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16</cidrBlock><associationId>a</associationId><cidrBlockState>
            <state>associated</state></cidrBlockState></item><item><cidrBlock>10.9.0.0/16</cidrBlock><cidrBlockState><state>
            disassociated</state></cidrBlockState></item></cidrBlockAssociationSet><ipv6CidrBlockAssociationSet><item>
            <ipv6CidrBlock>2001:db8::/56</ipv6CidrBlock><ipv6CidrBlockState><state>associated</state></ipv6CidrBlockState></item>
            </ipv6CidrBlockAssociationSet><isDefault>false</isDefault><tagSet><item><key>Name</key><value>a</value></item></tagSet>
            </item></vpcSet></DescribeVpcsResponse>"#,
            r#"{"Vpcs": [{"VpcId": "vpc-0a", "OwnerId": "123456789012", "CidrBlock": "10.0.0.0/16", "IsDefault": false,
            "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}, {"CidrBlock":
            "10.9.0.0/16", "CidrBlockState": {"State": "disassociated"}}], "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock":
            "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}}], "Tags": [{"Key": "Name", "Value": "a"}]}],
            "NextToken": null}"#,
        );
        let vpc = seen.vpcs.values().next().expect("a VPC");
        let cidrs: Vec<String> = vpc.cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(cidrs, ["10.0.0.0/16", "2001:db8::/56"]);
        assert_eq!(vpc.tags["Name"], "a");
    }

    #[test]
    fn a_name_is_one_line_whatever_somebody_wrote_into_it() {
        let seen = alike::<DescribeVpcs>(
            r#"<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpcSet><item><vpcId>vpc-0a</vpcId>
            <cidrBlock>10.0.0.0/16</cidrBlock><tagSet><item><key>Name</key><value>a&#10;no: it is shut</value></item></tagSet>
            </item></vpcSet></DescribeVpcsResponse>"#,
            r#"{"Vpcs": [{"VpcId": "vpc-0a", "CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "Name", "Value":
            "a\nno: it is shut"}]}]}"#,
        );
        let vpc = seen.vpcs.values().next().expect("a VPC");
        assert_eq!(vpc.tags["Name"], "a\\nno: it is shut");
    }

    #[test]
    fn a_subnet_may_have_one_family_only() {
        let seen = alike::<DescribeSubnets>(
            r#"<r><subnetSet><item><subnetId>subnet-0a</subnetId><vpcId>vpc-0a</vpcId><cidrBlock/><availabilityZone>eu-west-1a
            </availabilityZone><availabilityZoneId>euw1-az1</availabilityZoneId><ipv6CidrBlockAssociationSet><item><ipv6CidrBlock>
            2001:db8::/64</ipv6CidrBlock><ipv6CidrBlockState><state>associated</state></ipv6CidrBlockState></item>
            </ipv6CidrBlockAssociationSet></item></subnetSet></r>"#,
            r#"{"Subnets": [{"SubnetId": "subnet-0a", "VpcId": "vpc-0a", "CidrBlock": null, "AvailabilityZone": "eu-west-1a",
            "AvailabilityZoneId": "euw1-az1", "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64",
            "Ipv6CidrBlockState": {"State": "associated"}}], "Tags": null}]}"#,
        );
        assert_eq!(seen.subnets.len(), 1);
    }

    #[test]
    fn a_zone_says_whether_a_network_may_have_subnets_there() {
        let seen = alike::<DescribeAvailabilityZones>(
            r#"<r><availabilityZoneInfo><item><optInStatus>opt-in-not-required</optInStatus><zoneName>us-west-2a</zoneName>
            <zoneId>usw2-az2</zoneId><zoneType>availability-zone</zoneType><zoneState>available</zoneState>
            <regionName>us-west-2</regionName></item><item><optInStatus>opted-in</optInStatus><zoneName>us-west-2-lax-1a</zoneName>
            <zoneId>usw2-lax1-az1</zoneId><zoneType>local-zone</zoneType><zoneState>available</zoneState><regionName>us-west-2
            </regionName></item><item><optInStatus>not-opted-in</optInStatus><zoneId>usw2-az9</zoneId><zoneType>availability-zone
            </zoneType><zoneState>available</zoneState></item></availabilityZoneInfo></r>"#,
            r#"{"AvailabilityZones": [{"OptInStatus": "opt-in-not-required", "ZoneName": "us-west-2a", "ZoneId": "usw2-az2",
            "ZoneType": "availability-zone", "State": "available", "RegionName": "us-west-2", "Messages": []},
            {"OptInStatus": "opted-in", "ZoneName": "us-west-2-lax-1a", "ZoneId": "usw2-lax1-az1", "ZoneType": "local-zone",
            "State": "available", "RegionName": "us-west-2"}, {"OptInStatus": "not-opted-in", "ZoneId": "usw2-az9",
            "ZoneType": "availability-zone", "State": "available"}]}"#,
        );
        let zones: Vec<_> =
            seen.zones.values().map(|it| (it.id.as_str(), it.is_availability_zone, it.is_usable)).collect();
        assert_eq!(
            zones,
            [("usw2-az2", true, true), ("usw2-az9", true, false), ("usw2-lax1-az1", false, true)]
        );
        assert_eq!(seen.zones.values().next().and_then(|zone| zone.region.as_deref()), Some("us-west-2"));
    }

    #[test]
    fn one_that_cannot_be_read_hides_no_other() {
        let answer =
            r#"{"Vpcs": [{"VpcId": " "}, {"VpcId": "vpc-0a", "CidrBlock": "ten"}, {}, {"VpcId": "vpc-0b"}]}"#;
        let mut reader = Reader::default();
        reader.take(&DescribeVpcs::split(serde_json::from_str(answer).expect("an answer")).0);
        let seen = reader.finish();
        assert_eq!(seen.vpcs.len(), 1);
        let why: Vec<&str> = seen.gaps.iter().map(|gap| gap.why.as_str()).collect();
        assert!(why[0] == "` ` cannot be read: it has no `VpcId`", "{why:?}");
        assert!(why[1].starts_with("`vpc-0a` cannot be read: `ten` is not"), "{why:?}");
        assert_eq!(why[2], "something cannot be read: it has no `VpcId`");
    }
}
