//! The handshake: what the agent asks, what versions agree on, and proof of the keys where a shell is encrypted.

use serde::Deserialize;
use serde_json::{Value, json};

use super::challenge::{self, Keys};
use super::work::Work;
use super::{Agent, DRAIN, Stage};
use crate::documents::Purpose;
use crate::message::payload;
use crate::record::{Mode, What};

/// Four numbers, `3.3.0.0`.
pub(crate) fn version(text: &str) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [a, b, c] => Some([*a, *b, *c, 0]),
        [a, b, c, d] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

/// What two versions agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(super) multiplexes: bool,
    /// Whether the agent keeps smux alive.
    pub(super) agent_keeps_alive: bool,
    /// Whether the client does.
    pub(super) client_keeps_alive: bool,
    pub(super) terminates_by_flag: bool,
}

impl Agreed {
    pub(super) fn new(agent: [u32; 4], client: [u32; 4]) -> Self {
        Self {
            multiplexes: agent > [3, 0, 196, 0] && client >= [1, 1, 70, 0],
            agent_keeps_alive: client <= [1, 2, 331, 0],
            client_keeps_alive: agent <= [3, 1, 1511, 0],
            terminates_by_flag: agent > [2, 3, 722, 0],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Response {
    client_version: String,
    processed_client_actions: Vec<Processed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processed {
    action_type: String,
    action_status: u32,
    #[serde(default)]
    action_result: Value,
    #[serde(default)]
    error: Option<String>,
}

impl Agent {
    /// Asks the client, at first.
    pub(super) fn ask(&mut self) {
        let resolved = &self.session.resolved;
        let mut actions = Vec::new();
        if let Some(key) = self.world.settings.agent.kms_key.as_ref().filter(|_| resolved.purpose.is_shell())
        {
            actions.push(json!({"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": key}}));
        }
        actions.push(json!({"ActionType": "SessionType", "ActionParameters": {
            "SessionType": resolved.session_type, "Properties": resolved.properties}}));
        let request =
            json!({"AgentVersion": self.world.settings.agent.version, "RequestedClientActions": actions});
        self.send_json(payload::HANDSHAKE_REQUEST, &request);
        self.stage = Stage::Asked;
    }

    /// The client's answer.
    pub(super) fn answered(&mut self, payload: &[u8]) {
        let response: Response = match serde_json::from_slice(payload) {
            Ok(response) => response,
            Err(_) => return self.ending("the handshake response cannot be read", DRAIN),
        };
        if let Some(failed) = response.processed_client_actions.iter().find(|it| it.action_status != 1) {
            let why = format!(
                "the client did not process {}: {}",
                failed.action_type,
                failed.error.as_deref().unwrap_or_default()
            );
            return self.ending(&why, DRAIN);
        }
        if self.world.settings.agent.kms_key.is_none() || !self.session.resolved.purpose.is_shell() {
            return self.complete(&response);
        }
        let result = response
            .processed_client_actions
            .iter()
            .find(|it| it.action_type == "KMSEncryption")
            .map(|it| &it.action_result);
        let Some(keys) = Keys::agreed(&self.world.kms, &self.session, result) else {
            return self.ending("Fetching data key failed", DRAIN);
        };
        let challenge = challenge::draw();
        self.send_json(payload::CHALLENGE_REQUEST, &keys.ask(&challenge));
        self.keys = Some(keys);
        self.stage = Stage::Challenged { response, challenge };
    }

    /// The client's proof.
    pub(super) fn proved(&mut self, payload: &[u8]) {
        let Stage::Challenged { response, challenge } = std::mem::replace(&mut self.stage, Stage::Asked)
        else {
            return;
        };
        if self.keys.as_ref().is_some_and(|keys| keys.is_proof(payload, &challenge)) {
            self.complete(&response);
        } else {
            self.world.record.violation(&self.session.id, "the encryption challenge is not answered rightly");
            self.ending("Encryption challenge failed", DRAIN);
        }
    }

    fn complete(&mut self, response: &Response) {
        let settings = &self.world.settings.agent;
        let versions = version(&settings.version).zip(version(&response.client_version));
        let Some((agent, client)) = versions else {
            return self.ending("a version cannot be read", DRAIN);
        };
        self.agreed = Agreed::new(agent, client);
        let complete = json!({"HandshakeTimeToComplete": self.began.elapsed().as_nanos() as u64,
                              "CustomerMessage": settings.customer_message});
        self.send_json(payload::HANDSHAKE_COMPLETE, &complete);
        self.stage = Stage::Complete;
        let mode = match &self.session.resolved.purpose {
            Purpose::Port { local_forwarding: false, .. } => Mode::Raw,
            Purpose::Port { .. } if self.agreed.multiplexes => Mode::Smux,
            Purpose::Port { .. } => Mode::Basic,
            Purpose::Command { pipes: true, .. } => Mode::Command,
            Purpose::Command { .. } | Purpose::Shell => Mode::Shell,
        };
        self.world
            .record
            .event(&self.session.id, What::Ready { client: response.client_version.clone(), mode });
        self.work = Some(Work::start(&self.world, &self.session, mode, self.agreed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_how_bytes_are_carried() {
        fn check(
            agent: &str,
            client: &str,
            multiplexes: bool,
            agent_keeps: bool,
            client_keeps: bool,
            flag: bool,
        ) {
            let expected = Agreed {
                multiplexes,
                agent_keeps_alive: agent_keeps,
                client_keeps_alive: client_keeps,
                terminates_by_flag: flag,
            };
            assert_eq!(
                Agreed::new(version(agent).unwrap(), version(client).unwrap()),
                expected,
                "{agent} {client}"
            );
        }
        check("3.3.2299.0", "1.2.764.0", true, false, false, true);
        check("3.1.1511.0", "1.2.331.0", true, true, true, true);
        check("3.1.1512.0", "1.2.332.0", true, false, false, true);
        check("3.0.197.0", "1.1.70.0", true, true, true, true);
        check("3.0.196.0", "1.2.764.0", false, false, true, true);
        check("3.3.0.0", "1.1.69.0", false, true, false, true);
        check("2.3.722.0", "1.2.764.0", false, false, true, false);
        assert_eq!(version("1.2"), None);
        assert_eq!(version("1.2.x.4"), None);
        assert_eq!(version("1.2.3"), Some([1, 2, 3, 0]));
    }
}
