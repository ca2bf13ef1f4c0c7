//! The pages as a browser without scripts sees them.

mod account;
mod answers;
mod ending;
mod forms;
mod hosts;
mod many;
mod moving;
mod prefix;
mod proxies;
mod reach;
mod seen;
mod shown;
mod signing_in;
mod unreadable;

use axum::http::StatusCode;

use super::testing::Answer;

/// Where an answer of that status sends the browser.
fn sent_to(answer: &Answer, status: StatusCode) -> &str {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.header("location")
}
