//! The answer to a call: moto's, one of our own, or a refusal by AWS's code.

use bytes::Bytes;

use crate::call::{Call, Service};
use crate::xml::Element;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    /// The other headers of moto's answer.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Xml(Element),
    Bytes(Bytes),
}

impl Answer {
    /// An answer of a call, in the form of its service: `<CallResponse>`, and for all but EC2 `<CallResult>` in it.
    pub(crate) fn of(call: &Call, children: Vec<Element>) -> Self {
        let (name, version) = call.service.name_and_version();
        let mut root = Element::new(&format!("{}Response", call.action));
        let slash = if call.service == Service::Ec2 { "" } else { "/" };
        root.attributes = format!(" xmlns=\"http://{name}.amazonaws.com/doc/{version}{slash}\"");
        if call.service == Service::Ec2 {
            root.children = children;
            root.set("requestId", REQUEST);
        } else {
            root.put(Element::with(&format!("{}Result", call.action), children));
            root.put(Element::with("ResponseMetadata", vec![Element::with_text("RequestId", REQUEST)]));
        }
        Self { status: 200, kind: XML.to_owned(), headers: Vec::new(), body: Body::Xml(root) }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status < 300
    }

    /// Its tree, when it has one.
    pub(crate) fn xml(&self) -> Option<&Element> {
        match &self.body {
            Body::Xml(root) => Some(root),
            Body::Bytes(_) => None,
        }
    }

    /// AWS's code of an error.
    pub(crate) fn code(&self) -> Option<String> {
        let root = self.xml().filter(|_| !self.is_success())?;
        let error = root.at("Errors/Error").or_else(|| root.at("Error"))?;
        Some(error.text_at("Code").to_owned())
    }

    pub(crate) fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Xml(root) => Bytes::from(root.written()),
            Body::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// The request id of all answers of this proxy.
const REQUEST: &str = "00000000-0000-4000-8000-000000000000";
const XML: &str = "text/xml;charset=UTF-8";

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A refusal by AWS's code, with HTTP's status 400.
pub(crate) fn refusal(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { status: 400, code: code.to_owned(), message: message.into() }
}

impl Refusal {
    /// The same with another status.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// How the service of a call writes it.
    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let code = Element::with_text("Code", self.code.as_str());
        let message = Element::with_text("Message", self.message.as_str());
        let root = match call.service {
            Service::Ec2 => Element::with(
                "Response",
                vec![
                    Element::with("Errors", vec![Element::with("Error", vec![code, message])]),
                    Element::with_text("RequestID", REQUEST),
                ],
            ),
            Service::Lambda | Service::Containers | Service::Quotas | Service::Other => {
                let body = serde_json::json!({"__type": self.code, "message": self.message});
                let kind = "application/x-amz-json-1.1".to_owned();
                return Answer {
                    status: self.status,
                    kind,
                    headers: Vec::new(),
                    body: Body::Bytes(Bytes::from(body.to_string())),
                };
            }
            Service::Rds | Service::Balancing | Service::Scaling | Service::Caches => {
                let kind = Element::with_text("Type", "Sender");
                Element::with(
                    "ErrorResponse",
                    vec![
                        Element::with("Error", vec![kind, code, message]),
                        Element::with_text("RequestId", REQUEST),
                    ],
                )
            }
        };
        Answer { status: self.status, kind: XML.to_owned(), headers: Vec::new(), body: Body::Xml(root) }
    }
}
