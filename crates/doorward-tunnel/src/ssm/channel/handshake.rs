//! What client and agent say of themselves before anything is carried, as JSON.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ssm::message::Uuid;

/// The version of the stock client whose behaviour ours is. What an agent offers depends on it.
pub const CLIENT_VERSION: &str = "1.2.764.0";

/// A version: numbers with dots between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version([u64; 4]);

impl Version {
    /// Its four numbers.
    pub const fn new(numbers: [u64; 4]) -> Self {
        Self(numbers)
    }

    /// Reads it; what is missing or no number is 0.
    pub fn read(text: &str) -> Self {
        let mut numbers = [0; 4];
        for (number, part) in numbers.iter_mut().zip(text.trim().split('.')) {
            *number = part.parse().unwrap_or(0);
        }
        Self(numbers)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, build] = self.0;
        write!(f, "{major}.{minor}.{patch}.{build}")
    }
}

/// What the agent carries at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Connections to a port, told apart by smux.
    Smux,
    /// One connection to a port after another.
    Basic,
    /// One connection to a port.
    Raw,
    /// A terminal, or a command's output.
    Shell,
}

/// The agent, as it says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub version: Version,
    /// What it carries.
    pub carries: Carries,
}

impl Agent {
    /// It understands the flag that ends a session.
    pub fn understands_terminate(&self) -> bool {
        self.version > Version::new([2, 3, 722, 0])
    }

    /// Its smux sends no keep-alive and misses none, as ours does then.
    pub fn smux_is_quiet(&self) -> bool {
        self.version > Version::new([3, 1, 1511, 0])
    }
}

/// What an agent asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) agent: Agent,
    /// The KMS key to encrypt with, if it wants that.
    pub(super) key: Option<String>,
    /// In its order.
    actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestJson {
    #[serde(default)]
    agent_version: String,
    #[serde(default)]
    requested_client_actions: Vec<ActionJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActionJson {
    action_type: String,
    #[serde(default)]
    action_parameters: Value,
}

const SESSION_TYPE: &str = "SessionType";
const ENCRYPTION: &str = "KMSEncryption";

impl Request {
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        let request: RequestJson = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        let version = Version::read(&request.agent_version);
        let (mut carries, mut key) = (None, None);
        for action in &request.requested_client_actions {
            let parameters = &action.action_parameters;
            let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
            match action.action_type.as_str() {
                SESSION_TYPE => {
                    let session_type = text(parameters, SESSION_TYPE).unwrap_or_default();
                    let port = parameters.get("Properties").and_then(|properties| text(properties, "type"));
                    carries = Some(carried(&session_type, port.as_deref(), version)?);
                }
                ENCRYPTION => key = Some(text(parameters, "KMSKeyId").ok_or("no KMS key is named")?),
                _ => {}
            }
        }
        let carries = carries.ok_or("no kind of session is named")?;
        let actions = request.requested_client_actions.into_iter().map(|action| action.action_type).collect();
        Ok(Self { agent: Agent { version, carries }, key, actions })
    }

    /// The answer; `key` is the encrypted data key, or why there is none.
    pub(super) fn respond(&self, key: Option<Result<&[u8], &str>>) -> Vec<u8> {
        let mut errors = Vec::new();
        let mut processed = Vec::new();
        for action in &self.actions {
            let (status, result, error) = match (action.as_str(), key) {
                (SESSION_TYPE, _) => (1, Value::Null, String::new()),
                (ENCRYPTION, Some(Ok(key))) => {
                    (1, serde_json::json!({ "KMSCipherTextKey": STANDARD.encode(key) }), String::new())
                }
                (ENCRYPTION, Some(Err(why))) => (2, Value::Null, why.to_owned()),
                (other, _) => (3, Value::Null, format!("{other} is not supported")),
            };
            if !error.is_empty() {
                errors.push(error.clone());
            }
            processed.push(ProcessedJson {
                action_type: action.clone(),
                action_status: status,
                action_result: result,
                error,
            });
        }
        let errors = if errors.is_empty() { None } else { Some(errors) };
        let response =
            ResponseJson { client_version: CLIENT_VERSION, processed_client_actions: processed, errors };
        serde_json::to_vec(&response).unwrap_or_default()
    }
}

