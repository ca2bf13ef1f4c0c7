//! Functions of Lambda, services and tasks of ECS: what runs on interfaces that it did not make.

use doorward_core::inventory::{
    AnsweredId, Call, ContainerService, ContainerTask, DeploymentController, Function, InterfaceId,
    TaskNetwork,
};

use super::{Member, Reader, Unreadable, id, ids, needed_text, text};
use crate::operation::FunctionShape;
use crate::operation::container::{FailureShape, ServiceShape, TaskShape};

impl Member for FunctionShape {
    const CALL: Call = Call::Functions;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "FunctionName")?;
        // One that is attached to no VPC has no interface.
        let network = self.network.as_ref().filter(|network| !network.subnets.0.is_empty());
        let function = Function {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            vpc: id(network.and_then(|network| network.vpc.as_deref()))?,
            subnets: network.map(|network| ids(&network.subnets.0)).transpose()?.unwrap_or_default(),
            groups: network.map(|network| ids(&network.groups.0)).transpose()?.unwrap_or_default(),
        };
        reader.keep(
            |inventory| &mut inventory.functions,
            (reader.account_region.clone(), name),
            function,
            PartialEq::eq,
        )
    }
}

impl Member for ServiceShape {
    const CALL: Call = Call::ContainerServices;

    fn named(&self) -> Option<&str> {
        self.service_arn.as_deref()
    }

    /// One that was deleted is left out.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.service_arn.as_ref(), "serviceArn")?;
        let status = text(self.status.as_ref()).unwrap_or_default();
        if status == "INACTIVE" {
            return Ok(());
        }
        let network = self.network();
        let service = ContainerService {
            name: text(self.service_name.as_ref()).unwrap_or_default(),
            cluster: text(self.cluster_arn.as_ref()),
            account_region: reader.account_region.clone(),
            status,
            subnets: network.map(|network| ids(&network.subnets.0)).transpose()?.unwrap_or_default(),
            groups: network.map(|network| ids(&network.security_groups.0)).transpose()?.unwrap_or_default(),
            public: network.is_some_and(|network| network.assign_public_ip.as_deref() == Some("ENABLED")),
            network: if network.is_some() { TaskNetwork::AwsVpc } else { TaskNetwork::ContainerInstance },
            controller: match self.controller() {
                Some("CODE_DEPLOY") => DeploymentController::CodeDeploy,
                Some("EXTERNAL") => DeploymentController::External,
                // A service without one is replaced by ECS.
                _ => DeploymentController::Ecs,
            },
            arn: arn.clone(),
        };
        reader.keep(|inventory| &mut inventory.container_services, arn, service, PartialEq::eq)
    }
}

impl Member for TaskShape {
    const CALL: Call = Call::ContainerTasks;

    fn named(&self) -> Option<&str> {
        self.task_arn.as_deref()
    }

    /// One that shares the interface of its instance is left out, and so is one that has ended.
    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let arn = needed_text(self.task_arn.as_ref(), "taskArn")?;
        let status = text(self.last_status.as_ref()).unwrap_or_default();
        let interfaces = self.interfaces().map(InterfaceId::answered).collect::<Result<_, _>>()?;
        let task = ContainerTask {
            arn: arn.clone(),
            account_region: reader.account_region.clone(),
            cluster: text(self.cluster_arn.as_ref()),
            group: text(self.group.as_ref()),
            status,
            interfaces,
        };
        if task.interfaces.is_empty() || matches!(task.status.as_str(), "STOPPED" | "DELETED") {
            return Ok(());
        }
        reader.keep(|inventory| &mut inventory.container_tasks, arn, task, PartialEq::eq)
    }
}

impl Reader {
    /// Notes which clusters there are: their services and tasks have calls of their own.
    pub(crate) fn clusters(&mut self, arns: &[String]) {
        self.apart.clusters |= !arns.is_empty();
    }

    /// Takes services, and what could not be told of some.
    pub(crate) fn services(&mut self, services: &[ServiceShape], failures: &[FailureShape]) {
        self.apart.services = true;
        self.take(services);
        self.failures(Call::ContainerServices, failures);
    }

    /// Takes tasks, and what could not be told of some.
    pub(crate) fn tasks(&mut self, tasks: &[TaskShape], failures: &[FailureShape]) {
        self.apart.tasks = true;
        self.take(tasks);
        self.failures(Call::ContainerTasks, failures);
    }

    fn failures(&mut self, call: Call, failures: &[FailureShape]) {
        for why in failures.iter().filter_map(FailureShape::why) {
            self.gap(call, why);
        }
    }
}
