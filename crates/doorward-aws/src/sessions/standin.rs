//! AWS played by a few lines: answers that a test gives, in the order of its calls, and what was asked.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use doorward_core::inventory::AccountRegion;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::account::Account;
use crate::configuration;
use crate::connection::Connection;

/// One request as it came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) head: String,
    pub(super) body: String,
}

impl Heard {
    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// A server that gives each of these answers once: a status, headers beside the usual, and a body.
pub(super) struct Standin {
    pub(super) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// `status`, more headers, body.
pub(super) type Answer = (u16, &'static str, String);

impl Standin {
    pub(super) async fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (answers, told): (Vec<Answer>, _) = (answers.into_iter().collect(), Arc::clone(&heard));
        tokio::spawn(async move {
            for answer in answers {
                let Ok((stream, _)) = listener.accept().await else { return };
                let request = serve(stream, answer).await;
                told.lock().unwrap_or_else(PoisonError::into_inner).extend(request);
            }
        });
        Self { url, heard }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An account of eu-west-1 whose every service is here.
    pub(super) fn account(&self) -> Account {
        let credentials = Credentials::new("AKIDTEST", "secret", Some("token".to_owned()), None, "test");
        let config = SdkConfig::builder()
            .endpoint_url(&self.url)
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .behavior_version(aws_config::BehaviorVersion::latest())
            .identity_cache(aws_config::identity::IdentityCache::lazy().build())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .time_source(aws_smithy_async::time::SystemTimeSource::new())
            .build();
        let account_region =
            AccountRegion { profile: None, region: Some("eu-west-1".to_owned()), account: None };
        let client = configuration::client();
        let connection = Connection::of("eu-west-1".to_owned(), config, client, self.url.clone());
        Account::of(account_region, connection)
    }
}

async fn serve(mut stream: TcpStream, (status, headers, body): Answer) -> Option<Heard> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let heard = loop {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        request.extend_from_slice(buffer.get(..count)?);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let heard = Heard { head: head.to_owned(), body: body.to_owned() };
        let length = heard.header("content-length").and_then(|length| length.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            break heard;
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} x\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()?;
    Some(heard)
}
