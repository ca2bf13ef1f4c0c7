//! The calls of EC2 that launch, start, stop and terminate instances; launch templates; and the image that a parameter names.

mod create_launch_template;
mod get_parameter;
mod launch_templates;
mod run_instances;
mod start_instances;
mod stop_instances;
mod terminate_instances;

pub(crate) use create_launch_template::{
    CreateLaunchTemplate, CreateLaunchTemplateVersion, DeleteLaunchTemplate,
};
pub(crate) use get_parameter::GetParameter;
pub(crate) use launch_templates::{
    DescribeLaunchTemplateVersions, DescribeLaunchTemplates, LaunchTemplateShape, LaunchTemplateVersionShape,
};
pub(crate) use run_instances::RunInstances;
pub(crate) use start_instances::StartInstances;
pub(crate) use stop_instances::StopInstances;
pub(crate) use terminate_instances::TerminateInstances;
