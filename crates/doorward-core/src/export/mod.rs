//! What other programs can take: the IAM policies that a policy needs, session documents, and what confines SSH.

pub mod iam;
mod network;
mod session_document;
mod sshd;

pub use network::{Configuration, Parts, Template, cloudformation, terraform};
pub use session_document::{NoDocument, SessionDocument, session_document};
pub use sshd::{SshdBlock, SshdOf, by_ssh, sshd_block};
