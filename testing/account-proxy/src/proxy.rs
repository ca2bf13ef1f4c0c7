//! The server: reads calls, answers them one at a time, and ends connections without an answer where a fault says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::answer::{Answer, Refusal};
use crate::behaviour;
use crate::call::Call;
use crate::clock::Clock;
use crate::control;
use crate::faults::{self, Faults, Kind};
use crate::moto::Moto;
use crate::settings::Settings;

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    /// Its address, as that of all of AWS.
    pub url: String,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens at an address, in front of a moto server.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn start(listen: &str, moto: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let world = World::new(Moto::new(moto));
        let task = tokio::spawn(serve(listener, Arc::new(Mutex::new(world))));
        Ok(Self { url, task })
    }

    /// Ends it.
    pub fn stop(self) {
        self.task.abort();
    }
}

/// A call as a test sees it afterwards.
#[derive(Debug, Serialize)]
pub(crate) struct Seen {
    /// The name that it is signed for.
    service: &'static str,
    action: String,
    status: u16,
    code: Option<String>,
    /// The fault that met it.
    fault: Option<String>,
}

/// All accounts and Regions, and what the test set.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) calls: Vec<Seen>,
    pub(crate) accounts: BTreeMap<String, Account>,
    moto: Moto,
}

/// Why a connection ends without an answer: a fault says so.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost")
    }
}

impl std::error::Error for Lost {}

impl World {
    fn new(moto: Moto) -> Self {
        Self {
            clock: Clock::new(Timestamp::now(), 0),
            settings: Settings::default(),
            faults: Faults::default(),
            calls: Vec::new(),
            accounts: BTreeMap::new(),
            moto,
        }
    }

    async fn answer(&mut self, mut call: Call) -> Result<Answer, Lost> {
        let fault = self.faults.next(&call);
        let answer = match fault {
            Some(Kind::Fail) => faults::failure(&call).answer(&call),
            Some(Kind::Throttle) => faults::throttled(&call).answer(&call),
            Some(Kind::Drop) => Answer { status: 0, ..faults::failure(&call).answer(&call) },
            None | Some(Kind::Lose | Kind::FailAfter) => self.perform(&mut call).await,
        };
        self.calls.push(Seen {
            service: call.service.name_and_version().0,
            action: call.action.clone(),
            status: answer.status,
            code: answer.code(),
            fault: fault.map(|kind| format!("{kind:?}")),
        });
        match fault {
            Some(Kind::Drop | Kind::Lose) => Err(Lost),
            Some(Kind::FailAfter) => Ok(faults::failure(&call).answer(&call)),
            _ => Ok(answer),
        }
    }

    async fn perform(&mut self, call: &mut Call) -> Answer {
        self.clock.tick();
        let now = self.clock.now();
        let account = self
            .accounts
            .entry(call.region.clone())
            .or_insert_with(|| Account::new(&call.region, self.moto.clone(), now));
        std::mem::swap(&mut account.settings, &mut self.settings);
        account.settle(now).await;
        let answer = behaviour::answer(account, &self.moto, call).await;
        std::mem::swap(&mut account.settings, &mut self.settings);
        answer.unwrap_or_else(|refused: Refusal| refused.answer(call))
    }
}

async fn serve(listener: TcpListener, world: Arc<Mutex<World>>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let service = service_fn(|request| respond(Arc::clone(&world), request));
            // A connection that breaks, or that a fault ends, concerns nobody else.
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
        });
    }
}

async fn respond(
    world: Arc<Mutex<World>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Lost> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    if let Some(what) = head.uri.path().strip_prefix(control::PREFIX) {
        let (status, value) = control::answer(&mut *world.lock().await, head.method.as_str(), what, &body);
        return Ok(written(status, "application/json", Bytes::from(value.to_string())));
    }
    // A call is performed to its end although its client was killed, as AWS does: cut in the middle, moto would know of it and
    // the proxy would not.
    let performed = tokio::spawn(async move { world.lock().await.answer(Call::read(head, body)).await });
    let answer = performed.await.map_err(|_| Lost)??;
    let mut response = written(answer.status, &answer.kind, answer.bytes());
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

fn written(status: u16, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
