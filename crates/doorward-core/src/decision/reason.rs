//! The reasons of a decision: what speaks for a request, and what against.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::grant::GrantId;
use crate::inventory::Cause;
use crate::net::Cidr;
use crate::policy::{Group, Person, TargetName, Transport};
use crate::text::{is_blank, is_disruptive};

/// What speaks for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The person is in a group of the target's.
    Member { group: Group },
    /// Whose grant it is is in a group of the target's, said to others than them.
    Holder { person: Person, group: Group },
    /// The policy permits the transport.
    Permitted { transport: Transport },
    /// The grant that was held already goes on.
    Extended { grant: GrantId },
    /// It needs to be agreed to, by one of these groups.
    Approval { from: Vec<Group> },
    /// What was held without approval before counts too.
    HeldBefore {
        /// How long it was held, in words.
        held: String,
        /// In how long, in words.
        within: String,
        /// The most that needs no approval, in words.
        most: String,
    },
    /// It was agreed to.
    Approved {
        by: Person,
        /// The group that lets them approve.
        group: Option<Group>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member { group } => write!(f, "you are in `{group}`"),
            Self::Holder { person, group } => write!(f, "`{person}` is in `{group}`"),
            Self::Permitted { transport } => write!(f, "the policy allows `{transport}`"),
            Self::Extended { grant } => write!(f, "{grant} is extended"),
            Self::Approval { from } => write!(f, "somebody in {} has to approve", listed(from)),
            Self::HeldBefore { held, within, most } => write!(
                f,
                "you have had access for {held} of the last {within} without approval, and {most} is the most that needs none"
            ),
            Self::Approved { by, group: Some(group) } => write!(f, "{by}, who is in `{group}`, approved"),
            Self::Approved { by, group: None } => write!(f, "{by} approved"),
        }
    }
}

/// The most characters of a reason.
const LONGEST_REASON: usize = 500;

/// A reason that somebody gave, without the blanks around it; none where there is nothing to read. It has to be a line that
/// lists, terminals and the audit log can show.
pub fn readable_reason(text: Option<&str>) -> Result<Option<&str>, Refusal> {
    let reason = text.map(str::trim).filter(|reason| !is_blank(reason));
    match reason {
        Some(reason) if reason.chars().count() > LONGEST_REASON || reason.contains(is_disruptive) => {
            Err(Refusal::UnreadableReason)
        }
        reason => Ok(reason),
    }
}

