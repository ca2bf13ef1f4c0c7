//! Session documents as the API keeps them; every other kind is for moto.

use serde_json::{Value, json};

use super::{Call, Failure, denied, failure, field};
use crate::documents::{Document, built_in};
use crate::stand::{World, lock};
use crate::uuid::hex;

/// The name that policies know a document by. What AWS owns has no account in its name.
pub(super) fn arn(world: &World, name: &str) -> String {
    let owner = if name.starts_with("AWS-") { "" } else { &world.settings.account };
    format!("arn:aws:ssm:{}:{owner}:document/{name}", world.settings.region)
}

/// What is played of documents; `None` is for moto.
pub(super) fn call(world: &World, call: &Call<'_>, body: &Value) -> Option<Result<Value, Failure>> {
    let has_moto = world.settings.moto.is_some();
    let name = body.get("Name").and_then(Value::as_str).unwrap_or_default();
    let ours = match call.operation {
        "CreateDocument" => body.get("DocumentType").and_then(Value::as_str) == Some("Session"),
        "GetDocument" | "DescribeDocument" | "DeleteDocument" => lock(&world.documents).contains_key(name),
        "ListDocuments" => lists_sessions(body),
        _ => return None,
    };
    if !ours && has_moto {
        return None;
    }
    if !world.may(&call.who, "ssm", call.operation, &[arn(world, name)]) {
        return Some(Err(denied(call, "ssm")));
    }
    Some(match call.operation {
        "CreateDocument" => create(world, body),
        "GetDocument" => get(world, body, true),
        "DescribeDocument" => get(world, body, false),
        "ListDocuments" => Ok(list(world)),
        _ => match lock(&world.documents).remove(name) {
            Some(_) => Ok(json!({})),
            None => Err(unknown(name)),
        },
    })
}

fn unknown(name: &str) -> Failure {
    failure("InvalidDocument", format!("Document with name {name} does not exist."))
}

/// Whether only session documents are asked for.
fn lists_sessions(body: &Value) -> bool {
    let filters = body.get("Filters").and_then(Value::as_array);
    filters.into_iter().flatten().any(|filter| {
        filter.get("Key").and_then(Value::as_str) == Some("DocumentType")
            && filter.get("Values") == Some(&json!(["Session"]))
    })
}

/// The account's own; AWS's are left out, as a filter by owner would.
fn list(world: &World) -> Value {
    let of_aws = built_in();
    let documents = lock(&world.documents);
    let own = documents.iter().filter(|(name, _)| !of_aws.contains_key(*name));
    json!({"DocumentIdentifiers": own.map(|(name, content)| described(world, name, content)).collect::<Vec<_>>()})
}

fn described(world: &World, name: &str, content: &str) -> Value {
    let document = Document::read(content).ok();
    json!({"Name": name, "Owner": world.settings.account, "Status": "Active", "DocumentVersion": "1",
           "LatestVersion": "1", "DefaultVersion": "1", "DocumentType": "Session", "DocumentFormat": "JSON",
           "SchemaVersion": "1.0", "HashType": "Sha256", "Description": document.map(|it| it.description),
           "Hash": hex(ring::digest::digest(&ring::digest::SHA256, content.as_bytes()).as_ref())})
}

fn create(world: &World, body: &Value) -> Result<Value, Failure> {
    let (name, content) = (field(body, "Name")?, field(body, "Content")?);
    if body.get("DocumentType").and_then(Value::as_str) != Some("Session") {
        return Err(failure("ValidationException", "only documents of the type Session are kept here"));
    }
    if body.get("DocumentFormat").and_then(Value::as_str).is_some_and(|it| it != "JSON") {
        return Err(failure("ValidationException", "only JSON is read here"));
    }
    if name.len() < 3 || !name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.".contains(&it)) {
        return Err(failure("ValidationException", format!("{name} is no name of a document")));
    }
    Document::read(content).map_err(|it| failure(it.code, it.message))?;
    let mut documents = lock(&world.documents);
    if documents.contains_key(name) {
        return Err(failure("DocumentAlreadyExists", format!("Document with name {name} already exists")));
    }
    documents.insert(name.to_owned(), content.to_owned());
    Ok(json!({"DocumentDescription": described(world, name, content)}))
}

fn get(world: &World, body: &Value, whole: bool) -> Result<Value, Failure> {
    let name = field(body, "Name")?;
    let documents = lock(&world.documents);
    let content = documents.get(name).ok_or_else(|| unknown(name))?;
    Ok(if whole {
        json!({"Name": name, "DocumentVersion": "1", "Status": "Active", "Content": content,
               "DocumentType": "Session", "DocumentFormat": "JSON"})
    } else {
        json!({"Document": described(world, name, content)})
    })
}
