//! What other programs can take: the IAM policies that a policy needs, and session documents.

pub mod iam;
mod session_document;

pub use session_document::{NoDocument, SessionDocument, session_document};
