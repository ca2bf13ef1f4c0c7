//! Systems Manager: sessions, documents and who is online.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Failure, denied, documents, failure, field, sessions};
use crate::documents::Document;
use crate::faults::Resume;
use crate::record::What;
use crate::session::Session;
use crate::settings::user_id;
use crate::stand::{World, lock};
use crate::uuid::{Uuid, hex};

/// What is played of Systems Manager; `None` is for moto.
pub(super) fn call(world: &Arc<World>, call: &Call<'_>, body: &Value) -> Option<Result<Value, Failure>> {
    let asked = |allowed: bool, answer: &dyn Fn() -> Result<Value, Failure>| {
        Some(if allowed { answer() } else { Err(denied(call, "ssm")) })
    };
    let may = |resources: &[String]| world.may(&call.who, "ssm", call.operation, resources);
    match call.operation {
        "StartSession" => Some(start(world, call, body)),
        "ResumeSession" => Some(resume(world, call, body)),
        "TerminateSession" => Some(terminate(world, call, body)),
        "DescribeSessions" => asked(may(&[]), &|| sessions::describe(world, body)),
        "GetConnectionStatus" => asked(may(&[]), &|| connection_status(world, body)),
        "DescribeInstanceInformation" => asked(may(&[]), &|| Ok(instances(world, body))),
        _ => documents::call(world, call, body),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    target: String,
    #[serde(default)]
    document_name: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    reason: Option<String>,
}

/// Everything that StartSession is allowed on.
fn start_resources(world: &World, target: &str, document: &str) -> Vec<String> {
    let (region, account) = (&world.settings.region, &world.settings.account);
    vec![format!("arn:aws:ec2:{region}:{account}:instance/{target}"), documents::arn(world, document)]
}

fn start(world: &Arc<World>, call: &Call<'_>, body: &Value) -> Result<Value, Failure> {
    let asked: Start =
        Deserialize::deserialize(body).map_err(|error| failure("ValidationException", format!("{error}")))?;
    let begun = begin(world, call, &asked);
    let parameters: Value = body
        .as_object()
        .map(|fields| fields.iter().map(|(name, value)| (lower_first(name), value.clone())).collect())
        .unwrap_or_default();
    let response = begun.as_ref().ok().map(|(id, url)| {
        json!({"sessionId": id, "tokenValue": "Value hidden due to security reasons.", "streamUrl": url})
    });
    world.trail.saw(world, call, "ssm.amazonaws.com", parameters, response, begun.as_ref().err());
    let (id, url) = begun?;
    Ok(json!({"SessionId": id, "TokenValue": token(world, &id), "StreamUrl": url}))
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn begin(world: &Arc<World>, call: &Call<'_>, asked: &Start) -> Result<(String, String), Failure> {
    let name = asked.document_name.as_deref().unwrap_or("SSM-SessionManagerRunShell");
    if !world.may(&call.who, "ssm", "StartSession", &start_resources(world, &asked.target, name)) {
        return Err(denied(call, "ssm"));
    }
    if asked.reason.as_ref().is_some_and(|it| it.is_empty() || it.chars().count() > 256) {
        return Err(failure("ValidationException", "reason has 1 to 256 characters"));
    }
    let content = lock(&world.documents).get(name).cloned();
    let content = content
        .ok_or_else(|| failure("InvalidDocument", format!("Document with name {name} does not exist.")))?;
    let refused = |it: crate::documents::Refused| failure(it.code, it.message);
    let resolved = Document::read(&content).map_err(refused)?.resolve(&asked.parameters).map_err(refused)?;
    if !world.is_online(&asked.target) {
        return Err(failure("TargetNotConnected", format!("{} is not connected.", asked.target)));
    }
    let Uuid(random) = Uuid::random();
    let id = format!("{}-{}", call.who.name(), hex(&random).get(..17).unwrap_or_default());
    let (session, ends) = Session::new(
        id.clone(),
        asked.target.clone(),
        name.to_owned(),
        resolved,
        asked.reason.clone(),
        call.who.arn.clone(),
    );
    world.record.event(
        &id,
        What::Started {
            target: asked.target.clone(),
            document: name.to_owned(),
            parameters: session.resolved.parameters.clone(),
            reason: asked.reason.clone(),
        },
    );
    world.begin(session, ends);
    let url = stream_url(world, &id);
    Ok((id, url))
}

fn stream_url(world: &World, id: &str) -> String {
    format!("ws://{}/v1/data-channel/{id}?role=publish_subscribe", world.gateway)
}

/// A new token of a session; empty when there is no such session.
fn token(world: &World, id: &str) -> String {
    let Some(session) = world.session(id) else { return String::new() };
    let token: String = (0..4).map(|_| hex(&Uuid::random().0)).collect();
    session.admit(token.clone());
    token
}

fn own_session(world: &World, call: &Call<'_>, id: &str) -> Result<Arc<Session>, Failure> {
    let resource = format!("arn:aws:ssm:{}:{}:session/{id}", world.settings.region, world.settings.account);
    let session = world.session(id);
    let tags = session.iter().flat_map(|session| {
        [
            ("aws:ssmmessages:session-id", user_id(&session.owner)),
            ("aws:ssmmessages:target-id", session.target.clone()),
        ]
    });
    if !world.may_on(&call.who, "ssm", call.operation, &[resource], &tags.collect::<Vec<_>>()) {
        return Err(denied(call, "ssm"));
    }
    session.ok_or_else(|| failure("DoesNotExistException", format!("Session {id} does not exist")))
}

fn resume(world: &World, call: &Call<'_>, body: &Value) -> Result<Value, Failure> {
    let id = field(body, "SessionId")?;
    let found = own_session(world, call, id);
    let url = stream_url(world, id);
    let response = found.as_ref().ok().map(
        |_| json!({"sessionId": id, "tokenValue": "Value hidden due to security reasons.", "streamUrl": url}),
    );
    world.trail.saw(
        world,
        call,
        "ssm.amazonaws.com",
        json!({"sessionId": id}),
        response,
        found.as_ref().err(),
    );
    let timed_out = found?.is_over() || world.faults.borrow().resume == Resume::Empty;
    let token = if timed_out { String::new() } else { token(world, id) };
    Ok(json!({"SessionId": id, "TokenValue": token, "StreamUrl": url}))
}

fn terminate(world: &World, call: &Call<'_>, body: &Value) -> Result<Value, Failure> {
    let id = field(body, "SessionId")?;
    let found = own_session(world, call, id);
    let response = found.as_ref().ok().map(|_| json!({"sessionId": id}));
    world.trail.saw(
        world,
        call,
        "ssm.amazonaws.com",
        json!({"sessionId": id}),
        response,
        found.as_ref().err(),
    );
    found?.order_end("terminated by TerminateSession");
    Ok(json!({"SessionId": id}))
}

fn seconds(when: Timestamp) -> f64 {
    when.as_millisecond() as f64 / 1000.0
}

fn connection_status(world: &World, body: &Value) -> Result<Value, Failure> {
    let target = field(body, "Target")?;
    Ok(
        json!({"Target": target, "Status": if world.is_online(target) { "connected" } else { "notconnected" }}),
    )
}

fn instances(world: &World, body: &Value) -> Value {
    let by_id = |filter: &Value, key: &str, values: &str| -> Option<Vec<String>> {
        let key = filter.get(key)?.as_str()?;
        let values =
            filter.get(values)?.as_array()?.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect();
        (key == "InstanceIds").then_some(values)
    };
    let list = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let wanted: Vec<Vec<String>> = list("Filters")
        .iter()
        .filter_map(|it| by_id(it, "Key", "Values"))
        .chain(list("InstanceInformationFilterList").iter().filter_map(|it| by_id(it, "key", "valueSet")))
        .collect();
    let online = world.is_alive.load(Ordering::SeqCst);
    let instances = lock(&world.instances);
    let listed = instances.iter().filter(|id| wanted.iter().all(|ids| ids.contains(id))).map(|id| {
        json!({"InstanceId": id, "PingStatus": if online { "Online" } else { "ConnectionLost" },
               "LastPingDateTime": seconds(Timestamp::now()), "AgentVersion": world.settings.agent.version,
               "IsLatestVersion": true, "PlatformType": "Linux", "PlatformName": "Debian GNU/Linux",
               "PlatformVersion": "13", "ResourceType": "EC2Instance", "IPAddress": "127.0.0.1",
               "ComputerName": "jump"})
    });
    json!({"InstanceInformationList": listed.collect::<Vec<_>>()})
}