fn carried(session_type: &str, port: Option<&str>, agent: Version) -> Result<Carries, String> {
    match (session_type, port) {
        ("Port", Some("LocalPortForwarding")) if agent > Version::new([3, 0, 196, 0]) => Ok(Carries::Smux),
        ("Port", Some("LocalPortForwarding")) => Ok(Carries::Basic),
        ("Port", _) => Ok(Carries::Raw),
        ("Standard_Stream" | "InteractiveCommands" | "NonInteractiveCommands", _) => Ok(Carries::Shell),
        (other, _) => Err(format!("`{}` is an unknown kind of session", crate::peer_text::peer_text(other))),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseJson {
    client_version: &'static str,
    processed_client_actions: Vec<ProcessedJson>,
    errors: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessedJson {
    action_type: String,
    action_status: u8,
    action_result: Value,
    error: String,
}

/// What the agent says when all is agreed on, for the person; often nothing.
pub(super) fn customer_message(payload: &[u8]) -> Option<String> {
    let complete: Value = serde_json::from_slice(payload).ok()?;
    let message = crate::peer_text::peer_text(complete.get("CustomerMessage")?.as_str()?);
    Some(message).filter(|message| !message.is_empty())
}

/// The reason in a message that closes the channel; often empty.
pub(super) fn closing_reason(payload: &[u8]) -> String {
    let closed: Value = serde_json::from_slice(payload).unwrap_or_default();
    crate::peer_text::peer_text(closed.get("Output").and_then(Value::as_str).unwrap_or_default())
}

/// The bytes of an encryption challenge.
pub(crate) fn read_challenge(payload: &[u8]) -> Option<Vec<u8>> {
    let challenge: Value = serde_json::from_slice(payload).ok()?;
    STANDARD.decode(challenge.get("Challenge")?.as_str()?).ok()
}

/// The answer to an encryption challenge.
pub(crate) fn write_challenge(bytes: &[u8]) -> Vec<u8> {
    serde_json::json!({ "Challenge": STANDARD.encode(bytes) }).to_string().into_bytes()
}

/// The sequence number that an acknowledgement names.
pub(super) fn acknowledged(payload: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Acknowledge {
        #[serde(rename = "AcknowledgedMessageSequenceNumber")]
        sequence: i64,
    }
    serde_json::from_slice::<Acknowledge>(payload).ok().map(|acknowledge| acknowledge.sequence)
}

/// An acknowledgement's payload.
pub(super) fn acknowledge(kind: &str, id: Uuid, sequence: i64) -> String {
    format!(
        r#"{{"AcknowledgedMessageType":"{kind}","AcknowledgedMessageId":"{id}","AcknowledgedMessageSequenceNumber":{sequence},"IsSequentialMessage":true}}"#
    )
}

/// The first frame on a connection, as text: it shows the token to the gateway.
pub(crate) fn opening(token: &str, request: Uuid, client: Uuid) -> String {
    serde_json::json!({
        "MessageSchemaVersion": "1.0",
        "RequestId": request.to_string(),
        "TokenValue": token,
        "ClientId": client.to_string(),
        "ClientVersion": CLIENT_VERSION,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: &str, session_type: &str, properties: &str) -> String {
        format!(
            r#"{{"AgentVersion":"{version}","RequestedClientActions":[{{"ActionType":"SessionType","ActionParameters":
            {{"SessionType":"{session_type}","Properties":{properties}}}}}]}}"#
        )
    }

    #[test]
    fn versions_and_types_decide_what_is_carried() {
        fn check(version: &str, session_type: &str, properties: &str, expected: Result<Carries, &str>) {
            let read = Request::read(request(version, session_type, properties).as_bytes());
            assert_eq!(read.map(|request| request.agent.carries), expected.map_err(str::to_owned));
        }
        let local = r#"{"portNumber":"5432","type":"LocalPortForwarding"}"#;
        check("3.3.0.0", "Port", local, Ok(Carries::Smux));
        check("3.0.196.1", "Port", local, Ok(Carries::Smux));
        check("3.0.196.0", "Port", local, Ok(Carries::Basic));
        check("2.3", "Port", local, Ok(Carries::Basic));
        check("3.3.0.0", "Port", r#"{"portNumber":"22"}"#, Ok(Carries::Raw));
        check("3.3.0.0", "Port", "null", Ok(Carries::Raw));
        check("3.3.0.0", "Standard_Stream", "null", Ok(Carries::Shell));
        check("3.3.0.0", "Dance", "null", Err("`Dance` is an unknown kind of session"));
    }

    #[test]
    fn an_answer_names_every_action() {
        let asked = r#"{"AgentVersion":"3.3.0.0","RequestedClientActions":[
            {"ActionType":"KMSEncryption","ActionParameters":{"KMSKeyId":"alias/shell"}},
            {"ActionType":"SessionType","ActionParameters":{"SessionType":"Standard_Stream"}},
            {"ActionType":"Dance"}]}"#;
        let request = Request::read(asked.as_bytes()).unwrap();
        assert_eq!(request.key.as_deref(), Some("alias/shell"));
        let answer: Value = serde_json::from_slice(&request.respond(Some(Ok(b"key")))).unwrap();
        let expected = serde_json::json!({
            "ClientVersion": CLIENT_VERSION,
            "ProcessedClientActions": [
                { "ActionType": "KMSEncryption", "ActionStatus": 1, "ActionResult": { "KMSCipherTextKey": "a2V5" }, "Error": "" },
                { "ActionType": "SessionType", "ActionStatus": 1, "ActionResult": null, "Error": "" },
                { "ActionType": "Dance", "ActionStatus": 3, "ActionResult": null, "Error": "Dance is not supported" },
            ],
            "Errors": ["Dance is not supported"],
        });
        assert_eq!(answer, expected);
        let refused: Value = serde_json::from_slice(&request.respond(Some(Err("no key")))).unwrap();
        assert_eq!(refused["ProcessedClientActions"][0]["ActionStatus"], 2);
        assert_eq!(refused["ProcessedClientActions"][0]["Error"], "no key");
    }

    #[test]
    fn an_answer_without_errors_says_null() {
        let request = Request::read(request("3.3.0.0", "Port", "null").as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&request.respond(None)).unwrap();
        assert_eq!(answer["Errors"], Value::Null);
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none() {
        for payload in ["", "[]", "{}", r#"{"RequestedClientActions":[{"ActionType":"SessionType"}]}"#] {
            assert!(Request::read(payload.as_bytes()).is_err(), "{payload}");
        }
    }

    #[test]
    fn an_acknowledgement_reads_as_it_is_written() {
        let written = acknowledge("output_stream_data", Uuid([7; 16]), 12);
        assert_eq!(acknowledged(written.as_bytes()), Some(12));
        let json: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(json["AcknowledgedMessageId"], "07070707-0707-0707-0707-070707070707");
        assert_eq!(acknowledged(b"{}"), None);
    }
}
