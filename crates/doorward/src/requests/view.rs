//! Views for people: their targets, and grants with their current state.

use std::fmt;

use doorward_core::audit::Line;
use doorward_core::decision::{Act, Reason, Seen, authorise, openable, opens, seen};
use doorward_core::grant::{Ending, Grant, GrantId, Life};
use doorward_core::inventory::{self, RuleIdentity};
use doorward_core::net::{Cidr, Flow};
use doorward_core::policy::{Closing, Enforcement, Group, Person, TargetName, Transport};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Caller, Closed, Collateral, ConnectionHint, Error, LivesOn, Opened, Relocated, Requests, Through,
};
use crate::overdue::Overdue;
use crate::status::{Status, SyncState};

/// A target that a person may open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    pub target: TargetName,
    /// What it is.
    pub about: String,
    /// Where it is, as the policy says.
    pub address: String,
    /// What a grant admits.
    pub ports: Vec<Flow>,
    /// The ways that the policy permits and this version can open.
    pub transports: Vec<Transport>,
    /// Seconds that a grant usually lasts.
    pub usually: i64,
    /// The most seconds that a grant may last.
    pub at_most: i64,
    /// Seconds above which somebody has to agree; none: nobody ever has to.
    pub approval_above: Option<i64>,
    /// Whose members may agree.
    pub approval_from: Vec<Group>,
    /// Whether a reason must be given.
    pub reason_required: bool,
    /// What the end of a grant does to open connections.
    pub closing: Option<Closing>,
    /// Whether its firewall is as it should be.
    #[serde(rename = "standing")]
    pub sync_state: SyncState,
    /// Addresses that are always admitted.
    pub always_from: Vec<Cidr>,
    /// What a grant by SSH gives besides the target, in words; none where it is not opened by SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_ssh_also: Option<String>,
    /// The Region that the policy names, in which only AWS knows where the target is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Where a grant is in its life, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody has to agree.
    Waiting,
    /// Open until its end.
    Open,
    /// Over.
    Ended,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Ended => "ended",
        })
    }
}

/// A grant as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrantView {
    pub id: GrantId,
    pub person: Person,
    pub target: TargetName,
    pub transport: Transport,
    /// The addresses it admits.
    pub source: Cidr,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Since when it is or was open, or waits.
    pub since: Option<Timestamp>,
    /// Its end, to come or past.
    pub until: Option<Timestamp>,
    /// Seconds that it would last, while it waits.
    pub asked_for: Option<i64>,
    /// Whose members may agree, while it waits.
    pub waits_for: Vec<Group>,
    /// Who agreed.
    pub approved_by: Option<Person>,
    /// How it ended, in words.
    pub ended: Option<String>,
    /// Whether the firewall is as it should be; none for what is not open.
    #[serde(rename = "standing")]
    pub sync_state: Option<SyncState>,
    /// What its end does to open connections.
    pub closing: Closing,
    /// How often it was changed while it waits. Whoever approves it says which revision they saw.
    #[serde(default)]
    pub revision: u32,
    /// What an approval opens by the policy as it is now, in words, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// What an approval names, so that nothing is approved but what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What it gives besides the target, in words: by SSH a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// Its rule or session that still exists although it has ended, or may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<Overdue>,
    /// Why the store has not recorded that it ended, while it has not; it has ended all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<String>,
}

/// What came of opening, extending or answering, as it is shown: the API's answer, and a command's `--json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenedView {
    pub grant: GrantView,
    /// Whether it had been open before and has a later end now.
    pub extended: bool,
    /// Whether it had been asked for before and is asked for otherwise now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    /// The addresses that were admitted before it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Cidr>,
    /// Why it was allowed, or why it waits, in words.
    pub reasons: Vec<String>,
    /// What its end will do to a connection.
    pub closing: Closing,
    /// Whether the firewall lets it in by now; none while somebody has to agree.
    #[serde(rename = "standing")]
    pub sync_state: Option<SyncState>,
    /// Where to connect to; nowhere while somebody has to agree.
    pub connect: Vec<ConnectionHint>,
    /// Its transport settings; none while it waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// Its collateral access, now or once it is approved, if the policy names a recorded account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Collateral>,
    /// Why that could not be looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside_unknown: Option<String>,
}

