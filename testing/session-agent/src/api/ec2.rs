//! EC2: what an instance wrote to its console, and the Instance Connect Endpoints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{Call, Failure, failure, numbered, xml};
use crate::settings::ConnectEndpoint;
use crate::stand::{World, lock};

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// `GetConsoleOutput`; `None` is for moto.
pub(super) fn console_output(
    world: &World,
    call: &Call<'_>,
    form: &[(String, String)],
) -> Option<Result<String, Failure>> {
    let instance = form.iter().find(|(name, _)| name == "InstanceId").map(|(_, value)| value.as_str());
    let Some(instance) = instance else { return Some(Err(failure("MissingParameter", "no InstanceId"))) };
    let said = lock(&world.console).get(instance).cloned();
    if said.is_none() && !lock(&world.instances).contains(instance) {
        let message = format!("The instance ID '{instance}' does not exist");
        return world.settings.moto.is_none().then(|| Err(failure("InvalidInstanceID.NotFound", message)));
    }
    let output = said.map(|it| format!("<output>{}</output>", STANDARD.encode(it))).unwrap_or_default();
    Some(Ok(format!(
        "<GetConsoleOutputResponse xmlns=\"{NAMESPACE}\"><requestId>{}</requestId><instanceId>{}</instanceId>\
         <timestamp>{}</timestamp>{output}</GetConsoleOutputResponse>",
        call.request,
        xml(instance),
        Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    )))
}

/// `DescribeInstanceConnectEndpoints`.
pub(super) fn endpoints(
    world: &World,
    call: &Call<'_>,
    form: &[(String, String)],
) -> Result<String, Failure> {
    let ids = numbered(form, "InstanceConnectEndpointId");
    let filters: Vec<(&str, Vec<&str>)> = (1..)
        .map_while(|number| {
            let key = format!("Filter.{number}.Name");
            let name = form.iter().find(|(it, _)| *it == key).map(|(_, value)| value.as_str())?;
            Some((name, numbered(form, &format!("Filter.{number}.Value"))))
        })
        .collect();
    let fits = |endpoint: &ConnectEndpoint| {
        filters.iter().all(|(name, values)| {
            let value = match *name {
                "vpc-id" => endpoint.vpc.as_str(),
                "subnet-id" => endpoint.subnet.as_str(),
                "instance-connect-endpoint-id" => endpoint.id.as_str(),
                "state" => "create-complete",
                _ => return false,
            };
            values.contains(&value)
        })
    };
    let known = &world.settings.endpoints;
    if let Some(unknown) = ids.iter().find(|id| !known.iter().any(|it| it.id == **id)) {
        return Err(failure(
            "InvalidInstanceConnectEndpointId.NotFound",
            format!("{unknown} does not exist"),
        ));
    }
    let (region, account) = (&world.settings.region, &world.settings.account);
    let items: String = known
        .iter()
        .filter(|it| (ids.is_empty() || ids.contains(&it.id.as_str())) && fits(it))
        .map(|it| {
            format!(
                "<item><ownerId>{account}</ownerId><instanceConnectEndpointId>{id}</instanceConnectEndpointId>\
                 <instanceConnectEndpointArn>arn:aws:ec2:{region}:{account}:instance-connect-endpoint/{id}\
                 </instanceConnectEndpointArn><state>create-complete</state><stateMessage/>\
                 <dnsName>{dns}</dnsName><networkInterfaceIdSet/><vpcId>{vpc}</vpcId>\
                 <availabilityZone>{region}a</availabilityZone><createdAt>2026-11-01T00:00:00.000Z</createdAt>\
                 <subnetId>{subnet}</subnetId><preserveClientIp>false</preserveClientIp><securityGroupIdSet/>\
                 <tagSet/></item>",
                id = xml(&it.id),
                dns = world.gateway,
                vpc = xml(&it.vpc),
                subnet = xml(&it.subnet),
            )
        })
        .collect();
    Ok(format!(
        "<DescribeInstanceConnectEndpointsResponse xmlns=\"{NAMESPACE}\"><requestId>{}</requestId>\
         <instanceConnectEndpointSet>{items}</instanceConnectEndpointSet></DescribeInstanceConnectEndpointsResponse>",
        call.request
    ))
}
