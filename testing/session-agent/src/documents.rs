//! Session documents: those that AWS has, those that a test registers, and what a session makes of one.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

/// A document, read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    #[serde(default)]
    schema_version: String,
    #[serde(default)]
    pub(crate) description: String,
    session_type: String,
    #[serde(default)]
    parameters: BTreeMap<String, Declared>,
    #[serde(default)]
    properties: Value,
    #[serde(default)]
    inputs: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    allowed_pattern: Option<String>,
    #[serde(default)]
    allowed_values: Option<Vec<String>>,
}

/// What a session does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Connections to a port.
    Port {
        /// `None` is the instance itself.
        host: Option<String>,
        port: u16,
        /// Whether the document says LocalPortForwarding; else bytes go raw.
        local_forwarding: bool,
    },
    /// A shell in a terminal.
    Shell,
    /// A command, in a terminal or with pipes.
    Command { line: String, pipes: bool },
}

impl Purpose {
    pub(crate) fn is_shell(&self) -> bool {
        !matches!(self, Self::Port { .. })
    }
}

/// A document with its parameters filled in.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) session_type: String,
    pub(crate) properties: Value,
    /// As `name=value`, defaults included.
    pub(crate) parameters: Vec<String>,
    pub(crate) purpose: Purpose,
}

/// Why a document cannot be used so, by AWS's code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

fn refused(code: &'static str, message: impl Into<String>) -> Refused {
    Refused { code, message: message.into() }
}

const PORT: &str = "^([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$";

/// The documents that AWS has in every account.
pub(crate) fn built_in() -> BTreeMap<String, String> {
    let port = |default: &str| json!({"type": "String", "default": default, "allowedPattern": PORT});
    let forwarding = |host: bool| {
        let mut parameters = json!({"portNumber": port("80"), "localPortNumber": port("0")});
        let mut properties = json!({"portNumber": "{{ portNumber }}", "type": "LocalPortForwarding",
                                    "localPortNumber": "{{ localPortNumber }}"});
        if let (true, Some(parameters), Some(properties)) =
            (host, parameters.as_object_mut(), properties.as_object_mut())
        {
            parameters.insert(
                "host".into(),
                json!({"type": "String", "default": "localhost",
                "allowedPattern": "^[^,$^&\\(\\)!;'\"<>`{}\\[\\]\\|#=]{3,}$"}),
            );
            properties.insert("host".into(), "{{ host }}".into());
        }
        json!({"schemaVersion": "1.0", "description": "Forwards a port", "sessionType": "Port",
               "parameters": parameters, "properties": properties})
    };
    let command = |kind: &str| {
        json!({"schemaVersion": "1.0", "description": "Runs a command", "sessionType": kind,
               "parameters": {"command": {"type": "String"}},
               "properties": {"linux": {"commands": "{{ command }}", "runAsElevated": false}}})
    };
    [
        ("AWS-StartPortForwardingSession", forwarding(false)),
        ("AWS-StartPortForwardingSessionToRemoteHost", forwarding(true)),
        (
            "AWS-StartSSHSession",
            json!({"schemaVersion": "1.0", "description": "Opens a port for SSH", "sessionType": "Port",
                   "parameters": {"portNumber": port("22")}, "properties": {"portNumber": "{{ portNumber }}"}}),
        ),
        (
            "SSM-SessionManagerRunShell",
            json!({"schemaVersion": "1.0", "description": "A shell", "sessionType": "Standard_Stream",
                   "inputs": {"runAsEnabled": false, "idleSessionTimeout": "20"}}),
        ),
        ("AWS-StartInteractiveCommand", command("InteractiveCommands")),
        ("AWS-StartNonInteractiveCommand", command("NonInteractiveCommands")),
    ]
    .into_iter()
    .map(|(name, document)| (name.to_owned(), document.to_string()))
    .collect()
}

impl Document {
    /// Reads a document of the type Session.
    pub(crate) fn read(content: &str) -> Result<Self, Refused> {
        let document: Self = serde_json::from_str(content).map_err(|error| {
            refused("InvalidDocumentContent", format!("the content cannot be read: {error}"))
        })?;
        if document.schema_version != "1.0" {
            return Err(refused("InvalidDocumentSchemaVersion", "a session document's schemaVersion is 1.0"));
        }
        match document.session_type.as_str() {
            "Port" | "Standard_Stream" | "InteractiveCommands" | "NonInteractiveCommands" => Ok(document),
            other => Err(refused("InvalidDocumentContent", format!("sessionType {other} is not known"))),
        }
    }

