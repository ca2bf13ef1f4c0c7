//! The signed-in person's ended grants.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::failure::Failure;
use super::layout::{self, Here};
use super::session::Signed;
use super::{Web, words};
use crate::requests::GrantView;

/// The most that is shown.
const SHOWN: u32 = 200;

/// `GET /history`
pub async fn page(State(web): State<Arc<Web>>, signed: Signed) -> Result<Response, Failure> {
    let grants = web.requests().views().history(&signed.caller.person, SHOWN).await?;
    let main = html! {
        h1 { "My history" }
        @if grants.is_empty() {
            p.nothing { "None of your grants has ended yet." }
        } @else {
            table role="table" {
                caption.unseen { "Ended grants, the latest first" }
                thead role="rowgroup" {
                    tr role="row" {
                        @for title in ["Target", "Admitted", "Open", "Ended", "Reason"] {
                            th role="columnheader" scope="col" { (title) }
                        }
                    }
                }
                tbody role="rowgroup" { @for grant in &grants { (row(grant)) } }
            }
            @if grants.len() >= SHOWN as usize {
                p.quiet { "Only the latest " (SHOWN) " are shown; the audit log has all of them." }
            }
        }
    };
    Ok(layout::page(&signed, Here::History, StatusCode::OK, main))
}

fn row(grant: &GrantView) -> Markup {
    let lasted = grant.since.zip(grant.until).map(|(since, until)| until.duration_since(since).as_secs());
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (grant.target) }
            td role="cell" data-title="Admitted" { code { (words::source(grant.source)) } }
            td role="cell" data-title="Open" {
                @match (grant.since, lasted) {
                    (Some(since), Some(lasted)) => { (words::time(since)) " " span.quiet { "for " (words::lasting(lasted)) } }
                    _ => span.quiet { "never" },
                }
            }
            td role="cell" data-title="Ended" {
                @if let Some(until) = grant.until { (words::time(until)) }
                @if let Some(ended) = &grant.ended { " " span.quiet { (layout::marked(ended)) } }
            }
            td role="cell" data-title="Reason" { @if let Some(reason) = &grant.reason { (reason) } }
        }
    }
}
