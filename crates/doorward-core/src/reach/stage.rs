//! What a packet meets on its way, one thing after the other, and what each lets through.

use std::net::IpAddr;

use super::span::Span;
use super::table::{AclIx, GapIx, HostIx, SubnetIx};
use super::{Code, Flows};
use crate::inventory::Direction;

/// Something that a packet meets.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    pub(super) note: Note,
    pub(super) allow: Span,
    /// What could not be seen of it.
    pub(super) gap: Option<GapIx>,
    /// Whether it is met by the replies.
    pub(super) replies: bool,
}

/// What it is; in words only once somebody wants to read them.
#[derive(Debug, Clone)]
pub(super) enum Note {
    Acl { acl: Option<AclIx>, subnet: SubnetIx, direction: Direction, other: IpAddr },
    Groups(Asked),
    Plain(Plain),
}

/// The groups of an interface, asked for packets to or from an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) host: HostIx,
    pub(super) direction: Direction,
    pub(super) other: IpAddr,
    pub(super) peer: Option<HostIx>,
    pub(super) references: bool,
}

/// Something whose words do not depend on the flow.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) resource: String,
    pub(super) name: Option<String>,
    pub(super) kind: &'static str,
    /// Why it lets through.
    pub(super) because: String,
    /// Why it does not.
    pub(super) code: Code,
    pub(super) why: String,
    pub(super) lift: String,
}

/// How much is wanted of what a packet meets.
#[derive(Debug, Clone)]
pub(super) enum Detail {
    /// Only what it comes to.
    Sum,
    /// What stops some of these flows or replies to them, or may: nobody wants to read about the rest.
    Stops(Flows),
    /// Everything.
    All,
}

/// What a packet and its reply have met so far.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) forward: Span,
    pub(super) reply: Span,
    pub(super) stages: Vec<Stage>,
    /// Which stages are wanted.
    detail: Detail,
    /// Whether what is met now is met by the replies.
    pub(super) replies: bool,
}

impl Track {
    pub(super) fn new(detail: Detail) -> Self {
        Self { forward: Span::all(), reply: Span::all(), stages: Vec::new(), detail, replies: false }
    }

    pub(super) fn meet(&mut self, allow: Span, gap: Option<GapIx>, note: impl FnOnce() -> Note) {
        let met = if self.replies { &mut self.reply } else { &mut self.forward };
        *met = met.and(&allow);
        if self.is_wanted(&allow) {
            self.stages.push(Stage { note: note(), allow, gap, replies: self.replies });
        }
    }

    fn is_wanted(&self, allow: &Span) -> bool {
        match &self.detail {
            Detail::Sum => false,
            Detail::Stops(flows) if self.replies => !allow.is_exact() || !allow.sure.answers(flows),
            Detail::Stops(flows) => !allow.is_exact() || !allow.sure.covers(flows),
            Detail::All => true,
        }
    }

    /// Meets something that lets all through.
    pub(super) fn pass(&mut self, note: impl FnOnce() -> Plain) {
        if matches!(self.detail, Detail::All) {
            self.meet(Span::all(), None, || Note::Plain(note()));
        }
    }

    /// Meets something that lets nothing through.
    pub(super) fn stop(&mut self, note: impl FnOnce() -> Plain) {
        self.meet(Span::none(), None, || Note::Plain(note()));
    }

    /// Meets something of which it is not known what it lets through.
    pub(super) fn doubt(&mut self, gap: Option<GapIx>, note: impl FnOnce() -> Plain) {
        self.meet(Span::unknown(), gap, || Note::Plain(note()));
    }

    /// Whether nothing is left to find out, and nobody to tell how it came.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.detail, Detail::Sum) && (self.forward.maybe.is_empty() || self.reply.maybe.is_empty())
    }

    /// What passes, replies included, and what of it gets every reply.
    pub(super) fn passes(&self) -> (Span, Flows) {
        let (some, every) = self.reply.sure.requests();
        let some_maybe = if self.reply.is_exact() { some.clone() } else { self.reply.maybe.requests().0 };
        let span = self.forward.and(&Span { sure: some, maybe: some_maybe });
        let whole = span.sure.and(&every);
        (span, whole)
    }
}
