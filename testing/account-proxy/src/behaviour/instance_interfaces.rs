//! The interface that is made with an instance goes with it; one that was attached to it stays. moto leaves both attached to what
//! is terminated.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>; `DeleteOnTermination` of
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceSpecification.html>.

use std::collections::BTreeSet;

use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::form::Form;
use crate::xml::Element;

/// How moto describes what it makes with an instance.
const PRIMARY: &str = "Primary network interface";

/// Takes the interfaces of terminated instances away before a call that would meet them.
pub(super) async fn before(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let meets =
        ["Delete", "Detach", "Disassociate", "Release"].iter().any(|verb| call.action.starts_with(verb));
    if !meets && call.action != "DescribeNetworkInterfaces" {
        return Ok(());
    }
    let found = account.find("DescribeInstances", "instance-state-name", "terminated").await?;
    let reservations = found.list("reservationSet");
    let terminated: BTreeSet<String> =
        reservations.iter().flat_map(|it| it.texts("instancesSet", "instanceId")).collect();
    if terminated.is_empty() {
        return Ok(());
    }
    let found = account.ask(Service::Ec2, "DescribeNetworkInterfaces", &[]).await?;
    for item in found.list("networkInterfaceSet") {
        if !terminated.contains(item.text_at("attachment/instanceId")) {
            continue;
        }
        let id = item.text_at("networkInterfaceId");
        let association = item.text_at("association/associationId");
        if !association.is_empty() {
            account.ask(Service::Ec2, "DisassociateAddress", &[("AssociationId", association)]).await?;
        }
        if item.text_at("description") == PRIMARY && !account.kept.contains(id) {
            account.ask(Service::Ec2, "DeleteNetworkInterface", &[("NetworkInterfaceId", id)]).await?;
        } else {
            let fields = [("AttachmentId", item.text_at("attachment/attachmentId")), ("Force", "true")];
            account.ask(Service::Ec2, "DetachNetworkInterface", &fields).await?;
        }
    }
    Ok(())
}

/// Keeps what is not deleted with its instance, and changes an instance's groups and check where they are: at its interface.
pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.action.as_str() {
        "RunInstances" => {
            for asked in call.form.parts("NetworkInterface") {
                if let Some(id) = asked.get("NetworkInterfaceId") {
                    account.kept.insert(id.to_owned());
                } else if asked.has("DeleteOnTermination") && !asked.is_set("DeleteOnTermination") {
                    let index = asked.get("DeviceIndex").unwrap_or_default();
                    for instance in answer.list("instancesSet") {
                        let interfaces = instance.list("networkInterfaceSet").iter();
                        let asked = interfaces.filter(|it| it.text_at("attachment/deviceIndex") == index);
                        account.kept.extend(asked.map(|it| it.text_at("networkInterfaceId").to_owned()));
                    }
                }
            }
        }
        "DescribeNetworkInterfaces" => {
            for item in answer.child_mut("networkInterfaceSet").into_iter().flat_map(|set| &mut set.children)
            {
                let goes = item.text_at("description") == PRIMARY
                    && !account.kept.contains(item.text_at("networkInterfaceId"));
                if let Some(attachment) = item.child_mut("attachment").filter(|_| goes) {
                    attachment.set("deleteOnTermination", "true");
                }
            }
        }
        "ModifyInstanceAttribute" => {
            let id = call.form.get("InstanceId").unwrap_or_default();
            let mut change = Form::default();
            for (at, group) in call.form.list("GroupId").into_iter().enumerate() {
                change.set(&format!("SecurityGroupId.{}", at + 1), group);
            }
            if let Some(check) = call.form.get("SourceDestCheck.Value") {
                change.set("SourceDestCheck.Value", check);
            }
            let found = account.find("DescribeNetworkInterfaces", "attachment.instance-id", id).await?;
            let primary = found.list("networkInterfaceSet").iter();
            let mut primary = primary.filter(|it| it.text_at("attachment/deviceIndex") == "0");
            if let Some(primary) = primary.next().filter(|_| change.fields().next().is_some()) {
                change.set("NetworkInterfaceId", primary.text_at("networkInterfaceId"));
                let fields: Vec<(&str, &str)> = change.fields().collect();
                account.ask(Service::Ec2, "ModifyNetworkInterfaceAttribute", &fields).await?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Shows the groups of an instance's primary interface as those of the instance. moto lacks those that were given with the
/// interface.
pub(super) fn show_groups(instance: &mut Element) {
    let mut interfaces = instance.list("networkInterfaceSet").iter();
    let primary = interfaces.find(|it| it.text_at("attachment/deviceIndex") == "0");
    if let Some(groups) = primary.and_then(|it| it.child("groupSet")).cloned() {
        instance.put(groups);
    }
}
