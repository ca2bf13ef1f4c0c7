//! One file of a recording, walked through: where answers stand in it, and whose they are.
//!
//! An answer may be the whole file, one of several in it, or a part of what a collector wrote around it; and people keep
//! only the list of members. So each object is asked by its fields whether it is a member of an answer, and where it is
//! none, its fields are walked through.

use std::path::Path;
use std::sync::Arc;

use doorward_core::inventory::{AccountId, AccountRegion};
use serde_json::value::RawValue;

use super::keys::{self, Key, Read};
use super::passed_over::{self, Unread};
use super::piece::{Form, Lines, Names, fields, form, members, text};
use super::shapes::{About, Held, Pieces};
use super::{Gathered, Later, files, refusal, words};
use crate::reading::{Position, Source};

/// How deep answers are looked for, and how many wrappers may be around each other.
const DEEPEST: usize = 8;
const WRAPPED: usize = 8;

/// Keys under which collectors put a whole answer.
const WRAPPERS: [&str; 12] = [
    "answer", "body", "content", "data", "output", "payload", "response", "result", "results", "value",
    "items", "pages",
];

/// Texts that say whose an answer is: the nearest counts.
const OWNERS: [&str; 7] = [
    "DBProxyName",
    "ListenerArn",
    "LoadBalancerArn",
    "PrefixListId",
    "TargetGroupArn",
    "TransitGatewayRouteTableId",
    "VpcId",
];

pub(super) struct Walk<'r, 't> {
    recording: &'r mut Gathered,
    path: Arc<Path>,
    lines: Lines<'t>,
    /// The key of the call that the file is named for.
    named: Option<&'static Key>,
    /// Whether something of the file was read.
    pub(super) taken: bool,
    /// What in it is of a kind that is not read.
    pub(super) unread: Option<Unread>,
}

/// What stands around a piece.
#[derive(Clone)]
struct Around {
    account_region: AccountRegion,
    about: About,
    /// Whether only wrappers are around it, so that an empty list says that there is nothing.
    is_whole: bool,
    /// Whether its owner, or the file itself, is all that is around it.
    is_bare: bool,
    depth: usize,
    wrapped: usize,
}

impl Around {
    fn within(&self) -> Self {
        let depth = self.depth + 1;
        Self { about: self.about.around(), depth, is_bare: false, ..self.clone() }
    }

    /// Forgets whose the answers around this one are.
    fn disown(&mut self) {
        self.about.texts.retain(|text, _| !OWNERS.contains(&text.as_str()));
    }

    fn own(&mut self, key: &str, value: String) {
        self.disown();
        self.about.texts.insert(key.to_owned(), value);
    }
}

impl<'r, 't> Walk<'r, 't> {
    pub(super) fn of(recording: &'r mut Gathered, path: &Path, text: &'t str) -> Self {
        let named = refusal::named(path).and_then(keys::of_call);
        let (path, lines) = (Arc::from(path), Lines::of(text));
        Self { recording, path, lines, named, taken: false, unread: None }
    }

    /// Reads one document of the file.
    pub(super) fn document(&mut self, piece: &'t RawValue) {
        let about = About { path: Arc::clone(&self.path), texts: Default::default() };
        let account_region = files::account_region(&self.path);
        self.piece(
            piece,
            &Around { account_region, about, is_whole: true, is_bare: true, depth: 0, wrapped: 0 },
        );
    }

    fn piece(&mut self, piece: &'t RawValue, around: &Around) {
        match form(piece) {
            _ if around.depth > DEEPEST || around.wrapped > WRAPPED => {}
            Form::List => self.list(piece, around),
            Form::Object => {
                let names = Names::of(piece);
                match self.fitting(&names, around) {
                    Some(key) => {
                        let mut held = Vec::new();
                        self.member(key, piece, &names, around, &mut held);
                        self.hold_all(held, around);
                    }
                    None => self.object(piece, &names, around),
                }
            }
            Form::Text | Form::Other => {}
        }
    }

