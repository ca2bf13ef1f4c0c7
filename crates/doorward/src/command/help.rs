//! The help of the program itself: its verbs under headings, one line each.

use clap::builder::Styles;
use clap::{Args, Command};

use super::{Global, Verb};

/// Every verb that the help shows, under the heading where people search for it.
const HEADINGS: [(&str, &[&str]); 4] = [
    ("People", &["login", "logout", "whoami", "sessions", "password", "user", "group"]),
    (
        "Connect",
        &[
            "list",
            "open",
            "close",
            "move",
            "approve",
            "reject",
            "connect",
            "ssh",
            "shell",
            "proxy-command",
            "ssh-config",
            "token",
            "doctor",
        ],
    ),
    (
        "Account",
        &[
            "reach",
            "inspect",
            "inventory",
            "plan",
            "apply",
            "destroy",
            "env",
            "adopt",
            "export",
            "prices",
            "iam",
            "documents",
        ],
    ),
    ("Server", &["demo", "serve", "check", "audit", "sweep", "ssh-server-config", "completions", "manual"]),
];

/// The template of the program's help. clap knows headings for options only, so the verbs are written here.
pub(super) fn template() -> String {
    let verbs = <Verb as clap::Subcommand>::augment_subcommands(Command::new("doorward"));
    let names = |verb: &Command| {
        let aliases = verb.get_visible_aliases();
        std::iter::once(verb.get_name()).chain(aliases).collect::<Vec<_>>().join(", ")
    };
    let width =
        verbs.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| names(verb).len()).max();
    let width = width.unwrap_or_default();
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (heading, under) in HEADINGS {
        text.push_str(&format!("\n{header}{heading}:{header:#}\n"));
        for verb in under.iter().filter_map(|name| verbs.find_subcommand(name)) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {literal}{:width$}{literal:#}  {about}\n", names(verb)));
        }
    }
    let options = Command::new("doorward").version("0").disable_help_subcommand(true);
    let options = Global::augment_args(options).help_template("{all-args}").render_help();
    let options = options.ansi().to_string();
    text.push_str(&format!("\n{}{{after-help}}", options.trim_end()));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::HEADINGS;

    #[test]
    fn every_verb_that_is_shown_is_under_one_heading() {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut times: BTreeMap<&str, usize> = shown.map(|verb| (verb.get_name(), 0)).collect();
        for name in HEADINGS.iter().flat_map(|(_, under)| *under) {
            *times.get_mut(name).unwrap_or_else(|| panic!("`{name}` is no verb")) += 1;
        }
        let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_verb_is_found_by_the_words_that_the_field_has_for_it() {
        let command = Cli::command();
        for (word, verb) in [
            ("extend", "open"),
            ("request", "open"),
            ("revoke", "close"),
            ("deny", "reject"),
            ("status", "list"),
            ("whoami", "whoami"),
        ] {
            let found = command.find_subcommand(word).map(clap::Command::get_name);
            assert_eq!(found, Some(verb), "{word}");
        }
        let help = Cli::command().render_help().to_string();
        for line in ["  open, extend, request  ", "  close, revoke  ", "  reject, deny  ", "  list, status  "]
        {
            assert!(help.contains(line), "{line}: {help}");
        }
    }
}
