//! Why something does not pass, by the explanation codes of AWS's Reachability Analyzer.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($name:ident $text:literal $meaning:literal),* $(,)?) => {
        /// An explanation code.
        ///
        /// Source: VPC Reachability Analyzer, explanation codes. Those that Analyzer has no word for are marked
        /// as Doorward's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As Reachability Analyzer writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    BadState "BAD_STATE" "it is not in a state in which it forwards packets",
    BadStateAttachment "BAD_STATE_ATTACHMENT" "the attachment is not in a state in which it forwards packets",
    BadStateRoute "BAD_STATE_ROUTE" "the route is a black hole",
    BadStateVpn "BAD_STATE_VPN" "the VPN connection is down",
    NoRoute "NO_ROUTE_TO_DESTINATION" "the route table has no route there",
    NoDestination "NO_POSSIBLE_DESTINATION" "nothing there takes the packet",
    UnknownDestination "UNKNOWN_DESTINATION" "too little is known of where it goes",
    SecurityGroup "ENI_SG_RULES_MISMATCH" "no rule of the security groups admits it",
    SecurityGroupEmpty "SG_HAS_NO_RULES" "the security groups have no rule for that direction",
    ReferencesLost "SG_REFERENCES_NOT_PRESERVED" "the security groups of the sender are not known behind this hop",
    PeeredGroupsUnknown "UNKNOWN_PEERED_SGS" "the groups on the other side of the peering are not known",
    Acl "SUBNET_ACL_RESTRICTION" "the network ACL does not admit it",
    Address "ENI_ADDRESS_RESTRICTION" "the interface does not have that address",
    SourceDestCheck "ENI_SOURCE_DEST_CHECK_RESTRICTION" "the interface takes and sends only what is its own",
    NoPublicAddressOut "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS" "the sender has no public address",
    NoPublicAddressIn "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS" "the receiver has no public address",
    PrivateDestination "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS" "an internet gateway does not forward to private destinations",
    SharedDestination "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS" "an internet gateway does not forward to the shared address range",
    Spoofed "GATEWAY_REJECTS_SPOOFED_TRAFFIC" "the gateway does not take addresses of the VPC from outside",
    Redirected "INGRESS_RTB_TRAFFIC_REDIRECTION" "the gateway's own route table leads it elsewhere",
    NatSource "NGW_REQUIRES_SOURCE_IN_VPC" "a NAT gateway takes only what comes from its own VPC",
    NatInward "NGW_DEST_ADDRESS_PRESERVATION" "a NAT gateway accepts no inbound connections",
    Protocol "PROTOCOL_RESTRICTION" "it forwards only some protocols",
    PeeringAddress "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR" "a peering forwards only packets from one of its VPCs to the other",
    TransitZone "TGW_ROUTE_AZ_RESTRICTION" "the transit gateway has no attachment in the sender's zone",
    TransitAttachmentZone "TGW_ATTACH_VPC_AZ_RESTRICTION" "the transit gateway cannot hand it to that zone",
    TransitNoTable "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION" "the attachment is associated with no route table",
    TransitNoRoute "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT" "the transit gateway's route table has no route there",
    TransitBadRoute "TGW_RTB_BAD_STATE_ROUTE" "the transit gateway's route is a black hole",
    TransitRoutesUnknown "TGW_RTB_ROUTES_ARE_UNKNOWN" "the routes of the transit gateway are not known",
    TransitCannotRoute "TGW_RTB_CANNOT_ROUTE" "the transit gateway's route leads elsewhere",
    VpnAddressIn "VGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS" "a VPN gateway delivers only to private addresses of its VPC",
    VpnAddressOut "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS" "a VPN gateway forwards only from private addresses of its VPC",
    EndpointProtocol "VPCE_GATEWAY_PROTOCOL_RESTRICTION" "a gateway endpoint forwards only TCP and ICMP echo",
    EndpointAddress "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION" "a gateway endpoint leads only to its service",
    Listener "ELBV2_LISTENERS_MISMATCH" "the load balancer does not listen there",
    ListenerNoTargets "ELBV2_LISTENER_HAS_NO_TG" "the listener has no targets",
    ClassicListener "ELB_LISTENERS_MISMATCH" "the load balancer does not listen there",
    NotATarget "TARGET_ADDRESS_RESTRICTION" "the load balancer sends only to its targets",
    TargetPort "TARGET_PORT_RESTRICTION" "the load balancer sends only to the registered port",
    ZoneNotEnabled "ELB_INSTALLED_AZ_RESTRICTION" "the load balancer sends only to targets in zones that are enabled for it",
    SourcePreservation "ELBV2_SOURCE_ADDRESS_PRESERVATION" "the load balancer preserves the client's address only on a direct path",
    NotCrossZone "ELB_NOT_CROSSZONE" "the load balancer does not send across zones",
    BlockPublicAccess "VPC_BLOCK_PUBLIC_ACCESS_ENABLED" "VPC Block Public Access forbids it",
    EndpointInitiates "VPC_ENDPOINT_CANNOT_INITIATE" "an interface endpoint never initiates connections (Doorward's own code)",
    Reply "RETURN_PATH" "the replies do not come back (Doorward's own code)",
    NotAttached "NOT_ATTACHED" "it is attached to nothing (Doorward's own code)",
    Loop "TOO_MANY_HOPS" "the path does not end (Doorward's own code)",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
