//! The calls of AWS that sessions need, to the stand, which is told not to ask for signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward_tunnel::dial::{Answer, Destination};
use doorward_tunnel::ssm::{DataKey, Opened, SessionError, Sessions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub const INSTANCE: &str = "i-0123456789abcdef0";

/// Which document sessions are of; none: a shell.
pub struct Calls {
    pub url: String,
    pub document: Option<&'static str>,
}

impl Calls {
    async fn call(&self, target: &str, body: Value) -> Result<Value, SessionError> {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut tcp = tokio::net::TcpStream::connect(host).await.unwrap();
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: {target}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.contains(" 200 ") {
            return Ok(serde_json::from_str(body).unwrap());
        }
        Err(SessionError::Refused { why: body.to_owned() })
    }

    fn opened(&self, answer: &Value) -> Result<Opened, SessionError> {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let opened = Opened { session: text("SessionId"), token: text("TokenValue"), url: text("StreamUrl") };
        if opened.token.is_empty() { Err(SessionError::TimedOut) } else { Ok(opened) }
    }
}

impl Sessions for Calls {
    fn start<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            let (host, port) = (to.host.to_string(), to.port.to_string());
            let body = match self.document {
                Some("AWS-StartPortForwardingSessionToRemoteHost") => json!({
                    "Target": INSTANCE, "DocumentName": self.document,
                    "Parameters": {"host": [host], "portNumber": [port], "localPortNumber": ["0"]},
                }),
                Some(document) => {
                    json!({"Target": INSTANCE, "DocumentName": document, "Parameters": {"portNumber": [port]}})
                }
                None => json!({"Target": INSTANCE}),
            };
            self.opened(&self.call("AmazonSSM.StartSession", body).await?)
        })
    }

    fn resume<'a>(&'a self, session: &'a str) -> Answer<'a, Result<Opened, SessionError>> {
        Box::pin(async move {
            self.opened(&self.call("AmazonSSM.ResumeSession", json!({"SessionId": session})).await?)
        })
    }

    fn terminate<'a>(&'a self, session: &'a str) -> Answer<'a, Result<(), SessionError>> {
        Box::pin(async move {
            self.call("AmazonSSM.TerminateSession", json!({"SessionId": session})).await.map(drop)
        })
    }

    fn is_there(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async move {
            let answer =
                self.call("AmazonSSM.GetConnectionStatus", json!({"Target": INSTANCE})).await.ok()?;
            Some(answer["Status"] == "connected")
        })
    }

    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>> {
        Box::pin(async move { Ok(http::Request::get(url).body(()).unwrap()) })
    }

    fn data_key<'a>(&'a self, session: &'a str, key: &'a str) -> Answer<'a, Result<DataKey, SessionError>> {
        Box::pin(async move {
            let context = json!({"aws:ssm:SessionId": session, "aws:ssm:TargetId": INSTANCE});
            let body = json!({"KeyId": key, "NumberOfBytes": 64, "EncryptionContext": context});
            let answer = self.call("TrentService.GenerateDataKey", body).await?;
            let bytes = |name: &str| STANDARD.decode(answer[name].as_str().unwrap()).unwrap();
            Ok(DataKey { plaintext: bytes("Plaintext"), ciphertext: bytes("CiphertextBlob") })
        })
    }
}
