//! `[ssm]` and `[ssh]`: through which machine a target is reached that has no open port.

use super::walk::{Section, Walk, and};
use super::{id, settings};
use crate::inventory::{AccountRegion, ConnectEndpointId};
use crate::policy::mistake::did_you_mean;
use crate::policy::{Address, Documents, Hop, Over, RoleArn, Ssh, SshKey, SshUser, Ssm};

const JUMP_HOST: &str = "jump-host = \"tag:Name=jump\"";

/// `[ssm]`
pub(super) fn ssm<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>, aws: &AccountRegion) -> Option<Ssm> {
    let keys = ["jump-host", "documents", "role", "sessions", "shared", "region", "profile"];
    let section = walk.section("`[ssm]`", root.key_at("ssm"), root.get("ssm")?, &keys)?;
    let jump_host = jump_host(walk, &section);
    if let Some(address) = jump_host.as_ref().filter(|address| !address.is_instance()) {
        let what = format!("`{address}` is not a machine that a session can be opened to");
        walk.error(&section.value_at("jump-host"), what, Some(format!("write `{JUMP_HOST}`")));
    }
    // Read where the targets are compared.
    let _ = section.flag(walk, "shared");
    let documents = [("shared", Documents::Shared), ("pinned", Documents::Pinned)];
    let documents = one_of(walk, &section, "documents", documents).unwrap_or(Documents::Shared);
    let role = section.parsed::<RoleArn>(walk, "role", "role = \"arn:aws:iam::123456789012:role/doorward\"");
    if role.is_some() && documents == Documents::Shared {
        let what = "with AWS's own documents, credentials that are vended for one target reach everything that the jump host reaches";
        walk.warning(&section.value_at("role"), what, Some("write `documents = \"pinned\"`".into()));
    }
    let sessions = section.number(walk, "sessions", "sessions = 4").and_then(|count| {
        let sessions = u8::try_from(count).ok().filter(|count| (1..=Ssm::MOST_SESSIONS).contains(count));
        if sessions.is_none() {
            let what = format!("`sessions` must be from 1 to {}, and is {count}", Ssm::MOST_SESSIONS);
            let hint = "each transfers 0.6 MB/s towards the client: `sessions = 4`".to_owned();
            walk.error(&section.value_at("sessions"), what, Some(hint));
        }
        sessions
    });
    let at = settings::account_region(walk, &section, aws.clone());
    Some(Ssm { jump_host: jump_host?, at, documents, role, sessions: sessions.unwrap_or(Ssm::SESSIONS) })
}

/// `[ssh]`
pub(super) fn ssh<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>, aws: &AccountRegion) -> Option<Ssh> {
    let keys = [
        "jump-host",
        "user",
        "over",
        "port",
        "known-hosts",
        "endpoint",
        "key",
        "then",
        "shared",
        "region",
        "profile",
    ];
    let section = walk.section("`[ssh]`", root.key_at("ssh"), root.get("ssh")?, &keys)?;
    let jump_host = jump_host(walk, &section);
    let user = section.parsed::<SshUser>(walk, "user", "user = \"ec2-user\"");
    let ways = [("ssm", Over::Ssm), ("endpoint", Over::Endpoint), ("direct", Over::Direct)];
    let over = one_of(walk, &section, "over", ways).unwrap_or(Over::Ssm);
    let port = port(walk, &section, over);
    let known_hosts = section.plain(walk, "known-hosts", "known-hosts = \"known_hosts\"").map(str::to_owned);
    let endpoint =
        section.parsed::<ConnectEndpointId>(walk, "endpoint", "endpoint = \"eice-0a1b2c3d4e5f60718\"");
    if section.get("endpoint").is_some() && over != Over::Endpoint {
        let what = format!("`endpoint` is only for SSH over an endpoint, and here SSH goes over `{over}`");
        let hint = "write `over = \"endpoint\"`, or remove `endpoint`".to_owned();
        walk.error(&section.key_at("endpoint"), what, Some(hint));
    }
    let _ = section.flag(walk, "shared");
    id::is_whole(walk, &section, "endpoint", "eice-");
    let key = key(walk, &section);
    let then = section.parsed::<Hop>(walk, "then", "then = \"admin@10.0.3.7\"");
    let at = settings::account_region(walk, &section, aws.clone());
    let jump_host = jump_host?;
    reachable(walk, &section, &jump_host, over);
    let key = match key {
        Some(SshKey::InstanceConnect) if !jump_host.is_instance() => {
            let what = format!(
                "EC2 Instance Connect accepts keys for instances, and `{jump_host}` is not an instance"
            );
            let hint = "write `key = \"agent\"`, or the jump host as an instance or a tag".to_owned();
            walk.error(&section.value_at("key"), what, Some(hint));
            SshKey::InstanceConnect
        }
        Some(key) => key,
        None if jump_host.is_instance() => SshKey::InstanceConnect,
        None => SshKey::Agent,
    };
    // `ec2-user` is a name that parses.
    let user = user.or_else(|| "ec2-user".parse().ok())?;
    Some(Ssh { jump_host, at, user, over, port, known_hosts, endpoint, key, then })
}

