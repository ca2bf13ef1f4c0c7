//! Shells and commands.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use session_agent::message::payload;
use session_agent::{AgentSettings, What};
use tokio::time::timeout;

use crate::client::{Client, Manner, open, open_as};
use crate::ports::stand;

const SHELL: &str = "SSM-SessionManagerRunShell";

async fn types(client: &Client, text: &'static str) {
    client.say.send((payload::OUTPUT, Bytes::from_static(text.as_bytes()))).await.unwrap();
}

/// Reads until the terminal shows this; the answer is all that it showed.
async fn shows(client: &mut Client, expected: &str) -> String {
    let mut shown = String::new();
    while !shown.contains(expected) {
        let heard = timeout(Duration::from_secs(30), client.hear.recv()).await;
        let (_, bytes) = heard.unwrap_or_else(|_| panic!("`{shown}` and no `{expected}`")).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes));
    }
    shown
}

#[tokio::test]
async fn a_shell_has_a_terminal_with_a_size_signals_and_an_end() {
    let stand = stand(AgentSettings::default()).await;
    let mut client = open(&stand, SHELL, json!({})).await;
    let size = Bytes::from(json!({"cols": 132, "rows": 43}).to_string());
    client.say.send((payload::SIZE, size)).await.unwrap();
    types(&client, "tty && stty size\r").await;
    assert!(shows(&mut client, "43 132").await.contains("/dev/pts/"));
    types(&client, "sh -c \"echo be''gun; exec sleep 60\"\r").await;
    shows(&mut client, "begun").await;
    types(&client, "\x03").await;
    types(&client, "echo $((6 * 7))\r").await;
    shows(&mut client, "42\r\n").await;
    types(&client, "exit 7\r").await;
    let mut last = None;
    while let Some(heard) = client.hear.recv().await {
        last = Some(heard);
    }
    assert_eq!(last.unwrap(), (payload::EXIT_CODE, Bytes::from_static(b"7")));
    assert_eq!(client.closed.await.unwrap(), "the shell exited");
    assert!(stand.events().iter().any(|it| it.what == What::Resized { columns: 132, rows: 43 }));
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn a_command_with_pipes_tells_its_outputs_apart() {
    let stand = stand(AgentSettings::default()).await;
    let command = json!({"command": ["echo out; echo err >&2; exit 3"]});
    let mut client = open(&stand, "AWS-StartNonInteractiveCommand", command).await;
    let mut heard = Vec::new();
    while let Some(it) = client.hear.recv().await {
        heard.push(it);
    }
    heard.sort();
    let expected = [(payload::OUTPUT, "out\n"), (payload::STDERR, "err\n"), (payload::EXIT_CODE, "3")];
    assert_eq!(heard, expected.map(|(kind, text)| (kind, Bytes::from_static(text.as_bytes()))));
    assert_eq!(stand.violations(), []);
}

#[tokio::test]
async fn an_encrypted_shell_proves_its_keys_first() {
    let settings = AgentSettings { kms_key: Some("alias/sessions".into()), ..AgentSettings::default() };
    let stand = stand(settings).await;
    let manner = Manner { encrypts: true, ..Manner::default() };
    let mut client = open_as(&stand, manner, SHELL, json!({})).await;
    types(&client, "echo $((6 * 7))\r").await;
    shows(&mut client, "42\r\n").await;
    assert_eq!(stand.violations(), []);
}
