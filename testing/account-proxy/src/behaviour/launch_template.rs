//! A version of a launch template that names a source takes over what it does not give itself.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html>, `SourceVersion`: "the new version
//! inherits the launch parameters from the source version. If you specify additional launch parameters for the new version, they
//! overwrite any corresponding launch parameters inherited from the source version."

use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::form::Form;
use crate::xml::Element;

pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    if call.action != "CreateLaunchTemplateVersion" {
        return Ok(());
    }
    let Some(source) = call.form.get("SourceVersion").map(str::to_owned) else { return Ok(()) };
    let (name, value) = match call.form.get("LaunchTemplateId") {
        Some(id) => ("LaunchTemplateId", id.to_owned()),
        None => ("LaunchTemplateName", call.form.get("LaunchTemplateName").unwrap_or_default().to_owned()),
    };
    let fields = [(name, value.as_str()), ("LaunchTemplateVersion.1", source.as_str())];
    let found = account.ask(Service::Ec2, "DescribeLaunchTemplateVersions", &fields).await?;
    let Some(data) = found.at("launchTemplateVersionSet/item/launchTemplateData") else { return Ok(()) };
    let mut inherited = Form::default();
    data.children.iter().for_each(|child| flatten(child, "LaunchTemplateData", &mut inherited));
    let given = call.form.part("LaunchTemplateData");
    for (field, value) in inherited.fields() {
        // A parameter that is given replaces the inherited one as a whole.
        let top = field.split('.').nth(1).unwrap_or_default();
        if !given.has(top) {
            call.form.set(field, value);
        }
    }
    Ok(())
}

/// How answers name a list, and how requests do.
const LISTS: [(&str, &str); 7] = [
    ("blockDeviceMappingSet", "BlockDeviceMapping"),
    ("networkInterfaceSet", "NetworkInterface"),
    ("securityGroupIdSet", "SecurityGroupId"),
    ("securityGroupSet", "SecurityGroup"),
    ("tagSpecificationSet", "TagSpecification"),
    ("groupSet", "SecurityGroupId"),
    ("tagSet", "Tag"),
];

fn flatten(element: &Element, prefix: &str, into: &mut Form) {
    let listed = LISTS.iter().find(|(answer, _)| *answer == element.name).map(|(_, request)| *request);
    let name = match listed {
        Some(request) => request.to_owned(),
        None => {
            let mut letters = element.name.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        }
    };
    let path = format!("{prefix}.{name}");
    if element.children.is_empty() && !element.text.is_empty() {
        into.set(&path, element.text.as_str());
    }
    for (at, child) in element.children.iter().enumerate() {
        if child.name == "item" && child.children.is_empty() {
            into.set(&format!("{path}.{}", at + 1), child.text.as_str());
        } else if child.name == "item" {
            child.children.iter().for_each(|part| flatten(part, &format!("{path}.{}", at + 1), into));
        } else {
            flatten(child, &path, into);
        }
    }
}
