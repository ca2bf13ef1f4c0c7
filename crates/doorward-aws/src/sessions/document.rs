//! Session documents of our own: put in place, compared, taken away.

use std::time::Duration;

use serde_json::Value;

use crate::account::Account;
use crate::error::Error;
use crate::operation::document::{
    CreateDocument, DeleteDocument, DescribeDocument, GetDocument, UpdateDocument,
    UpdateDocumentDefaultVersion,
};

/// A session document as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which version sessions are opened with.
    pub version: Option<String>,
    /// Its text, in JSON.
    pub content: String,
}

impl Document {
    /// Whether it says the same, however it is spaced and ordered.
    pub fn says(&self, content: &str) -> bool {
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        let ours = read(content);
        ours.is_some() && ours == read(&self.content)
    }
}

/// What putting a document in place took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there.
    Created,
    /// It said something else.
    Updated,
    /// It said the same.
    Unchanged,
}

/// What lies between looks at a new version that AWS has not made yet, and how many there are.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(500);

impl Account {
    /// A session document; none where there is none of that name, or one of another type.
    pub async fn document(&self, name: &str) -> Result<Option<Document>, Error> {
        match self.0.connection.call(&GetDocument { name: name.to_owned() }).await {
            Ok(shape) if shape.kind.as_deref().is_none_or(|kind| kind == "Session") => {
                Ok(shape.content.map(|content| Document { version: shape.version, content }))
            }
            Ok(_) => Ok(None),
            Err(failure) if failure.is(&["InvalidDocument"]) => Ok(None),
            Err(failure) => Err(self.error_of::<GetDocument>(failure)),
        }
    }

    /// Makes sessions of this name be opened with this text from now on.
    pub async fn put_document(&self, name: &str, content: &str) -> Result<Put, Error> {
        match self.document(name).await? {
            Some(there) if there.says(content) => return Ok(Put::Unchanged),
            Some(_) => {}
            None => {
                let create = CreateDocument { name: name.to_owned(), content: content.to_owned() };
                self.ask(&create).await?;
                self.made(name).await?;
                return Ok(Put::Created);
            }
        }
        let update = UpdateDocument { name: name.to_owned(), content: content.to_owned() };
        let answer = self.ask(&update).await?;
        let version = answer.document.version;
        let version =
            version.ok_or_else(|| self.unreadable::<UpdateDocument>("the response has no version"))?;
        self.ask(&UpdateDocumentDefaultVersion { name: name.to_owned(), version }).await?;
        Ok(Put::Updated)
    }

    /// Takes a document away; one that is not there is no error.
    pub async fn delete_document(&self, name: &str) -> Result<(), Error> {
        match self.0.connection.call(&DeleteDocument { name: name.to_owned() }).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["InvalidDocument"]) => Ok(()),
            Err(failure) => Err(self.error_of::<DeleteDocument>(failure)),
        }
    }

    /// Waits until a new document can be used.
    async fn made(&self, name: &str) -> Result<(), Error> {
        for _ in 0..LOOKS {
            let document = self.ask(&DescribeDocument { name: name.to_owned() }).await?.document;
            match document.status.as_deref() {
                Some("Creating" | "Updating") => tokio::time::sleep(BETWEEN).await,
                Some("Failed") => {
                    let why = document.why.unwrap_or_else(|| "AWS gave no details".to_owned());
                    return Err(
                        self.unreadable::<CreateDocument>(&format!("`{name}` was not created: {why}"))
                    );
                }
                _ => return Ok(()),
            }
        }
        Err(self.unreadable::<CreateDocument>(&format!("`{name}` is still being created")))
    }
}
