//! What AWS says when it says no: a code and a sentence, in one of three notations.

use std::fmt;

use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use doorward_core::text::shown;
use serde::Deserialize;

/// A refusal, or a failure of the service that it could still put into words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(Box<ErrorMetadata>);

impl Refusal {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self(Box::new(ErrorMetadata::builder().code(code).message(sentence(message)).build()))
    }

    /// Like `UnauthorizedOperation`.
    pub(crate) fn code(&self) -> &str {
        self.0.code().unwrap_or_default()
    }

    /// A sentence.
    pub(crate) fn message(&self) -> &str {
        self.0.message().unwrap_or_default()
    }

    /// Reads the body of an answer whose status says that it failed.
    ///
    /// `kind` is the header `x-amzn-errortype` of a service that speaks JSON.
    pub(crate) fn read(status: u16, kind: Option<&str>, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let (code, message) = from_xml(&text).or_else(|| from_json(&text, kind)).unwrap_or_default();
        if code.is_empty() {
            return Self::new(&format!("HTTP {status}"), "the response has no details");
        }
        Self::new(&code, &message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl std::error::Error for Refusal {}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// What a person can read of a message: EC2 appends a kilobyte in which the reason is encoded.
fn sentence(message: &str) -> String {
    let readable = message.split("Encoded authorization failure message").next().unwrap_or_default();
    shown(readable.trim()).into_owned()
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

/// EC2: `<Response><Errors><Error>…`; the other query services: `<ErrorResponse><Error>…`.
fn from_xml(text: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Errors {
        #[serde(rename = "Error")]
        error: Said,
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "Errors")]
        errors: Option<Errors>,
        #[serde(rename = "Error")]
        error: Option<Said>,
    }
    let body: Body = quick_xml::de::from_str(text).ok()?;
    let said = body.errors.map(|errors| errors.error).or(body.error)?;
    Some((said.code, said.message))
}

/// `{"__type": "com.amazonaws.x#AccessDeniedException", "message": "…"}`
fn from_json(text: &str, kind: Option<&str>) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type", alias = "code")]
        kind: Option<String>,
        #[serde(rename = "message", alias = "Message")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_str(text).ok()?;
    let kind = kind.map(str::to_owned).or(body.kind)?;
    let kind = kind.split(':').next().unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    Some((kind.to_owned(), body.message.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, kind: Option<&str>, body: &str, expected: &str) {
        assert_eq!(Refusal::read(status, kind, body.as_bytes()).to_string(), expected);
    }

    #[test]
    fn each_notation_is_read() {
        check(
            403,
            None,
            "<?xml version=\"1.0\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. Encoded authorization failure message: q1w2</Message></Error></Errors><RequestID>1</RequestID></Response>",
            "UnauthorizedOperation: You are not authorized to perform this operation.",
        );
        check(
            403,
            None,
            "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token is invalid</Message></Error><RequestId>1</RequestId></ErrorResponse>",
            "InvalidClientTokenId: The security token is invalid",
        );
        check(
            400,
            None,
            r#"{"__type":"com.amazonaws.servicequotas#AccessDeniedException","Message":"no"}"#,
            "AccessDeniedException: no",
        );
        check(
            400,
            Some("NoSuchResourceException:http://x/"),
            r#"{"message":"none"}"#,
            "NoSuchResourceException: none",
        );
    }

    #[test]
    fn a_failure_without_words_is_named_by_its_status() {
        check(502, None, "<html><body>Bad Gateway</body></html>", "HTTP 502: the response has no details");
        check(500, None, "", "HTTP 500: the response has no details");
    }
}