/// What speaks against a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// Nobody of that name.
    #[error("`{person}` is not in the password file, or is locked there")]
    NoSuchPerson {
        /// Who asked.
        person: Person,
    },
    /// Nothing of that name. Said, too, of a target that the person may not see.
    #[error("there is no target `{target}` that `{person}` may open")]
    NotYours {
        /// Who asked.
        person: Person,
        target: TargetName,
        /// A target of nearly that name that they may open.
        meant: Option<TargetName>,
    },
    /// Not permitted, or the target has no place where it could be enforced.
    #[error("the policy does not allow `{transport}` for `{target}`; it allows {permitted}")]
    Transport {
        target: TargetName,
        /// What was asked.
        transport: Transport,
        /// What would do, in words.
        permitted: String,
    },
    /// No port, so nothing to admit.
    #[error("the policy names no port for `{target}`, so there is nothing to open")]
    NoPorts { target: TargetName },
    /// Zero, or less.
    #[error("a grant has to last at least a second")]
    TooShort,
    #[error("`{target}` may be open for at most {most} at a time, and this would be {asked}")]
    TooLong {
        target: TargetName,
        /// The most, in words.
        most: String,
        /// What was asked, in words.
        asked: String,
        /// What is left of it, in words, where some of it was used already.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<String>,
    },
    /// The held grant has lived for as long as it may.
    #[error(
        "{grant} expires at {} and has then reached the {most} that the policy allows at a time; request access again when it has ended",
        until.strftime("%Y-%m-%d %H:%M:%S UTC")
    )]
    NothingLeft {
        grant: GrantId,
        /// Its end.
        until: Timestamp,
        /// The most, in words.
        most: String,
    },
    /// No reason was given.
    #[error("`{target}` needs a reason")]
    NoReason { target: TargetName },
    /// It could not be shown in a line: in a list, in a terminal, in the record.
    #[error(
        "a reason is one line of at most {LONGEST_REASON} characters, without control characters and bidirectional overrides"
    )]
    UnreadableReason,
    /// Not theirs, and they operate nothing.
    #[error("{grant} does not belong to `{person}`, who is not an operator")]
    NotYourGrant { person: Person, grant: GrantId },
    /// Somebody else's, and only its person can have it admit another address.
    #[error("{grant} is not `{person}`'s, and only its own person can move it to another address")]
    OnlyItsPersonMoves { person: Person, grant: GrantId },
    /// Not one whom the policy asks.
    #[error("`{person}` may not approve or deny {grant}")]
    NotAnApprover { person: Person, grant: GrantId },
    /// Nobody answers for themselves.
    #[error("nobody may approve their own request")]
    OwnRequest,
    /// Their own, which is withdrawn and not denied.
    #[error("nobody may deny their own request")]
    OwnDenial { grant: GrantId },
    /// Who they are was not proved, and an answer counts only from a person who did.
    #[error(
        "it is not proven that you are `{person}`: a name that is only claimed with `--as` cannot approve or deny requests"
    )]
    OnlyClaimed {
        /// The claimed name.
        person: Person,
    },
    /// It is over, or was never asked.
    #[error("{grant} does not wait for approval")]
    NotWaiting { grant: GrantId },
    /// Not an operator.
    #[error("`{person}` is not an operator")]
    NotAnOperator { person: Person },
    /// No person comes from there (IANA's special-purpose registries).
    #[error("`{address}` cannot be the address of a client: it is {is}")]
    NoAddress {
        address: IpAddr,
        /// What it is, in words.
        is: String,
    },
    /// People may come from there where the policy says so, and it does not.
    #[error("`{address}` is {is}, and the policy does not list `{network}` in `special-networks`")]
    NotListed {
        address: IpAddr,
        /// What it is, in words.
        is: String,
        /// The block of the registry that it is in.
        network: Cidr,
    },
    /// A grant that has lived for longer than the policy allows without an approval.
    #[error("`{target}` needs an approval to be open for longer than {above}, and there is none")]
    Unapproved {
        target: TargetName,
        /// The most without one, in words.
        above: String,
    },
    /// A grant that admits more than the policy does.
    #[error("`{admits}` is wider than the `{most}` that the policy allows")]
    TooWide {
        /// What it admits.
        admits: Cidr,
        /// What it may.
        most: Cidr,
    },
    /// As many grants as the policy allows are open or wait.
    #[error("{most} grants {of} are open or requested, the most that the policy allows")]
    TooManyGrants {
        /// Of whom or to what.
        of: Most,
        /// How many.
        most: u32,
        /// The person's own among them.
        yours: Vec<GrantId>,
    },
    /// It is over, or waits.
    #[error("{grant} is not open")]
    NotOpen { grant: GrantId },
    /// It has no address that could be moved.
    #[error("{grant} uses the transport `{transport}`, which admits no address")]
    NoAddressAdmitted {
        grant: GrantId,
        /// By what.
        transport: Transport,
    },
    /// It was moved as often as the policy allows.
    #[error("{grant} was moved {most} times, the most that the policy allows")]
    MovedTooOften {
        grant: GrantId,
        /// How often.
        most: u32,
    },
    /// Permitted by the policy, and not something that this version can open.
    #[error("this version does not support `{transport}` yet")]
    NotCarried {
        /// Which way.
        transport: Transport,
    },
    /// The place of enforcement cannot hold the rule: a quota is used up.
    #[error("{why}")]
    NoRoom {
        /// Why, in words.
        why: String,
    },
    /// The security group that the policy names is not where the policy says.
    #[error("{why}")]
    NotThere {
        /// Why, in words.
        why: String,
    },
    /// The place of enforcement could not be asked, so that nothing is opened there.
    #[error("{why}")]
    Unavailable {
        /// What kind of failure that was: `expired` credentials are something else than `silent`.
        cause: Cause,
        /// Why, in words.
        why: String,
    },
}