/// The outcome of a revocation as it is shown: the API's response, and a command's `--json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClosedView {
    /// The grant, ended.
    pub grant: GrantView,
    /// What that does to a connection that is still open.
    pub closing: Closing,
    /// Whether the firewall refuses it by now.
    #[serde(rename = "standing")]
    pub sync_state: SyncState,
    /// Live connections that were cut.
    pub cut: u64,
    /// Why the address is still admitted, if it is.
    pub still: Option<String>,
    /// Credentials that were vended for it and open sessions still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<LivesOn>,
}

/// Grants and targets as they are shown to people.
#[derive(Debug, Clone, Copy)]
pub struct Views<'a>(pub(super) &'a Requests);

impl Views<'_> {
    /// What came of opening, as it is shown.
    pub async fn opened(&self, opened: Opened) -> OpenedView {
        let grant = match &opened {
            Opened::Granted { grant, .. } | Opened::Waiting { grant, .. } => grant,
        };
        let (beside, beside_unknown) = match self.0.collateral(grant).await {
            Ok(beside) => (beside, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let texts = |reasons: &[Reason]| reasons.iter().map(ToString::to_string).collect();
        match opened {
            Opened::Granted { grant, extended, reasons, closing, sync_state } => {
                let view = self.view(&grant);
                // What was just learnt of its firewall, rather than what the pass before said.
                let known = view.sync_state.is_some().then(|| sync_state.clone());
                OpenedView {
                    extended,
                    changed: false,
                    moved_from: None,
                    connect: self.0.connection_hints_looked_up(grant.target(), grant.transport()).await,
                    through: self.0.through(&grant),
                    grant: GrantView { sync_state: known, ..view },
                    reasons: texts(&reasons),
                    closing,
                    sync_state: Some(sync_state),
                    beside,
                    beside_unknown,
                }
            }
            Opened::Waiting { grant, changed, reasons } => {
                let view = self.view(&grant);
                OpenedView {
                    extended: false,
                    changed,
                    moved_from: None,
                    closing: view.closing,
                    grant: view,
                    reasons: texts(&reasons),
                    sync_state: None,
                    connect: Vec::new(),
                    through: None,
                    beside,
                    beside_unknown,
                }
            }
        }
    }

    /// What came of moving, as it is shown.
    pub async fn relocated(&self, relocated: Relocated) -> OpenedView {
        let Relocated { opened, was } = relocated;
        let view = self.opened(opened).await;
        OpenedView { moved_from: Some(was).filter(|was| *was != view.grant.source), ..view }
    }

    /// The outcome of a revocation as it is shown.
    pub fn closed(&self, closed: Closed) -> ClosedView {
        let Closed { grant, closing, sync_state, cut, still, credentials } = closed;
        ClosedView { grant: self.view(&grant), closing, sync_state, cut, still, credentials }
    }

    /// The targets that a person may open.
    pub fn offers(&self, person: &Person) -> Vec<Offer> {
        let loaded = self.0.app.loaded();
        let policy = &loaded.policy;
        let status = self.0.app.nudge().status();
        openable(policy, &loaded.people, person)
            .map(|target| {
                let firewall = target.firewall.as_ref().and_then(|name| policy.firewalls.get(name));
                Offer {
                    target: target.name.clone(),
                    about: target.about.clone(),
                    address: target.address.to_string(),
                    ports: target.ports.iter().copied().collect(),
                    transports: target.transports.iter().copied().filter(|one| one.is_supported()).collect(),
                    usually: target.lasts.usually.as_secs(),
                    at_most: target.lasts.at_most.as_secs(),
                    approval_above: target.approval.as_ref().map(|approval| approval.above.as_secs()),
                    approval_from: target
                        .approval
                        .iter()
                        .flat_map(|approval| approval.from.iter().cloned())
                        .collect(),
                    reason_required: target.reason_required,
                    closing: firewall.map(|firewall| firewall.kind.closing()),
                    sync_state: firewall.map_or(SyncState::Unknown, |firewall| status.of(&firewall.name)),
                    always_from: firewall.map(|firewall| firewall.statics.clone()).unwrap_or_default(),
                    by_ssh_also: target
                        .transports
                        .contains(&Transport::Ssh)
                        .then(|| Through::of(policy, target, Transport::Ssh)?.login())
                        .flatten(),
                    region: policy.aws.region.clone(),
                }
            })
            .collect()
    }

    /// A person's grants that are open or wait, the next to end first.
    pub async fn current(&self, person: &Person) -> Result<Vec<GrantView>, Error> {
        let now = self.0.app.clock().now();
        let known = || self.0.known().into_iter().filter(|grant| grant.person() == person).collect();
        let grants = self.0.or_known(self.0.app.store().unfinished_of(person), known).await?;
        let mine = grants.iter().filter(|grant| self.is_shown(grant, now));
        Ok(self.views(mine))
    }

    /// Everybody's grants that are open or wait, for an operator.
    pub async fn all(&self, caller: &Caller) -> Result<Vec<GrantView>, Error> {
        self.0.operator(caller)?;
        let now = self.0.app.clock().now();
        let grants = self.0.or_known(self.0.app.store().unfinished(), || self.0.known()).await?;
        Ok(self.views(grants.iter().filter(|grant| self.is_shown(grant, now))))
    }

    /// Grants that wait for this person's answer.
    pub async fn to_answer(&self, person: &Person) -> Result<Vec<GrantView>, Error> {
        let loaded = self.0.app.loaded();
        let now = self.0.app.clock().now();
        let grants = self.0.all_applied(self.0.app.store().waiting().await?);
        let mine = grants.iter().filter(|grant| {
            going_on(grant, now)
                && authorise(&loaded.policy, &loaded.people, person, Act::Answer(grant)).is_ok()
        });
        Ok(self.views(mine))
    }

    /// A person's ended grants, the latest first.
    pub async fn history(&self, person: &Person, limit: u32) -> Result<Vec<GrantView>, Error> {
        let grants = self.0.app.store().history(Some(person), limit).await?;
        let unsettled = self.0.app.store().unfinished_of(person).await?;
        Ok(grants.iter().map(|grant| self.view_of_past(grant, &unsettled)).collect())
    }

    /// A grant that may be settled: nothing of one that is can be overdue.
    fn view_of_past(&self, grant: &Grant, unsettled: &[Grant]) -> GrantView {
        let mut view = self.view(grant);
        if !unsettled.iter().any(|one| one.id() == grant.id()) {
            view.overdue = None;
        }
        view
    }

    /// One grant, if the caller may see it.
    pub async fn one(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, Error> {
        let grant = self.0.visible(&self.0.app.loaded(), caller, id).await?;
        let unsettled = match grant.ended() {
            true => self.0.app.store().unfinished_of(grant.person()).await?,
            false => return Ok(self.view(&grant)),
        };
        Ok(self.view_of_past(&grant, &unsettled))
    }

    /// Audit entries before `before` (none: from the end), the latest first, for an operator.
    pub async fn record_before(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Line>, Error> {
        self.0.operator(caller)?;
        let lines = self.0.app.store().latest_lines(before, limit).await?;
        // Each line by itself: the chain is `audit verify`'s business, and one bad line must not hide the others.
        Ok(lines.iter().filter_map(|(_, line)| serde_json::from_str(line).ok()).collect())
    }

    /// What of a grant that has ended still stands, or may: as the reconciler of this process last found it; without
    /// one, as the store tells.
    pub fn overdue(&self, grant: &Grant) -> Option<Overdue> {
        let status = self.0.app.nudge().status();
        if status.at.is_none() {
            return crate::overdue::unconfirmed(&self.0.app.loaded().policy, grant, self.0.app.clock().now());
        }
        status.overdue.iter().find(|overdue| overdue.grant.as_ref() == Some(grant.id())).cloned()
    }

    /// Whether the security group of a grant was polled, and did not have the rules of the grant.
    fn lacks_rules(&self, grant: &Grant, status: &Status) -> bool {
        let loaded = self.0.app.loaded();
        let Some(target) = loaded.policy.targets.get(grant.target()) else { return false };
        let Some(firewall) = self.0.firewall_of(&loaded, grant) else { return false };
        let Enforcement::SecurityGroup { group, .. } = &firewall.kind else { return false };
        let inventory::Seen::There(group) = status.inventory.group(group) else { return false };
        let rule = |flow: &Flow| RuleIdentity::admitting(*flow, grant.source());
        target.ports.iter().any(|flow| !group.rules.contains_key(&rule(flow)))
    }

    /// What is open or waits, and what has ended and is not revoked, or not recorded.
    fn is_shown(&self, grant: &Grant, now: Timestamp) -> bool {
        going_on(grant, now) || self.overdue(grant).is_some() || self.why_unrecorded(grant).is_some()
    }

    /// Why it is not recorded that a grant has ended, where it is not.
    fn why_unrecorded(&self, grant: &Grant) -> Option<String> {
        self.0.unrecorded().into_iter().find(|one| one.grant == *grant.id()).map(|one| one.why)
    }

    fn views<'g>(&self, grants: impl Iterator<Item = &'g Grant>) -> Vec<GrantView> {
        let mut views: Vec<GrantView> = grants.map(|grant| self.view(grant)).collect();
        views.sort_by(|one, other| (one.until, &one.id).cmp(&(other.until, &other.id)));
        views
    }

    /// A grant as it is shown.
    pub fn view(&self, grant: &Grant) -> GrantView {
        let policy = &self.0.app.loaded().policy;
        let (state, since, until, approved_by, ended) = match grant.life() {
            Life::Waiting { asked, .. } => (State::Waiting, Some(*asked), grant.next_change(), None, None),
            Life::Open { since, until, approved_by, .. } => {
                (State::Open, Some(*since), Some(*until), approved_by.clone(), None)
            }
            Life::Ended { since, at, how, .. } => (State::Ended, *since, Some(*at), None, Some(how)),
        };
        let (asked_for, waits_for) = match grant.life() {
            Life::Waiting { seconds, from, .. } => (Some(*seconds), from.clone()),
            Life::Open { .. } | Life::Ended { .. } => (None, Vec::new()),
        };
        let sync_state = (state == State::Open).then(|| {
            if grant.transport() != Transport::Direct {
                // No firewall has to let anything in.
                return SyncState::InSync;
            }
            let Some(firewall) = self.0.firewall_name(grant) else { return SyncState::Unknown };
            let status = self.0.app.nudge().status();
            match status.of(&firewall) {
                // As of the last pass, which may have begun before the grant.
                SyncState::InSync if self.lacks_rules(grant, &status) => SyncState::Unknown,
                state => state,
            }
        });
        GrantView {
            id: grant.id().clone(),
            person: grant.person().clone(),
            target: grant.target().clone(),
            transport: grant.transport(),
            source: grant.source(),
            reason: grant.reason().map(str::to_owned),
            state,
            since,
            until,
            asked_for,
            waits_for,
            approved_by,
            ended: ended.map(|how| ended_in_words(how, since)),
            sync_state,
            closing: self.0.closing(grant),
            revision: grant.revision(),
            opens: opens(policy, grant),
            seen: seen(policy, grant),
            also: self.0.through(grant).as_ref().and_then(Through::login),
            overdue: self.overdue(grant),
            unrecorded: self.why_unrecorded(grant),
        }
    }
}

impl Requests {
    /// Whether a person operates Doorward.
    pub fn operates(&self, person: &Person) -> bool {
        let loaded = self.app.loaded();
        authorise(&loaded.policy, &loaded.people, person, Act::Operate).is_ok()
    }

    /// That somebody operates Doorward, or why they may not see what only operators see.
    pub fn operator(&self, caller: &Caller) -> Result<(), Error> {
        let loaded = self.app.loaded();
        authorise(&loaded.policy, &loaded.people, &caller.person, Act::Operate)
            .map(drop)
            .map_err(|refusal| Error::Refused(vec![refusal]))
    }
}

/// How a grant ended. What never was open is not closed.
fn ended_in_words(how: &Ending, since: Option<Timestamp>) -> String {
    match (how, since) {
        (Ending::Closed { by }, None) => format!("withdrawn by {by}"),
        (how, _) => how.to_string(),
    }
}

fn going_on(grant: &Grant, now: Timestamp) -> bool {
    !grant.ended() && grant.overdue(now).is_none()
}
