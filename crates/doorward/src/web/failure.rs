//! Why a request failed, for pages and API alike: the status, every reason, and a hint.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use doorward_core::decision::Refusal;
use maud::html;

use super::guard::TooMany;
use super::layout;
use crate::requests;
use crate::store;

/// Why not.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// In a sentence, when there are no refusals.
    pub why: String,
    /// Every reason that the policy gives.
    pub refusals: Vec<Refusal>,
    /// What would help.
    pub hint: Option<String>,
    /// Seconds until it is worth trying again.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// With a status and a sentence.
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), refusals: Vec::new(), hint: None, retry_after: None }
    }

    /// The same with what would help.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// No session, or an expired one.
    pub fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "you are not signed in, or your session has expired")
            .hint("sign in again; on the command line: `doorward login`")
    }

    /// Too often.
    pub fn too_many(too_many: TooMany) -> Self {
        let seconds = too_many.wait.as_secs() + u64::from(too_many.wait.subsec_nanos() > 0);
        let seconds = seconds.max(1);
        let words = super::words::lasting(i64::try_from(seconds).unwrap_or(i64::MAX));
        let why = format!("too many attempts; try again in {words}");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, why) }
    }

    /// Too many others sign in.
    pub fn busy() -> Self {
        let why = "the server is busy with other sign-ins, so yours was not checked; try again in 5 s";
        Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, why) }
    }

    /// The store did not do it.
    pub fn of_store(error: &store::Error) -> Self {
        match error {
            store::Error::Full => {
                tracing::error!(%error, "the store is full");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                    .hint("an operator has to free space on the store's disk")
            }
            store::Error::Distrusted { why } => {
                tracing::error!(why, "refusing to open grants: the audit log in the store was altered");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                    .hint("an operator runs `doorward audit verify`, and then `doorward audit accept`")
            }
            store::Error::Altered(_) => {
                tracing::error!(why = chain(error), "the store was altered");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                    .hint("an operator runs `doorward audit verify`")
            }
            store::Error::Conflict => {
                Self::new(StatusCode::CONFLICT, error.to_string()).hint("reload and try again")
            }
            _ => {
                let why = chain(error);
                tracing::error!(why, "store error");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                    .hint("an operator can find the cause in the server's log")
            }
        }
    }

    /// Something that nobody can do anything about from outside.
    pub fn broken(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(why = chain(error), "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error: the server could not complete the request",
        )
        .hint("an operator can find the cause in the server's log")
    }

    /// Every reason, one by one, in words.
    pub fn lines(&self) -> Vec<String> {
        if self.refusals.is_empty() {
            return vec![self.why.clone()];
        }
        self.refusals.iter().map(ToString::to_string).collect()
    }
}

pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        chain = format!("{chain}: {error}");
        source = error.source();
    }
    chain
}

impl From<requests::Error> for Failure {
    fn from(error: requests::Error) -> Self {
        match error {
            requests::Error::Refused(refusals) => {
                let status = refusals
                    .iter()
                    .map(status)
                    .max_by_key(|status| rank(*status))
                    .unwrap_or(StatusCode::FORBIDDEN);
                let hint = refusals.iter().find_map(Refusal::hint);
                Self { refusals, hint, ..Self::new(status, "denied by the policy") }
            }
            requests::Error::TooManyBytes { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            requests::Error::NoSuchGrant(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            requests::Error::Store(error) => Self::of_store(&error),
            requests::Error::Unwritten { .. } => {
                tracing::error!("{}", chain(&error));
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            requests::Error::Changed(ref grant, ref seen)
            | requests::Error::OpensOther { ref grant, ref seen, .. } => {
                let hint = format!(
                    "read the request again; to approve that, `seen` is \"{seen}\", or run `doorward approve {} --seen {seen}`",
                    grant.id()
                );
                Self::new(StatusCode::CONFLICT, error.to_string()).hint(hint)
            }
            requests::Error::Random(_) => {
                tracing::error!("{}", chain(&error));
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NoSuchPerson { .. } => StatusCode::UNAUTHORIZED,
        Refusal::NotYourGrant { .. }
        | Refusal::OnlyItsPersonMoves { .. }
        | Refusal::NotAnApprover { .. }
        | Refusal::OwnRequest
        | Refusal::OwnDenial { .. }
        | Refusal::OnlyClaimed { .. }
        | Refusal::NotAnOperator { .. } => StatusCode::FORBIDDEN,
        Refusal::NotYours { .. } => StatusCode::NOT_FOUND,
        Refusal::NotWaiting { .. }
        | Refusal::NothingLeft { .. }
        | Refusal::NoRoom { .. }
        | Refusal::TooManyGrants { .. }
        | Refusal::NotOpen { .. }
        | Refusal::MovedTooOften { .. }
        | Refusal::NotThere { .. } => StatusCode::CONFLICT,
        // Without a permission it will not be otherwise in a moment.
        Refusal::Unavailable { cause, .. } if !cause.is_temporary() => StatusCode::CONFLICT,
        Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Transport { .. }
        | Refusal::NotCarried { .. }
        | Refusal::NoPorts { .. }
        | Refusal::TooShort
        | Refusal::TooLong { .. }
        | Refusal::NoReason { .. }
        | Refusal::UnreadableReason
        | Refusal::NoAddress { .. }
        | Refusal::NotListed { .. }
        | Refusal::TooWide { .. }
        | Refusal::Unapproved { .. }
        | Refusal::NoAddressAdmitted { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Of several, the one that no other answer would change.
fn rank(status: StatusCode) -> u8 {
    match status {
        StatusCode::UNAUTHORIZED => 4,
        StatusCode::FORBIDDEN => 3,
        StatusCode::NOT_FOUND => 2,
        StatusCode::CONFLICT => 1,
        _ => 0,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "Access denied",
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::CONFLICT => "Changed in the meantime",
            StatusCode::MISDIRECTED_REQUEST => "Unknown host",
            StatusCode::SERVICE_UNAVAILABLE => "Temporarily unavailable",
            StatusCode::INTERNAL_SERVER_ERROR => "Internal error",
            _ => "Request failed",
        };
        let page = layout::bare(
            title,
            html! {
                h1 { (title) }
                (reasons(&self))
                p { a href="/" { "Back to the home page" } }
            },
        );
        let mut response = (self.status, layout::written(page)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The reasons as a page says them.
pub fn reasons(failure: &Failure) -> maud::Markup {
    let lines = failure.lines();
    html! {
        @if let [line] = lines.as_slice() {
            p { (layout::sentence(line)) }
        } @else {
            ul { @for line in &lines { li { (layout::sentence(line)) } } }
        }
        @if let Some(hint) = &failure.hint { p.hint { (layout::sentence(hint)) } }
    }
}
