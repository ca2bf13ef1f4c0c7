//! EC2 Instance Connect: a public key that is good for a minute.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Failure, denied, failure};
use crate::record::What;
use crate::stand::{World, lock};

/// The keys that are good, with their ends.
#[derive(Debug, Default)]
pub(crate) struct PushedKeys(Mutex<Vec<(String, Instant)>>);

#[derive(Debug, Deserialize)]
struct Push {
    #[serde(rename = "InstanceId")]
    instance: String,
    #[serde(rename = "InstanceOSUser")]
    user: String,
    #[serde(rename = "SSHPublicKey")]
    key: String,
}

/// `SendSSHPublicKey`.
pub(super) async fn push(world: &Arc<World>, call: &Call<'_>, body: &Value) -> Result<Value, Failure> {
    let pushed = pushed(world, call, body);
    let parameters = body.as_object().map(|fields| {
        let lower = |name: &String| match name.as_str() {
            "SSHPublicKey" => "sSHPublicKey".to_owned(),
            name => {
                name.chars().take(1).map(|it| it.to_ascii_lowercase()).chain(name.chars().skip(1)).collect()
            }
        };
        fields.iter().map(|(name, value)| (lower(name), value.clone())).collect::<Value>()
    });
    let response = pushed.is_ok().then(|| json!({"requestId": call.request, "success": true}));
    let source = "ec2-instance-connect.amazonaws.com";
    world.trail.saw(world, call, source, parameters.unwrap_or_default(), response, pushed.as_ref().err());
    pushed?;
    Ok(json!({"RequestId": call.request, "Success": true}))
}

fn pushed(world: &Arc<World>, call: &Call<'_>, body: &Value) -> Result<(), Failure> {
    let asked: Push =
        Deserialize::deserialize(body).map_err(|error| failure("InvalidArgsException", error.to_string()))?;
    let (region, account) = (&world.settings.region, &world.settings.account);
    let resource = format!("arn:aws:ec2:{region}:{account}:instance/{}", asked.instance);
    if !world.may(&call.who, "ec2-instance-connect", "SendSSHPublicKey", &[resource]) {
        return Err(denied(call, "ec2-instance-connect"));
    }
    if !(80..=4096).contains(&asked.key.len()) || !asked.key.starts_with("ssh-") || asked.key.contains('\n') {
        return Err(failure("InvalidArgsException", "the public key is not valid"));
    }
    if !lock(&world.instances).contains(&asked.instance) {
        return Err(failure("EC2InstanceNotFoundException", "Instance not found"));
    }
    let lives = world.settings.key_lives;
    lock(&world.keys.0).push((asked.key, Instant::now() + lives));
    world.write_keys().map_err(|error| failure("ServiceException", error.to_string()))?;
    world.record.event("", What::KeyPushed { instance: asked.instance, user: asked.user });
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::time::sleep(lives + Duration::from_millis(10)).await;
        // The test may be over, and its folder gone.
        let _ = world.write_keys();
    });
    Ok(())
}

impl World {
    fn write_keys(&self) -> io::Result<()> {
        let Some(path) = &self.settings.authorized_keys else { return Ok(()) };
        let mut keys = lock(&self.keys.0);
        let now = Instant::now();
        keys.retain(|(_, end)| *end > now);
        let lines: String = keys.iter().map(|(key, _)| format!("{key}\n")).collect();
        write(path, &lines)
    }
}

/// Whole or not at all: sshd may read at any moment.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let beside = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&beside, path)
}
