//! A new resource is not visible at once: calls that name it are answered that it does not exist, and lists lack it.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>; the codes are those of
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.

use jiff::Timestamp;

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::clock::later;
use crate::xml::Element;

/// How long something is not shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unseen {
    calls: u32,
    until: Timestamp,
}

/// A kind of things: how ids begin, where lists have them, by which name, and AWS's code when it does not exist.
struct Kind {
    prefix: &'static str,
    list: &'static str,
    id: &'static str,
    code: &'static str,
}

const KINDS: [Kind; 13] = [
    kind("vpc-", "vpcSet", "vpcId", "InvalidVpcID.NotFound"),
    kind("subnet-", "subnetSet", "subnetId", "InvalidSubnetID.NotFound"),
    kind("sg-", "securityGroupInfo", "groupId", "InvalidGroup.NotFound"),
    kind("igw-", "internetGatewaySet", "internetGatewayId", "InvalidInternetGatewayID.NotFound"),
    kind(
        "eigw-",
        "egressOnlyInternetGatewaySet",
        "egressOnlyInternetGatewayId",
        "InvalidEgressOnlyInternetGatewayId.NotFound",
    ),
    kind("eipalloc-", "addressesSet", "allocationId", "InvalidAllocationID.NotFound"),
    kind("nat-", "natGatewaySet", "natGatewayId", "NatGatewayNotFound"),
    kind("rtb-", "routeTableSet", "routeTableId", "InvalidRouteTableID.NotFound"),
    kind("vpce-", "vpcEndpointSet", "vpcEndpointId", "InvalidVpcEndpointId.NotFound"),
    kind("i-", "reservationSet", "instanceId", "InvalidInstanceID.NotFound"),
    kind("eni-", "networkInterfaceSet", "networkInterfaceId", "InvalidNetworkInterfaceID.NotFound"),
    kind("lt-", "launchTemplates", "launchTemplateId", "InvalidLaunchTemplateId.NotFound"),
    kind("ami-", "imagesSet", "imageId", "InvalidAMIID.NotFound"),
];

const fn kind(prefix: &'static str, list: &'static str, id: &'static str, code: &'static str) -> Kind {
    Kind { prefix, list, id, code }
}

/// Where the answers of creating calls have the id of what they made.
const MADE: [(&str, &str); 13] = [
    ("CreateVpc", "vpc/vpcId"),
    ("CreateSubnet", "subnet/subnetId"),
    ("CreateSecurityGroup", "groupId"),
    ("CreateInternetGateway", "internetGateway/internetGatewayId"),
    ("CreateEgressOnlyInternetGateway", "egressOnlyInternetGateway/egressOnlyInternetGatewayId"),
    ("AllocateAddress", "allocationId"),
    ("CreateNatGateway", "natGateway/natGatewayId"),
    ("CreateRouteTable", "routeTable/routeTableId"),
    ("CreateVpcEndpoint", "vpcEndpoint/vpcEndpointId"),
    ("RunInstances", "instancesSet/item/instanceId"),
    ("CreateNetworkInterface", "networkInterface/networkInterfaceId"),
    ("CreateLaunchTemplate", "launchTemplate/launchTemplateId"),
    ("CreateImage", "imageId"),
];

/// Refuses a call that names something that is not shown yet.
pub(crate) fn before(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let named: Vec<String> = call.form.fields().map(|(_, value)| value.to_owned()).collect();
    let is_filter = |id: &str| {
        let filters = call.form.fields().filter(|(name, _)| name.starts_with("Filter."));
        filters.into_iter().any(|(_, value)| value == id)
    };
    for id in named {
        // A filter for it finds nothing; that is seen in the answer.
        if call.service == Service::Ec2 && !is_filter(&id) && hides(account, &id) {
            return Err(not_found(&id));
        }
    }
    Ok(())
}

/// Hides new resources, and takes hidden ones out of lists.
pub(crate) fn after(account: &mut Account, call: &Call, answer: &mut Element) {
    if call.service != Service::Ec2 {
        return;
    }
    let hidden = account.settings.visibility;
    if let Some((_, path)) = MADE.iter().find(|(action, _)| *action == call.action)
        && (hidden.calls > 0 || hidden.seconds > 0)
    {
        let unseen = Unseen { calls: hidden.calls, until: later(account.now, hidden.seconds) };
        account.unseen.insert(answer.text_at(path).to_owned(), unseen);
    } else if call.reads() {
        for kind in KINDS {
            let Some(list) = answer.child_mut(kind.list) else { continue };
            list.children.retain(|item| {
                let id = item.text_at(kind.id);
                let id = if id.is_empty() { item.text_at("instancesSet/item/instanceId") } else { id };
                !hides(account, id)
            });
        }
        if let Some(tags) = answer.child_mut("tagSet") {
            tags.children.retain(|item| !hides(account, item.text_at("resourceId")));
        }
    }
}

/// Whether an id is not shown; a call that would have shown it counts.
fn hides(account: &mut Account, id: &str) -> bool {
    let Some(unseen) = account.unseen.get_mut(id) else { return false };
    let is_hidden = unseen.calls > 0 || account.now < unseen.until;
    unseen.calls = unseen.calls.saturating_sub(1);
    if !is_hidden {
        account.unseen.remove(id);
    }
    is_hidden
}

/// AWS's answer for a resource that does not exist.
pub(crate) fn not_found(id: &str) -> Refusal {
    let kind = KINDS.iter().find(|kind| id.starts_with(kind.prefix));
    let code = kind.map_or("InvalidParameterValue", |kind| kind.code);
    refusal(code, format!("The ID '{id}' does not exist"))
}