    /// Fills in what `StartSession` gave.
    pub(crate) fn resolve(&self, given: &BTreeMap<String, Vec<String>>) -> Result<Resolved, Refused> {
        if let Some(unknown) = given.keys().find(|name| !self.parameters.contains_key(*name)) {
            return Err(refused(
                "InvalidParameters",
                format!("the parameter {unknown} is not declared in the document"),
            ));
        }
        let mut values = BTreeMap::new();
        for (name, declared) in &self.parameters {
            let value = match given.get(name).map(Vec::as_slice) {
                Some([one]) => one.clone(),
                Some(several) => {
                    let count = several.len();
                    return Err(refused(
                        "InvalidParameters",
                        format!("{name} is one value, and {count} are given"),
                    ));
                }
                None => declared.default.clone().ok_or_else(|| {
                    refused("InvalidParameters", format!("the parameter {name} is missing"))
                })?,
            };
            let fits = match &declared.allowed_pattern {
                Some(pattern) => Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&value)),
                None => true,
            };
            let listed = declared.allowed_values.as_ref().is_none_or(|allowed| allowed.contains(&value));
            if !fits || !listed {
                return Err(refused("InvalidParameters", format!("{name} does not allow `{value}`")));
            }
            values.insert(name.as_str(), value);
        }
        let properties = filled(&self.properties, &values);
        let inputs = filled(&self.inputs, &values);
        Ok(Resolved {
            purpose: self.purpose(&properties)?,
            session_type: self.session_type.clone(),
            properties: if properties.is_null() { inputs } else { properties },
            parameters: values.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        })
    }

    fn purpose(&self, properties: &Value) -> Result<Purpose, Refused> {
        let text = |name: &str| properties.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        match self.session_type.as_str() {
            "Port" => {
                let port = text("portNumber").and_then(|it| it.parse().ok()).filter(|port| *port != 0);
                Ok(Purpose::Port {
                    host: text("host").map(str::to_owned),
                    port: port.ok_or_else(|| refused("InvalidParameters", "portNumber is no port"))?,
                    local_forwarding: text("type") == Some("LocalPortForwarding"),
                })
            }
            "Standard_Stream" => Ok(Purpose::Shell),
            kind => Ok(Purpose::Command {
                line: properties
                    .pointer("/linux/commands")
                    .and_then(Value::as_str)
                    .ok_or_else(|| refused("InvalidDocumentContent", "no commands for linux"))?
                    .to_owned(),
                pipes: kind == "NonInteractiveCommands",
            }),
        }
    }
}

fn filled(value: &Value, with: &BTreeMap<&str, String>) -> Value {
    match value {
        Value::String(text) => Value::String(with.iter().fold(text.clone(), |text, (name, value)| {
            text.replace(&format!("{{{{ {name} }}}}"), value).replace(&format!("{{{{{name}}}}}"), value)
        })),
        Value::Array(items) => items.iter().map(|item| filled(item, with)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), filled(field, with))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(content: &str, given: &[(&str, &str)]) -> Result<Resolved, Refused> {
        let given =
            given.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
        Document::read(content)?.resolve(&given)
    }

    fn built_in_with(name: &str, given: &[(&str, &str)]) -> Result<Resolved, Refused> {
        start(&built_in()[name], given)
    }

    #[test]
    fn what_aws_has_does_what_it_does_there() {
        let port = |host: Option<&str>, port, local_forwarding| Purpose::Port {
            host: host.map(str::to_owned),
            port,
            local_forwarding,
        };
        let purpose = |name, given: &[_]| built_in_with(name, given).unwrap().purpose;
        assert_eq!(
            purpose("AWS-StartPortForwardingSession", &[("portNumber", "5432")]),
            port(None, 5432, true)
        );
        assert_eq!(
            purpose(
                "AWS-StartPortForwardingSessionToRemoteHost",
                &[("portNumber", "5432"), ("host", "db.internal")]
            ),
            port(Some("db.internal"), 5432, true)
        );
        assert_eq!(purpose("AWS-StartSSHSession", &[]), port(None, 22, false));
        assert_eq!(purpose("SSM-SessionManagerRunShell", &[]), Purpose::Shell);
        let line = "uname -a".to_owned();
        assert_eq!(
            purpose("AWS-StartNonInteractiveCommand", &[("command", &line)]),
            Purpose::Command { line: line.clone(), pipes: true }
        );
    }

    #[test]
    fn what_a_document_does_not_declare_or_allow_is_refused() {
        let code = |name, given: &[_]| built_in_with(name, given).unwrap_err().code;
        assert_eq!(code("AWS-StartPortForwardingSession", &[("host", "db.internal")]), "InvalidParameters");
        assert_eq!(code("AWS-StartPortForwardingSession", &[("portNumber", "65536")]), "InvalidParameters");
        assert_eq!(code("AWS-StartPortForwardingSession", &[("portNumber", "0")]), "InvalidParameters");
        let shell = [("host", "a;rm"), ("portNumber", "1")];
        assert_eq!(code("AWS-StartPortForwardingSessionToRemoteHost", &shell), "InvalidParameters");
        assert_eq!(code("AWS-StartNonInteractiveCommand", &[]), "InvalidParameters");
    }

    #[test]
    fn a_document_with_a_fixed_host_keeps_it() {
        let pinned = json!({"schemaVersion": "1.0", "sessionType": "Port",
            "parameters": {"localPortNumber": {"type": "String", "default": "0"}},
            "properties": {"portNumber": "5432", "host": "orders.internal", "type": "LocalPortForwarding",
                           "localPortNumber": "{{localPortNumber}}"}})
        .to_string();
        let resolved = start(&pinned, &[("localPortNumber", "15432")]).unwrap();
        assert_eq!(
            resolved.purpose,
            Purpose::Port { host: Some("orders.internal".into()), port: 5432, local_forwarding: true }
        );
        assert_eq!(resolved.properties["localPortNumber"], "15432");
        assert_eq!(start(&pinned, &[("host", "other.internal")]).unwrap_err().code, "InvalidParameters");
        assert_eq!(start("{}", &[]).unwrap_err().code, "InvalidDocumentContent");
        let command = r#"{"schemaVersion": "2.2", "sessionType": "Port"}"#;
        assert_eq!(start(command, &[]).unwrap_err().code, "InvalidDocumentSchemaVersion");
    }
}
