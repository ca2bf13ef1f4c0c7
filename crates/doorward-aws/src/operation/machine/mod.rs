//! The calls of EC2 that launch, start, stop and terminate instances, a file each; and the image that a parameter names.

mod get_parameter;
mod run_instances;
mod start_instances;
mod stop_instances;
mod terminate_instances;

pub(crate) use get_parameter::GetParameter;
pub(crate) use run_instances::RunInstances;
pub(crate) use start_instances::StartInstances;
pub(crate) use stop_instances::StopInstances;
pub(crate) use terminate_instances::TerminateInstances;
