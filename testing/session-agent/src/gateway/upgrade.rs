//! The request that becomes a websocket: signed as it must be, and for what.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_tungstenite::tungstenite::handshake::server::Request;

use crate::endpoint;
use crate::percent::pairs;
use crate::session::Session;
use crate::sigv4;
use crate::stand::{Caller, World};

/// Where an upgrade leads.
pub(super) enum Upgraded {
    Channel(Arc<Session>),
    Tunnel(endpoint::Asked),
}

/// Whether an upgrade is signed as it must be, and where it leads. The error is a status and why.
pub(super) fn upgrade(world: &World, request: &Request) -> Result<Upgraded, (u16, String)> {
    let path = request.uri().path();
    let query = request.uri().query().unwrap_or_default();
    if path == "/openTunnel" {
        return endpoint::asked(world, request).map(Upgraded::Tunnel);
    }
    let session = path
        .strip_prefix("/v1/data-channel/")
        .and_then(|id| world.session(id))
        .filter(|session| !session.is_over())
        .ok_or((404, "no such session".to_owned()))?;
    let role = pairs(query).into_iter().find(|(name, _)| name == "role");
    if role.is_none_or(|(_, role)| role != "publish_subscribe") {
        world.record.violation(&session.id, "the upgrade's role is not publish_subscribe");
        return Err((400, "role".into()));
    }
    let caller = signed(world, request, "ssmmessages", &session.id)?;
    let over = caller.iter().flat_map(|it| &it.claim.signed).find(|name| name.starts_with("sec-websocket-"));
    if let Some(name) = over {
        world.record.violation(&session.id, format!("the upgrade signs `{name}`"));
    }
    let who = caller.map_or_else(|| world.anybody(), |it| it.credential);
    let resource =
        format!("arn:aws:ssm:{}:{}:session/{}", world.settings.region, world.settings.account, session.id);
    if !world.may(&who, "ssmmessages", "OpenDataChannel", &[resource]) {
        return Err((
            403,
            "AccessDeniedException: not authorized to perform ssmmessages:OpenDataChannel".into(),
        ));
    }
    Ok(Upgraded::Channel(session))
}

/// Verifies an upgrade; an unsigned one passes where signatures are not required.
pub(crate) fn signed(
    world: &World,
    request: &Request,
    service: &str,
    session: &str,
) -> Result<Option<Caller>, (u16, String)> {
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let request = sigv4::Request {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: &headers,
        body: b"",
    };
    world.verify(&request, Some(service), Timestamp::now()).map_err(|refused| {
        if let (_, true) = refused.code() {
            world.record.violation(session, format!("the upgrade is refused: {refused}"));
        }
        (403, refused.to_string())
    })
}
