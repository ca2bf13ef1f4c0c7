//! moto's server, which has the account itself.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
        let mut head = format!("{} {path} HTTP/1.1\r\n", call.head.method);
        for (name, value) in &call.head.headers {
            if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding" | "expect") {
                head.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
            }
        }
        let body =
            if call.is_form() { written(call.service, &call.action, &call.form) } else { call.body.clone() };
        self.exchange(head, &body).await
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
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\nauthorization: \
             AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n",
            self.address
        );
        let answer = self.exchange(head, &written(service, action, form)).await?;
        let broken = || refusal("InternalError", format!("moto has no answer to {action}")).status(500);
        let root = answer.xml().ok_or_else(broken)?;
        if answer.is_success() {
            return Ok(root.clone());
        }
        let error = root.at("Errors/Error").or_else(|| root.at("Error")).ok_or_else(broken)?;
        Err(refusal(error.text_at("Code"), error.text_at("Message")).status(answer.status))
    }

    async fn exchange(&self, mut head: String, body: &[u8]) -> Result<Answer, Refusal> {
        head.push_str(&format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()));
        let exchanged = async {
            let mut tcp = TcpStream::connect(&self.address).await?;
            tcp.write_all(head.as_bytes()).await?;
            tcp.write_all(body).await?;
            let mut answer = Vec::new();
            tcp.read_to_end(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let unreachable = |why: String| refusal("ServiceUnavailable", format!("moto: {why}")).status(503);
        let answer = exchanged.await.map_err(|error| unreachable(error.to_string()))?;
        read(&answer).ok_or_else(|| unreachable("its answer cannot be read".to_owned()))
    }
}

fn written(service: Service, action: &str, form: &Form) -> Bytes {
    let mut all = form.clone();
    all.set("Action", action);
    all.set("Version", service.name_and_version().1);
    Bytes::from(all.written())
}

fn read(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end + 4)?;
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut chunked, mut kind, mut headers) = (false, String::new(), Vec::new());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "content-type" => value.trim().clone_into(&mut kind),
            "connection" | "content-length" | "date" | "server" => {}
            other => headers.push((other.to_owned(), value.trim().to_owned())),
        }
    }
    let body = if chunked { joined(rest)? } else { rest.to_vec() };
    let tree = std::str::from_utf8(&body).ok().filter(|_| kind.contains("xml") || body.starts_with(b"<"));
    let body = match tree.and_then(Element::read) {
        Some(root) if root.name != "html" => Body::Xml(root),
        _ => Body::Bytes(Bytes::from(body)),
    };
    Some(Answer { status, kind, headers, body })
}

fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|it| it == b"\r\n")?;
        let (size, rest) = chunks.split_at_checked(end)?;
        let size = std::str::from_utf8(size).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let (chunk, after) = rest.get(2..)?.split_at_checked(size)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
        chunks = after.get(2..)?;
    }
}
