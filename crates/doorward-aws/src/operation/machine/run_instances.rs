//! `ec2:RunInstances`: launches an instance.

use doorward_core::inventory::{Image, Instance, Interface, Tags};

use crate::operation::describe::shape;
use crate::operation::network::{All, Creates, Tagged};
use crate::operation::{Body, DescribeInstances, InstanceShape, Operation, Service};
use crate::wire::{Form, List, Tag};

/// Launches one instance. Its metadata take only requests with a token, from itself alone (Security Hub, EC2.8).
#[derive(Debug, Clone)]
pub(crate) struct RunInstances {
    pub(crate) instance: Instance,
    pub(crate) interface: Interface,
    pub(crate) token: String,
}

impl Operation for RunInstances {
    const NAME: &'static str = "RunInstances";
    const SERVICE: Service = Service::Ec2;
    type Answer = RunAnswer;

    fn body(&self) -> Body {
        let Self { instance, interface, token } = self;
        let mut form = Form::default();
        match &instance.image {
            Some(Image::Id(id)) => form.put("ImageId", id.as_str()),
            Some(Image::Parameter(name)) => form.put("ImageId", &format!("resolve:ssm:{name}")),
            None => {}
        }
        if let Some(size) = instance.size {
            form.put("InstanceType", size.as_str());
        }
        form.put("MinCount", "1");
        form.put("MaxCount", "1");
        form.put("SubnetId", interface.subnet.as_str());
        form.each("SecurityGroupId", &interface.groups);
        if let Some(profile) = &instance.profile {
            form.put("IamInstanceProfile.Name", profile);
        }
        form.put("MetadataOptions.HttpTokens", "required");
        form.put("MetadataOptions.HttpPutResponseHopLimit", "1");
        form.put("ClientToken", token);
        for (number, kind) in (1..).zip(["instance", "volume", "network-interface"]) {
            form.put(&format!("TagSpecification.{number}.ResourceType"), kind);
            for (tag, (key, value)) in (1..).zip(&instance.tags) {
                form.put(&format!("TagSpecification.{number}.Tag.{tag}.Key"), key);
                form.put(&format!("TagSpecification.{number}.Tag.{tag}.Value"), value);
            }
        }
        Body::Form(form)
    }
}

impl Creates for RunInstances {
    type Look = DescribeInstances;
    const HAS_TOKEN: bool = true;
    const LOOKS_FIRST: bool = true;

    fn tags(&self) -> &Tags {
        &self.instance.tags
    }

    fn made(answer: RunAnswer) -> Option<InstanceShape> {
        answer.instances.0.into_iter().next()
    }
}

impl All for DescribeInstances {
    fn all() -> Self {
        Self::default()
    }
}

impl Tagged for InstanceShape {
    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn tags(&self) -> &List<Tag> {
        &self.tags
    }

    fn is_there(&self) -> bool {
        let state = self.state.as_ref().and_then(|state| state.name.as_deref());
        !matches!(state, Some("shutting-down" | "terminated"))
    }
}

shape! {
    /// The instances that were launched.
    RunAnswer {
        instances: List<InstanceShape> = "Instances" | "instancesSet",
    }
}
