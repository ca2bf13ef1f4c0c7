//! `ec2-instance-connect:SendSSHPublicKey`: a key that sshd accepts for 60 seconds.

use serde::{Deserialize, Serialize};

use crate::operation::{Body, Operation, Service, json};

/// Puts a key, as OpenSSH writes it, before a user of an instance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SendSshPublicKey {
    #[serde(rename = "InstanceId")]
    pub(crate) instance: String,
    #[serde(rename = "InstanceOSUser")]
    pub(crate) user: String,
    #[serde(rename = "SSHPublicKey")]
    pub(crate) key: String,
    #[serde(rename = "AvailabilityZone", skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<String>,
}

impl Operation for SendSshPublicKey {
    const NAME: &'static str = "SendSSHPublicKey";
    const SERVICE: Service = Service::InstanceConnect;
    type Answer = SentShape;

    fn body(&self) -> Body {
        json(self)
    }
}

/// Whether it was taken.
#[derive(Debug, Deserialize)]
pub(crate) struct SentShape {
    #[serde(rename = "Success", default)]
    pub(crate) success: bool,
}
