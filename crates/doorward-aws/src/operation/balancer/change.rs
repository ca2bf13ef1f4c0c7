//! The calls that create, change and delete load balancers, their listeners and their target groups.

use std::collections::BTreeSet;

use doorward_core::inventory::{Listener, LoadBalancer, Owned, SecurityGroupId, SubnetId, Tags, TargetGroup};

use super::{LoadBalancersAnswer, TargetGroupsAnswer};
use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Reads an answer that may have no result in it.
fn nothing(body: &[u8]) -> Result<Done, String> {
    Service::Ec2.read(body)
}

/// The security policy of listeners for HTTPS: TLS 1.2 and 1.3 with forward secrecy (User Guide for Application Load
/// Balancers, "Security policies").
const TLS: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

fn tagged(form: &mut Form, tags: &Tags) {
    for (number, (key, value)) in (1..).zip(tags) {
        form.put(&format!("Tags.member.{number}.Key"), key);
        form.put(&format!("Tags.member.{number}.Value"), value);
    }
}

/// Creates an application load balancer. The same call again answers with the first one.
#[derive(Debug, Clone)]
pub(crate) struct CreateLoadBalancer(pub(crate) LoadBalancer);

impl Operation for CreateLoadBalancer {
    const NAME: &'static str = "CreateLoadBalancer";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = LoadBalancersAnswer;

    fn body(&self) -> Body {
        let Self(balancer) = self;
        let mut form = Form::default();
        form.put("Name", &balancer.name);
        form.put("Type", "application");
        form.put("Scheme", if balancer.public { "internet-facing" } else { "internal" });
        form.each("Subnets.member", &balancer.subnets);
        form.each("SecurityGroups.member", &balancer.groups);
        tagged(&mut form, &balancer.tags);
        Body::Form(form)
    }
}

/// Creates a target group for instances. The same call again answers with the first one.
#[derive(Debug, Clone)]
pub(crate) struct CreateTargetGroup(pub(crate) TargetGroup);

impl Operation for CreateTargetGroup {
    const NAME: &'static str = "CreateTargetGroup";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = TargetGroupsAnswer;

    fn body(&self) -> Body {
        let Self(group) = self;
        let mut form = Form::default();
        form.put("Name", &group.name);
        form.put("TargetType", &group.kind);
        form.put("Protocol", &group.protocol);
        if let Some(port) = group.port {
            form.put("Port", &port.to_string());
        }
        if let Some(vpc) = &group.vpc {
            form.put("VpcId", vpc.as_str());
        }
        if let Some(path) = &group.health_path {
            form.put("HealthCheckPath", path);
        }
        tagged(&mut form, &group.tags);
        Body::Form(form)
    }
}

/// Gives the health checks of a target group another path.
#[derive(Debug, Clone)]
pub(crate) struct ModifyTargetGroup {
    pub(crate) arn: Owned<String>,
    pub(crate) health_path: String,
}

impl Operation for ModifyTargetGroup {
    const NAME: &'static str = "ModifyTargetGroup";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TargetGroupArn", self.arn.id());
        form.put("HealthCheckPath", &self.health_path);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

fn listens(form: &mut Form, listener: &Listener) {
    form.put("Protocol", &listener.protocol);
    form.put("Port", &listener.port.to_string());
    for (number, group) in (1..).zip(&listener.target_groups) {
        form.put(&format!("DefaultActions.member.{number}.Type"), "forward");
        form.put(&format!("DefaultActions.member.{number}.TargetGroupArn"), group);
    }
    if let Some(certificate) = &listener.certificate {
        form.put("Certificates.member.1.CertificateArn", certificate);
        form.put("SslPolicy", TLS);
    }
}

/// Creates a listener of a load balancer, which has one for each port.
#[derive(Debug, Clone)]
pub(crate) struct CreateListener {
    pub(crate) balancer: Owned<String>,
    pub(crate) listener: Listener,
}

impl Operation for CreateListener {
    const NAME: &'static str = "CreateListener";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LoadBalancerArn", self.balancer.id());
        listens(&mut form, &self.listener);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Gives a listener another certificate, or another target group.
#[derive(Debug, Clone)]
pub(crate) struct ModifyListener {
    pub(crate) arn: String,
    pub(crate) listener: Listener,
}

impl Operation for ModifyListener {
    const NAME: &'static str = "ModifyListener";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("ListenerArn", &self.arn);
        listens(&mut form, &self.listener);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Gives a load balancer other subnets, one in each zone.
#[derive(Debug, Clone)]
pub(crate) struct SetSubnets {
    pub(crate) balancer: Owned<String>,
    pub(crate) subnets: BTreeSet<SubnetId>,
}

impl Operation for SetSubnets {
    const NAME: &'static str = "SetSubnets";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LoadBalancerArn", self.balancer.id());
        form.each("Subnets.member", &self.subnets);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Gives a load balancer other security groups.
#[derive(Debug, Clone)]
pub(crate) struct SetSecurityGroups {
    pub(crate) balancer: String,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for SetSecurityGroups {
    const NAME: &'static str = "SetSecurityGroups";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LoadBalancerArn", &self.balancer);
        form.each("SecurityGroups.member", &self.groups);
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Deletes a load balancer with its listeners. Its interfaces follow within minutes.
#[derive(Debug, Clone)]
pub(crate) struct DeleteLoadBalancer(pub(crate) Owned<String>);

impl Operation for DeleteLoadBalancer {
    const NAME: &'static str = "DeleteLoadBalancer";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("LoadBalancerArn", self.0.id());
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}

/// Deletes a target group to which no listener sends any more.
#[derive(Debug, Clone)]
pub(crate) struct DeleteTargetGroup(pub(crate) Owned<String>);

impl Operation for DeleteTargetGroup {
    const NAME: &'static str = "DeleteTargetGroup";
    const SERVICE: Service = Service::LoadBalancing;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("TargetGroupArn", self.0.id());
        Body::Form(form)
    }

    fn read(body: &[u8]) -> Result<Done, String> {
        nothing(body)
    }
}
