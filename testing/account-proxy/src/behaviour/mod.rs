//! Each behaviour that AWS has and moto lacks, in a file that cites the page of AWS's documentation.
//!
//! A behaviour sees each call twice: `before` moto, where it may change the call, refuse it or answer it, and `after`, where
//! it may change moto's answer. A call that it is not about leaves it untouched.

pub(crate) mod database;
pub(crate) mod instance_refresh;
pub(crate) mod interfaces;
pub(crate) mod reference;
pub(crate) mod regional_nat_gateway;
pub(crate) mod scaling_activity;
pub(crate) mod tokens;
pub(crate) mod visibility;

mod addresses;
mod balancer;
mod cache;
mod container;
mod default_vpc;
mod dependencies;
mod endpoint;
mod function;
mod group_names;
mod group_networks;
mod image;
mod instance;
mod instance_interfaces;
mod internet_gateway;
mod launch_template;
mod nat_gateway;
mod network_acl;
mod parameters;
mod quotas;
mod route;
mod scaling_group;
mod subnet_attribute;
mod tag;
mod target;
mod unused;

use crate::account::Account;
use crate::answer::{Answer, Body, Refusal, refusal};
use crate::call::{Call, Service};
use crate::moto::Moto;
use crate::xml::Element;

/// Answers a call.
pub(crate) async fn answer(account: &mut Account, moto: &Moto, call: &mut Call) -> Result<Answer, Refusal> {
    parameters::check(account, call)?;
    default_vpc::complete(account).await?;
    tag::check(call)?;
    // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html: DryRunOperation
    if call.service == Service::Ec2 && call.form.is_set("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(refusal("DryRunOperation", message).status(412));
    }
    if let Some(first) = tokens::before(account, call)? {
        return Ok(first);
    }
    if let Some(nothing) = unused::before(account, call) {
        return Ok(nothing);
    }
    visibility::before(account, call)?;
    let mut answer = match before(account, call).await? {
        Some(answer) => answer,
        None => moto.forward(call).await?,
    };
    if answer.is_success() {
        match &mut answer.body {
            Body::Xml(root) => {
                after(account, call, root).await?;
                visibility::after(account, call, root);
            }
            Body::Bytes(bytes) if call.service == Service::Lambda => {
                function::after(account, call, bytes).await?
            }
            Body::Bytes(_) => {}
        }
    }
    tokens::after(account, call, &answer);
    Ok(answer)
}

/// Refuses, changes or answers a call before moto sees it.
async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    match call.service {
        Service::Ec2 => {
            instance_interfaces::before(account, call).await?;
            group_names::check(call)?;
            subnet_attribute::check(call)?;
            quotas::check(account, call).await?;
            group_networks::check(account, call).await?;
            reference::before(account, call).await?;
            dependencies::check(account, call).await?;
            internet_gateway::check(account, call).await?;
            interfaces::before(account, call).await?;
            route::before(account, call).await?;
            launch_template::before(account, call).await?;
            addresses::check(account, call).await?;
            if let Some(answer) = nat_gateway::before(account, call).await? {
                return Ok(Some(answer));
            }
            if let Some(answer) = instance::before(account, call).await? {
                return Ok(Some(answer));
            }
            image::before(account, call).await?;
            endpoint::before(account, call).await
        }
        Service::Rds => database::before(account, call).await,
        Service::Balancing => {
            target::before(account, call).await?;
            balancer::before(account, call).await
        }
        Service::Scaling => {
            if let Some(answer) = instance_refresh::before(account, call).await? {
                return Ok(Some(answer));
            }
            if let Some(answer) = scaling_group::before(account, call).await? {
                return Ok(Some(answer));
            }
            scaling_activity::before(account, call).await
        }
        Service::Quotas => quotas::service_quotas::before(account, call),
        Service::Lambda => function::before(account, call).await,
        Service::Caches => cache::before(account, call).await,
        Service::Containers => container::before(account, call).map(|()| None),
        Service::Other => Ok(None),
    }
}

/// Changes moto's answer.
async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.service {
        Service::Ec2 => {
            nat_gateway::after(account, call, answer).await?;
            endpoint::after(account, call, answer).await?;
            network_acl::after(account, call, answer).await?;
            instance::after(account, call, answer);
            instance_interfaces::after(account, call, answer).await?;
            reference::after(account, call, answer);
            image::after(account, call, answer).await?;
            route::after(account, call, answer);
            interfaces::after(account, call, answer);
        }
        Service::Rds => database::after(account, call, answer).await?,
        Service::Balancing => {
            balancer::after(account, call, answer).await?;
            target::after(account, call, answer);
        }
        Service::Scaling => {
            instance_refresh::after(account, call, answer);
            scaling_group::after(account, call, answer);
        }
        Service::Caches => cache::after(account, call, answer).await?,
        Service::Quotas | Service::Lambda | Service::Containers | Service::Other => {}
    }
    Ok(())
}
