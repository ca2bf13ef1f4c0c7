//! `ec2:DescribeAvailabilityZones`: the zones of the Region with their ids.

use super::describe::{describe, shape};

describe! {
    /// Asks for the zones that the account may use; they come in one page.
    DescribeAvailabilityZones as "DescribeAvailabilityZones", pages of None;
    ZonesAnswer of ZoneShape = "AvailabilityZones" | "availabilityZoneInfo"
}

shape! {
    /// One zone.
    ZoneShape {
        id: Option<String> = "ZoneId" | "zoneId",
        name: Option<String> = "ZoneName" | "zoneName",
        region: Option<String> = "RegionName" | "regionName",
        kind: Option<String> = "ZoneType" | "zoneType",
        opt_in: Option<String> = "OptInStatus" | "optInStatus",
        state: Option<String> = "State" | "zoneState",
    }
}
