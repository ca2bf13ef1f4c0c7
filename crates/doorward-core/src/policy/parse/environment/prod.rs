//! What only environments of the kind `prod` have.

use super::super::walk::{Section, Walk};
use crate::topology::{EnvironmentName, Kind, Listen, Prod};

/// The keys that only this kind has.
const KEYS: [&str; 6] = ["listen", "certificate", "port", "health", "min", "max"];

const CERTIFICATE: &str = "certificate = \"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b2c3d\"";

/// Reports the keys that another kind does not have.
pub(super) fn absent<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Kind> {
    for key in KEYS.into_iter().filter(|key| section.get(key).is_some()) {
        let what = format!("{} is of the kind `dev`, which has no `{key}`", section.name);
        walk.error(&section.key_at(key), what, Some("remove it, or write `kind = \"prod\"`".to_owned()));
    }
    Some(Kind::Dev)
}

/// Reads them; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &EnvironmentName,
    section: &Section<'t, '_>,
) -> Option<Kind> {
    if name.as_str().len() > Prod::NAME {
        let what = format!(
            "`{name}` is too long for the name of an environment of the kind `prod`, which has up to {} characters, as it is \
             part of the name of a load balancer",
            Prod::NAME
        );
        walk.error(&section.at, what, Some("shorten it".to_owned()));
    }
    let listen = listen(walk, section);
    let port = number(walk, section, "port", Prod::PORT.into(), 1..=65_535, "a port is a number");
    let health = health(walk, section);
    let min = number(walk, section, "min", Prod::MIN, 2..=100, MIN);
    let from = min.unwrap_or(Prod::MIN);
    let max = number(walk, section, "max", Prod::MAX.max(from), from..=100, "`max` is at least `min` and");
    Some(Kind::Prod(Prod {
        listen: listen?,
        port: u16::try_from(port?).ok()?,
        health: health?,
        min: min?,
        max: max?,
    }))
}

const MIN: &str =
    "an environment of the kind `prod` has at least two instances, so that one may fail: `min` is";

fn number<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
    why: &str,
) -> Option<u32> {
    if section.get(key).is_none() {
        return Some(default);
    }
    let like = format!("{key} = {default}");
    let number = section.number(walk, key, &like)?;
    let good = u32::try_from(number).ok().filter(|number| allowed.contains(number));
    if good.is_none() {
        let what = format!("{why} from {} to {}, and not {number}", allowed.start(), allowed.end());
        walk.error(&section.value_at(key), what, Some(format!("write `{like}`")));
    }
    good
}

fn listen<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Listen> {
    const LIKE: &str = "listen = \"https\"";
    let word = match section.get("listen") {
        None => "https",
        Some(_) => section.text(walk, "listen", LIKE)?,
    };
    let has_certificate = section.get("certificate").is_some();
    match word {
        "http" if has_certificate => {
            let what = "a listener for HTTP has no certificate";
            let hint = format!("write `{LIKE}`, or remove `certificate`");
            walk.error(&section.key_at("certificate"), what, Some(hint));
            None
        }
        "http" => Some(Listen::Http),
        "https" if has_certificate => {
            let text = section.text(walk, "certificate", CERTIFICATE)?;
            if is_certificate(text) {
                return Some(Listen::Https(text.to_owned()));
            }
            let what = format!("`{text}` is not the ARN of a certificate");
            walk.error(&section.value_at("certificate"), what, Some(format!("write `{CERTIFICATE}`")));
            None
        }
        "https" => {
            let what =
                format!("{} needs `certificate`, because its load balancer listens for HTTPS", section.name);
            let hint = format!("add `{CERTIFICATE}`, or `listen = \"http\"`, which does not encrypt");
            walk.missing(&section.at, what, Some(hint));
            None
        }
        other => {
            let what = format!("`{other}` is not a protocol of its listener (`https` or `http`)");
            walk.error(&section.value_at("listen"), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

/// The ARN of a certificate of ACM or of IAM (Elastic Load Balancing API reference, `Certificate`).
fn is_certificate(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, _, _, resource] = fields[..] else { return false };
    let kind = match service {
        "acm" => "certificate/",
        "iam" => "server-certificate/",
        _ => return false,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":/+=,.@_-".contains(&byte);
    arn == "arn" && partition.starts_with("aws") && resource.starts_with(kind) && text.bytes().all(allowed)
}

/// A path: up to 1,024 characters (Elastic Load Balancing API reference, `CreateTargetGroup`).
fn health<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<String> {
    const LIKE: &str = "health = \"/health\"";
    if section.get("health").is_none() {
        return Some(Prod::HEALTH.to_owned());
    }
    let text = section.text(walk, "health", LIKE)?;
    if text.starts_with('/') && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    let what = format!("`{text}` is not a path, which begins with `/` and has no spaces");
    walk.error(&section.value_at("health"), what, Some(format!("write `{LIKE}`")));
    None
}
