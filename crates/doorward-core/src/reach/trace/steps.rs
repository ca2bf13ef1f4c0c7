//! The steps of a packet and of its reply, and what each of them allows.

use std::net::IpAddr;

use crate::inventory::{Call, Direction, ResourceRef};
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::table::{AclIx, GapIx, InterfaceIx, SubnetIx};

/// Something that a packet meets.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) note: StepKind,
    pub(crate) allow: Bounds,
    /// What could not be seen of it.
    pub(crate) gap: Option<GapIx>,
    /// Whether it is met by the replies.
    pub(crate) replies: bool,
    /// The flows of the connection that it is met by, where that is not the one which was asked about: a load balancer
    /// stands between two.
    pub(crate) about: Option<Flows>,
    /// Changes of the account by which it would allow all.
    pub(crate) fix: Vec<Change>,
}

/// What it is; in words only once somebody wants to read them.
#[derive(Debug, Clone)]
pub(crate) enum StepKind {
    NetworkAcl { acl: Option<AclIx>, subnet: SubnetIx, direction: Direction, other: IpAddr },
    SecurityGroups(GroupCheck),
    Text(StepText),
}

/// The groups of an interface, asked for packets to or from an address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupCheck {
    pub(crate) interface: InterfaceIx,
    pub(crate) direction: Direction,
    pub(crate) other: IpAddr,
    pub(crate) peer: Option<InterfaceIx>,
    pub(crate) references: bool,
}

/// Something whose words do not depend on the flow.
#[derive(Debug, Clone)]
pub(crate) struct StepText {
    pub(crate) resource: ResourceRef,
    pub(crate) name: Option<String>,
    /// Why it allows what it allows.
    pub(crate) because: String,
    /// Why it does not allow the rest, where it may block at all.
    pub(crate) block: Option<Block>,
}

/// The advice where the answer of a call would say more.
pub(crate) fn collect(call: Call) -> String {
    format!("allow {} and collect the inventory again", call.permission())
}

/// Why something does not allow a flow.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) code: Code,
    pub(crate) why: String,
    /// What to do about it, where no change of the account is known.
    pub(crate) advice: String,
}

impl StepText {
    /// Something that allows everything, and why.
    pub(crate) fn allowed(resource: impl Into<ResourceRef>, because: impl Into<String>) -> Self {
        Self { resource: resource.into(), name: None, because: because.into(), block: None }
    }

    /// Something that does not allow everything, or of which that is not known: why, and what to do about it.
    pub(crate) fn blocked(
        resource: impl Into<ResourceRef>,
        code: Code,
        why: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let block = Block { code, why: why.into(), advice: advice.into() };
        Self { resource: resource.into(), name: None, because: String::new(), block: Some(block) }
    }

    /// With the name that people gave it.
    pub(crate) fn named(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// With the reason why it allows what it allows.
    pub(crate) fn because(self, because: impl Into<String>) -> Self {
        Self { because: because.into(), ..self }
    }
}

/// How much is wanted of what a packet meets.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    /// Only what it comes to.
    Sum,
    /// What stops some of these flows or replies to them, or may: nobody wants to read about the rest.
    Stops(Flows),
    /// Everything.
    All,
}

/// What a packet and its reply have met so far.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) forward: Bounds,
    pub(crate) reply: Bounds,
    pub(crate) steps: Vec<Step>,
    /// Which steps are wanted.
    detail: Detail,
    /// Whether the step that was met last is among `steps`.
    kept: bool,
    /// Whether what is met now is met by the replies.
    pub(crate) replies: bool,
    /// Whether what is met now is met by packets of IPv4 that a NAT gateway made of packets of IPv6.
    pub(crate) nat64: bool,
}

impl Trace {
    pub(crate) fn new(detail: Detail) -> Self {
        Self {
            forward: Bounds::all(),
            reply: Bounds::all(),
            steps: Vec::new(),
            detail,
            kept: false,
            replies: false,
            nat64: false,
        }
    }

    pub(crate) fn meet(&mut self, allow: Bounds, gap: Option<GapIx>, note: impl FnOnce() -> StepKind) {
        let allow = if self.nat64 { allow.before_nat64() } else { allow };
        let met = if self.replies { &mut self.reply } else { &mut self.forward };
        *met = met.and(&allow);
        if self.is_wanted(&allow) {
            let replies = self.replies;
            self.steps.push(Step { note: note(), allow, gap, replies, about: None, fix: Vec::new() });
            self.kept = true;
        } else {
            self.kept = false;
        }
    }

    fn is_wanted(&self, allow: &Bounds) -> bool {
        match &self.detail {
            Detail::Sum => false,
            Detail::Stops(flows) if self.replies => !allow.is_exact() || !allow.must.answers(flows),
            Detail::Stops(flows) => !allow.is_exact() || !allow.must.covers(flows),
            Detail::All => true,
        }
    }

    /// Notes by which changes the step that was met last would allow all.
    pub(crate) fn fix(&mut self, changes: impl FnOnce() -> Vec<Change>) {
        if let (true, Some(step)) = (self.kept, self.steps.last_mut()) {
            step.fix = changes();
        }
    }

    /// Meets something that lets all through.
    pub(crate) fn pass(&mut self, note: impl FnOnce() -> StepText) {
        if matches!(self.detail, Detail::All) {
            self.meet(Bounds::all(), None, || StepKind::Text(note()));
        }
    }

    /// Meets something that lets nothing through.
    pub(crate) fn block(&mut self, note: impl FnOnce() -> StepText) {
        self.meet(Bounds::none(), None, || StepKind::Text(note()));
    }

    /// Meets something of which it is not known what it lets through.
    pub(crate) fn unknown(&mut self, gap: Option<GapIx>, note: impl FnOnce() -> StepText) {
        self.meet(Bounds::unknown(), gap, || StepKind::Text(note()));
    }

    /// Whether nothing is left to find out, and nobody to tell how it came.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.detail, Detail::Sum) && (self.forward.may.is_empty() || self.reply.may.is_empty())
    }

    /// What passes, replies included, and what of it gets every reply.
    pub(crate) fn passes(&self) -> (Bounds, Flows) {
        let (some, every) = self.reply.must.requests();
        let some_may = if self.reply.is_exact() { some.clone() } else { self.reply.may.requests().0 };
        let bounds = self.forward.and(&Bounds { must: some, may: some_may });
        let whole = bounds.must.and(&every);
        (bounds, whole)
    }
}
