//! What is not played here goes to moto as it came.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Form, failure, written};
use crate::stand::World;

/// Passes a request on, and its answer back.
pub(super) async fn pass(world: &World, parts: &Parts, body: &[u8]) -> Response<Body> {
    let Some(moto) = &world.settings.moto else {
        let message = format!("nobody plays {} {}", parts.method, parts.uri);
        return written(Form::Json, Err(failure("UnknownOperationException", message)), "");
    };
    match exchange(moto, parts, body).await {
        Ok(answer) => read(&answer).unwrap_or_else(|| bad("moto's answer cannot be read")),
        Err(error) => bad(&format!("moto at {moto}: {error}")),
    }
}

fn bad(why: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(why.to_owned()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

async fn exchange(moto: &str, parts: &Parts, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let address = moto.trim_start_matches("http://").trim_end_matches('/');
    let mut tcp = TcpStream::connect(address).await?;
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut head = format!("{} {path} HTTP/1.1\r\n", parts.method).into_bytes();
    for (name, value) in &parts.headers {
        if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding" | "expect") {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    head.extend_from_slice(format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
    tcp.write_all(&head).await?;
    tcp.write_all(body).await?;
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read(answer: &[u8]) -> Option<Response<Body>> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end + 4)?;
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" | "content-length" => {}
            _ => {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                response.headers_mut().append(name, HeaderValue::from_str(value).ok()?);
            }
        }
    }
    let body = if chunked { joined(rest)? } else { rest.to_vec() };
    *response.body_mut() = Body::from(body);
    Some(response)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_with_and_without_chunks() {
        async fn check(answer: &str, status: u16, expected: &str) {
            let response = read(answer.as_bytes()).unwrap();
            assert_eq!(response.status().as_u16(), status);
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(body, expected.as_bytes());
        }
        check("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\nhello", 200, "hello").await;
        check(
            "HTTP/1.0 404 NO\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;x\r\n!\r\n0\r\n\r\n",
            404,
            "hello!",
        )
        .await;
        assert!(read(b"nothing").is_none());
    }
}
