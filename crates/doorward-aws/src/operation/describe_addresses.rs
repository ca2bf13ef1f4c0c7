//! `ec2:DescribeAddresses`: the elastic addresses and what they stand for.

use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all elastic addresses; they come in one page.
    DescribeAddresses as "DescribeAddresses", pages of None;
    AddressesAnswer of AddressShape = "Addresses" | "addressesSet"
}

shape! {
    /// One address.
    AddressShape {
        public: Option<String> = "PublicIp" | "publicIp",
        allocation: Option<String> = "AllocationId" | "allocationId",
        private: Option<String> = "PrivateIpAddress" | "privateIpAddress",
        interface: Option<String> = "NetworkInterfaceId" | "networkInterfaceId",
        instance: Option<String> = "InstanceId" | "instanceId",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
