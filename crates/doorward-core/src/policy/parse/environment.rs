//! `[environment.NAME]`: an instance and a database in a network, or several of them.

mod prod;

use std::collections::BTreeSet;

use super::network::NetworkAt;
use super::role::{RoleAt, network};
use super::walk::{Section, Span, Walk, and};
use crate::inventory::{Image, ImageId, TypeName};
use crate::policy::did_you_mean;
use crate::topology::{
    Carrier, Engine, Environment, EnvironmentName, EnvironmentPart, Kind, NetworkName, Zones,
};

pub(super) const KEYS: [&str; 16] = [
    "kind",
    "network",
    "image",
    "instance",
    "instance-profile",
    "engine",
    "version",
    "class",
    "storage",
    "snapshots",
    "listen",
    "certificate",
    "port",
    "health",
    "min",
    "max",
];

/// An environment, and where its parts are.
pub(super) struct EnvironmentAt {
    pub(super) environment: Environment,
    pub(super) name_at: Span,
}

/// Reads one environment; none when something that it cannot be without is wrong.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    name: &EnvironmentName,
    section: &Section<'t, '_>,
    networks: &BTreeSet<NetworkName>,
) -> Option<EnvironmentAt> {
    let kind = kind(walk, name, section);
    let network = network(walk, section, networks);
    let image = image(walk, section, kind.as_ref());
    let instance = size(walk, section, "instance", Environment::INSTANCE, false);
    let profile = profile(walk, section);
    let engine = match section.get("engine") {
        None => Some(Engine::Postgres),
        Some(_) => section.parsed::<Engine>(walk, "engine", "engine = \"postgres\""),
    };
    let version = version(walk, section, engine);
    let class_of_kind = kind.as_ref().map_or(Environment::CLASS, Kind::class);
    let class = size(walk, section, "class", class_of_kind, true);
    let storage = storage(walk, section);
    let snapshots = snapshots(walk, section);
    let environment = Environment {
        name: name.clone(),
        network: network?,
        kind: kind?,
        image: image?,
        instance: instance?,
        profile: profile?,
        engine: engine?,
        version: version?,
        class: class?,
        storage: storage?,
        snapshots: snapshots?,
    };
    Some(EnvironmentAt { environment, name_at: section.at.clone() })
}

