//! `ec2:DescribeLaunchTemplates` and `ec2:DescribeLaunchTemplateVersions`: what groups of instances are launched from.

use crate::operation::describe::{describe, shape};
use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Form, List, Tag};

/// The largest page of both calls (EC2 API reference).
const PAGE: u32 = 200;

describe! {
    /// Asks for all launch templates.
    DescribeLaunchTemplates as "DescribeLaunchTemplates", pages of Some(PAGE);
    LaunchTemplatesAnswer of LaunchTemplateShape = "LaunchTemplates" | "launchTemplates"
}

shape! {
    /// One launch template.
    LaunchTemplateShape {
        id: Option<String> = "LaunchTemplateId" | "launchTemplateId",
        name: Option<String> = "LaunchTemplateName" | "launchTemplateName",
        latest: Option<u64> = "LatestVersionNumber" | "latestVersionNumber",
        default: Option<u64> = "DefaultVersionNumber" | "defaultVersionNumber",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

/// Asks for all versions of one.
#[derive(Debug, Clone)]
pub(crate) struct DescribeLaunchTemplateVersions {
    pub(crate) template: String,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeLaunchTemplateVersions {
    const NAME: &'static str = "DescribeLaunchTemplateVersions";
    const SERVICE: Service = Service::Ec2;
    type Answer = VersionsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LaunchTemplateId", &self.template);
        form.page(PAGE, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for DescribeLaunchTemplateVersions {
    type Item = LaunchTemplateVersionShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: VersionsAnswer) -> (Vec<LaunchTemplateVersionShape>, Option<String>) {
        (answer.versions.0, answer.next)
    }
}

shape! {
    /// `LaunchTemplateVersions`
    VersionsAnswer {
        versions: List<LaunchTemplateVersionShape> = "LaunchTemplateVersions" | "launchTemplateVersionSet",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// One version.
    LaunchTemplateVersionShape {
        template: Option<String> = "LaunchTemplateId" | "launchTemplateId",
        number: Option<u64> = "VersionNumber" | "versionNumber",
        parameters: Option<LaunchTemplateParametersShape> = "LaunchTemplateData" | "launchTemplateData",
    }
}

shape! {
    /// What it launches.
    LaunchTemplateParametersShape {
        image: Option<String> = "ImageId" | "imageId",
        size: Option<String> = "InstanceType" | "instanceType",
        profile: Option<LaunchTemplateProfileShape> = "IamInstanceProfile" | "iamInstanceProfile",
        groups: List<String> = "SecurityGroupIds" | "securityGroupIdSet",
    }
}

shape! {
    /// Its instance profile.
    LaunchTemplateProfileShape {
        name: Option<String> = "Name" | "name",
    }
}
