//! The sections that a policy has once: `[people]`, `[aws]`, `[server]`, `[audit]`, `[grants]`, `[inventory]`.

use std::net::{IpAddr, SocketAddr};

use toml::de::DeValue;

use super::regions::REGIONS;
use super::walk::{Section, Walk};
use super::{FilesAt, FolderAt, GroupAt, proxies, url};
use crate::inventory::AccountRegion;
use crate::net::{Cidr, Special, special, special_prefix};
use crate::policy::mistake::{Spot, did_you_mean};
use crate::policy::{
    Audit, GrantDefaults, Group, LEAST_LENGTH, Limits, PeopleFiles, Server, Sessions, Tls, duration, in_words,
};

/// `[people]`: what it says, and where it names the files.
pub(super) fn people<'t>(
    walk: &mut Walk<'t>,
    root: &Section<'t, '_>,
    groups: &mut Vec<GroupAt>,
) -> (Option<PeopleFiles>, Option<FilesAt>) {
    const LIKE: &str = "passwords = \"people.htpasswd\"";
    const GROUPS_LIKE: &str = "groups = \"people.groups\"";
    let Some(value) = root.get("people") else {
        let hint = format!("add `[people]`, with `{LIKE}` and `{GROUPS_LIKE}`");
        walk.missing(&(0..0), "the policy has no `[people]`", Some(hint));
        return (None, None);
    };
    let keys = ["passwords", "groups", "operators", "least-length"];
    let Some(section) = walk.section("`[people]`", root.key_at("people"), value, &keys) else {
        return (None, None);
    };
    let passwords =
        section.need(walk, "passwords", LIKE).and_then(|_| path(walk, &section, "passwords", LIKE));
    let files =
        section.need(walk, "groups", GROUPS_LIKE).and_then(|_| path(walk, &section, "groups", GROUPS_LIKE));
    let operators = section.list::<Group>(walk, "operators", "operators = [\"ops\"]").unwrap_or_default();
    for (group, span) in &operators {
        let at = walk.spot(span);
        groups.push(GroupAt { group: group.clone(), at, lets: "operate Doorward".into() });
    }
    let least_length = least_length(walk, &section);
    let (Some((passwords, passwords_at)), Some((groups, groups_at))) = (passwords, files) else {
        return (None, None);
    };
    if passwords == groups {
        let what = "`passwords` and `groups` are the same file";
        walk.error(&section.value_at("groups"), what, Some(format!("write `{GROUPS_LIKE}`")));
    }
    let at = FilesAt {
        passwords: passwords.clone(),
        passwords_at,
        groups: groups.clone(),
        groups_at,
        least_length,
    };
    let operators = operators.into_iter().map(|(group, _)| group).collect();
    (Some(PeopleFiles { passwords, groups, operators, least_length }), Some(at))
}

/// `least-length`: bcrypt, by which passwords are hashed, looks at no more than 72 bytes.
fn least_length<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> usize {
    const LIKE: &str = "least-length = 12";
    let Some(given) = section.number(walk, "least-length", LIKE) else { return LEAST_LENGTH };
    match usize::try_from(given) {
        Ok(length @ 1..=64) => length,
        _ => {
            let what = format!("`least-length` must be from 1 to 64 characters, and is {given}");
            walk.error(&section.value_at("least-length"), what, Some(format!("write `{LIKE}`")));
            LEAST_LENGTH
        }
    }
}

fn path<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, key: &str, like: &str) -> Option<(String, Spot)> {
    let path = section.plain(walk, key, like)?;
    Some((path.to_owned(), walk.spot(&section.value_at(key))))
}

/// `[aws]`: the profile and the Region of security groups that do not say their own.
pub(super) fn aws<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> AccountRegion {
    let Some(value) = root.get("aws") else { return AccountRegion::default() };
    let Some(section) = walk.section("`[aws]`", root.key_at("aws"), value, &["region", "profile"]) else {
        return AccountRegion::default();
    };
    account_region(walk, &section, AccountRegion::default())
}

/// `region` and `profile` of a section, else what holds outside of it.
pub(super) fn account_region<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    outside: AccountRegion,
) -> AccountRegion {
    const LIKE: &str = "region = \"eu-west-1\"";
    let region = section.plain(walk, "region", LIKE).map(str::to_owned);
    if let Some(region) = region.as_deref().filter(|region| !is_region(region)) {
        let what = format!("`{region}` is not the name of a Region");
        walk.error(&section.value_at("region"), what, Some(format!("write it as AWS does: `{LIKE}`")));
    } else if let Some(region) = region.as_deref().filter(|region| !REGIONS.contains(region)) {
        let what = format!("`{region}` is a Region that this version does not know");
        let meant = did_you_mean(region, REGIONS).map(|meant| format!("did you mean `{meant}`?"));
        let new = || "if AWS has added it since, this is right".to_owned();
        walk.warning(&section.value_at("region"), what, Some(meant.unwrap_or_else(new)));
    }
    let profile = section.plain(walk, "profile", "profile = \"prod\"").map(str::to_owned);
    AccountRegion { profile: profile.or(outside.profile), region: region.or(outside.region), account: None }
}