fn kind<'t>(walk: &mut Walk<'t>, name: &EnvironmentName, section: &Section<'t, '_>) -> Option<Kind> {
    const LIKE: &str = "kind = \"dev\"";
    if section.get("kind").is_none() {
        walk.missing(&section.at, format!("{} needs `kind`", section.name), Some(format!("add `{LIKE}`")));
        return None;
    }
    match section.text(walk, "kind", LIKE)? {
        "dev" => prod::absent(walk, section),
        "prod" => prod::read(walk, name, section),
        other => {
            let what = format!("`{other}` is not a kind of environment (`dev` or `prod`)");
            walk.error(&section.value_at("kind"), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

/// The image. That of an instance which has to answer health checks has no default: Amazon Linux 2023 answers none, and an Auto
/// Scaling group would replace its instances again and again.
fn image<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, kind: Option<&Kind>) -> Option<Image> {
    const LIKE: &str = "image = \"ami-0a1b2c3d4e5f60718\"";
    if section.get("image").is_none() && kind.is_some_and(|kind| kind.prod().is_some()) {
        let what =
            format!("{} needs `image`, because its instances have to answer health checks", section.name);
        walk.missing(&section.at, what, Some(format!("add `{LIKE}`")));
        return None;
    }
    if section.get("image").is_none() {
        return Some(Image::Parameter(Environment::IMAGE.into()));
    }
    let text = section.text(walk, "image", LIKE)?;
    // Names of parameters have up to 2,048 letters, digits and `.-_/` (Systems Manager API reference, `PutParameter`).
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte);
    if text.starts_with('/') && text.len() <= 2048 && text.bytes().all(allowed) {
        return Some(Image::Parameter(text.to_owned()));
    }
    match text.parse::<ImageId>() {
        Ok(id) => Some(Image::Id(id)),
        Err(_) => {
            let what = format!(
                "`{text}` is neither the ID of an image nor the name of a parameter of Systems Manager, which begins with `/`"
            );
            walk.error(&section.value_at("image"), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

/// An instance type or the class of a database.
fn size<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    default: &str,
    is_of_database: bool,
) -> Option<TypeName> {
    let like = format!("{key} = \"{default}\"");
    if section.get(key).is_none() {
        return default.parse().ok();
    }
    let name = section.parsed::<TypeName>(walk, key, &like)?;
    if name.is_of_database() == is_of_database {
        return Some(name);
    }
    let what = if is_of_database {
        format!("`{name}` is a type of instances, and classes of databases begin with `db.`")
    } else {
        format!("`{name}` is a class of databases, and not a type of instances")
    };
    walk.error(&section.value_at(key), what, Some(format!("write `{like}`")));
    None
}

/// The name of an instance profile: up to 128 letters, digits and `+=,.@-_` (IAM API reference, `CreateInstanceProfile`).
fn profile<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<Option<String>> {
    const LIKE: &str = "instance-profile = \"web\"";
    if section.get("instance-profile").is_none() {
        return Some(None);
    }
    let text = section.text(walk, "instance-profile", LIKE)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
        return Some(Some(text.to_owned()));
    }
    let what = format!("`{text}` is not the name of an instance profile");
    walk.error(&section.value_at("instance-profile"), what, Some(format!("write `{LIKE}`")));
    None
}

/// A major version: minor ones change by themselves.
fn version<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, engine: Option<Engine>) -> Option<String> {
    if section.get("version").is_none() {
        return engine.map(|engine| engine.version().to_owned());
    }
    let like = format!("version = \"{}\"", engine.unwrap_or(Engine::Postgres).version());
    let text = section.text(walk, "version", &like)?;
    let numbers: Vec<&str> = text.split('.').collect();
    let is_number =
        |text: &&str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    // MySQL's major versions have two numbers (RDS user guide, "MySQL on Amazon RDS versions").
    let counted = match engine? {
        Engine::Postgres => numbers.len() == 1,
        Engine::Mysql => numbers.len() == 2,
    };
    if counted && numbers.iter().all(is_number) {
        return Some(text.to_owned());
    }
    let what = format!("`{text}` is not a major version, and AWS chooses the minor one");
    walk.error(&section.value_at("version"), what, Some(format!("write `{like}`")));
    None
}

/// GiB of gp3: 20 to 65,536 (RDS user guide, "gp3 storage").
fn storage<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<u32> {
    const LIKE: &str = "storage = 20";
    let Some(value) = section.get("storage") else { return Some(Environment::STORAGE) };
    let number = section.number(walk, "storage", LIKE)?;
    match u32::try_from(number).ok().filter(|number| (20..=65_536).contains(number)) {
        Some(storage) => Some(storage),
        None => {
            let what = format!("a database has 20 to 65536 GiB of storage, and not {number}");
            walk.error(&value.span(), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

/// How many final snapshots are kept: the last one always, and no more than a Region may have by default (RDS user guide,
/// "Quotas in Amazon RDS").
fn snapshots<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<u32> {
    const LIKE: &str = "snapshots = 3";
    let Some(value) = section.get("snapshots") else { return Some(Environment::SNAPSHOTS) };
    let number = section.number(walk, "snapshots", LIKE)?;
    match u32::try_from(number).ok().filter(|number| (1..=100).contains(number)) {
        Some(snapshots) => Some(snapshots),
        None => {
            let what = format!("1 to 100 final snapshots of a database are kept, and not {number}");
            walk.error(&value.span(), what, Some(format!("write `{LIKE}`")));
            None
        }
    }
}

/// That environments fit into their networks, and that roles name parts of environments that exist.
pub(super) fn together(
    walk: &mut Walk<'_>,
    environments: &[EnvironmentAt],
    named: &BTreeSet<EnvironmentName>,
    networks: &[NetworkAt],
    roles: &[RoleAt],
) {
    for EnvironmentAt { environment, name_at } in environments {
        let network = networks.iter().find(|at| at.network.name == environment.network);
        let Some(network) = network.map(|at| &at.network) else { continue };
        let zones = match &network.zones {
            Zones::Count(count) => usize::from(*count),
            Zones::These(zones) => zones.len(),
        };
        if zones < 2 {
            let what = format!(
                "`[environment.{}]` has a database, which needs private subnets in two zones, and `[network.{}]` has {}",
                environment.name,
                network.name,
                match zones {
                    0 => "no subnets",
                    _ => "one zone",
                }
            );
            walk.error(name_at, what, Some(format!("write `zones = 2` in `[network.{}]`", network.name)));
        }
    }
    for RoleAt { role, name_at, .. } in roles {
        for carrier in &role.on {
            let Carrier::Environment(name, _) = carrier else { continue };
            if !named.contains(name) {
                let hint = match did_you_mean(name.as_str(), named.iter().map(EnvironmentName::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("add `[environment.{name}]`"),
                };
                let what = format!(
                    "`[role.{}]` is on `{carrier}`, and there is no `[environment.{name}]`",
                    role.name
                );
                walk.missing(name_at, what, Some(hint));
                continue;
            }
            let other = environments.iter().find(|at| at.environment.name == *name);
            if let (Carrier::Environment(_, EnvironmentPart::Balancer), Some(at)) = (carrier, other)
                && at.environment.kind.prod().is_none()
            {
                let what = format!(
                    "`[role.{}]` is on `{carrier}`, and `[environment.{name}]` is of the kind `dev`, which has no load balancer",
                    role.name
                );
                walk.error(name_at, what, Some(format!("write `environment:{name}/instance`")));
                continue;
            }
            let Some(other) = other.filter(|at| at.environment.network != role.network) else { continue };
            let what = format!(
                "`[role.{}]` is a role of the network {}, and the environment {name} is in {}",
                role.name, role.network, other.environment.network
            );
            walk.error(
                name_at,
                what,
                Some(format!(
                    "write `network = \"{}\"` in `[role.{}]`",
                    other.environment.network, role.name
                )),
            );
        }
    }
}

/// `dev/database` of `environment:dev/database`.
pub(super) fn part(text: &str) -> Result<(EnvironmentName, EnvironmentPart), String> {
    let words = EnvironmentPart::CARRIERS.map(EnvironmentPart::word);
    let not =
        || format!("`environment:{text}` is not a part of an environment (like `environment:dev/database`)");
    let (name, word) = text.split_once('/').ok_or_else(not)?;
    let part = EnvironmentPart::CARRIERS.into_iter().find(|part| part.word() == word);
    let part =
        part.ok_or_else(|| format!("an environment has no `{word}`; its parts are {}", and(&words)))?;
    let name = name.parse().map_err(|error: crate::name::NameError| error.to_string())?;
    Ok((name, part))
}
