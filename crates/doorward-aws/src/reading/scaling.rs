//! Launch templates and Auto Scaling groups.

use doorward_core::inventory::{Call, Image, LaunchTemplate, LaunchTemplateVersion, ScalingGroup, SubnetId};

use super::{Member, Reader, Unreadable, id, ids, needed, needed_text, tags, text};
use crate::operation::machine::{LaunchTemplateShape, LaunchTemplateVersionShape};
use crate::operation::scaling::ScalingGroupShape;

impl Member for LaunchTemplateShape {
    const CALL: Call = Call::LaunchTemplates;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let template = LaunchTemplate {
            id: needed(self.id.as_deref(), "LaunchTemplateId")?,
            name: text(self.name.as_ref()).unwrap_or_default(),
            account_region: reader.account_region.clone(),
            latest: self.latest.unwrap_or(1),
            default: self.default.unwrap_or(1),
            versions: Default::default(),
            tags: tags(&self.tags),
        };
        let id = template.id.clone();
        reader.keep(|inventory| &mut inventory.launch_templates, id, template, PartialEq::eq)
    }
}

impl Member for LaunchTemplateVersionShape {
    const CALL: Call = Call::LaunchTemplateVersions;

    fn named(&self) -> Option<&str> {
        self.template.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let template = needed(self.template.as_deref(), "LaunchTemplateId")?;
        let number = self.number.ok_or(Unreadable::Missing("VersionNumber"))?;
        let parameters = self.parameters.clone().unwrap_or_default();
        let image = match text(parameters.image.as_ref()) {
            Some(image) => match image.strip_prefix("resolve:ssm:") {
                Some(name) => Some(Image::Parameter(name.to_owned())),
                None => id(Some(&image))?.map(Image::Id),
            },
            None => None,
        };
        let version = LaunchTemplateVersion {
            image,
            size: text(parameters.size.as_ref()).and_then(|size| size.parse().ok()),
            profile: parameters.profile.as_ref().and_then(|it| text(it.name.as_ref())),
            groups: ids(&parameters.groups.0)?,
        };
        reader.apart.versions.entry(template).or_default().insert(number, version);
        Ok(())
    }
}

impl Member for ScalingGroupShape {
    const CALL: Call = Call::ScalingGroups;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "AutoScalingGroupName")?;
        let subnets = self.subnets.as_deref().unwrap_or_default().split(',').map(str::trim);
        let subnets: Vec<String> = subnets.filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let template = match &self.template {
            Some(used) => {
                id(used.id.as_deref())?.map(|id| (id, text(used.version.as_ref()).unwrap_or_default()))
            }
            None => None,
        };
        let instances: Vec<String> = self.instances.0.iter().filter_map(|it| text(it.id.as_ref())).collect();
        let group = ScalingGroup {
            name: name.clone(),
            account_region: reader.account_region.clone(),
            template,
            min: self.min.unwrap_or_default(),
            max: self.max.unwrap_or_default(),
            desired: self.desired.unwrap_or_default(),
            subnets: ids::<SubnetId>(&subnets)?,
            target_groups: self.target_groups.0.iter().filter_map(|it| text(Some(it))).collect(),
            checks_balancer: self
                .checks
                .as_deref()
                .is_some_and(|it| it.split(',').any(|it| it.trim() == "ELB")),
            grace: self.grace.unwrap_or_default(),
            instances: ids(&instances)?,
            is_deleting: text(self.status.as_ref()).is_some(),
            tags: tags(&self.tags),
        };
        let key = (reader.account_region.clone(), name);
        reader.keep(|inventory| &mut inventory.scaling_groups, key, group, PartialEq::eq)
    }
}
