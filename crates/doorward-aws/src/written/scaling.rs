//! Launch templates and Auto Scaling groups.

use doorward_core::inventory::{Call, Image};
use serde_json::json;

use super::answers::{Answers, each, tags, texts, without_nulls};

impl Answers<'_> {
    pub(super) fn scaling(&mut self) {
        for template in self.inventory.launch_templates.values() {
            let member = json!({
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "LatestVersionNumber": template.latest,
                "DefaultVersionNumber": template.default,
                "Tags": tags(&template.tags),
            });
            self.add(Call::LaunchTemplates, &template.account_region, member);
            for (number, version) in &template.versions {
                let image = version.image.as_ref().map(|image| match image {
                    Image::Id(id) => id.to_string(),
                    Image::Parameter(name) => format!("resolve:ssm:{name}"),
                });
                let member = json!({
                    "LaunchTemplateId": template.id,
                    "VersionNumber": number,
                    "LaunchTemplateData": without_nulls(json!({
                        "ImageId": image,
                        "InstanceType": version.size.map(|size| size.to_string()),
                        "IamInstanceProfile": version.profile.as_ref().map(|name| json!({ "Name": name })),
                        "SecurityGroupIds": texts(&version.groups),
                    })),
                });
                self.add(Call::LaunchTemplateVersions, &template.account_region, member);
            }
        }
        for group in self.inventory.scaling_groups.values() {
            let subnets: Vec<&str> = group.subnets.iter().map(|subnet| subnet.as_str()).collect();
            let template = group
                .template
                .as_ref()
                .map(|(id, version)| json!({"LaunchTemplateId": id, "Version": version}));
            let member = without_nulls(json!({
                "AutoScalingGroupName": group.name,
                "LaunchTemplate": template,
                "MinSize": group.min,
                "MaxSize": group.max,
                "DesiredCapacity": group.desired,
                "VPCZoneIdentifier": subnets.join(","),
                "TargetGroupARNs": texts(&group.target_groups),
                "HealthCheckType": if group.checks_balancer { "ELB" } else { "EC2" },
                "HealthCheckGracePeriod": group.grace,
                "Instances": each(&group.instances, |id| json!({ "InstanceId": id })),
                "Status": group.is_deleting.then_some("Delete in progress"),
                "Tags": tags(&group.tags),
            }));
            self.add(Call::ScalingGroups, &group.account_region, member);
        }
    }
}
