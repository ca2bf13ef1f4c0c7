//! The API: one address for all of AWS. What is not played here goes to moto.

mod connect;
mod documents;
mod ec2;
mod iam;
mod proxy;
mod sessions;
mod ssm;
mod sts;
mod trail;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) use connect::PushedKeys;
pub(crate) use trail::Trail;

use crate::percent::pairs;
use crate::record::What;
use crate::settings::Credential;
use crate::sigv4;
use crate::stand::World;
use crate::uuid::Uuid;

/// The longest body, in bytes.
const LONGEST: usize = 16 << 20;

/// A call, authenticated.
struct Call<'a> {
    operation: &'a str,
    who: Credential,
    source: String,
    agent: String,
    request: String,
}

/// Why a call fails, by AWS's code.
#[derive(Debug)]
struct Failure {
    status: u16,
    code: String,
    message: String,
}

fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure { status: 400, code: code.to_owned(), message: message.into() }
}

fn denied(call: &Call<'_>, service: &str) -> Failure {
    let message =
        format!("User: {} is not authorized to perform: {service}:{}", call.who.arn, call.operation);
    Failure { status: 400, code: "AccessDeniedException".into(), message }
}

/// A text that a call must bear.
fn field<'a>(body: &'a Value, name: &str) -> Result<&'a str, Failure> {
    body.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| failure("ValidationException", format!("{name} is missing")))
}

/// How an answer is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Ec2,
    Query,
}

/// Serves the API until it is dropped.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    let app = Router::new().fallback(answer).with_state(world);
    // It ends with its task.
    let _ = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await;
}

async fn answer(
    State(world): State<Arc<World>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return written(Form::Json, Err(failure("RequestEntityTooLarge", "the body is too long")), "");
    };
    let header = |name: &str| text(&parts.headers, name);
    let target = header("x-amz-target");
    let form = match header("content-type") {
        kind if kind.starts_with("application/x-www-form-urlencoded") => {
            pairs(&String::from_utf8_lossy(&body))
        }
        _ => Vec::new(),
    };
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    // What belongs to moto itself is not AWS's.
    if path.starts_with("/moto-api") {
        return proxy::pass(&world, &parts, &body).await;
    }
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let signed =
        sigv4::Request { method: parts.method.as_str(), path, query, headers: &headers, body: &body };
    let action = form.iter().find(|(name, _)| name == "Action").map(|(_, action)| action.clone());
    let version = form.iter().find(|(name, _)| name == "Version").map(|(_, version)| version.clone());
    let (service, operation) = match (target.rsplit_once('.'), action) {
        (Some((prefix, operation)), _) => (service(prefix), operation.to_owned()),
        (None, Some(action)) if version.as_deref() == Some("2016-11-15") => (Some("ec2"), action),
        (None, Some(action)) if version.as_deref() == Some("2011-06-15") => (Some("sts"), action),
        (None, Some(action)) if version.as_deref() == Some("2010-05-08") => (Some("iam"), action),
        (None, action) => (None, action.unwrap_or_default()),
    };
    let shape = match service {
        Some("ec2") => Form::Ec2,
        None | Some("iam" | "sts") => Form::Query,
        Some(_) => Form::Json,
    };
    let request_id = Uuid::random().to_string();
    let who = match world.verify(&signed, service, Timestamp::now()) {
        Ok(Some(caller)) => caller.credential,
        Ok(None) => world.anybody(),
        Err(nobody) => {
            let (code, to_blame) = nobody.code();
            if to_blame {
                world.record.violation("", format!("{operation}: {nobody}"));
            }
            world.record.event("", What::Called { operation, error: Some(code.to_owned()) });
            let refused = Failure { status: 403, code: code.to_owned(), message: nobody.to_string() };
            return written(shape, Err(refused), &request_id);
        }
    };
    let call = Call {
        operation: &operation,
        who,
        source: peer.ip().to_string(),
        agent: header("user-agent"),
        request: request_id,
    };
    let played = match service {
        Some(name @ ("ec2" | "iam" | "sts")) => form_call(&world, name, &call, &form).await,
        Some(name) => json_call(&world, name, &call, &body).await,
        None => None,
    };
    match played {
        Some(answer) => {
            let error = answer.as_ref().err().map(|it| it.code.clone());
            world.record.event("", What::Called { operation: operation.clone(), error });
            written(shape, answer, &call.request)
        }
        None => proxy::pass(&world, &parts, &body).await,
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()).unwrap_or_default()
}

