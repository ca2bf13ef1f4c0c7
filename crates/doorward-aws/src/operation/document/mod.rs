//! The calls of Session Manager's documents.

mod create;
mod delete;
mod describe;
mod get;
mod update;
mod update_default_version;

use serde::Deserialize;

pub(crate) use create::CreateDocument;
pub(crate) use delete::DeleteDocument;
pub(crate) use describe::DescribeDocument;
pub(crate) use get::GetDocument;
pub(crate) use update::UpdateDocument;
pub(crate) use update_default_version::UpdateDocumentDefaultVersion;

/// What is known of a document, without its text.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DescriptionShape {
    #[serde(rename = "DocumentVersion", default)]
    pub(crate) version: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "StatusInformation", default)]
    pub(crate) why: Option<String>,
}

/// `DocumentDescription`, `Document`
#[derive(Debug, Deserialize)]
pub(crate) struct DescribedAnswer {
    #[serde(rename = "DocumentDescription", alias = "Document")]
    pub(crate) document: DescriptionShape,
}