impl Refusal {
    /// What would help, where that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLong { left: Some(left), .. } => {
                format!("it has been open for a while; request {left} or less from now on")
            }
            Self::TooLong { most, .. } => format!("request {most} or less"),
            Self::NoReason { .. } => "give a reason: a ticket number or a few words".into(),
            Self::NotYours { meant: Some(meant), .. } => format!("did you mean `{meant}`?"),
            Self::NotYours { meant: None, .. } => "ask an operator to add you to one of its groups".into(),
            Self::NoRoom { .. } => {
                "revoke grants that are no longer needed, or ask an operator for a higher quota".into()
            }
            Self::NotThere { .. } => "an operator has to correct the policy or the account".into(),
            Self::OnlyClaimed { .. } => {
                "sign in to the server with `doorward login URL`, and approve or reject there".into()
            }
            Self::Unavailable { cause, .. } => match cause {
                Cause::Throttled | Cause::Silent => {
                    "try again in a moment; `/operators` shows an operator why".into()
                }
                cause => {
                    format!(
                        "an operator can fix it: {}",
                        cause.hint().unwrap_or("the server's log says more")
                    )
                }
            },
            Self::NoAddress { is, .. } if is == "a loopback address" => {
                "use the address of the server instead of \
                 `127.0.0.1` or `localhost`; with a local policy name your address with `--address`"
                    .into()
            }
            Self::NoAddress { .. } => {
                "a grant admits the source address of your connections: an address of the internet, or \
                 of a network that `special-networks` in `[grants]` lists"
                    .into()
            }
            Self::TooShort => "write it as `30m` or `2h`".into(),
            Self::NothingLeft { .. } => {
                "wait until it has ended, or revoke it, and open the target again".into()
            }
            Self::UnreadableReason => "write it in one line, for example a ticket number".into(),
            Self::NoSuchPerson { person } => format!(
                "an operator adds `{person}` with `doorward user add`, or unlocks them with `doorward user unlock`"
            ),
            Self::OwnRequest | Self::NotAnApprover { .. } => {
                "somebody in a group that `approval` of the target names has to approve or deny it".into()
            }
            Self::OwnDenial { grant } => format!("withdraw it with `doorward close {grant}`"),
            Self::NoPorts { .. } => "an operator has to add its ports to the policy".into(),
            Self::NotListed { network, .. } => format!(
                "if clients have such addresses, an operator adds `special-networks = [\"{network}\"]` to `[grants]`"
            ),
            Self::TooManyGrants { yours, .. } if !yours.is_empty() => {
                let names: Vec<String> = yours.iter().take(5).map(ToString::to_string).collect();
                let more = if yours.len() > names.len() { " …" } else { "" };
                format!(
                    "revoke one of {}{more}; a grant for an old address can be moved instead",
                    names.join(", ")
                )
            }
            Self::TooManyGrants { .. } => "try again when another grant has ended".into(),
            Self::MovedTooOften { .. } => "revoke it and open the target again".into(),
            Self::NotOpen { .. } => "open the target again".into(),
            Self::Transport { permitted, .. } if permitted != "none" => format!("choose {permitted}"),
            _ => return None,
        })
    }
}

impl Refusal {
    /// The same, said to another person than the one whose grants are counted.
    pub(super) fn of_another(self, person: &Person) -> Self {
        let Self::TooManyGrants { of, most, .. } = self else { return self };
        let of = match of {
            Most::Person => Most::Another { person: person.clone(), target: None },
            Most::PersonAndTarget { target } => {
                Most::Another { person: person.clone(), target: Some(target) }
            }
            of => of,
        };
        Self::TooManyGrants { of, most, yours: Vec::new() }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "limit", rename_all = "kebab-case")]
pub enum Most {
    /// A person's grants.
    Person,
    /// A person's grants to a target.
    PersonAndTarget { target: TargetName },
    /// Everybody's grants to a target.
    Target { target: TargetName },
    /// The grants of another person than the one who is told, all or those to a target.
    Another { person: Person, target: Option<TargetName> },
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("of yours"),
            Self::PersonAndTarget { target } => write!(f, "of yours to `{target}`"),
            Self::Target { target } => write!(f, "of all people to `{target}`"),
            Self::Another { person, target: None } => write!(f, "of `{person}`"),
            Self::Another { person, target: Some(target) } => write!(f, "of `{person}` to `{target}`"),
        }
    }
}

fn listed(groups: &[Group]) -> String {
    let names: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
    names.join(" or ")
}