fn jump_host<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Address> {
    section.need(walk, "jump-host", JUMP_HOST)?;
    id::is_whole(walk, section, "jump-host", "instance:i-");
    section.parsed::<Address>(walk, "jump-host", JUMP_HOST)
}

/// Whether SSH can get to the jump host in the way that is named.
fn reachable<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, jump_host: &Address, over: Over) {
    let at = section.value_at("jump-host");
    let machine = jump_host.is_instance() || matches!(jump_host, Address::Host(_));
    if !machine {
        let what = format!("`{jump_host}` is not a machine that SSH can connect to");
        walk.error(&at, what, Some(format!("write `{JUMP_HOST}`")));
        return;
    }
    let (carrier, takes) = match over {
        Over::Ssm if !jump_host.is_instance() => {
            ("a session is opened to an instance", "an instance or a tag")
        }
        Over::Endpoint if !jump_host.is_instance() && jump_host.ip().is_none() => {
            ("an endpoint connects to a private address", "an instance, a tag or an address")
        }
        Over::Ssm | Over::Endpoint | Over::Direct => return,
    };
    let what = format!(
        "{carrier}, and `{jump_host}` is a {}",
        if jump_host.ip().is_some() { "bare address" } else { "name" }
    );
    walk.error(&at, what, Some(format!("write {takes}, or `over = \"direct\"`")));
}

fn port<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, over: Over) -> u16 {
    let Some(number) = section.number(walk, "port", "port = 22") else { return 22 };
    let at = section.value_at("port");
    match u16::try_from(number) {
        // EC2 user guide, "EC2 Instance Connect Endpoint": it connects to 22 and 3389 alone.
        Ok(port) if over == Over::Endpoint && port != 22 && port != 3389 => {
            let what = format!("an Instance Connect Endpoint connects to ports 22 and 3389, not to {port}");
            walk.error(&at, what, Some("write `over = \"ssm\"`, or make sshd listen on port 22".into()));
            22
        }
        Ok(port) if port > 0 => port,
        _ => {
            walk.error(
                &at,
                format!("`port` must be from 1 to 65535, and is {number}"),
                Some("write `port = 22`".into()),
            );
            22
        }
    }
}

/// `instance-connect`, `agent`, or a path, which is told by its `/`.
fn key<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<SshKey> {
    const KEYS: [&str; 2] = ["instance-connect", "agent"];
    let text = section.plain(walk, "key", "key = \"instance-connect\"")?;
    match text {
        "instance-connect" => Some(SshKey::InstanceConnect),
        "agent" => Some(SshKey::Agent),
        path if path.contains('/') => Some(SshKey::File(path.to_owned())),
        other => {
            let hint = match did_you_mean(other, KEYS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "there are {}; a file is written with its folder: `key = \"./{other}\"`",
                    and(&KEYS)
                ),
            };
            walk.error(&section.value_at("key"), format!("`{other}` is not a key"), Some(hint));
            None
        }
    }
}

/// A word of a few that there are.
fn one_of<'t, T: Copy, const N: usize>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    words: [(&'static str, T); N],
) -> Option<T> {
    let names = words.map(|(word, _)| word);
    let like = names.first().map(|first| format!("{key} = \"{first}\"")).unwrap_or_default();
    let text = section.text(walk, key, &like)?;
    if let Some((_, value)) = words.into_iter().find(|(word, _)| *word == text) {
        return Some(value);
    }
    let hint = match did_you_mean(text, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", and(&names)),
    };
    walk.error(&section.value_at(key), format!("`{text}` is not a value of `{key}`"), Some(hint));
    None
}