/// `eu-west-1`, `us-gov-east-1`, and what may come; not `eu-west-1a`, which is a zone.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().unwrap_or("");
    let words: Vec<&str> = parts.collect();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// `[server]`
pub(super) fn server<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Server {
    let mut server = Server {
        listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
        url: None,
        tls: None,
        proxies: Vec::new(),
        insecure: false,
        proxy_protocol: false,
        store: "doorward.db".into(),
        url_v4: None,
        url_v6: None,
        sessions: Sessions::default(),
    };
    let Some(value) = root.get("server") else { return server };
    let keys = [
        "listen",
        "url",
        "tls",
        "proxies",
        "proxy-protocol",
        "insecure",
        "store",
        "url-v4",
        "url-v6",
        "sessions",
    ];
    let Some(section) = walk.section("`[server]`", root.key_at("server"), value, &keys) else {
        return server;
    };
    if let Some(listen) = listen(walk, &section, "listen", "listen = \"127.0.0.1:8080\"") {
        server.listen = listen;
    }
    server.url = url::read(walk, &section, "url", "url = \"https://doorward.example.org\"");
    server.url_v4 = url::read(walk, &section, "url-v4", "url-v4 = \"https://v4.doorward.example.org\"");
    server.url_v6 = url::read(walk, &section, "url-v6", "url-v6 = \"https://v6.doorward.example.org\"");
    server.tls = tls(walk, &section);
    server.insecure = section.flag(walk, "insecure").unwrap_or(false);
    server.sessions = sessions(walk, &section);
    server.proxies = proxies::read(walk, &section);
    server.proxy_protocol = section.flag(walk, "proxy-protocol").unwrap_or(false);
    if server.proxy_protocol && server.proxies.is_empty() {
        let what = "`proxy-protocol` needs the addresses of the proxies whose headers are trusted";
        let hint = "name the addresses of the load balancer, or its subnets: `proxies = [\"10.0.0.0/24\"]`";
        walk.error(&section.key_at("proxy-protocol"), what, Some(hint.into()));
    }
    if let Some(store) = section.plain(walk, "store", "store = \"doorward.db\"") {
        match store.split_once("://") {
            Some((scheme, _)) if !matches!(scheme, "postgres" | "postgresql") => walk.error(
                &section.value_at("store"),
                format!("`{scheme}://` is not a store"),
                Some("write a path, which SQLite uses, or `postgres://…`".into()),
            ),
            scheme => {
                server.store = store.to_owned();
                if scheme.is_some_and(|(_, rest)| !is_verified(rest)) {
                    let what = "the connection to the store's database has no verified TLS, so a machine in between can read and alter it";
                    let hint = "add `?sslmode=verify-full` to the URL (and `&sslrootcert=FILE` for an authority of your own)";
                    walk.warning(&section.value_at("store"), what.to_owned(), Some(hint.to_owned()));
                }
            }
        }
    }
    in_clear(walk, &section, &server);
    server
}

/// Whether a connection to PostgreSQL stays on this machine or its server is verified, by what is behind the `://` of a URL.
fn is_verified(rest: &str) -> bool {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let host = place.split('/').next().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.split(']').next()).or(host.split(':').next());
    let parameter = |name: &str| {
        let mut all = parameters.split('&').filter_map(|one| one.split_once('='));
        all.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let host = parameter("host").or(host).unwrap_or_default();
    let is_socket = host.is_empty() || host.starts_with('/') || host.to_ascii_lowercase().starts_with("%2f");
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
    is_socket || is_loopback || matches!(parameter("sslmode"), Some("verify-full" | "verify-ca"))
}

/// Passwords and tokens cross a network only under TLS, unless the operator says that they may cross it in clear.
fn in_clear<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, server: &Server) {
    if server.insecure {
        return;
    }
    let beyond = !server.listen.ip().to_canonical().is_loopback();
    let has_proxies = section.get("proxies").is_some_and(|proxies| match proxies.get_ref() {
        DeValue::Array(proxies) => !proxies.is_empty(),
        _ => true,
    });
    if beyond && server.tls.is_none() && section.get("tls").is_none() && !has_proxies {
        let at = if section.get("listen").is_some() { section.value_at("listen") } else { 0..0 };
        let what = format!("passwords would cross the network to {} in clear text", server.listen);
        let hint = "add `tls`, or name the proxy that has TLS in `proxies`; if you accept the risk: `insecure = true`";
        walk.error(&at, what, Some(hint.into()));
    }
    for (key, url) in [("url", &server.url), ("url-v4", &server.url_v4), ("url-v6", &server.url_v6)] {
        let Some(url) = url else { continue };
        if url.starts_with("http://") && !url::is_loopback(url) {
            let what = format!("people would send their passwords to `{url}` in clear text");
            let hint = "write `https://…`; if you accept the risk: `insecure = true`";
            walk.error(&section.value_at(key), what, Some(hint.into()));
        }
    }
}

