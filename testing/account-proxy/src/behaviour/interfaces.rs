//! The network interfaces that services put into subnets: they have the groups of their owner, nobody else can change or
//! delete them, and some outlive their owner.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html>. The descriptions are those that AWS's
//! support articles search for, such as <https://repost.aws/knowledge-center/ec2-find-eni-source>.

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::xml::Element;

/// An interface that a service made.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// The key of its owner: `db:NAME`, an ARN, an id.
    owner: String,
    kind: Kind,
}

/// The appearance of a service's interfaces.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// `interfaceType`.
    pub(crate) is: &'static str,
    /// `requesterId`.
    pub(crate) requester: &'static str,
    /// `attachment/instanceOwnerId`.
    pub(crate) attached_by: &'static str,
    pub(crate) description: String,
}

/// Makes an interface in a subnet.
pub(crate) async fn create(
    account: &mut Account,
    owner: &str,
    subnet: &str,
    groups: &[String],
    kind: Kind,
) -> Result<(), Refusal> {
    let names: Vec<String> = (1..=groups.len()).map(|number| format!("SecurityGroupId.{number}")).collect();
    let mut fields = vec![("SubnetId", subnet), ("Description", kind.description.as_str())];
    fields.extend(names.iter().map(String::as_str).zip(groups.iter().map(String::as_str)));
    let made = account.ask(Service::Ec2, "CreateNetworkInterface", &fields).await?;
    adopt(account, owner, made.text_at("networkInterface/networkInterfaceId"), kind);
    Ok(())
}

/// Takes an interface that moto made as one of a service.
pub(crate) fn adopt(account: &mut Account, owner: &str, id: &str, kind: Kind) {
    account.interfaces.insert(id.to_owned(), Interface { owner: owner.to_owned(), kind });
}

/// The interfaces of an owner.
pub(crate) fn of(account: &Account, owner: &str) -> Vec<String> {
    let all = account.interfaces.iter().filter(|(_, interface)| interface.owner == owner);
    all.map(|(id, _)| id.clone()).collect()
}

/// Gives the interfaces of an owner other groups.
pub(crate) async fn set_groups(account: &Account, owner: &str, groups: &[String]) -> Result<(), Refusal> {
    let names: Vec<String> = (1..=groups.len()).map(|number| format!("SecurityGroupId.{number}")).collect();
    for id in of(account, owner) {
        let mut fields = vec![("NetworkInterfaceId", id.as_str())];
        fields.extend(names.iter().map(String::as_str).zip(groups.iter().map(String::as_str)));
        account.ask(Service::Ec2, "ModifyNetworkInterfaceAttribute", &fields).await?;
    }
    Ok(())
}

/// Deletes the interfaces of an owner.
pub(crate) async fn delete(account: &mut Account, owner: &str) -> Result<(), Refusal> {
    for id in of(account, owner) {
        account.interfaces.remove(&id);
        account.ask(Service::Ec2, "DeleteNetworkInterface", &[("NetworkInterfaceId", &id)]).await?;
    }
    Ok(())
}

/// Renames an owner.
pub(crate) fn rename(account: &mut Account, owner: &str, new: &str) {
    for interface in account.interfaces.values_mut().filter(|interface| interface.owner == owner) {
        new.clone_into(&mut interface.owner);
    }
}

/// The filters that moto cannot apply.
const FILTERS: [(&str, &str); 6] = [
    ("status", "status"),
    ("requester-id", "requesterId"),
    ("requester-managed", "requesterManaged"),
    ("interface-type", "interfaceType"),
    ("attachment.instance-owner-id", "attachment/instanceOwnerId"),
    ("attachment.status", "attachment/status"),
];

/// Refuses to change or delete what is in use or belongs to a service.
pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    match call.action.as_str() {
        "DescribeNetworkInterfaces" => FILTERS.iter().for_each(|(filter, _)| call.hold_filter(filter)),
        "ModifyNetworkInterfaceAttribute" | "AttachNetworkInterface" | "DeleteNetworkInterface" => {
            let id = call.form.get("NetworkInterfaceId").unwrap_or_default();
            if account.interfaces.contains_key(id) {
                let message = format!("You do not have permission to access the specified resource: {id}");
                return Err(refusal("OperationNotPermitted", message));
            }
            if call.action == "DeleteNetworkInterface" {
                let found = account
                    .ask(Service::Ec2, "DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", id)])
                    .await?;
                if found.list("networkInterfaceSet").iter().any(|item| item.text_at("status") == "in-use") {
                    // The page of the codes says of `InvalidNetworkInterface.InUse` that this one may come too; it is the
                    // one that comes.
                    let message = format!("Network interface '{id}' is currently in use.");
                    return Err(refusal("InvalidParameterValue", message));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Shows interfaces of services as what they are.
pub(super) fn after(account: &Account, call: &Call, answer: &mut Element) {
    let Some(set) =
        answer.child_mut("networkInterfaceSet").filter(|_| call.action == "DescribeNetworkInterfaces")
    else {
        return;
    };
    for item in &mut set.children {
        let id = item.text_at("networkInterfaceId").to_owned();
        if let Some(Interface { kind, .. }) = account.interfaces.get(&id) {
            item.set("description", kind.description.as_str());
            item.set("interfaceType", kind.is);
            item.set("requesterManaged", "true");
            item.set("requesterId", kind.requester);
            item.set("status", "in-use");
            let attachment = id.replacen("eni-", "eni-attach-", 1);
            item.put(Element::with(
                "attachment",
                vec![
                    Element::with_text("attachmentId", attachment),
                    Element::with_text("deleteOnTermination", "false"),
                    Element::with_text("deviceIndex", "1"),
                    Element::with_text("instanceOwnerId", kind.attached_by),
                    Element::with_text("status", "attached"),
                ],
            ));
        }
    }
    let meets = |item: &Element| FILTERS.iter().all(|(filter, path)| call.admits(filter, item.text_at(path)));
    set.children.retain(meets);
}