/// The signing name behind a target's prefix, of what may be played here.
fn service(prefix: &str) -> Option<&'static str> {
    match prefix {
        "AmazonSSM" => Some("ssm"),
        "AWSEC2InstanceConnectService" => Some("ec2-instance-connect"),
        "TrentService" => Some("kms"),
        "CloudTrail_20131101" => Some("cloudtrail"),
        // AWS's own clients send the whole name.
        prefix if prefix.ends_with("CloudTrail_20131101") => Some("cloudtrail"),
        _ => None,
    }
}

/// What is played of the JSON services; `None` is for moto.
async fn json_call(
    world: &Arc<World>,
    service: &str,
    call: &Call<'_>,
    body: &[u8],
) -> Option<Result<Value, Failure>> {
    let body: Value = match body {
        b"" => json!({}),
        body => match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(error) => return Some(Err(failure("SerializationException", error.to_string()))),
        },
    };
    let kms = |answer: Result<Value, &'static str>| {
        Some(answer.map_err(|code| failure(code, "the key, its context or the ciphertext is not right")))
    };
    match (service, call.operation) {
        ("ssm", _) => ssm::call(world, call, &body),
        ("ec2-instance-connect", "SendSSHPublicKey") => Some(connect::push(world, call, &body).await),
        ("cloudtrail", "LookupEvents") if !world.may(&call.who, "cloudtrail", "LookupEvents", &[]) => {
            Some(Err(denied(call, "cloudtrail")))
        }
        ("cloudtrail", "LookupEvents") => Some(world.trail.look_up(&body, world.settings.throttle_lookups)),
        ("kms", "GenerateDataKey" | "Decrypt") if !world.may(&call.who, "kms", call.operation, &[]) => {
            Some(Err(denied(call, "kms")))
        }
        ("kms", "GenerateDataKey") => kms(world.kms.generate(&body)),
        ("kms", "Decrypt") => kms(world.kms.decrypts(&body)),
        _ => None,
    }
}

/// What is played of the form services; `None` is for moto. The answer is XML, as text.
async fn form_call(
    world: &Arc<World>,
    service: &str,
    call: &Call<'_>,
    form: &[(String, String)],
) -> Option<Result<Value, Failure>> {
    let unauthorized = || Failure {
        status: 403,
        code: if service == "ec2" { "UnauthorizedOperation" } else { "AccessDenied" }.into(),
        message: format!("User: {} is not authorized to perform: {service}:{}", call.who.arn, call.operation),
    };
    if world.is_denied(call.operation) {
        return Some(Err(unauthorized()));
    }
    let xml = match (service, call.operation) {
        ("ec2", "GetConsoleOutput") => ec2::console_output(world, call, form)?,
        ("ec2", "DescribeInstanceConnectEndpoints") => ec2::endpoints(world, call, form),
        ("sts", "GetCallerIdentity") => Ok(sts::identity(world, call)),
        ("iam", "PutRolePolicy") => iam::put(world, call, form),
        ("sts", "AssumeRole") => sts::assume(world, call, form),
        _ => return None,
    };
    Some(xml.map(Value::String))
}

fn written(form: Form, answer: Result<Value, Failure>, request: &str) -> Response<Body> {
    let status = answer.as_ref().err().map_or(200, |it| it.status);
    let kind = match form {
        Form::Json => "application/x-amz-json-1.1",
        Form::Ec2 | Form::Query => "text/xml;charset=UTF-8",
    };
    let body = match (form, answer) {
        (Form::Json, Ok(value)) => value.to_string(),
        (Form::Json, Err(it)) => json!({"__type": it.code, "message": it.message}).to_string(),
        (_, Ok(value)) => value.as_str().unwrap_or_default().to_owned(),
        (Form::Ec2, Err(it)) => format!(
            "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>\
             <RequestID>{request}</RequestID></Response>",
            it.code,
            xml(&it.message)
        ),
        (Form::Query, Err(it)) => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{request}</RequestId></ErrorResponse>",
            it.code,
            xml(&it.message)
        ),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    if let Ok(request) = header::HeaderValue::from_str(request) {
        headers.insert("x-amzn-requestid", request);
    }
    response
}

/// Text inside an element.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `Name.1`, `Name.2`, … of a form.
fn numbered<'a>(form: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    (1..)
        .map_while(|number| {
            let key = format!("{name}.{number}");
            form.iter().find(|(it, _)| *it == key).map(|(_, value)| value.as_str())
        })
        .collect()
}