    /// What an object is that no key names.
    fn fitting(&self, names: &Names<'_>, around: &Around) -> Option<&'static Key> {
        let named = || self.named.filter(|key| around.is_bare && key.needs_id() && key.is_ours(names));
        let attribute = || {
            let owned =
                ["LoadBalancerArn", "TargetGroupArn"].iter().any(|key| around.about.text(key).is_some());
            let is_attribute = owned && around.is_bare && names.are_of(&["Key", "Value"]);
            is_attribute.then(|| keys::known("Attributes")).flatten()
        };
        keys::fitting(names).or_else(named).or_else(attribute)
    }

    fn list(&mut self, list: &'t RawValue, around: &Around) {
        let (mut held, mut is_empty, mut has_texts) = (Vec::new(), true, false);
        members(list, |member| {
            is_empty = false;
            match form(member) {
                Form::Object => {
                    let names = Names::of(member);
                    match self.fitting(&names, around) {
                        Some(key) => self.member(key, member, &names, around, &mut held),
                        None => self.object(member, &names, around),
                    }
                }
                Form::List => self.piece(member, &Around { depth: around.depth + 1, ..around.clone() }),
                Form::Text => has_texts = true,
                Form::Other => {}
            }
        });
        self.hold_all(held, around);
        if has_texts && is_of_clusters(list) {
            self.answer_under("clusterArns", list, around);
        } else if is_empty
            && around.is_whole
            && around.is_bare
            && let Some(key) = self.named
        {
            self.answer(key, list, around);
        }
    }

    /// Takes one member; one that makes sense only beside others is held.
    fn member(
        &mut self,
        key: &'static Key,
        piece: &'t RawValue,
        names: &Names<'_>,
        around: &Around,
        held: &mut Vec<(&'static Key, Pieces)>,
    ) {
        let at = self.lines.position(piece);
        match key.read {
            Read::Each(read) => {
                self.read(key, read, piece, at, around);
                let more = around.about.goes_on();
                self.note_answer(key, around, more);
            }
            Read::Together(_) => match held.iter_mut().find(|(own, _)| std::ptr::eq(*own, key)) {
                Some((_, members)) => members.push((piece.to_owned(), at)),
                None => held.push((key, vec![(piece.to_owned(), at)])),
            },
        }
        self.grouped(key, piece, names, around);
    }

    fn read(
        &mut self,
        key: &'static Key,
        read: fn(&mut crate::reading::Reader, &RawValue) -> Result<(), serde_json::Error>,
        piece: &RawValue,
        at: Position,
        around: &Around,
    ) {
        let reader = &mut self.recording.at(&around.account_region).reader;
        reader.source = Some(Source { path: Arc::clone(&self.path), at });
        if let Err(error) = read(reader, piece) {
            let (why, at) = words::of(&error, at);
            reader.source = Some(Source { path: Arc::clone(&self.path), at });
            reader.unreadable(key.call, Some(key.name), &why);
        }
        reader.source = None;
    }

    /// The answers of other calls that a member holds.
    fn grouped(&mut self, key: &'static Key, piece: &'t RawValue, names: &Names<'_>, around: &Around) {
        if !names.iter().any(|name| key.grouped(name).is_some()) {
            return;
        }
        let mut inner = around.within();
        if let (Some(owner), mut found) = (key.owner(), None) {
            fields(piece, |name, value| {
                found = found.take().or_else(|| text(value).filter(|_| name == owner))
            });
            if let Some(found) = found {
                inner.own(owner, found);
            }
        }
        fields(piece, |name, value| {
            if let Some(key) = key.grouped(name) {
                self.answer(key, value, &inner);
            }
        });
    }

    /// What stands under a key that is one of ours by its name.
    fn answer(&mut self, key: &'static Key, piece: &'t RawValue, around: &Around) {
        match form(piece) {
            Form::List => self.members(key, piece, around),
            Form::Object if let Some(field) = key.single => {
                let names = Names::of(piece);
                if names.has(field) {
                    let mut held = Vec::new();
                    self.member(key, piece, &names, around, &mut held);
                    self.hold_all(held, around);
                }
            }
            Form::Object => self.piece(piece, &Around { is_whole: false, ..around.within() }),
            // As Go writes an empty list.
            Form::Other if piece.get() == "null" => self.empty(key, around),
            // The word of a template, and no answer.
            Form::Other if key.single.is_some() => {}
            Form::Text | Form::Other => self.unread = self.unread.or(Some(Unread::NoList(key.name))),
        }
    }

    fn answer_under(&mut self, key: &str, piece: &'t RawValue, around: &Around) {
        if let Some(key) = keys::known(key) {
            self.answer(key, piece, around);
        }
    }

    fn members(&mut self, key: &'static Key, list: &'t RawValue, around: &Around) {
        let (mut count, mut ours, mut others) = (0_usize, 0_usize, Vec::new());
        let mut held = Vec::new();
        members(list, |member| {
            let index = count;
            count += 1;
            let is_of_its_form = form(member) == if key.is_of_texts() { Form::Text } else { Form::Object };
            let names = Names::of(member);
            if is_of_its_form && key.is_ours(&names) {
                ours += 1;
                self.member(key, member, &names, around, &mut held);
                return;
            }
            self.unread = self.unread.or_else(|| keys::in_another_spelling(&names));
            if others.len() < OTHERS {
                others.push((index, is_of_its_form, self.lines.position(member)));
            }
        });
        if count == 0 {
            self.empty(key, around);
        }
        // Where none is ours, the answer is another service's.
        if ours == 0 {
            return;
        }
        self.hold_all(held, around);
        for (index, is_of_its_form, at) in others {
            let reader = &mut self.recording.at(&around.account_region).reader;
            reader.source = Some(Source { path: Arc::clone(&self.path), at });
            let why = key.lacks(is_of_its_form);
            reader.unreadable(key.call, Some(&format!("{}[{index}]", key.name)), &why);
            reader.source = None;
        }
    }

    /// An answer that says that there is nothing.
    fn empty(&mut self, key: &'static Key, around: &Around) {
        if !around.is_whole || refusal::is_of_another_service(&self.path, key.name) {
            return;
        }
        match key.read {
            Read::Each(_) => self.note_answer(key, around, around.about.goes_on()),
            Read::Together(_) => self.hold(key, Vec::new(), around),
        }
    }

    fn hold_all(&mut self, held: Vec<(&'static Key, Pieces)>, around: &Around) {
        for (key, members) in held {
            self.hold(key, members, around);
        }
    }

    fn hold(&mut self, key: &'static Key, members: Pieces, around: &Around) {
        if let Read::Together(read) = key.read {
            let held = Held { about: around.about.clone(), members };
            self.recording.at(&around.account_region).later.push(Later { read, held });
            self.note_answer(key, around, around.about.goes_on());
        }
    }

    fn note_answer(&mut self, key: &'static Key, around: &Around, more: bool) {
        self.taken = true;
        self.recording.at(&around.account_region).note_answer(key.call, more);
    }

    /// An object that is no member: its texts say whose its answers are.
    fn object(&mut self, piece: &'t RawValue, names: &Names<'_>, around: &Around) {
        if let Some(unread) = passed_over::other_than_an_answer(names) {
            self.unread = Some(unread);
            return;
        }
        let mut around = Around { about: around.about.around(), ..around.clone() };
        if names.has_any(&OWNERS) {
            around.disown();
        }
        fields(piece, |name, value| note(name, value, &mut around));
        if let Some(code) = around.about.text("Error.Code")
            && let Some(call) = refusal::named(&self.path)
        {
            let message = around.about.text("Error.Message").unwrap_or("there are no details");
            self.taken = true;
            self.recording.at(&around.account_region).refused(call, format!("{code}: {message}"));
        }
        fields(piece, |name, value| self.field(name, value, &around));
    }

    fn field(&mut self, name: &str, value: &'t RawValue, around: &Around) {
        if let Some(key) = keys::known(name) {
            self.answer(key, value, around);
        } else if matches!(name, "Gaps" | "Incomplete" | "Quota") && around.is_whole {
            self.taken |= self.recording.saved(name, value, &around.account_region);
        } else if matches!(form(value), Form::List | Form::Object) {
            let mut inner = around.within();
            let is_owner = owner_of(name).is_some();
            if let Some(owner) = owner_of(name) {
                inner.own(owner, name.to_owned());
            }
            if files::is_region(name) {
                inner.account_region.region = Some(name.to_owned());
            } else if let Some(account) = files::account(name) {
                inner.account_region.account = Some(account);
            } else if WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(name)) {
                // A wrapper is no depth of its own, and what is within stands as if it were the file.
                inner.depth = around.depth;
                inner.wrapped += 1;
                inner.is_bare = around.is_bare;
            } else if !is_owner && refusal::named(Path::new(name)).is_none() && !refusal::is_service(name) {
                inner.is_whole = false;
            }
            inner.is_bare |= is_owner;
            self.piece(value, &inner);
        }
    }
}

/// Notes what a key beside answers says of them.
fn note(name: &str, value: &RawValue, around: &mut Around) {
    match form(value) {
        Form::Text => {
            let Some(said) = text(value) else { return };
            match name {
                "Region" | "region" | "RegionName" | "AwsRegion" | "awsRegion" if files::is_region(&said) => {
                    around.account_region.region = Some(said);
                }
                "Account" | "account" | "AccountId" | "accountId" | "account_id" => {
                    around.account_region.account =
                        said.parse::<AccountId>().ok().or(around.account_region.account.take());
                }
                "NextToken" | "nextToken" | "NextMarker" | "Marker" => {
                    around.about.texts.insert(name.to_owned(), said);
                }
                _ if OWNERS.contains(&name) => {
                    around.about.texts.insert(name.to_owned(), said);
                }
                _ => {}
            }
        }
        Form::Other if name == "AdditionalRoutesAvailable" => {
            around.about.texts.insert(name.to_owned(), value.get().to_owned());
        }
        Form::Object if name == "Error" => fields(value, |name, value| {
            if matches!(name, "Code" | "Message")
                && let Some(said) = text(value)
            {
                around.about.texts.insert(format!("Error.{name}"), said);
            }
        }),
        Form::Object | Form::List | Form::Other => {}
    }
}

/// How many members that are none are named of one answer.
const OTHERS: usize = 20;

/// The key that says whose an answer is, where the answer stands under an ARN.
fn owner_of(name: &str) -> Option<&'static str> {
    let arn = name.starts_with("arn:");
    match name {
        _ if arn && name.contains(":loadbalancer/") => Some("LoadBalancerArn"),
        _ if arn && name.contains(":targetgroup/") => Some("TargetGroupArn"),
        _ if arn && name.contains(":listener/") => Some("ListenerArn"),
        _ if name.starts_with("tgw-rtb-") => Some("TransitGatewayRouteTableId"),
        _ if name.starts_with("pl-") => Some("PrefixListId"),
        _ => None,
    }
}

/// Whether a list is that of `ecs:ListClusters`.
fn is_of_clusters(list: &RawValue) -> bool {
    let mut all = true;
    members(list, |member| {
        all &= text(member).is_some_and(|arn| arn.contains(":ecs:") && arn.contains(":cluster/"));
    });
    all
}
