//! `ec2:CreateLaunchTemplate` and `ec2:CreateLaunchTemplateVersion`.

use doorward_core::inventory::{Image, LaunchTemplateId, LaunchTemplateVersion, Owned, Tags};

use super::{DescribeLaunchTemplates, LaunchTemplateShape, LaunchTemplateVersionShape};
use crate::operation::describe::shape;
use crate::operation::network::{All, Creates, Tagged};
use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List, Tag};

/// Creates a launch template with its first version. The metadata of its instances take only requests with a token, from the
/// instances alone (Security Hub, EC2.8).
#[derive(Debug, Clone)]
pub(crate) struct CreateLaunchTemplate {
    pub(crate) name: String,
    pub(crate) version: LaunchTemplateVersion,
    pub(crate) tags: Tags,
    /// The tags of what is launched.
    pub(crate) launched: Tags,
    pub(crate) token: String,
}

impl Operation for CreateLaunchTemplate {
    const NAME: &'static str = "CreateLaunchTemplate";
    const SERVICE: Service = Service::Ec2;
    type Answer = LaunchTemplateAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LaunchTemplateName", &self.name);
        form.put("ClientToken", &self.token);
        parameters(&mut form, &self.version);
        form.put("LaunchTemplateData.MetadataOptions.HttpTokens", "required");
        form.put("LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit", "1");
        for (number, kind) in (1..).zip(["instance", "volume", "network-interface"]) {
            specification(
                &mut form,
                &format!("LaunchTemplateData.TagSpecification.{number}"),
                kind,
                &self.launched,
            );
        }
        specification(&mut form, "TagSpecification.1", "launch-template", &self.tags);
        Body::Form(form)
    }
}

fn specification(form: &mut Form, prefix: &str, kind: &str, tags: &Tags) {
    form.put(&format!("{prefix}.ResourceType"), kind);
    for (tag, (key, value)) in (1..).zip(tags) {
        form.put(&format!("{prefix}.Tag.{tag}.Key"), key);
        form.put(&format!("{prefix}.Tag.{tag}.Value"), value);
    }
}

/// What a version launches. Auto Scaling chooses the subnet, so the groups are not those of an interface.
fn parameters(form: &mut Form, version: &LaunchTemplateVersion) {
    match &version.image {
        Some(Image::Id(id)) => form.put("LaunchTemplateData.ImageId", id.as_str()),
        Some(Image::Parameter(name)) => {
            form.put("LaunchTemplateData.ImageId", &format!("resolve:ssm:{name}"));
        }
        None => {}
    }
    if let Some(size) = version.size {
        form.put("LaunchTemplateData.InstanceType", size.as_str());
    }
    if let Some(profile) = &version.profile {
        form.put("LaunchTemplateData.IamInstanceProfile.Name", profile);
    }
    form.each("LaunchTemplateData.SecurityGroupId", &version.groups);
}

impl Creates for CreateLaunchTemplate {
    type Look = DescribeLaunchTemplates;
    const HAS_TOKEN: bool = true;
    const LOOKS_FIRST: bool = true;
    const THERE: &'static [&'static str] = &["InvalidLaunchTemplateName.AlreadyExistsException"];

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn made(answer: LaunchTemplateAnswer) -> Option<LaunchTemplateShape> {
        answer.template
    }
}

impl All for DescribeLaunchTemplates {
    fn all() -> Self {
        Self::default()
    }
}

impl Tagged for LaunchTemplateShape {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn tags(&self) -> &List<Tag> {
        &self.tags
    }
}

shape! {
    /// The template that was created.
    LaunchTemplateAnswer {
        template: Option<LaunchTemplateShape> = "LaunchTemplate" | "launchTemplate",
    }
}

/// Adds a version that is like another one but for its security groups.
#[derive(Debug, Clone)]
pub(crate) struct CreateLaunchTemplateVersion {
    pub(crate) template: Owned<LaunchTemplateId>,
    pub(crate) source: u64,
    pub(crate) version: LaunchTemplateVersion,
    pub(crate) token: String,
}

impl Operation for CreateLaunchTemplateVersion {
    const NAME: &'static str = "CreateLaunchTemplateVersion";
    const SERVICE: Service = Service::Ec2;
    type Answer = LaunchTemplateVersionAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LaunchTemplateId", self.template.id().as_str());
        form.put("SourceVersion", &self.source.to_string());
        form.put("ClientToken", &self.token);
        parameters(&mut form, &self.version);
        Body::Form(form)
    }
}

shape! {
    /// The version that was created.
    LaunchTemplateVersionAnswer {
        version: Option<LaunchTemplateVersionShape> = "LaunchTemplateVersion" | "launchTemplateVersion",
    }
}

/// Deletes a launch template with all its versions.
#[derive(Debug, Clone)]
pub(crate) struct DeleteLaunchTemplate(pub(crate) Owned<LaunchTemplateId>);

impl Operation for DeleteLaunchTemplate {
    const NAME: &'static str = "DeleteLaunchTemplate";
    const SERVICE: Service = Service::Ec2;
    type Answer = LaunchTemplateAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LaunchTemplateId", self.0.id().as_str());
        Body::Form(form)
    }
}
