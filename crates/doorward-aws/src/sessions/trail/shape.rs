//! The shape of one record of CloudTrail, as far as it matters here.

use doorward_core::audit::cloudtrail::{Asked, Call, Caller};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// "CloudTrail record contents" of its user guide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "eventID")]
    event_id: String,
    event_time: Timestamp,
    #[serde(default)]
    aws_region: Option<String>,
    #[serde(rename = "sourceIPAddress", default)]
    from: Option<String>,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    user_identity: Option<Identity>,
    #[serde(default)]
    request_parameters: Option<Map<String, Value>>,
    #[serde(default)]
    response_elements: Option<Map<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    session_context: Option<SessionContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext {
    #[serde(default)]
    source_identity: Option<String>,
}

/// The call; none where the record is of another, or of another service that has one of that name.
pub(super) fn call(record: &Value) -> Result<Option<Call>, String> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let name = text("eventName").ok_or("it has no `eventName`")?;
    let service = text("eventSource").unwrap_or_default().split('.').next().unwrap_or_default();
    let ours = match name {
        "StartSession" | "ResumeSession" | "TerminateSession" => service == "ssm",
        "SendSSHPublicKey" | "OpenTunnel" => service == "ec2-instance-connect",
        _ => false,
    };
    if !ours {
        return Ok(None);
    }
    let record = Record::deserialize(record).map_err(|error| error.to_string())?;
    let Some(what) = record.asked(name)? else { return Ok(None) };
    Ok(Some(Call {
        by: record.user_identity.unwrap_or_default().caller(),
        id: record.event_id,
        at: record.event_time,
        what,
        from: record.from,
        region: record.aws_region,
        refused: record.error_code.filter(|code| !code.is_empty()),
    }))
}

impl Record {
    fn asked(&self, name: &str) -> Result<Option<Asked>, String> {
        let given = |key: &str| in_words(self.request_parameters.as_ref()?.get(key)?);
        let got = |key: &str| in_words(self.response_elements.as_ref()?.get(key)?);
        let refused = self.error_code.is_some();
        let session = || match given("sessionId").or_else(|| got("sessionId")) {
            Some(session) => Ok(Some(session)),
            // What was refused may not even say of what.
            None if refused => Ok(None),
            None => Err(format!("`{name}` has no session")),
        };
        Ok(match name {
            "StartSession" => Some(Asked::Start {
                session: got("sessionId"),
                target: given("target"),
                document: given("documentName"),
                reason: given("reason"),
            }),
            "ResumeSession" => session()?.map(|session| Asked::Resume { session }),
            "TerminateSession" => session()?.map(|session| Asked::Terminate { session }),
            "SendSSHPublicKey" => Some(Asked::Key {
                instance: given("instanceId"),
                user: given("instanceOSUser").or_else(|| given("osUser")),
            }),
            "OpenTunnel" => Some(Asked::Tunnel {
                endpoint: given("instanceConnectEndpointId"),
                address: given("privateIpAddress"),
                port: given("remotePort").and_then(|port| port.parse().ok()),
            }),
            _ => None,
        })
    }
}

/// A parameter as text; CloudTrail writes some numbers as texts.
fn in_words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl Identity {
    fn caller(self) -> Caller {
        // `arn:aws:sts::123456789012:assumed-role/ROLE/SESSION`, and `AROA…:SESSION`.
        let assumed = self.kind.as_deref() == Some("AssumedRole");
        let last = |text: &Option<String>, letter| {
            text.as_deref().and_then(|text| text.rsplit_once(letter)).map(|(_, last)| last.to_owned())
        };
        let session = || last(&self.principal_id, ':').or_else(|| last(&self.arn, '/'));
        let name = if assumed { session() } else { self.user_name.clone().or_else(session) };
        let source_identity = self.session_context.and_then(|context| context.source_identity);
        Caller {
            arn: self.arn,
            name,
            source_identity: source_identity.filter(|identity| !identity.is_empty()),
        }
    }
}
