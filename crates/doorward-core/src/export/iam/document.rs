//! An IAM policy document, and several of them filled one after the other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LONGEST;

/// An IAM policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) effect: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) principal: BTreeMap<&'static str, String>,
    pub(super) action: Vec<&'static str>,
    /// Empty in what is attached to a role as its trust: that is for the role itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) condition: Conditions,
}

/// Keys with their values, by operator.
pub(super) type Conditions = BTreeMap<&'static str, BTreeMap<String, Values>>;

/// What a condition compares with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Values {
    /// `true` or `false`: a text, since tools that read policies take no list there.
    One(&'static str),
    /// One of these.
    OneOf(Vec<String>),
}

impl Statement {
    pub(super) fn allow(sid: impl Into<String>, action: Vec<&'static str>, resource: Vec<String>) -> Self {
        let (principal, condition) = (BTreeMap::new(), BTreeMap::new());
        Self { sid: sid.into(), effect: "Allow", principal, action, resource, condition }
    }

    /// The same, on a condition more; all of them must hold, and one of the values of each.
    pub(super) fn when<V: Into<String>>(
        mut self,
        operator: &'static str,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = Values::OneOf(values.into_iter().map(Into::into).collect());
        self.condition.entry(operator).or_default().insert(key.to_owned(), values);
        self
    }

    /// The same, where a key is true, or is not there at all.
    pub(super) fn if_true(mut self, key: &str) -> Self {
        self.condition.entry("BoolIfExists").or_default().insert(key.to_owned(), Values::One("true"));
        self
    }
}

/// Documents that are filled one after the other.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) documents: Vec<Document>,
}

impl Pages {
    pub(super) fn add(&mut self, statement: Statement) {
        if let Some(last) = self.documents.last_mut() {
            last.statement.push(statement.clone());
            if last.size() <= LONGEST {
                return;
            }
            last.statement.pop();
        }
        self.documents.push(Document::of(statement));
    }

    /// Adds a statement for these resources: once, or as often as it takes for each to fit a page.
    pub(super) fn add_each(&mut self, empty: &Statement, resources: impl Iterator<Item = String>) {
        let mut filled = empty.clone();
        for resource in resources {
            let mut more = filled.clone();
            more.resource.push(resource.clone());
            if Document::of(more.clone()).size() > LONGEST {
                self.add(filled);
                more = empty.clone();
                more.resource.push(resource);
            }
            filled = more;
        }
        if filled.resource.len() > empty.resource.len() {
            self.add(filled);
        }
    }
}

impl Document {
    pub(super) fn of(statement: Statement) -> Self {
        Self { version: "2012-10-17", statement: vec![statement] }
    }

    pub(super) fn add(&mut self, statement: Statement) {
        self.statement.push(statement);
    }

    /// Its characters, as IAM counts them.
    pub fn size(&self) -> usize {
        // Serialising strings and maps of strings cannot fail; if it did, the document would be too long.
        serde_json::to_string(self).map_or(usize::MAX, |json| json.len())
    }
}
