//! `ec2:GetManagedPrefixListEntries`: the entries of one prefix list.

use doorward_core::inventory::PrefixListId;

use super::describe::shape;
use super::{Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all entries of a list. The answer does not say which list it is about.
#[derive(Debug, Clone)]
pub(crate) struct GetManagedPrefixListEntries {
    pub(crate) list: PrefixListId,
    pub(crate) token: Option<String>,
}

impl Operation for GetManagedPrefixListEntries {
    const NAME: &'static str = "GetManagedPrefixListEntries";
    const SERVICE: Service = Service::Ec2;
    type Answer = EntriesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("PrefixListId", self.list.as_str());
        form.page(100, self.token.as_deref());
        Body::Form(form)
    }
}

impl Paged for GetManagedPrefixListEntries {
    type Item = EntryShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: EntriesAnswer) -> (Vec<EntryShape>, Option<String>) {
        (answer.entries.0, answer.next)
    }
}

shape! {
    /// `Entries`, `entrySet`
    EntriesAnswer {
        entries: List<EntryShape> = "Entries" | "entrySet",
        next: Option<String> = "NextToken" | "nextToken",
    }
}

shape! {
    /// One entry.
    EntryShape {
        cidr: Option<String> = "Cidr" | "cidr",
    }
}
