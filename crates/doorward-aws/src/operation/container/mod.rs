//! The calls of ECS.

mod describe_services;
mod describe_tasks;
mod list;
mod update_service;

use serde::Deserialize;

pub(crate) use describe_services::{DescribeServices, SERVICES_A_CALL, ServiceShape};
pub(crate) use describe_tasks::{DescribeTasks, TASKS_A_CALL, TaskShape};
pub(crate) use list::{ListClusters, ListServices, ListTasks};
pub(crate) use update_service::UpdateService;

/// Something that was asked for and could not be described.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FailureShape {
    #[serde(default)]
    pub(crate) arn: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl FailureShape {
    /// Why it is not known, unless it went between the list and the description.
    pub(crate) fn why(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or("no reason was given");
        let what = self.arn.as_deref().unwrap_or("something");
        (reason != "MISSING").then(|| format!("{what}: {reason}"))
    }
}
