//! The frame of every page: head, skip link, navigation, one main part.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use doorward_core::text::shown_lines;
use maud::{DOCTYPE, Markup, html};

use super::assets::{ADDRESS, COUNTDOWN, ICON, STYLE};
use super::session::Signed;

/// A page of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Here {
    /// What I may open, and what is open.
    Home,
    /// What was open.
    History,
    /// What everybody has open.
    Operators,
    /// Who can reach what.
    Reach,
    /// The audit log.
    Record,
    /// One's own password and sessions.
    Account,
}

impl Here {
    fn title(self) -> &'static str {
        match self {
            Self::Home => "Targets",
            Self::History => "My history",
            Self::Operators => "Open grants",
            Self::Reach => "Reachability",
            Self::Record => "Audit log",
            Self::Account => "Your account",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Home => "Targets",
            Self::History => "History",
            Self::Operators => "Open grants",
            Self::Reach => "Reachability",
            Self::Record => "Audit log",
            Self::Account => "Account",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::History => "/history",
            Self::Operators => "/operators",
            Self::Reach => "/reach",
            Self::Record => "/record",
            Self::Account => "/account",
        }
    }
}

/// A page for somebody who is signed in.
pub fn page(signed: &Signed, here: Here, status: StatusCode, main: Markup) -> Response {
    let pages: &[Here] = if signed.operator {
        &[Here::Home, Here::History, Here::Operators, Here::Reach, Here::Record]
    } else {
        &[Here::Home, Here::History]
    };
    let page = frame(
        here.title(),
        html! {
            nav aria-label="Pages" {
                ul {
                    @for page in pages {
                        li {
                            a href=(page.path()) aria-current=[(*page == here).then_some("page")] { (page.label()) }
                        }
                    }
                }
            }
            form.who method="post" action="/sign-out" {
                (token(signed))
                span {
                    span.quiet { "Signed in as " }
                    a href=(Here::Account.path()) title="Your password and your sessions"
                        aria-current=[(here == Here::Account).then_some("page")] { strong { (signed.caller.person) } }
                }
                button.plain type="submit" { "Sign out" }
            }
        },
        main,
    );
    (status, written(page)).into_response()
}

/// Markup as it is sent: characters that do not show are escaped, wherever they came from.
///
/// HTML itself has none, so that one pass over the whole is enough, and no page can leave it out.
pub fn written(markup: Markup) -> Html<String> {
    let text = markup.into_string();
    match shown_lines(&text) {
        Cow::Borrowed(_) => Html(text),
        Cow::Owned(text) => Html(text),
    }
}

/// A page for anybody.
pub fn bare(title: &str, main: Markup) -> Markup {
    frame(title, html! {}, html! { div.narrow { (main) } })
}

fn frame(title: &str, bar: Markup, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Doorward" }
                link rel="icon" type="image/svg+xml" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
                script defer src=(COUNTDOWN.path()) {}
                script defer src=(ADDRESS.path()) {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.bar {
                        a.brand href="/" {
                            img src=(ICON.path()) alt="" width="28" height="28";
                            "Doorward"
                        }
                        (bar)
                    }
                }
                main #main tabindex="-1" { (main) }
                p #say .unseen role="status" aria-live="polite" {}
            }
        }
    }
}

/// The field that ties a form to its session.
pub fn token(signed: &Signed) -> Markup {
    html! { input type="hidden" name="token" value=(signed.form_token()); }
}

/// A reason as a sentence of a page: a capital first, a full stop, and text in back-ticks as code.
pub fn sentence(text: &str) -> Markup {
    html! {
        @if begins_with_a_word(text) { (marked(&capital(text))) } @else { (marked(text)) }
        @if !text.ends_with(['.', '!', '?']) { "." }
    }
}

/// A part of a sentence, with text in back-ticks as code.
pub fn marked(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Whether a text begins with a word of a language: names of calls (`ec2:…`), of grants and of groups stay as they are.
fn begins_with_a_word(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    first
        .trim_end_matches([',', ';', ':', '.', '!', '?'])
        .chars()
        .all(|letter| letter.is_alphabetic() || letter == '\'')
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(sentence(text).into_string(), expected);
    }

    #[test]
    fn reasons_become_sentences() {
        check("`a` is not `b`", "<code>a</code> is not <code>b</code>.");
        check("there is no `<b>`", "There is no <code>&lt;b&gt;</code>.");
        check("what?", "What?");
        check("g-abc ends", "g-abc ends.");
        let call = "ec2:DescribeSecurityGroups in eu-west-1 gave no answer";
        check(call, &format!("{call}."));
        check("however, no", "However, no.");
        assert_eq!(marked("taken by `<b>`: no").into_string(), "taken by <code>&lt;b&gt;</code>: no");
    }
}
