//! An image is `pending` for a while, then `available` or `failed`; its name is unique in the account and Region.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> (`InvalidAMIName.Duplicate`).

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    match call.action.as_str() {
        "DescribeImages" => call.hold_filter("state"),
        "CreateImage" | "CopyImage" => {
            let tags = call.form.parts("TagSpecification");
            call.form.remove("TagSpecification");
            let of_image = tags.iter().filter(|tags| tags.get("ResourceType") != Some("snapshot"));
            for (at, tags) in of_image.enumerate() {
                for (field, value) in tags.fields() {
                    call.form.set(&format!("TagSpecification.{}.{field}", at + 1), value);
                }
            }
            let name = call.form.get("Name").unwrap_or_default();
            let fields = [("Owner.1", "self"), ("Filter.1.Name", "name"), ("Filter.1.Value.1", name)];
            let found = account.ask(Service::Ec2, "DescribeImages", &fields).await?;
            if let Some(image) = found.list("imagesSet").iter().find(|it| it.text_at("name") == name) {
                let id = image.text_at("imageId");
                let message = format!("AMI name {name} is already in use by AMI {id}");
                return Err(refusal("InvalidAMIName.Duplicate", message));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Tags the snapshots of a new image. moto fails when it is asked to.
async fn tag_snapshots(account: &Account, call: &Call, image: &str) -> Result<(), Refusal> {
    let found = account.ask(Service::Ec2, "DescribeImages", &[("ImageId.1", image)]).await?;
    let disks =
        found.list("imagesSet").iter().flat_map(|it| it.texts("blockDeviceMapping", "ebs/snapshotId"));
    for snapshot in disks.filter(|id| !id.is_empty()) {
        for tags in call.asked.parts("TagSpecification") {
            if tags.get("ResourceType") != Some("snapshot") {
                continue;
            }
            let mut fields = vec![("ResourceId.1".to_owned(), snapshot.clone())];
            fields.extend(
                tags.fields()
                    .filter(|(name, _)| name.starts_with("Tag."))
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            account.ask(Service::Ec2, "CreateTags", &fields).await?;
        }
    }
    Ok(())
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.action.as_str() {
        "CreateImage" | "CopyImage" => {
            let failed = account.settings.ending(|ending| (*ending == Ending::Image).then_some(()));
            let end = if failed.is_some() { "failed" } else { "available" };
            let life = Life::new(account.now, "pending").then(account.delay(Delay::ImagePending), end);
            account.live(answer.text_at("imageId"), life);
            tag_snapshots(account, call, answer.text_at("imageId")).await?;
        }
        "DescribeImages" => {
            let Some(set) = answer.child_mut("imagesSet") else { return Ok(()) };
            for image in &mut set.children {
                if let Some(state) = account.state(image.text_at("imageId")) {
                    image.set("imageState", state);
                }
            }
            set.children.retain(|image| call.admits("state", image.text_at("imageState")));
        }
        _ => {}
    }
    Ok(())
}