fn tls<'t>(walk: &mut Walk<'t>, server: &Section<'t, '_>) -> Option<Tls> {
    const CERTIFICATE: &str = "certificate = \"server.pem\"";
    const KEY: &str = "key = \"server.key\"";
    let at = server.key_at("tls");
    let section = walk.section("`tls`", at, server.get("tls")?, &["certificate", "key"])?;
    let certificate = section.need(walk, "certificate", CERTIFICATE);
    let key = section.need(walk, "key", KEY);
    let certificate = certificate.and_then(|_| section.plain(walk, "certificate", CERTIFICATE));
    let key = key.and_then(|_| section.plain(walk, "key", KEY));
    Some(Tls { certificate: certificate?.to_owned(), key: key?.to_owned() })
}

/// `sessions = { idle = "1h", at-most = "12h" }`
fn sessions<'t>(walk: &mut Walk<'t>, server: &Section<'t, '_>) -> Sessions {
    let mut sessions = Sessions::default();
    let Some(value) = server.get("sessions") else { return sessions };
    let at = server.key_at("sessions");
    let Some(section) = walk.section("`sessions`", at, value, &["idle", "at-most"]) else { return sessions };
    let length = |walk: &mut Walk<'t>, key: &str, like: &str| {
        let text = section.text(walk, key, like)?;
        match duration(text) {
            Ok(length) if length.is_positive() => Some(length),
            Ok(_) => {
                let what = format!("`{key}` is zero, so nobody could stay signed in");
                walk.error(&section.value_at(key), what, Some(format!("write `{like}`")));
                None
            }
            Err(error) => {
                walk.error(&section.value_at(key), error.to_string(), Some(format!("write `{like}`")));
                None
            }
        }
    };
    let idle = length(walk, "idle", "idle = \"1h\"");
    let at_most = length(walk, "at-most", "at-most = \"12h\"");
    sessions.at_most = at_most.unwrap_or(sessions.at_most);
    // Whoever shortens the whole life alone has shortened the part without use as well.
    sessions.idle = idle.unwrap_or(sessions.idle.min(sessions.at_most));
    if idle.is_some_and(|idle| idle > sessions.at_most) {
        let what = format!(
            "a session expires after {} in any case, so `idle` has no effect",
            in_words(sessions.at_most)
        );
        walk.warning(&section.value_at("idle"), what, Some("make `idle` shorter than `at-most`".into()));
    }
    sessions
}

/// An address and a port to listen on.
pub(super) fn listen<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
) -> Option<SocketAddr> {
    let text = section.text(walk, key, like)?;
    let Ok(listen) = text.parse::<SocketAddr>() else {
        let hint = match text.rsplit_once(':') {
            Some(("" | "*", port)) => format!("for every address write `{key} = \"0.0.0.0:{port}\"`"),
            Some(("localhost", port)) => format!("write `{key} = \"127.0.0.1:{port}\"`"),
            _ => format!("write `{like}`, or `[::1]:…` for IPv6"),
        };
        let what = format!("`{text}` is not an address and a port");
        walk.error(&section.value_at(key), what, Some(hint));
        return None;
    };
    Some(listen)
}

/// `[audit]`
pub(super) fn audit<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Audit {
    const KEY: &str = "key = \"/var/lib/doorward/audit.key\"";
    const HEAD: &str = "head = \"/var/lib/doorward/audit.head\"";
    let Some(value) = root.get("audit") else { return Audit::default() };
    let Some(section) = walk.section("`[audit]`", root.key_at("audit"), value, &["key", "head"]) else {
        return Audit::default();
    };
    let key = section.plain(walk, "key", KEY).map(str::to_owned);
    let head = section.plain(walk, "head", HEAD).map(str::to_owned);
    if key.is_some() && key == head {
        let what = "`key` and `head` are the same file";
        walk.error(&section.value_at("head"), what, Some(format!("write `{HEAD}`")));
    }
    Audit { key, head }
}

