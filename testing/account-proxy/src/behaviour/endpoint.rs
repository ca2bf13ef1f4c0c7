//! An interface endpoint is `pending` and `deleting` for a while; its network interfaces have the groups that were given.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html>,
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html>. A second gateway endpoint with the
//! same route table is refused: <https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html>.

use super::interfaces::{self, Kind};
use super::visibility::not_found;
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    match call.action.as_str() {
        "DescribeVpcEndpoints" => call.hold_filter("vpc-endpoint-state"),
        "CreateVpcEndpoint" if call.form.get("VpcEndpointType").unwrap_or("Gateway") == "Gateway" => {
            // The default of AWS; moto has none.
            call.form.set("VpcEndpointType", "Gateway");
            for table in call.form.list("RouteTableId") {
                let service = call.form.get("ServiceName").unwrap_or_default();
                let found = account.find("DescribeVpcEndpoints", "service-name", service).await?;
                let is_there = |it: &Element| {
                    it.text_at("state") != "deleted"
                        && it.list("routeTableIdSet").iter().any(|item| item.text == table)
                };
                if found.list("vpcEndpointSet").iter().any(is_there) {
                    let message =
                        format!("route table {table} already has a route with the prefix list of {service}");
                    return Err(refusal("RouteAlreadyExists", message));
                }
            }
        }
        "CreateVpcEndpoint" if call.form.is_set("PrivateDnsEnabled") => has_dns(account, call).await?,
        "DeleteVpcEndpoints" => return delete(account, call).await,
        _ => {}
    }
    Ok(None)
}

/// Private DNS names need both DNS attributes of the VPC, and another endpoint must not have the same names.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html>, "DNS names"
async fn has_dns(account: &Account, call: &Call) -> Result<(), Refusal> {
    let vpc = call.form.get("VpcId").unwrap_or_default();
    for attribute in ["enableDnsSupport", "enableDnsHostnames"] {
        let fields = [("VpcId", vpc), ("Attribute", attribute)];
        let found = account.ask(Service::Ec2, "DescribeVpcAttribute", &fields).await?;
        if found.text_at(&format!("{attribute}/value")) != "true" {
            let message = "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes \
                           set to true for the VPC";
            return Err(refusal("InvalidParameter", format!("{message} {vpc}")));
        }
    }
    let service = call.form.get("ServiceName").unwrap_or_default();
    let found = account.find("DescribeVpcEndpoints", "service-name", service).await?;
    let is_there = |it: &Element| it.text_at("vpcId") == vpc && it.text_at("state") != "deleted";
    if found.list("vpcEndpointSet").iter().any(is_there) {
        let message = format!(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {service} in the \
             VPC {vpc}"
        );
        return Err(refusal("InvalidParameter", message));
    }
    Ok(())
}

/// Deleting an interface endpoint takes time; deleting a gateway endpoint does not.
async fn delete(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    let mut at_once = Vec::new();
    let mut failures = Vec::new();
    for id in call.form.list("VpcEndpointId") {
        let fields = [("VpcEndpointId.1", id.as_str())];
        let found = account.ask(Service::Ec2, "DescribeVpcEndpoints", &fields).await;
        let item = found.ok().and_then(|found| found.list("vpcEndpointSet").first().cloned());
        match item.filter(|item| item.text_at("state") != "deleted") {
            None => failures.push((id.clone(), not_found(&id))),
            Some(item) if item.text_at("vpcEndpointType").eq_ignore_ascii_case("interface") => {
                if account.state(&id) != Some("deleting") {
                    let life = Life::new(account.now, "deleting")
                        .then(account.delay(Delay::EndpointDeleting), "deleted");
                    let end = life.end();
                    account.live(&id, life);
                    account.schedule(end, &id, Errand::DeleteInterfaces);
                    let form = Form::of(&[("VpcEndpointId.1", &id)]);
                    account.schedule(end, &id, Errand::Ask(Service::Ec2, "DeleteVpcEndpoints", form));
                }
            }
            Some(_) => at_once.push(id.clone()),
        }
    }
    if !at_once.is_empty() {
        let names: Vec<String> =
            (1..=at_once.len()).map(|number| format!("VpcEndpointId.{number}")).collect();
        let fields: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(at_once.iter().map(String::as_str)).collect();
        account.ask(Service::Ec2, "DeleteVpcEndpoints", &fields).await?;
    }
    let items = failures.into_iter().map(|(id, why)| {
        Element::with(
            "item",
            vec![
                Element::with_text("resourceId", id),
                Element::with(
                    "error",
                    vec![Element::with_text("code", why.code), Element::with_text("message", why.message)],
                ),
            ],
        )
    });
    Ok(Some(Answer::of(call, vec![Element::with("unsuccessful", items.collect())])))
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.action.as_str() {
        "CreateVpcEndpoint" => {
            let Some(endpoint) = answer.child_mut("vpcEndpoint") else { return Ok(()) };
            let id = endpoint.text_at("vpcEndpointId").to_owned();
            if endpoint.text_at("vpcEndpointType").eq_ignore_ascii_case("interface") {
                let failed = account.settings.ending(|ending| match ending {
                    Ending::Endpoint => Some(()),
                    _ => None,
                });
                let end = if failed.is_some() { "failed" } else { "available" };
                let life = Life::new(account.now, "pending").then(account.delay(Delay::EndpointPending), end);
                account.live(&id, life);
                for interface in endpoint.list("networkInterfaceIdSet") {
                    let kind = Kind {
                        is: "vpc_endpoint",
                        requester: "AIDAJ7VOP7PIZEXAMPLE",
                        attached_by: "amazon-aws",
                        description: format!("VPC Endpoint Interface {id}"),
                    };
                    interfaces::adopt(account, &id, &interface.text, kind);
                }
                let groups: Vec<String> = endpoint.texts("groupSet", "groupId");
                interfaces::set_groups(account, &id, &groups).await?;
            }
            show(account, endpoint);
        }
        "ModifyVpcEndpoint" => {
            let id = call.form.get("VpcEndpointId").unwrap_or_default();
            let found = account.ask(Service::Ec2, "DescribeVpcEndpoints", &[("VpcEndpointId.1", id)]).await?;
            let item = found.list("vpcEndpointSet").first();
            let groups = item.map(|item| item.texts("groupSet", "groupId")).unwrap_or_default();
            if !groups.is_empty() {
                interfaces::set_groups(account, id, &groups).await?;
            }
        }
        "DescribeVpcEndpoints" => {
            let Some(set) = answer.child_mut("vpcEndpointSet") else { return Ok(()) };
            set.children.iter_mut().for_each(|endpoint| show(account, endpoint));
            set.children.retain(|it| {
                it.text_at("state") != "deleted" && call.admits("vpc-endpoint-state", it.text_at("state"))
            });
        }
        _ => {}
    }
    Ok(())
}

fn show(account: &Account, endpoint: &mut Element) {
    if let Some(state) = account.state(endpoint.text_at("vpcEndpointId")) {
        endpoint.set("state", state);
    }
}
