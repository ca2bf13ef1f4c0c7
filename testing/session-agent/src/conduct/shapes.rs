//! What a client says, as JSON.

use serde::Deserialize;

use crate::uuid::Uuid;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Acknowledgement {
    pub(super) acknowledged_message_type: String,
    pub(super) acknowledged_message_id: Uuid,
    pub(super) acknowledged_message_sequence_number: i64,
    pub(super) is_sequential_message: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Response {
    pub(super) client_version: String,
    pub(super) processed_client_actions: Vec<Processed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Processed {
    pub(super) action_type: String,
    pub(super) action_status: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Asked {
    pub(super) requested_client_actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Action {
    pub(super) action_type: String,
}

/// The first frame of a connection. AWS's own client draws a UUID for both ids; the service's model asks for texts of 16
/// characters and of one at least.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Opening {
    pub(super) message_schema_version: String,
    pub(super) request_id: String,
    pub(crate) token_value: String,
    pub(super) client_id: String,
    pub(super) client_version: String,
}

/// The terminal's size.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Size {
    pub(crate) cols: u16,
    pub(crate) rows: u16,
}