/// `[grants]`
pub(super) fn grants<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> GrantDefaults {
    let mut grants = GrantDefaults { ipv6_prefix: 128, reason_required: false, special_networks: Vec::new() };
    let Some(value) = root.get("grants") else { return grants };
    let keys = ["ipv6-prefix", "reason", "special-networks"];
    let Some(section) = walk.section("`[grants]`", root.key_at("grants"), value, &keys) else {
        return grants;
    };
    if let Some(bits) = section.number(walk, "ipv6-prefix", "ipv6-prefix = 64") {
        match u8::try_from(bits) {
            Ok(bits @ 48..=128) => grants.ipv6_prefix = bits,
            _ => walk.error(
                &section.value_at("ipv6-prefix"),
                format!("`ipv6-prefix` must be from 48 to 128 bits, and is {bits}"),
                Some("most households have a /64 or a /56: `ipv6-prefix = 64`".into()),
            ),
        }
    }
    if let Some(required) = reason(walk, &section) {
        grants.reason_required = required;
    }
    grants.special_networks = special_networks(walk, &section);
    grants
}

/// Networks that people come from although IANA sets them apart. Each is all of one kind, so that nothing is listed
/// by being beside something else.
fn special_networks<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Vec<Cidr> {
    const LIKE: &str = "special-networks = [\"10.0.0.0/8\"]";
    let listed = section.list::<Cidr>(walk, "special-networks", LIKE).unwrap_or_default();
    for (network, at) in &listed {
        let ordinary =
            || special(network.address()).is_none() && special(network.net().broadcast()).is_none();
        match special_prefix(*network) {
            Some(kind @ (Special::Documentation | Special::Benchmarking)) => {
                let what = format!(
                    "`{network}` is {kind}: it is for examples and tests, and no client has such an address"
                );
                walk.warning(at, what.replace("is an address", "holds addresses"), None);
            }
            Some(kind) if GrantDefaults::may_list(kind) => {}
            Some(kind) => {
                let what = format!(
                    "no client can have an address in `{network}`: `{}` is {kind}",
                    network.address()
                );
                walk.error(at, what, Some("remove it".into()));
            }
            None if !network.is_everyone() && ordinary() => {
                let what =
                    format!("`{network}` is not a special-purpose network, and is admitted without this");
                walk.warning(at, what, Some("remove it".into()));
            }
            None => {
                let what = format!("`{network}` is more than one special-purpose network");
                walk.error(at, what, Some(format!("list each of them separately, like `{LIKE}`")));
            }
        }
    }
    listed.into_iter().map(|(network, _)| network).collect()
}

/// `[limits]`: how many grants may be open or wait at once.
pub(super) fn limits<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Limits {
    let mut limits = Limits::default();
    let Some(value) = root.get("limits") else { return limits };
    let keys = ["per-person", "per-person-and-target", "per-target", "moves"];
    let Some(section) = walk.section("`[limits]`", root.key_at("limits"), value, &keys) else {
        return limits;
    };
    if let Some(most) = limit(walk, &section, "per-person", 1) {
        limits.per_person = most;
    }
    if let Some(most) = limit(walk, &section, "per-person-and-target", 1) {
        limits.per_person_and_target = most;
    }
    limits.per_target = limit(walk, &section, "per-target", 1);
    if let Some(most) = limit(walk, &section, "moves", 0) {
        limits.moves = most;
    }
    limits
}

/// A number of grants.
pub(super) fn limit<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    least: u32,
) -> Option<u32> {
    let number = section.number(walk, key, &format!("{key} = 10"))?;
    match u32::try_from(number) {
        Ok(number) if (least..=1_000_000).contains(&number) => Some(number),
        _ => {
            let what = format!("`{key}` must be from {least} to 1000000, and is {number}");
            walk.error(&section.value_at(key), what, Some(format!("write `{key} = 10`")));
            None
        }
    }
}

/// `reason = "required"` or `"optional"`.
pub(super) fn reason<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>) -> Option<bool> {
    const LIKE: &str = "reason = \"required\"";
    match section.text(walk, "reason", LIKE)? {
        "required" => Some(true),
        "optional" => Some(false),
        other => {
            let what = format!("`{other}` is not a value of `reason`");
            walk.error(
                &section.value_at("reason"),
                what,
                Some("write `\"required\"` or `\"optional\"`".into()),
            );
            None
        }
    }
}

/// `[inventory]`: the folder of a recorded account, as written.
pub(super) fn inventory<'t>(walk: &mut Walk<'t>, root: &Section<'t, '_>) -> Option<FolderAt> {
    const LIKE: &str = "folder = \"account\"";
    let value = root.get("inventory")?;
    let section = walk.section("`[inventory]`", root.key_at("inventory"), value, &["folder"])?;
    section.need(walk, "folder", LIKE)?;
    let folder = section.plain(walk, "folder", LIKE)?.to_owned();
    Some(FolderAt { folder, at: walk.spot(&section.value_at("folder")) })
}
