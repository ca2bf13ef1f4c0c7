//! moto's server, which has the account itself.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HOST, SERVER, TRANSFER_ENCODING,
};
use hyper::http::request::Builder;
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::answer::{Answer, Body, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::xml::Element;

/// Where it listens: `127.0.0.1:5000`.
#[derive(Debug, Clone)]
pub(crate) struct Moto {
    address: String,
}

impl Moto {
    /// By its URL.
    pub(crate) fn new(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").trim_end_matches('/').to_owned() }
    }

    /// Hands a call on; a form is written again from its parameters.
    pub(crate) async fn forward(&self, call: &Call) -> Result<Answer, Refusal> {
        let path = call.head.uri.path_and_query().map_or("/", |it| it.as_str());
        let mut request = Request::builder().method(&call.head.method).uri(path);
        for (name, value) in &call.head.headers {
            if ![CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT].contains(name) {
                request = request.header(name, value);
            }
        }
        let body =
            if call.is_form() { written(call.service, &call.action, &call.form) } else { call.body.clone() };
        self.exchange(request, body).await
    }

    /// Asks something itself, in a Region.
    pub(crate) async fn ask(
        &self,
        region: &str,
        service: Service,
        action: &str,
        form: &Form,
    ) -> Result<Element, Refusal> {
        let (name, _) = service.name_and_version();
        let scope = format!("test/20261129/{region}/{name}/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let request = Request::post("/")
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, authorization);
        let answer = self.exchange(request, written(service, action, form)).await?;
        let broken = || refusal("InternalError", format!("moto has no answer to {action}")).status(500);
        let root = answer.xml().ok_or_else(broken)?;
        if answer.is_success() {
            return Ok(root.clone());
        }
        let error = root.at("Errors/Error").or_else(|| root.at("Error")).ok_or_else(broken)?;
        Err(refusal(error.text_at("Code"), error.text_at("Message")).status(answer.status))
    }

    async fn exchange(&self, request: Builder, body: Bytes) -> Result<Answer, Refusal> {
        let unreachable = |why: String| refusal("ServiceUnavailable", format!("moto: {why}")).status(503);
        let request = request.header(CONNECTION, "close").body(Full::new(body));
        let request = request.map_err(|error| unreachable(error.to_string()))?;
        let exchanged = async {
            let tcp = TcpStream::connect(&self.address).await?;
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(tcp)).await.map_err(io::Error::other)?;
            // It ends with the answer; what breaks it is the error of the request.
            tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
            io::Result::Ok((head, body.collect().await.map_err(io::Error::other)?.to_bytes()))
        };
        let (head, body) = exchanged.await.map_err(|error| unreachable(error.to_string()))?;
        Ok(read(&head, body))
    }
}

fn written(service: Service, action: &str, form: &Form) -> Bytes {
    let mut all = form.clone();
    all.set("Action", action);
    all.set("Version", service.name_and_version().1);
    Bytes::from(all.written())
}

fn read(head: &Parts, body: Bytes) -> Answer {
    let (mut kind, mut headers) = (String::new(), Vec::new());
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match *name {
            CONTENT_TYPE => kind = value,
            CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING | DATE | SERVER => {}
            _ => headers.push((name.to_string(), value)),
        }
    }
    let tree = std::str::from_utf8(&body).ok().filter(|_| kind.contains("xml") || body.starts_with(b"<"));
    let body = match tree.and_then(Element::read) {
        Some(root) if root.name != "html" => Body::Xml(root),
        _ => Body::Bytes(body),
    };
    Answer { status: head.status.as_u16(), kind, headers, body }
}
